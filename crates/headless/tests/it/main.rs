//! The faces without a screen, against a server that the test plays by hand.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod exec;
mod peer;
mod sample;
mod streams;
mod talk;
