//! What the pipeline says, as text frames.

use std::sync::Arc;

use protocol::ItemId;
use realtime_wire::server as wire;
use voice_pipeline as ours;

use super::refusal::refusal;
use crate::sound::{self, Outlet};

/// Writes a session's frames: owns what is the session's and not one event's.
#[derive(Debug)]
pub(crate) struct Scribe {
    /// Effective settings, as they are echoed.
    pub(crate) session: wire::Session,
    seed: String,
    events: u64,
    outlet: Outlet,
}

impl Scribe {
    pub(crate) fn new(session: wire::Session, seed: String) -> Self {
        Self { session, seed, events: 0, outlet: Outlet::default() }
    }

    /// One text frame.
    pub(crate) fn frame(&mut self, event: &wire::ServerEvent) -> String {
        self.events += 1;
        wire::encode(event, &format!("event_{}{}", self.seed, self.events))
    }

    /// The frames of one event: mostly one.
    pub(crate) fn frames(&mut self, event: ours::Event) -> Vec<String> {
        let held_back = match &event {
            ours::Event::AudioDone { at } => {
                let audio = self.outlet.finish(&at.item);
                let event = wire::ServerEvent::AudioDelta { at: part_at(at.clone()), audio };
                (!matches!(&event, wire::ServerEvent::AudioDelta { audio, .. } if audio.is_empty()))
                    .then_some(event)
            }
            _ => None,
        };
        let event = self.event(event);
        held_back.iter().chain([&event]).map(|it| self.frame(it)).collect()
    }

    fn event(&mut self, event: ours::Event) -> wire::ServerEvent {
        match event {
            ours::Event::Refused { event_id, refusal: why } => {
                wire::ServerEvent::Error(refusal(why).answering(event_id.as_deref()))
            }
            ours::Event::Configured => {
                wire::ServerEvent::SessionUpdated(Box::new(self.session.clone()))
            }
            ours::Event::SpeechStarted { audio_start_ms, item } => {
                wire::ServerEvent::SpeechStarted { audio_start_ms, item_id: name(item) }
            }
            ours::Event::SpeechStopped { audio_end_ms, item } => {
                wire::ServerEvent::SpeechStopped { audio_end_ms, item_id: name(item) }
            }
            ours::Event::Committed { item, previous } => wire::ServerEvent::AudioCommitted {
                item_id: name(item),
                previous_item_id: previous.map(name),
            },
            ours::Event::Cleared => wire::ServerEvent::AudioCleared,
            ours::Event::TimeoutTriggered { audio_start_ms, audio_end_ms, item } => {
                let item_id = name(item);
                wire::ServerEvent::TimeoutTriggered { audio_start_ms, audio_end_ms, item_id }
            }
            ours::Event::ItemAdded { item, previous } => wire::ServerEvent::ItemAdded {
                item: self.item(item, Sound::Left),
                previous_item_id: previous.map(name),
            },
            ours::Event::ItemDone { item, previous } => wire::ServerEvent::ItemDone {
                item: self.item(item, Sound::Left),
                previous_item_id: previous.map(name),
            },
            ours::Event::ItemRetrieved { item } => {
                wire::ServerEvent::ItemRetrieved { item: self.item(item, Sound::Kept) }
            }
            ours::Event::ItemTruncated { item, content_index, audio_end_ms } => {
                let item_id = name(item);
                wire::ServerEvent::ItemTruncated { item_id, content_index, audio_end_ms }
            }
            ours::Event::ItemDeleted { item } => {
                wire::ServerEvent::ItemDeleted { item_id: name(item) }
            }
            ours::Event::Transcribed { item, content_index, transcript, seconds } => {
                wire::ServerEvent::TranscriptionCompleted {
                    item_id: name(item),
                    content_index,
                    transcript,
                    usage: wire::TranscriptionUsage::Seconds(seconds),
                }
            }
            ours::Event::TranscriptionFailed { item, content_index, message } => {
                wire::ServerEvent::TranscriptionFailed {
                    item_id: name(item),
                    content_index,
                    code: "transcription_failed".to_owned(),
                    message,
                }
            }
            ours::Event::ResponseCreated(response) => {
                wire::ServerEvent::ResponseCreated(Box::new(self.response(*response)))
            }
            ours::Event::ResponseDone(response) => {
                wire::ServerEvent::ResponseDone(Box::new(self.response(*response)))
            }
            ours::Event::OutputItemAdded { response, output_index, item } => {
                wire::ServerEvent::OutputItemAdded {
                    response_id: response.as_str().to_owned(),
                    output_index,
                    item: self.item(item, Sound::Left),
                }
            }
            ours::Event::OutputItemDone { response, output_index, item } => {
                wire::ServerEvent::OutputItemDone {
                    response_id: response.as_str().to_owned(),
                    output_index,
                    item: self.item(item, Sound::Left),
                }
            }
            ours::Event::PartAdded { at, part } => {
                wire::ServerEvent::PartAdded { at: part_at(at), part: part_of(part) }
            }
            ours::Event::PartDone { at, part } => {
                wire::ServerEvent::PartDone { at: part_at(at), part: part_of(part) }
            }
            ours::Event::TextDelta { at, delta } => {
                wire::ServerEvent::TextDelta { at: part_at(at), delta }
            }
            ours::Event::TextDone { at, text } => {
                wire::ServerEvent::TextDone { at: part_at(at), text }
            }
            ours::Event::AudioDelta { at, format, pcm } => {
                let audio = self.outlet.push(&at.item, sound_format(format), &pcm);
                wire::ServerEvent::AudioDelta { at: part_at(at), audio }
            }
            ours::Event::AudioDone { at } => wire::ServerEvent::AudioDone { at: part_at(at) },
            ours::Event::TranscriptDelta { at, delta } => {
                wire::ServerEvent::TranscriptDelta { at: part_at(at), delta }
            }
            ours::Event::TranscriptDone { at, transcript } => {
                wire::ServerEvent::TranscriptDone { at: part_at(at), transcript }
            }
            ours::Event::ArgumentsDelta { at, delta } => {
                wire::ServerEvent::ArgumentsDelta { at: call_at(at), delta }
            }
            ours::Event::ArgumentsDone { at, name, arguments } => {
                wire::ServerEvent::ArgumentsDone { at: call_at(at), name, arguments }
            }
            ours::Event::RateLimits => wire::ServerEvent::RateLimits(Vec::new()),
        }
    }

