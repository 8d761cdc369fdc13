//! Who an actor is: its type, its id, and the ids of its streams, as text and as messages.
//!
//! Text forms (actr 0.4.21): a type is `manufacturer:name:version`, an id `<serial, lowercase hex>@<realm>/<type>`.

mod actr_id;
mod actr_type;
mod stream_id;

pub use actr_id::{ActrId, ParseActrIdError};
pub use actr_type::{ActrType, DEFAULT_VERSION, MAX_NAME_LEN, ParseActrTypeError};
pub use stream_id::{MAX_STREAM_ID_LEN, ParseStreamIdError, StreamId};

/// The most characters that an error repeats of a text that is not what it should be: enough to know it again. Errors
/// are answered to peers, whose texts can be as long as a message.
const MAX_REPEATED_CHARS: usize = 128;

fn beginning(text: &str) -> String {
    text.chars().take(MAX_REPEATED_CHARS).collect()
}
