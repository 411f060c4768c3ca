//! The agent's language model: a request in, one constrained reply out.
//!
//! `copying`, `cues`, `grammar`, `matcher`, `offer`, `render` and `reply` are pure and know nothing of llama.cpp;
//! the weights are touched in `engine` alone.

mod copying;
mod cues;
mod engine;
mod grammar;
mod matcher;
mod offer;
mod prefix_cache;
mod render;
mod reply;
mod router;
mod worker;

pub(crate) use self::router::Router;
pub(crate) use self::worker::{AgentJob, AgentOptions, Work, run};

#[cfg(test)]
mod tests;
