//! How much text a model gets, counted without its tokenizer.
//!
//! A token is taken for four bytes: wrong for some scripts, but never far too few, and the
//! same everywhere.

/// Tokens of `text`, rounded up.
pub fn tokens(text: &str) -> usize {
    text.len().div_ceil(4)
}

/// At most about `budget` tokens: the middle is cut out and counted in its place.
///
/// The mark comes on top of the budget; see [`fit`] for a strict bound.
pub fn truncate(text: &str, budget: usize) -> String {
    let bytes = budget.saturating_mul(4);
    if 0 < budget && text.len() <= bytes {
        return text.to_owned();
    }
    let cut = (text.len().saturating_sub(bytes)).div_ceil(4);
    let mark = format!("…{cut} tokens truncated…");
    let start = floor(text, bytes / 2);
    let end = ceil(text, text.len() - (bytes - bytes / 2).min(text.len()));
    format!("{}{mark}{}", &text[..start], &text[end.max(start)..])
}

/// At most `budget` tokens, the mark included. Empty if not even the mark fits.
pub fn fit(text: &str, budget: usize) -> String {
    if tokens(text) <= budget {
        return text.to_owned();
    }
    let mut inner = budget;
    loop {
        let candidate = truncate(text, inner);
        let excess = tokens(&candidate).saturating_sub(budget);
        if excess == 0 {
            return candidate;
        }
        if inner == 0 {
            return String::new();
        }
        inner = inner.saturating_sub(excess);
    }
}

fn floor(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|it| text.is_char_boundary(*it)).unwrap_or(0)
}

fn ceil(text: &str, index: usize) -> usize {
    (index..=text.len()).find(|it| text.is_char_boundary(*it)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays() {
        assert_eq!(truncate("abcd", 1), "abcd");
        assert_eq!(fit("abcd", 1), "abcd");
        assert_eq!(fit("", 0), "");
    }

    #[test]
    fn beginning_and_end_are_kept_and_the_middle_is_counted() {
        assert_eq!(truncate("aaaabbbbccccdddd", 2), "aaaa…2 tokens truncated…dddd");
        assert_eq!(truncate("aaaabbbb", 0), "…2 tokens truncated…");
    }

    #[test]
    fn characters_are_never_cut() {
        let text = "äöü€𝄞".repeat(100);
        for budget in 0..40 {
            assert!(truncate(&text, budget).contains("tokens truncated"));
        }
    }

    #[test]
    fn the_mark_counts_in_a_strict_budget() {
        let text = "€ words and words".repeat(200);
        for budget in 0..400 {
            let fitted = fit(&text, budget);
            assert!(tokens(&fitted) <= budget, "{budget}: {fitted}");
        }
        assert_eq!(fit(&text, 3), "");
        assert!(fit(&text, 100).starts_with("€ words"));
    }
}
