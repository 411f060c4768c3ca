//! Words, and what programs are made of: identifiers, paths, addresses, operators.

use super::{Pause, Speech, numbers};

/// Names of directories before the last two are not said.
const PATH_TAIL: usize = 2;

/// A git hash is recognised by its length, and by as much of it as anybody compares.
const HASH: std::ops::RangeInclusive<usize> = 7..=40;
const HASH_SAID: usize = 4;

/// Said in full wherever they stand.
const ABBREVIATIONS: [(&str, &str); 11] = [
    ("e.g", "for example"),
    ("eg", "for example"),
    ("i.e", "that is"),
    ("ie", "that is"),
    ("etc", "et cetera"),
    ("vs", "versus"),
    ("cf", "compare"),
    ("approx", "approximately"),
    ("w/", "with"),
    ("w/o", "without"),
    ("&", "and"),
];

const OPERATORS: [(&str, &str); 24] = [
    ("->", "to"),
    ("→", "to"),
    ("=>", "gives"),
    ("⇒", "gives"),
    ("==", "equals"),
    ("=", "equals"),
    ("!=", "is not"),
    ("≠", "is not"),
    ("<=", "is at most"),
    (">=", "is at least"),
    ("<", "is less than"),
    (">", "is more than"),
    ("≤", "is at most"),
    ("≥", "is at least"),
    ("+", "plus"),
    ("+=", "plus equals"),
    ("-=", "minus equals"),
    ("*", "times"),
    ("/", "slash"),
    ("&&", "and"),
    ("||", "or"),
    ("@", "at"),
    ("%", "percent"),
    ("::", "colon colon"),
];

/// Parts of names that programmers shorten on paper but not in speech.
const SHORTENED: [(&str, &str); 33] = [
    ("src", "source"),
    ("std", "standard"),
    ("stdin", "standard in"),
    ("stdout", "standard out"),
    ("stderr", "standard error"),
    ("args", "arguments"),
    ("arg", "argument"),
    ("ctx", "context"),
    ("cfg", "config"),
    ("cmd", "command"),
    ("msg", "message"),
    ("err", "error"),
    ("ptr", "pointer"),
    ("len", "length"),
    ("idx", "index"),
    ("tmp", "temp"),
    ("fn", "function"),
    ("str", "string"),
    ("btn", "button"),
    ("usize", "U size"),
    ("isize", "I size"),
    ("utils", "utilities"),
    ("util", "utility"),
    ("deps", "dependencies"),
    ("dep", "dependency"),
    ("txt", "text"),
    ("py", "pie"),
    ("yml", "yaml"),
    ("kubectl", "kube control"),
    ("pypi", "pie P I"),
    ("github", "git hub"),
    ("gitlab", "git lab"),
    ("todo", "to do"),
];

/// Short extensions that are words; the other short ones are spelled.
const EXTENSION_WORDS: [&str; 11] =
    ["bin", "log", "txt", "py", "yml", "lock", "toml", "json", "yaml", "text", "java"];

pub(super) fn abbreviation(chunk: &str) -> Option<&'static str> {
    let found = ABBREVIATIONS.iter().find(|(short, _)| *short == chunk);
    found.map(|(_, words)| *words)
}

pub(super) fn operator(chunk: &str) -> Option<&'static str> {
    let chunk = chunk.trim_matches('`');
    OPERATORS.iter().find(|(sign, _)| *sign == chunk).map(|(_, words)| *words)
}

/// Says anything that is not a number.
pub(super) fn say(core: &str, speech: &mut Speech) {
    if let Some((_, address)) = core.split_once("://") {
        say_address(address, speech);
    } else if is_hash(core) {
        speech.spell(&core[..HASH_SAID]);
    } else if let Some((place, line)) = split_line(core) {
        say(place, speech);
        speech.pause(Pause::Comma);
        speech.word("line");
        speech.words(&numbers::cardinal(line));
    } else if let Some(flag) = core.strip_prefix("--") {
        speech.words("dash dash");
        say_parts(flag, speech);
    } else if let Some(flag) = core.strip_prefix('-') {
        if !flag.is_empty() {
            speech.word("dash");
        }
        say_parts(flag, speech);
    } else if core.contains('/') {
        say_path(core, speech);
    } else if core.contains('.') {
        say_dotted(core, speech);
    } else {
        say_parts(core, speech);
    }
}

/// The host and no more: nobody can write down a spoken address.
fn say_address(address: &str, speech: &mut Speech) {
    let host = address.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    say_dotted(host.trim_start_matches("www."), speech);
}

/// `src/voice/parser.rs` as "voice slash parser dot R S".
fn say_path(path: &str, speech: &mut Speech) {
    let parts: Vec<&str> =
        path.split('/').filter(|part| !matches!(*part, "" | "." | ".." | "~")).collect();
    let tail = &parts[parts.len().saturating_sub(PATH_TAIL)..];
    if tail.is_empty() {
        speech.words(if path.starts_with('~') { "the home directory" } else { "slash" });
    }
    for (i, part) in tail.iter().enumerate() {
        if i > 0 {
            speech.word("slash");
        }
        if !numbers::say(part, speech) {
            say_dotted(part, speech);
        }
    }
}

