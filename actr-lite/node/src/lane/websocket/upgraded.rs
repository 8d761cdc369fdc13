use actr_lite_engine::upgrade::offer::Agreed;
use actr_lite_tls::Stream;
use bytes::BytesMut;

/// A connection after the upgrade.
pub(crate) struct Upgraded {
    pub(crate) stream: Stream,
    /// What came behind the handshake in the same read.
    pub(crate) leftover: BytesMut,
    /// What the upgrade says of both ends.
    pub(crate) agreed: Agreed,
}
