//! The manifest, the shelf, and fetching over real sockets and real archives.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod fetch;
mod manifest;
mod server;
