//! Reads what the model has written: a call, or the final message as it grows.

use protocol::ToolSpec;
use serde::Deserialize;
use serde_json::Value;

use super::grammar::{
    ANSWER, ANSWER_TEXT, BLOCK_CLOSES, BLOCK_OPENS, MAX_ANSWER_CHARS, block_property,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Its text is in [`Answer`].
    Answer,
    /// `arguments` is JSON text that fits the tool's schema.
    Call { name: String, arguments: String },
}

#[derive(Deserialize)]
struct Written {
    name: String,
    arguments: serde_json::Map<String, Value>,
}

impl Reply {
    /// `None` for bytes that the grammar would not have let pass.
    pub(crate) fn parse(written: &[u8], tools: &[ToolSpec]) -> Option<Self> {
        let text = std::str::from_utf8(written).ok()?;
        let mut objects = serde_json::Deserializer::from_str(text).into_iter::<Written>();
        let Written { name, mut arguments } = objects.next()?.ok()?;
        let rest = text.get(objects.byte_offset()..)?;
        if name == ANSWER {
            return Some(Self::Answer);
        }
        if let Some(block) = tools.iter().find(|it| it.name == name).and_then(block_property) {
            let lines = rest.strip_prefix(BLOCK_OPENS)?;
            let closes = std::str::from_utf8(BLOCK_CLOSES).ok()?;
            // An empty block closes with the line break that opened it.
            let content = lines.strip_suffix(closes).or_else(|| lines.strip_suffix("```"))?;
            let content = if content.is_empty() { String::new() } else { format!("{content}\n") };
            arguments.insert(block.name.clone(), Value::from(content));
        }
        Some(Self::Call { name, arguments: super::render::spaced_json(&Value::Object(arguments)) })
    }
}

/// The final message as it grows, given out by whole sentences: it is spoken so, and a
/// sentence that turns out to lead nowhere can still be left out.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    given: String,
}

impl Answer {
    /// Sentences that are complete and were not given out yet; empty while there are none,
    /// or for a call.
    pub(crate) fn next(&mut self, written: &[u8]) -> String {
        let text = answer_text(written);
        let mut ends = text.char_indices().filter(|(at, it)| {
            let after = text[at + it.len_utf8()..].chars().next();
            matches!(it, '.' | '!' | '?' | ':') && after.is_some_and(char::is_whitespace)
        });
        let end = ends.next_back().map_or(0, |(at, it)| at + it.len_utf8());
        self.give(&text[..end])
    }

    /// What is left at the end. A reply that was `cut` loses the sentence it broke off in,
    /// unless that was the first.
    pub(crate) fn rest(&mut self, written: &[u8], cut: bool) -> String {
        if cut && !self.given.is_empty() {
            return String::new();
        }
        self.give(&answer_text(written))
    }

    /// All that was given out.
    pub(crate) fn into_text(self) -> String {
        self.given
    }

    fn give(&mut self, text: &str) -> String {
        let delta = text.get(self.given.len()..).unwrap_or_default().to_owned();
        self.given.push_str(&delta);
        delta
    }
}

/// Whether the answer says something again: a greedy model that does so does it for ever.
pub(crate) fn answer_repeats(written: &[u8]) -> bool {
    /// Shorter runs are ordinary: a name, a phrase.
    const REPEATED: usize = 40;
    let text = answer_text(written);
    let Some(from) = text.len().checked_sub(REPEATED) else { return false };
    let Some(tail) = text.get(from..) else { return false };
    text.get(..from).is_some_and(|before| before.contains(tail))
}

/// Whether the answer is as long as it may be, so that it broke off anywhere.
pub(crate) fn answer_is_full(written: &[u8]) -> bool {
    answer_text(written).chars().count() >= MAX_ANSWER_CHARS as usize
}

fn answer_text(written: &[u8]) -> String {
    let opens = format!(r#"{{"name": "{ANSWER}", "arguments": {{"{ANSWER_TEXT}": ""#);
    written.strip_prefix(opens.as_bytes()).map(unescaped).unwrap_or_default()
}

/// As much of a JSON string's inside as is whole.
fn unescaped(body: &[u8]) -> String {
    let mut end = 0;
    while let Some(byte) = body.get(end) {
        let size = match byte {
            b'"' => break,
            b'\\' if body.get(end + 1) == Some(&b'u') => 6,
            b'\\' => 2,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => 1,
        };
        if end + size > body.len() {
            break;
        }
        end += size;
    }
    // A first half of a surrogate pair is not a character yet: wait for the second.
    let mut whole = String::from_utf8_lossy(&body[..end]).into_owned();
    loop {
        match serde_json::from_str::<String>(&format!("\"{whole}\"")) {
            Ok(text) => return text,
            Err(_) if whole.pop().is_some() => {}
            Err(_) => return String::new(),
        }
    }
}
