//! The protocol's promises, boundary by boundary.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod lines;
mod news;
mod replay;
mod requests;
mod rpc;
mod sound;
