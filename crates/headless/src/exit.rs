//! How a command ends.

use std::io;
use std::path::PathBuf;

use app_server_client::CallError;

/// How a command ended, as its exit code tells it (`docs/exec.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    Failed,
    /// Every act was refused, or what it takes is missing: trying again will not help.
    NothingDone,
    Interrupted,
    Terminated,
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::NothingDone => 3,
            // What a shell reports for a process that a signal ended.
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

/// Somebody wants the command to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl From<Signal> for Exit {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::Interrupted,
            Signal::Terminate => Self::Terminated,
        }
    }
}

/// Why a command could not go on. Each is a sentence for the person who ran it.
#[derive(Debug, thiserror::Error)]
pub enum HeadlessError {
    /// The server's own sentence; the method says nothing to a person.
    #[error("{message}")]
    Refused { message: String },
    #[error(transparent)]
    Call(CallError),
    #[error(
        "the agent's engine ended before the answer: run the command again with RUST_LOG=debug"
    )]
    ServerGone,
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    #[error("cannot write the answer to {}: {source}", path.display())]
    AnswerFile { path: PathBuf, source: io::Error },
}

impl From<CallError> for HeadlessError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused { method: _, error } => Self::Refused { message: error.message },
            error @ CallError::Unreadable { .. } => Self::Call(error),
            CallError::Closed { .. } => Self::ServerGone,
        }
    }
}
