//! Addresses and hosts, as keys give them.

use std::net::SocketAddr;

use actr_lite_wire::host_policy::HostName;
use serde::{Deserialize, Deserializer, de::Error};

pub(crate) fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(|_| {
        D::Error::custom("not an IP address and port: write 127.0.0.1:0 or [::1]:0, where port 0 is any free one")
    })
}

pub(crate) fn some_socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    socket_address(deserializer).map(Some)
}

pub(crate) fn hosts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HostName>, D::Error> {
    let hosts = Vec::<String>::deserialize(deserializer)?;
    let hosts: Result<_, _> = hosts.iter().map(|host| host.parse()).collect();
    hosts.map_err(D::Error::custom)
}