    fn response(&self, response: ours::Response) -> wire::Response {
        let ours::Response {
            id,
            status,
            output,
            audience,
            modality,
            max_output_tokens,
            look: ours::Look { format, voice },
            metadata,
            usage,
        } = response;
        wire::Response {
            id: id.as_str().to_owned(),
            status: status_of(status),
            output: output.into_iter().map(|it| self.item(it, Sound::Left)).collect(),
            conversation_id: match audience {
                ours::Audience::Conversation => Some(format!("conv_{}", self.seed)),
                ours::Audience::OutOfBand => None,
            },
            modality: match modality {
                ours::Modality::Audio => wire::Modality::Audio,
                ours::Modality::Text => wire::Modality::Text,
            },
            max_output_tokens: match max_output_tokens {
                Some(limit) => wire::MaxTokens::Limit(limit),
                None => wire::MaxTokens::Inf,
            },
            output_format: sound_format(format),
            voice: match voice {
                ours::Voice::Named(name) => wire::Voice::Named(name),
                ours::Voice::Custom(id) => wire::Voice::Custom(id),
            },
            metadata,
            usage: usage.map(
                |ours::Usage { input_text, input_audio, output_text, output_audio }| wire::Usage {
                    input_text,
                    input_audio,
                    input_cached: 0,
                    output_text,
                    output_audio,
                },
            ),
        }
    }

