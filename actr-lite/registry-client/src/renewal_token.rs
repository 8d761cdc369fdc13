use std::fmt;

use bytes::Bytes;

/// What renews a credential, once. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct RenewalToken(pub(crate) Bytes);

impl fmt::Debug for RenewalToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RenewalToken")
    }
}
