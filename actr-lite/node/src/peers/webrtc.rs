//! Sessions over WebRTC data channels, which two nodes agree on by way of the registry; if `webrtc`, a feature of this crate,
//! is on. Without it nothing of WebRTC is compiled.
//!
//! The crate `actr-lite-webrtc` decides. A desk takes what other nodes say, and hands it to the task of each peer, a driver, which
//! has the peer's sessions, one after the other. All send over the node's sockets; what comes there goes to the endpoint
//! of each driver.

#[cfg(not(feature = "webrtc"))]
mod absent;
#[cfg(feature = "webrtc")]
mod alarm;
#[cfg(feature = "webrtc")]
mod arrivals;
#[cfg(feature = "webrtc")]
mod desk;
#[cfg(feature = "webrtc")]
mod driver;
#[cfg(feature = "webrtc")]
mod endpoint;
#[cfg(feature = "webrtc")]
mod found;
#[cfg(feature = "webrtc")]
mod input;
#[cfg(feature = "webrtc")]
mod named_relays;
#[cfg(feature = "webrtc")]
mod nat;
#[cfg(feature = "webrtc")]
mod open_session;
#[cfg(feature = "webrtc")]
mod port;
#[cfg(feature = "webrtc")]
mod reflexive;
#[cfg(feature = "webrtc")]
mod relay_port;
#[cfg(feature = "webrtc")]
mod relay_socket;
#[cfg(feature = "webrtc")]
mod relay_task;
#[cfg(feature = "webrtc")]
mod relays;
#[cfg(feature = "webrtc")]
mod routes;
#[cfg(feature = "webrtc")]
mod sockets;

#[cfg(not(feature = "webrtc"))]
pub(crate) use absent::Desk;
#[cfg(feature = "webrtc")]
pub(crate) use desk::Desk;
