//! Any rate to any rate, as a stream.

use std::fmt;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

/// Samples of the slower side in one block of the transform, at least. It sets how steep the
/// filter is: below 256 the roll-off eats into speech, above it only adds delay (half a
/// block: 5 ms at 24 kHz).
const BLOCK: usize = 256;

/// The slowest and fastest rate taken: telephone codecs start at 8 kHz, and nothing records
/// above 768 kHz. A header outside is damaged.
const SENSIBLE_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// One mono stream from one rate to another, with the filter that keeps aliases below -60 dB.
///
/// The output does not depend on the pieces in which the input arrives, starts with the
/// input's first sample (the filter's delay is taken off) and, after [`Resampler::finish`],
/// is as long as the input to the sample.
pub struct Resampler {
    from_hz: u32,
    to_hz: u32,
    /// `None` when the rates are the same.
    engine: Option<Engine>,
}

struct Engine {
    fft: Fft<f32>,
    /// Less than a block of input.
    waiting: Vec<f32>,
    block_out: Vec<f32>,
    consumed: u64,
    produced: u64,
    /// Samples of the filter's delay that still have to come out before the first real one.
    delay_left: usize,
}

/// A rate that no recording has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{hz} samples a second is not a sensible rate: take one from {} to {} Hz",
    SENSIBLE_HZ.start(),
    SENSIBLE_HZ.end()
)]
pub struct RateError {
    pub hz: u32,
}

impl Resampler {
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, RateError> {
        for hz in [from_hz, to_hz] {
            if !SENSIBLE_HZ.contains(&hz) {
                return Err(RateError { hz });
            }
        }
        let engine = (from_hz != to_hz).then(|| Engine::new(from_hz, to_hz)).transpose()?;
        Ok(Self { from_hz, to_hz, engine })
    }

    pub fn from_hz(&self) -> u32 {
        self.from_hz
    }

    pub fn to_hz(&self) -> u32 {
        self.to_hz
    }

    /// Appends what `input` yields so far to `output`: it lags the input by up to a block.
    pub fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        match &mut self.engine {
            None => output.extend_from_slice(input),
            Some(engine) => engine.push(input, output),
        }
    }

    /// Appends the rest, so that the output is as long as the input, and starts anew: the
    /// next sample pushed is the first of another stream.
    pub fn finish(&mut self, output: &mut Vec<f32>) {
        if let Some(engine) = &mut self.engine {
            engine.finish(output);
        }
    }
}

impl fmt::Debug for Resampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resampler({} Hz -> {} Hz)", self.from_hz, self.to_hz)
    }
}

impl Engine {
    fn new(from_hz: u32, to_hz: u32) -> Result<Self, RateError> {
        // The block is given on the input's side; the slower side shall have `BLOCK` of it.
        let (from, to) = (from_hz as usize, to_hz as usize);
        let block_in = (BLOCK * from).div_ceil(to).max(BLOCK);
        // One channel, one block a call: nothing is held back inside.
        let fft = Fft::new_custom(
            from,
            to,
            block_in,
            1,
            1,
            rubato::WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        // It refuses only rates and sizes of 0.
        .map_err(|_| RateError { hz: from_hz.min(to_hz) })?;
        let delay_left = fft.output_delay();
        let block_out = vec![0.0; fft.output_frames_max()];
        Ok(Self { fft, waiting: Vec::new(), block_out, consumed: 0, produced: 0, delay_left })
    }

    fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        self.consumed += input.len() as u64;
        let block = self.fft.input_frames_next();
        let mut input = input;
        if !self.waiting.is_empty() {
            let (head, rest) = input.split_at(input.len().min(block - self.waiting.len()));
            self.waiting.extend_from_slice(head);
            input = rest;
            if self.waiting.len() < block {
                return;
            }
            let waiting = std::mem::take(&mut self.waiting);
            self.block(&waiting, output);
            self.waiting = waiting;
            self.waiting.clear();
        }
        let mut blocks = input.chunks_exact(block);
        for input in blocks.by_ref() {
            self.block(input, output);
        }
        self.waiting.extend_from_slice(blocks.remainder());
    }

    fn finish(&mut self, output: &mut Vec<f32>) {
        let block = self.fft.input_frames_next();
        let whole = self.whole_len();
        let mut waiting = std::mem::take(&mut self.waiting);
        while self.produced < whole {
            waiting.resize(block, 0.0);
            let before = output.len();
            self.block(&waiting, output);
            let excess = self.produced.saturating_sub(whole) as usize;
            output.truncate(output.len().saturating_sub(excess).max(before));
            waiting.clear();
        }
        self.fft.reset();
        self.consumed = 0;
        self.produced = 0;
        self.delay_left = self.fft.output_delay();
    }

    /// Samples out for the samples in, rounded to the nearest.
    fn whole_len(&self) -> u64 {
        let (num, den) = (self.fft.fft_size_out() as u64, self.fft.fft_size_in() as u64);
        (self.consumed * num + den / 2) / den
    }

    fn block(&mut self, input: &[f32], output: &mut Vec<f32>) {
        let frames_out = self.block_out.len();
        let adapters = (
            InterleavedSlice::new(input, 1, input.len()),
            InterleavedSlice::new_mut(&mut self.block_out, 1, frames_out),
        );
        let (Ok(from), Ok(mut to)) = adapters else {
            debug_assert!(false, "a block does not fit its own length");
            return;
        };
        let Ok((_, frames)) = self.fft.process_into_buffer(&from, &mut to, None) else {
            debug_assert!(false, "a whole block was refused");
            return;
        };
        let late = self.delay_left.min(frames);
        self.delay_left -= late;
        self.produced += (frames - late) as u64;
        output.extend_from_slice(&self.block_out[late..frames]);
    }
}
