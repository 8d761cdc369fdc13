use std::{error::Error, fmt, iter};

/// What is wrong, all of it: at least one problem.
#[derive(Debug)]
pub struct Problems<E> {
    first: Box<E>,
    rest: Vec<E>,
}

impl<E> Problems<E> {
    /// The result of checks: the value if there are no problems.
    ///
    /// # Errors
    /// When there are.
    pub fn or_value<T>(problems: impl IntoIterator<Item = E>, value: T) -> Result<T, Self> {
        let mut problems = problems.into_iter();
        match problems.next() {
            Some(first) => Err(Self {
                first: Box::new(first),
                rest: problems.collect(),
            }),
            None => Ok(value),
        }
    }

    /// Both values, or the problems of both.
    ///
    /// # Errors
    /// When there is a problem with either.
    pub fn both<A, B>(one: Result<A, Self>, other: Result<B, Self>) -> Result<(A, B), Self> {
        match (one, other) {
            (Ok(one), Ok(other)) => Ok((one, other)),
            (Err(mut one), Err(other)) => {
                one.rest.extend(other);
                Err(one)
            }
            (Err(problems), Ok(_)) | (Ok(_), Err(problems)) => Err(problems),
        }
    }

    /// One more.
    pub fn push(&mut self, problem: E) {
        self.rest.push(problem);
    }

    /// The one to name where only one is named.
    pub fn into_first(self) -> E {
        *self.first
    }

    /// The same problems in another error's words.
    pub fn map<F>(self, into: impl Fn(E) -> F) -> Problems<F> {
        Problems {
            first: Box::new(into(*self.first)),
            rest: self.rest.into_iter().map(into).collect(),
        }
    }
}

impl<E> From<E> for Problems<E> {
    fn from(first: E) -> Self {
        Self {
            first: Box::new(first),
            rest: Vec::new(),
        }
    }
}

/// A line for each.
impl<E: fmt::Display> fmt::Display for Problems<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.rest.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

impl<E: Error> Error for Problems<E> {}

impl<E> IntoIterator for Problems<E> {
    type Item = E;
    type IntoIter = iter::Chain<iter::Once<E>, std::vec::IntoIter<E>>;

    fn into_iter(self) -> Self::IntoIter {
        iter::once(*self.first).chain(self.rest)
    }
}
