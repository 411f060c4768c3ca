//! Starts commands under the operating system's sandbox, and leaves none of them behind.
//!
//! Three kinds of process take part, all of them this one binary:
//!
//! * the engine, which holds a [`Spawner`] and one [`Running`] per command;
//! * the spawner, a small process that was started before the engine had threads and memory. It
//!   starts watchers and adopts what a dead watcher leaves behind;
//! * one watcher per command. It confines a thread of its own, starts the command from there,
//!   enforces the time limit and kills every descendant when the command ends, when it is told
//!   to, and when the engine is gone.
//!
//! Invariants:
//! * A command whose [`Confinement`] the kernel cannot give is not started.
//! * When a command has ended, so have all processes it started.
//! * Dropping a [`Running`], or the death of the engine, kills the command.
//! * What reaches the caller of a command's output is bounded, whatever the command writes.
//! * Where the kernel has no Landlock, bubblewrap gives the same, if it is installed.
//! * Nothing here runs between `fork` and `exec`: credentials are per thread on Linux, so the
//!   watcher restricts a thread in ordinary code and lets the command inherit.
//!
//! What the sandbox promises, and what it cannot, is in `docs/security.md`.

mod availability;
mod bubblewrap;
mod command;
mod confine;
mod denial;
mod running;
mod spawned;
mod spawner;
mod wire;

pub use crate::availability::{Availability, availability};
pub use crate::command::{Command, Confinement, Errors, Network, Root, Sockets, Writes};
pub use crate::denial::denied_by_sandbox;
pub use crate::running::{Ending, Exit, RunEvent, Running};
pub use crate::spawned::spawner_main;
pub use crate::spawner::{SpawnError, Spawner, SpawnerProgram};
