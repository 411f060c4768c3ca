//! The weights: tokens in, likeliest tokens out.
//!
//! Keeps the computed state of the last context, so that a request which begins like the one
//! before costs only what is new in it.

use std::num::NonZeroU32;
use std::path::Path;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;

use super::matcher::Matcher;
use super::prefix_cache::PrefixCache;
use super::render::{Mark, Piece};
use crate::scheduler::{Cancelled, Turn};

/// Tokens of the agent's context. The model knows 32 768; at the speed of a processor nobody would wait
/// for more than a quarter of that, and its state costs 28 KB a token.
pub(super) const CONTEXT: u32 = 8_192;

/// Prompt tokens per step: half a second on two cores, which is what speech may have to wait.
/// Larger steps are hardly faster (`docs/decisions/0005-bundled-agent.md`).
const STEP: usize = 32;

/// A state is fetched from disk when it saves this many tokens at least; reading it costs
/// about as much as computing ten.
const WORTH_FETCHING: usize = 64;
const WORTH_KEEPING: usize = 256;

/// Of the vocabulary, for what else might have been written.
const BESIDE: usize = 8;

#[derive(Debug, thiserror::Error)]
pub(super) enum EngineError {
    #[error("cancelled")]
    Cancelled,
    #[error("{0}")]
    Failed(String),
}

impl From<Cancelled> for EngineError {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Cancelled
    }
}

pub(super) fn load(
    backend: &LlamaBackend,
    file: &Path,
    progress: impl Fn(f32) + 'static,
) -> Result<LlamaModel, EngineError> {
    let params = LlamaModelParams::default().with_progress_callback(move |done| {
        progress(done);
        true
    });
    LlamaModel::load_from_file(backend, file, &params).map_err(failed)
}

pub(super) struct Engine<'m> {
    model: &'m LlamaModel,
    context: LlamaContext<'m>,
    batch: LlamaBatch<'m>,
    /// What the context's state holds.
    kept: Vec<LlamaToken>,
    /// Tokens that fit.
    size: u32,
    cache: PrefixCache,
}

