//! The server over real sockets, with models that follow a script.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod client;
mod door;
mod errors;
mod script;
mod talk;
