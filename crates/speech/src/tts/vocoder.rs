//! From the network's spectra to sound.
//!
//! Per frame of 12.5 ms the network gives a pitch and five numbers per frequency: how loud the harmonics are and
//! how their phase is turned, how loud noise is, and how loud a component with a phase of its own is. The
//! harmonics are a train of pulses at the pitch, seen through a short-time Fourier transform; the sum of the
//! three goes back through the inverse transform.

use std::f32::consts::{PI, TAU};
use std::sync::Arc;

use rayon::prelude::*;
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView};
use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};
use stdx::Dice;

use crate::tts::VOICE_RATE;

/// Samples between frames: 12.5 ms.
const HOP: usize = 300;
const WINDOW: usize = 4 * HOP;
pub(super) const BINS: usize = WINDOW / 2 + 1;

/// Below this pitch a frame is not voiced, Hz.
const VOICED: f32 = 40.0;
/// Harmonics end here, Hz.
const HARMONICS_END: f32 = 11_000.0;
/// Loudness is a logarithm; more than this is a mistake of the network.
const LOUDEST: f32 = 7.0;

/// The same text always sounds the same.
const NOISE_SEED: u64 = 0x6869_6261_7269;

/// What the network gives: `[1, BINS, frames]` each, and a pitch per frame.
#[derive(Debug)]
pub(super) struct Spectra {
    pub(super) harmonics: NdTensor<f32, 3>,
    pub(super) turn: NdTensor<f32, 3>,
    pub(super) noise: NdTensor<f32, 3>,
    pub(super) rest: NdTensor<f32, 3>,
    pub(super) rest_phase: NdTensor<f32, 3>,
    pub(super) pitch: NdTensor<f32, 2>,
}

pub(super) struct Vocoder {
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    window: Vec<f32>,
}

impl std::fmt::Debug for Vocoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vocoder").finish_non_exhaustive()
    }
}

impl Spectra {
    pub(super) fn frames(&self) -> usize {
        self.pitch.size(1)
    }

    /// Whether all parts have the same number of frames, and the right number of frequencies.
    pub(super) fn fits(&self) -> bool {
        let shape = [1, BINS, self.frames()];
        let parts = [&self.harmonics, &self.turn, &self.noise, &self.rest, &self.rest_phase];
        self.pitch.size(0) == 1 && parts.iter().all(|part| part.shape() == shape)
    }
}

impl Vocoder {
    pub(super) fn new() -> Self {
        let mut planner = FftPlanner::new();
        Self {
            forward: planner.plan_fft_forward(WINDOW),
            inverse: planner.plan_fft_inverse(WINDOW),
            window: (0..WINDOW)
                .map(|i| 0.5 - 0.5 * (TAU * i as f32 / WINDOW as f32).cos())
                .collect(),
        }
    }

    /// `HOP` samples per frame, 24 kHz. The spectra must fit ([`Spectra::fits`]). Runs on the calling
    /// thread's pool.
    pub(super) fn sound(&self, spectra: &Spectra) -> Vec<f32> {
        let frames = spectra.frames();
        let pitch: Vec<f32> = spectra.pitch.iter().copied().collect();
        let pulses = pulses(&pitch);
        let pieces: Vec<Vec<f32>> = (0..frames)
            .into_par_iter()
            .map(|frame| {
                let mut spectrum = self.analyse(&pulses, frame);
                shape(&mut spectrum, spectra, frame);
                self.synthesise(&spectrum)
            })
            .collect();
        self.overlap(&pieces)
    }

    /// The spectrum of `sound` around a frame, so scaled that a unit cosine has the magnitude 1. Beyond the
    /// ends the sound is mirrored.
    fn analyse(&self, sound: &[f32], frame: usize) -> Vec<Complex32> {
        let scale = 4.0 / WINDOW as f32;
        let start = (frame * HOP) as isize - (WINDOW / 2) as isize;
        let mut spectrum: Vec<Complex32> = (start..)
            .zip(&self.window)
            .map(|(at, window)| {
                let at = at.unsigned_abs();
                let at =
                    if at < sound.len() { at } else { (2 * sound.len()).saturating_sub(at + 2) };
                Complex32::new(sound.get(at).copied().unwrap_or(0.0) * window * scale, 0.0)
            })
            .collect();
        self.forward.process(&mut spectrum);
        spectrum.truncate(BINS);
        spectrum
    }

