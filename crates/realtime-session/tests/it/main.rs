//! All integration tests of this crate; one binary.

#![allow(clippy::unwrap_used, reason = "a test that breaks should break")]

mod conversation;
mod nonsense;
mod script;
mod world;
