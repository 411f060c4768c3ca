//! Entries of a turn, as clients show them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The kinds that we produce. A client of ours that meets another kind sees the whole
/// notification as unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ThreadItem {
    UserMessage {
        id: String,
        content: Vec<UserInput>,
    },
    AgentMessage {
        id: String,
        text: String,
    },
    Reasoning {
        id: String,
        summary: Vec<String>,
        content: Vec<String>,
    },
    CommandExecution {
        id: String,
        command: String,
        cwd: String,
        status: CommandStatus,
        command_actions: Vec<CommandAction>,
        aggregated_output: Option<String>,
        /// `None` for a command that has not ended, and for one that came to no end of its own;
        /// then the last line of `aggregated_output` says why.
        exit_code: Option<i32>,
        duration_ms: Option<u64>,
    },
    FileChange {
        id: String,
        changes: Vec<FileUpdate>,
        status: PatchStatus,
        /// Why nothing was changed, of one that failed or was refused. The reference's item has
        /// no such member: see [`crate::REASONS_EXTENSION`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A call of one of our typed tools: the shape that clients know for a tool that is
    /// neither a command nor a patch.
    DynamicToolCall {
        id: String,
        namespace: Option<String>,
        tool: String,
        arguments: Value,
        status: ToolStatus,
        content_items: Option<Vec<ToolOutput>>,
        /// `None` for a call that has not ended, and for one that was refused: it never ran.
        success: Option<bool>,
        duration_ms: Option<u64>,
    },
}

/// What a person gives to a turn. Only text is taken so far; the rest is named to be refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum UserInput {
    Text {
        text: String,
    },
    Image {},
    LocalImage {},
    Audio {},
    LocalAudio {},
    Skill {},
    Mention {},
    /// Of a newer client.
    #[serde(other)]
    Unknown,
}

impl UserInput {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CommandStatus {
    InProgress,
    Completed,
    Failed,
    Declined,
}

/// What a command does, where that is known. We do not guess: the whole of it is `unknown`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum CommandAction {
    Unknown { command: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileUpdate {
    pub path: String,
    pub kind: FileUpdateKind,
    pub diff: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum FileUpdateKind {
    Add,
    Delete,
    /// `move_path` is the one name in the reference's items that is not camelCase.
    Update {
        move_path: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PatchStatus {
    InProgress,
    Completed,
    Failed,
    Declined,
}

/// There is no `declined` here: a refused call has failed without `success`, and its output
/// says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ToolStatus {
    InProgress,
    Completed,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ToolOutput {
    InputText { text: String },
}
