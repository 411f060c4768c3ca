//! The session object: its effective settings, what an update may change, and the echo.
//!
//! An update changes only the fields it names, deep inside `audio` too. `null` switches
//! off what can be off; `""` and `[]` clear. It is taken whole or not at all.

use serde_json::{Map, Value, json};

use super::fields::{Field, Fields};
use super::refusal::{ErrorCode, Refusal};

/// Effective settings of a session, echoed whole in `session.created` and `session.updated`.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// `sess_...`
    pub id: String,
    pub kind: SessionKind,
    /// Unix seconds.
    pub expires_at: u64,
    /// From the URL, for the whole session. An update that names another changes nothing,
    /// and the echo says so.
    pub model: String,
    pub output: Modality,
    pub instructions: String,
    pub input_format: AudioFormat,
    pub noise_reduction: Option<NoiseReduction>,
    pub transcription: Option<Transcription>,
    /// `None`: the client commits, and asks for each response.
    pub turn_detection: Option<TurnDetection>,
    pub output_format: AudioFormat,
    pub voice: Voice,
    /// 0.25 to 1.5.
    pub speed: f64,
    pub tools: Vec<Tool>,
    pub tool_choice: ToolChoice,
    pub parallel_tool_calls: Option<bool>,
    pub reasoning: Option<Effort>,
    pub max_output_tokens: MaxTokens,
    pub truncation: Truncation,
    /// Taken and echoed; nothing is traced.
    pub tracing: Option<Value>,
    pub include: Vec<String>,
    pub prompt: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionKind {
    Realtime,
    /// Hears and writes down; never answers.
    Transcription,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Modality {
    /// Voice with its transcript.
    Audio,
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioFormat {
    /// 24 kHz mono, 16 bits, little-endian.
    Pcm,
    /// G.711 μ-law: 8 kHz mono, one byte a sample.
    Pcmu,
    /// G.711 A-law: 8 kHz mono, one byte a sample.
    Pcma,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseReduction {
    pub kind: NoiseKind,
    pub strength: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoiseKind {
    NearField,
    FarField,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcription {
    pub model: Option<String>,
    pub language: Option<String>,
    pub languages: Option<Vec<String>>,
    pub prompt: Option<String>,
    pub keywords: Option<Vec<String>>,
    pub delay: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TurnDetection {
    pub kind: Detector,
    /// Whether the end of speech starts a response.
    pub create_response: bool,
    /// Whether the start of speech cancels the running response.
    pub interrupt_response: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Detector {
    ServerVad {
        /// 0 to 1.
        threshold: f64,
        prefix_padding_ms: u64,
        silence_duration_ms: u64,
        idle_timeout_ms: Option<u64>,
    },
    SemanticVad {
        eagerness: Eagerness,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Eagerness {
    Low,
    Medium,
    High,
    Auto,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Voice {
    Named(String),
    /// `{"id": ...}`
    Custom(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Tool {
    Function(Function),
    /// A remote tool as the client described it.
    Mcp(Value),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub name: String,
    pub description: Option<String>,
    /// JSON Schema of the arguments object.
    pub parameters: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    Auto,
    None,
    Required,
    Function(String),
    Mcp { server_label: String, name: Option<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effort {
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MaxTokens {
    /// 1 to 4096.
    Limit(u32),
    Inf,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Truncation {
    /// The oldest messages leave the context.
    Auto,
    /// A context that is too long is an error.
    Disabled,
    /// 0 to 1 of the context is kept when it must be cut.
    Retention { ratio: f64, post_instructions: Option<u64> },
}

/// What an update wants of one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Change<T> {
    #[default]
    Keep,
    Off,
    Set(T),
}

/// A `session.update`, read.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionPatch {
    pub kind: SessionKind,
    pub output: Option<Modality>,
    pub instructions: Option<String>,
    pub input_format: Option<AudioFormat>,
    pub noise_reduction: Change<NoisePatch>,
    pub transcription: Change<Transcription>,
    pub turn_detection: Change<TurnPatch>,
    pub output_format: Option<AudioFormat>,
    pub voice: Option<Voice>,
    pub speed: Option<f64>,
    pub tools: Option<Vec<Tool>>,
    pub tool_choice: Option<ToolChoice>,
    pub parallel_tool_calls: Option<bool>,
    pub reasoning: Change<Effort>,
    pub max_output_tokens: Option<MaxTokens>,
    pub truncation: Option<Truncation>,
    pub tracing: Change<Value>,
    pub include: Option<Vec<String>>,
    pub prompt: Change<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoisePatch {
    pub kind: NoiseKind,
    pub strength: Option<f64>,
}

/// Fields left out keep their value while the detector stays of the same type, and take
/// their default when the type changes or detection was off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TurnPatch {
    pub kind: DetectorPatch,
    pub create_response: Option<bool>,
    pub interrupt_response: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DetectorPatch {
    ServerVad {
        threshold: Option<f64>,
        prefix_padding_ms: Option<u64>,
        silence_duration_ms: Option<u64>,
        idle_timeout_ms: Change<u64>,
    },
    SemanticVad {
        eagerness: Option<Eagerness>,
    },
}

/// Whether this session's voice was heard already: from then on it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoiceUse {
    Unheard,
    Heard,
}

impl TurnDetection {
    /// The service's defaults.
    pub const SERVER_VAD: Self = Self {
        kind: Detector::ServerVad {
            threshold: 0.5,
            prefix_padding_ms: 300,
            silence_duration_ms: 500,
            idle_timeout_ms: None,
        },
        create_response: true,
        interrupt_response: true,
    };

    /// The service's defaults.
    pub const SEMANTIC_VAD: Self = Self {
        kind: Detector::SemanticVad { eagerness: Eagerness::Auto },
        create_response: true,
        interrupt_response: true,
    };
}

impl Session {
    /// A session with the service's defaults.
    pub fn new(kind: SessionKind, id: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind,
            expires_at: 0,
            model: model.into(),
            output: Modality::Audio,
            instructions: String::new(),
            input_format: AudioFormat::Pcm,
            noise_reduction: None,
            transcription: None,
            turn_detection: Some(TurnDetection::SERVER_VAD),
            output_format: AudioFormat::Pcm,
            voice: Voice::Named("marin".to_owned()),
            speed: 1.0,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            parallel_tool_calls: None,
            reasoning: None,
            max_output_tokens: MaxTokens::Inf,
            truncation: Truncation::Auto,
            tracing: None,
            include: Vec::new(),
            prompt: None,
        }
    }

    /// Takes the update whole, or refuses it and changes nothing.
    pub fn apply(&mut self, patch: SessionPatch, voice_use: VoiceUse) -> Result<(), Refusal> {
        if patch.kind != self.kind {
            return Err(Refusal::invalid(
                "session.type",
                format!("this is a {} session, and its type cannot change.", self.kind.as_str()),
            ));
        }
        if voice_use == VoiceUse::Heard
            && patch.voice.as_ref().is_some_and(|voice| *voice != self.voice)
        {
            return Err(Refusal::new(
                ErrorCode::InvalidValue,
                "Cannot update a conversation's voice if assistant audio is present.",
            )
            .about("session.audio.output.voice"));
        }
        let SessionPatch {
            kind: _,
            output,
            instructions,
            input_format,
            noise_reduction,
            transcription,
            turn_detection,
            output_format,
            voice,
            speed,
            tools,
            tool_choice,
            parallel_tool_calls,
            reasoning,
            max_output_tokens,
            truncation,
            tracing,
            include,
            prompt,
        } = patch;
        set(&mut self.output, output);
        set(&mut self.instructions, instructions);
        set(&mut self.input_format, input_format);
        self.noise_reduction = match noise_reduction {
            Change::Keep => self.noise_reduction,
            Change::Off => None,
            Change::Set(patch) => Some(patch.over(self.noise_reduction)),
        };
        self.transcription = match transcription {
            Change::Keep => self.transcription.take(),
            Change::Off => None,
            Change::Set(patch) => Some(patch.over(self.transcription.take())),
        };
        self.turn_detection = match turn_detection {
            Change::Keep => self.turn_detection,
            Change::Off => None,
            Change::Set(patch) => Some(patch.over(self.turn_detection)),
        };
        set(&mut self.output_format, output_format);
        set(&mut self.voice, voice);
        set(&mut self.speed, speed);
        set(&mut self.tools, tools);
        set(&mut self.tool_choice, tool_choice);
        if parallel_tool_calls.is_some() {
            self.parallel_tool_calls = parallel_tool_calls;
        }
        reasoning.over(&mut self.reasoning);
        set(&mut self.max_output_tokens, max_output_tokens);
        set(&mut self.truncation, truncation);
        tracing.over(&mut self.tracing);
        set(&mut self.include, include);
        prompt.over(&mut self.prompt);
        Ok(())
    }

    /// The session object as clients read it.
    pub(crate) fn encode(&self) -> Value {
        let Self {
            id,
            kind,
            expires_at,
            model,
            output,
            instructions,
            input_format,
            noise_reduction,
            transcription,
            turn_detection,
            output_format,
            voice,
            speed,
            tools,
            tool_choice,
            parallel_tool_calls,
            reasoning,
            max_output_tokens,
            truncation,
            tracing,
            include,
            prompt,
        } = self;
        let input = json!({
            "format": input_format.encode(),
            "noise_reduction": noise_reduction.map(NoiseReduction::encode),
            "transcription": transcription.as_ref().map(Transcription::encode),
            "turn_detection": turn_detection.map(TurnDetection::encode),
        });
        let include = match include.as_slice() {
            [] => Value::Null,
            words => json!(words),
        };
        match kind {
            SessionKind::Transcription => json!({
                "type": kind.as_str(),
                "object": "realtime.transcription_session",
                "id": id,
                "expires_at": expires_at,
                "audio": { "input": input },
                "include": include,
            }),
            SessionKind::Realtime => {
                let mut session = json!({
                    "type": kind.as_str(),
                    "object": "realtime.session",
                    "id": id,
                    "expires_at": expires_at,
                    "model": model,
                    "output_modalities": output.encode(),
                    "instructions": instructions,
                    "audio": {
                        "input": input,
                        "output": {
                            "format": output_format.encode(),
                            "voice": voice.encode(),
                            "speed": speed,
                        },
                    },
                    "tools": tools.iter().map(Tool::encode).collect::<Vec<_>>(),
                    "tool_choice": tool_choice.encode(),
                    "max_output_tokens": max_output_tokens.encode(),
                    "truncation": truncation.encode(),
                    "tracing": tracing,
                    "include": include,
                    "prompt": prompt,
                });
                if let Some(parallel) = parallel_tool_calls {
                    session["parallel_tool_calls"] = json!(parallel);
                }
                if let Some(effort) = reasoning {
                    session["reasoning"] = json!({ "effort": effort.as_str() });
                }
                session
            }
        }
    }
}

impl SessionPatch {
    /// An update that changes nothing.
    pub const fn new(kind: SessionKind) -> Self {
        Self {
            kind,
            output: None,
            instructions: None,
            input_format: None,
            noise_reduction: Change::Keep,
            transcription: Change::Keep,
            turn_detection: Change::Keep,
            output_format: None,
            voice: None,
            speed: None,
            tools: None,
            tool_choice: None,
            parallel_tool_calls: None,
            reasoning: Change::Keep,
            max_output_tokens: None,
            truncation: None,
            tracing: Change::Keep,
            include: None,
            prompt: Change::Keep,
        }
    }

    pub(crate) fn decode(session: &Field<'_>) -> Result<Self, Refusal> {
        let fields = session.fields()?;
        let kind = fields.required("type")?.choice(&[
            ("realtime", SessionKind::Realtime),
            ("transcription", SessionKind::Transcription),
        ])?;
        refuse_flat(&fields)?;
        let mut patch = Self::new(kind);
        if let Some(audio) = fields.get("audio") {
            patch.decode_audio(&audio.fields()?)?;
        }
        patch.include = fields.get("include").map(|it| texts(&it)).transpose()?;
        if kind == SessionKind::Transcription {
            return Ok(patch);
        }
        patch.output =
            fields.get("output_modalities").map(|it| Modality::decode(&it)).transpose()?;
        patch.instructions = fields.text("instructions")?;
        patch.tools = fields.get("tools").map(|it| Tool::decode_list(&it)).transpose()?;
        patch.tool_choice =
            fields.get("tool_choice").map(|it| ToolChoice::decode(&it)).transpose()?;
        patch.parallel_tool_calls = fields.boolean("parallel_tool_calls")?;
        patch.reasoning = change(fields.raw("reasoning"), Effort::decode)?;
        patch.max_output_tokens =
            fields.get("max_output_tokens").map(|it| MaxTokens::decode(&it)).transpose()?;
        patch.truncation =
            fields.get("truncation").map(|it| Truncation::decode(&it)).transpose()?;
        patch.tracing = change(fields.raw("tracing"), |it| match it.value {
            Value::String(word) if word == "auto" => Ok(it.value.clone()),
            Value::Object(_) => Ok(it.value.clone()),
            _ => Err(it.invalid("expected 'auto', an object or null.")),
        })?;
        patch.prompt = change(fields.raw("prompt"), prompt)?;
        Ok(patch)
    }

    fn decode_audio(&mut self, audio: &Fields<'_>) -> Result<(), Refusal> {
        if let Some(input) = audio.get("input") {
            let input = input.fields()?;
            self.input_format =
                input.get("format").map(|it| AudioFormat::decode(&it)).transpose()?;
            self.noise_reduction = change(input.raw("noise_reduction"), NoisePatch::decode)?;
            self.transcription = change(input.raw("transcription"), Transcription::decode)?;
            self.turn_detection = change(input.raw("turn_detection"), TurnPatch::decode)?;
        }
        if let Some(output) = audio.get("output")
            && self.kind == SessionKind::Realtime
        {
            let output = output.fields()?;
            self.output_format =
                output.get("format").map(|it| AudioFormat::decode(&it)).transpose()?;
            self.voice = output.get("voice").map(|it| Voice::decode(&it)).transpose()?;
            self.speed = output.get("speed").map(|it| it.number(0.25..=1.5)).transpose()?;
        }
        Ok(())
    }
}

impl<T> Change<T> {
    fn over(self, setting: &mut Option<T>) {
        match self {
            Self::Keep => (),
            Self::Off => *setting = None,
            Self::Set(value) => *setting = Some(value),
        }
    }
}

impl NoisePatch {
    fn over(self, old: Option<NoiseReduction>) -> NoiseReduction {
        let strength = self.strength.or(old.map(|old| old.strength)).unwrap_or(1.0);
        NoiseReduction { kind: self.kind, strength }
    }

    fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        let fields = field.fields()?;
        let kind = fields
            .required("type")?
            .choice(&[("near_field", NoiseKind::NearField), ("far_field", NoiseKind::FarField)])?;
        let strength = fields.get("strength").map(|it| it.number(0.0..=1.0)).transpose()?;
        Ok(Self { kind, strength })
    }
}

impl TurnPatch {
    fn over(self, old: Option<TurnDetection>) -> TurnDetection {
        let defaults = match self.kind {
            DetectorPatch::ServerVad { .. } => TurnDetection::SERVER_VAD,
            DetectorPatch::SemanticVad { .. } => TurnDetection::SEMANTIC_VAD,
        };
        let base = match (self.kind, old) {
            (
                DetectorPatch::ServerVad { .. },
                Some(old @ TurnDetection { kind: Detector::ServerVad { .. }, .. }),
            )
            | (
                DetectorPatch::SemanticVad { .. },
                Some(old @ TurnDetection { kind: Detector::SemanticVad { .. }, .. }),
            ) => old,
            (DetectorPatch::ServerVad { .. } | DetectorPatch::SemanticVad { .. }, _) => defaults,
        };
        TurnDetection {
            kind: self.kind.over(base.kind),
            create_response: self.create_response.unwrap_or(base.create_response),
            interrupt_response: self.interrupt_response.unwrap_or(base.interrupt_response),
        }
    }

    fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        #[derive(Clone, Copy)]
        enum Kind {
            Server,
            Semantic,
        }
        let fields = field.fields()?;
        let kind = fields
            .required("type")?
            .choice(&[("server_vad", Kind::Server), ("semantic_vad", Kind::Semantic)])?;
        let kind = match kind {
            Kind::Server => DetectorPatch::ServerVad {
                threshold: fields.get("threshold").map(|it| it.number(0.0..=1.0)).transpose()?,
                prefix_padding_ms: fields
                    .get("prefix_padding_ms")
                    .map(|it| it.integer(0..=MAX_DETECTION_MS))
                    .transpose()?,
                silence_duration_ms: fields
                    .get("silence_duration_ms")
                    .map(|it| it.integer(0..=MAX_DETECTION_MS))
                    .transpose()?,
                idle_timeout_ms: change(fields.raw("idle_timeout_ms"), |it| {
                    it.integer(IDLE_TIMEOUT_MS)
                })?,
            },
            Kind::Semantic => DetectorPatch::SemanticVad {
                eagerness: fields
                    .get("eagerness")
                    .map(|it| {
                        it.choice(&[
                            ("low", Eagerness::Low),
                            ("medium", Eagerness::Medium),
                            ("high", Eagerness::High),
                            ("auto", Eagerness::Auto),
                        ])
                    })
                    .transpose()?,
            },
        };
        Ok(Self {
            kind,
            create_response: fields.boolean("create_response")?,
            interrupt_response: fields.boolean("interrupt_response")?,
        })
    }
}

/// A pause of a minute is no pause in speech any more.
const MAX_DETECTION_MS: u64 = 60_000;

/// The service's bounds, as its SDK states them.
const IDLE_TIMEOUT_MS: std::ops::RangeInclusive<u64> = 5_000..=30_000;

impl DetectorPatch {
    /// `base` is of the same type: [`TurnPatch::over`] saw to it.
    fn over(self, base: Detector) -> Detector {
        match (self, base) {
            (
                Self::ServerVad {
                    threshold,
                    prefix_padding_ms,
                    silence_duration_ms,
                    idle_timeout_ms,
                },
                Detector::ServerVad {
                    threshold: old_threshold,
                    prefix_padding_ms: old_padding,
                    silence_duration_ms: old_silence,
                    idle_timeout_ms: mut idle,
                },
            ) => {
                idle_timeout_ms.over(&mut idle);
                Detector::ServerVad {
                    threshold: threshold.unwrap_or(old_threshold),
                    prefix_padding_ms: prefix_padding_ms.unwrap_or(old_padding),
                    silence_duration_ms: silence_duration_ms.unwrap_or(old_silence),
                    idle_timeout_ms: idle,
                }
            }
            (Self::SemanticVad { eagerness }, Detector::SemanticVad { eagerness: old }) => {
                Detector::SemanticVad { eagerness: eagerness.unwrap_or(old) }
            }
            (Self::ServerVad { .. }, Detector::SemanticVad { .. })
            | (Self::SemanticVad { .. }, Detector::ServerVad { .. }) => base,
        }
    }
}

impl SessionKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Transcription => "transcription",
        }
    }
}

impl Modality {
    pub(crate) fn encode(self) -> Value {
        match self {
            Self::Audio => json!(["audio"]),
            Self::Text => json!(["text"]),
        }
    }

    pub(crate) fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        let words: Vec<Self> = field
            .list()?
            .map(|it| it.choice(&[("audio", Self::Audio), ("text", Self::Text)]))
            .collect::<Result<_, _>>()?;
        match words[..] {
            [word] => Ok(word),
            _ => Err(field.invalid("say exactly one of ['audio'] and ['text'].")),
        }
    }
}

impl AudioFormat {
    pub(crate) fn encode(self) -> Value {
        match self {
            Self::Pcm => json!({ "type": "audio/pcm", "rate": 24000 }),
            Self::Pcmu => json!({ "type": "audio/pcmu" }),
            Self::Pcma => json!({ "type": "audio/pcma" }),
        }
    }

    pub(crate) fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        let fields = field.fields()?;
        let format = fields.required("type")?.choice(&[
            ("audio/pcm", Self::Pcm),
            ("audio/pcmu", Self::Pcmu),
            ("audio/pcma", Self::Pcma),
        ])?;
        if format == Self::Pcm
            && let Some(rate) = fields.get("rate")
        {
            rate.integer(24_000..=24_000)?;
        }
        Ok(format)
    }
}

impl NoiseReduction {
    fn encode(self) -> Value {
        let kind = match self.kind {
            NoiseKind::NearField => "near_field",
            NoiseKind::FarField => "far_field",
        };
        json!({ "type": kind, "strength": self.strength })
    }
}

impl Transcription {
    /// As an update: fields left out keep their value.
    fn over(self, old: Option<Self>) -> Self {
        let old = old.unwrap_or_default();
        Self {
            model: self.model.or(old.model),
            language: self.language.or(old.language),
            languages: self.languages.or(old.languages),
            prompt: self.prompt.or(old.prompt),
            keywords: self.keywords.or(old.keywords),
            delay: self.delay.or(old.delay),
        }
    }

    fn encode(&self) -> Value {
        let Self { model, language, languages, prompt, keywords, delay } = self;
        let mut object = Map::new();
        for (name, text) in
            [("model", model), ("language", language), ("prompt", prompt), ("delay", delay)]
        {
            if let Some(text) = text {
                object.insert(name.to_owned(), json!(text));
            }
        }
        for (name, list) in [("languages", languages), ("keywords", keywords)] {
            if let Some(list) = list {
                object.insert(name.to_owned(), json!(list));
            }
        }
        Value::Object(object)
    }

    fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        let fields = field.fields()?;
        Ok(Self {
            model: fields.text("model")?,
            language: fields.text("language")?,
            languages: fields.get("languages").map(|it| texts(&it)).transpose()?,
            prompt: fields.text("prompt")?,
            keywords: fields.get("keywords").map(|it| texts(&it)).transpose()?,
            delay: fields.text("delay")?,
        })
    }
}

impl TurnDetection {
    fn encode(self) -> Value {
        let Self { kind, create_response, interrupt_response } = self;
        match kind {
            Detector::ServerVad {
                threshold,
                prefix_padding_ms,
                silence_duration_ms,
                idle_timeout_ms,
            } => json!({
                "type": "server_vad",
                "threshold": threshold,
                "prefix_padding_ms": prefix_padding_ms,
                "silence_duration_ms": silence_duration_ms,
                "idle_timeout_ms": idle_timeout_ms,
                "create_response": create_response,
                "interrupt_response": interrupt_response,
            }),
            Detector::SemanticVad { eagerness } => json!({
                "type": "semantic_vad",
                "eagerness": match eagerness {
                    Eagerness::Low => "low",
                    Eagerness::Medium => "medium",
                    Eagerness::High => "high",
                    Eagerness::Auto => "auto",
                },
                "create_response": create_response,
                "interrupt_response": interrupt_response,
            }),
        }
    }
}

impl Voice {
    pub(crate) fn encode(&self) -> Value {
        match self {
            Self::Named(name) => json!(name),
            Self::Custom(id) => json!({ "id": id }),
        }
    }

    pub(crate) fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        match field.value {
            Value::Object(_) => Ok(Self::Custom(field.fields()?.required_text("id")?)),
            _ => Ok(Self::Named(field.text()?.to_owned())),
        }
    }
}

impl Tool {
    fn encode(&self) -> Value {
        match self {
            Self::Function(Function { name, description, parameters }) => {
                let mut tool = json!({ "type": "function", "name": name });
                if let Some(description) = description {
                    tool["description"] = json!(description);
                }
                if let Some(parameters) = parameters {
                    tool["parameters"] = parameters.clone();
                }
                tool
            }
            Self::Mcp(tool) => tool.clone(),
        }
    }

    pub(crate) fn decode_list(field: &Field<'_>) -> Result<Vec<Self>, Refusal> {
        field.list()?.map(|it| Self::decode(&it)).collect()
    }

    fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        #[derive(Clone, Copy)]
        enum Kind {
            Function,
            Mcp,
        }
        let fields = field.fields()?;
        let kind = match fields.get("type") {
            Some(kind) => kind.choice(&[("function", Kind::Function), ("mcp", Kind::Mcp)])?,
            None => Kind::Function,
        };
        match kind {
            Kind::Mcp => {
                fields.required_text("server_label")?;
                Ok(Self::Mcp(field.value.clone()))
            }
            Kind::Function => {
                let parameters = fields
                    .get("parameters")
                    .map(|it| it.fields().map(|_| it.value.clone()))
                    .transpose()?;
                Ok(Self::Function(Function {
                    name: fields.required_text("name")?,
                    description: fields.text("description")?,
                    parameters,
                }))
            }
        }
    }
}

impl ToolChoice {
    fn encode(&self) -> Value {
        match self {
            Self::Auto => json!("auto"),
            Self::None => json!("none"),
            Self::Required => json!("required"),
            Self::Function(name) => json!({ "type": "function", "name": name }),
            Self::Mcp { server_label, name: None } => {
                json!({ "type": "mcp", "server_label": server_label })
            }
            Self::Mcp { server_label, name: Some(name) } => {
                json!({ "type": "mcp", "server_label": server_label, "name": name })
            }
        }
    }

    pub(crate) fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        #[derive(Clone, Copy)]
        enum Kind {
            Auto,
            None,
            Required,
            Function,
            Mcp,
        }
        let kind = match field.value {
            Value::Object(_) => field
                .fields()?
                .required("type")?
                .choice(&[("function", Kind::Function), ("mcp", Kind::Mcp)])?,
            _ => field.choice(&[
                ("auto", Kind::Auto),
                ("none", Kind::None),
                ("required", Kind::Required),
            ])?,
        };
        Ok(match kind {
            Kind::Auto => Self::Auto,
            Kind::None => Self::None,
            Kind::Required => Self::Required,
            Kind::Function => Self::Function(field.fields()?.required_text("name")?),
            Kind::Mcp => {
                let fields = field.fields()?;
                Self::Mcp {
                    server_label: fields.required_text("server_label")?,
                    name: fields.text("name")?,
                }
            }
        })
    }
}

impl Effort {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
        }
    }

    pub(crate) fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        let efforts = [Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh];
        field.fields()?.required("effort")?.choice(&efforts.map(|it| (it.as_str(), it)))
    }
}

