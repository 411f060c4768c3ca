//! One reply of the model: what a client asks for, and the object that reports it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fields::{Field, Fields};
use super::item::{Item, NewItem, Sound};
use super::refusal::Refusal;
use super::session::{AudioFormat, Effort, MaxTokens, Modality, Tool, ToolChoice, Voice, prompt};

/// A `response.create`: overrides for this response only.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResponseRequest {
    pub conversation: Audience,
    /// The whole context instead of the conversation's; `Some(vec![])` is an empty one.
    pub input: Option<Vec<InputItem>>,
    pub instructions: Option<String>,
    pub output: Option<Modality>,
    pub output_format: Option<AudioFormat>,
    pub voice: Option<Voice>,
    pub tools: Option<Vec<Tool>>,
    pub tool_choice: Option<ToolChoice>,
    pub parallel_tool_calls: Option<bool>,
    pub reasoning: Option<Effort>,
    pub max_output_tokens: Option<MaxTokens>,
    /// Echoed in both `response.created` and `response.done`.
    pub metadata: Option<Metadata>,
    pub prompt: Option<Value>,
}

pub type Metadata = BTreeMap<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Audience {
    /// The response's items join the conversation, and no other may run beside it.
    #[default]
    Conversation,
    /// Nothing is added anywhere, and it may run beside others.
    OutOfBand,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputItem {
    Reference(String),
    New(NewItem),
}

/// The response object of `response.created` and `response.done`.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// `resp_...`
    pub id: String,
    pub status: ResponseStatus,
    pub output: Vec<Item>,
    /// `None` when out of band.
    pub conversation_id: Option<String>,
    pub modality: Modality,
    pub max_output_tokens: MaxTokens,
    pub output_format: AudioFormat,
    pub voice: Voice,
    pub metadata: Option<Metadata>,
    /// `None` until done.
    pub usage: Option<Usage>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseStatus {
    InProgress,
    Completed,
    Cancelled(CancelReason),
    Incomplete(IncompleteReason),
    Failed { code: String, message: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelReason {
    /// The user began to speak.
    TurnDetected,
    ClientCancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IncompleteReason {
    MaxOutputTokens,
    ContentFilter,
}

/// Tokens of one response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_text: u64,
    pub input_audio: u64,
    pub input_cached: u64,
    pub output_text: u64,
    pub output_audio: u64,
}

impl ResponseRequest {
    pub(crate) fn decode(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let mut request = Self::default();
        if let Some(conversation) = fields.get("conversation") {
            request.conversation = conversation
                .choice(&[("auto", Audience::Conversation), ("none", Audience::OutOfBand)])?;
        }
        if let Some(input) = fields.get("input") {
            request.input =
                Some(input.list()?.map(|it| InputItem::decode(&it)).collect::<Result<_, _>>()?);
        }
        if let Some(audio) = fields.get("audio")
            && let Some(output) = audio.fields()?.get("output")
        {
            let output = output.fields()?;
            request.output_format =
                output.get("format").map(|it| AudioFormat::decode(&it)).transpose()?;
            request.voice = output.get("voice").map(|it| Voice::decode(&it)).transpose()?;
        }
        request.instructions = fields.text("instructions")?;
        request.output =
            fields.get("output_modalities").map(|it| Modality::decode(&it)).transpose()?;
        request.tools = fields.get("tools").map(|it| Tool::decode_list(&it)).transpose()?;
        request.tool_choice =
            fields.get("tool_choice").map(|it| ToolChoice::decode(&it)).transpose()?;
        request.parallel_tool_calls = fields.boolean("parallel_tool_calls")?;
        request.reasoning = fields.get("reasoning").map(|it| Effort::decode(&it)).transpose()?;
        request.max_output_tokens =
            fields.get("max_output_tokens").map(|it| MaxTokens::decode(&it)).transpose()?;
        request.metadata = fields.get("metadata").map(|it| metadata(&it)).transpose()?;
        request.prompt = fields.get("prompt").map(|it| prompt(&it)).transpose()?;
        Ok(request)
    }
}

impl InputItem {
    fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        let fields = field.fields()?;
        if fields.required("type")?.text()? == "item_reference" {
            return Ok(Self::Reference(fields.required_text("id")?));
        }
        NewItem::decode(field).map(Self::New)
    }
}

impl Response {
    pub(crate) fn encode(&self) -> Value {
        let Self {
            id,
            status,
            output,
            conversation_id,
            modality,
            max_output_tokens,
            output_format,
            voice,
            metadata,
            usage,
        } = self;
        let output: Vec<Value> = output.iter().map(|it| it.encode(Sound::Left)).collect();
        json!({
            "id": id,
            "object": "realtime.response",
            "status": status.as_str(),
            "status_details": status.details(),
            "output": output,
            "conversation_id": conversation_id,
            "output_modalities": modality.encode(),
            "max_output_tokens": max_output_tokens.encode(),
            "audio": {
                "output": { "format": output_format.encode(), "voice": voice.encode() },
            },
            "metadata": metadata,
            "usage": usage.map(Usage::encode),
        })
    }
}

impl ResponseStatus {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled(_) => "cancelled",
            Self::Incomplete(_) => "incomplete",
            Self::Failed { .. } => "failed",
        }
    }

    fn details(&self) -> Value {
        let kind = self.as_str();
        match self {
            Self::InProgress | Self::Completed => Value::Null,
            Self::Cancelled(CancelReason::TurnDetected) => {
                json!({ "type": kind, "reason": "turn_detected" })
            }
            Self::Cancelled(CancelReason::ClientCancelled) => {
                json!({ "type": kind, "reason": "client_cancelled" })
            }
            Self::Incomplete(IncompleteReason::MaxOutputTokens) => {
                json!({ "type": kind, "reason": "max_output_tokens" })
            }
            Self::Incomplete(IncompleteReason::ContentFilter) => {
                json!({ "type": kind, "reason": "content_filter" })
            }
            // "error" as a reason is told of the service, but the SDK's readers, some of
            // them strict, do not know the word: the type says it.
            Self::Failed { code, message } => json!({
                "type": kind,
                "error": { "type": "server_error", "code": code, "message": message },
            }),
        }
    }
}

