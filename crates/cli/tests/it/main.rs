//! The real program, from its arguments to its exit code.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod app_server;
mod demo;
mod exec;
mod lab;
mod models;
mod realtime_server;
mod sessions;
mod talk;
mod with_models;
