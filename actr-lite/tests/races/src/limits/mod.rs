pub(crate) mod accounts;
#[path = "../../../../node/src/limits/held_bytes.rs"]
pub(crate) mod held_bytes;
