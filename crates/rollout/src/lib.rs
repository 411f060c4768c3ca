//! The durable log of threads: one append-only file of JSON lines per thread.
//!
//! Invariants:
//! * A line is whole or it is not there: what a crash or a full disk tore off is left out
//!   when reading and cut off before writing on.
//! * One writer per file, also across processes.
//! * What could not be written is kept in memory and written when it can be; the order of
//!   lines never changes.
//!
//! Everything here blocks. [`Writer::append`] only copies to the page cache; what waits for
//! the disk is a [`Syncer`], made to be carried to a thread where waiting is fine.

mod lines;
mod replay;
mod store;
mod writer;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use protocol::{
    ApprovalPolicy, EventBody, InputSource, Item, ModelItem, SandboxPolicy, ThreadId, TurnId,
    TurnStatus, Usage,
};

pub use crate::store::Store;
pub use crate::writer::{Syncer, Writer};

/// Lines written within this time share one sync: power loss takes at most this much.
pub const SYNC_WITHIN: Duration = Duration::from_millis(20);

/// What the first line says about a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    pub thread: ThreadId,
    pub at: SystemTime,
    pub cwd: PathBuf,
    /// The program that asked for the thread.
    pub originator: String,
    /// Our version.
    pub version: String,
    /// What kind of client it is: `exec`, `talk`, `app-server`.
    pub source: String,
    pub model_provider: String,
    pub branch: Option<String>,
}

/// What a turn runs under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnContext {
    pub turn: TurnId,
    pub cwd: PathBuf,
    pub approval_policy: ApprovalPolicy,
    pub sandbox: SandboxPolicy,
    pub model: String,
    pub model_provider: String,
    /// Whether a realtime conversation was running.
    pub realtime_active: bool,
}

/// A thread as its log tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    pub path: PathBuf,
    pub meta: Meta,
    /// Of the last turn.
    pub context: Option<TurnContext>,
    /// The model's context. Calls that a crash left open are still open in it.
    pub history: Vec<ModelItem>,
    pub turns: Vec<Turn>,
    /// Items that belong to no turn: what was spoken between them.
    pub between: Vec<Item>,
    pub usage: Usage,
    /// Lines that could not be understood, a torn last one not counted.
    pub skipped: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub id: TurnId,
    pub source: InputSource,
    pub at: SystemTime,
    /// `InProgress` when the log ends before the turn does.
    pub status: TurnStatus,
    pub ended_at: Option<SystemTime>,
    pub items: Vec<Item>,
}

/// A thread in the list of threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub path: PathBuf,
    pub meta: Meta,
    /// When its last line was written.
    pub updated: SystemTime,
    /// The first words of the user.
    pub preview: String,
}

/// Whether an event has a line in the log.
pub fn is_kept(body: &EventBody) -> bool {
    lines::event(body).is_some()
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no thread {thread} below {}", .sessions.display())]
    Unknown { thread: ThreadId, sessions: PathBuf },
    #[error("{} is in use by another duet process; close the thread there first", .path.display())]
    InUse { path: PathBuf },
    #[error("{} is not a thread's log: {why}", .path.display())]
    NotALog { path: PathBuf, why: String },
    #[error("cannot read {}: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The lines are kept, and written with the next ones.
    #[error(
        "cannot write {}: {source}; the thread goes on in memory until it can be written",
        .path.display()
    )]
    Write { path: PathBuf, source: io::Error },
}
