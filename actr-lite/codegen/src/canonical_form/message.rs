use prost_types::DescriptorProto;

use super::{enumeration, error::CanonicalFormError, field, object::Object, reserved};

/// The end of a range that reaches `max`: the number behind the highest that a field can have.
const RANGE_END: i32 = 1 << 29;

pub(super) fn all_of(messages: &[DescriptorProto]) -> Result<Vec<Object>, CanonicalFormError> {
    let mut messages: Vec<_> = messages.iter().collect();
    messages.sort_unstable_by_key(|message| message.name());
    messages.into_iter().map(of).collect()
}

fn of(message: &DescriptorProto) -> Result<Object, CanonicalFormError> {
    let oneofs = Oneofs::of(message);
    let mut fields: Vec<_> = message.field.iter().collect();
    fields.sort_unstable_by_key(|field| (field.number(), field.name()));
    let fields: Vec<_> = fields
        .into_iter()
        .map(|field| field::of(field, oneofs.index(field.oneof_index)))
        .collect::<Result<_, _>>()?;
    // Nothing beyond has a number, but a message set says `max` for more than any other message.
    let ends = |start, end: i32| (start, end.min(RANGE_END));
    let reserved_ranges = message.reserved_range.iter().map(|it| ends(it.start(), it.end()));
    let extensions = message.extension_range.iter().map(|it| ends(it.start(), it.end()));
    let options = message.options.clone().unwrap_or_default();
    Ok(Object::default()
        .with("name", message.name())
        .with_list("fields", fields)
        .with_list("nested_messages", all_of(&message.nested_type)?)
        .with_list("nested_enums", enumeration::all_of(&message.enum_type)?)
        .with_list("oneofs", oneofs.names)
        .with_list("reserved_ranges", reserved::ranges(reserved_ranges))
        .with_list("reserved_names", reserved::names(&message.reserved_name))
        .with_list("extension_ranges", reserved::ranges(extensions))
        .with_some("message_set_wire_format", options.message_set_wire_format)
        .with_some(
            "no_standard_descriptor_accessor",
            options.no_standard_descriptor_accessor,
        )
        .with_some("deprecated", options.deprecated))
}

/// The oneofs of a message in the order of their first fields. A descriptor has those that stand for an `optional` of
/// proto3 behind the others.
struct Oneofs {
    names: Vec<String>,
    declared: Vec<i32>,
}

impl Oneofs {
    fn of(message: &DescriptorProto) -> Self {
        let mut oneofs = Self {
            names: Vec::new(),
            declared: Vec::new(),
        };
        for field in &message.field {
            let Some(index) = field.oneof_index.filter(|index| !oneofs.declared.contains(index)) else {
                continue;
            };
            let declaration = usize::try_from(index)
                .ok()
                .and_then(|index| message.oneof_decl.get(index));
            oneofs.declared.push(index);
            oneofs.names.push(match declaration {
                Some(oneof) if !field.proto3_optional() => oneof.name().into(),
                _ => format!("_{}", field.name()),
            });
        }
        oneofs
    }

    fn index(&self, declared: Option<i32>) -> Option<i32> {
        let index = self.declared.iter().position(|index| Some(*index) == declared)?;
        i32::try_from(index).ok()
    }
}
