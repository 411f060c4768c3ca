//! Sound as Whisper's networks see it: 80 mel bands per 10 ms, logarithmic.
//!
//! The recipe is fixed by the trained weights: Hann windows of 25 ms every 10 ms, centred, the edges
//! mirrored; Slaney's mel scale and its equal-area triangles from 0 to 8 kHz; base-10 logarithm, cut
//! 8 below the loudest, moved to about [-1, 1].

use std::sync::Arc;

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

/// Bands per frame.
pub(crate) const BANDS: usize = 80;
/// Samples between two frames.
pub(crate) const HOP: usize = 160;

const WINDOW: usize = 400;
const BINS: usize = WINDOW / 2 + 1;
/// The quietest power told apart from silence.
const FLOOR: f32 = 1e-10;
/// In powers of ten below the loudest.
const RANGE: f32 = 8.0;

/// The transform, with its tables.
pub(crate) struct LogMel {
    fft: Arc<dyn Fft<f32>>,
    window: [f32; WINDOW],
    /// Per band: its first bin, and its weights from there.
    bands: Vec<(usize, Vec<f32>)>,
}

impl std::fmt::Debug for LogMel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogMel").finish_non_exhaustive()
    }
}

impl LogMel {
    pub(crate) fn new() -> Self {
        Self {
            fft: FftPlanner::new().plan_fft_forward(WINDOW),
            window: std::array::from_fn(|i| {
                let turn = std::f64::consts::TAU * i as f64 / WINDOW as f64;
                (0.5 - 0.5 * turn.cos()) as f32
            }),
            bands: triangles(),
        }
    }

    /// `BANDS` rows of `samples.len() / HOP` frames. `silent_frames` more follow, as if silence did.
    pub(crate) fn of(&self, samples: &[f32], silent_frames: usize) -> Vec<f32> {
        let heard = samples.len() / HOP;
        let frames = heard + silent_frames;
        let mut mel = vec![FLOOR; BANDS * frames];
        let mut scratch = vec![Complex32::default(); self.fft.get_inplace_scratch_len()];
        let mut spectrum = [Complex32::default(); WINDOW];
        // The last frame that still touches a sample; everything after it is silence.
        let end = if silent_frames == 0 { heard } else { (heard + 2).min(frames) };
        for frame in 0..end {
            let start = (frame * HOP) as isize - (WINDOW / 2) as isize;
            for (i, (slot, weight)) in spectrum.iter_mut().zip(&self.window).enumerate() {
                let sample = sample_at(samples, start + i as isize, silent_frames > 0);
                *slot = Complex32::new(sample * weight, 0.0);
            }
            self.fft.process_with_scratch(&mut spectrum, &mut scratch);
            for (band, (first, weights)) in self.bands.iter().enumerate() {
                let power: f32 = weights
                    .iter()
                    .zip(&spectrum[*first..])
                    .map(|(weight, bin)| weight * bin.norm_sqr())
                    .sum();
                mel[band * frames + frame] = power.max(FLOOR);
            }
        }
        let mut loudest = f32::NEG_INFINITY;
        for value in &mut mel {
            *value = value.log10();
            loudest = loudest.max(*value);
        }
        for value in &mut mel {
            *value = (value.max(loudest - RANGE) + 4.0) / 4.0;
        }
        mel
    }
}

/// Before the beginning the sound is mirrored; after the end too, or silent if silence follows.
fn sample_at(samples: &[f32], at: isize, silence_follows: bool) -> f32 {
    let at = at.unsigned_abs();
    let mirrored = if at < samples.len() || silence_follows {
        at
    } else {
        (2 * samples.len()).saturating_sub(at + 2)
    };
    samples.get(mirrored).copied().unwrap_or(0.0)
}

fn triangles() -> Vec<(usize, Vec<f32>)> {
    const NYQUIST: f64 = 8_000.0;
    let top = mel_of(NYQUIST);
    let edge: Vec<f64> =
        (0..BANDS + 2).map(|i| hertz_of(top * i as f64 / (BANDS + 1) as f64)).collect();
    (0..BANDS)
        .map(|band| {
            let (low, peak, high) = (edge[band], edge[band + 1], edge[band + 2]);
            let area = 2.0 / (high - low);
            let weights: Vec<f32> = (0..BINS)
                .map(|bin| {
                    let hertz = NYQUIST * bin as f64 / (BINS - 1) as f64;
                    let rise = (hertz - low) / (peak - low);
                    let fall = (high - hertz) / (high - peak);
                    (rise.min(fall).max(0.0) * area) as f32
                })
                .collect();
            let first = weights.iter().position(|weight| *weight > 0.0).unwrap_or(0);
            let last = weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0);
            (first, weights[first..=last].to_vec())
        })
        .collect()
}

/// Slaney's scale: linear to 1 kHz, which is mel 15, then 27 steps per factor of 6.4.
fn mel_of(hertz: f64) -> f64 {
    if hertz < 1_000.0 {
        hertz * 3.0 / 200.0
    } else {
        15.0 + (hertz / 1_000.0).ln() * 27.0 / 6.4_f64.ln()
    }
}

fn hertz_of(mel: f64) -> f64 {
    if mel < 15.0 {
        mel * 200.0 / 3.0
    } else {
        1_000.0 * ((mel - 15.0) * 6.4_f64.ln() / 27.0).exp()
    }
}
