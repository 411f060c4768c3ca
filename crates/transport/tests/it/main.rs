//! All integration tests of this crate; one binary. Every socket is a real one on loopback.

#![allow(clippy::unwrap_used)]

mod download;
mod http;
mod secrets;
mod sse;
mod support;
mod tls;
mod websocket;

use transport::{Network, Trust};

fn network() -> Network {
    Network::new(Trust::System)
}
