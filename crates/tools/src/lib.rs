//! What the agent's model can do: the tools, and one way to run them.
//!
//! A tool is one file below `tools/`: its schema, what it does, and its words. [`Toolbox`] offers
//! them ([`Toolbox::catalogue`]) and runs them ([`Toolbox::start`]); whether a call *may* run was
//! decided before, from its [`protocol::ToolEffect`].
//!
//! Invariants:
//! * Whatever a model writes as arguments, a call ends with a sentence for it, never a panic.
//! * Programs run only through `sandboxing`, confined as the thread's policy says; without a
//!   sandbox only where the policy asks for none.
//! * Our own code reads and writes only beneath the workspace, also where links lead out of it.
//! * What runs or looks can be stopped and has a limit of time; only writes go to their end.
//! * What a model reads of any tool is bounded by its [`Style`].

mod arguments;
mod changes;
mod command;
mod environment;
mod looking;
mod policy;
mod report;
mod running;
mod source;
mod syntax;
mod text;
mod toolbox;
mod tools;

pub use crate::running::{RunningTool, ToolEvent, ToolOutcome};
pub use crate::toolbox::{Style, ToolContext, Toolbox};
