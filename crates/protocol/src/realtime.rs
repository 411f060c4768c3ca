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
    pub barge_in: BargeIn,
}

/// What becomes of a reply when somebody speaks over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BargeIn {
    /// The service ends it as soon as it hears a voice, whatever that says.
    ByService,
    /// It is held, and ended by us once it is sure that somebody wants the floor: after a cough
    /// or an "uh-huh" it goes on.
    Weighed,
}

/// Silence after which our own voice takes the turn: a little longer than speakers pause inside a
/// sentence, 19 verdicts on speech.
pub const OWN_SILENCE: Duration = Duration::from_millis(608);

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

/// What stands in front of texts that are about the work, so that whoever reads them as messages
/// of the user can tell them from requests. Written by the codec, known to our own voice.
pub mod labels {
    /// A final answer: the reference's words, byte for byte.
    pub const ANSWER: &str = "\"Agent Final Message\":\n\n";

    /// News of running work: neither the user's words nor the result.
    pub const PROGRESS: &str = "Update from background agent (task hasn't finished yet):\n\n";

    /// What the user typed to the agent: it must not be handed over once more.
    pub const MIRRORED: &str =
        "Typed by the user to the background agent, which has it already:\n\n";

    /// Answers, whole, to a request that went to work that goes on: our own voice has said as much
    /// when it passed it on.
    pub const STEERED: &str =
        "Passed on to the task that is already running. Its result will follow when it is done.";
    pub const STOPPING: &str = "The running task is being stopped.";
}

/// To the realtime service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealtimeCommand {
    UpdateSession(SessionConfig),
    AppendAudio {
        pcm: Vec<i16>,
    },
    /// Text of the client, for the model to know.
    Text {
        text: String,
    },
    /// What the user typed to the agent, for the model to know.
    Mirror {
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
