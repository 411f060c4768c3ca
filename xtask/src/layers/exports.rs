//! Where a source hands on what another crate owns: `pub use`, `pub extern crate`, `pub type`.
//!
//! Reads words, not lines: an item may be spread over many, and hold braces and new names.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::CharIndices;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Export {
    /// From one.
    pub(crate) line: usize,
    /// The crate that owns the thing, as sources write it.
    pub(crate) owner: String,
}

/// `crates` are the names that may not be handed on, as sources write them.
pub(crate) fn exports(source: &str, crates: &[String]) -> Vec<Export> {
    let words = words(source);
    // What this source calls things of other crates, and whose they are.
    let mut owners: BTreeMap<&str, &str> =
        crates.iter().map(|name| (name.as_str(), name.as_str())).collect();
    for used in uses(&words).iter().filter(|it| it.reach == Reach::Here) {
        for Leaf { path, name } in &used.leaves {
            if let Some(owner) = crates.iter().find(|it| path.first() == Some(&it.as_str())) {
                owners.insert(name, owner);
            }
        }
    }
    let mut found = Vec::new();
    let mut note = |line, root: Option<&&str>| {
        if let Some(owner) = root.and_then(|root| owners.get(root)) {
            found.push(Export { line, owner: (*owner).to_owned() });
        }
    };
    for used in uses(&words).iter().filter(|it| it.reach != Reach::Here) {
        used.leaves.iter().for_each(|leaf| note(used.line, leaf.path.first()));
    }
    for (at, word) in words.iter().enumerate() {
        if word.text == "type" && reach(&words[..at]) == Reach::Everywhere {
            let value = words[at..].iter().skip_while(|it| it.text != "=").skip(1);
            let root = value.map(|it| it.text).find(|it| *it != ":");
            note(word.line, root.as_ref());
        }
    }
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Here,
    /// `pub(crate)` and the like: others in this crate import from here what is not ours.
    Within,
    Everywhere,
}

/// Of the item that begins behind `before`.
fn reach(before: &[Word<'_>]) -> Reach {
    let texts = before.iter().rev().map(|it| it.text);
    let mut texts = texts.skip_while(|it| *it == "extern");
    match texts.next() {
        Some("pub") => Reach::Everywhere,
        Some(")") => match texts.find(|it| ["(", ";", "{", "}"].contains(it)) {
            Some("(") if texts.next() == Some("pub") => Reach::Within,
            Some(_) | None => Reach::Here,
        },
        Some(_) | None => Reach::Here,
    }
}

struct Use<'a> {
    line: usize,
    reach: Reach,
    leaves: Vec<Leaf<'a>>,
}

/// One thing that is imported, and its name here.
struct Leaf<'a> {
    path: Vec<&'a str>,
    name: &'a str,
}

fn uses<'a>(words: &[Word<'a>]) -> Vec<Use<'a>> {
    let begins = |at: usize| match words[at].text {
        "use" => true,
        "crate" => at.checked_sub(1).is_some_and(|before| words[before].text == "extern"),
        _ => false,
    };
    let used = |at: usize| {
        let mut rest = words[at + 1..].iter().map(|it| it.text).peekable();
        let mut leaves = Vec::new();
        tree(&mut rest, &[], &mut leaves);
        Use { line: words[at].line, reach: reach(&words[..at]), leaves }
    };
    (0..words.len()).filter(|at| begins(*at)).map(used).collect()
}

/// Reads `a::{b, c as d}` up to what ends it.
fn tree<'a>(
    words: &mut Peekable<impl Iterator<Item = &'a str>>,
    before: &[&'a str],
    leaves: &mut Vec<Leaf<'a>>,
) {
    let mut path = before.to_vec();
    let mut name = None;
    while let Some(word) = words.next_if(|it| ![";", ",", "}"].contains(it)) {
        match word {
            ":" => {}
            "{" => {
                while words.peek().is_some_and(|it| *it != ";") {
                    tree(words, &path, leaves);
                    if words.next() != Some(",") {
                        return;
                    }
                }
                return;
            }
            "as" => name = words.next(),
            // The module itself.
            "self" if !path.is_empty() => {}
            _ => path.push(word),
        }
    }
    if let Some(name) = name.or(path.last().copied()) {
        leaves.push(Leaf { path, name });
    }
}

#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    line: usize,
}

