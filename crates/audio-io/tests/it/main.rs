//! WAV files of all kinds in, one kind out; devices.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod forge;
mod read;
mod sound_server;
mod timeline;
