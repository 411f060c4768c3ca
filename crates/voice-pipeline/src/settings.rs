//! What a session was told to do, in force from one moment to the next.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{ItemId, Schema, ToolSpec};

use crate::item::NewItem;

/// Effective settings of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub kind: SessionKind,
    pub modality: Modality,
    pub instructions: String,
    /// Whether the client is told what was heard.
    pub transcription: Option<Transcription>,
    /// `None`: the client commits, and asks for each response.
    pub turn_detection: Option<TurnDetection>,
    pub look: Look,
    /// Of the voice, times its own rate.
    pub speed: f32,
    pub tools: Vec<ToolSpec>,
    pub tool_use: ToolUse,
    pub max_output_tokens: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionKind {
    Realtime,
    /// Hears and writes down; never answers.
    Transcription,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Modality {
    Audio,
    Text,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcription {
    /// A two-letter code, where the client named one.
    pub language: Option<String>,
    /// Words that are likely to be heard, as running text.
    pub vocabulary: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TurnDetection {
    pub detector: Detector,
    /// Whether the end of speech starts a response.
    pub create_response: bool,
    /// Whether the start of speech cancels the running response.
    pub interrupt_response: bool,
}

/// Who decides that an utterance is over. Both ask the end-of-turn model in every pause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Detector {
    /// `silence` ends an utterance that the model finds neither complete nor unfinished.
    Silence { threshold: f32, prefix_padding: Duration, silence: Duration, idle: Option<Duration> },
    /// The model's word counts; `patience` is the longest wait for one that is unfinished.
    Meaning { patience: Duration },
}

/// Of responses: only echoed here, and honoured where sound is encoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Look {
    pub format: SoundFormat,
    pub voice: Voice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoundFormat {
    Pcm,
    Ulaw,
    Alaw,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Voice {
    Named(String),
    Custom(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ToolUse {
    Auto,
    None,
    Required,
    Function(String),
}

/// A `response.create`: overrides for this response only.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResponseRequest {
    pub audience: Audience,
    /// The whole context instead of the conversation's.
    pub input: Option<Vec<InputItem>>,
    pub instructions: Option<String>,
    pub modality: Option<Modality>,
    pub format: Option<SoundFormat>,
    pub voice: Option<Voice>,
    pub tools: Option<Vec<ToolSpec>>,
    pub tool_use: Option<ToolUse>,
    /// `Some(None)`: as many as it takes.
    pub max_output_tokens: Option<Option<u32>>,
    pub metadata: Option<Metadata>,
}

/// Echoed, never read.
pub type Metadata = BTreeMap<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Audience {
    /// The response's items join the conversation; one such response at a time.
    #[default]
    Conversation,
    /// Nothing is added anywhere, and it runs beside others.
    OutOfBand,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputItem {
    Reference(ItemId),
    New(NewItem),
}

/// The tool that takes the user's words verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handoff {
    pub(crate) name: String,
    pub(crate) parameter: String,
}

impl Settings {
    /// The service's defaults.
    pub fn new(kind: SessionKind) -> Self {
        Self {
            kind,
            modality: Modality::Audio,
            instructions: String::new(),
            transcription: None,
            turn_detection: Some(TurnDetection::default()),
            look: Look { format: SoundFormat::Pcm, voice: Voice::Named("marin".to_owned()) },
            speed: 1.0,
            tools: Vec::new(),
            tool_use: ToolUse::Auto,
            max_output_tokens: None,
        }
    }
}

impl Default for TurnDetection {
    fn default() -> Self {
        Self {
            detector: Detector::Silence {
                threshold: 0.5,
                prefix_padding: Duration::from_millis(300),
                silence: Duration::from_millis(500),
                idle: None,
            },
            create_response: true,
            interrupt_response: true,
        }
    }
}

/// What one response is held to: the session's settings under the request's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Terms {
    pub(crate) audience: Audience,
    pub(crate) modality: Modality,
    pub(crate) look: Look,
    pub(crate) speed: f32,
    pub(crate) instructions: String,
    pub(crate) tools: Vec<ToolSpec>,
    pub(crate) tool_use: ToolUse,
    pub(crate) max_output_tokens: Option<u32>,
    pub(crate) metadata: Option<Metadata>,
}

impl Terms {
    pub(crate) fn new(settings: &Settings, request: ResponseRequest) -> Self {
        let ResponseRequest {
            audience,
            input: _,
            instructions,
            modality,
            format,
            voice,
            tools,
            tool_use,
            max_output_tokens,
            metadata,
        } = request;
        Self {
            audience,
            modality: modality.unwrap_or(settings.modality),
            look: Look {
                format: format.unwrap_or(settings.look.format),
                voice: voice.unwrap_or_else(|| settings.look.voice.clone()),
            },
            speed: settings.speed,
            instructions: instructions.unwrap_or_else(|| settings.instructions.clone()),
            tools: tools.unwrap_or_else(|| settings.tools.clone()),
            tool_use: tool_use.unwrap_or_else(|| settings.tool_use.clone()),
            max_output_tokens: max_output_tokens.unwrap_or(settings.max_output_tokens),
            metadata,
        }
    }

    /// The first tool that takes exactly one text: whoever offers it wants the user's words.
    pub(crate) fn handoff(&self) -> Option<Handoff> {
        if self.audience == Audience::OutOfBand {
            return None;
        }
        self.allowed_tools().into_iter().find_map(|tool| {
            let mut required = tool.parameters.iter().filter(|it| it.required);
            let (only, None) = (required.next()?, required.next()) else { return None };
            let takes_text = matches!(only.schema, Schema::Text { .. });
            takes_text.then(|| Handoff { name: tool.name.clone(), parameter: only.name.clone() })
        })
    }

    pub(crate) fn allowed_tools(&self) -> Vec<&ToolSpec> {
        match &self.tool_use {
            ToolUse::None => Vec::new(),
            ToolUse::Auto | ToolUse::Required => self.tools.iter().collect(),
            ToolUse::Function(name) => self.tools.iter().filter(|it| it.name == *name).collect(),
        }
    }

    pub(crate) fn tool_choice(&self) -> protocol::ToolChoice {
        match &self.tool_use {
            ToolUse::None => protocol::ToolChoice::None,
            ToolUse::Auto => protocol::ToolChoice::Auto,
            ToolUse::Required | ToolUse::Function(_) => protocol::ToolChoice::Required,
        }
    }
}
