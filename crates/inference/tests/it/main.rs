//! The host as a real process.

mod bench;
mod door;
mod with_models;
