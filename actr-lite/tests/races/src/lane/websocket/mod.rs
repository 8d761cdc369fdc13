#[path = "../../../../../node/src/lane/websocket/outbox.rs"]
mod outbox;
mod outbox_tests;
mod socket;
