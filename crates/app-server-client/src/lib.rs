//! A typed client of the app-server protocol, over any pair of byte streams.
//!
//! [`connect`] gives two halves. [`Client`] asks: it is cheap to clone, and every call gets
//! its answer, a refusal, or [`CallError::Closed`], exactly once. [`Events`] is what the
//! server says by itself, in order; it owns the connection's tasks, and dropping it hangs up.
//!
//! Queues are bounded. [`Events`] that nobody reads stop the reading of answers too, so
//! whoever awaits a call must also let somebody read the events.

use std::sync::{Arc, Mutex, PoisonError};

use app_server_protocol::{
    Calls, ErrorObject, Lines, Malformed, Message, Method, RequestId, ServerNotification, methods,
};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Messages on their way to the server; a full queue makes callers wait.
const TO_SERVER: usize = 64;

/// News that were read and not yet taken; a full queue stops the reading.
const FROM_SERVER: usize = 256;

/// How much is read at once: about twelve frames of sound.
const CHUNK_BYTES: usize = 32 << 10;

/// The asking half.
#[derive(Debug, Clone)]
pub struct Client {
    to_server: mpsc::Sender<String>,
    waiting: Arc<Waiting>,
}

/// The listening half, and the owner of the connection.
#[derive(Debug)]
pub struct Events {
    from_server: mpsc::Receiver<ServerMessage>,
    _tasks: JoinSet<()>,
}

/// What the server says without being asked.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all messages are notifications")]
pub enum ServerMessage {
    Notification(ServerNotification),
    /// Answer it with [`Client::answer`], whatever it is.
    Request {
        id: RequestId,
        method: String,
        params: Option<Box<RawValue>>,
    },
    /// Text that is no message; the connection goes on.
    Malformed(ErrorObject),
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("{method}: {error}")]
    Refused { method: &'static str, error: ErrorObject },
    #[error("{method}: the server closed the connection")]
    Closed { method: &'static str },
    #[error("{method}: the server's result is of another shape than ours: {reason}")]
    Unreadable { method: &'static str, reason: String },
}

/// The connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server closed the connection")]
pub struct Closed;

/// Starts a connection over the two directions of a duplex.
///
/// Must be called within a tokio runtime. The first call must be [`Client::initialize`].
pub fn connect<R, W>(read: R, write: W) -> (Client, Events)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (to_server, outgoing) = mpsc::channel(TO_SERVER);
    let (news, from_server) = mpsc::channel(FROM_SERVER);
    let waiting = Arc::new(Waiting(Mutex::new(Some(Calls::new()))));
    let mut tasks = JoinSet::new();
    tasks.spawn(send(write, outgoing));
    tasks.spawn(receive(read, news, Arc::clone(&waiting)));
    (Client { to_server, waiting }, Events { from_server, _tasks: tasks })
}

impl Client {
    /// Says who we are, which must come first, and that we are ready.
    pub async fn initialize(
        &self,
        params: &<methods::Initialize as Method>::Params,
    ) -> Result<<methods::Initialize as Method>::Result, CallError> {
        let result = self.call::<methods::Initialize>(params).await?;
        self.notify("initialized", &app_server_protocol::Empty {})
            .await
            .map_err(|Closed| CallError::Closed { method: methods::Initialize::NAME })?;
        Ok(result)
    }

    /// Asks and waits for the answer. Dropping the call forgets it; the server still acts.
    pub async fn call<M: Method>(&self, params: &M::Params) -> Result<M::Result, CallError> {
        let closed = || CallError::Closed { method: M::NAME };
        let (asker, answer) = oneshot::channel();
        let id = self.waiting.open(asker).ok_or_else(closed)?;
        let line = Message::request(&id, M::NAME, params);
        self.to_server.send(line).await.map_err(|_| closed())?;
        let result = answer
            .await
            .map_err(|_| closed())?
            .map_err(|error| CallError::Refused { method: M::NAME, error })?;
        serde_json::from_str(result.get())
            .map_err(|error| CallError::Unreadable { method: M::NAME, reason: error.to_string() })
    }

    pub async fn notify<P: Serialize>(&self, method: &str, params: &P) -> Result<(), Closed> {
        self.send(Message::notification(method, params)).await
    }

    /// Answers a request of the server.
    pub async fn answer<R: Serialize>(
        &self,
        id: &RequestId,
        result: &Result<R, ErrorObject>,
    ) -> Result<(), Closed> {
        self.send(match result {
            Ok(result) => Message::result(id, result),
            Err(error) => Message::error(Some(id), error),
        })
        .await
    }

    async fn send(&self, line: String) -> Result<(), Closed> {
        self.to_server.send(line).await.map_err(|_| Closed)
    }
}

impl Events {
    /// The next thing the server says, or `None` when the connection is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<ServerMessage> {
        self.from_server.recv().await
    }
}

type Answer = Result<Box<RawValue>, ErrorObject>;

/// Calls without an answer yet; `None` once the connection is gone. A lock, because callers
/// and the reader are different tasks; it is held for one map operation at a time.
#[derive(Debug)]
struct Waiting(Mutex<Option<Calls<oneshot::Sender<Answer>>>>);

impl Waiting {
    fn open(&self, asker: oneshot::Sender<Answer>) -> Option<RequestId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(|it| it.open(asker))
    }

    fn close(&self, id: &RequestId) -> Option<oneshot::Sender<Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.close(id)
    }

    /// Every waiting call, and every later one, ends as closed.
    fn hang_up(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Hangs up however the reader ends: by end of stream, or because its owner was dropped.
struct HangUp(Arc<Waiting>);

impl Drop for HangUp {
    fn drop(&mut self) {
        self.0.hang_up();
    }
}

async fn send<W: AsyncWrite + Unpin>(mut write: W, mut outgoing: mpsc::Receiver<String>) {
    let mut lines = Vec::new();
    while outgoing.recv_many(&mut lines, TO_SERVER).await > 0 {
        let batch = lines.concat();
        lines.clear();
        if write.write_all(batch.as_bytes()).await.is_err() || write.flush().await.is_err() {
            // The reader meets the end of the same connection and tells the callers.
            return;
        }
    }
    // All clients are gone: the server sees the end of its input. It may be gone already.
    write.shutdown().await.ok();
}

async fn receive<R: AsyncRead + Unpin>(
    mut read: R,
    news: mpsc::Sender<ServerMessage>,
    waiting: Arc<Waiting>,
) {
    let hang_up = HangUp(waiting);
    let mut lines = Lines::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        while let Some(line) = lines.pop() {
            let message = match line {
                Ok(line) => Message::parse(&line),
                Err(too_long) => Err(Malformed {
                    id: None,
                    error: ErrorObject::invalid_request(too_long.to_string()),
                }),
            };
            let news_item = match message {
                Ok(Message::Answer { id, result }) => {
                    if let Some(asker) = hang_up.0.close(&id) {
                        // Whoever dropped the call does not want to know.
                        asker.send(result).ok();
                    }
                    continue;
                }
                Ok(Message::Notification { method, params }) => {
                    ServerMessage::Notification(ServerNotification::read(method, params.as_deref()))
                }
                Ok(Message::Request { id, method, params }) => {
                    ServerMessage::Request { id, method, params }
                }
                Err(malformed) => ServerMessage::Malformed(malformed.error),
            };
            if news.send(news_item).await.is_err() {
                return;
            }
        }
        match read.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(count) => lines.push(&chunk[..count]),
        }
    }
}
