//! The crate from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod text;
mod with_models;
