use prost_types::{EnumDescriptorProto, EnumValueDescriptorProto};

use super::{error::CanonicalFormError, object::Object, reserved};

pub(super) fn all_of(enums: &[EnumDescriptorProto]) -> Result<Vec<Object>, CanonicalFormError> {
    let mut enums: Vec<_> = enums.iter().collect();
    enums.sort_unstable_by_key(|item| item.name());
    enums.into_iter().map(of).collect()
}

fn of(item: &EnumDescriptorProto) -> Result<Object, CanonicalFormError> {
    let mut values: Vec<_> = item.value.iter().collect();
    values.sort_unstable_by_key(|value| (value.number(), value.name()));
    let reserved_ranges = item.reserved_range.iter().map(|it| (it.start(), it.end()));
    if reserved_ranges.clone().any(|(_, end)| end == i32::MAX) {
        return Err(CanonicalFormError::EnumRange {
            name: item.name().into(),
        });
    }
    let options = item.options.clone().unwrap_or_default();
    let texts = Object::default()
        .with_some("allow_alias", options.allow_alias.map(|flag| flag.to_string()))
        .with_some("deprecated", options.deprecated.map(|flag| flag.to_string()));
    Ok(Object::default()
        .with("name", item.name())
        .with_list("values", values.into_iter().map(value).collect())
        .with_list("reserved_ranges", reserved::ranges(reserved_ranges))
        .with_list("reserved_names", reserved::names(&item.reserved_name))
        .with_some("allow_alias", options.allow_alias)
        .with_some("deprecated", options.deprecated)
        .with_object("options", texts))
}

fn value(value: &EnumValueDescriptorProto) -> Object {
    Object::default()
        .with("name", value.name())
        .with("number", value.number())
}
