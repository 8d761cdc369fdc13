//! Who an actor is: its type, its id, and the ids of its streams, as text and as messages.
//!
//! Text forms (actr 0.4.21): a type is `manufacturer:name:version`, an id `<serial, lowercase hex>@<realm>/<type>`.

mod actr_id;
mod actr_type;
mod stream_id;

pub use actr_id::{ActrId, ParseActrIdError};
pub use actr_type::{ActrType, DEFAULT_VERSION, MAX_NAME_LEN, ParseActrTypeError};
pub use stream_id::{MAX_STREAM_ID_LEN, ParseStreamIdError, StreamId};
