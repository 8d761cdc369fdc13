//! What a stream costs, measured on the path that the product takes.
//!
//! `bench-server` runs the product's own [`server::EchoServer`]; `bench-client` asks it for streams over the public
//! interface, checks every frame, and reports. In reading order:
//!
//! - [`load`]: the streams that are asked for, and what came
//! - [`checker`]: the callback: order, text, count
//! - [`figures`]: processor time and memory, as the system counts them
//! - [`settings`]: an Actr.toml for a run

pub mod checker;
pub mod figures;
pub mod load;
pub mod settings;
