//! Bytes <-> realtime events. Every dialect, vendor and spelling ends here.
//!
//! Two roles. [`client`] speaks to a realtime service, ours or another one, in the dialect
//! that the service understands. [`server`] is the service's side of the current protocol,
//! for our own local server. Neither decides anything: what is read is handed up as plain
//! types, what is to be said is handed down.

mod audio;
pub mod client;
pub mod server;

pub use crate::audio::{Samples, to_bytes};
