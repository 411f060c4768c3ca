//! The host, as the rest of Duet sees it.
//!
//! Every call connects by itself and starts the host where none runs, so nothing here has to
//! be kept alive, closed or reconnected. `next` of every stream is cancel-safe; dropping the
//! stream ends the work.

mod call;
mod connector;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use protocol::{ModelError, ModelEvent, ModelRequest};

use self::call::Call;
use self::connector::Connector;
use crate::wire::{Frame, Job, Reply, Samples, floats_from_bytes, pcm_from_bytes, pcm_to_bytes};
use crate::{Error, HostOptions, Model, Route};

/// How to run this program so that it becomes a model host: it must pass the arguments after
/// `args` to [`crate::host_main`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCommand {
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

/// A way to the host of this user. Cheap to clone; needs a tokio runtime with IO and time.
#[derive(Debug, Clone)]
pub struct Client {
    connector: Arc<Connector>,
}

impl Client {
    pub fn new(command: HostCommand, options: HostOptions) -> Self {
        Self { connector: Arc::new(Connector::new(command, options)) }
    }

    /// Runs the agent's model. Nothing happens before the first [`Generation::next`].
    pub fn generate(&self, request: ModelRequest) -> Generation {
        Generation { call: self.call(Job::Generate { request: request.into() }, Bytes::new()) }
    }

    /// Opens a listener for voice activity: one per microphone, for as long as it listens.
    pub async fn vad(&self) -> Result<VadStream, Error> {
        let mut call = self.call(Job::VoiceActivity, Bytes::new());
        call.open().await?;
        Ok(VadStream { call })
    }

    /// How likely it is that the speaker has finished, from 0 to 1.
    ///
    /// `samples` is the utterance so far at 16 kHz; the last eight seconds count.
    pub async fn end_of_turn(&self, samples: &[i16]) -> Result<f32, Error> {
        let mut call = self.call(Job::EndOfTurn, pcm_to_bytes(samples));
        loop {
            match call.next().await {
                Some(Ok((Reply::EndOfTurn { probability }, _))) => return Ok(probability),
                Some(Ok((Reply::Loading { .. }, _))) => {}
                Some(Ok((reply, _))) => return Err(unexpected(&reply)),
                Some(Err(error)) => return Err(error),
                None => return Err(self.connector.stopped()),
            }
        }
    }

    /// Writes down one utterance at 16 kHz.
    pub async fn transcribe(
        &self,
        samples: &[i16],
        options: TranscribeOptions,
    ) -> Result<Transcript, Error> {
        let TranscribeOptions { language, vocabulary } = options;
        let job = Job::Transcribe { language, vocabulary };
        let mut call = self.call(job, pcm_to_bytes(samples));
        loop {
            match call.next().await {
                Some(Ok((Reply::Transcript { text, log_probability, no_speech }, _))) => {
                    return Ok(Transcript { text, log_probability, no_speech });
                }
                Some(Ok((Reply::Loading { .. }, _))) => {}
                Some(Ok((reply, _))) => return Err(unexpected(&reply)),
                Some(Err(error)) => return Err(error),
                None => return Err(self.connector.stopped()),
            }
        }
    }

    /// What somebody wants who says `words` while the agent works. [`Route::Work`] at once where
    /// the agent's model is not loaded: nobody has to wait for that.
    pub async fn route(&self, words: String) -> Result<Route, Error> {
        let mut call = self.call(Job::Route { words }, Bytes::new());
        match call.next().await {
            Some(Ok((Reply::Routed { route }, _))) => Ok(route),
            Some(Ok((reply, _))) => Err(unexpected(&reply)),
            Some(Err(error)) => Err(error),
            None => Err(self.connector.stopped()),
        }
    }

    /// Speaks `text`, a sentence at a time, at `speed` times the voice's own rate.
    pub fn synthesize(&self, text: String, speed: f32) -> Speech {
        Speech { call: self.call(Job::Synthesize { text, speed }, Bytes::new()) }
    }

