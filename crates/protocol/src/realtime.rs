//! A realtime conversation's events and commands, free of any dialect.
//!
//! Sound is 24 kHz mono PCM16 here; other shapes end at the doors.

use std::time::Duration;

use crate::ids::{HandoffId, ItemId, ResponseId};
use crate::item::Speaker;

/// What the session asks of the service when it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    pub mode: SessionMode,
    pub instructions: String,
    pub voice: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionMode {
    Conversational,
    Transcription,
}

/// From the realtime service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealtimeEvent {
    SessionCreated {
        session: Option<String>,
    },
    SessionUpdated {
        session: Option<String>,
    },
    SpeechStarted {
        item: Option<ItemId>,
    },
    SpeechStopped {
        item: Option<ItemId>,
    },
    InputTranscriptDelta {
        item: Option<ItemId>,
        delta: String,
    },
    /// The whole utterance. Some services send this without deltas.
    InputTranscript {
        item: Option<ItemId>,
        text: String,
    },
    InputTranscriptFailed {
        item: Option<ItemId>,
        message: String,
    },
    ResponseCreated {
        response: Option<ResponseId>,
    },
    OutputTranscriptDelta {
        item: Option<ItemId>,
        delta: String,
    },
    OutputTranscript {
        item: Option<ItemId>,
        text: String,
    },
    Audio {
        item: Option<ItemId>,
        pcm: Vec<i16>,
    },
    ResponseDone {
        response: Option<ResponseId>,
        outcome: ResponseOutcome,
        /// Why it did not complete, as the service says it.
        problem: Option<String>,
    },
    /// `raw` is the service's own JSON, passed through to clients.
    ItemAdded {
        item: Option<ItemId>,
        raw: String,
    },
    ItemDone {
        item: Option<ItemId>,
    },
    HandoffRequested(Handoff),
    Fault(Fault),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseOutcome {
    Completed,
    Cancelled,
    Incomplete,
    Failed,
}

/// The realtime model asks for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handoff {
    pub id: HandoffId,
    pub item: ItemId,
    /// The request as the realtime model put it; may be empty.
    pub input: String,
    /// What the service itself attached, in order.
    pub messages: Vec<TranscriptLine>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptLine {
    pub speaker: Speaker,
    pub text: String,
}

/// An `error` event, sorted by its code in the codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// A response was already running when we asked for one: ask again when it is done.
    ResponseActive,
    /// Nothing was running when we cancelled. Harmless.
    NothingToCancel,
    /// One command was refused (an unknown item, a bad value). The session lives.
    Refused,
    /// The session cannot go on.
    Fatal,
}

/// To the realtime service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealtimeCommand {
    UpdateSession(SessionConfig),
    AppendAudio {
        pcm: Vec<i16>,
    },
    /// Words of the user that were typed, or text for the model to know.
    Text {
        text: String,
    },
    /// News of running work; never asks for speech by itself.
    Progress {
        handoff: HandoffId,
        text: String,
    },
    /// The answer to a handoff. `is_final` is false for "I passed it on".
    HandoffOutput {
        handoff: HandoffId,
        text: String,
        is_final: bool,
    },
    CreateResponse,
    CancelResponse,
    Truncate {
        item: ItemId,
        heard: Duration,
    },
}
