//! The ears and the voice, loaded on first use and shared by all connections.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use speech::{Asr, AsrFiles, Cores, EndOfTurn, LoadError, Tts, TtsFiles, Vad};

use crate::wire::Failure;
use crate::{Model, ModelFiles};

pub(super) struct SpeechModels {
    vad: Lazy<Vad>,
    end_of_turn: Lazy<EndOfTurn>,
    asr: Lazy<Asr>,
    tts: Lazy<Tts>,
    models: PathBuf,
    threads: NonZeroUsize,
    cores: Lazy<Cores>,
}

/// Behind a lock, so that two connections load once. It is held while loading only: whoever
/// comes second needs the same model and can but wait.
struct Lazy<T>(Mutex<Option<Arc<T>>>);

impl SpeechModels {
    pub(super) fn new(files: &ModelFiles, threads: NonZeroU32) -> Self {
        Self {
            vad: Lazy::new(),
            end_of_turn: Lazy::new(),
            asr: Lazy::new(),
            tts: Lazy::new(),
            models: files.speech.clone(),
            threads: NonZeroUsize::try_from(threads).unwrap_or(NonZeroUsize::MIN),
            cores: Lazy::new(),
        }
    }

    /// On a thread of its own: it is not scheduled, and one is all it needs.
    pub(super) fn vad(&self) -> Result<Arc<Vad>, Failure> {
        self.vad.get(|| {
            let file = self.models.join("silero_vad_16k.onnx");
            Vad::load(&file, &Cores::new(NonZeroUsize::MIN)).map_err(failure)
        })
    }

    pub(super) fn end_of_turn(&self) -> Result<Arc<EndOfTurn>, Failure> {
        self.end_of_turn.get(|| {
            let file = self.models.join("smart-turn-v3.2-cpu.onnx");
            EndOfTurn::load(&file, self.cores()?.as_ref()).map_err(failure)
        })
    }

    pub(super) fn asr(&self) -> Result<Arc<Asr>, Failure> {
        self.asr.get(|| {
            Asr::load(&AsrFiles::beneath(&self.models), self.cores()?.as_ref()).map_err(failure)
        })
    }

    pub(super) fn tts(&self) -> Result<Arc<Tts>, Failure> {
        self.tts.get(|| {
            Tts::load(&TtsFiles::beneath(&self.models), self.cores()?.as_ref()).map_err(failure)
        })
    }

    pub(super) fn load(&self, model: Model) -> Result<(), Failure> {
        match model {
            Model::VoiceActivity => self.vad().map(drop),
            Model::EndOfTurn => self.end_of_turn().map(drop),
            Model::SpeechToText => self.asr().map(drop),
            Model::TextToSpeech => self.tts().map(drop),
            // Lives in its own thread, see `agent`.
            Model::Agent => Ok(()),
        }
    }

    /// One set of threads for all that is scheduled: only one computes at a time.
    fn cores(&self) -> Result<Arc<Cores>, Failure> {
        self.cores.get(|| Ok(Cores::new(self.threads)))
    }
}

impl<T> Lazy<T> {
    fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// A failure is not kept: the file may come.
    fn get(&self, load: impl FnOnce() -> Result<T, Failure>) -> Result<Arc<T>, Failure> {
        // A load that panicked left nothing behind.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref() {
            return Ok(Arc::clone(kept));
        }
        let loaded = Arc::new(load()?);
        *kept = Some(Arc::clone(&loaded));
        Ok(loaded)
    }
}

fn failure(error: LoadError) -> Failure {
    match error {
        LoadError::Read { path, source } if source.kind() == std::io::ErrorKind::NotFound => {
            Failure::ModelMissing { file: path }
        }
        LoadError::Read { path, source } => {
            Failure::ModelUnusable { file: path, reason: source.to_string() }
        }
        LoadError::Unsuitable { path, reason } => Failure::ModelUnusable { file: path, reason },
    }
}
