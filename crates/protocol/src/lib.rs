//! The nouns of Duet: what a thread, a turn, an item and a conversation are made of.
//!
//! Plain data. Nothing here is serialised, decides or acts: every door (wire, app-server,
//! rollout, config) owns its own shapes and converts to these by exhaustive destructuring,
//! so a name can change here without changing a byte on any wire.

mod event;
mod ids;
mod item;
mod model;
mod realtime;
mod schema;
mod thread;
pub mod utterance;

pub use crate::event::{
    CloseReason, Event, EventBody, PlaybackChange, RealtimeNotice, RealtimeVersion,
    RepositoryFacts, Stage, TestCommand,
};
pub use crate::ids::{CallId, HandoffId, ItemId, ResponseId, ThreadId, TurnId};
pub use crate::item::{
    ChangeKind, CommandItem, FileChange, FileChangeItem, InputSource, Item, ItemBody, ItemStatus,
    Speaker, ToolItem,
};
pub use crate::model::{
    ModelError, ModelErrorKind, ModelEvent, ModelItem, ModelRequest, Reasoning, ReasoningEffort,
    ReasoningSummary, Role, ToolCall, ToolChoice, ToolEffect, ToolSpec, Usage,
};
pub use crate::realtime::{
    BargeIn, Fault, FaultKind, Handoff, OWN_SILENCE, RealtimeCommand, RealtimeEvent,
    ResponseOutcome, SessionConfig, SessionMode, TranscriptLine, labels,
};
pub use crate::schema::{Property, Schema};
pub use crate::thread::{
    ApprovalPolicy, SandboxMode, SandboxPolicy, ThreadSettings, TurnFailure, TurnStatus,
};
