use actr_lite_tls::Stream;
use actr_lite_wire::record_limit::RecordLimit;
use bytes::BytesMut;

/// A connection after the upgrade.
pub(crate) struct Upgraded {
    pub(crate) stream: Stream,
    /// What came behind the handshake in the same read.
    pub(crate) leftover: BytesMut,
    /// Whether both sides speak the extension.
    pub(crate) extended: bool,
    /// The longest record that the peer takes.
    pub(crate) peer_limit: RecordLimit,
}
