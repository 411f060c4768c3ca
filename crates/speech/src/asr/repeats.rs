//! Is the model stuck? A small one sometimes writes the same words over and over.

/// The longest phrase looked for, in tokens.
const LONGEST: usize = 24;

/// How often a phrase of this many tokens may stand in a row. People do say "no, no, no, no" and spell
/// numbers; nobody says a whole phrase four times.
fn allowed(length: usize) -> usize {
    match length {
        1 => 7,
        2..=4 => 4,
        _ => 2,
    }
}

/// If `tokens` end with a phrase said too often, how many of them remain when it is said once.
pub(crate) fn stuck(tokens: &[u32]) -> Option<usize> {
    (1..=LONGEST).find_map(|length| {
        let times = allowed(length) + 1;
        let tail = tokens.len().checked_sub(length * times)?;
        let (phrase, again) = tokens[tail..].split_at(length);
        again.chunks_exact(length).all(|chunk| chunk == phrase).then_some(tail + length)
    })
}

#[cfg(test)]
mod tests {
    use super::stuck;

    #[test]
    fn a_phrase_said_three_times_is_a_loop() {
        let phrase = [1, 2, 3, 4, 5];
        assert_eq!(stuck(&[&[9][..], &phrase, &phrase].concat()), None);
        assert_eq!(stuck(&[&[9][..], &phrase, &phrase, &phrase].concat()), Some(6));
    }

    #[test]
    fn short_words_may_repeat() {
        assert_eq!(stuck(&[7; 7]), None);
        assert_eq!(stuck(&[7; 8]), Some(1));
        assert_eq!(stuck(&[]), None);
    }
}
