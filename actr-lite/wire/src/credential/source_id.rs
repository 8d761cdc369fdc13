use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use prost::Message as _;

use super::{credential_error::CredentialError, unverified::MAX_ENCODED_LEN};
use crate::{identity::ActrId, proto};

/// The value of the data lane's `X-Actr-Source-ID` header: hex of the encoded id.
pub fn source_id_to_header(id: &ActrId) -> String {
    HEXLOWER.encode(&proto::ActrId::from(id).encode_to_vec())
}

/// Reads what [`source_id_to_header`] writes.
///
/// # Errors
/// When it is not hex of an id.
pub fn source_id_from_header(value: &[u8]) -> Result<ActrId, CredentialError> {
    let malformed = || CredentialError::Malformed("source id");
    if value.len() > MAX_ENCODED_LEN {
        return Err(malformed());
    }
    let bytes = HEXLOWER_PERMISSIVE.decode(value).map_err(|_| malformed())?;
    let message = proto::ActrId::decode(bytes.as_slice()).map_err(|_| malformed())?;
    Ok(ActrId::try_from(&message)?)
}
