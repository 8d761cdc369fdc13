use prost_types::{
    FieldDescriptorProto, FieldOptions,
    field_descriptor_proto::{Label, Type},
    field_options::{CType, JsType},
};

use super::{default_value, error::CanonicalFormError, object::Object};

/// A field of a message; `oneof_index` is that of the canonical form.
pub(super) fn of(field: &FieldDescriptorProto, oneof_index: Option<i32>) -> Result<Object, CanonicalFormError> {
    let options = field.options.clone().unwrap_or_default();
    let FieldOptions {
        deprecated,
        packed,
        weak,
        ..
    } = options;
    let ctype = options.ctype.map(|_| options.ctype());
    let ctype = ctype.as_ref().map(CType::as_str_name);
    let jstype = options.jstype.map(|_| options.jstype());
    let jstype = jstype.as_ref().map(JsType::as_str_name);
    let default = default_value::of(field)?;
    // They are here a second time, as texts, and `packed` for the first time.
    let texts = Object::default()
        .with_some("ctype", ctype)
        .with_some("default", default.clone())
        .with_some("deprecated", deprecated.map(|flag| flag.to_string()))
        .with_some("json_name", field.json_name.clone())
        .with_some("jstype", jstype)
        .with_some("packed", packed.map(|flag| flag.to_string()))
        .with_some("weak", weak.map(|flag| flag.to_string()));
    Ok(Object::default()
        .with("name", field.name())
        .with("number", field.number())
        .with_some("label", label(field))
        .with("type_name", type_name(field)?)
        .with_some("oneof_index", oneof_index)
        .with_some("default", default)
        .with_some("json_name", field.json_name.clone())
        .with_some("jstype", jstype)
        .with_some("ctype", ctype)
        .with_some("deprecated", deprecated)
        .with_some("weak", weak)
        .with_object("options", texts))
}

/// The extensions that a file declares outside of its messages.
pub(super) fn extensions(extensions: &[FieldDescriptorProto]) -> Result<Vec<Object>, CanonicalFormError> {
    let mut extensions: Vec<_> = extensions.iter().collect();
    extensions.sort_unstable_by_key(|extension| extension.name());
    extensions.into_iter().map(extension).collect()
}

fn extension(field: &FieldDescriptorProto) -> Result<Object, CanonicalFormError> {
    let deprecated = field.options.as_ref().and_then(|options| options.deprecated);
    Ok(Object::default()
        .with("name", field.name())
        .with("number", field.number())
        .with("extendee", field.extendee())
        .with("type_name", type_name(field)?)
        .with_some("label", label(field))
        .with_some("default", default_value::of(field)?)
        .with_some("deprecated", deprecated))
}

fn label(field: &FieldDescriptorProto) -> Option<&'static str> {
    match field.label() {
        Label::Optional => None,
        Label::Required => Some("required"),
        Label::Repeated => Some("repeated"),
    }
}

fn type_name(field: &FieldDescriptorProto) -> Result<&str, CanonicalFormError> {
    Ok(match field.r#type() {
        Type::Double => "double",
        Type::Float => "float",
        Type::Int64 => "int64",
        Type::Uint64 => "uint64",
        Type::Int32 => "int32",
        Type::Fixed64 => "fixed64",
        Type::Fixed32 => "fixed32",
        Type::Bool => "bool",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Uint32 => "uint32",
        Type::Sfixed32 => "sfixed32",
        Type::Sfixed64 => "sfixed64",
        Type::Sint32 => "sint32",
        Type::Sint64 => "sint64",
        Type::Message | Type::Enum => field.type_name(),
        Type::Group => {
            return Err(CanonicalFormError::Group {
                field: field.name().into(),
            });
        }
    })
}
