//! The app-server protocol: JSON-RPC methods, their parameters, notifications, and framing.
//!
//! This door owns its shapes. Above it, and below it, nobody sees JSON: requests arrive as
//! [`ClientRequest`], news leave as [`ServerNotification`], and [`news`] makes the second out
//! of the thread's [`protocol::Event`]s. The shapes are those of the reference's v2 protocol
//! (`docs/app-server.md`), so that its clients work unchanged.
//!
//! Pure: no clock, no socket, no task. The server and the client drive it.

mod account;
mod calls;
mod config;
mod initialize;
mod item;
mod lines;
mod method;
mod model;
mod news;
mod notification;
mod realtime;
mod replay;
mod rpc;
mod thread;
mod turn;

pub use crate::account::{Account, AccountReadParams, AccountReadResult};
pub use crate::calls::Calls;
pub use crate::config::{
    ConfigReadParams, ConfigReadResult, ConfigRequirementsReadResult, EffectiveConfig,
    SkillsListParams, SkillsListResult,
};
pub use crate::initialize::{
    Capabilities, ClientInfo, InitializeParams, InitializeResult, PLAYBACK_EXTENSION,
    REASONS_EXTENSION, STAGES_EXTENSION,
};
pub use crate::item::{
    CommandAction, CommandStatus, FileUpdate, FileUpdateKind, PatchStatus, ThreadItem, ToolOutput,
    ToolStatus, UserInput,
};
pub use crate::lines::{Lines, MAX_LINE_BYTES, TooLong};
pub use crate::method::{ClientRequest, Method, Refusal, methods};
pub use crate::model::{Model, ModelListParams, ModelListResult, ReasoningEffortOption};
pub use crate::news::{Origin, news, thread_item};
pub use crate::notification::{
    AgentMessageDelta, CommandOutputDelta, ErrorNotice, ItemCompleted, ItemStarted, ReasoningDelta,
    ServerNotification, ThreadStarted, ThreadStatusChanged, TokenUsageUpdated, TurnCompleted,
    TurnStarted, WarningNotice,
};
pub use crate::realtime::{
    AudioChunk, AudioShapeError, OutputModality, PlaybackName, RealtimeAppendAudioParams,
    RealtimeAppendTextParams, RealtimeClosed, RealtimeError, RealtimeItemAdded,
    RealtimeListVoicesParams, RealtimeListVoicesResult, RealtimeOutputAudioDelta, RealtimePlayback,
    RealtimePrompt, RealtimeStage, RealtimeStartParams, RealtimeStarted, RealtimeStopParams,
    RealtimeTranscriptDelta, RealtimeTranscriptDone, RealtimeTransport, RealtimeVersionName,
    RealtimeVoices, SpeakerName, StageName,
};
pub use crate::replay::replay;
pub use crate::rpc::{Empty, ErrorObject, Malformed, Message, RequestId, code};
pub use crate::thread::{
    ActiveFlag, ApprovalPolicyName, SandboxModeName, SandboxPolicyShape, Thread,
    ThreadLoadedListParams, ThreadLoadedListResult, ThreadReadParams, ThreadReadResult,
    ThreadResumeParams, ThreadStartParams, ThreadStartResult, ThreadStatus,
    ThreadUnsubscribeParams, ThreadUnsubscribeResult, TokenBreakdown, TokenUsage,
    UnsubscribeStatus, effort_name,
};
pub use crate::turn::{
    Turn, TurnError, TurnInterruptParams, TurnStartParams, TurnStartResult, TurnState,
    TurnSteerParams, TurnSteerResult,
};
