//! Everything the server says without being asked, in one table.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::item::ThreadItem;
use crate::realtime::{
    RealtimeClosed, RealtimeError, RealtimeItemAdded, RealtimeOutputAudioDelta, RealtimePlayback,
    RealtimeStage, RealtimeStarted, RealtimeTranscriptDelta, RealtimeTranscriptDone,
};
use crate::rpc::Message;
use crate::thread::{Thread, ThreadStatus, TokenUsage};
use crate::turn::{Turn, TurnError};

macro_rules! notifications {
    ($($name:ident $wire:literal ($params:ty);)*) => {
        #[derive(Debug, Clone, PartialEq)]
        pub enum ServerNotification {
            $($name($params),)*
            /// One that this client does not know, or whose parameters it cannot read.
            Unknown { method: String, params: Value },
        }

        impl ServerNotification {
            pub fn method(&self) -> &str {
                match self {
                    $(Self::$name(_) => $wire,)*
                    Self::Unknown { method, .. } => method,
                }
            }

            /// One line, with the newline that ends it.
            pub fn to_line(&self) -> String {
                match self {
                    $(Self::$name(params) => Message::notification($wire, params),)*
                    Self::Unknown { method, params } => Message::notification(method, params),
                }
            }

            pub fn read(method: String, params: Option<&RawValue>) -> Self {
                let text = params.map_or("{}", RawValue::get);
                let known = match method.as_str() {
                    $($wire => serde_json::from_str(text).ok().map(Self::$name),)*
                    _ => None,
                };
                known.unwrap_or_else(|| Self::Unknown {
                    method,
                    params: serde_json::from_str(text).unwrap_or(Value::Null),
                })
            }
        }
    };
}

notifications! {
    ThreadStarted "thread/started" (ThreadStarted);
    ThreadStatusChanged "thread/status/changed" (ThreadStatusChanged);
    TokenUsageUpdated "thread/tokenUsage/updated" (TokenUsageUpdated);
    TurnStarted "turn/started" (TurnStarted);
    TurnCompleted "turn/completed" (TurnCompleted);
    ItemStarted "item/started" (ItemStarted);
    ItemCompleted "item/completed" (ItemCompleted);
    AgentMessageDelta "item/agentMessage/delta" (AgentMessageDelta);
    ReasoningDelta "item/reasoning/summaryTextDelta" (ReasoningDelta);
    CommandOutputDelta "item/commandExecution/outputDelta" (CommandOutputDelta);
    Error "error" (ErrorNotice);
    Warning "warning" (WarningNotice);
    RealtimeStarted "thread/realtime/started" (RealtimeStarted);
    RealtimeItemAdded "thread/realtime/itemAdded" (RealtimeItemAdded);
    RealtimeTranscriptDelta "thread/realtime/transcript/delta" (RealtimeTranscriptDelta);
    RealtimeTranscriptDone "thread/realtime/transcript/done" (RealtimeTranscriptDone);
    RealtimeOutputAudioDelta "thread/realtime/outputAudio/delta" (RealtimeOutputAudioDelta);
    RealtimeError "thread/realtime/error" (RealtimeError);
    RealtimeClosed "thread/realtime/closed" (RealtimeClosed);
    RealtimeStage "thread/realtime/stage" (RealtimeStage);
    RealtimePlayback "thread/realtime/playback" (RealtimePlayback);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadStarted {
    pub thread: Thread,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadStatusChanged {
    pub thread_id: String,
    pub status: ThreadStatus,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenUsageUpdated {
    pub thread_id: String,
    pub turn_id: String,
    pub token_usage: TokenUsage,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnStarted {
    pub thread_id: String,
    pub turn: Turn,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnCompleted {
    pub thread_id: String,
    pub turn: Turn,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemStarted {
    pub thread_id: String,
    pub turn_id: String,
    pub item: ThreadItem,
    /// Milliseconds since 1970.
    pub started_at_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemCompleted {
    pub thread_id: String,
    pub turn_id: String,
    pub item: ThreadItem,
    /// Milliseconds since 1970.
    pub completed_at_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentMessageDelta {
    pub thread_id: String,
    pub turn_id: String,
    pub item_id: String,
    pub delta: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReasoningDelta {
    pub thread_id: String,
    pub turn_id: String,
    pub item_id: String,
    pub delta: String,
    pub summary_index: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandOutputDelta {
    pub thread_id: String,
    pub turn_id: String,
    pub item_id: String,
    pub delta: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorNotice {
    pub thread_id: String,
    pub turn_id: String,
    pub error: TurnError,
    pub will_retry: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WarningNotice {
    pub thread_id: Option<String>,
    pub message: String,
}
