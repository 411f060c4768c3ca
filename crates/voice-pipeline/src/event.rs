//! What goes into the pipeline and what comes out.

use std::sync::Arc;

use protocol::{CallId, ItemId, ModelRequest, ResponseId};

use crate::item::{Item, NewItem, Place};
use crate::settings::{Audience, Look, Metadata, Modality, ResponseRequest, Settings};

/// What happened outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A client's event, and the id by which a refusal answers it.
    Client { event_id: Option<String>, event: ClientEvent },
    /// Sound was appended: 24 kHz mono PCM16. The clock moves by it.
    Audio { pcm: Vec<i16> },
    /// How likely speech is in each of the next frames of 32 ms, in order and without gaps.
    Voice { probabilities: Vec<f32> },
    /// Nobody listens for speech any more: only a client that commits by itself can go on
    /// ([`crate::Pipeline::lost`]).
    VoiceLost { message: String },
    /// News of a job. What belongs to no running job is passed over.
    Job { epoch: Epoch, news: JobNews },
}

#[derive(Debug, Clone, PartialEq)]
pub enum ClientEvent {
    /// The settings in force from now on, whole.
    Configure(Box<Settings>),
    CommitAudio,
    ClearAudio,
    CreateItem {
        item: NewItem,
        place: Place,
    },
    RetrieveItem {
        item: ItemId,
    },
    TruncateItem {
        item: ItemId,
        content_index: u32,
        audio_end_ms: u64,
    },
    DeleteItem {
        item: ItemId,
    },
    CreateResponse(Box<ResponseRequest>),
    CancelResponse {
        response: Option<ResponseId>,
    },
    ClearOutputAudio,
}

/// Names one job; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Work for a model. Sound is 24 kHz mono PCM16.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Answered by [`JobNews::EndOfTurn`].
    CheckEndOfTurn { pcm: Arc<[i16]> },
    /// At most 30 s. Answered by [`JobNews::Transcript`].
    Transcribe { pcm: Arc<[i16]>, language: Option<String>, vocabulary: String },
    /// What somebody wants who says this while work goes on. Answered by [`JobNews::Routed`].
    Route { words: String },
    /// [`JobNews::Text`] and [`JobNews::Call`] as they come, then [`JobNews::Done`].
    Reply { request: Box<ModelRequest> },
    /// [`JobNews::Sound`] as it comes, then [`JobNews::Done`].
    Speak { text: String, speed: f32 },
}

#[derive(Debug, Clone, PartialEq)]
pub enum JobNews {
    EndOfTurn {
        probability: f32,
    },
    Transcript {
        text: String,
        /// Mean natural logarithm of the words' probabilities.
        log_probability: f32,
        /// How likely it is that nobody spoke, from 0 to 1.
        no_speech: f32,
    },
    Routed {
        route: Route,
    },
    Text {
        delta: String,
    },
    Call {
        name: String,
        arguments: String,
    },
    Sound {
        pcm: Vec<i16>,
    },
    Done,
    /// The job is over. The message names the cause and the remedy.
    Failed {
        message: String,
    },
}

/// What somebody wants who speaks while work goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// To know what is going on.
    Status,
    /// To hear the last words again.
    Repeat,
    /// Something of whoever works: nothing that was said is lost.
    Work,
}

/// What the driver does next, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    Send(Event),
    Start {
        epoch: Epoch,
        job: Job,
    },
    /// Nothing of this job is wanted any more.
    Cancel {
        epoch: Epoch,
    },
}

