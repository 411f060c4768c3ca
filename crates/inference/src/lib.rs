//! Local speech and language models, run in one process of their own: the model host.
//!
//! [`Client`] is what everybody else uses. It starts the host on first use, by running the
//! same binary again with a hidden subcommand that calls [`host_main`]; sessions of one user
//! share it, and it leaves when nobody needed it for a while.
//!
//! **Invariants**
//! * One process owns the cores while models run: a speech frame never waits behind more than
//!   one step of the agent's model.
//! * Dropping a call, or the process that made it, ends its work in the host.
//! * A crash of the host is an error of the calls that ran, and nothing to the next.

mod agent;
mod client;
mod error;
mod host;
mod options;
mod route;
mod scheduler;
mod wire;

pub use crate::client::{
    Client, Generation, HostCommand, Loading, Sentence, Speech, TranscribeOptions, Transcript,
    VadStream, WarmUp,
};
pub use crate::error::Error;
pub use crate::host::host_main;
pub use crate::options::{HostOptions, Model, ModelFiles, default_runtime_dir};
pub use crate::route::Route;
