//! Cuts a byte stream into lines, without ever holding more than one that is too long.

use std::mem;

/// A message longer than this is refused: 30 s of sound in one message is well below it.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// Bytes in, lines out. Blank lines are skipped; `\r\n` is taken for `\n`.
#[derive(Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Start of the line that has not been given out.
    start: usize,
    /// How far beyond `start` was searched for its end.
    searched: usize,
    /// The rest of a line that was too long is being thrown away.
    skipping: bool,
}

/// A line went over [`MAX_LINE_BYTES`]; it is lost, the next one is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message is longer than {} MiB: send sound in shorter pieces", MAX_LINE_BYTES >> 20)]
pub struct TooLong;

impl Lines {
    /// Takes what was read from the stream, in order.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..mem::take(&mut self.start));
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line that was pushed. Bytes that are not UTF-8 become U+FFFD, which
    /// no JSON outside of strings accepts.
    pub fn pop(&mut self) -> Option<Result<String, TooLong>> {
        loop {
            let rest = &self.bytes[self.start..];
            let Some(found) = rest[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = rest.len();
                if self.searched <= MAX_LINE_BYTES {
                    return None;
                }
                self.bytes = Vec::new();
                (self.start, self.searched) = (0, 0);
                if mem::replace(&mut self.skipping, true) {
                    return None;
                }
                return Some(Err(TooLong));
            };
            let length = self.searched + found;
            let line = &rest[..length];
            let text = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii();
            let text = (!text.is_empty()).then(|| mended(text));
            self.start += length + 1;
            self.searched = 0;
            if mem::take(&mut self.skipping) {
                continue;
            }
            if length > MAX_LINE_BYTES {
                return Some(Err(TooLong));
            }
            if let Some(text) = text {
                return Some(Ok(text));
            }
        }
    }

    /// What came after the last newline, once the stream has ended.
    pub fn finish(self) -> Option<String> {
        let rest = self.bytes[self.start..].trim_ascii();
        (!self.skipping && !rest.is_empty()).then(|| mended(rest))
    }
}

/// Looking whether it is UTF-8, which it nearly always is, is ten times faster than mending.
fn mended(line: &[u8]) -> String {
    match str::from_utf8(line) {
        Ok(line) => line.to_owned(),
        Err(_) => String::from_utf8_lossy(line).into_owned(),
    }
}
