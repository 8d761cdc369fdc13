/// The key that is spelt most alike, if one was probably meant.
pub(crate) fn nearest_key(key: &str, known: &'static [&'static str]) -> Option<&'static str> {
    let lowercase = key.to_lowercase();
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lowercase, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= max_distance(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A third of the letters may be wrong; with more, the suggestion surprises.
fn max_distance(candidate: &str) -> usize {
    candidate.len().max(3) / 3
}
