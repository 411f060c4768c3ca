//! Where one sentence ends and the next begins: the voice speaks a sentence at a time.

/// Longer than this is cut at a comma or a space: the voice should not wait for a writer who
/// never ends a sentence.
const LONGEST: usize = 240;

/// Words whose full stop ends nothing.
const ABBREVIATIONS: [&str; 12] =
    ["e.g", "i.e", "etc", "vs", "cf", "approx", "mr", "mrs", "dr", "st", "fig", "resp"];

/// Cuts text that is still being written into sentences, and leaves code blocks out.
#[derive(Debug, Default)]
pub(crate) struct SentenceStream {
    /// Not yet a whole sentence.
    rest: String,
    /// Inside of a fenced code block.
    in_code: bool,
    /// A code block was left out.
    saw_code: bool,
}

impl SentenceStream {
    /// The sentences that are complete with this piece, as they were written.
    pub(crate) fn push(&mut self, delta: &str) -> Vec<String> {
        self.rest.push_str(delta);
        let mut sentences = Vec::new();
        while let Some(sentence) = self.next_sentence() {
            sentences.extend(sentence);
        }
        sentences
    }

    /// What was written since the last whole sentence.
    pub(crate) fn finish(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.rest);
        if is_fence(&rest) {
            self.saw_code = true;
            return None;
        }
        let rest = rest.trim();
        (!self.in_code && !rest.is_empty()).then(|| rest.to_owned())
    }

    pub(crate) fn saw_code(&self) -> bool {
        self.saw_code
    }

    /// Takes the head off the rest: `Some(None)` if it was no sentence but code or blank.
    fn next_sentence(&mut self) -> Option<Option<String>> {
        let line_end = self.rest.find('\n');
        if let Some(end) = line_end {
            let line = &self.rest[..end];
            if is_fence(line) || self.in_code {
                if is_fence(line) {
                    self.in_code = !self.in_code;
                    self.saw_code = true;
                }
                self.rest.drain(..=end);
                return Some(None);
            }
        }
        // A fence may still be growing: three backticks decide.
        if self.in_code || is_fence(&self.rest) {
            return None;
        }
        let line = &self.rest[..line_end.unwrap_or(self.rest.len())];
        let end = match (sentence_end(line), line_end) {
            (Some(end), _) => end,
            (None, Some(end)) => end + 1,
            (None, None) => cut_of_long(line)?,
        };
        let sentence = self.rest.drain(..end).collect::<String>();
        let sentence = sentence.trim();
        Some((!sentence.is_empty()).then(|| sentence.to_owned()))
    }
}

/// The sentences of a whole text.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut rest = text;
    while let Some(end) = sentence_end(rest) {
        let (sentence, after) = rest.split_at(end);
        sentences.push(sentence.trim());
        rest = after;
    }
    sentences.push(rest.trim());
    sentences.retain(|it| !it.is_empty());
    sentences
}

/// The byte after the first sentence, if one certainly ends: a mark with a space behind it.
fn sentence_end(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        if !matches!(char, '.' | '!' | '?' | '…' | '。' | '！' | '？') {
            continue;
        }
        // Closing quotes and brackets, and more marks, belong to it.
        while chars
            .next_if(|(_, it)| {
                matches!(it, '.' | '!' | '?' | '"' | '\'' | ')' | ']' | '”' | '’' | '*')
            })
            .is_some()
        {}
        let Some((end, next)) = chars.peek() else { break };
        let wide = matches!(char, '。' | '！' | '？');
        if (next.is_whitespace() || wide) && !(char == '.' && ends_nothing(&text[..at])) {
            return Some(*end);
        }
    }
    None
}

/// Whether the full stop after `before` belongs to an abbreviation or a list number.
fn ends_nothing(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or(before);
    let word = word.trim_start_matches(|it: char| !it.is_alphanumeric());
    let is_first = before.trim() == word;
    let mut chars = word.chars();
    let initial = matches!((chars.next(), chars.next()), (Some(it), None) if it.is_uppercase());
    let list_number = is_first && !word.is_empty() && word.chars().all(|it| it.is_ascii_digit());
    initial || list_number || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

fn cut_of_long(text: &str) -> Option<usize> {
    let (limit, _) = text.char_indices().nth(LONGEST)?;
    let head = &text[..limit];
    let comma = head.rfind([',', ';', ':']).filter(|at| limit / 3 < *at).map(|at| at + 1);
    Some(comma.or_else(|| head.rfind(' ')).filter(|at| 0 < *at).unwrap_or(limit))
}

fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut stream = SentenceStream::default();
        let mut whole = stream.push(text);
        whole.extend(stream.finish());
        assert_eq!(whole, expected);
        // The pieces in which it is written make no difference.
        let mut stream = SentenceStream::default();
        let mut pieces: Vec<String> =
            text.chars().flat_map(|it| stream.push(&it.to_string())).collect();
        pieces.extend(stream.finish());
        assert_eq!(pieces, expected, "letter by letter");
    }

    #[test]
    fn sentences_end_at_marks_and_lines() {
        check("One. Two! Three? Four", &["One.", "Two!", "Three?", "Four"]);
        check("He said \"no.\" Then left.", &["He said \"no.\"", "Then left."]);
        check("First line\nsecond line\n\nthird", &["First line", "second line", "third"]);
        check("Really?! Yes...  ", &["Really?!", "Yes..."]);
    }

    #[test]
    fn some_full_stops_end_nothing() {
        check("Use e.g. this. Done.", &["Use e.g. this.", "Done."]);
        check("Version 1.95 of main.rs is fine. Ok.", &["Version 1.95 of main.rs is fine.", "Ok."]);
        check("J. Doe wrote it. Yes.", &["J. Doe wrote it.", "Yes."]);
        check("1. Run it. 2. See.", &["1. Run it.", "2. See."]);
    }

    #[test]
    fn code_is_left_out() {
        check(
            "Try this:\n```rust\nfn main() {}. Or. so.\n```\nIt works.",
            &["Try this:", "It works."],
        );
        let mut stream = SentenceStream::default();
        assert_eq!(stream.push("Look.\n```\nlet x = 1;"), ["Look."]);
        assert_eq!(stream.finish(), None);
        assert!(stream.saw_code());
    }

    #[test]
    fn an_endless_sentence_is_cut_where_it_breathes() {
        let text = "word ".repeat(100);
        let mut stream = SentenceStream::default();
        let pieces = stream.push(&text);
        assert!(pieces.iter().all(|it| it.chars().count() <= LONGEST), "{pieces:?}");
        assert!(pieces.iter().all(|it| it.ends_with("word")), "{pieces:?}");
        let text = "ü".repeat(1_000);
        assert_eq!(SentenceStream::default().push(&text)[0].chars().count(), LONGEST);
    }

    #[test]
    fn whole_texts() {
        assert_eq!(sentences("A b. C d? E"), ["A b.", "C d?", "E"]);
        assert!(sentences("  ").is_empty());
    }
}