/// To the client. Times are on the clock of the sound received.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Refused {
        event_id: Option<String>,
        refusal: Refusal,
    },
    /// The settings are in force.
    Configured,

    SpeechStarted {
        audio_start_ms: u64,
        item: ItemId,
    },
    SpeechStopped {
        audio_end_ms: u64,
        item: ItemId,
    },
    Committed {
        item: ItemId,
        previous: Option<ItemId>,
    },
    Cleared,
    TimeoutTriggered {
        audio_start_ms: u64,
        audio_end_ms: u64,
        item: ItemId,
    },

    ItemAdded {
        item: Item,
        previous: Option<ItemId>,
    },
    ItemDone {
        item: Item,
        previous: Option<ItemId>,
    },
    ItemRetrieved {
        item: Item,
    },
    ItemTruncated {
        item: ItemId,
        content_index: u32,
        audio_end_ms: u64,
    },
    ItemDeleted {
        item: ItemId,
    },

    Transcribed {
        item: ItemId,
        content_index: u32,
        transcript: String,
        seconds: f64,
    },
    TranscriptionFailed {
        item: ItemId,
        content_index: u32,
        message: String,
    },

    ResponseCreated(Box<Response>),
    ResponseDone(Box<Response>),
    OutputItemAdded {
        response: ResponseId,
        output_index: u32,
        item: Item,
    },
    OutputItemDone {
        response: ResponseId,
        output_index: u32,
        item: Item,
    },
    PartAdded {
        at: PartAt,
        part: Part,
    },
    PartDone {
        at: PartAt,
        part: Part,
    },
    TextDelta {
        at: PartAt,
        delta: String,
    },
    TextDone {
        at: PartAt,
        text: String,
    },
    /// At most 200 ms of sound, to be sent in the response's format.
    AudioDelta {
        at: PartAt,
        format: crate::SoundFormat,
        pcm: Vec<i16>,
    },
    AudioDone {
        at: PartAt,
    },
    TranscriptDelta {
        at: PartAt,
        delta: String,
    },
    TranscriptDone {
        at: PartAt,
        transcript: String,
    },
    ArgumentsDelta {
        at: CallAt,
        delta: String,
    },
    ArgumentsDone {
        at: CallAt,
        name: String,
        arguments: String,
    },
    /// Once after each response. There are none here.
    RateLimits,
}

/// Which part of which item of which response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartAt {
    pub response: ResponseId,
    pub item: ItemId,
    pub output_index: u32,
    pub content_index: u32,
}

/// Which function call of which response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallAt {
    pub response: ResponseId,
    pub item: ItemId,
    pub output_index: u32,
    pub call: CallId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text { text: String },
    Audio { transcript: String },
}

/// A response as it is reported when it begins and when it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    pub id: ResponseId,
    pub status: ResponseStatus,
    pub output: Vec<Item>,
    pub audience: Audience,
    pub modality: Modality,
    pub max_output_tokens: Option<u32>,
    pub look: Look,
    pub metadata: Option<Metadata>,
    /// `None` until it is done. Counted as the service counts, but by rules of thumb.
    pub usage: Option<Usage>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseStatus {
    InProgress,
    Completed,
    Cancelled(CancelReason),
    /// It ran into `max_output_tokens`.
    OutOfTokens,
    Failed {
        message: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelReason {
    /// The user began to speak.
    TurnDetected,
    ClientCancelled,
}

/// Tokens of one response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_text: u64,
    pub input_audio: u64,
    pub output_text: u64,
    pub output_audio: u64,
}

/// Why a client's event was not taken. Nothing changed by it, and the session goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    NothingToCancel,
    ResponseActive {
        running: ResponseId,
    },
    /// So many out-of-band responses run already.
    TooManyResponses {
        most: usize,
    },
    /// This session only writes down.
    NeverResponds,
    RetrieveUnknown {
        item: ItemId,
    },
    DeleteUnknown {
        item: ItemId,
    },
    /// It belongs to a response that still runs.
    DeleteGrowing {
        item: ItemId,
    },
    TruncateUnknown {
        item: ItemId,
    },
    /// It has no sound of the assistant there.
    TruncateSilent {
        item: ItemId,
    },
    TruncateTooLong {
        item: ItemId,
        audio_ms: u64,
    },
    DuplicateItem {
        item: ItemId,
    },
    UnknownPrevious {
        item: ItemId,
    },
    UnknownReference {
        item: ItemId,
    },
    /// The client has put as much into the conversation as it may.
    ConversationFull {
        items: usize,
        bytes: usize,
    },
    /// So many items of the client are being written down already.
    TooManyDictations {
        most: usize,
    },
    /// Nobody here can see.
    NoImages,
    /// Less than the least that can be committed waits in the buffer.
    CommitEmpty {
        ms: u64,
    },
    /// Sound is not played by us here, so there is nothing to clear.
    NoOutputBuffer,
    /// Our side failed; answers no event.
    Fault {
        message: String,
    },
}
