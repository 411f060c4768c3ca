//! How a client opens a conversation.

use protocol::{RealtimeVersion, SessionMode};
use thread::Prompt;

/// What a client asks of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealtimeStart {
    /// Told to clients and sent to the service; the thread's id where it is `None`.
    pub session_id: Option<String>,
    pub version: RealtimeVersion,
    pub mode: SessionMode,
    pub voice: String,
    pub prompt: Prompt,
    /// In place of what the thread itself would tell the voice model; empty for nothing.
    pub context: Option<String>,
}
