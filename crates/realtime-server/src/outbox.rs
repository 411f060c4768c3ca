//! Frames on their way to a client, bounded in bytes.
//!
//! Models are faster than networks. Where a client lags, its models wait ([`Outbox::has_room`]);
//! what it asked for by itself is still answered, until it clearly does not read any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::SinkExt as _;
use futures_util::stream::SplitSink;
use tokio::sync::{Notify, mpsc};

/// From here on models wait: more than a minute of sound.
const ENOUGH: usize = 4 * 1024 * 1024;

/// From here on the client counts as one that does not read. One frame may still be longer.
const TOO_MUCH: usize = 16 * 1024 * 1024;

/// Frames that wait at most: small ones are many before they are much.
const FRAMES: usize = 16 * 1024;

/// The session's end.
#[derive(Debug)]
pub(crate) struct Outbox {
    frames: mpsc::Sender<Message>,
    load: Arc<Load>,
}

/// The socket's end.
#[derive(Debug)]
pub(crate) struct Delivery {
    frames: mpsc::Receiver<Message>,
    load: Arc<Load>,
}

#[derive(Debug, Default)]
struct Load {
    bytes: AtomicUsize,
    /// Rung after each frame that left.
    lighter: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotSent {
    Full,
    Gone,
}

pub(crate) fn outbox() -> (Outbox, Delivery) {
    let (sender, frames) = mpsc::channel(FRAMES);
    let load = Arc::<Load>::default();
    (Outbox { frames: sender, load: Arc::clone(&load) }, Delivery { frames, load })
}

impl Outbox {
    pub(crate) fn put(&self, frame: Message) -> Result<(), NotSent> {
        if TOO_MUCH < self.load.bytes.load(Ordering::Relaxed) {
            return Err(NotSent::Full);
        }
        self.enqueue(frame)
    }

    /// Says the last thing, however much waits before it.
    pub(crate) fn close(&self, reason: CloseFrame) {
        if let Err(why) = self.enqueue(Message::Close(Some(reason))) {
            tracing::debug!(?why, "a client was left without a word");
        }
    }

    /// Whether models may go on.
    pub(crate) fn has_room(&self) -> bool {
        self.load.bytes.load(Ordering::Relaxed) < ENOUGH && FRAMES / 2 < self.frames.capacity()
    }

    /// Waits until they may.
    pub(crate) async fn room(&self) {
        loop {
            // Listens before it looks, so that no ring is missed.
            let lighter = self.load.lighter.notified();
            if self.has_room() {
                return;
            }
            lighter.await;
        }
    }

    /// Waits until nobody delivers any more.
    pub(crate) async fn gone(&self) {
        self.frames.closed().await;
    }

    fn enqueue(&self, frame: Message) -> Result<(), NotSent> {
        let len = len(&frame);
        self.load.bytes.fetch_add(len, Ordering::Relaxed);
        self.frames.try_send(frame).map_err(|error| {
            self.load.bytes.fetch_sub(len, Ordering::Relaxed);
            match error {
                mpsc::error::TrySendError::Full(_) => NotSent::Full,
                mpsc::error::TrySendError::Closed(_) => NotSent::Gone,
            }
        })
    }
}

impl Delivery {
    /// Writes what waits until there is nothing more or the socket is gone.
    pub(crate) async fn deliver(mut self, mut sink: SplitSink<WebSocket, Message>) {
        while let Some(frame) = self.frames.recv().await {
            let len = len(&frame);
            let closes = matches!(frame, Message::Close(_));
            let more = !self.frames.is_empty();
            let sent = if more { sink.feed(frame).await } else { sink.send(frame).await };
            self.load.bytes.fetch_sub(len, Ordering::Relaxed);
            self.load.lighter.notify_waiters();
            if sent.is_err() || closes {
                return;
            }
        }
    }
}

fn len(frame: &Message) -> usize {
    match frame {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}
