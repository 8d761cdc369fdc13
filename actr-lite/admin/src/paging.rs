//! Which rows of a table an answer has.

/// The most rows of a table in one answer: as many as a person looks through, and a few ten kilobytes.
pub const MAX_ROWS: usize = 100;

/// A page of a table, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page(usize);

impl Default for Page {
    fn default() -> Self {
        Self(1)
    }
}

impl Page {
    /// The one that a query names by `page=`: the first if it names none, `None` if it names something else.
    pub fn from_query(query: Option<&str>) -> Option<Self> {
        let mut named = query
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.strip_prefix("page="));
        let Some(number) = named.next() else {
            return Some(Self::default());
        };
        let number = number.parse().ok().filter(|number| *number > 0)?;
        named.next().is_none().then_some(Self(number))
    }

    /// Its number.
    pub fn number(self) -> usize {
        self.0
    }

    /// Its rows of all rows, which come newest first.
    pub fn of<T>(self, rows: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        rows.skip((self.0 - 1).saturating_mul(MAX_ROWS)).take(MAX_ROWS)
    }

    /// The greatest of these keys that are on this page, the greatest first. It takes as long as one look at each key.
    pub fn of_keys(self, mut keys: Vec<u64>) -> Vec<u64> {
        let start = (self.0 - 1).saturating_mul(MAX_ROWS);
        if start >= keys.len() {
            return Vec::new();
        }
        let descending = |one: &u64, other: &u64| other.cmp(one);
        if start > 0 {
            keys.select_nth_unstable_by(start - 1, descending);
            keys.drain(..start);
        }
        if keys.len() > MAX_ROWS {
            keys.select_nth_unstable_by(MAX_ROWS - 1, descending);
            keys.truncate(MAX_ROWS);
        }
        keys.sort_unstable_by(descending);
        keys
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    #[test]
    fn a_page_is_a_number_from_one() {
        let number = |query| Page::from_query(query).map(Page::number);
        assert_eq!(number(None), Some(1));
        assert_eq!(number(Some("")), Some(1));
        assert_eq!(number(Some("x=1&page=7")), Some(7));
        for query in [
            "page=",
            "page=0",
            "page=-1",
            "page=x",
            "page=1&page=2",
            "page=99999999999999999999",
        ] {
            assert_eq!(number(Some(query)), None, "{query}");
        }
    }

    proptest! {
        #[test]
        fn pages_are_what_a_sorted_list_says(keys in btree_set(any::<u64>(), 0..450), page in 1usize..7) {
            let sorted: Vec<u64> = keys.iter().rev().copied().collect();
            let page = Page(page);
            let expected: Vec<u64> = page.of(sorted.into_iter()).collect();
            prop_assert!(expected.len() <= MAX_ROWS);
            prop_assert_eq!(page.of_keys(keys.into_iter().collect()), expected);
        }
    }
}
