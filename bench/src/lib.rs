//! What a stream costs, measured on the path that the product takes.
//!
//! `bench-server` runs [`server::BenchServer`]; `bench-client` asks it for streams over the public
//! interface, checks every frame, and reports. `bench-isolation` looks at what streams and calls of one connection do
//! to each other. In reading order:
//!
//! - [`load`]: the streams that `bench-client` asks for, and what came
//! - [`isolation`]: a slow stream among fast ones, and calls among streams
//! - [`streams`]: streams that run at once
//! - [`client`]: a node that only asks, and its connections
//! - [`checker`]: the callback: order, text, count
//! - [`figures`]: processor time and memory, as the system counts them
//! - [`server`]: the server that sends the streams
//! - [`settings`]: an Actr.toml for a run

pub mod checker;
pub mod client;
pub mod figures;
pub mod isolation;
pub mod load;
pub mod server;
pub mod settings;
pub mod streams;
