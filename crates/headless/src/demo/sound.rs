//! Where somebody speaks in a recording.

use std::ops::Range;
use std::time::Duration;

use audio_dsp::{DUET_HZ, Levels};

/// Quieter than this is silence: a synthesised voice has no room around it.
const SILENCE_DBFS: f32 = -50.0;

/// Looked at as a whole: short enough not to swallow a pause.
const WINDOW: usize = DUET_HZ as usize / 50;

/// A pause that parts two utterances.
const PAUSE: Duration = Duration::from_millis(400);

/// Longest utterance that is given out: what speech to text takes at once.
const LONGEST: Duration = Duration::from_secs(28);

/// Left around an utterance, so that its first and last sounds are whole.
const MARGIN: Duration = Duration::from_millis(200);

/// The parts of 24 kHz sound in which there is something to hear, cut at pauses, in order.
pub fn utterances(pcm: &[i16]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    for (index, window) in pcm.chunks(WINDOW).enumerate() {
        if Levels::of_pcm16(window).rms_dbfs() < SILENCE_DBFS {
            continue;
        }
        let start = index * WINDOW;
        let end = start + window.len();
        match parts.last_mut() {
            Some(part)
                if start - part.end < samples(PAUSE) && end - part.start <= samples(LONGEST) =>
            {
                part.end = end;
            }
            Some(_) | None => parts.push(start..end),
        }
    }
    let margin = samples(MARGIN);
    parts
        .into_iter()
        .map(|part| part.start.saturating_sub(margin)..(part.end + margin).min(pcm.len()))
        .collect()
}

fn samples(length: Duration) -> usize {
    (length.as_secs_f64() * f64::from(DUET_HZ)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(parts: &[(u32, i16)]) -> Vec<i16> {
        let part = |(ms, level): &(u32, i16)| vec![*level; (*ms * DUET_HZ / 1000) as usize];
        parts.iter().flat_map(part).collect()
    }

    #[test]
    fn pauses_part_utterances_and_breaths_do_not() {
        let pcm = sound(&[(1000, 0), (500, 3000), (200, 0), (500, 3000), (800, 0), (300, 3000)]);
        let ms = |part: Range<usize>| (part.start / 24, part.end / 24);
        let parts: Vec<_> = utterances(&pcm).into_iter().map(ms).collect();
        assert_eq!(parts, [(800, 2400), (2800, 3300)]);
    }

    #[test]
    fn silence_has_none_and_a_monologue_is_cut() {
        assert_eq!(utterances(&sound(&[(5000, 10)])), []);
        assert_eq!(utterances(&[]), []);
        assert_eq!(utterances(&sound(&[(60_000, 3000)])).len(), 3);
    }
}
