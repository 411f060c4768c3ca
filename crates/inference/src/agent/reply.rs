//! Reads what the model has written: a call, or the final message as it grows.

use protocol::ToolSpec;
use serde::Deserialize;
use serde_json::Value;

use super::grammar::{ANSWER, ANSWER_TEXT, BLOCK_CLOSES, BLOCK_OPENS, block_property};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Answer(String),
    /// `arguments` is JSON text that fits the tool's schema.
    Call {
        name: String,
        arguments: String,
    },
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
            let text = arguments.get(ANSWER_TEXT)?.as_str()?;
            return Some(Self::Answer(text.to_owned()));
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

/// The part of a growing answer that was not given out yet.
#[derive(Debug, Default)]
pub(crate) struct AnswerDeltas {
    given: usize,
}

impl AnswerDeltas {
    /// More of the answer's text; empty while there is none, or for a call.
    pub(crate) fn next(&mut self, written: &[u8]) -> String {
        let opens = format!(r#"{{"name": "{ANSWER}", "arguments": {{"{ANSWER_TEXT}": ""#);
        let Some(body) = written.strip_prefix(opens.as_bytes()) else { return String::new() };
        let text = unescaped(body);
        let delta = text.get(self.given..).unwrap_or_default().to_owned();
        self.given = self.given.max(text.len());
        delta
    }
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
