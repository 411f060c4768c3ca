//! The faces without a screen: `exec`, `talk` and `demo`.
//!
//! Clients of the app-server protocol like any other: they see the agent only through a
//! [`Server`]. They never ask a person anything: what would need an approval under the configured
//! policy is refused.

mod console;
mod deeds;
mod demo;
mod doing;
mod exec;
mod exit;
mod json_item;
mod place;
mod session;
mod steps;
mod talk;

pub use crate::console::Console;
pub use crate::demo::{Sample, SampleError, TestRun, names_in, test_run, utterances};
pub use crate::exec::{ExecArgs, Format, exec, exec_cannot_begin};
pub use crate::exit::{Cause, Exit, HeadlessError, Signal};
pub use crate::session::{Server, ThreadArgs, capabilities as exec_capabilities};
pub use crate::talk::{
    Input, Latency, Manners, Output, Pace, TalkArgs, TalkFormat, TalkReport,
    capabilities as talk_capabilities, talk, talk_cannot_begin,
};
