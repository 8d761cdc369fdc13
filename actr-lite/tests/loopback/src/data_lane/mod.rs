//! The data lane as other peers see it: official nodes, which know no extension, and clients that have no business
//! there.

mod flow;
mod lost_peer;
mod records;
mod repeated_request;
mod upgrade;
