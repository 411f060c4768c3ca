//! The way out: HTTP, server-sent events, downloads and WebSockets over one TLS stack.
//!
//! Invariants:
//! * Nothing is loaded before it is needed: no certificate before the first TLS handshake, no
//!   HTTP client before the first request.
//! * Every read is bounded in bytes and in time.
//! * No error and no `Debug` shows a secret: not a header's value, not a URL's query.

mod download;
mod headers;
mod http;
mod sse;
mod tls;
mod websocket;

use std::sync::Arc;

pub use crate::download::{Download, DownloadError};
pub use crate::headers::{Headers, InvalidHeader};
pub use crate::http::{HttpError, Post, Refusal, join_url};
pub use crate::sse::{SseDecoder, SseEvent, SseStream, SseTooLarge};
pub use crate::tls::Trust;
pub use crate::websocket::{
    Dial, Text, WebSocketError, WebSocketMessage, WebSocketReader, WebSocketWriter,
};

/// Whom we can talk to, and how. Clones share connections.
#[derive(Debug, Clone)]
pub struct Network {
    tls: Arc<tls::Tls>,
    http: Arc<http::Clients>,
}

impl Network {
    /// Touches neither files nor sockets.
    pub fn new(trust: Trust) -> Self {
        Self { tls: Arc::new(tls::Tls::new(trust)), http: Arc::default() }
    }
}
