//! Items in the JSON that programs around the reference's `exec` read.

use std::collections::HashMap;

use app_server_protocol::{
    CommandStatus, FileUpdateKind, PatchStatus, ThreadItem, ToolOutput, ToolStatus,
};
use serde::Serialize;
use serde_json::Value;

/// What typed tools are shown as: calls of a server of this name, since the shape has no
/// other place for a tool.
const OWN_TOOLS: &str = "duet";

/// The protocol's item ids, as `item_0`, `item_1` ... in order of appearance.
#[derive(Debug, Default)]
pub(crate) struct ItemNames(HashMap<String, String>);

impl ItemNames {
    /// `None` for items that are not shown: what the user said is known to whoever said it.
    pub(crate) fn item<'a>(&mut self, item: &'a ThreadItem) -> Option<Item<'a>> {
        let (id, body) = body(item)?;
        let next = self.0.len();
        let id = self.0.entry(id.to_owned()).or_insert_with(|| format!("item_{next}")).clone();
        Some(Item { id, body })
    }
}

/// Texts are shown once, when they are whole.
pub(crate) fn is_text(item: &ThreadItem) -> bool {
    match item {
        ThreadItem::UserMessage { .. }
        | ThreadItem::AgentMessage { .. }
        | ThreadItem::Reasoning { .. } => true,
        ThreadItem::CommandExecution { .. }
        | ThreadItem::FileChange { .. }
        | ThreadItem::DynamicToolCall { .. } => false,
    }
}

/// An item as it is written.
#[derive(Serialize)]
pub(crate) struct Item<'a> {
    id: String,
    #[serde(flatten)]
    body: Body<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Body<'a> {
    AgentMessage {
        text: &'a str,
    },
    Reasoning {
        text: String,
    },
    CommandExecution {
        command: &'a str,
        aggregated_output: &'a str,
        exit_code: Option<i32>,
        status: &'a str,
    },
    FileChange {
        changes: Vec<Change<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Failure<'a>>,
        status: &'a str,
    },
    McpToolCall {
        server: &'a str,
        tool: &'a str,
        arguments: &'a Value,
        result: Option<ToolResult<'a>>,
        error: Option<Failure<'a>>,
        status: &'a str,
    },
}

#[derive(Serialize)]
struct Change<'a> {
    path: &'a str,
    kind: &'a str,
    /// Known when it was made.
    #[serde(skip_serializing_if = "str::is_empty")]
    diff: &'a str,
}

#[derive(Serialize)]
struct ToolResult<'a> {
    content: Vec<Content<'a>>,
    structured_content: Option<Value>,
}

#[derive(Serialize)]
struct Content<'a> {
    r#type: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct Failure<'a> {
    message: &'a str,
}

fn body(item: &ThreadItem) -> Option<(&str, Body<'_>)> {
    Some(match item {
        ThreadItem::UserMessage { .. } => return None,
        ThreadItem::AgentMessage { id, text } => (id, Body::AgentMessage { text }),
        ThreadItem::Reasoning { id, summary, content: _ } => {
            (id, Body::Reasoning { text: summary.join("\n") })
        }
        ThreadItem::CommandExecution {
            id,
            command,
            cwd: _,
            status,
            command_actions: _,
            aggregated_output,
            exit_code,
            duration_ms: _,
        } => {
            let status = match status {
                CommandStatus::InProgress => "in_progress",
                CommandStatus::Completed => "completed",
                CommandStatus::Failed => "failed",
                CommandStatus::Declined => "declined",
            };
            let aggregated_output = aggregated_output.as_deref().unwrap_or_default();
            let exit_code = *exit_code;
            (id, Body::CommandExecution { command, aggregated_output, exit_code, status })
        }
        ThreadItem::FileChange { id, changes, status, reason } => {
            let changes = changes
                .iter()
                .map(|change| Change {
                    path: &change.path,
                    kind: match change.kind {
                        FileUpdateKind::Add => "add",
                        FileUpdateKind::Delete => "delete",
                        FileUpdateKind::Update { .. } => "update",
                    },
                    diff: &change.diff,
                })
                .collect();
            let status = match status {
                PatchStatus::InProgress => "in_progress",
                PatchStatus::Completed => "completed",
                PatchStatus::Failed | PatchStatus::Declined => "failed",
            };
            let error = reason.as_deref().map(|message| Failure { message });
            (id, Body::FileChange { changes, error, status })
        }
        ThreadItem::DynamicToolCall {
            id,
            namespace: _,
            tool,
            arguments,
            status,
            content_items,
            success,
            duration_ms: _,
        } => {
            let texts: Vec<&str> = content_items
                .iter()
                .flatten()
                .map(|ToolOutput::InputText { text }| text.as_str())
                .collect();
            let (status, result, error) = match status {
                ToolStatus::InProgress => ("in_progress", None, None),
                ToolStatus::Completed => {
                    let content =
                        texts.iter().map(|text| Content { r#type: "text", text }).collect();
                    ("completed", Some(ToolResult { content, structured_content: None }), None)
                }
                ToolStatus::Failed => {
                    let message = texts.first().copied().unwrap_or("failed");
                    // The protocol has no other sign of a call that was refused.
                    let status = if success.is_none() { "declined" } else { "failed" };
                    (status, None, Some(Failure { message }))
                }
            };
            (id, Body::McpToolCall { server: OWN_TOOLS, tool, arguments, result, error, status })
        }
    })
}