impl Usage {
    fn encode(self) -> Value {
        let Self { input_text, input_audio, input_cached, output_text, output_audio } = self;
        let input = input_text + input_audio;
        let output = output_text + output_audio;
        json!({
            "total_tokens": input + output,
            "input_tokens": input,
            "output_tokens": output,
            "input_token_details": {
                "text_tokens": input_text,
                "audio_tokens": input_audio,
                "image_tokens": 0,
                "cached_tokens": input_cached,
                "cached_tokens_details": {
                    "text_tokens": input_cached,
                    "audio_tokens": 0,
                    "image_tokens": 0,
                },
            },
            "output_token_details": {
                "text_tokens": output_text,
                "audio_tokens": output_audio,
            },
        })
    }
}

/// The service's bounds: 16 pairs, keys of 64 and values of 512 characters.
fn metadata(field: &Field<'_>) -> Result<Metadata, Refusal> {
    let Value::Object(pairs) = field.value else {
        return Err(Refusal::wrong_type(&field.path(), "an object", field.value));
    };
    if 16 < pairs.len() {
        return Err(field.invalid(format!("at most 16 pairs, but got {}.", pairs.len())));
    }
    let fields = field.fields()?;
    let mut metadata = Metadata::new();
    for key in pairs.keys() {
        let value = fields.required_text(key)?;
        if 64 < key.chars().count() || 512 < value.chars().count() {
            return Err(field.invalid("a key has at most 64 and a value at most 512 characters."));
        }
        metadata.insert(key.clone(), value);
    }
    Ok(metadata)
}
