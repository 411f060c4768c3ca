//! What happens in a thread, in one numbered order: the bus that clients, the log and replay
//! all read.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::ids::{HandoffId, ItemId, ResponseId, ThreadId, TurnId};
use crate::item::{InputSource, Item, Speaker};
use crate::model::Usage;
use crate::realtime::TranscriptLine;
use crate::thread::{ThreadSettings, TurnStatus};

/// One event of one thread. Shared and immutable: subscribers are cursors into the sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub thread: ThreadId,
    /// From 0, without gaps.
    pub seq: u64,
    pub at: SystemTime,
    pub body: EventBody,
}

#[derive(Debug, Clone, PartialEq)]
pub enum EventBody {
    ThreadStarted {
        settings: ThreadSettings,
    },
    /// Words have come, and the surroundings of the turn that takes them are being read. Its
    /// `TurnStarted` follows.
    TurnPreparing {
        turn: TurnId,
    },
    TurnStarted {
        turn: TurnId,
        source: InputSource,
    },
    ItemStarted {
        turn: TurnId,
        item: Item,
    },
    AgentMessageDelta {
        turn: TurnId,
        item: ItemId,
        delta: String,
    },
    ReasoningDelta {
        turn: TurnId,
        item: ItemId,
        delta: String,
    },
    CommandOutputDelta {
        turn: TurnId,
        item: ItemId,
        delta: String,
    },
    /// Sent after its line was written to the log.
    ItemCompleted {
        turn: TurnId,
        item: Item,
    },
    /// Of the last model call, and of the thread so far.
    TokenUsage {
        turn: TurnId,
        last: Usage,
        total: Usage,
    },
    /// The model failed and is tried again.
    Retrying {
        turn: TurnId,
        message: String,
        attempt: u32,
        wait: Duration,
    },
    TurnCompleted {
        turn: TurnId,
        status: TurnStatus,
    },
    Warning {
        message: String,
    },
    Realtime(RealtimeNotice),
}

/// News of a thread's conversation. Ephemeral, except that whole utterances are kept as
/// [`crate::ItemBody::Spoken`] items.
#[derive(Debug, Clone, PartialEq)]
pub enum RealtimeNotice {
    Started {
        session: Option<String>,
        version: RealtimeVersion,
    },
    /// The service's own JSON, or one of the reference's made-up items.
    ItemAdded {
        raw: String,
    },
    TranscriptDelta {
        speaker: Speaker,
        delta: String,
    },
    TranscriptDone {
        speaker: Speaker,
        text: String,
    },
    Audio {
        item: Option<ItemId>,
        pcm: Arc<[i16]>,
    },
    /// The user began to speak. Clients that know no [`RealtimeNotice::Playback`] stop what sounds.
    SpeechStarted {
        item: Option<ItemId>,
    },
    /// An extension: what is to become of the replies that were sent and have not sounded yet.
    Playback {
        change: PlaybackChange,
    },
    /// The running reply was cut short.
    ResponseCancelled {
        response: Option<ResponseId>,
    },
    Handoff {
        handoff: HandoffId,
        item: ItemId,
        /// The request as the realtime model put it; may be empty.
        text: String,
        /// What was said since the last handoff.
        transcript: Vec<TranscriptLine>,
    },
    Error {
        message: String,
    },
    Closed {
        reason: CloseReason,
    },
    /// An extension: when each stage of a spoken request was reached.
    Stage {
        stage: Stage,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlaybackChange {
    /// Silence, from now on; what has not sounded is kept.
    Held,
    /// It goes on where it was held.
    Resumed,
    /// What has not sounded never will.
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RealtimeVersion {
    V1,
    #[default]
    V2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    Requested,
    TransportClosed,
    Error,
}

/// Stages of a spoken request, in their usual order. Stamped by the event that carries them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    SpeechStarted,
    SpeechStopped,
    /// An utterance was written down, also where no words came of it or it could not be.
    Transcribed,
    HandedOff,
    /// The first delta or tool call of the agent's model.
    FirstToken,
    /// What was handed off came to its end: its turn, or none where it asked for nothing.
    AgentDone,
    /// The first sample of a reply arrived.
    FirstAudio,
    /// A reply has ended, also one that was cut short after some of it had sounded.
    ReplyDone,
    /// A reply came to nothing: it failed, or was cut short before anything sounded.
    ReplyBroken,
}

/// The repository as the agent's tools see it, read once when a turn starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryFacts {
    /// Without links.
    pub root: PathBuf,
    /// The root as it was named, which may be a link: people and models write paths below it.
    pub called: PathBuf,
    pub is_git: bool,
    /// Tracked and unignored files relative to the root with `/`, sorted, bounded.
    pub files: Vec<String>,
    /// What runs the project's tests, found from its manifests; most likely first.
    pub test_commands: Vec<TestCommand>,
    pub branch: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestCommand {
    pub argv: Vec<String>,
    /// Why we think so: the manifest's path.
    pub found_in: String,
}
