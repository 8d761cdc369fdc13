//! Links on a virtual clock, with a registry that does what each test says.

mod calendar;
mod equal_servers;
mod http_codes;
mod old_keys;
mod outage;
mod renewal;
mod scripted_registry;
mod silence;
mod start;