/// Names, and signs one at a time. No comments, no literals.
fn words(source: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut line = 1;
    let mut chars = source.char_indices().peekable();
    while let Some((at, first)) = chars.next() {
        let from = line;
        let rest = &source[at..];
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest, 0),
            'r' | 'b' | 'c' if prefixed_string(rest).is_some() => {
                prefixed_string(rest).unwrap_or(1)
            }
            '\'' => quote(rest),
            _ if is_name(first) => rest.find(|it| !is_name(it)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let text = &rest[..length];
        line += text.matches('\n').count();
        skip_to(&mut chars, at + length);
        let is_word = is_name(first) && text.chars().all(is_name);
        if is_word || (text.len() == 1 && !first.is_whitespace()) {
            words.push(Word { text, line: from });
        }
    }
    words
}

fn is_name(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

fn skip_to(chars: &mut Peekable<CharIndices<'_>>, end: usize) {
    while chars.next_if(|(at, _)| *at < end).is_some() {}
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// `"..."`, which begins at `from`.
fn string(text: &str, from: usize) -> usize {
    let mut escaped = false;
    for (at, it) in text.char_indices().skip_while(|(at, _)| *at <= from) {
        match it {
            '"' if !escaped => return at + 1,
            _ => escaped = it == '\\' && !escaped,
        }
    }
    text.len()
}

/// `r#"..."#`, `b"..."` and the like; `None` where a name begins.
fn prefixed_string(text: &str) -> Option<usize> {
    let open = text.find(|it: char| !"rbc".contains(it)).filter(|prefix| *prefix <= 2)?;
    let hashes = text[open..].find(|it| it != '#')?;
    let is_string = text[open + hashes..].starts_with('"');
    match (is_string, text[..open].contains('r')) {
        (false, _) => None,
        (true, false) => (hashes == 0).then(|| string(text, open)),
        (true, true) => {
            let begin = open + hashes + 1;
            let end = format!("\"{}", "#".repeat(hashes));
            Some(text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len()))
        }
    }
}

/// A character, else the mark of a lifetime.
fn quote(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            // The one behind the backslash is never the end.
            let end = chars.skip(1).find(|(_, it)| *it == '\'');
            end.map_or(text.len(), |(at, _)| at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            Some(_) | None => 1,
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &[(usize, &str)]) {
        let crates = ["protocol".to_owned(), "audio_dsp".to_owned()];
        let found = exports(source, &crates);
        let found: Vec<(usize, &str)> =
            found.iter().map(|it| (it.line, it.owner.as_str())).collect();
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn however_it_is_written() {
        for source in [
            "pub use protocol::Item;",
            "pub use ::protocol::Item;",
            "pub use protocol;",
            "pub use protocol as nouns;",
            "pub use protocol::*;",
            "pub use {crate::a, protocol::Item};",
            "pub(crate) use protocol::Item;",
            "pub(in crate::a) use protocol::Item;",
            "use protocol as nouns; pub use nouns::Item;",
            "use protocol::{self as nouns}; pub use nouns::Item;",
            "use protocol::ids; pub use ids::ThreadId;",
            "pub extern crate protocol;",
            "extern crate protocol as nouns; pub use nouns::Item;",
            "pub type Entry = protocol::Item;",
            "pub type Entry = ::protocol::Item;",
            "use protocol::Item; pub type Entry = Item;",
            "use protocol::Item as I; pub type Entry<T> = I<T>;",
            "mod a { pub use protocol::Item; }",
        ] {
            check(source, &[(1, "protocol")]);
        }
        check(
            "use a;\npub use {\n    protocol::A,\n    audio_dsp::{b::B, C},\n};",
            &[(2, "protocol"), (2, "audio_dsp"), (2, "audio_dsp")],
        );
    }

    #[test]
    fn what_is_ours_or_stays_here_is_not_handed_on() {
        for source in [
            "use protocol::Item;",
            "pub use crate::protocol::Item;",
            "pub use self::a::{b, c as protocol};",
            "use protocol::Item; pub type Items = Vec<Item>;",
            "use protocol::Item; impl Iterator for A { type Item = Item; }",
            "pub(crate) type Entry = protocol::Item;",
            "pub fn a(protocol: u8) { use protocol::Item; }",
            "fn a() -> u8 { b(c) } use protocol::Item;",
            "// pub use protocol::Item;",
            "/* /* */ pub use protocol::Item; */",
            r###"const A: &str = r#"" pub use protocol::Item;"#;"###,
            r#"const A: &str = "\" pub use protocol::Item;";"#,
            r"const A: [char; 2] = ['\'', '\u{41}']; use protocol::Item;",
            "fn a<'a>(it: &'a u8) {} use protocol::Item;",
        ] {
            check(source, &[]);
        }
    }
}
