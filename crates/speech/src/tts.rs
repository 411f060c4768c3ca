//! How does this sound? Text in, sentences of sound out.
//!
//! Text is made fit for the ear ([`crate::text`]), then into phonemes, then spectra, then samples. Every
//! sentence is given away as soon as it is ready, so the first is heard while the rest is still text.

mod jargon;
mod level;
mod lexicon;
mod phonemes;
mod spelling;
mod tagger;
mod vocoder;
mod voice;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::cores::Cores;
use crate::error::{LoadError, NetError};
use crate::text::{Token, Utterance, utterances};
use crate::tts::phonemes::Phonemes;
use crate::tts::voice::Voice;

/// What the voice gives: samples per second.
pub const VOICE_RATE: u32 = 24_000;

/// The voice was trained on sentences of at most about this many phonemes; longer ones are cut at pauses.
const LONGEST: usize = 400;

/// Where the voice's files are.
#[derive(Debug, Clone)]
pub struct TtsFiles {
    /// `hibari.onnx`: phonemes to spectra.
    pub voice: PathBuf,
    /// `oov.onnx`: the letters of unknown words to phonemes.
    pub spelling: PathBuf,
    /// `lexicon_us_gold.json.gz` and `lexicon_us_silver.json.gz`: the phonemes of known words.
    pub lexicons: [PathBuf; 2],
    /// `tagger.json.gz`: parts of speech.
    pub tagger: PathBuf,
}

#[derive(Debug, Clone, Copy)]
pub struct TtsOptions {
    /// 1.0 is the voice's own pace; kept within 0.5 to 2.0.
    pub speed: f32,
}

/// One sentence, as text and as sound.
#[derive(Debug, Clone)]
pub struct Sentence {
    /// The words as they were given, for captions. Empty for the rest of a sentence so long that it comes in
    /// several pieces.
    pub text: String,
    /// 24 kHz mono, with the pause that follows the sentence. Empty where none of the words has a sound.
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
pub struct Tts {
    phonemes: Phonemes,
    voice: Voice,
}

impl Default for TtsOptions {
    fn default() -> Self {
        Self { speed: 1.0 }
    }
}

impl TtsFiles {
    /// The files under the names they have in the models directory.
    pub fn beneath(models: &Path) -> Self {
        let folder = models.join("hibari");
        Self {
            voice: folder.join("hibari.onnx"),
            spelling: folder.join("oov.onnx"),
            lexicons: [
                folder.join("lexicon_us_gold.json.gz"),
                folder.join("lexicon_us_silver.json.gz"),
            ],
            tagger: folder.join("tagger.json.gz"),
        }
    }
}

impl Tts {
    pub fn load(files: &TtsFiles, cores: &Cores) -> Result<Self, LoadError> {
        let [careful, rough] = &files.lexicons;
        Ok(Self {
            phonemes: Phonemes::load([careful, rough], &files.tagger, &files.spelling, cores)?,
            voice: Voice::load(&files.voice, cores)?,
        })
    }

    /// Speaks `text`, giving each sentence to `listener` as soon as it is ready (some 50 ms for the first).
    ///
    /// Symbols, numbers and identifiers are said as a person would. Text without anything to say gives
    /// no sentence.
    pub fn speak(
        &self,
        text: &str,
        options: &TtsOptions,
        listener: &mut dyn FnMut(Sentence) -> ControlFlow<()>,
    ) -> Result<(), TtsError> {
        let speed = if options.speed.is_finite() { options.speed.clamp(0.5, 2.0) } else { 1.0 };
        for Utterance { mut text, said } in utterances(text) {
            for phonemes in self.pieces(&said)? {
                let pcm = level::pcm(self.voice.sound(&phonemes, speed)?);
                if listener(Sentence { text: std::mem::take(&mut text), pcm }).is_break() {
                    return Err(TtsError::Cancelled);
                }
            }
        }
        Ok(())
    }

    /// The phonemes of a sentence, cut at pauses, or between words, where it is too long.
    fn pieces(&self, said: &[Token]) -> Result<Vec<String>, NetError> {
        let mut pieces = vec![String::new()];
        let mut length = 0;
        // Where the last pause in the running piece ends.
        let mut rest = None;
        for (token, sound) in said.iter().zip(self.phonemes.of(said)?) {
            let more = sound.chars().count();
            if length + more > LONGEST
                && let Some(last) = pieces.last_mut()
            {
                let begun = last.split_off(rest.unwrap_or(last.len()));
                length = begun.chars().count();
                pieces.push(begun);
                rest = None;
            }
            if let Some(last) = pieces.last_mut() {
                last.push_str(&sound);
                length += more;
                if matches!(token, Token::Pause(_)) {
                    rest = Some(last.len());
                }
            }
        }
        pieces.retain(|piece| !piece.trim().is_empty());
        Ok(pieces)
    }
}
