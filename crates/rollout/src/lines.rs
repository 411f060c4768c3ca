//! The shapes of a log's lines, and nothing else knows them: they are a file format, so
//! inside names may change without changing a byte on disk.
//!
//! Types and names are the reference's where it has them (`session_meta`, `turn_context`,
//! `response_item`, `event_msg`); what is ours is said so.

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{
    ApprovalPolicy, CallId, ChangeKind, CommandItem, EventBody, FileChange, FileChangeItem,
    InputSource, Item, ItemBody, ItemId, ItemStatus, ModelItem, Role, SandboxMode, SandboxPolicy,
    Speaker, ToolCall, ToolItem, TurnFailure, TurnId, TurnStatus, Usage,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// One line.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) timestamp: String,
    /// From 0, without gaps.
    pub(crate) ordinal: u64,
    #[serde(flatten)]
    pub(crate) entry: Entry,
}

/// JSON has no bytes. A folder whose name is not UTF-8 reads back as another one; a thread
/// whose log cannot be written would be worse.
fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// One line as it is read: the payload's shape depends on `type`, and types that are not
/// known come from newer versions.
#[derive(Debug, Deserialize)]
pub(crate) struct AnyLine {
    pub(crate) timestamp: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) payload: Value,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", content = "payload", rename_all = "snake_case")]
