//! What was said? Whisper, greedy and without timestamps, on rten's matrix kernels.
//!
//! Whisper was trained on windows of 30 s, and silence costs as much as speech. So a short utterance gets a
//! short window, but never one so short that the model, unused to it, repeats itself ([`LEAST_WINDOW`]);
//! where it does all the same, the whole window is taken.

mod decoder;
mod encoder;
mod layers;
mod repeats;
mod vocabulary;
mod weights;

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use rten_simd::SimdOp;
use rten_vecmath::{LogSoftmax, Softmax};

use crate::EAR_RATE;
use crate::asr::decoder::Decoder;
use crate::asr::encoder::Encoder;
use crate::asr::repeats::stuck;
use crate::asr::vocabulary::Vocabulary;
use crate::asr::weights::Weights;
use crate::cores::Cores;
use crate::error::LoadError;
use crate::mel::{HOP, LogMel};

/// Rows the encoder gives per second.
const ROWS_PER_SECOND: usize = 50;

/// The shortest window, in the encoder's rows: 10.24 s. Shorter ones make the base model loop (decision 0003).
const LEAST_WINDOW: usize = 512;
/// Silence kept after the last sample, in rows: without it the last word is lost.
const WINDOW_MARGIN: usize = 50;
/// Windows come in steps of this many rows: it suits the matrix kernels.
const WINDOW_STEP: usize = 64;

/// Longer utterances are heard in pieces: the window is 30 s, less the margin.
const LONGEST_PIECE: usize = 28 * EAR_RATE as usize;
/// A piece is cut at the quietest point after this.
const SHORTEST_PIECE: usize = 18 * EAR_RATE as usize;
/// The quiet that is looked for, in samples: 0.2 s.
const PAUSE: usize = EAR_RATE as usize / 5;
/// Nothing shorter holds a word: 0.1 s.
const SHORTEST_SOUND: usize = EAR_RATE as usize / 10;

/// Nobody says more than this per second, and whoever says little may still need a few.
const TOKENS_PER_SECOND: f32 = 8.0;
const FEWEST_TOKENS: usize = 12;

/// Half of the model's memory for tokens, less the steering ones, is left to the words expected.
const LONGEST_PROMPT: usize = 200;

/// What an utterance is about here, in English. The model hears better what it expects, and a sentence, unlike a
/// list of words, does no harm where the talk is of something else (decision 0003).
const TOPIC: &str = " Talking to a coding agent about tests, commits, branches, parse, git diff, async, cargo, Rust.";

/// Where the model thinks nobody spoke *and* is unsure of its words, there were none. Both limits are the
/// authors'.
const NO_SPEECH: f32 = 0.6;
const UNSURE: f32 = -1.0;

/// Where Whisper's files are.
#[derive(Debug, Clone)]
pub struct AsrFiles {
    /// `model.bin`, as CTranslate2 keeps it, in half precision.
    pub weights: PathBuf,
    /// `vocabulary.txt`: a token per line, in the byte alphabet of GPT-2.
    pub vocabulary: PathBuf,
}

#[derive(Debug, Clone)]
pub struct AsrOptions {
    /// A two-letter code (`en`, `de`, ...).
    pub language: String,
    /// Words that are likely here (names of files, functions, crates), best as a sentence. It tips the
    /// balance between spellings; a list of words does harm where the talk is of something else. That the
    /// talk is of code is known already.
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
}

pub struct Asr {
    encoder: Encoder,
    decoder: Decoder,
    vocabulary: Vocabulary,
    log_mel: LogMel,
    cores: Cores,
}

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

impl std::fmt::Debug for Asr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asr").field("tokens", &self.vocabulary.len()).finish_non_exhaustive()
    }
}

impl Asr {
    pub fn load(files: &AsrFiles, cores: &Cores) -> Result<Self, LoadError> {
        let vocabulary = Vocabulary::read(&files.vocabulary)?;
        let mut weights = Weights::read(&files.weights)?;
        let (encoder, decoder) = cores.run(|| {
            Ok::<_, LoadError>((Encoder::load(&mut weights)?, Decoder::load(&mut weights)?))
        })?;
        if encoder.width() != decoder.width() || decoder.tokens() != vocabulary.len() {
            return Err(
                weights.unsuitable("its encoder, decoder and vocabulary are of different models")
            );
        }
        Ok(Self { encoder, decoder, vocabulary, log_mel: LogMel::new(), cores: cores.clone() })
    }

