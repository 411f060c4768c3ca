//! One JSON event per line, in the shapes that programs around the reference's `exec` read
//! (`docs/exec.md`). Written for them: nothing here is read back by us.

use std::collections::HashMap;
use std::io;

use app_server_protocol::{
    CommandStatus, FileUpdateKind, PatchStatus, ThreadItem, ThreadStartResult, TokenBreakdown,
    ToolOutput, ToolStatus, Turn, TurnState,
};
use serde::Serialize;
use serde_json::Value;

use super::{Progress, View};
use crate::console::Console;

/// What typed tools are shown as: calls of a server of this name, since the shape has no
/// other place for a tool.
const OWN_TOOLS: &str = "duet";

pub(super) struct Jsonl {
    console: Console,
    usage: Option<TokenBreakdown>,
    /// The protocol's item ids, as `item_0`, `item_1` ... in order of appearance.
    names: HashMap<String, String>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Event<'a> {
    #[serde(rename = "thread.started")]
    ThreadStarted { thread_id: &'a str },
    #[serde(rename = "turn.started")]
    TurnStarted {},
    #[serde(rename = "item.started")]
    ItemStarted { item: Item<'a> },
    #[serde(rename = "item.completed")]
    ItemCompleted { item: Item<'a> },
    #[serde(rename = "turn.completed")]
    TurnCompleted { usage: Usage },
    #[serde(rename = "turn.failed")]
    TurnFailed { error: Failure<'a> },
    #[serde(rename = "error")]
    Error { message: &'a str },
}

#[derive(Serialize)]
struct Failure<'a> {
    message: &'a str,
}

#[derive(Default, Serialize)]
struct Usage {
    input_tokens: u64,
    cached_input_tokens: u64,
    output_tokens: u64,
    reasoning_output_tokens: u64,
}

#[derive(Serialize)]
struct Item<'a> {
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

impl Jsonl {
    pub(super) fn new(console: Console) -> Self {
        Self { console, usage: None, names: HashMap::new() }
    }

    fn say(&mut self, event: &Event<'_>) -> io::Result<()> {
        let line = serde_json::to_string(event)?;
        self.console.answer(&line)
    }

    /// `None` for items that this format does not show.
    fn item<'a>(&mut self, item: &'a ThreadItem) -> Option<Item<'a>> {
        let (id, body) = body(item)?;
        let next = self.names.len();
        let id = self.names.entry(id.to_owned()).or_insert_with(|| format!("item_{next}")).clone();
        Some(Item { id, body })
    }
}

impl View for Jsonl {
    fn started(&mut self, thread: &ThreadStartResult, _prompt: &str) -> io::Result<()> {
        self.say(&Event::ThreadStarted { thread_id: &thread.thread.id })
    }

    fn progress(&mut self, progress: &Progress<'_>) -> io::Result<()> {
        match progress {
            Progress::TurnStarted => self.say(&Event::TurnStarted {}),
            Progress::ItemStarted(item) => match self.item(item) {
                // Texts are shown whole, when they are.
                Some(Item { body: Body::AgentMessage { .. } | Body::Reasoning { .. }, .. })
                | None => Ok(()),
                Some(item) => self.say(&Event::ItemStarted { item }),
            },
            Progress::ItemCompleted(item) => match self.item(item) {
                Some(item) => self.say(&Event::ItemCompleted { item }),
                None => Ok(()),
            },
            Progress::Retrying(message) | Progress::Failing(message) => {
                self.say(&Event::Error { message })
            }
            Progress::Warning(message) => self.console.note(format_args!("warning: {message}")),
            Progress::Usage(usage) => {
                self.usage = Some(*usage);
                Ok(())
            }
        }
    }

    fn ended(&mut self, turn: &Turn) -> io::Result<()> {
        let failure = match turn.status {
            TurnState::Completed => None,
            TurnState::Failed => Some(turn.error.as_ref().map_or("failed", |it| &it.message)),
            TurnState::Interrupted | TurnState::InProgress => Some("interrupted"),
        };
        match failure {
            Some(message) => self.say(&Event::TurnFailed { error: Failure { message } }),
            None => {
                let usage = self.usage.map(Usage::from).unwrap_or_default();
                self.say(&Event::TurnCompleted { usage })
            }
        }
    }
}

impl From<TokenBreakdown> for Usage {
    fn from(tokens: TokenBreakdown) -> Self {
        let TokenBreakdown {
            total_tokens: _,
            input_tokens,
            cached_input_tokens,
            output_tokens,
            reasoning_output_tokens,
        } = tokens;
        Self { input_tokens, cached_input_tokens, output_tokens, reasoning_output_tokens }
    }
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
        ThreadItem::FileChange { id, changes, status } => {
            let changes = changes
                .iter()
                .map(|change| Change {
                    path: &change.path,
                    kind: match change.kind {
                        FileUpdateKind::Add => "add",
                        FileUpdateKind::Delete => "delete",
                        FileUpdateKind::Update { .. } => "update",
                    },
                })
                .collect();
            let status = match status {
                PatchStatus::InProgress => "in_progress",
                PatchStatus::Completed => "completed",
                PatchStatus::Failed | PatchStatus::Declined => "failed",
            };
            (id, Body::FileChange { changes, status })
        }
        ThreadItem::DynamicToolCall {
            id,
            namespace: _,
            tool,
            arguments,
            status,
            content_items,
            success: _,
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
                    ("failed", None, Some(Failure { message }))
                }
            };
            (id, Body::McpToolCall { server: OWN_TOOLS, tool, arguments, result, error, status })
        }
    })
}
