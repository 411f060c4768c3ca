//! The older dialect ("quicksilver"): handoffs are events of their own, and there are
//! neither tools nor responses to ask for.

use protocol::{Handoff, HandoffId, ItemId, RealtimeCommand, RealtimeEvent, SessionConfig, labels};
use serde_json::{Value, json};

use super::read::{self, Reader};
use super::v2::{append_audio, raw};
use super::{DecodeError, Sound, fault};

/// `None` for what this dialect has no word for.
pub(crate) fn encode(command: &RealtimeCommand) -> Option<Value> {
    Some(match command {
        // This dialect always converses.
        RealtimeCommand::UpdateSession(SessionConfig {
            mode: _,
            instructions,
            voice,
            barge_in: _,
        }) => json!({
            "type": "session.update",
            "session": {
                "type": "quicksilver",
                "instructions": instructions,
                "audio": {
                    "input": { "format": { "type": "audio/pcm", "rate": 24000 } },
                    "output": { "voice": voice },
                },
            },
        }),
        RealtimeCommand::AppendAudio { pcm } => append_audio(pcm),
        RealtimeCommand::Text { text } => user_text(text),
        RealtimeCommand::Mirror { text } => user_text(&format!("{}{text}", labels::MIRRORED)),
        RealtimeCommand::Progress { handoff, text } => append(handoff, text.clone()),
        RealtimeCommand::HandoffOutput { handoff, text, is_final: true } => {
            append(handoff, format!("{}{text}", labels::ANSWER))
        }
        RealtimeCommand::HandoffOutput { handoff, text, is_final: false } => {
            append(handoff, text.clone())
        }
        RealtimeCommand::CreateResponse
        | RealtimeCommand::CancelResponse
        | RealtimeCommand::Truncate { item: _, heard: _ } => return None,
    })
}

fn user_text(text: &str) -> Value {
    json!({
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "role": "user",
            "content": [{ "type": "text", "text": text }],
        },
    })
}

fn append(handoff: &HandoffId, text: String) -> Value {
    json!({
        "type": "conversation.handoff.append",
        "handoff_id": handoff.as_str(),
        "output_text": text,
    })
}

pub(crate) fn decode(
    event: Reader<'_>,
    sound: &mut Sound,
) -> Result<Option<RealtimeEvent>, DecodeError> {
    Ok(Some(match event.kind {
        "session.updated" => RealtimeEvent::SessionUpdated { session: event.session_id() },
        "conversation.output_audio.delta" => {
            let rate = event.number("sample_rate").ok_or_else(|| event.lacks("sample_rate"))?;
            let channels = event.number("channels").or(event.number("num_channels"));
            let channels = channels.ok_or_else(|| event.lacks("channels"))?;
            if (rate, channels) != (24_000, 1) {
                return Err(DecodeError::SoundShape { rate, channels });
            }
            let data = event.text("delta").or(event.text("data"));
            let data = data.ok_or_else(|| event.lacks("delta"))?;
            return sound.event(event, "delta", data, None);
        }
        "conversation.input_transcript.delta" => {
            RealtimeEvent::InputTranscriptDelta { item: None, delta: event.owned("delta")? }
        }
        "conversation.output_transcript.delta" => {
            RealtimeEvent::OutputTranscriptDelta { item: None, delta: event.owned("delta")? }
        }
        "conversation.item.added" => {
            let item = event.object("item").ok_or_else(|| event.lacks("item"))?;
            let id = read::text(item, "id").map(ItemId::from);
            RealtimeEvent::ItemAdded { item: id, raw: raw(item) }
        }
        "conversation.item.done" => {
            let item = event.object("item").ok_or_else(|| event.lacks("item"))?;
            let id = read::text(item, "id").ok_or_else(|| event.lacks("item.id"))?;
            RealtimeEvent::ItemDone { item: Some(ItemId::from(id)) }
        }
        "conversation.handoff.requested" => RealtimeEvent::HandoffRequested(Handoff {
            id: HandoffId::new(event.owned("handoff_id")?),
            item: ItemId::new(event.owned("item_id")?),
            input: event.owned("input_transcript")?,
            messages: Vec::new(),
        }),
        "error" => match fault::decode(event) {
            Some(fault) => RealtimeEvent::Fault(fault),
            None => return Ok(None),
        },
        _ => return Ok(None),
    }))
}
