//! What a running program tells over HTTP: whether it is well, what it does, how much it has done, and what happens.
//!
//! The registry answers on its own port, and a node on one that its Actr.toml names. What they show of themselves they give as
//! a [`view`]; nothing here knows them. What decides has no I/O and no clock. In reading order:
//!
//! - [`admin`]: what a program tells, and how a request for it is answered
//! - [`view`]: what parts of a program show of themselves
//! - [`status`]: what they do at a moment
//! - [`counts`], [`metrics`]: how much they have done, and as OpenMetrics
//! - [`event`]: what happens
//! - [`route`], [`token`], [`paging`]: which request gets which answer
//! - [`page_file`]: the page for people
//! - [`event_log`], [`recent_events`]: the last events
//! - [`event_stream`], [`merge_patch`]: what one reader of events is told, and when
//! - [`server`]: a port for all this
//! - [`body`], [`http_lifetime`]: answers, and how long a connection lasts

pub mod admin;
pub mod body;
pub mod counts;
pub mod event;
pub mod event_log;
pub mod event_stream;
pub mod http_lifetime;
pub mod merge_patch;
pub mod metrics;
pub mod page_file;
pub mod paging;
pub mod recent_events;
pub mod route;
pub mod server;
pub mod status;
pub mod token;
pub mod view;
