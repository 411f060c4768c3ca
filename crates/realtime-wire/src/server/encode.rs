//! Server events, written.

use serde_json::{Map, Value, json};

use super::item::{Item, Sound};
use super::refusal::Refusal;
use super::response::Response;
use super::session::Session;
use crate::audio;

/// What our server says. Times in milliseconds are on the clock of the sound received.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerEvent {
    Error(Refusal),
    SessionCreated(Box<Session>),
    SessionUpdated(Box<Session>),

    SpeechStarted {
        audio_start_ms: u64,
        item_id: String,
    },
    SpeechStopped {
        audio_end_ms: u64,
        item_id: String,
    },
    AudioCommitted {
        item_id: String,
        previous_item_id: Option<String>,
    },
    AudioCleared,
    TimeoutTriggered {
        audio_start_ms: u64,
        audio_end_ms: u64,
        item_id: String,
    },

    ItemAdded {
        item: Item,
        previous_item_id: Option<String>,
    },
    ItemDone {
        item: Item,
        previous_item_id: Option<String>,
    },
    /// The only event that carries an item's sound.
    ItemRetrieved {
        item: Item,
    },
    ItemTruncated {
        item_id: String,
        content_index: u32,
        audio_end_ms: u64,
    },
    ItemDeleted {
        item_id: String,
    },

    TranscriptionDelta {
        item_id: String,
        content_index: u32,
        delta: String,
    },
    TranscriptionCompleted {
        item_id: String,
        content_index: u32,
        transcript: String,
        usage: TranscriptionUsage,
    },
    TranscriptionFailed {
        item_id: String,
        content_index: u32,
        code: String,
        message: String,
    },

    ResponseCreated(Box<Response>),
    ResponseDone(Box<Response>),
    OutputItemAdded {
        response_id: String,
        output_index: u32,
        item: Item,
    },
    OutputItemDone {
        response_id: String,
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
    /// Bytes in the response's output format.
    AudioDelta {
        at: PartAt,
        audio: Vec<u8>,
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

    /// Only where the voice is a media track, not on a WebSocket.
    OutputAudioStarted {
        response_id: String,
    },
    OutputAudioStopped {
        response_id: String,
    },
    OutputAudioCleared {
        response_id: String,
    },

    RateLimits(Vec<RateLimit>),
}

/// Which part of which item of which response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartAt {
    pub response_id: String,
    pub item_id: String,
    pub output_index: u32,
    pub content_index: u32,
}

/// Which function call of which response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallAt {
    pub response_id: String,
    pub item_id: String,
    pub output_index: u32,
    pub call_id: String,
}

