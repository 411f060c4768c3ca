//! What was said? Whisper, read from its CTranslate2 weights.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::cores::Cores;
use crate::error::{LoadError, NetError};

/// Where Whisper's files are.
#[derive(Debug, Clone)]
pub struct AsrFiles {
    /// `model.bin`, as CTranslate2 keeps it.
    pub weights: PathBuf,
    /// `vocabulary.txt`: a token per line, in the byte alphabet of GPT-2.
    pub vocabulary: PathBuf,
}

#[derive(Debug, Clone)]
pub struct AsrOptions {
    /// A two-letter code (`en`, `de`, ...).
    pub language: String,
    /// Words that are likely here (names of files, functions, crates), as running text. It tips the
    /// balance between spellings; with speech about something else it does harm, so empty is the default.
    pub vocabulary: String,
}

/// The words of an utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// Trimmed; empty if nothing was said.
    pub text: String,
    /// Mean natural logarithm of the tokens' probabilities: above -0.5 is sure, below -1 is a guess.
    pub log_probability: f32,
    /// The model's own estimate (0 to 1) that nobody spoke.
    pub no_speech: f32,
}

#[derive(Debug, thiserror::Error)]
pub enum AsrError {
    /// The checkpoint said to stop.
    #[error("the transcription was cancelled")]
    Cancelled,
    #[error(
        "the speech model does not know the language {0:?}; use a two-letter code such as \"en\""
    )]
    UnknownLanguage(String),
    #[error(transparent)]
    Net(#[from] NetError),
}

#[derive(Debug)]
pub struct Asr {}

impl Default for AsrOptions {
    fn default() -> Self {
        Self { language: "en".to_owned(), vocabulary: String::new() }
    }
}

impl AsrFiles {
    /// The files under the names they have in the models directory.
    pub fn beneath(models: &Path) -> Self {
        let folder = models.join("whisper-base");
        Self { weights: folder.join("model.bin"), vocabulary: folder.join("vocabulary.txt") }
    }
}

impl Asr {
    pub fn load(files: &AsrFiles, _cores: &Cores) -> Result<Self, LoadError> {
        Err(LoadError::unsuitable(&files.weights, "speech to text is not there yet"))
    }

    /// The words in `samples` (16 kHz, any length; over 28 s it is heard in pieces).
    ///
    /// `checkpoint` is asked between layers and between words, every few milliseconds; it may wait to let
    /// other work pass, or break to cancel.
    pub fn transcribe(
        &self,
        _samples: &[f32],
        _options: &AsrOptions,
        _checkpoint: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Transcript, AsrError> {
        Err(AsrError::Cancelled)
    }
}
