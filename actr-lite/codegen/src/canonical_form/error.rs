/// Why the canonical form of a proto file can't be computed from its descriptor.
///
/// Each of these would get another fingerprint here than from another actr implementation, or can get one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonicalFormError {
    /// A number that is written with a leading 0.
    #[error("line {line} has an octal number, which proto-sign reads as a decimal one: write it in decimal")]
    Octal {
        /// The line, from 1.
        line: usize,
    },

    /// An escape in a text that proto-sign reads as another.
    #[error(
        "line {line} has an escape that proto-sign reads differently from protobuf: write the character itself, or its \
         bytes as \\xhh or as \\ooo with three digits"
    )]
    Escape {
        /// The line, from 1.
        line: usize,
    },

    /// A field that is a group.
    #[error("`{field}` is a group, which has no settled canonical form: make it a message")]
    Group {
        /// The field's name.
        field: String,
    },

    /// A reserved range that goes up to the highest number of an enum, which can be written in two ways.
    #[error(
        "enum `{name}` reserves all numbers up to 2147483647, and `max` and the number itself have different canonical \
         forms: reserve fewer"
    )]
    EnumRange {
        /// The enum's name.
        name: String,
    },

    /// A default of a floating-point field that can be written in two ways.
    #[error(
        "the default {value} of `{field}` has another canonical form as an integer than as a floating-point number: \
         take another default, or none"
    )]
    FloatDefault {
        /// The field's name.
        field: String,
        /// The default, as the parser writes it.
        value: String,
    },
}
