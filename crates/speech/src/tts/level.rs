//! Samples fit to be played: no offset, no idle silence, no clicks at the ends, never louder than -1 dB of full
//! scale.

use crate::tts::VOICE_RATE;

/// -1 dB: players that resample overshoot a little.
const CEILING: f32 = 0.891;

/// The ends fade over 5 ms.
const FADE: usize = VOICE_RATE as usize / 200;

/// Quieter than this nobody speaks: the network's own silence is ten times quieter.
const AUDIBLE: f32 = 0.000_5;
/// Silence kept before the first sound, 30 ms. The network makes 300 ms, which would be waited for.
const LEAD: usize = VOICE_RATE as usize * 30 / 1_000;
/// Silence kept after the last sound, 250 ms: the pause between two sentences.
const TAIL: usize = VOICE_RATE as usize / 4;

/// Anything below 30 Hz is no voice: it only moves the loudspeaker's cone.
const RUMBLE: f32 = 30.0;

/// Empty if there is nothing to hear.
pub(super) fn pcm(mut sound: Vec<f32>) -> Vec<i16> {
    without_rumble(&mut sound);
    let sound = without_idle_silence(&mut sound);
    fade(sound);
    let peak = sound.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    // The whole sentence is made quieter: a limiter that acts on its peaks would be heard.
    let gain = if peak > CEILING { CEILING / peak } else { 1.0 };
    sound.iter().map(|sample| (sample * gain * f32::from(i16::MAX)) as i16).collect()
}

fn without_rumble(sound: &mut [f32]) {
    let keep = (-std::f32::consts::TAU * RUMBLE / VOICE_RATE as f32).exp();
    let (mut before, mut out) = (0.0, 0.0);
    for sample in sound {
        out = keep * (out + *sample - before);
        before = *sample;
        *sample = out;
    }
}

fn without_idle_silence(sound: &mut [f32]) -> &mut [f32] {
    let audible = |sample: &f32| sample.abs() > AUDIBLE;
    match (sound.iter().position(audible), sound.iter().rposition(audible)) {
        (Some(first), Some(last)) => {
            let end = (last + 1 + TAIL).min(sound.len());
            &mut sound[first.saturating_sub(LEAD)..end]
        }
        (None, _) | (_, None) => &mut [],
    }
}

fn fade(sound: &mut [f32]) {
    let length = FADE.min(sound.len() / 2);
    for i in 0..length {
        let gain = i as f32 / length as f32;
        sound[i] *= gain;
        let end = sound.len() - 1 - i;
        sound[end] *= gain;
    }
}

#[cfg(test)]
mod tests {
    use super::{CEILING, pcm};

    #[test]
    fn loud_sound_stays_below_the_ceiling_and_undistorted() {
        let tone: Vec<f32> = (0..24_000).map(|i| 3.0 * (i as f32 * 0.1).sin() + 0.5).collect();
        let pcm = pcm(tone);
        let peak = pcm.iter().map(|s| s.unsigned_abs()).max().unwrap();
        let ceiling = (CEILING * f32::from(i16::MAX)) as u16;
        assert!((ceiling - 2..=ceiling + 1).contains(&peak), "{peak}");
        assert_eq!((pcm[0], pcm.last()), (0, Some(&0)));
        let mean = pcm.iter().map(|s| i64::from(*s)).sum::<i64>() / pcm.len() as i64;
        assert!(mean.abs() < 200, "{mean}");
    }

    #[test]
    fn silence_is_cut_to_what_a_pause_needs() {
        let mut sound = vec![0.0; 24_000];
        sound[10_000..12_000].fill(0.5);
        let length = pcm(sound).len();
        // The filter rings a little after the sound.
        assert!(
            (super::LEAD + 2_000 + super::TAIL..24_000 - 10_000 + super::LEAD).contains(&length),
            "{length}"
        );
    }

    #[test]
    fn nothing_stays_nothing() {
        assert!(pcm(Vec::new()).is_empty());
        assert!(pcm(vec![0.0; 24_000]).is_empty());
        assert_eq!(pcm(vec![0.1]).len(), 1);
    }
}
