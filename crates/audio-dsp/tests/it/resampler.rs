use std::f64::consts::TAU;

use audio_dsp::{RateError, Resampler};
use stdx::Dice;

/// Rates that files and devices have, and a few that only a damaged one has.
const RATES: [u32; 14] = [
    8_000, 11_025, 12_345, 16_000, 22_050, 24_000, 32_000, 37_800, 44_056, 44_100, 48_000, 88_200,
    96_000, 192_000,
];

#[test]
fn tones_below_both_halves_are_kept() {
    for from in RATES {
        for to in [16_000, 24_000] {
            for hz in [100.0, 440.0, 1_000.0, 3_000.0] {
                let out = resample(&tone(hz, from, from as usize / 2), from, to);
                let level = decibels(amplitude(middle(&out), hz, to));
                assert!(level.abs() < 0.1, "{from} -> {to}: {hz} Hz came out at {level:.3} dB");
            }
        }
    }
}

/// The strictest case: what lies above half of the new rate folds back onto a tone that the
/// ear and the nets would take for speech.
#[test]
fn aliases_are_gone() {
    for from in [32_000, 44_100, 48_000, 96_000, 192_000] {
        for to in [8_000, 16_000, 24_000] {
            let half = f64::from(to) / 2.0;
            for above in [1.3, 1.6, 1.9] {
                let hz = half * above;
                if f64::from(from) / 2.0 <= hz {
                    continue;
                }
                let out = resample(&tone(hz, from, from as usize / 2), from, to);
                let level = decibels(rms(middle(&out)) * 2.0_f64.sqrt());
                assert!(level < -60.0, "{from} -> {to}: {hz} Hz left {level:.1} dB");
            }
        }
    }
}

/// Making samples must not make tones: the image of 1 kHz at 8 kHz lies at 7 kHz.
#[test]
fn images_are_gone() {
    for to in [16_000, 24_000, 48_000] {
        let out = resample(&tone(1_000.0, 8_000, 8_000), 8_000, to);
        for image in [7_000.0, 9_000.0] {
            if image < f64::from(to) / 2.0 {
                let level = decibels(amplitude(middle(&out), image, to));
                assert!(level < -60.0, "8000 -> {to}: an image at {image} Hz of {level:.1} dB");
            }
        }
    }
}

#[test]
fn pieces_make_no_difference() {
    let mut dice = Dice::new(7);
    for from in RATES {
        let input = tone(700.0, from, 9_000);
        let whole = resample(&input, from, 24_000);
        let mut resampler = Resampler::new(from, 24_000).unwrap();
        // Twice, because `finish` promises a fresh start.
        for _ in 0..2 {
            let (mut pieces, mut rest) = (Vec::new(), &input[..]);
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(dice.roll(700) as usize));
                resampler.push(piece, &mut pieces);
                rest = after;
            }
            resampler.finish(&mut pieces);
            assert_eq!(pieces, whole, "{from} Hz");
        }
    }
}

/// A click stays where it was: the filter's delay is taken off.
#[test]
fn time_is_kept() {
    for from in RATES {
        let mut input = vec![0.0; from as usize];
        input[from as usize / 2] = 1.0;
        let out = resample(&input, from, 24_000);
        let loudest = (0..out.len()).max_by(|a, b| out[*a].abs().total_cmp(&out[*b].abs()));
        let loudest = loudest.unwrap() as i64;
        assert!((loudest - 12_000).abs() <= 3, "{from} Hz: the click is at {loudest}");
    }
}

#[test]
fn length_is_kept() {
    for from in RATES {
        for seconds_in in [0, 1, 2, 100, 4_801, from as usize] {
            let out = resample(&vec![0.5; seconds_in], from, 24_000);
            let expected = (seconds_in as f64 * 24_000.0 / f64::from(from)).round();
            assert_eq!(out.len(), expected as usize, "{seconds_in} samples at {from} Hz");
        }
    }
}

#[test]
fn the_same_rate_is_the_same_sound() {
    let input = tone(440.0, 24_000, 1_000);
    assert_eq!(resample(&input, 24_000, 24_000), input);
}

#[test]
fn nonsense_rates_are_refused() {
    for (from, to, hz) in [(0, 24_000, 0), (24_000, 999, 999), (u32::MAX, 24_000, u32::MAX)] {
        assert_eq!(Resampler::new(from, to).unwrap_err(), RateError { hz });
    }
    assert_eq!(
        RateError { hz: 3 }.to_string(),
        "3 samples a second is not a sensible rate: take one from 1000 to 768000 Hz",
    );
}

fn resample(input: &[f32], from: u32, to: u32) -> Vec<f32> {
    let mut resampler = Resampler::new(from, to).unwrap();
    let mut out = Vec::new();
    resampler.push(input, &mut out);
    resampler.finish(&mut out);
    out
}

fn tone(hz: f64, rate: u32, len: usize) -> Vec<f32> {
    (0..len).map(|n| (TAU * hz * n as f64 / f64::from(rate)).sin() as f32).collect()
}

/// Away from the ends, where the tone begins and stops.
fn middle(samples: &[f32]) -> &[f32] {
    &samples[samples.len() / 4..samples.len() * 3 / 4]
}

fn rms(samples: &[f32]) -> f64 {
    let energy: f64 = samples.iter().map(|it| f64::from(*it).powi(2)).sum();
    (energy / samples.len() as f64).sqrt()
}

fn decibels(amplitude: f64) -> f64 {
    20.0 * amplitude.max(1e-9).log10()
}

/// How much of one frequency is in there: its Fourier coefficient under a Hann window, whose
/// side lobes fall below what is measured.
fn amplitude(samples: &[f32], hz: f64, rate: u32) -> f64 {
    let len = samples.len() as f64;
    let (mut re, mut im, mut weight) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * n as f64 / len).cos();
        let phase = TAU * hz * n as f64 / f64::from(rate);
        re += window * f64::from(*sample) * phase.cos();
        im += window * f64::from(*sample) * phase.sin();
        weight += window;
    }
    2.0 * re.hypot(im) / weight
}
