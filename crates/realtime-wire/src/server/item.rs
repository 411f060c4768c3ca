//! Conversation items as the server keeps and sends them, and as clients create them.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::fields::Field;
use super::refusal::Refusal;
use crate::audio;

/// One item of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub id: String,
    pub status: ItemStatus,
    pub body: ItemBody,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemStatus {
    InProgress,
    Completed,
    /// Cut short: cancelled, interrupted, out of tokens.
    Incomplete,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemBody {
    Message { role: Role, content: Vec<Content> },
    FunctionCall { call_id: String, name: String, arguments: String },
    FunctionCallOutput { call_id: String, output: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    System,
    User,
    Assistant,
}

/// A part of a message. Sound is in the session's format, shared, and sent only where the
/// protocol has it: in `conversation.item.retrieved`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    InputText { text: String },
    InputAudio { audio: Arc<[u8]>, transcript: Option<String> },
    InputImage { image_url: String, detail: Option<String> },
    OutputText { text: String },
    OutputAudio { audio: Arc<[u8]>, transcript: Option<String> },
}

/// An item as a client creates it: the server gives the id if the client did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewItem {
    pub id: Option<String>,
    pub body: ItemBody,
}

/// Where a new item goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    End,
    Root,
    After(String),
}

/// Whether sound goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sound {
    Left,
    Kept,
}

impl Item {
    pub(crate) fn encode(&self, sound: Sound) -> Value {
        let Self { id, status, body } = self;
        let mut item = Map::new();
        item.insert("id".to_owned(), json!(id));
        item.insert("object".to_owned(), json!("realtime.item"));
        let (kind, rest) = match body {
            ItemBody::Message { role, content } => {
                let content: Vec<Value> = content.iter().map(|it| it.encode(sound)).collect();
                ("message", json!({ "role": role.as_str(), "content": content }))
            }
            ItemBody::FunctionCall { call_id, name, arguments } => (
                "function_call",
                json!({ "call_id": call_id, "name": name, "arguments": arguments }),
            ),
            ItemBody::FunctionCallOutput { call_id, output } => {
                ("function_call_output", json!({ "call_id": call_id, "output": output }))
            }
        };
        item.insert("type".to_owned(), json!(kind));
        item.insert("status".to_owned(), json!(status.as_str()));
        if let Value::Object(rest) = rest {
            item.extend(rest);
        }
        Value::Object(item)
    }
}

impl ItemStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

impl Content {
    fn encode(&self, sound: Sound) -> Value {
        match self {
            Self::InputText { text } => json!({ "type": "input_text", "text": text }),
            Self::OutputText { text } => json!({ "type": "output_text", "text": text }),
            Self::InputImage { image_url, detail: None } => {
                json!({ "type": "input_image", "image_url": image_url })
            }
            Self::InputImage { image_url, detail: Some(detail) } => {
                json!({ "type": "input_image", "image_url": image_url, "detail": detail })
            }
            // The key must be there even when nothing is known yet.
            Self::InputAudio { audio, transcript } => {
                with_sound(json!({ "type": "input_audio", "transcript": transcript }), audio, sound)
            }
            Self::OutputAudio { audio, transcript } => with_sound(
                json!({ "type": "output_audio", "transcript": transcript }),
                audio,
                sound,
            ),
        }
    }

    fn decode(field: &Field<'_>, role: Role) -> Result<Self, Refusal> {
        #[derive(Clone, Copy)]
        enum Kind {
            InputText,
            InputAudio,
            InputImage,
            OutputText,
        }
        let fields = field.fields()?;
        // "text" is the beta word for what an assistant said. A client may add written
        // history of the assistant, but no sound.
        let kind = fields.required("type")?.choice(match role {
            Role::System => &[("input_text", Kind::InputText)][..],
            Role::User => &[
                ("input_text", Kind::InputText),
                ("input_audio", Kind::InputAudio),
                ("input_image", Kind::InputImage),
            ],
            Role::Assistant => &[("output_text", Kind::OutputText), ("text", Kind::OutputText)],
        })?;
        Ok(match kind {
            Kind::InputText => Self::InputText { text: fields.required_text("text")? },
            Kind::OutputText => Self::OutputText { text: fields.required_text("text")? },
            Kind::InputImage => Self::InputImage {
                image_url: fields.required_text("image_url")?,
                detail: fields.text("detail")?,
            },
            Kind::InputAudio => Self::InputAudio {
                audio: base64(&fields.required("audio")?)?.into(),
                transcript: fields.text("transcript")?,
            },
        })
    }
}

impl NewItem {
    pub(crate) fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        #[derive(Clone, Copy)]
        enum Kind {
            Message,
            FunctionCall,
            FunctionCallOutput,
        }
        let fields = field.fields()?;
        let kind = fields.required("type")?.choice(&[
            ("message", Kind::Message),
            ("function_call", Kind::FunctionCall),
            ("function_call_output", Kind::FunctionCallOutput),
        ])?;
        let body = match kind {
            Kind::Message => {
                let role = fields.required("role")?.choice(&[
                    ("user", Role::User),
                    ("assistant", Role::Assistant),
                    ("system", Role::System),
                ])?;
                let content = fields
                    .required("content")?
                    .list()?
                    .map(|it| Content::decode(&it, role))
                    .collect::<Result<_, _>>()?;
                ItemBody::Message { role, content }
            }
            Kind::FunctionCall => ItemBody::FunctionCall {
                call_id: fields.text("call_id")?.unwrap_or_default(),
                name: fields.required_text("name")?,
                arguments: fields.required_text("arguments")?,
            },
            Kind::FunctionCallOutput => ItemBody::FunctionCallOutput {
                call_id: fields.required_text("call_id")?,
                output: fields.required_text("output")?,
            },
        };
        let id = match fields.get("id") {
            Some(id) if id.text()?.is_empty() => return Err(id.invalid("an id is not empty.")),
            Some(id) => Some(id.text()?.to_owned()),
            None => None,
        };
        Ok(Self { id, body })
    }
}

pub(crate) fn base64(field: &Field<'_>) -> Result<Vec<u8>, Refusal> {
    audio::from_base64(field.text()?).ok_or_else(|| field.invalid("expected base64."))
}

fn with_sound(mut part: Value, audio: &[u8], sound: Sound) -> Value {
    match sound {
        Sound::Left => (),
        Sound::Kept => part["audio"] = json!(audio::to_base64(audio)),
    }
    part
}