    /// The words in `samples` (16 kHz, any length; over 28 s it is heard in pieces, cut at pauses).
    ///
    /// `checkpoint` is asked between layers and between words, every few milliseconds; it may wait to let
    /// other work pass, or break to cancel.
    pub fn transcribe(
        &self,
        samples: &[f32],
        options: &AsrOptions,
        checkpoint: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Transcript, AsrError> {
        let language = self
            .vocabulary
            .language(&options.language)
            .ok_or_else(|| AsrError::UnknownLanguage(options.language.clone()))?;
        let opening = self.opening(language, options);

        let mut whole = Whole::default();
        for piece in pieces(samples) {
            match self.hear(&samples[piece], &opening, checkpoint) {
                ControlFlow::Continue(heard) => whole.append(&self.vocabulary, heard),
                ControlFlow::Break(()) => return Err(AsrError::Cancelled),
            }
        }
        Ok(whole.transcript())
    }

    /// What the model reads before it writes.
    fn opening(&self, language: u32, options: &AsrOptions) -> Opening {
        let specials = &self.vocabulary.specials;
        let topic = if options.language == "en" { TOPIC } else { "" };
        let expected = match options.vocabulary.trim() {
            "" => topic.to_owned(),
            vocabulary => format!("{topic} {vocabulary}"),
        };
        let mut tokens = Vec::new();
        if !expected.is_empty() {
            tokens.push(specials.prompt);
            tokens.extend(self.vocabulary.encode(&expected).into_iter().take(LONGEST_PROMPT));
        }
        let start = tokens.len();
        tokens.extend([specials.start, language, specials.transcribe, specials.no_times]);
        Opening { tokens, start }
    }

    fn hear(
        &self,
        piece: &[f32],
        opening: &Opening,
        checkpoint: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> ControlFlow<(), Heard> {
        let spoken = piece.len().div_ceil(EAR_RATE as usize / ROWS_PER_SECOND);
        let window = (spoken + WINDOW_MARGIN)
            .next_multiple_of(WINDOW_STEP)
            .clamp(LEAST_WINDOW, self.encoder.longest().max(LEAST_WINDOW))
            .min(self.encoder.longest());
        let heard = self.hear_in(window, piece, opening, checkpoint)?;
        if heard.looped && window < self.encoder.longest() {
            return self.hear_in(self.encoder.longest(), piece, opening, checkpoint);
        }
        ControlFlow::Continue(heard)
    }

    fn hear_in(
        &self,
        window: usize,
        piece: &[f32],
        opening: &Opening,
        checkpoint: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> ControlFlow<(), Heard> {
        let frames = 2 * window;
        let silent = frames.saturating_sub(piece.len() / HOP);
        let mel = self.log_mel.of(&piece[..piece.len().min(frames * HOP)], silent);
        let sound = self.encoder.encode(&mel, &self.cores, checkpoint)?;
        checkpoint()?;
        let mut dictation = self.cores.run(|| self.decoder.listen(&sound));

        let last = opening.tokens.len() - 1;
        let mut likely = self.cores.run(|| dictation.read(&opening.tokens, &[opening.start, last]));
        let mut next = likely.split_off(self.decoder.tokens());
        Softmax::new_mut(&mut likely).dispatch();
        let no_speech = likely[self.vocabulary.specials.no_speech as usize];

        let seconds = piece.len() as f32 / EAR_RATE as f32;
        let limit = (FEWEST_TOKENS + (seconds * TOKENS_PER_SECOND) as usize).min(dictation.room());
        let mut heard =
            Heard { tokens: Vec::new(), log_probability: 0.0, no_speech, looped: false };
        loop {
            self.forbid(&mut next, heard.tokens.is_empty());
            LogSoftmax::new_mut(&mut next).dispatch();
            let (token, log_probability) = likeliest(&next);
            heard.log_probability += log_probability;
            if token == self.vocabulary.specials.end {
                break;
            }
            heard.tokens.push(token);
            if let Some(once) = stuck(&heard.tokens) {
                heard.tokens.truncate(once);
                heard.looped = true;
                break;
            }
            if heard.tokens.len() >= limit {
                heard.looped = true;
                break;
            }
            checkpoint()?;
            next = self.cores.run(|| dictation.read(&[token], &[0]));
        }
        heard.log_probability /= (heard.tokens.len() + 1) as f32;
        ControlFlow::Continue(heard)
    }

    /// Leaves only what can be written here: words, or the end.
    fn forbid(&self, likely: &mut [f32], at_the_beginning: bool) {
        let end = self.vocabulary.specials.end as usize;
        likely[end + 1..].fill(f32::NEG_INFINITY);
        for token in &self.vocabulary.not_speech {
            likely[*token as usize] = f32::NEG_INFINITY;
        }
        if at_the_beginning {
            likely[end] = f32::NEG_INFINITY;
            if let Some(blank) = self.vocabulary.blank {
                likely[blank as usize] = f32::NEG_INFINITY;
            }
        }
    }
}

struct Opening {
    tokens: Vec<u32>,
    /// Where the transcript starts among them: there the model says whether anybody spoke.
    start: usize,
}

/// One piece, as tokens.
struct Heard {
    tokens: Vec<u32>,
    log_probability: f32,
    no_speech: f32,
    looped: bool,
}

/// The pieces put together.
#[derive(Default)]
struct Whole {
    text: String,
    tokens: usize,
    /// Sum over the tokens.
    log_probability: f32,
    /// The least: one piece with words makes an utterance.
    no_speech: Option<f32>,
}

impl Whole {
    fn append(&mut self, vocabulary: &Vocabulary, heard: Heard) {
        let Heard { tokens, log_probability, no_speech, looped: _ } = heard;
        let least = self.no_speech.map_or(no_speech, |least| least.min(no_speech));
        self.no_speech = Some(least);
        if no_speech > NO_SPEECH && log_probability < UNSURE {
            return;
        }
        let text = vocabulary.decode(&tokens);
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(text.trim());
        self.tokens += tokens.len();
        self.log_probability += log_probability * tokens.len() as f32;
    }

    fn transcript(self) -> Transcript {
        Transcript {
            log_probability: self.log_probability / self.tokens.max(1) as f32,
            no_speech: self.no_speech.unwrap_or(1.0),
            text: self.text.trim().to_owned(),
        }
    }
}

fn likeliest(likely: &[f32]) -> (u32, f32) {
    (0u32..)
        .zip(likely.iter().copied())
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .unwrap_or((0, f32::NEG_INFINITY))
}

/// Pieces short enough for the window, cut in the quietest moment.
fn pieces(samples: &[f32]) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while samples.len() - start > LONGEST_PIECE {
        let end = start + quietest(&samples[start..start + LONGEST_PIECE]);
        pieces.push(start..end);
        start = end;
    }
    if samples.len() - start >= SHORTEST_SOUND {
        pieces.push(start..samples.len());
    }
    pieces
}

/// The middle of the quietest pause that is neither too early nor at the very end.
fn quietest(piece: &[f32]) -> usize {
    let energy = |at: usize| piece[at..at + PAUSE].iter().map(|s| s * s).sum::<f32>();
    (SHORTEST_PIECE..piece.len() - PAUSE)
        .step_by(PAUSE / 4)
        .min_by(|a, b| energy(*a).total_cmp(&energy(*b)))
        .map_or(piece.len(), |at| at + PAUSE / 2)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_PIECE, PAUSE, pieces};

    #[test]
    fn long_speech_is_cut_in_its_pauses() {
        let mut samples = vec![0.5; LONGEST_PIECE + 16_000];
        let pause = 20 * 16_000;
        samples[pause..pause + PAUSE].fill(0.0);
        let cut = pieces(&samples);
        assert_eq!(cut.len(), 2);
        assert!((pause..pause + PAUSE).contains(&cut[0].end), "{cut:?}");
        assert_eq!(cut[1], cut[0].end..samples.len());
    }

    #[test]
    fn clicks_hold_no_words() {
        assert_eq!(pieces(&[0.0; 100]), []);
        assert_eq!(pieces(&[]), []);
    }
}
