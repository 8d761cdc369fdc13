use actr_lite_net::ClearText;
use actr_lite_tls::Tls;
use actr_lite_wire::{host_policy::HostPolicy, record_limit::RecordLimit};

/// How a node speaks with others over the data lane.
pub(crate) struct LaneSettings {
    /// The longest record that it sends and takes.
    pub(crate) record_limit: RecordLimit,
    pub(crate) tls: Tls,
    /// Where it shows its credential without TLS.
    pub(crate) clear_text: ClearText,
    /// By which names others may address it.
    pub(crate) hosts: HostPolicy,
}
