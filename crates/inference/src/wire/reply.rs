//! What the host says while it does a job.

use std::path::PathBuf;

use protocol::{CallId, ModelEvent, ToolCall, Usage};
use serde::{Deserialize, Serialize};

use crate::{Error, Model, Route};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Reply {
    /// The job was read. A connection that closes before this never started: try again.
    Accepted,
    /// A model is being read from disk; `done` runs from 0 to 1.
    Loading {
        model: Model,
        done: f32,
    },
    TextDelta {
        delta: String,
    },
    Message {
        text: String,
    },
    ToolCall {
        call: String,
        name: String,
        arguments: String,
    },
    Usage {
        input_tokens: u64,
        cached_input_tokens: u64,
        output_tokens: u64,
    },
    /// The payload is one little-endian `f32` per frame of 32 ms.
    Probabilities,
    EndOfTurn {
        probability: f32,
    },
    Transcript {
        text: String,
        log_probability: f32,
        no_speech: f32,
    },
    Routed {
        route: Route,
    },
    /// One sentence: the payload is 24 kHz PCM16.
    Sound {
        text: String,
    },
    Done,
    Failed {
        failure: Failure,
    },
}

/// The errors of the host; those of the way there are made by the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Failure {
    ModelMissing { file: PathBuf },
    ModelUnusable { file: PathBuf, reason: String },
    UnsupportedProcessor { lacking: String },
    Busy { jobs: u32 },
    TooLong { tokens: u64, limit: u64 },
    Rejected { message: String },
    Model { model: Model, message: String },
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::ModelMissing { file } => Self::ModelMissing { file },
            Failure::ModelUnusable { file, reason } => Self::ModelUnusable { file, reason },
            Failure::UnsupportedProcessor { lacking } => Self::UnsupportedProcessor { lacking },
            Failure::Busy { jobs } => Self::Busy { jobs },
            Failure::TooLong { tokens, limit } => Self::TooLong { tokens, limit },
            Failure::Rejected { message } => Self::Rejected { message },
            Failure::Model { model, message } => Self::Model { model, message },
        }
    }
}

impl Reply {
    /// What a language model's caller sees of this; `None` for news of the host itself.
    pub(crate) fn into_model_event(self) -> Option<ModelEvent> {
        match self {
            Self::TextDelta { delta } => Some(ModelEvent::TextDelta { delta }),
            Self::Message { text } => Some(ModelEvent::Message { text }),
            Self::ToolCall { call, name, arguments } => {
                Some(ModelEvent::ToolCall(ToolCall { call: CallId::new(call), name, arguments }))
            }
            Self::Usage { input_tokens, cached_input_tokens, output_tokens } => {
                Some(ModelEvent::Completed {
                    usage: Usage {
                        input_tokens,
                        cached_input_tokens,
                        output_tokens,
                        reasoning_tokens: 0,
                    },
                })
            }
            Self::Accepted
            | Self::Loading { .. }
            | Self::Probabilities
            | Self::EndOfTurn { .. }
            | Self::Transcript { .. }
            | Self::Routed { .. }
            | Self::Sound { .. }
            | Self::Done
            | Self::Failed { .. } => None,
        }
    }
}
