use crate::{
    ManifestError,
    document::{Node, Value},
    section::dotted,
};

/// Stands for any name, where the author of the file chooses the keys.
pub(crate) const ANY: &str = "*";

/// The keys of each section of a file. A section's path has [`ANY`] where its author chooses the name.
pub(crate) struct Schema(pub(crate) &'static [(&'static [&'static str], &'static [&'static str])]);

impl Schema {
    /// Looks through all sections before a value is read: a misspelt key is better news than the key that is missing
    /// because of it.
    pub(crate) fn refuse_unknown_keys(&self, document: &Node) -> Result<(), ManifestError> {
        self.check(document, &mut Vec::new())
    }

    fn check<'a>(&self, node: &'a Node, path: &mut Vec<&'a str>) -> Result<(), ManifestError> {
        match &node.value {
            Value::Array(nodes) => nodes.iter().try_for_each(|node| self.check(node, path)),
            Value::Table(table) => {
                let Some(known) = self.keys(path) else {
                    return Ok(());
                };
                let mut entries: Vec<_> = table.iter().collect();
                entries.sort_by_key(|(_, entry)| &entry.key_place);
                for (key, entry) in entries {
                    if !matches(known, key) {
                        return Err(ManifestError::UnknownKey {
                            place: entry.key_place.clone(),
                            key: dotted(&section_name(path), key),
                            nearest: self.nearest(path, known, key),
                            known,
                        });
                    }
                    path.push(key);
                    self.check(&entry.node, path)?;
                    path.pop();
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn keys(&self, path: &[&str]) -> Option<&'static [&'static str]> {
        let fits = |pattern: &[&str]| {
            pattern.len() == path.len()
                && pattern
                    .iter()
                    .zip(path)
                    .all(|(part, name)| *part == ANY || part == name)
        };
        self.0.iter().find_map(|(pattern, keys)| fits(pattern).then_some(*keys))
    }

    /// The key of the same section that is spelt most alike, else the one section elsewhere that has this very key.
    fn nearest(&self, path: &[&str], known: &[&str], key: &str) -> Option<String> {
        let lowercase = key.to_lowercase();
        let here = known
            .iter()
            .map(|candidate| (strsim::damerau_levenshtein(&lowercase, candidate), candidate))
            .filter(|(distance, candidate)| *distance <= max_distance(candidate))
            .min_by_key(|(distance, _)| *distance);
        if let Some((_, candidate)) = here {
            return Some(dotted(&section_name(path), candidate));
        }
        let mut elsewhere = self.0.iter().filter(|(_, keys)| keys.contains(&key));
        match (elsewhere.next(), elsewhere.next()) {
            (Some((section, _)), None) => Some(dotted(&section_name(section), key)),
            _ => None,
        }
    }
}

fn section_name(path: &[&str]) -> String {
    path.iter().fold(String::new(), |section, name| dotted(&section, name))
}

fn matches(known: &[&str], key: &str) -> bool {
    known.iter().any(|candidate| *candidate == ANY || *candidate == key)
}

/// A third of the letters may be wrong; with more, the suggestion surprises.
fn max_distance(candidate: &str) -> usize {
    candidate.len().max(3) / 3
}