pub(crate) enum Entry {
    SessionMeta(SessionMeta),
    TurnContext(TurnContext),
    ResponseItem(ResponseItem),
    EventMsg(EventMsg),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SessionMeta {
    pub(crate) id: String,
    pub(crate) timestamp: String,
    #[serde(serialize_with = "lossy")]
    pub(crate) cwd: PathBuf,
    pub(crate) originator: String,
    pub(crate) cli_version: String,
    pub(crate) source: String,
    pub(crate) model_provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) git: Option<Git>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Git {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) branch: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TurnContext {
    pub(crate) turn_id: String,
    #[serde(serialize_with = "lossy")]
    pub(crate) cwd: PathBuf,
    pub(crate) approval_policy: Approval,
    pub(crate) sandbox_policy: Sandbox,
    pub(crate) model: String,
    /// Ours: the reference keeps it in the session's first line only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model_provider: Option<String>,
    #[serde(default)]
    pub(crate) realtime_active: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Approval {
    Untrusted,
    OnFailure,
    OnRequest,
    Never,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum Sandbox {
    ReadOnly {
        #[serde(default)]
        network_access: bool,
    },
    WorkspaceWrite {
        #[serde(default)]
        writable_roots: Vec<PathBuf>,
        #[serde(default)]
        network_access: bool,
    },
    DangerFullAccess,
}

/// Reasoning is not here: it is the provider's own JSON, written and read as it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum KnownItem {
    Message {
        role: MessageRole,
        content: Vec<Content>,
        /// Ours: the service's roles do not tell the user's words from what only travels with
        /// them. Others see words of the user, in a frame.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Origin>,
    },
    FunctionCall {
        name: String,
        arguments: String,
        call_id: String,
    },
    FunctionCallOutput {
        call_id: String,
        output: String,
    },
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum ResponseItem {
    Known(KnownItem),
    Opaque(Value),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    Material,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MessageRole {
    Developer,
    User,
    Assistant,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Content {
    InputText { text: String },
    OutputText { text: String },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum EventMsg {
    TaskStarted {
        turn_id: String,
        source: Source,
    },
    ItemCompleted {
        turn_id: String,
        item: LoggedItem,
    },
    TokenCount {
        turn_id: String,
        info: TokenInfo,
    },
    TaskComplete {
        turn_id: String,
    },
    TurnAborted {
        turn_id: String,
        reason: AbortReason,
    },
    Warning {
        message: String,
    },
    /// Ours: the turn failed.
    TaskFailed {
        turn_id: String,
        message: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AbortReason {
    Interrupted,
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    Typed,
    Spoken,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TokenInfo {
    pub(crate) total_token_usage: Tokens,
    pub(crate) last_token_usage: Tokens,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) input_tokens: u64,
    pub(crate) cached_input_tokens: u64,
    pub(crate) output_tokens: u64,
    #[serde(rename = "reasoning_output_tokens")]
    pub(crate) reasoning_tokens: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum LoggedItem {
    UserMessage {
        id: String,
        content: Vec<Text>,
        source: Source,
    },
    AgentMessage {
        id: String,
        content: Vec<Text>,
    },
    Reasoning {
        id: String,
        summary_text: Vec<String>,
    },
    CommandExecution {
        id: String,
        call_id: String,
        command: String,
        #[serde(serialize_with = "lossy")]
        cwd: PathBuf,
        status: Status,
        exit_code: Option<i32>,
        aggregated_output: String,
        duration_ms: Option<u64>,
    },
    FileChange {
        id: String,
        call_id: String,
        changes: Vec<Change>,
        status: Status,
        output: String,
    },
    /// Ours: one of the typed tools.
    ToolCall {
        id: String,
        call_id: String,
        tool: String,
        arguments: String,
        status: Status,
        result: String,
        duration_ms: Option<u64>,
    },
    /// Ours: words of the realtime conversation.
    Spoken {
        id: String,
        speaker: Voice,
        text: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Text {
    #[serde(rename = "text", alias = "Text")]
    Text { text: String },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    InProgress,
    Completed,
    Failed,
    Declined,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Voice {
    User,
    Assistant,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) diff: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Kind {
    Add,
    Delete,
    Update {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        move_path: Option<String>,
    },
}

/// The line of an event, if it is kept: what grows and what passes is not.
pub(crate) fn event(body: &EventBody) -> Option<EventMsg> {
    let logged = match body {
        EventBody::TurnStarted { turn, source } => {
            EventMsg::TaskStarted { turn_id: turn.to_string(), source: (*source).into() }
        }
        EventBody::ItemCompleted { turn, item } => {
            EventMsg::ItemCompleted { turn_id: turn.to_string(), item: item.into() }
        }
        EventBody::TokenUsage { turn, last, total } => EventMsg::TokenCount {
            turn_id: turn.to_string(),
            info: TokenInfo {
                total_token_usage: (*total).into(),
                last_token_usage: (*last).into(),
            },
        },
        EventBody::TurnCompleted { turn, status } => {
            let turn_id = turn.to_string();
            match status {
                TurnStatus::Completed => EventMsg::TaskComplete { turn_id },
                TurnStatus::Interrupted => {
                    EventMsg::TurnAborted { turn_id, reason: AbortReason::Interrupted }
                }
                TurnStatus::Failed(TurnFailure { message }) => {
                    EventMsg::TaskFailed { turn_id, message: message.clone() }
                }
                TurnStatus::InProgress => return None,
            }
        }
        EventBody::Warning { message } => EventMsg::Warning { message: message.clone() },
        // The first line of the log has what `ThreadStarted` says.
        EventBody::ThreadStarted { .. }
        | EventBody::TurnPreparing { .. }
        | EventBody::ItemStarted { .. }
        | EventBody::AgentMessageDelta { .. }
        | EventBody::ReasoningDelta { .. }
        | EventBody::CommandOutputDelta { .. }
        | EventBody::Retrying { .. }
        | EventBody::Realtime(_) => return None,
    };
    Some(logged)
}

impl From<&ModelItem> for ResponseItem {
    fn from(item: &ModelItem) -> Self {
        match item {
            ModelItem::Message { role, text } => {
                let text = text.clone();
                let origin = match role {
                    Role::Material => Some(Origin::Material),
                    Role::Developer | Role::User | Role::Assistant => None,
                };
                let (role, content) = match role {
                    Role::Developer => (MessageRole::Developer, Content::InputText { text }),
                    Role::User | Role::Material => (MessageRole::User, Content::InputText { text }),
                    Role::Assistant => (MessageRole::Assistant, Content::OutputText { text }),
                };
                Self::Known(KnownItem::Message { role, content: vec![content], origin })
            }
            ModelItem::ToolCall(ToolCall { call, name, arguments }) => {
                Self::Known(KnownItem::FunctionCall {
                    name: name.clone(),
                    arguments: arguments.clone(),
                    call_id: call.to_string(),
                })
            }
            ModelItem::ToolOutput { call, output } => Self::Known(KnownItem::FunctionCallOutput {
                call_id: call.to_string(),
                output: output.clone(),
            }),
            ModelItem::Reasoning { opaque } => Self::Opaque(
                serde_json::from_str(opaque)
                    .ok()
                    .filter(Value::is_object)
                    .unwrap_or_else(|| serde_json::json!({ "type": "reasoning", "text": opaque })),
            ),
        }
    }
}

/// `None` for items of kinds that only newer versions know.
pub(crate) fn model_item(payload: Value) -> Option<ModelItem> {
    if payload.get("type").and_then(Value::as_str) == Some("reasoning") {
        return Some(ModelItem::Reasoning { opaque: payload.to_string() });
    }
    let item = match serde_json::from_value(payload).ok()? {
        KnownItem::Message { role, content, origin } => {
            let texts = content.into_iter().map(|content| match content {
                Content::InputText { text } | Content::OutputText { text } => text,
            });
            let role = match (role, origin) {
                (_, Some(Origin::Material)) => Role::Material,
                (MessageRole::Developer, None) => Role::Developer,
                (MessageRole::User, None) => Role::User,
                (MessageRole::Assistant, None) => Role::Assistant,
            };
            ModelItem::Message { role, text: texts.collect::<Vec<_>>().join("\n") }
        }
        KnownItem::FunctionCall { name, arguments, call_id } => {
            ModelItem::ToolCall(ToolCall { call: CallId::new(call_id), name, arguments })
        }
        KnownItem::FunctionCallOutput { call_id, output } => {
            ModelItem::ToolOutput { call: CallId::new(call_id), output }
        }
    };
    Some(item)
}

impl From<&Item> for LoggedItem {
    fn from(Item { id, body }: &Item) -> Self {
        let id = id.to_string();
        match body {
            ItemBody::UserMessage { text, source } => {
                Self::UserMessage { id, content: texts(text), source: (*source).into() }
            }
            ItemBody::AgentMessage { text } => Self::AgentMessage { id, content: texts(text) },
            ItemBody::Reasoning { text } => {
                Self::Reasoning { id, summary_text: vec![text.clone()] }
            }
            ItemBody::Command(CommandItem {
                call,
                command,
                cwd,
                status,
                exit_code,
                output,
                duration,
            }) => Self::CommandExecution {
                id,
                call_id: call.to_string(),
                command: command.clone(),
                cwd: cwd.clone(),
                status: (*status).into(),
                exit_code: *exit_code,
                aggregated_output: output.clone(),
                duration_ms: duration.map(millis),
            },
            ItemBody::FileChange(FileChangeItem { call, changes, status, output }) => {
                Self::FileChange {
                    id,
                    call_id: call.to_string(),
                    changes: changes.iter().map(Change::from).collect(),
                    status: (*status).into(),
                    output: output.clone(),
                }
            }
            ItemBody::Tool(ToolItem { call, tool, arguments, status, result, duration }) => {
                Self::ToolCall {
                    id,
                    call_id: call.to_string(),
                    tool: tool.clone(),
                    arguments: arguments.clone(),
                    status: (*status).into(),
                    result: result.clone(),
                    duration_ms: duration.map(millis),
                }
            }
            ItemBody::Spoken { speaker, text } => {
                let speaker = match speaker {
                    Speaker::User => Voice::User,
                    Speaker::Assistant => Voice::Assistant,
                };
                Self::Spoken { id, speaker, text: text.clone() }
            }
        }
    }
}

impl From<LoggedItem> for Item {
    fn from(item: LoggedItem) -> Self {
        let (id, body) = match item {
            LoggedItem::UserMessage { id, content, source } => {
                (id, ItemBody::UserMessage { text: joined(content), source: source.into() })
            }
            LoggedItem::AgentMessage { id, content } => {
                (id, ItemBody::AgentMessage { text: joined(content) })
            }
            LoggedItem::Reasoning { id, summary_text } => {
                (id, ItemBody::Reasoning { text: summary_text.join("\n") })
            }
            LoggedItem::CommandExecution {
                id,
                call_id,
                command,
                cwd,
                status,
                exit_code,
                aggregated_output,
                duration_ms,
            } => {
                let command = CommandItem {
                    call: CallId::new(call_id),
                    command,
                    cwd,
                    status: status.into(),
                    exit_code,
                    output: aggregated_output,
                    duration: duration_ms.map(Duration::from_millis),
                };
                (id, ItemBody::Command(command))
            }
            LoggedItem::FileChange { id, call_id, changes, status, output } => {
                let change = FileChangeItem {
                    call: CallId::new(call_id),
                    changes: changes.into_iter().map(FileChange::from).collect(),
                    status: status.into(),
                    output,
                };
                (id, ItemBody::FileChange(change))
            }
            LoggedItem::ToolCall { id, call_id, tool, arguments, status, result, duration_ms } => {
                let tool = ToolItem {
                    call: CallId::new(call_id),
                    tool,
                    arguments,
                    status: status.into(),
                    result,
                    duration: duration_ms.map(Duration::from_millis),
                };
                (id, ItemBody::Tool(tool))
            }
            LoggedItem::Spoken { id, speaker, text } => {
                let speaker = match speaker {
                    Voice::User => Speaker::User,
                    Voice::Assistant => Speaker::Assistant,
                };
                (id, ItemBody::Spoken { speaker, text })
            }
        };
        Self { id: ItemId::new(id), body }
    }
}

impl TurnContext {
    pub(crate) fn new(context: &crate::TurnContext) -> Self {
        let crate::TurnContext {
            turn,
            cwd,
            approval_policy,
            sandbox,
            model,
            model_provider,
            realtime_active,
        } = context;
        Self {
            turn_id: turn.to_string(),
            cwd: cwd.clone(),
            approval_policy: match approval_policy {
                ApprovalPolicy::Untrusted => Approval::Untrusted,
                ApprovalPolicy::OnFailure => Approval::OnFailure,
                ApprovalPolicy::OnRequest => Approval::OnRequest,
                ApprovalPolicy::Never => Approval::Never,
            },
            sandbox_policy: sandbox.into(),
            model: model.clone(),
            model_provider: Some(model_provider.clone()),
            realtime_active: *realtime_active,
        }
    }

    /// `provider` is the session's, for lines that do not name one.
    pub(crate) fn into_context(self, provider: &str) -> crate::TurnContext {
        let Self {
            turn_id,
            cwd,
            approval_policy,
            sandbox_policy,
            model,
            model_provider,
            realtime_active,
        } = self;
        crate::TurnContext {
            turn: TurnId::new(turn_id),
            cwd,
            approval_policy: match approval_policy {
                Approval::Untrusted => ApprovalPolicy::Untrusted,
                Approval::OnFailure => ApprovalPolicy::OnFailure,
                Approval::OnRequest => ApprovalPolicy::OnRequest,
                Approval::Never => ApprovalPolicy::Never,
            },
            sandbox: sandbox_policy.into(),
            model,
            model_provider: model_provider.unwrap_or_else(|| provider.to_owned()),
            realtime_active,
        }
    }
}

impl From<&SandboxPolicy> for Sandbox {
    fn from(SandboxPolicy { mode, writable_roots, network }: &SandboxPolicy) -> Self {
        match mode {
            SandboxMode::ReadOnly => Self::ReadOnly { network_access: *network },
            SandboxMode::WorkspaceWrite => Self::WorkspaceWrite {
                writable_roots: writable_roots.clone(),
                network_access: *network,
            },
            SandboxMode::DangerFullAccess => Self::DangerFullAccess,
        }
    }
}

impl From<Sandbox> for SandboxPolicy {
    fn from(sandbox: Sandbox) -> Self {
        let (mode, writable_roots, network) = match sandbox {
            Sandbox::ReadOnly { network_access } => {
                (SandboxMode::ReadOnly, Vec::new(), network_access)
            }
            Sandbox::WorkspaceWrite { writable_roots, network_access } => {
                (SandboxMode::WorkspaceWrite, writable_roots, network_access)
            }
            Sandbox::DangerFullAccess => (SandboxMode::DangerFullAccess, Vec::new(), true),
        };
        Self { mode, writable_roots, network }
    }
}

impl From<&FileChange> for Change {
    fn from(FileChange { path, kind, diff }: &FileChange) -> Self {
        let kind = match kind {
            ChangeKind::Add => Kind::Add,
            ChangeKind::Delete => Kind::Delete,
            ChangeKind::Update { moved_to } => Kind::Update { move_path: moved_to.clone() },
        };
        Self { path: path.clone(), kind, diff: diff.clone() }
    }
}

impl From<Change> for FileChange {
    fn from(Change { path, kind, diff }: Change) -> Self {
        let kind = match kind {
            Kind::Add => ChangeKind::Add,
            Kind::Delete => ChangeKind::Delete,
            Kind::Update { move_path } => ChangeKind::Update { moved_to: move_path },
        };
        Self { path, kind, diff }
    }
}

impl From<ItemStatus> for Status {
    fn from(status: ItemStatus) -> Self {
        match status {
            ItemStatus::InProgress => Self::InProgress,
            ItemStatus::Completed => Self::Completed,
            ItemStatus::Failed => Self::Failed,
            ItemStatus::Declined => Self::Declined,
        }
    }
}

impl From<Status> for ItemStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::InProgress => Self::InProgress,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Declined => Self::Declined,
        }
    }
}

impl From<InputSource> for Source {
    fn from(source: InputSource) -> Self {
        match source {
            InputSource::Typed => Self::Typed,
            InputSource::Spoken => Self::Spoken,
        }
    }
}

impl From<Source> for InputSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Typed => Self::Typed,
            Source::Spoken => Self::Spoken,
        }
    }
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        let Usage { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens } = usage;
        Self { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens }
    }
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        let Tokens { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens } = tokens;
        Self { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens }
    }
}

fn texts(text: &str) -> Vec<Text> {
    vec![Text::Text { text: text.to_owned() }]
}

fn joined(content: Vec<Text>) -> String {
    let texts = content.into_iter().map(|Text::Text { text }| text);
    texts.collect::<Vec<_>>().join("\n")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
