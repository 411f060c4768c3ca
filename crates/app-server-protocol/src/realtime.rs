//! The spoken conversation of a thread.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use protocol::{PlaybackChange, RealtimeVersion, Speaker, Stage};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeStartParams {
    pub thread_id: String,
    #[serde(default, skip_serializing_if = "RealtimePrompt::is_default")]
    pub prompt: RealtimePrompt,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realtime_session_id: Option<String>,
    /// The older spelling of [`Self::realtime_session_id`], which wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<RealtimeTransport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_modality: Option<OutputModality>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<RealtimeVersionName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Three states on the wire: absent, `null`, a string.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RealtimePrompt {
    /// Absent: our own instructions.
    #[default]
    Default,
    /// `null`: no instructions.
    Nothing,
    Text(String),
}

impl RealtimePrompt {
    const fn is_default(&self) -> bool {
        matches!(self, Self::Default)
    }
}

impl<'de> Deserialize<'de> for RealtimePrompt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Nothing, Self::Text))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RealtimeTransport {
    Websocket,
    Webrtc { sdp: String },
    ExistingCall { call_id: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OutputModality {
    Text,
    Audio,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RealtimeVersionName {
    V1,
    V2,
    V3,
}

impl From<RealtimeVersion> for RealtimeVersionName {
    fn from(version: RealtimeVersion) -> Self {
        match version {
            RealtimeVersion::V1 => Self::V1,
            RealtimeVersion::V2 => Self::V2,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeAppendAudioParams {
    pub thread_id: String,
    pub audio: AudioChunk,
}

/// Sound: base64 of little-endian PCM16, channels interleaved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioChunk {
    pub data: String,
    pub sample_rate: u32,
    pub num_channels: u16,
    #[serde(default)]
    pub samples_per_channel: Option<u32>,
    #[serde(default)]
    pub item_id: Option<String>,
}

/// Sound that would be misread if it were taken at its word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AudioShapeError {
    #[error("audio.data is not base64")]
    NotBase64,
    #[error(
        "audio.data holds {bytes} bytes, which is no whole number of {channels}-channel PCM16 frames"
    )]
    Ragged { bytes: usize, channels: u16 },
    #[error("audio.numChannels is {0}: 1 to 8 channels are understood")]
    Channels(u16),
    #[error("audio.sampleRate is {0}: 8000 to 192000 Hz are understood")]
    SampleRate(u32),
    #[error("audio.samplesPerChannel says {said}, but audio.data holds {held}")]
    Length { said: u32, held: usize },
}

impl AudioChunk {
    pub fn new(pcm: &[i16], sample_rate: u32, item_id: Option<String>) -> Self {
        let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        Self {
            data: BASE64.encode(bytes),
            sample_rate,
            num_channels: 1,
            samples_per_channel: u32::try_from(pcm.len()).ok(),
            item_id,
        }
    }

    /// The samples, interleaved; every claim about their shape is checked.
    pub fn pcm(&self) -> Result<Vec<i16>, AudioShapeError> {
        if !(1..=8).contains(&self.num_channels) {
            return Err(AudioShapeError::Channels(self.num_channels));
        }
        if !(8_000..=192_000).contains(&self.sample_rate) {
            return Err(AudioShapeError::SampleRate(self.sample_rate));
        }
        let bytes = BASE64.decode(&self.data).map_err(|_| AudioShapeError::NotBase64)?;
        if bytes.len() % (2 * usize::from(self.num_channels)) != 0 {
            return Err(AudioShapeError::Ragged {
                bytes: bytes.len(),
                channels: self.num_channels,
            });
        }
        let held = bytes.len() / 2 / usize::from(self.num_channels);
        if let Some(said) = self.samples_per_channel.filter(|said| *said as usize != held) {
            return Err(AudioShapeError::Length { said, held });
        }
        Ok(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeAppendTextParams {
    pub thread_id: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeStopParams {
    pub thread_id: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealtimeListVoicesParams {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealtimeListVoicesResult {
    pub voices: RealtimeVoices,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeVoices {
    pub v1: Vec<String>,
    pub v2: Vec<String>,
    pub default_v1: String,
    pub default_v2: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeStarted {
    pub thread_id: String,
    pub realtime_session_id: Option<String>,
    /// The older spelling, with the same value.
    pub session_id: Option<String>,
    pub version: RealtimeVersionName,
}

/// `item` is passed through as it came.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeItemAdded {
    pub thread_id: String,
    pub item: Box<RawValue>,
}

impl PartialEq for RealtimeItemAdded {
    fn eq(&self, other: &Self) -> bool {
        self.thread_id == other.thread_id && self.item.get() == other.item.get()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeTranscriptDelta {
    pub thread_id: String,
    pub role: SpeakerName,
    pub delta: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeTranscriptDone {
    pub thread_id: String,
    pub role: SpeakerName,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SpeakerName {
    User,
    Assistant,
}

impl From<Speaker> for SpeakerName {
    fn from(speaker: Speaker) -> Self {
        match speaker {
            Speaker::User => Self::User,
            Speaker::Assistant => Self::Assistant,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeOutputAudioDelta {
    pub thread_id: String,
    pub audio: AudioChunk,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeError {
    pub thread_id: String,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeClosed {
    pub thread_id: String,
    /// `requested`, `transport_closed` or `error`.
    pub reason: Option<String>,
}

/// Our extension [`crate::STAGES_EXTENSION`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeStage {
    pub thread_id: String,
    pub stage: StageName,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

/// Our extension [`crate::PLAYBACK_EXTENSION`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimePlayback {
    pub thread_id: String,
    pub change: PlaybackName,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PlaybackName {
    /// Be silent, and keep what has not sounded.
    Held,
    /// Go on where it was held.
    Resumed,
    /// Drop what has not sounded.
    Stopped,
}

impl From<PlaybackChange> for PlaybackName {
    fn from(change: PlaybackChange) -> Self {
        match change {
            PlaybackChange::Held => Self::Held,
            PlaybackChange::Resumed => Self::Resumed,
            PlaybackChange::Stopped => Self::Stopped,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StageName {
    SpeechStarted,
    SpeechStopped,
    Transcribed,
    HandedOff,
    FirstToken,
    AgentDone,
    FirstAudio,
    ReplyDone,
    ReplyBroken,
}

impl From<Stage> for StageName {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::SpeechStarted => Self::SpeechStarted,
            Stage::SpeechStopped => Self::SpeechStopped,
            Stage::Transcribed => Self::Transcribed,
            Stage::HandedOff => Self::HandedOff,
            Stage::FirstToken => Self::FirstToken,
            Stage::AgentDone => Self::AgentDone,
            Stage::FirstAudio => Self::FirstAudio,
            Stage::ReplyDone => Self::ReplyDone,
            Stage::ReplyBroken => Self::ReplyBroken,
        }
    }
}
