//! Where paragraphs and sentences end. Markdown's blocks are undone here.

use std::borrow::Cow;

/// Paragraphs, one line each, with the marks of lists, headings, quotations, tables and links removed. Blocks
/// of code are left out.
pub(super) fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs: Vec<String> = Vec::new();
    let mut open = false;
    let mut fence = None;
    for line in text.lines() {
        let line = line.trim();
        let mark = ["```", "~~~"].into_iter().find(|mark| line.starts_with(mark));
        match (fence, mark) {
            (Some(begun), Some(mark)) if begun == mark => {
                fence = None;
                continue;
            }
            (Some(_), _) => continue,
            // A fence that opens and closes in one line is only a way to quote.
            (None, Some(mark)) if !line[mark.len()..].contains(mark) => {
                fence = Some(mark);
                open = false;
                continue;
            }
            (None, _) => {}
        }
        let (content, begins) = strip_block_marks(line);
        if content.is_empty() {
            open = false;
            continue;
        }
        let content = without_links(content);
        match paragraphs.last_mut() {
            Some(last) if open && !begins => {
                last.push(' ');
                last.push_str(&content);
            }
            Some(_) | None => paragraphs.push(content.into_owned()),
        }
        open = !begins || !line.starts_with('#');
    }
    paragraphs
}

/// Cuts after `.`, `!`, `?` and `…`, unless what follows goes on in small letters or what precedes is an
/// abbreviation.
pub(super) fn sentences(paragraph: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    for (at, c) in paragraph.char_indices() {
        quoted ^= c == '`';
        if quoted || !matches!(c, '.' | '!' | '?' | '…') {
            continue;
        }
        let after = &paragraph[at + c.len_utf8()..];
        let closed = after.trim_start_matches(['"', '\'', '”', '’', ')', ']', '`', '*', '_']);
        let next = closed.trim_start();
        let gap = next.len() < closed.len();
        if gap && begins_sentence(next) && !(c == '.' && is_abbreviated(&paragraph[start..at])) {
            let end = paragraph.len() - closed.len();
            sentences.push(paragraph[start..end].trim());
            start = end;
        }
    }
    sentences.push(paragraph[start..].trim());
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

fn begins_sentence(text: &str) -> bool {
    text.chars().next().is_some_and(|c| !c.is_lowercase() && !matches!(c, ',' | ';' | ')' | ']'))
}

/// Whether the word before a period only looks like the end of a sentence.
fn is_abbreviated(before: &str) -> bool {
    let word = before.rsplit(' ').next().unwrap_or_default();
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let initial = word.len() == 1 && word.chars().all(char::is_uppercase) && word != "I";
    initial
        || matches!(
            word,
            "e.g"
                | "i.e"
                | "eg"
                | "ie"
                | "cf"
                | "vs"
                | "approx"
                | "Mr"
                | "Mrs"
                | "Ms"
                | "Dr"
                | "Prof"
                | "St"
                | "No"
        )
}

/// The content of a line, and whether it begins a block of its own.
fn strip_block_marks(line: &str) -> (&str, bool) {
    let mut content = line.trim_start_matches('>').trim_start();
    if content.len() >= 3
        && content.chars().all(|c| matches!(c, '-' | '=' | '*' | '_' | '|' | ':' | ' '))
    {
        return ("", true);
    }
    let heading = content.trim_start_matches('#');
    if heading.len() < content.len() && heading.starts_with(' ') {
        return (heading.trim(), true);
    }
    let mut begins = content.starts_with('|');
    for bullet in ["- ", "* ", "+ ", "• ", "– "] {
        if let Some(item) = content.strip_prefix(bullet) {
            (content, begins) = (item.trim_start(), true);
            break;
        }
    }
    let digits = content.len() - content.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if (1..=3).contains(&digits)
        && let Some(item) =
            content[digits..].strip_prefix(". ").or_else(|| content[digits..].strip_prefix(") "))
    {
        (content, begins) = (item.trim_start(), true);
    }
    for task in ["[ ] ", "[x] ", "[X] "] {
        content = content.strip_prefix(task).unwrap_or(content);
    }
    (content.trim_matches('|').trim(), begins)
}

/// `[text](address)` is read as its text.
fn without_links(line: &str) -> Cow<'_, str> {
    if !line.contains("](") {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(middle) = rest.find("](") {
        let (before, after) = (&rest[..middle], &rest[middle + 2..]);
        let (Some(open), Some(close)) = (before.rfind('['), after.find(')')) else { break };
        out.push_str(before[..open].trim_end_matches('!'));
        out.push_str(&before[open + 1..]);
        rest = &after[close + 1..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}