impl<'m> Engine<'m> {
    pub(super) fn new(
        backend: &LlamaBackend,
        model: &'m LlamaModel,
        threads: u32,
        size: u32,
        cache: PrefixCache,
    ) -> Result<Self, EngineError> {
        let threads = i32::try_from(threads).unwrap_or(1).max(1);
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(size))
            .with_n_batch(STEP as u32)
            .with_n_ubatch(STEP as u32)
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        let context = model.new_context(backend, params).map_err(failed)?;
        let (batch, kept) = (LlamaBatch::new(STEP, 1), Vec::new());
        Ok(Self { model, context, batch, kept, size, cache })
    }

    /// Text never becomes a mark, whatever it says.
    pub(super) fn tokenize(&self, pieces: &[Piece]) -> Vec<LlamaToken> {
        let vocab = self.model.vocab();
        let mut tokens = Vec::new();
        for piece in pieces {
            let (text, marks) = match piece {
                Piece::Mark(mark @ (Mark::Start | Mark::End)) => (mark.as_str(), true),
                Piece::Text(text) => (text.as_str(), false),
            };
            tokens.extend(vocab.tokenize(text.as_bytes(), /*add_special*/ false, marks));
        }
        tokens
    }

    pub(super) fn tokenize_forced(&self, bytes: &[u8]) -> Vec<LlamaToken> {
        self.model.vocab().tokenize(bytes, /*add_special*/ false, /*parse_special*/ false)
    }

    pub(super) fn bytes(&self, token: LlamaToken) -> Vec<u8> {
        self.model.vocab().token_to_piece(token, /*special*/ false, None)
    }

    pub(super) fn ends(&self, token: LlamaToken) -> bool {
        self.model.vocab().is_eog(token)
    }

    /// Tokens that the state holds now.
    pub(super) fn position(&self) -> usize {
        self.kept.len()
    }

    /// Makes the state that of `tokens`, of which the first `prefix` come again in later
    /// requests. Returns how many were there already.
    pub(super) fn prompt(
        &mut self,
        tokens: &[LlamaToken],
        prefix: usize,
        turn: &mut Turn<'_>,
    ) -> Result<usize, EngineError> {
        self.fetch(tokens);
        // The last token is always computed: its likelihoods are what we came for.
        let cached = common(&self.kept, tokens).min(tokens.len().saturating_sub(1));
        self.rewind(cached)?;
        if cached < prefix {
            self.feed(&tokens[cached..prefix], turn)?;
            if prefix >= WORTH_KEEPING && prefix - cached >= WORTH_FETCHING {
                self.cache.keep(tokens_of(&tokens[..prefix]), |file| {
                    self.context.state_seq_save_file(file, 0, &tokens[..prefix]).is_ok()
                });
            }
        }
        let fed = self.kept.len();
        self.feed(&tokens[fed..], turn)?;
        Ok(cached)
    }

    /// Forgets what comes after `length` tokens.
    pub(super) fn rewind(&mut self, length: usize) -> Result<(), EngineError> {
        if length < self.kept.len() {
            let from = u32::try_from(length).map_err(failed)?;
            let done = self.context.clear_kv_cache_seq(Some(0), Some(from), None);
            if !done.map_err(failed)? {
                self.forget();
                return Err(EngineError::Failed("its context could not be shortened".to_owned()));
            }
            self.kept.truncate(length);
        }
        Ok(())
    }

    /// Adds tokens to the context, a step at a time.
    pub(super) fn feed(
        &mut self,
        tokens: &[LlamaToken],
        turn: &mut Turn<'_>,
    ) -> Result<(), EngineError> {
        for step in tokens.chunks(STEP) {
            turn.checkpoint()?;
            self.batch.clear();
            for (at, token) in step.iter().enumerate() {
                let position = i32::try_from(self.kept.len() + at).map_err(failed)?;
                let last = at + 1 == step.len();
                self.batch.add(*token, position, &[0], last).map_err(failed)?;
            }
            if let Err(error) = self.context.decode(&mut self.batch) {
                self.forget();
                return Err(failed(error));
            }
            self.kept.extend_from_slice(step);
        }
        Ok(())
    }

    /// The likeliest token that `matcher` lets pass; `None` ends the reply.
    pub(super) fn choose(&self, matcher: &Matcher<'_>) -> Choice {
        let last = self.batch.n_tokens() - 1;
        let likelihoods = self.context.get_logits_ith(last);
        let token = |at: usize| LlamaToken::new(i32::try_from(at).unwrap_or_default());
        let allowed = |candidate: LlamaToken| {
            if self.ends(candidate) {
                return matcher.may_end().then_some(Choice::End);
            }
            let bytes = self.bytes(candidate);
            matcher.accepts(&bytes).then_some(Choice::Token(candidate, bytes))
        };
        let best = likelihoods.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        if let Some(choice) = best.and_then(|(at, _)| allowed(token(at))) {
            return choice;
        }
        // Rarely come here: the rest in order of likelihood, until one fits.
        let mut order: Vec<usize> = (0..likelihoods.len()).collect();
        order.sort_unstable_by(|a, b| likelihoods[*b].total_cmp(&likelihoods[*a]));
        order.into_iter().find_map(|at| allowed(token(at))).unwrap_or(Choice::Nothing)
    }

    /// The likeliest token that fits and of which `is_other` holds, with how much less likely it is
    /// than the likeliest of all. Only looks at a few.
    pub(super) fn beside(
        &self,
        matcher: &Matcher<'_>,
        is_other: impl Fn(&[u8]) -> bool,
    ) -> Option<((LlamaToken, Vec<u8>), f32)> {
        let likelihoods = self.context.get_logits_ith(self.batch.n_tokens() - 1);
        let first = likeliest(likelihoods);
        let best = first.first()?.1;
        first.into_iter().find_map(|(at, likelihood)| {
            let token = LlamaToken::new(i32::try_from(at).ok()?);
            let bytes = self.bytes(token);
            let fits = !self.ends(token) && matcher.accepts(&bytes) && is_other(&bytes);
            fits.then_some(((token, bytes), best - likelihood))
        })
    }

    /// How likely each of `options` comes next: natural logarithms, which mean something only
    /// beside each other.
    pub(super) fn likelihoods<const N: usize>(&self, options: [LlamaToken; N]) -> [f32; N] {
        let likelihoods = self.context.get_logits_ith(self.batch.n_tokens() - 1);
        let at = |token: LlamaToken| usize::try_from(token.0).ok();
        options.map(|it| {
            at(it).and_then(|at| likelihoods.get(at)).copied().unwrap_or(f32::NEG_INFINITY)
        })
    }

    /// Takes a state from disk where it begins like `tokens` for much longer than ours does.
    fn fetch(&mut self, tokens: &[LlamaToken]) {
        let have = common(&self.kept, tokens);
        let Some(kept) = self.cache.longest(&tokens_of(tokens)) else { return };
        if kept.common < have + WORTH_FETCHING {
            return;
        }
        let loaded = self.context.state_seq_load_file(&kept.file, 0, self.size as usize);
        match loaded {
            Ok((tokens, _)) => self.kept = tokens,
            // The state is gone either way; it is computed again.
            Err(_) => self.forget(),
        }
    }

    fn forget(&mut self) {
        self.context.clear_kv_cache();
        self.kept.clear();
    }
}

/// The likeliest few, most likely first.
fn likeliest(likelihoods: &[f32]) -> Vec<(usize, f32)> {
    let mut first: Vec<(usize, f32)> = Vec::with_capacity(BESIDE + 1);
    for (at, likelihood) in likelihoods.iter().copied().enumerate() {
        if first.len() == BESIDE && first.last().is_some_and(|it| likelihood <= it.1) {
            continue;
        }
        let place = first.partition_point(|it| likelihood <= it.1);
        first.insert(place, (at, likelihood));
        first.truncate(BESIDE);
    }
    first
}

pub(super) enum Choice {
    Token(LlamaToken, Vec<u8>),
    End,
    /// No token at all fits: the grammar has no bytes that the vocabulary knows.
    Nothing,
}

fn common(a: &[LlamaToken], b: &[LlamaToken]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn tokens_of(tokens: &[LlamaToken]) -> Vec<i32> {
    tokens.iter().map(|it| it.0).collect()
}

fn failed(error: impl ToString) -> EngineError {
    EngineError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_are_the_first() {
        let likelihoods: Vec<f32> = (0..20).map(|it| ((it * 7) % 20) as f32).collect();
        let first = likeliest(&likelihoods);
        let best: Vec<f32> = first.iter().map(|it| it.1).collect();
        assert_eq!(best, [19.0, 18.0, 17.0, 16.0, 15.0, 14.0, 13.0, 12.0]);
        assert!(first.iter().all(|(at, likelihood)| likelihoods[*at] == *likelihood));
        assert_eq!(likeliest(&[1.0, f32::NEG_INFINITY]).len(), 2);
        assert_eq!(likeliest(&[]), []);
    }
}
