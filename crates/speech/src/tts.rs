//! How does this sound? Text in, sentences of sound out.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::cores::Cores;
use crate::error::{LoadError, NetError};

/// What the voice gives: samples per second.
pub const VOICE_RATE: u32 = 24_000;

/// Where the voice's files are.
#[derive(Debug, Clone)]
pub struct TtsFiles {
    /// `hibari.onnx`: phonemes to spectra.
    pub voice: PathBuf,
    /// `oov.onnx`: the letters of unknown words to phonemes.
    pub spelling: PathBuf,
}

#[derive(Debug, Clone, Copy)]
pub struct TtsOptions {
    /// 1.0 is the voice's own pace; kept within 0.5 to 2.0.
    pub speed: f32,
}

/// One sentence, as text and as sound.
#[derive(Debug, Clone)]
pub struct Sentence {
    /// The words as they were given, for captions.
    pub text: String,
    /// 24 kHz mono.
    pub pcm: Vec<i16>,
}

#[derive(Debug, thiserror::Error)]
pub enum TtsError {
    /// The listener said to stop.
    #[error("the speech was cancelled")]
    Cancelled,
    #[error(transparent)]
    Net(#[from] NetError),
}

#[derive(Debug)]
pub struct Tts {}

impl Default for TtsOptions {
    fn default() -> Self {
        Self { speed: 1.0 }
    }
}

impl TtsFiles {
    /// The files under the names they have in the models directory.
    pub fn beneath(models: &Path) -> Self {
        let folder = models.join("hibari");
        Self { voice: folder.join("hibari.onnx"), spelling: folder.join("oov.onnx") }
    }
}

impl Tts {
    pub fn load(files: &TtsFiles, _cores: &Cores) -> Result<Self, LoadError> {
        Err(LoadError::unsuitable(&files.voice, "text to speech is not there yet"))
    }

    /// Speaks `text`, giving each sentence to `listener` as soon as it is ready (some 50 ms for the first).
    ///
    /// Symbols, numbers and identifiers are said as a person would. Text without anything to say gives
    /// no sentence.
    pub fn speak(
        &self,
        _text: &str,
        _options: &TtsOptions,
        _listener: &mut dyn FnMut(Sentence) -> ControlFlow<()>,
    ) -> Result<(), TtsError> {
        Err(TtsError::Cancelled)
    }
}