    /// Loads models before they are needed, in this order.
    pub fn warm_up(&self, models: Vec<Model>) -> WarmUp {
        WarmUp { call: self.call(Job::WarmUp { models }, Bytes::new()) }
    }

    fn call(&self, job: Job, payload: Bytes) -> Call {
        Call::new(Arc::clone(&self.connector), job, payload)
    }
}

/// A running call of the agent's model.
#[derive(Debug)]
pub struct Generation {
    call: Call,
}

impl Generation {
    /// The next event; `None` after [`ModelEvent::Completed`] or an error.
    pub async fn next(&mut self) -> Option<Result<ModelEvent, ModelError>> {
        loop {
            match self.call.next().await? {
                Ok((reply, _)) => {
                    if let Some(event) = reply.into_model_event() {
                        return Some(Ok(event));
                    }
                }
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

/// Voice activity of one microphone.
#[derive(Debug)]
pub struct VadStream {
    call: Call,
}

impl VadStream {
    /// Sends sound at 16 kHz, in pieces of any size.
    pub async fn push(&mut self, samples: &[i16]) -> Result<(), Error> {
        self.call.send(Frame::new(&Samples {}, pcm_to_bytes(samples))).await
    }

    /// The next probabilities of speech, one for each whole frame of 512 samples (32 ms), in
    /// order. Waits until there is one.
    pub async fn next(&mut self) -> Result<Vec<f32>, Error> {
        loop {
            match self.call.next().await {
                Some(Ok((Reply::Probabilities, payload))) => {
                    return Ok(floats_from_bytes(&payload));
                }
                Some(Ok((Reply::Loading { .. }, _))) => {}
                Some(Ok((reply, _))) => return Err(unexpected(&reply)),
                Some(Err(error)) => return Err(error),
                None => return Err(self.call.stopped()),
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscribeOptions {
    /// A two-letter code.
    pub language: String,
    /// Names that are likely to be heard, as running text. It does harm where the talk is of
    /// something else, so empty is the default.
    pub vocabulary: String,
}

impl Default for TranscribeOptions {
    fn default() -> Self {
        Self { language: "en".to_owned(), vocabulary: String::new() }
    }
}

/// What was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// Empty when nothing was said.
    pub text: String,
    /// Mean natural logarithm of the words' probabilities: above -0.5 is sure, below -1 a guess.
    pub log_probability: f32,
    /// The model's estimate, 0 to 1, that nobody spoke.
    pub no_speech: f32,
}

/// One sentence of [`Speech`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    pub text: String,
    /// 24 kHz.
    pub pcm: Vec<i16>,
}

/// Speech on its way.
#[derive(Debug)]
pub struct Speech {
    call: Call,
}

impl Speech {
    /// The next sentence; `None` at the end. Reading slowly makes the host wait.
    pub async fn next(&mut self) -> Option<Result<Sentence, Error>> {
        loop {
            match self.call.next().await? {
                Ok((Reply::Sound { text }, payload)) => {
                    return Some(Ok(Sentence { text, pcm: pcm_from_bytes(&payload) }));
                }
                Ok((Reply::Loading { .. }, _)) => {}
                Ok((reply, _)) => return Some(Err(unexpected(&reply))),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Models being loaded.
#[derive(Debug)]
pub struct WarmUp {
    call: Call,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loading {
    pub model: Model,
    /// From 0 to 1.
    pub done: f32,
}

impl WarmUp {
    /// The next step; `None` when every model is loaded.
    pub async fn next(&mut self) -> Option<Result<Loading, Error>> {
        match self.call.next().await? {
            Ok((Reply::Loading { model, done }, _)) => Some(Ok(Loading { model, done })),
            Ok((reply, _)) => Some(Err(unexpected(&reply))),
            Err(error) => Some(Err(error)),
        }
    }
}

fn unexpected(reply: &Reply) -> Error {
    Error::Rejected { message: format!("the model host answered another question: {reply:?}") }
}
