//! The current protocol, and the spellings of its beta where a service still uses them.

use protocol::{
    BargeIn, Handoff, HandoffId, ItemId, OWN_SILENCE, RealtimeCommand, RealtimeEvent,
    ResponseOutcome, SessionConfig, SessionMode, labels,
};
use serde_json::{Map, Value, json};

use super::read::{self, Reader};
use super::{DecodeError, Sound, fault};
use crate::audio;

/// The tool by which the realtime model hands work over.
const HANDOFF_TOOL: &str = "background_agent";

const HANDOFF_DESCRIPTION: &str = "\
Give what the user wants to the background agent, a coding agent that works in the user's \
repository: it reads and edits files, runs commands and tests, and searches. Call this by \
default; answer by yourself only when nothing has to be looked up or done. If the agent is \
idle, this starts a task and returns what came out of it. If it is busy, your request is \
passed on to the running task, so use it to correct or extend that task, and also for what \
should happen later, next or afterwards: otherwise it is forgotten. Pass on the user's own \
words as they are, with nothing added and nothing left out.";

const PROMPT_DESCRIPTION: &str = "What the user asked for, in the user's own words.";

/// What the service writes the user's words down with.
const TRANSCRIPTION_MODEL: &str = "gpt-4o-mini-transcribe";

/// Keys under which models were seen to put the request, best first.
const REQUEST_KEYS: [&str; 5] = ["input_transcript", "input", "text", "prompt", "query"];

pub(crate) fn encode(command: &RealtimeCommand) -> Value {
    match command {
        RealtimeCommand::UpdateSession(config) => {
            json!({ "type": "session.update", "session": session(config) })
        }
        RealtimeCommand::AppendAudio { pcm } => append_audio(pcm),
        RealtimeCommand::Text { text } => user_text(text),
        RealtimeCommand::Mirror { text } => user_text(&format!("{}{text}", labels::MIRRORED)),
        RealtimeCommand::Progress { handoff: _, text } => {
            user_text(&format!("{}{text}", labels::PROGRESS))
        }
        RealtimeCommand::HandoffOutput { handoff, text, is_final } => {
            let label = if *is_final { labels::ANSWER } else { "" };
            json!({
                "type": "conversation.item.create",
                "item": {
                    "type": "function_call_output",
                    "call_id": handoff.as_str(),
                    "output": format!("{label}{text}"),
                },
            })
        }
        RealtimeCommand::CreateResponse => json!({ "type": "response.create" }),
        RealtimeCommand::CancelResponse => json!({ "type": "response.cancel" }),
        RealtimeCommand::Truncate { item, heard } => json!({
            "type": "conversation.item.truncate",
            "item_id": item.as_str(),
            "content_index": 0,
            "audio_end_ms": u64::try_from(heard.as_millis()).unwrap_or(u64::MAX),
        }),
    }
}

pub(crate) fn append_audio(pcm: &[i16]) -> Value {
    let audio = audio::to_base64(&audio::to_bytes(pcm));
    json!({ "type": "input_audio_buffer.append", "audio": audio })
}

fn session(config: &SessionConfig) -> Value {
    let SessionConfig { mode, instructions, voice, barge_in } = config;
    let format = json!({ "type": "audio/pcm", "rate": 24000 });
    let transcription = json!({ "model": TRANSCRIPTION_MODEL });
    match mode {
        SessionMode::Transcription => json!({
            "type": "transcription",
            "audio": { "input": { "format": format, "transcription": transcription } },
        }),
        SessionMode::Conversational => json!({
            "type": "realtime",
            "instructions": instructions,
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": format,
                    "noise_reduction": { "type": "near_field" },
                    "transcription": transcription,
                    "turn_detection": turn_detection(*barge_in),
                },
                "output": { "format": format, "voice": voice },
            },
            "tools": [{
                "type": "function",
                "name": HANDOFF_TOOL,
                "description": HANDOFF_DESCRIPTION,
                "parameters": {
                    "type": "object",
                    "properties": {
                        "prompt": { "type": "string", "description": PROMPT_DESCRIPTION },
                    },
                    "required": ["prompt"],
                    "additionalProperties": false,
                },
            }],
            "tool_choice": "auto",
        }),
    }
}

fn turn_detection(barge_in: BargeIn) -> Value {
    match barge_in {
        BargeIn::ByService => json!({
            "type": "server_vad",
            "interrupt_response": true,
            "create_response": true,
        }),
        BargeIn::Weighed => json!({
            "type": "server_vad",
            "silence_duration_ms": u64::try_from(OWN_SILENCE.as_millis()).unwrap_or(u64::MAX),
            "interrupt_response": false,
            "create_response": true,
        }),
    }
}

fn user_text(text: &str) -> Value {
    json!({
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "role": "user",
            "content": [{ "type": "input_text", "text": text }],
        },
    })
}

