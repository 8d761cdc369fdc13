//! The canonical form of a proto file: what means the same to programs is the same text.
//!
//! It is the form of crate `proto-sign` 0.1.1, whose rules are, apart from the names and the order of the members:
//!
//! - Messages, services, methods and extensions are sorted by name, fields and enum values by number. The oneofs of a
//!   message are in the order in which they are declared, an `optional` field of proto3 counting as one.
//! - A type has its full name, with a dot before it. A label is given unless it is `optional`.
//! - What is absent or empty is left out. An option that is set to its default is not absent.
//! - Comments, custom options, nested extensions, and the options of services, methods (but for their idempotency),
//!   oneofs and enum values don't count.

mod default_value;
mod enumeration;
mod error;
mod field;
mod literal;
mod message;
mod object;
mod reserved;
mod service;

use prost_types::{FileDescriptorProto, FileOptions, file_options::OptimizeMode};

pub use self::error::CanonicalFormError;
use self::object::Object;

/// The canonical form of a file as protox has resolved it: with full names of types, and options in their places.
pub(crate) fn of_file(file: &FileDescriptorProto, source: &str) -> Result<String, CanonicalFormError> {
    literal::check(source)?;
    let mut imports = file.dependency.clone();
    imports.sort_unstable();
    let form = Object::default()
        .with_some("package", file.package.clone())
        .with(
            "syntax",
            if file.syntax().is_empty() {
                "proto2"
            } else {
                file.syntax()
            },
        )
        .with_list("imports", imports)
        .with_list("messages", message::all_of(&file.message_type)?)
        .with_list("enums", enumeration::all_of(&file.enum_type)?)
        .with_list("services", service::all_of(&file.service))
        .with_list("extensions", field::extensions(&file.extension)?);
    Ok(with_options(form, file.options.clone().unwrap_or_default()).to_json())
}

fn with_options(form: Object, options: FileOptions) -> Object {
    let optimize_for = options.optimize_for.map(|_| options.optimize_for());
    form.with_some("go_package", options.go_package)
        .with_some("java_package", options.java_package)
        .with_some("csharp_namespace", options.csharp_namespace)
        .with_some("ruby_package", options.ruby_package)
        .with_some("java_multiple_files", options.java_multiple_files)
        .with_some("java_outer_classname", options.java_outer_classname)
        .with_some("java_string_check_utf8", options.java_string_check_utf8)
        .with_some("java_generic_services", options.java_generic_services)
        .with_some("objc_class_prefix", options.objc_class_prefix)
        .with_some("php_class_prefix", options.php_class_prefix)
        .with_some("php_namespace", options.php_namespace)
        .with_some("php_metadata_namespace", options.php_metadata_namespace)
        .with_some("php_generic_services", options.php_generic_services)
        .with_some("swift_prefix", options.swift_prefix)
        .with_some("cc_generic_services", options.cc_generic_services)
        .with_some("cc_enable_arenas", options.cc_enable_arenas)
        .with_some("py_generic_services", options.py_generic_services)
        .with_some("optimize_for", optimize_for.as_ref().map(OptimizeMode::as_str_name))
}
