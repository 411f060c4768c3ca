//! A WebSocket client whose reading and writing halves do not wait for each other.
//!
//! Pings are answered while the reader is read. Proxies are not used.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Url;
use reqwest::header::HOST;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::headers::Headers;
use crate::http::{Refusal, chain, retry_after, show};
use crate::{Network, tls};

/// The service's own limit for one event is 15 MiB.
const MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// What the peer is slow to take, before writing waits for it.
const WRITE_BUFFER_BYTES: usize = 128 * 1024;

/// A close frame's reason may not be longer (RFC 6455, 5.5).
const REASON_BYTES: usize = 123;

/// Where to, and as whom.
#[derive(Debug, Clone)]
pub struct Dial {
    /// `ws`, `wss`; `http` and `https` mean the same.
    pub url: String,
    pub headers: Headers,
    /// For everything until the service took the upgrade.
    pub timeout: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebSocketMessage {
    Text(Text),
    Binary(Bytes),
    /// A ping or a pong: the peer lives.
    Alive,
    /// The peer says goodbye; nothing follows. 1005 stands for a close without a code.
    Close {
        code: u16,
        reason: String,
    },
}

/// Text as it came, not copied.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Utf8Bytes);

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_str().fmt(f)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebSocketError {
    #[error("`{url}` is not a usable WebSocket URL: {reason}")]
    Url { url: String, reason: String },
    #[error("cannot reach {url}: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} did not take the connection within {} s", limit.as_secs_f32())]
    Timeout { url: String, limit: Duration },
    /// An ordinary HTTP answer in place of the upgrade.
    #[error("{0}")]
    Refused(Box<Refusal>),
    #[error("the connection to {url} broke: {reason}")]
    Broken { url: String, reason: String },
    #[error("{url} sent a message of more than {limit} bytes")]
    TooLarge { url: String, limit: usize },
    #[error("the connection to {url} is closed")]
    Closed { url: String },
}

impl Network {
    /// Connects, with TLS for `wss`, and upgrades.
    pub async fn open_websocket(
        &self,
        dial: &Dial,
    ) -> Result<(WebSocketWriter, WebSocketReader), WebSocketError> {
        let url = parse_url(&dial.url)?;
        let shown = show(&url);
        match timeout(dial.timeout, upgrade(&self.tls, &url, &shown, &dial.headers)).await {
            Ok(Ok(socket)) => {
                let (sink, stream) = socket.split();
                let writer = WebSocketWriter { url: shown.clone(), sink };
                Ok((writer, WebSocketReader { url: shown, stream, ended: false }))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(WebSocketError::Timeout { url: shown, limit: dial.timeout }),
        }
    }
}

pub struct WebSocketReader {
    url: String,
    stream: SplitStream<WebSocketStream<Box<dyn Socket>>>,
    ended: bool,
}

impl WebSocketReader {
    /// The next message; `None` after a close or an error. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<WebSocketMessage, WebSocketError>> {
        while !self.ended {
            let message = match self.stream.next().await {
                None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => {
                    self.ended = true;
                    return None;
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(broken(&self.url, error)));
                }
                Some(Ok(message)) => message,
            };
            return Some(Ok(match message {
                Message::Text(text) => WebSocketMessage::Text(Text(text)),
                Message::Binary(bytes) => WebSocketMessage::Binary(bytes),
                Message::Close(frame) => {
                    self.ended = true;
                    let (code, reason) = match frame {
                        Some(CloseFrame { code, reason }) => (code.into(), reason.to_string()),
                        None => (CloseCode::Status.into(), String::new()),
                    };
                    WebSocketMessage::Close { code, reason }
                }
                // The answer to a ping goes out with the next read or write.
                Message::Ping(_) | Message::Pong(_) => WebSocketMessage::Alive,
                Message::Frame(_) => continue,
            }));
        }
        None
    }
}

pub struct WebSocketWriter {
    url: String,
    sink: SplitSink<WebSocketStream<Box<dyn Socket>>, Message>,
}

impl WebSocketWriter {
    /// Sends one message at once. Not cancel-safe: what was dropped may have been sent.
    pub async fn send(&mut self, text: impl Into<String>) -> Result<(), WebSocketError> {
        self.feed(text).await?;
        self.flush().await
    }

    /// Takes one message, to be sent with the next ones by [`WebSocketWriter::flush`]. Waits
    /// when more than 128 KiB are unsent.
    pub async fn feed(&mut self, text: impl Into<String>) -> Result<(), WebSocketError> {
        let message = Message::Text(Utf8Bytes::from(text.into()));
        self.sink.feed(message).await.map_err(|error| broken(&self.url, error))
    }