impl MaxTokens {
    pub(crate) fn encode(self) -> Value {
        match self {
            Self::Limit(limit) => json!(limit),
            Self::Inf => json!("inf"),
        }
    }

    pub(crate) fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        match field.value {
            Value::String(_) => field.choice(&[("inf", Self::Inf)]),
            _ => {
                let limit = field.integer(1..=4096)?;
                Ok(u32::try_from(limit).map_or(Self::Inf, Self::Limit))
            }
        }
    }
}

impl Truncation {
    fn encode(self) -> Value {
        match self {
            Self::Auto => json!("auto"),
            Self::Disabled => json!("disabled"),
            Self::Retention { ratio, post_instructions: None } => {
                json!({ "type": "retention_ratio", "retention_ratio": ratio })
            }
            Self::Retention { ratio, post_instructions: Some(limit) } => json!({
                "type": "retention_ratio",
                "retention_ratio": ratio,
                "token_limits": { "post_instructions": limit },
            }),
        }
    }

    fn decode(field: &Field<'_>) -> Result<Self, Refusal> {
        let Value::Object(_) = field.value else {
            return field.choice(&[("auto", Self::Auto), ("disabled", Self::Disabled)]);
        };
        let fields = field.fields()?;
        fields.required("type")?.choice(&[("retention_ratio", ())])?;
        let post_instructions = match fields.get("token_limits") {
            Some(limits) => limits
                .fields()?
                .get("post_instructions")
                .map(|it| it.integer(0..=u64::from(u32::MAX)))
                .transpose()?,
            None => None,
        };
        Ok(Self::Retention {
            ratio: fields.required("retention_ratio")?.number(0.0..=1.0)?,
            post_instructions,
        })
    }
}

