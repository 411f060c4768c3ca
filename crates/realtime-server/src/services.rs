//! What the server needs of models.
//!
//! Sound is 16 kHz mono PCM16 on the way in and 24 kHz on the way out. Dropping a future or a
//! stream ends its work.

use std::future::Future;

use protocol::{ModelEvent, ModelRequest};
use voice_pipeline::Route;

/// Ears, voice and a writer of replies. Shared by all sessions.
pub trait Services: Send + Sync + 'static {
    type Hearing: Hearing;
    type Speaking: Speaking;
    type Writing: Writing;

    /// Loads what a spoken conversation needs, before it needs it.
    fn warm_up(&self) -> impl Future<Output = Result<(), ServiceError>> + Send;

    /// Loads what [`Services::route`] needs, if it is there. Nobody waits for it.
    fn warm_up_routes(&self) -> impl Future<Output = Result<(), ServiceError>> + Send;

    /// Opens a listener for voice activity: one for each session.
    fn hear(&self) -> impl Future<Output = Result<Self::Hearing, ServiceError>> + Send;

    /// How likely it is that the speaker has finished, from 0 to 1.
    fn end_of_turn(&self, pcm: Vec<i16>) -> impl Future<Output = Result<f32, ServiceError>> + Send;

    /// Writes down at most 30 s.
    fn transcribe(
        &self,
        pcm: Vec<i16>,
        hint: Hint,
    ) -> impl Future<Output = Result<Transcript, ServiceError>> + Send;

    /// What somebody wants who says `words` while work goes on.
    fn route(&self, words: String) -> impl Future<Output = Result<Route, ServiceError>> + Send;

    /// Speaks `text` at `speed` times the voice's own rate.
    fn speak(&self, text: String, speed: f32) -> Self::Speaking;

    /// Writes a reply.
    fn write(&self, request: ModelRequest) -> Self::Writing;
}

/// A listener for voice activity.
pub trait Hearing: Send + 'static {
    /// Takes sound in pieces of any size.
    fn push(&mut self, pcm: &[i16]) -> impl Future<Output = Result<(), ServiceError>> + Send;

    /// The next probabilities of speech, one for each whole 512 samples (32 ms), in order.
    /// Cancel-safe.
    fn next(&mut self) -> impl Future<Output = Result<Vec<f32>, ServiceError>> + Send;
}

/// Speech on its way.
pub trait Speaking: Send + 'static {
    /// The next piece; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Option<Result<Vec<i16>, ServiceError>>> + Send;
}

/// A reply on its way.
pub trait Writing: Send + 'static {
    /// The next event; `None` after the last.
    fn next(&mut self) -> impl Future<Output = Option<Result<ModelEvent, ServiceError>>> + Send;
}

/// What helps a recogniser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hint {
    /// A two-letter code.
    pub language: Option<String>,
    /// Words that are likely to be heard, as running text.
    pub vocabulary: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    pub text: String,
    /// Mean natural logarithm of the words' probabilities.
    pub log_probability: f32,
    /// How likely it is that nobody spoke, from 0 to 1.
    pub no_speech: f32,
}

/// Why a model did not do its work: a sentence for people, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ServiceError {
    pub message: String,
}

impl ServiceError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
