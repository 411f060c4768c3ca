//! Text that fits: decoding what programs print, and cutting it to what a reader can take.

/// Decodes UTF-8 that arrives in pieces. What is not UTF-8 becomes U+FFFD.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The beginning of a character whose rest is on its way: at most three bytes.
    held: Vec<u8>,
}

impl Decoder {
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend(bytes);
        let held = std::mem::take(&mut self.held);
        let mut text = String::with_capacity(held.len());
        let mut chunks = held.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            if chunks.peek().is_none() && may_become_a_character(invalid) {
                self.held = invalid.to_vec();
            } else {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }

    /// The rest, which will not be completed any more.
    pub(crate) fn finish(&mut self) -> &'static str {
        if std::mem::take(&mut self.held).is_empty() { "" } else { "\u{FFFD}" }
    }
}

/// `invalid` is a maximal invalid run at the end, so a valid beginning is the only doubt.
fn may_become_a_character(invalid: &[u8]) -> bool {
    let wanted = match invalid[0] {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return false,
    };
    invalid.len() < wanted
}

/// Without colours, cursor movement and titles, and with only the last state of lines that were
/// written over (progress bars).
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut line_start = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\r' if chars.peek() == Some(&'\n') => (),
            '\r' if chars.peek().is_none() => (),
            '\r' => out.truncate(line_start),
            '\n' => {
                out.push('\n');
                line_start = out.len();
            }
            '\u{8}' => {
                if line_start < out.len() {
                    out.pop();
                }
            }
            '\t' => out.push('\t'),
            c if c.is_control() => (),
            c => out.push(c),
        }
    }
    out
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        // Control sequence: parameters, then one final byte.
        Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
        // Operating system command: until BEL or ESC \.
        Some(']') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        Some(_) | None => (),
    }
}

/// At most about `limit` bytes: whole lines from both ends, and a line that says how many are
/// missing between.
pub(crate) fn clip(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // Two thirds for the end: that is where programs say what went wrong.
    let head = take_while_fits(lines.iter(), limit / 3);
    let tail = take_while_fits(lines[head..].iter().rev(), limit - limit / 3);
    let left_out = lines.len() - head - tail;
    if head + tail == 0 || left_out == 0 {
        return clip_line(text, limit);
    }
    let note = if left_out == 1 { "line is" } else { "lines are" };
    let (first, last) = (lines[..head].concat(), lines[lines.len() - tail..].concat());
    format!("{first}... {left_out} {note} left out here ...\n{last}")
}

/// As [`clip`], of text whose beginning is what counts.
pub(crate) fn clip_end(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    match take_while_fits(lines.iter(), limit) {
        0 => clip_line(text, limit),
        head => format!("{}... {} more lines ...", lines[..head].concat(), lines.len() - head),
    }
}

/// The beginning of an overlong line.
pub(crate) fn clip_line(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(limit)])
}

fn take_while_fits<'a>(lines: impl Iterator<Item = &'a &'a str>, limit: usize) -> usize {
    let mut left = limit;
    lines
        .take_while(|line| {
            let fits = line.len() <= left;
            left = left.saturating_sub(line.len());
            fits
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_survive_being_cut() {
        let text = "a\u{e9}\u{20ac}\u{1f600}z";
        for size in 1..text.len() {
            let mut decoder = Decoder::default();
            let mut decoded = String::new();
            for piece in text.as_bytes().chunks(size) {
                decoded.push_str(&decoder.push(piece));
            }
            decoded.push_str(decoder.finish());
            assert_eq!(decoded, text, "in pieces of {size}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(b"a\xffb\xe2\x82"), "a\u{FFFD}b");
        assert_eq!(decoder.push(b"\xff"), "\u{FFFD}\u{FFFD}");
        assert_eq!(decoder.push(b"\xf0\x9f"), "");
        assert_eq!(decoder.finish(), "\u{FFFD}");
        assert_eq!(decoder.finish(), "");
    }

    #[test]
    fn plain_text_has_no_control_sequences() {
        assert_eq!(plain("\u{1b}[1;31merror\u{1b}[0m: x\r\n"), "error: x\n");
        assert_eq!(plain("10%\r50%\r100%\ndone"), "100%\ndone");
        assert_eq!(plain("\u{1b}]0;title\u{7}a\u{1b}]8;;http://x\u{1b}\\b"), "ab");
        assert_eq!(plain("a\u{0}b\u{8}c\tx"), "ac\tx");
        assert_eq!(plain("\u{1b}"), "");
        assert_eq!(plain("\u{1b}[31"), "");
    }

    #[test]
    fn clipping_keeps_whole_lines_of_both_ends() {
        let text: String = (1..=20).map(|it| format!("line {it}\n")).collect();
        let clipped = clip(&text, 60);
        assert_eq!(
            clipped,
            "line 1\nline 2\n... 13 lines are left out here ...\nline 16\nline 17\nline 18\nline 19\nline 20\n"
        );
        assert_eq!(clip("short", 60), "short");
        assert_eq!(clip_end(&text, 20), "line 1\nline 2\n... 18 more lines ...");
        assert_eq!(clip_end("short", 60), "short");
        assert_eq!(clip(&"x".repeat(100), 10), "xxxxxxxxxx...");
        assert_eq!(clip_line("\u{20ac}\u{20ac}", 4), "\u{20ac}...");
    }
}
