//! The actr wire protocol, without I/O.
//!
//! Nothing here reads a socket, a clock or a random number: bytes and times come in as arguments, bytes and decisions
//! go out. In reading order:
//!
//! - [`identity`]: names, types and ids of actors, as text and as messages
//! - [`credential`]: what proves an identity, signed and verified
//! - [`possession`]: what proves that a credential is shown by its own holder
//! - [`realm_secret`]: what proves that a node belongs to a realm
//! - [`acl`]: who may call whom
//! - [`error_code`]: the numbers that failures carry
//! - [`peer_text`]: what a peer wrote for people, on one line
//! - [`websocket`]: frames of RFC 6455, cut out of a buffer and written in place
//! - [`record`]: what a data lane's message is made of, and batches of it
//! - [`record_limit`]: how long a record may be
//! - [`frame`]: one frame of a stream, encoded and decoded by hand because it is the hot path
//! - [`envelope`]: calls, answers and messages without an answer
//! - [`control`]: this project's own records: credit, cancel, end, error
//! - [`credit`]: who may send how many bytes of a stream
//! - [`latency_queue`]: what waits in a stream whose late frames are worth nothing
//! - [`sequence`]: what is missing, doubled or out of order in a stream
//! - [`resume`]: how a stream is asked for again behind what came already
//! - [`keepalive`]: when to ask a silent peer, and when to give it up
//! - [`pace`]: how much goes to the system at once, by what a link carries
//! - [`record_queue`]: the records that wait for a peer, and in which order they leave
//! - [`send_queue`]: what waits to be sent on a connection, and in which order it leaves
//! - [`partial_record`]: a long record that comes in parts
//! - [`unfinished`]: whether a peer goes on with what it has begun to send
//! - [`backoff`]: how long to wait before the next try
//! - [`host_policy`]: by which names a listener may be addressed
//! - [`ice_server`]: which servers help a node behind NAT
//! - [`trace_context`]: where a call belongs in a trace
//! - [`rate_limit`]: how often somebody may do something
//! - [`misbehaviour`]: how peers misbehave, counted
//! - [`log_limit`]: how many lines a log takes of that
//! - [`proto`]: the messages as prost types

pub mod acl;
pub mod backoff;
pub mod control;
pub mod credential;
pub mod credit;
pub mod envelope;
pub mod error_code;
pub mod frame;
pub mod host_policy;
pub mod ice_server;
pub mod identity;
pub mod keepalive;
pub mod latency_queue;
pub mod log_limit;
mod metadata_field;
pub mod misbehaviour;
pub mod pace;
pub mod partial_record;
pub mod peer_text;
pub mod possession;
pub mod proto;
pub mod rate_limit;
pub mod realm_secret;
pub mod record;
pub mod record_limit;
pub mod record_queue;
pub mod resume;
pub mod send_queue;
pub mod sequence;
pub mod trace_context;
mod trace_fields;
pub mod unfinished;
pub mod websocket;
