//! Where somebody who speaks in a recording may have come to an end.

use std::time::Duration;

use audio_dsp::Levels;

/// A frame that is nowhere louder than this is silent whatever came before: the noise of a quiet
/// room is louder.
pub(super) const SILENCE_DBFS: f32 = -66.0;

/// Quieter than the loudest frame so far by this much is a pause. Soft vowels are 20 dB below
/// loud ones; a recording with more noise than this has no pauses, and is played without any.
const BELOW_LOUDEST: f32 = 30.0;

/// Follows a recording frame by frame.
#[derive(Debug, Clone, Default)]
pub(super) struct Pauses {
    /// RMS of the loudest frame, in dBFS. `None` before there was any sound.
    loudest: Option<f32>,
    quiet: Duration,
}

impl Pauses {
    /// How long it has been quiet since something sounded, with this frame.
    pub(super) fn note(&mut self, frame: &[i16], length: Duration) -> Duration {
        let levels = Levels::of_pcm16(frame);
        let level = levels.rms_dbfs();
        let silent = levels.peak_dbfs() <= SILENCE_DBFS;
        let quiet = silent || self.loudest.is_some_and(|it| level < it - BELOW_LOUDEST);
        if !silent {
            self.loudest = Some(self.loudest.map_or(level, |it| it.max(level)));
        }
        self.quiet = match (quiet, self.loudest) {
            (true, Some(_)) => self.quiet + length,
            (true, None) | (false, _) => Duration::ZERO,
        };
        self.quiet
    }

    /// Whether anything has sounded.
    pub(super) fn has_sounded(&self) -> bool {
        self.loudest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    #[track_caller]
    fn check(frames: &[i16], expected: &[u64]) {
        let mut pauses = Pauses::default();
        let quiet: Vec<u64> = frames
            .iter()
            .map(|level| {
                let frame: Vec<i16> =
                    (0..480).map(|i| if i % 2 == 0 { *level } else { -level }).collect();
                pauses.note(&frame, FRAME).as_millis() as u64
            })
            .collect();
        assert_eq!(quiet, expected, "{frames:?}");
    }

    #[test]
    fn quiet_is_counted_from_the_last_sound() {
        check(&[0, 0, 3000, 0, 10, 3000, 0], &[0, 0, 0, 20, 40, 0, 20]);
        // Of a room, 34 dB below the voice.
        check(&[60, 60, 3000, 60, 60], &[0, 0, 0, 20, 40]);
        // A soft syllable is no pause.
        check(&[3000, 300, 3000], &[0, 0, 0]);
        // Too noisy to tell.
        check(&[3000, 200, 200], &[0, 0, 0]);
    }

    #[test]
    fn silence_alone_has_no_pauses() {
        check(&[0, 5, 10], &[0, 0, 0]);
    }
}
