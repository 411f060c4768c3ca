//! Cutting text to what a model may read, without hiding that it was cut.

/// What the "left out" line may take.
const MARKER_TOKENS: usize = 16;

/// Tokens that `text` takes, about. Four bytes each is the usual estimate for code and
/// English; it is only used to bound, never to bill.
pub fn tokens(text: &str) -> usize {
    text.len().div_ceil(4)
}

/// `text` in at most about `budget` tokens: the beginning and the end are kept, and a line
/// between them names what was left out.
///
/// The end gets twice the room of the beginning, because programs say at the end what went
/// wrong.
pub fn elide(text: &str, budget: usize) -> String {
    if tokens(text) <= budget {
        return text.to_owned();
    }
    let room = budget.saturating_sub(MARKER_TOKENS) * 4;
    let head = head(text, room / 3);
    let tail = tail(&text[head.len()..], room - room / 3);
    let out = &text[head.len()..text.len() - tail.len()];
    let lines = out.trim_matches('\n').split('\n').count();
    let plural = if lines == 1 { "" } else { "s" };
    let mut kept = String::with_capacity(budget * 4);
    kept.push_str(head);
    if !head.is_empty() && !head.ends_with('\n') {
        kept.push('\n');
    }
    kept.push_str(&format!("[... {lines} line{plural} ({} bytes) left out ...]\n", out.len()));
    kept.push_str(tail);
    kept
}

/// At most `room` bytes of the beginning, whole lines if there are any.
fn head(text: &str, room: usize) -> &str {
    let cut = &text[..text.floor_char_boundary(room)];
    match cut.rfind('\n') {
        Some(end) => &cut[..=end],
        None => cut,
    }
}

/// At most `room` bytes of the end, whole lines if there are any.
fn tail(text: &str, room: usize) -> &str {
    let (before, cut) = text.split_at(text.ceil_char_boundary(text.len().saturating_sub(room)));
    if before.ends_with('\n') {
        return cut;
    }
    match cut.trim_end_matches('\n').find('\n') {
        Some(end) => &cut[end + 1..],
        None => cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_kept() {
        assert_eq!(elide("three\nlines\nhere\n", 10), "three\nlines\nhere\n");
    }

    #[test]
    fn middle_is_named() {
        let text: String = (0..100).map(|line| format!("line {line}\n")).collect();
        assert_eq!(
            elide(&text, 40),
            "line 0\nline 1\nline 2\nline 3\n[... 88 lines (698 bytes) left out ...]\n\
             line 92\nline 93\nline 94\nline 95\nline 96\nline 97\nline 98\nline 99\n",
        );
    }

    #[test]
    fn any_text_and_budget_fit() {
        for text in ["ü".repeat(500), "日本語\n".repeat(80), "\n".repeat(900), "x".repeat(4000)]
        {
            for budget in 0..60 {
                let kept = elide(&text, budget);
                assert!(tokens(&kept) <= budget.max(MARKER_TOKENS), "{budget}: {kept}");
            }
        }
    }
}
