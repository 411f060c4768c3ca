//! Entries of a turn, as clients show them and the log keeps them.

use std::path::PathBuf;
use std::time::Duration;

use crate::ids::{CallId, ItemId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub id: ItemId,
    pub body: ItemBody,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemBody {
    UserMessage {
        text: String,
        source: InputSource,
    },
    AgentMessage {
        text: String,
    },
    Reasoning {
        text: String,
    },
    Command(CommandItem),
    FileChange(FileChangeItem),
    /// A call of one of the typed tools.
    Tool(ToolItem),
    /// Words of the realtime conversation, by either side.
    Spoken {
        speaker: Speaker,
        text: String,
    },
}

/// How a request came in. Spoken words may be misheard, and are never consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InputSource {
    Typed,
    Spoken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Speaker {
    User,
    Assistant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemStatus {
    InProgress,
    Completed,
    Failed,
    /// Refused by policy or sandbox: it never ran.
    Declined,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandItem {
    pub call: CallId,
    /// The script as it was given to the shell.
    pub command: String,
    pub cwd: PathBuf,
    pub status: ItemStatus,
    /// As shells tell it: 128 and its number for a signal. A command that has ended without one
    /// came to no end of its own (a time limit, a stop, nothing to start); the last line of
    /// `output` says why.
    pub exit_code: Option<i32>,
    /// Standard output and error as they came, bounded: the middle may be elided.
    pub output: String,
    pub duration: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChangeItem {
    pub call: CallId,
    pub changes: Vec<FileChange>,
    pub status: ItemStatus,
    /// What the tool told the model, for instance why it was refused.
    pub output: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Relative to the workspace, with `/`.
    pub path: String,
    pub kind: ChangeKind,
    /// Unified diff of this file.
    pub diff: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    Add,
    Delete,
    Update { moved_to: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolItem {
    pub call: CallId,
    pub tool: String,
    /// JSON text, as the model wrote it.
    pub arguments: String,
    pub status: ItemStatus,
    pub result: String,
    pub duration: Option<Duration>,
}
