//! Text with line numbers.

/// A part of a text, each line after its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedLines {
    pub text: String,
    /// From 1; `first` is past `last` when there is nothing to show.
    pub first: usize,
    pub last: usize,
    /// Lines of the whole text.
    pub total: usize,
}

/// Whole lines from `start` (from 1) while they fit into `max_bytes`, at least one if there is
/// one; its overlong rest is cut.
pub fn numbered_lines(
    text: &str,
    start: usize,
    max_lines: usize,
    max_bytes: usize,
) -> NumberedLines {
    let start = start.max(1);
    let total = text.lines().count();
    let mut shown = String::new();
    let mut last = start - 1;
    for (index, line) in text.lines().enumerate().skip(start - 1).take(max_lines) {
        let number = index + 1;
        if number == start {
            // However long it is, something of it is shown.
            shown = format!("{number}: {}\n", &line[..line.floor_char_boundary(max_bytes)]);
        } else {
            let line = format!("{number}: {line}\n");
            if max_bytes < shown.len() + line.len() {
                break;
            }
            shown.push_str(&line);
        }
        last = number;
    }
    NumberedLines { text: shown, first: start, last, total }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_whole_lines() {
        let text = "a\nbb\nccc\n";
        let numbered = |start, lines, bytes| {
            let NumberedLines { text, first, last, total } =
                numbered_lines(text, start, lines, bytes);
            (text, first, last, total)
        };
        assert_eq!(numbered(1, 10, 100), ("1: a\n2: bb\n3: ccc\n".into(), 1, 3, 3));
        assert_eq!(numbered(2, 1, 100), ("2: bb\n".into(), 2, 2, 3));
        assert_eq!(numbered(0, 1, 100), ("1: a\n".into(), 1, 1, 3));
        assert_eq!(numbered(9, 1, 100), (String::new(), 9, 8, 3));
        assert_eq!(numbered(1, 10, 14), ("1: a\n2: bb\n".into(), 1, 2, 3));
        assert_eq!(numbered(3, 10, 2), ("3: cc\n".into(), 3, 3, 3));
        assert_eq!(numbered_lines("", 1, 10, 100).total, 0);
    }
}
