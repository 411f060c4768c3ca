//! The faces without a screen: `exec`, `talk` and `demo`.
//!
//! Clients of the app-server protocol like any other: they see the agent only through a
//! [`Server`]. They never ask a person anything: threads they start refuse what would need an
//! approval.

mod console;
mod exec;
mod exit;
mod session;
mod steps;

pub use crate::console::Console;
pub use crate::exec::{ExecArgs, Format, exec};
pub use crate::exit::{Exit, HeadlessError, Signal};
pub use crate::session::{Server, ThreadArgs};
