//! Tokens and text.
//!
//! `vocabulary.txt` holds a token per line, in GPT-2's alphabet: every byte is written as a printable
//! character, so that bytes which are no text can stand in a text file. A token's line is also its rank:
//! where two neighbouring pieces could be joined, the pair with the lowest line is joined first, so the
//! file is enough to encode too.

use std::collections::HashMap;
use std::path::Path;

use crate::error::LoadError;

/// Written sounds, music and brackets: subtitles are full of them, speech is not.
const NOT_SPEECH: &str = "\"#()*+/:;<=>@[\\]^_`{|}~「」『』♩♪♫♬♭♮♯";

#[derive(Debug)]
pub(crate) struct Vocabulary {
    tokens: Vec<Vec<u8>>,
    ranks: HashMap<Vec<u8>, u32>,
    pub(crate) specials: Specials,
    /// Ordinary tokens that are never written: see [`NOT_SPEECH`].
    pub(crate) not_speech: Vec<u32>,
    /// A lone space: an utterance never begins with it.
    pub(crate) blank: Option<u32>,
}

/// Tokens that steer the model instead of being text. All of them come after the text tokens.
#[derive(Debug)]
pub(crate) struct Specials {
    pub(crate) end: u32,
    pub(crate) start: u32,
    pub(crate) transcribe: u32,
    pub(crate) prompt: u32,
    pub(crate) no_speech: u32,
    pub(crate) no_times: u32,
    languages: HashMap<String, u32>,
}

impl Vocabulary {
    pub(crate) fn read(path: &Path) -> Result<Self, LoadError> {
        let text = std::fs::read_to_string(path).map_err(|source| LoadError::read(path, source))?;
        Self::parse(&text)
            .map_err(|missing| LoadError::unsuitable(path, format!("it lacks {missing}")))
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(crate) fn language(&self, code: &str) -> Option<u32> {
        self.specials.languages.get(code).copied()
    }

    /// The text of `tokens`; what steers the model is left out, broken characters become U+FFFD.
    pub(crate) fn decode(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens
            .iter()
            .filter(|token| **token < self.specials.end)
            .filter_map(|token| self.tokens.get(*token as usize))
            .flatten()
            .copied()
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        words(text).flat_map(|word| self.encode_word(word.as_bytes())).collect()
    }

    /// `Err` names what is missing.
    fn parse(text: &str) -> Result<Self, String> {
        let alphabet = alphabet();
        let mut tokens = Vec::new();
        let mut special = HashMap::new();
        for (line, token) in (0u32..).zip(text.lines()) {
            if token.starts_with("<|") && token.ends_with("|>") {
                special.insert(token, line);
            }
            let bytes =
                token.chars().map(|c| alphabet.get(&c).copied()).collect::<Option<Vec<u8>>>();
            tokens.push(bytes.unwrap_or_else(|| token.as_bytes().to_vec()));
        }
        let find = |name: &str| special.get(name).copied().ok_or_else(|| name.to_owned());
        let end = find("<|endoftext|>")?;
        let (start, translate) = (find("<|startoftranscript|>")?, find("<|translate|>")?);
        let specials = Specials {
            end,
            start,
            transcribe: find("<|transcribe|>")?,
            prompt: find("<|startofprev|>")?,
            no_speech: find("<|nospeech|>").or_else(|_| find("<|nocaptions|>"))?,
            no_times: find("<|notimestamps|>")?,
            languages: special
                .iter()
                .filter(|(_, line)| (start + 1..translate).contains(*line))
                .map(|(name, line)| (name.trim_matches(['<', '|', '>']).to_owned(), *line))
                .collect(),
        };
        let ranks: HashMap<Vec<u8>, u32> = tokens[..end as usize]
            .iter()
            .zip(0u32..)
            .filter(|(bytes, _)| !bytes.is_empty())
            .map(|(bytes, line)| (bytes.clone(), line))
            .collect();
        if (0..=u8::MAX).any(|byte| !ranks.contains_key([byte].as_slice())) {
            return Err("a token for every byte".to_owned());
        }
        let not_speech = (0u32..)
            .zip(&tokens[..end as usize])
            .filter(|(_, bytes)| is_not_speech(bytes))
            .map(|(line, _)| line)
            .collect();
        let blank = ranks.get(b" ".as_slice()).copied();
        Ok(Self { tokens, ranks, specials, not_speech, blank })
    }

    fn encode_word(&self, word: &[u8]) -> Vec<u32> {
        // Where each piece begins, and the end of the last.
        let mut edges: Vec<usize> = (0..=word.len()).collect();
        loop {
            let joint = edges
                .windows(3)
                .zip(1..)
                .filter_map(|(edge, joint)| Some((self.ranks.get(&word[edge[0]..edge[2]])?, joint)))
                .min();
            let Some((_, joint)) = joint else { break };
            edges.remove(joint);
        }
        edges
            .windows(2)
            .filter_map(|edge| self.ranks.get(&word[edge[0]..edge[1]]).copied())
            .collect()
    }
}

fn is_not_speech(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let text = text.trim_start_matches(' ');
    // A dash or an apostrophe inside a word is fine; as a word of its own it begins a list or a quotation.
    let opens = bytes.starts_with(b" ") && (text == "-" || text == "'");
    opens || (!text.is_empty() && text.chars().all(|c| NOT_SPEECH.contains(c)))
}

/// From the character that stands for a byte to the byte: printable Latin-1 stands for itself, the rest for
/// characters from U+0100 on, in order.
fn alphabet() -> HashMap<char, u8> {
    let mut stand_in = 0x100..;
    (0..=u8::MAX)
        .filter_map(|byte| {
            let own = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
            let code = if own { u32::from(byte) } else { stand_in.next()? };
            Some((char::from_u32(code)?, byte))
        })
        .collect()
}

/// Cuts text as the vocabulary was trained: letters, digits and other signs apart, a space going with what
/// follows it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let second = rest[first.len_utf8()..].chars().next();
        let begin = if first == ' ' && second.is_some_and(|c| !c.is_whitespace()) { 1 } else { 0 };
        let kind = Kind::of(rest[begin..].chars().next()?);
        let length: usize =
            rest[begin..].chars().take_while(|c| Kind::of(*c) == kind).map(char::len_utf8).sum();
        let (word, after) = rest.split_at(begin + length);
        rest = after;
        Some(word)
    })
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Space,
    Letter,
    Digit,
    Sign,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            _ if c.is_whitespace() => Self::Space,
            _ if c.is_alphabetic() => Self::Letter,
            _ if c.is_numeric() => Self::Digit,
            _ => Self::Sign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, words};

    #[test]
    fn words_keep_the_space_before_them() {
        let cut: Vec<&str> = words("fix parse_args2  in src/lib.rs!").collect();
        let expected =
            ["fix", " parse", "_", "args", "2", "  ", "in", " src", "/", "lib", ".", "rs", "!"];
        assert_eq!(cut, expected);
        assert!(Kind::of('é') == Kind::Letter);
    }
}
