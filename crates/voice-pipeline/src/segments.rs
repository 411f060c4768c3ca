//! Long recordings, cut for a recogniser that hears thirty seconds at a time.

use std::ops::Range;

use audio_dsp::DUET_HZ;

/// A piece at most: below the recogniser's 30 s, so that a rounding never exceeds it.
const LONGEST: usize = 28 * DUET_HZ as usize;

/// Cuts are looked for behind this: short pieces lose the context of their words.
const SHORTEST: usize = 14 * DUET_HZ as usize;

/// What counts as a pause between words.
const PAUSE: usize = DUET_HZ as usize / 5;

/// Pieces of the recording without gaps, cut where it is quietest.
pub(crate) fn segments(pcm: &[i16]) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while LONGEST < pcm.len() - start {
        let cut = start + SHORTEST + quietest(&pcm[start + SHORTEST..start + LONGEST]);
        pieces.push(start..cut);
        start = cut;
    }
    pieces.push(start..pcm.len());
    pieces
}

/// The middle of the quietest pause.
fn quietest(pcm: &[i16]) -> usize {
    let step = PAUSE / 4;
    let places = (0..=pcm.len().saturating_sub(PAUSE)).step_by(step.max(1));
    let energy = |at: &usize| -> u64 {
        let window = &pcm[*at..(at + PAUSE).min(pcm.len())];
        window.iter().map(|it| u64::from(it.unsigned_abs()).pow(2)).sum()
    };
    places.min_by_key(energy).unwrap_or(0) + PAUSE / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: usize = DUET_HZ as usize;

    #[test]
    fn short_recordings_stay_whole() {
        assert_eq!(segments(&[]), std::iter::once(0..0).collect::<Vec<_>>());
        assert_eq!(segments(&[1; LONGEST]).len(), 1);
    }

    #[test]
    fn a_long_one_is_cut_in_its_pause() {
        let mut pcm = vec![1_000; 45 * SECOND];
        pcm[20 * SECOND..20 * SECOND + SECOND / 2].fill(0);
        let pieces = segments(&pcm);
        assert_eq!(pieces.len(), 2);
        let cut = pieces[0].end;
        assert!((20 * SECOND..20 * SECOND + SECOND / 2).contains(&cut), "{cut}");
    }

    #[test]
    fn without_a_pause_no_piece_is_too_long_and_none_is_lost() {
        let pcm = vec![1_000; 10 * 60 * SECOND];
        let pieces = segments(&pcm);
        assert!(pieces.iter().all(|it| it.len() <= LONGEST));
        assert!(pieces.windows(2).all(|it| it[0].end == it[1].start));
        assert_eq!((pieces[0].start, pieces[pieces.len() - 1].end), (0, pcm.len()));
    }
}
