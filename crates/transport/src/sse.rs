//! Server-sent events from a response's bytes, bounded in size and silence.
//!
//! Our own, because a line that never ends must be an error and not a full memory. The rules
//! are those of the HTML standard, section 9.2.6, except that an event whose last blank line
//! is missing counts when the body itself ended well.

use std::borrow::Cow;
use std::time::Duration;

use reqwest::Response;
use tokio::time::{Instant, timeout, timeout_at};

use crate::http::{HttpError, chain};

/// After the last event that matters, the body's end is a few bytes away, or not worth waiting.
const ENDING: Duration = Duration::from_millis(500);

/// One event may not be larger: the largest real ones carry a whole response with its context.
const EVENT_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SseEvent {
    /// Empty when the stream names none.
    pub name: String,
    pub data: String,
}

/// A running answer. Dropping it cancels the request.
#[derive(Debug)]
pub struct SseStream {
    url: String,
    decoder: SseDecoder,
    source: Source,
    idle: Duration,
    /// When the silence becomes too long. Kept here, so that a caller that polls and gives up
    /// does not start it anew.
    deadline: Instant,
}

#[derive(Debug)]
enum Source {
    Open(Response),
    Ended,
}

impl SseStream {
    pub(crate) fn new(url: String, response: Response, idle: Duration) -> Self {
        let deadline = Instant::now() + idle;
        let decoder = SseDecoder::new(EVENT_BYTES);
        Self { url, decoder, source: Source::Open(response), idle, deadline }
    }

    /// Reads on to the body's end, so that the connection can serve the next request. Without
    /// it, a stream that is dropped closes its connection.
    pub async fn finish(mut self) {
        let read = async { while let Some(Ok(_)) = self.next().await {} };
        // A service that goes on talking has its connection closed.
        drop(timeout(ENDING, read).await);
    }

    /// The next event; `None` at a proper end of the body. After an error only `None` comes.
    ///
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<SseEvent, HttpError>> {
        loop {
            match self.decoder.next_event() {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => (),
                Err(SseTooLarge { limit }) => {
                    self.source = Source::Ended;
                    return Some(Err(HttpError::TooLarge { url: self.url.clone(), limit }));
                }
            }
            let Source::Open(response) = &mut self.source else { return None };
            let failure = match timeout_at(self.deadline, response.chunk()).await {
                Ok(Ok(Some(bytes))) => {
                    self.deadline = Instant::now() + self.idle;
                    self.decoder.push(&bytes);
                    continue;
                }
                Ok(Ok(None)) => {
                    self.source = Source::Ended;
                    self.decoder.end();
                    continue;
                }
                Ok(Err(error)) => {
                    HttpError::Broken { url: self.url.clone(), reason: chain(&error) }
                }
                Err(_) => HttpError::Idle { url: self.url.clone(), limit: self.idle },
            };
            self.source = Source::Ended;
            self.decoder.discard();
            return Some(Err(failure));
        }
    }
}

/// Bytes to events, without IO.
#[derive(Debug)]
pub struct SseDecoder {
    /// Bytes not yet made into lines, from `start` on.
    buffer: Vec<u8>,
    start: usize,
    /// Up to here `buffer` was searched for a line's end.
    searched: usize,
    /// The last line ended with CR: a LF that follows belongs to it.
    after_cr: bool,
    first_line: bool,
    event: SseEvent,
    has_data: bool,
    limit: usize,
}

/// An event, or a line, has more bytes than that. What came of it is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SseTooLarge {
    pub limit: usize,
}

impl SseDecoder {
    /// No event may have more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            after_cr: false,
            first_line: true,
            event: SseEvent::default(),
            has_data: false,
            limit,
        }
    }

    /// Takes what was read. At most the size of one such read is kept beyond the limit.
    pub fn push(&mut self, bytes: &[u8]) {
        // Lines that were handed out are dropped once per read, not once per line.
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The body ended well: the last line and event need no terminator.
    pub fn end(&mut self) {
        self.push(b"\n\n");
    }

    /// The body broke: what is unfinished is no event.
    pub fn discard(&mut self) {
        *self = Self::new(self.limit);
    }

    /// The next event that is whole.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, SseTooLarge> {
        while let Some(line) = self.next_line() {
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(event));
                }
                continue;
            }
            let Self { buffer, event, has_data, .. } = self;
            field(&buffer[line], event, has_data);
            if self.event.data.len() + self.event.name.len() > self.limit {
                return Err(self.too_large());
            }
        }
        if self.buffer.len() - self.start > self.limit {
            return Err(self.too_large());
        }
        Ok(None)
    }

    fn too_large(&mut self) -> SseTooLarge {
        self.discard();
        SseTooLarge { limit: self.limit }
    }

    /// Where the next whole line is, without its end.
    fn next_line(&mut self) -> Option<std::ops::Range<usize>> {
        if self.after_cr && self.start < self.buffer.len() {
            self.after_cr = false;
            if self.buffer[self.start] == b'\n' {
                self.start += 1;
            }
        }
        let from = self.searched.max(self.start);
        let Some(found) = self.buffer[from..].iter().position(|it| matches!(it, b'\n' | b'\r'))
        else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = from + found;
        let mut line = self.start..end;
        self.after_cr = self.buffer[end] == b'\r';
        self.start = end + 1;
        self.searched = self.start;
        if std::mem::take(&mut self.first_line)
            && self.buffer[line.clone()].starts_with(b"\xEF\xBB\xBF")
        {
            line.start += 3;
        }
        Some(line)
    }
}

fn field(line: &[u8], event: &mut SseEvent, has_data: &mut bool) {
    // Looking whether it is UTF-8, which it nearly always is, is ten times faster than mending.
    let line = match str::from_utf8(line) {
        Ok(line) => Cow::Borrowed(line),
        Err(_) => String::from_utf8_lossy(line),
    };
    let (name, value) = line.split_once(':').unwrap_or((&line, ""));
    let value = value.strip_prefix(' ').unwrap_or(value);
    match name {
        "data" => {
            if std::mem::replace(has_data, true) {
                event.data.push('\n');
            }
            event.data.push_str(value);
        }
        "event" => value.clone_into(&mut event.name),
        // `id` and `retry` are about reconnecting, which these streams cannot do; a line
        // that begins with a colon is a comment.
        _ => (),
    }
}
