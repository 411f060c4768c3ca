//! What the agent asks of a language model and what comes back, whoever runs it.

use std::time::Duration;

use crate::ids::CallId;
use crate::schema::Property;

/// One call of a model. The whole context is in it; dialects that can send less do so
/// behind this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRequest {
    pub instructions: String,
    pub input: Vec<ModelItem>,
    pub tools: Vec<ToolSpec>,
    pub tool_choice: ToolChoice,
    /// Requests with the same key share a prefix (the thread's id).
    pub cache_key: String,
}

/// How hard a reasoning model thinks, and what it tells of it. `None` leaves it to the model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasoning {
    pub effort: Option<ReasoningEffort>,
    pub summary: Option<ReasoningSummary>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningEffort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningSummary {
    Auto,
    Concise,
    Detailed,
}

/// One entry of a model's context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelItem {
    Message {
        role: Role,
        text: String,
    },
    ToolCall(ToolCall),
    ToolOutput {
        call: CallId,
        output: String,
    },
    /// Reasoning that the provider wants back verbatim: JSON text of its own item.
    Reasoning {
        opaque: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Our own sentences, and nothing of anybody else's: they stand above the user's.
    Developer,
    User,
    /// What the repository says, or a voice that was overheard: nobody's wish. It is in a frame
    /// that names where it comes from, and that it cannot close itself.
    Material,
    Assistant,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    pub call: CallId,
    pub name: String,
    /// JSON text. Not trusted to be JSON, nor to fit the tool's schema.
    pub arguments: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolSpec {
    pub name: String,
    pub description: String,
    pub parameters: Vec<Property>,
    pub effect: ToolEffect,
}

/// What a tool may do to the world, at most: what the permission to run it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ToolEffect {
    /// Reads below the workspace, in our own code.
    Reads,
    /// Writes below the workspace, in our own code.
    Writes,
    /// Starts programs that we do not know.
    Runs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ToolChoice {
    /// A tool or a message.
    #[default]
    Auto,
    /// A tool.
    Required,
    /// A message.
    None,
}

/// What a running model call says. A stream of these ends with [`ModelEvent::Completed`],
/// or with a [`ModelError`] in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelEvent {
    /// More of the message that is being written.
    TextDelta {
        delta: String,
    },
    /// The message is complete.
    Message {
        text: String,
    },
    /// A readable summary of reasoning, as it grows.
    ReasoningDelta {
        delta: String,
    },
    /// Reasoning is complete: `summary` for people, `opaque` for the next request.
    Reasoning {
        summary: String,
        opaque: String,
    },
    /// A whole tool call.
    ToolCall(ToolCall),
    Completed {
        usage: Usage,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: u64,
    pub cached_input_tokens: u64,
    pub output_tokens: u64,
    pub reasoning_tokens: u64,
}

/// Why a model call ended without [`ModelEvent::Completed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelError {
    pub kind: ModelErrorKind,
    /// For people: names the provider or the file and says what to do.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelErrorKind {
    /// Worth another try: overload, 5xx, a broken stream. `after` is the service's wish.
    Transient { after: Option<Duration> },
    /// The key is missing or refused.
    Unauthorized,
    /// The context does not fit the model.
    TooLong,
    /// Not worth another try.
    Rejected,
}