    fn synthesise(&self, spectrum: &[Complex32]) -> Vec<f32> {
        let mut whole = vec![Complex32::default(); WINDOW];
        whole[..BINS].copy_from_slice(spectrum);
        // The first and the last frequency have no phase in a real signal.
        whole[0].im = 0.0;
        whole[BINS - 1].im = 0.0;
        for bin in 1..BINS - 1 {
            whole[WINDOW - bin] = spectrum[bin].conj();
        }
        self.inverse.process(&mut whole);
        whole
            .iter()
            .zip(&self.window)
            .map(|(sample, window)| sample.re * window / WINDOW as f32)
            .collect()
    }

    /// Adds the frames where they belong and evens out the windows.
    fn overlap(&self, pieces: &[Vec<f32>]) -> Vec<f32> {
        let length = (pieces.len() + 3) * HOP;
        let (mut sum, mut weight) = (vec![0.0_f32; length], vec![0.0_f32; length]);
        for (frame, piece) in pieces.iter().enumerate() {
            let start = frame * HOP;
            for (i, (sample, window)) in piece.iter().zip(&self.window).enumerate() {
                sum[start + i] += sample;
                weight[start + i] += window * window;
            }
        }
        let middle = WINDOW / 2..WINDOW / 2 + pieces.len() * HOP;
        sum[middle.clone()]
            .iter()
            .zip(&weight[middle])
            .map(|(sum, weight)| sum / weight.max(1e-11))
            .collect()
    }
}

/// Turns the spectrum of the pulses of a frame into that of speech.
fn shape(spectrum: &mut [Complex32], spectra: &Spectra, frame: usize) {
    // Each frame has noise of its own, however the frames are shared among threads.
    let mut dice = Dice::new(NOISE_SEED.wrapping_add((frame as u64) << 32));
    let column = |part: &NdTensor<f32, 3>, bin: usize| {
        let view: NdTensorView<'_, f32, 3> = part.view();
        view[[0, bin, frame]]
    };
    for (bin, value) in spectrum.iter_mut().enumerate() {
        let loudness = |part| column(part, bin).min(LOUDEST).exp();
        let turned = Complex32::from_polar(
            loudness(&spectra.harmonics),
            PI * column(&spectra.turn, bin).tanh(),
        );
        let noise = gauss(&mut dice) * loudness(&spectra.noise);
        let rest = Complex32::from_polar(loudness(&spectra.rest), column(&spectra.rest_phase, bin));
        *value = *value * turned + noise + rest;
    }
}

/// A complex number whose parts are normally distributed, with variance 1.
fn gauss(dice: &mut Dice) -> Complex32 {
    const STEPS: u64 = 1 << 24;
    let uniform = |roll: u64| (roll as f32 + 0.5) / STEPS as f32;
    let radius = (-2.0 * uniform(dice.roll(STEPS)).ln()).sqrt();
    Complex32::from_polar(radius, TAU * uniform(dice.roll(STEPS)))
}

/// All harmonics of the pitch below [`HARMONICS_END`], each with amplitude 1: the sum of `cos(h·t)` for `h` from 1
/// to `n` is `sin((n + 1/2)·t) / (2·sin(t/2)) - 1/2`.
fn pulses(pitch: &[f32]) -> Vec<f32> {
    let mut cycle = 0.0_f64;
    let mut pulses = Vec::with_capacity(pitch.len() * HOP);
    for frame in 0..pitch.len() {
        for step in 0..HOP {
            let hertz = between(pitch, frame, step);
            let voiced = hertz > VOICED;
            let hertz = hertz.max(VOICED);
            cycle = (cycle + f64::from(hertz) / f64::from(VOICE_RATE)).fract();
            if !voiced {
                pulses.push(0.0);
                continue;
            }
            let angle = TAU * cycle as f32;
            let most = (HARMONICS_END / hertz).floor() + 0.5;
            let below = 2.0 * (angle / 2.0).sin();
            // Where both sines vanish the quotient is `most` itself.
            let sum = if below.abs() <= 2e-3 { most } else { (most * angle).sin() / below };
            pulses.push(sum - 0.5);
        }
    }
    pulses
}

/// The pitch at a sample, between the middles of the frames around it.
fn between(pitch: &[f32], frame: usize, step: usize) -> f32 {
    let place = (step as f32 + 0.5) / HOP as f32 - 0.5;
    let other =
        if place < 0.0 { frame.saturating_sub(1) } else { (frame + 1).min(pitch.len() - 1) };
    let part = place.abs();
    pitch[frame] * (1.0 - part) + pitch[other] * part
}