/// A part as `response.content_part.*` names it: without the `output_` of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text { text: String },
    Audio { transcript: String },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TranscriptionUsage {
    /// Of the utterance. What every client can read.
    Seconds(f64),
    Tokens {
        text: u64,
        audio: u64,
        output: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// `requests` or `tokens`.
    pub name: &'static str,
    pub limit: u64,
    pub remaining: u64,
    pub reset_seconds: f64,
}

/// The event as one text frame. `event_id` must be new in this session.
pub fn encode(event: &ServerEvent, event_id: &str) -> String {
    let (kind, fields) = parts(event);
    let mut frame = Map::new();
    frame.insert("type".to_owned(), json!(kind));
    frame.insert("event_id".to_owned(), json!(event_id));
    if let Value::Object(fields) = fields {
        frame.extend(fields);
    }
    Value::Object(frame).to_string()
}

/// The event's type, and its other fields as an object.
fn parts(event: &ServerEvent) -> (&'static str, Value) {
    match event {
        ServerEvent::Error(refusal) => ("error", json!({ "error": error(refusal) })),
        ServerEvent::SessionCreated(session) => {
            ("session.created", json!({ "session": session.encode() }))
        }
        ServerEvent::SessionUpdated(session) => {
            ("session.updated", json!({ "session": session.encode() }))
        }

        ServerEvent::SpeechStarted { audio_start_ms, item_id } => (
            "input_audio_buffer.speech_started",
            json!({ "audio_start_ms": audio_start_ms, "item_id": item_id }),
        ),
        ServerEvent::SpeechStopped { audio_end_ms, item_id } => (
            "input_audio_buffer.speech_stopped",
            json!({ "audio_end_ms": audio_end_ms, "item_id": item_id }),
        ),
        ServerEvent::AudioCommitted { item_id, previous_item_id } => (
            "input_audio_buffer.committed",
            json!({ "item_id": item_id, "previous_item_id": previous_item_id }),
        ),
        ServerEvent::AudioCleared => ("input_audio_buffer.cleared", json!({})),
        ServerEvent::TimeoutTriggered { audio_start_ms, audio_end_ms, item_id } => (
            "input_audio_buffer.timeout_triggered",
            json!({
                "audio_start_ms": audio_start_ms,
                "audio_end_ms": audio_end_ms,
                "item_id": item_id,
            }),
        ),

        ServerEvent::ItemAdded { item, previous_item_id } => {
            ("conversation.item.added", placed(item, previous_item_id.as_deref()))
        }
        ServerEvent::ItemDone { item, previous_item_id } => {
            ("conversation.item.done", placed(item, previous_item_id.as_deref()))
        }
        ServerEvent::ItemRetrieved { item } => {
            ("conversation.item.retrieved", json!({ "item": item.encode(Sound::Kept) }))
        }
        ServerEvent::ItemTruncated { item_id, content_index, audio_end_ms } => (
            "conversation.item.truncated",
            json!({
                "item_id": item_id,
                "content_index": content_index,
                "audio_end_ms": audio_end_ms,
            }),
        ),
        ServerEvent::ItemDeleted { item_id } => {
            ("conversation.item.deleted", json!({ "item_id": item_id }))
        }

        ServerEvent::TranscriptionDelta { item_id, content_index, delta } => (
            "conversation.item.input_audio_transcription.delta",
            json!({ "item_id": item_id, "content_index": content_index, "delta": delta }),
        ),
        ServerEvent::TranscriptionCompleted { item_id, content_index, transcript, usage } => (
            "conversation.item.input_audio_transcription.completed",
            json!({
                "item_id": item_id,
                "content_index": content_index,
                "transcript": transcript,
                "usage": usage.encode(),
            }),
        ),
        ServerEvent::TranscriptionFailed { item_id, content_index, code, message } => (
            "conversation.item.input_audio_transcription.failed",
            json!({
                "item_id": item_id,
                "content_index": content_index,
                "error": { "type": "transcription_error", "code": code, "message": message },
            }),
        ),

        ServerEvent::ResponseCreated(response) => {
            ("response.created", json!({ "response": response.encode() }))
        }
        ServerEvent::ResponseDone(response) => {
            ("response.done", json!({ "response": response.encode() }))
        }
        ServerEvent::OutputItemAdded { response_id, output_index, item } => {
            ("response.output_item.added", output(response_id, *output_index, item))
        }
        ServerEvent::OutputItemDone { response_id, output_index, item } => {
            ("response.output_item.done", output(response_id, *output_index, item))
        }
        ServerEvent::PartAdded { at, part } => {
            ("response.content_part.added", at.encode("part", part.encode()))
        }
        ServerEvent::PartDone { at, part } => {
            ("response.content_part.done", at.encode("part", part.encode()))
        }
        ServerEvent::TextDelta { at, delta } => {
            ("response.output_text.delta", at.encode("delta", json!(delta)))
        }
        ServerEvent::TextDone { at, text } => {
            ("response.output_text.done", at.encode("text", json!(text)))
        }
        ServerEvent::AudioDelta { at, audio } => {
            ("response.output_audio.delta", at.encode("delta", json!(audio::to_base64(audio))))
        }
        ServerEvent::AudioDone { at } => ("response.output_audio.done", Value::Object(at.ids())),
        ServerEvent::TranscriptDelta { at, delta } => {
            ("response.output_audio_transcript.delta", at.encode("delta", json!(delta)))
        }
        ServerEvent::TranscriptDone { at, transcript } => {
            ("response.output_audio_transcript.done", at.encode("transcript", json!(transcript)))
        }
        ServerEvent::ArgumentsDelta { at, delta } => {
            let mut fields = at.ids();
            fields.insert("delta".to_owned(), json!(delta));
            ("response.function_call_arguments.delta", Value::Object(fields))
        }
        ServerEvent::ArgumentsDone { at, name, arguments } => {
            let mut fields = at.ids();
            fields.insert("name".to_owned(), json!(name));
            fields.insert("arguments".to_owned(), json!(arguments));
            ("response.function_call_arguments.done", Value::Object(fields))
        }

        ServerEvent::OutputAudioStarted { response_id } => {
            ("output_audio_buffer.started", json!({ "response_id": response_id }))
        }
        ServerEvent::OutputAudioStopped { response_id } => {
            ("output_audio_buffer.stopped", json!({ "response_id": response_id }))
        }
        ServerEvent::OutputAudioCleared { response_id } => {
            ("output_audio_buffer.cleared", json!({ "response_id": response_id }))
        }

        ServerEvent::RateLimits(limits) => {
            let limits: Vec<Value> = limits.iter().map(|it| it.encode()).collect();
            ("rate_limits.updated", json!({ "rate_limits": limits }))
        }
    }
}

fn error(refusal: &Refusal) -> Value {
    let Refusal { code, message, param, event_id } = refusal;
    json!({
        "type": code.kind(),
        "code": code.as_str(),
        "message": message,
        "param": param,
        "event_id": event_id,
    })
}

fn placed(item: &Item, previous_item_id: Option<&str>) -> Value {
    json!({ "previous_item_id": previous_item_id, "item": item.encode(Sound::Left) })
}

fn output(response_id: &str, output_index: u32, item: &Item) -> Value {
    json!({
        "response_id": response_id,
        "output_index": output_index,
        "item": item.encode(Sound::Left),
    })
}

impl PartAt {
    fn ids(&self) -> Map<String, Value> {
        let Self { response_id, item_id, output_index, content_index } = self;
        Map::from_iter([
            ("response_id".to_owned(), json!(response_id)),
            ("item_id".to_owned(), json!(item_id)),
            ("output_index".to_owned(), json!(output_index)),
            ("content_index".to_owned(), json!(content_index)),
        ])
    }

    fn encode(&self, name: &str, value: Value) -> Value {
        let mut fields = self.ids();
        fields.insert(name.to_owned(), value);
        Value::Object(fields)
    }
}

impl CallAt {
    fn ids(&self) -> Map<String, Value> {
        let Self { response_id, item_id, output_index, call_id } = self;
        Map::from_iter([
            ("response_id".to_owned(), json!(response_id)),
            ("item_id".to_owned(), json!(item_id)),
            ("output_index".to_owned(), json!(output_index)),
            ("call_id".to_owned(), json!(call_id)),
        ])
    }
}

impl Part {
    fn encode(&self) -> Value {
        match self {
            Self::Text { text } => json!({ "type": "text", "text": text }),
            Self::Audio { transcript } => json!({ "type": "audio", "transcript": transcript }),
        }
    }
}

impl TranscriptionUsage {
    fn encode(self) -> Value {
        match self {
            Self::Seconds(seconds) => json!({ "type": "duration", "seconds": seconds }),
            Self::Tokens { text, audio, output } => json!({
                "type": "tokens",
                "input_tokens": text + audio,
                "output_tokens": output,
                "total_tokens": text + audio + output,
                "input_token_details": { "text_tokens": text, "audio_tokens": audio },
            }),
        }
    }
}

impl RateLimit {
    fn encode(&self) -> Value {
        let Self { name, limit, remaining, reset_seconds } = self;
        json!({
            "name": name,
            "limit": limit,
            "remaining": remaining,
            "reset_seconds": reset_seconds,
        })
    }
}