    fn item(&self, item: ours::Item, sound: Sound) -> wire::Item {
        let ours::Item { id, status, body } = item;
        wire::Item {
            id: name(id),
            status: match status {
                ours::ItemStatus::InProgress => wire::ItemStatus::InProgress,
                ours::ItemStatus::Completed => wire::ItemStatus::Completed,
                ours::ItemStatus::Incomplete => wire::ItemStatus::Incomplete,
            },
            body: match body {
                ours::ItemBody::Message { role, content } => wire::ItemBody::Message {
                    role: match role {
                        ours::Role::System => wire::Role::System,
                        ours::Role::User => wire::Role::User,
                        ours::Role::Assistant => wire::Role::Assistant,
                    },
                    content: content.into_iter().map(|it| self.part(it, sound)).collect(),
                },
                ours::ItemBody::FunctionCall(ours::FunctionCall { call, name, arguments }) => {
                    let call_id = call.as_str().to_owned();
                    wire::ItemBody::FunctionCall { call_id, name, arguments }
                }
                ours::ItemBody::FunctionCallOutput { call, output } => {
                    let call_id = call.as_str().to_owned();
                    wire::ItemBody::FunctionCallOutput { call_id, output }
                }
            },
        }
    }

    fn part(&self, part: ours::Content, sound: Sound) -> wire::Content {
        let bytes = |format, pcm: &[i16]| -> Arc<[u8]> {
            match sound {
                Sound::Left => Arc::default(),
                Sound::Kept => sound::to_format(format, pcm).into(),
            }
        };
        match part {
            ours::Content::InputText { text } => wire::Content::InputText { text },
            ours::Content::InputAudio { pcm, transcript } => {
                let audio = bytes(self.session.input_format, &pcm);
                wire::Content::InputAudio { audio, transcript }
            }
            ours::Content::InputImage { image_url, detail } => {
                wire::Content::InputImage { image_url, detail }
            }
            ours::Content::OutputText { text } => wire::Content::OutputText { text },
            ours::Content::OutputAudio { pcm, transcript } => {
                let audio = bytes(self.session.output_format, &pcm);
                wire::Content::OutputAudio { audio, transcript: Some(transcript) }
            }
        }
    }
}

/// Whether an item's sound goes along: only where the protocol has it.
#[derive(Debug, Clone, Copy)]
enum Sound {
    Left,
    Kept,
}

fn name(item: ItemId) -> String {
    item.as_str().to_owned()
}

fn part_at(at: ours::PartAt) -> wire::PartAt {
    let ours::PartAt { response, item, output_index, content_index } = at;
    wire::PartAt {
        response_id: response.as_str().to_owned(),
        item_id: name(item),
        output_index,
        content_index,
    }
}

fn call_at(at: ours::CallAt) -> wire::CallAt {
    let ours::CallAt { response, item, output_index, call } = at;
    wire::CallAt {
        response_id: response.as_str().to_owned(),
        item_id: name(item),
        output_index,
        call_id: call.as_str().to_owned(),
    }
}

fn part_of(part: ours::Part) -> wire::Part {
    match part {
        ours::Part::Text { text } => wire::Part::Text { text },
        ours::Part::Audio { transcript } => wire::Part::Audio { transcript },
    }
}

fn sound_format(format: ours::SoundFormat) -> wire::AudioFormat {
    match format {
        ours::SoundFormat::Pcm => wire::AudioFormat::Pcm,
        ours::SoundFormat::Ulaw => wire::AudioFormat::Pcmu,
        ours::SoundFormat::Alaw => wire::AudioFormat::Pcma,
    }
}

fn status_of(status: ours::ResponseStatus) -> wire::ResponseStatus {
    match status {
        ours::ResponseStatus::InProgress => wire::ResponseStatus::InProgress,
        ours::ResponseStatus::Completed => wire::ResponseStatus::Completed,
        ours::ResponseStatus::Cancelled(ours::CancelReason::TurnDetected) => {
            wire::ResponseStatus::Cancelled(wire::CancelReason::TurnDetected)
        }
        ours::ResponseStatus::Cancelled(ours::CancelReason::ClientCancelled) => {
            wire::ResponseStatus::Cancelled(wire::CancelReason::ClientCancelled)
        }
        ours::ResponseStatus::OutOfTokens => {
            wire::ResponseStatus::Incomplete(wire::IncompleteReason::MaxOutputTokens)
        }
        ours::ResponseStatus::Failed { message } => {
            wire::ResponseStatus::Failed { code: "server_error".to_owned(), message }
        }
    }
}
