//! JSON merge patches (RFC 7396).

use serde_json::{Map, Value};

/// What makes `old` the same as `new`; `None` if it is already. To whoever applies it, a null is the same as a key that is
/// not there: a patch can't tell them apart.
pub fn diff(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return Some(new.clone());
    };
    let mut patch = Map::new();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in new {
        let change = match old.get(key) {
            Some(before) => diff(before, value),
            None => Some(value.clone()),
        };
        patch.extend(change.map(|change| (key.clone(), change)));
    }
    Some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// As RFC 7396 §2 writes it.
    fn apply(target: Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else {
            return patch.clone();
        };
        let mut target = match target {
            Value::Object(target) => target,
            _ => Map::new(),
        };
        for (key, value) in patch {
            match value {
                Value::Null => drop(target.remove(key)),
                value => {
                    let before = target.remove(key).unwrap_or(Value::Null);
                    target.insert(key.clone(), apply(before, value));
                }
            }
        }
        Value::Object(target)
    }

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<u8>().prop_map(Value::from), "[a-c]{0,2}".prop_map(Value::from)];
        leaf.prop_recursive(4, 32, 4, |inner| {
            proptest::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        })
    }

    #[test]
    fn only_what_changed_is_in_a_patch() {
        let old = json!({ "a": { "b": 1, "c": 2 }, "d": [1], "gone": {} });
        let new = json!({ "a": { "b": 1, "c": 3 }, "d": [1], "new": { "x": 1 } });
        let patch = json!({ "a": { "c": 3 }, "gone": null, "new": { "x": 1 } });
        assert_eq!(diff(&old, &new), Some(patch));
        assert_eq!(diff(&new, &new), None);
    }

    proptest! {
        #[test]
        fn a_patch_makes_the_old_one_the_new_one(old in document(), new in document()) {
            let patched = match diff(&old, &new) {
                Some(patch) => apply(old, &patch),
                None => old,
            };
            prop_assert_eq!(patched, new);
        }
    }
}
