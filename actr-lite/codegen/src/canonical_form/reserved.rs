//! Numbers and names that nothing else of a message or an enum may have.

use super::object::Object;

/// Ranges of numbers, sorted, each with the end that its descriptor has.
pub(super) fn ranges(ranges: impl Iterator<Item = (i32, i32)>) -> Vec<Object> {
    let mut ranges: Vec<_> = ranges.collect();
    ranges.sort_unstable();
    ranges
        .into_iter()
        .map(|(start, end)| Object::default().with("start", start).with("end", end))
        .collect()
}

/// Names, sorted, each once.
pub(super) fn names(names: &[String]) -> Vec<Object> {
    let mut names: Vec<_> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| Object::default().with("name", name))
        .collect()
}
