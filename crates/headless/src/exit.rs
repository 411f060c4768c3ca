//! How a command ends.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use app_server_client::CallError;
use audio_io::{DeviceError, RawError, TimelineError, WavError};

use crate::talk::{Input, Output};

/// How a command ended, as its exit code tells it (`docs/exec.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    Failed,
    /// It was asked for something that cannot be.
    Misused,
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
            Self::Misused => 2,
            Self::NothingDone => 3,
            // What a shell reports for a process that a signal ended.
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

/// How long an interrupted turn may take to end before we leave anyway: longer than the agent
/// waits for a tool to let go (5 s).
pub(crate) const INTERRUPT_PATIENCE: Duration = Duration::from_secs(7);

/// How often a screen says what goes on.
pub(crate) const STATUS_EVERY: Duration = Duration::from_secs(1);

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
    #[error("the agent's engine ended before the answer was complete: run the command again")]
    ServerGone,
    #[error(transparent)]
    Question(#[from] WavError),
    #[error(transparent)]
    Recording(#[from] TimelineError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("cannot hear {input}: {source}")]
    Stream { input: Input, source: RawError },
    #[error(
        "the answer would be written over the question, {output}: name another file for it with \
         --output"
    )]
    SameFile { output: Output },
    #[error("no speech was heard in {input}: {}", no_speech(input, *lasts))]
    NothingHeard {
        input: Input,
        /// Where that is known.
        lasts: Option<Duration>,
    },
    #[error(
        "no words were understood in {input}{cause}; {}, and check that it is spoken in the \
         configured language (`realtime.local.language`)",
        input.remedy()
    )]
    NotUnderstood { input: Input, cause: Cause },
    #[error(
        "{input} was heard, but no spoken answer came{cause}; run the command again, with \
         --captions to see what was understood"
    )]
    Unanswered { input: Input, cause: Cause },
    /// Whoever played the answer has gone.
    #[error("nobody listens any more: what read {output} has closed it, and so the talk has ended")]
    NobodyListens { output: Output },
    #[error("cannot write sound to {output}: {source}; check the player that reads it")]
    Speaker { output: Output, source: io::Error },
    /// Before anything was worth keeping, or twice.
    #[error("interrupted")]
    Stopped(Signal),
    /// The service's own sentence.
    #[error("the conversation failed: {message}")]
    Conversation { message: String },
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    #[error(
        "cannot write the answer to {}: {source}; check that the directory exists, may be written \
         to and has space",
        path.display()
    )]
    AnswerFile { path: PathBuf, source: io::Error },
}

/// Nobody says anything in less.
const SHORTEST_WORD: Duration = Duration::from_millis(300);

fn no_speech(input: &Input, lasts: Option<Duration>) -> String {
    match lasts {
        Some(lasts) if lasts < SHORTEST_WORD => format!("it lasts {:.2} s", lasts.as_secs_f64()),
        Some(_) | None => input.remedy().to_owned(),
    }
}

/// What went wrong before, where that is known: `: the sentence`, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause(pub(crate) Option<String>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl HeadlessError {
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Stopped(Signal::Interrupt) => Exit::Interrupted,
            Self::Stopped(Signal::Terminate) => Exit::Terminated,
            Self::SameFile { .. } => Exit::Misused,
            Self::Refused { .. }
            | Self::Call(_)
            | Self::ServerGone
            | Self::Question(_)
            | Self::Recording(_)
            | Self::Device(_)
            | Self::Stream { .. }
            | Self::NothingHeard { .. }
            | Self::NotUnderstood { .. }
            | Self::Unanswered { .. }
            | Self::NobodyListens { .. }
            | Self::Speaker { .. }
            | Self::Conversation { .. }
            | Self::Output(_)
            | Self::AnswerFile { .. } => Exit::Failed,
        }
    }
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