/// File names, hosts, fields, initials.
fn say_dotted(name: &str, speech: &mut Speech) {
    let parts: Vec<&str> = name.split('.').collect();
    let initials = parts.iter().all(|part| part.len() <= 1);
    for (i, part) in parts.iter().enumerate() {
        if i > 0 && !initials && !part.is_empty() {
            speech.word("dot");
        }
        let extension = i > 0 && i + 1 == parts.len();
        if initials || (extension && is_spelled_extension(part)) {
            speech.spell(part);
        } else if !numbers::say(part, speech) {
            say_parts(part, speech);
        }
    }
}

fn is_spelled_extension(part: &str) -> bool {
    let short = part.len() <= 2 || !part.contains(['a', 'e', 'i', 'o', 'u']);
    part.len() <= 3
        && short
        && !EXTENSION_WORDS.contains(&part)
        && part.bytes().all(|b| b.is_ascii_alphanumeric())
        && part.bytes().any(|b| b.is_ascii_alphabetic())
}

/// The parts of an identifier, or a plain word.
fn say_parts(name: &str, speech: &mut Speech) {
    for piece in name.split(['_', '-', ':', '"', '“', '”', '`', '\\', '\u{200b}']) {
        say_piece(piece, name, speech);
    }
}

/// Letters, digits and signs in turn.
fn say_piece(piece: &str, name: &str, speech: &mut Speech) {
    let mut rest = piece;
    while let Some(first) = rest.chars().next() {
        let kind = Kind::of(first);
        let length: usize =
            rest.chars().take_while(|c| Kind::of(*c) == kind).map(char::len_utf8).sum();
        let (run, after) = rest.split_at(length);
        match kind {
            Kind::Letters => humps(run, |word| say_word(word, word == name, speech)),
            Kind::Digits => numbers::inside_name(run, speech),
            Kind::Sign => {
                for sign in run.chars() {
                    say_sign(sign, !after.is_empty(), speech);
                }
            }
        }
        rest = after;
    }
}

fn say_word(word: &str, alone: bool, speech: &mut Speech) {
    let word = word.replace(['’', '‘', 'ʼ'], "'");
    let word = word.trim_matches('\'');
    let lower = word.to_lowercase();
    if let Some((_, words)) = SHORTENED.iter().find(|(short, _)| *short == lower) {
        speech.words(words);
    } else if word.chars().count() == 1 {
        // An article, unless it is part of a name.
        if alone && lower == "a" { speech.word("a") } else { speech.word(word.to_uppercase()) }
    } else if !word.is_empty() {
        speech.word(word);
    }
}

fn say_sign(sign: char, inside: bool, speech: &mut Speech) {
    let word = match sign {
        '+' => "plus",
        '=' => "equals",
        '%' => "percent",
        '@' => "at",
        '&' if inside && !speech.said.is_empty() => "and",
        '<' if inside => "of",
        '#' => "sharp",
        _ => {
            if let Some(pause) = Pause::from_mark(sign).filter(|_| inside) {
                speech.pause(pause);
            }
            return;
        }
    };
    // `#name`, `@name` and `&name` begin with a mark, not with a word.
    if !(speech.said.is_empty() && matches!(sign, '#' | '+')) {
        speech.word(word);
    }
}

/// `parseHTTPHeader` as "parse", "HTTP", "header". A word that is only capitalised stays as it is.
fn humps(run: &str, mut each: impl FnMut(&str)) {
    let letters: Vec<(usize, char)> = run.char_indices().collect();
    let mut start = 0;
    for i in 1..letters.len() {
        let (before, (at, this)) = (letters[i - 1].1, letters[i]);
        let next = letters.get(i + 1).map(|(_, next)| *next);
        let rises = before.is_lowercase() && this.is_uppercase();
        // "PRs" and "APIs" are plurals.
        let plural = next == Some('s') && i + 2 == letters.len();
        let ends_capitals = before.is_uppercase()
            && this.is_uppercase()
            && next.is_some_and(char::is_lowercase)
            && !plural;
        if rises || ends_capitals {
            each(&run[start..at]);
            start = at;
        }
    }
    each(&run[start..]);
}

/// `lib.rs:42`, `lib.rs:42:7`.
fn split_line(core: &str) -> Option<(&str, u64)> {
    let (place, after) = core.split_once(':')?;
    let line = after.split(':').next()?;
    let named =
        place.contains(['.', '/']) && !place.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    line.parse().ok().filter(|_| named).map(|line| (place, line))
}

fn is_hash(core: &str) -> bool {
    HASH.contains(&core.len())
        && core.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        && core.bytes().any(|b| b.is_ascii_digit())
        && core.bytes().any(|b| b.is_ascii_lowercase())
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Letters,
    Digits,
    Sign,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            '\'' | '’' | '‘' | 'ʼ' => Self::Letters,
            _ if c.is_alphabetic() => Self::Letters,
            _ if c.is_ascii_digit() => Self::Digits,
            _ => Self::Sign,
        }
    }
}