pub(crate) fn prompt(field: &Field<'_>) -> Result<Value, Refusal> {
    field.fields()?.required_text("id")?;
    Ok(field.value.clone())
}

pub(crate) fn texts(field: &Field<'_>) -> Result<Vec<String>, Refusal> {
    field.list()?.map(|it| it.text().map(str::to_owned)).collect()
}

fn set<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

fn change<'a, T>(
    field: Option<Field<'a>>,
    decode: impl FnOnce(&Field<'_>) -> Result<T, Refusal>,
) -> Result<Change<T>, Refusal> {
    match field {
        None => Ok(Change::Keep),
        Some(field) if field.value.is_null() => Ok(Change::Off),
        Some(field) => decode(&field).map(Change::Set),
    }
}

/// A session of the beta shape would lose its settings silently: say where they went.
fn refuse_flat(fields: &Fields<'_>) -> Result<(), Refusal> {
    const MOVED: [(&str, &str); 8] = [
        ("modalities", "output_modalities"),
        ("voice", "audio.output.voice"),
        ("speed", "audio.output.speed"),
        ("input_audio_format", "audio.input.format"),
        ("output_audio_format", "audio.output.format"),
        ("input_audio_transcription", "audio.input.transcription"),
        ("input_audio_noise_reduction", "audio.input.noise_reduction"),
        ("turn_detection", "audio.input.turn_detection"),
    ];
    for (old, new) in MOVED {
        if let Some(field) = fields.raw(old) {
            let path = field.path();
            return Err(Refusal::new(
                ErrorCode::UnknownParameter,
                format!("Unknown parameter: '{path}'. Use 'session.{new}'."),
            )
            .about(path));
        }
    }
    Ok(())
}