    /// Sends what was fed. Cancel-safe.
    pub async fn flush(&mut self) -> Result<(), WebSocketError> {
        self.sink.flush().await.map_err(|error| broken(&self.url, error))
    }

    /// Asks the peer for a sign of life, which the reader gives as
    /// [`WebSocketMessage::Alive`].
    pub async fn ping(&mut self) -> Result<(), WebSocketError> {
        let ping = Message::Ping(Bytes::new());
        self.sink.send(ping).await.map_err(|error| broken(&self.url, error))
    }

    /// Says goodbye. The reader sees the peer's answer.
    pub async fn close(&mut self, code: u16, reason: &str) -> Result<(), WebSocketError> {
        let reason = &reason[..reason.floor_char_boundary(REASON_BYTES)];
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        let sent = self.sink.send(Message::Close(Some(frame))).await;
        match sent.map_err(|error| broken(&self.url, error)) {
            // The peer was first: that is what we wanted.
            Ok(()) | Err(WebSocketError::Closed { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for WebSocketReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketReader").field("url", &self.url).finish_non_exhaustive()
    }
}

impl fmt::Debug for WebSocketWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketWriter").field("url", &self.url).finish_non_exhaustive()
    }
}

/// With TLS or without.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

async fn upgrade(
    tls: &tls::Tls,
    url: &Url,
    shown: &str,
    headers: &Headers,
) -> Result<WebSocketStream<Box<dyn Socket>>, WebSocketError> {
    let mut request = url
        .as_str()
        .into_client_request()
        .map_err(|error| WebSocketError::Url { url: shown.into(), reason: error.to_string() })?;
    for (name, value) in headers.as_map() {
        // Host names the connection, not the caller.
        if name != HOST {
            request.headers_mut().insert(name, value.clone());
        }
    }
    let socket = connect(tls, url, shown).await?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES))
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES + 2 * MESSAGE_BYTES);
    match client_async_with_config(request, socket, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            let retry_after = retry_after(response.headers());
            let status = response.status().as_u16();
            let body = response.into_body().unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            let url = shown.into();
            Err(WebSocketError::Refused(Box::new(Refusal { url, status, retry_after, body })))
        }
        Err(error) => {
            Err(WebSocketError::Unreachable { url: shown.into(), reason: error.to_string() })
        }
    }
}

async fn connect(
    tls: &tls::Tls,
    url: &Url,
    shown: &str,
) -> Result<Box<dyn Socket>, WebSocketError> {
    let unreachable =
        |reason: String| WebSocketError::Unreachable { url: shown.to_owned(), reason };
    let secure = url.scheme() == "wss";
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port().unwrap_or(if secure { 443 } else { 80 });
    let tcp = TcpStream::connect((host, port)).await.map_err(|it| unreachable(it.to_string()))?;
    // Waiting for an acknowledgement before the next small frame would cost 40 ms a time.
    tcp.set_nodelay(true).map_err(|it| unreachable(it.to_string()))?;
    if !secure {
        return Ok(Box::new(tcp));
    }
    tls.warm().await;
    let name = ServerName::try_from(host.to_owned()).map_err(|it| unreachable(it.to_string()))?;
    let connector = TlsConnector::from(tls.for_websocket());
    let stream = connector.connect(name, tcp).await.map_err(|it| unreachable(it.to_string()))?;
    Ok(Box::new(stream))
}

fn parse_url(text: &str) -> Result<Url, WebSocketError> {
    let refuse = |reason: String| {
        let url = text.split(['?', '#']).next().unwrap_or_default().to_owned();
        WebSocketError::Url { url, reason }
    };
    let mut url = Url::parse(text).map_err(|error| refuse(error.to_string()))?;
    let scheme = match url.scheme() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err(refuse("it must begin with ws:// or wss://".into())),
    };
    if !url.has_host() || url.set_scheme(scheme).is_err() {
        return Err(refuse("it names no host".into()));
    }
    // A fragment is never sent.
    url.set_fragment(None);
    Ok(url)
}

fn broken(url: &str, error: Error) -> WebSocketError {
    let url = url.to_owned();
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            WebSocketError::TooLarge { url, limit: MESSAGE_BYTES }
        }
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::SendAfterClosing) => WebSocketError::Closed { url },
        error => WebSocketError::Broken { url, reason: describe(&error) },
    }
}

fn describe(error: &Error) -> String {
    match error {
        Error::Io(io) => io.to_string(),
        Error::Protocol(protocol) => protocol.to_string(),
        other => chain(other),
    }
}
