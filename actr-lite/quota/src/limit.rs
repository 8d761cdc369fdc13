use std::fmt;

/// A limit that can be reached: what there may be too much of, how much that is, and the key that changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    what: &'static str,
    key: &'static str,
    value: usize,
}

impl Limit {
    /// A limit of `value` of `what`, such as "streams open", which `key` of Actr.toml sets.
    pub const fn new(what: &'static str, key: &'static str, value: usize) -> Self {
        Self { what, key, value }
    }

    /// What it limits.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// The key of Actr.toml, with its section.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// The most that there may be.
    pub fn value(&self) -> usize {
        self.value
    }
}

/// What follows "this node has".
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, key, value } = self;
        write!(
            f,
            "{value} {what} at once already, which is its limit; try again when some have ended, or raise {key} in its \
             Actr.toml"
        )
    }
}
