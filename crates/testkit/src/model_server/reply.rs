//! How one request is answered.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;

use super::http::Connection;
use super::story::Story;
use super::{SeenRequest, sse};

/// An answer that is fixed beforehand.
#[derive(Debug, Clone)]
pub struct ModelReply(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Sse { events: Vec<Value>, end: End, piece: usize },
    Error { status: u16, headers: Vec<(String, String)>, body: String },
    Hang,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Proper,
    /// The connection breaks after this many events.
    CutAfter(usize),
}

impl ModelReply {
    /// A stream of events, then a proper end of the body. Builders are in [`sse`].
    pub fn sse(events: impl IntoIterator<Item = Value>) -> Self {
        let events = events.into_iter().collect();
        Self(Kind::Sse { events, end: End::Proper, piece: usize::MAX })
    }

    /// The agent's model says `text` and is done.
    pub fn message(text: &str) -> Self {
        Self::sse(sse::message_reply(text))
    }

    /// The agent's model calls one tool and is done.
    pub fn tool_call(call: &str, name: &str, arguments: Value) -> Self {
        Self::sse(sse::tool_call_reply(call, name, &arguments))
    }

    /// A status other than 200 with a JSON body; a string is sent as it is.
    pub fn error(status: u16, body: Value) -> Self {
        let body = match body {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Self(Kind::Error { status, headers: Vec::new(), body })
    }

    /// Takes the request and never says a word.
    pub fn hang() -> Self {
        Self(Kind::Hang)
    }

    /// Adds a header to an error, for instance `retry-after`.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        match &mut self.0 {
            Kind::Error { headers, .. } => headers.push((name.into(), value.into())),
            Kind::Sse { .. } | Kind::Hang => panic!("only errors take headers"),
        }
        self
    }

    /// Breaks the connection after `count` events.
    #[must_use]
    pub fn cut_after(mut self, count: usize) -> Self {
        match &mut self.0 {
            Kind::Sse { end, .. } => *end = End::CutAfter(count),
            Kind::Error { .. } | Kind::Hang => panic!("only streams can be cut"),
        }
        self
    }

    /// Sends the stream in pieces of so many bytes: lines and letters fall apart.
    #[must_use]
    pub fn in_pieces_of(mut self, bytes: usize) -> Self {
        match &mut self.0 {
            Kind::Sse { piece, .. } => *piece = bytes.max(1),
            Kind::Error { .. } | Kind::Hang => panic!("only streams come in pieces"),
        }
        self
    }
}

/// A request that waits for its answer. Dropping it resets the connection.
#[derive(Debug)]
#[must_use = "the client waits for an answer"]
pub struct ModelCall {
    request: SeenRequest,
    connection: Connection,
    story: Arc<Story>,
    /// Takes the connection for the client's next request.
    home: mpsc::Sender<Connection>,
}

impl ModelCall {
    pub(super) fn new(
        request: SeenRequest,
        connection: Connection,
        story: Arc<Story>,
        home: mpsc::Sender<Connection>,
    ) -> Self {
        Self { request, connection, story, home }
    }

    pub fn request(&self) -> &SeenRequest {
        &self.request
    }

    pub fn body(&self) -> &Value {
        &self.request.body
    }

    pub async fn reply_sse(self, events: impl IntoIterator<Item = Value>) {
        self.reply(ModelReply::sse(events)).await;
    }

    pub async fn reply_message(self, text: &str) {
        self.reply(ModelReply::message(text)).await;
    }

    pub async fn reply_tool_call(self, call: &str, name: &str, arguments: Value) {
        self.reply(ModelReply::tool_call(call, name, arguments)).await;
    }

    pub async fn reply_error(self, status: u16, body: Value) {
        self.reply(ModelReply::error(status, body)).await;
    }

    /// Says nothing; resolves when the client has hung up.
    pub async fn hang(self) {
        self.reply(ModelReply::hang()).await;
    }

    /// Carries out a reply that was made beforehand.
    pub async fn reply(mut self, reply: ModelReply) {
        match reply.0 {
            Kind::Sse { events, end, piece } => {
                let mut open = self.open_sse().await;
                let sent = match end {
                    End::Proper => events.len(),
                    End::CutAfter(count) => count.min(events.len()),
                };
                open.send_pieces(&events[..sent], piece).await;
                match end {
                    End::Proper => open.end().await,
                    End::CutAfter(_) => open.cut(),
                }
            }
            Kind::Error { status, headers, body } => {
                self.story.said(&format!("status {status} {body}"));
                let mut head = format!(
                    "HTTP/1.1 {status} scripted\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\n",
                    body.len()
                );
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str("\r\n");
                if self.connection.write((head + &body).as_bytes()).await.is_ok() {
                    self.give_back();
                }
            }
            Kind::Hang => {
                self.story.said("says nothing");
                self.connection.client_left().await;
                self.story.said("sees the client hang up");
            }
        }
    }

    /// Answers with status 200 and lets the test send event by event.
    pub async fn open_sse(mut self) -> OpenReply {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
        let gone = self.connection.write(head.as_bytes()).await.is_err();
        OpenReply { call: self, gone }
    }

    fn give_back(self) {
        // Full or closed: the test is over, or the client makes a new connection.
        drop(self.home.try_send(self.connection));
    }
}

/// A stream under way, event by event. Dropping it resets the connection.
#[derive(Debug)]
#[must_use = "the client waits for the end"]
pub struct OpenReply {
    call: ModelCall,
    /// The client hung up: what is sent now goes nowhere.
    gone: bool,
}

impl OpenReply {
    pub fn request(&self) -> &SeenRequest {
        &self.call.request
    }

    pub async fn send(&mut self, event: Value) {
        self.send_pieces(&[event], usize::MAX).await;
    }

    /// Sends text that need not be an event at all.
    pub async fn send_raw(&mut self, text: &str) {
        self.call.story.said(text);
        self.write(text.as_bytes()).await;
    }

    /// Ends the body properly, whatever was sent before.
    pub async fn end(mut self) {
        self.call.story.said("ends the stream");
        if !self.gone && self.call.connection.write(b"0\r\n\r\n").await.is_ok() {
            self.call.give_back();
        }
    }

    /// Breaks the connection.
    pub fn cut(self) {
        self.call.story.said("cuts the connection");
        // What was written is delivered before the end; a reset might overtake it.
        drop(self.call.connection);
    }

    /// Resolves when the client has hung up: it cancelled the call.
    pub async fn client_left(mut self) {
        self.call.connection.client_left().await;
        self.call.story.said("sees the client hang up");
    }

    async fn send_pieces(&mut self, events: &[Value], piece: usize) {
        let mut text = String::new();
        for event in events {
            self.call.story.said(&event.to_string());
            text.push_str(&sse::encode(event));
        }
        for piece in text.as_bytes().chunks(piece) {
            self.write(piece).await;
        }
    }

    async fn write(&mut self, bytes: &[u8]) {
        if self.gone || bytes.is_empty() {
            return;
        }
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.gone = self.call.connection.write(&chunk).await.is_err();
    }
}
