//! All integration tests of this crate; one binary.

#![allow(clippy::unwrap_used, reason = "a test that breaks should break")]

mod address;
mod client;
mod conformance;
mod roles;
mod server_in;
mod server_out;
mod session;