pub(crate) fn decode(
    event: Reader<'_>,
    sound: &mut Sound,
) -> Result<Option<RealtimeEvent>, DecodeError> {
    Ok(Some(match event.kind {
        "session.created" => RealtimeEvent::SessionCreated { session: event.session_id() },
        "session.updated" => RealtimeEvent::SessionUpdated { session: event.session_id() },

        "input_audio_buffer.speech_started" => {
            RealtimeEvent::SpeechStarted { item: event.item_id() }
        }
        "input_audio_buffer.speech_stopped" => {
            RealtimeEvent::SpeechStopped { item: event.item_id() }
        }
        "conversation.item.input_audio_transcription.delta" => {
            RealtimeEvent::InputTranscriptDelta {
                item: event.item_id(),
                // Optional in the protocol: an empty one is a heartbeat.
                delta: event.text("delta").unwrap_or_default().to_owned(),
            }
        }
        "conversation.item.input_audio_transcription.completed" => RealtimeEvent::InputTranscript {
            item: event.item_id(),
            text: event.owned("transcript")?,
        },
        "conversation.item.input_audio_transcription.failed" => {
            let message = event.object("error").and_then(|it| read::text(it, "message"));
            RealtimeEvent::InputTranscriptFailed {
                item: event.item_id(),
                message: message.unwrap_or("no reason was given").to_owned(),
            }
        }

        "response.created" => RealtimeEvent::ResponseCreated { response: event.response_id() },
        "response.done" => {
            let (outcome, problem) = ending(event);
            RealtimeEvent::ResponseDone { response: event.response_id(), outcome, problem }
        }
        "response.cancelled" => RealtimeEvent::ResponseDone {
            response: event.response_id(),
            outcome: ResponseOutcome::Cancelled,
            problem: None,
        },
        "response.output_audio_transcript.delta"
        | "response.audio_transcript.delta"
        | "response.output_text.delta"
        | "response.text.delta" => RealtimeEvent::OutputTranscriptDelta {
            item: event.item_id(),
            delta: event.owned("delta")?,
        },
        "response.output_audio_transcript.done" | "response.audio_transcript.done" => {
            RealtimeEvent::OutputTranscript {
                item: event.item_id(),
                text: event.owned("transcript")?,
            }
        }
        "response.output_text.done" | "response.text.done" => {
            RealtimeEvent::OutputTranscript { item: event.item_id(), text: event.owned("text")? }
        }
        "response.output_audio.delta" | "response.audio.delta" => {
            let rate = event.number("sample_rate").unwrap_or(24_000);
            let channels = event.number("channels").or(event.number("num_channels")).unwrap_or(1);
            if (rate, channels) != (24_000, 1) {
                return Err(DecodeError::SoundShape { rate, channels });
            }
            let data = event.text("delta").ok_or_else(|| event.lacks("delta"))?;
            return sound.event(event, "delta", data, event.item_id());
        }

        "conversation.item.added" | "conversation.item.created" => {
            let item = event.object("item").ok_or_else(|| event.lacks("item"))?;
            RealtimeEvent::ItemAdded { item: item_id(item), raw: raw(item) }
        }
        // The second for services that do not tell of items otherwise. Saying it twice is
        // no harm: a handoff is known by its id.
        "conversation.item.done" => {
            let item = event.object("item").ok_or_else(|| event.lacks("item"))?;
            match handoff(item) {
                Some(handoff) => RealtimeEvent::HandoffRequested(handoff),
                None => RealtimeEvent::ItemDone { item: item_id(item) },
            }
        }
        "response.output_item.done" => {
            let item = event.object("item").ok_or_else(|| event.lacks("item"))?;
            match handoff(item) {
                Some(handoff) => RealtimeEvent::HandoffRequested(handoff),
                None => return Ok(None),
            }
        }

        "error" => match fault::decode(event) {
            Some(fault) => RealtimeEvent::Fault(fault),
            None => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

/// How the response ended, and why if that is news.
fn ending(event: Reader<'_>) -> (ResponseOutcome, Option<String>) {
    let response = event.object("response");
    let detail = |key: &str| response?.get("status_details")?.get(key);
    let owned = |value: &Value| value.as_str().map(str::to_owned);
    match response.and_then(|it| read::text(it, "status")) {
        Some("cancelled") => (ResponseOutcome::Cancelled, None),
        Some("incomplete") => (ResponseOutcome::Incomplete, detail("reason").and_then(owned)),
        Some("failed") => {
            let message = detail("error").and_then(|it| it.get("message")).and_then(owned);
            (ResponseOutcome::Failed, message)
        }
        _ => (ResponseOutcome::Completed, None),
    }
}

/// A call of the handoff tool, complete. One that was cut short has half its arguments and
/// wants no answer.
fn handoff(item: &Map<String, Value>) -> Option<Handoff> {
    let is_call = read::text(item, "type") == Some("function_call")
        && read::text(item, "name") == Some(HANDOFF_TOOL)
        && read::text(item, "status") != Some("incomplete");
    let item_id = read::text(item, "id");
    let id = read::text(item, "call_id").or(item_id).filter(|_| is_call)?;
    let arguments = read::text(item, "arguments").unwrap_or_default();
    Some(Handoff {
        id: HandoffId::from(id),
        item: ItemId::from(item_id.unwrap_or(id)),
        input: request(arguments),
        messages: Vec::new(),
    })
}

/// The request in the arguments; models do not always keep to the schema.
fn request(arguments: &str) -> String {
    let object: Option<Map<String, Value>> = serde_json::from_str(arguments).ok();
    let request = object.as_ref().and_then(|object| {
        let texts = REQUEST_KEYS.iter().filter_map(|key| read::text(object, key));
        texts.map(str::trim).find(|text| !text.is_empty())
    });
    request.unwrap_or(arguments).to_owned()
}

fn item_id(item: &Map<String, Value>) -> Option<ItemId> {
    read::text(item, "id").map(ItemId::from)
}

pub(crate) fn raw(item: &Map<String, Value>) -> String {
    Value::Object(item.clone()).to_string()
}
