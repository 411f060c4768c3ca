//! All integration tests of this crate; one binary.

#![allow(clippy::unwrap_used)]

mod fault;
mod garbage;
mod reply;
mod request;
