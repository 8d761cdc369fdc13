//! The published actr software beside this workspace's: what the tests in `tests/` need of it.
//!
//! - [`official_node`]: a node of the published runtime
//! - [`stream_server`]: the service of the shipped server, as a workload of the published runtime
//! - [`stream_client`]: a client that asks such a server for a stream, with the published runtime
//! - [`own_client`]: the same with this workspace's runtime
//! - [`logging`]: what the programs log
//! - [`figures`]: what streams cost over WebRTC, with either runtime

pub mod figures;
pub mod logging;
pub mod official_node;
pub mod own_client;
pub mod stream_client;
pub mod stream_server;

pub use official_node::OfficialNode;
pub use stream_server::StreamServer;
