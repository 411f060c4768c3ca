//! What waits to be sent: commands, and sound, which they overtake.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::RealtimeCommand;
use tokio::sync::Notify;

/// Commands that wait. A service that takes none of so many takes none at all.
const MAX_COMMANDS: usize = 256;

const SAMPLES_PER_MS: usize = 24;

/// One conversation's way out. Made before there is a link, so that what is said while it
/// is being dialed is not lost; clones share it.
#[derive(Debug, Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

/// The link stopped taking commands: it is as good as dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the realtime service takes no commands any more: {MAX_COMMANDS} are waiting")]
pub struct OutboxFull;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection to the realtime service has ended")]
pub struct OutboxClosed;

#[derive(Debug)]
struct Shared {
    /// Touched by the host, by the sound's source and by the link's writer, each for the
    /// time of moving a few pointers; never held over an await.
    state: Mutex<State>,
    /// There is something to send. One writer waits.
    ready: Notify,
    /// There is room for sound, or never will be.
    room: Notify,
    max_samples: usize,
}

#[derive(Debug, Default)]
struct State {
    life: Life,
    commands: VecDeque<Outgoing>,
    sound: VecDeque<Vec<i16>>,
    samples: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// No command was sent on this link: sound must wait.
    #[default]
    Unopened,
    Open,
    Closed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outgoing {
    Command(RealtimeCommand),
    Ping,
    Close,
}

impl Outbox {
    /// At most `backlog` of sound waits.
    pub fn new(backlog: Duration) -> Self {
        let millis = usize::try_from(backlog.as_millis()).unwrap_or(usize::MAX);
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                ready: Notify::new(),
                room: Notify::new(),
                max_samples: millis.saturating_mul(SAMPLES_PER_MS),
            }),
        }
    }

    /// In order, before all sound that waits. Does nothing on a link that has ended: its
    /// end is reported where events are.
    pub fn send(&self, command: RealtimeCommand) -> Result<(), OutboxFull> {
        self.put(Outgoing::Command(command))
    }

    /// Asks the service for a sign of life.
    pub fn ping(&self) -> Result<(), OutboxFull> {
        self.put(Outgoing::Ping)
    }

    /// Sound, 24 kHz mono: waits for room, loses nothing. Cancel-safe: what was
    /// not taken was not sent.
    pub async fn feed_sound(&self, pcm: Vec<i16>) -> Result<(), OutboxClosed> {
        let mut pcm = Some(pcm);
        loop {
            let mut room = pin!(self.shared.room.notified());
            // From here on no notice is missed.
            room.as_mut().enable();
            {
                let mut state = self.shared.lock();
                if state.life == Life::Closed {
                    return Err(OutboxClosed);
                }
                let len = pcm.as_ref().map_or(0, Vec::len);
                if state.sound.is_empty() || state.samples + len <= self.shared.max_samples {
                    state.samples += len;
                    state.sound.extend(pcm.take());
                    drop(state);
                    self.shared.ready.notify_one();
                    return Ok(());
                }
            }
            room.await;
        }
    }

    /// A new link takes over.
    pub(crate) fn attach(&self) {
        self.shared.lock().life = Life::Unopened;
    }

    /// The link ended: nothing waits for it any more.
    pub(crate) fn close(&self) {
        let mut state = self.shared.lock();
        state.life = Life::Closed;
        state.commands.clear();
        state.sound.clear();
        state.samples = 0;
        drop(state);
        self.shared.room.notify_waiters();
    }

    /// A goodbye, after the commands that wait and instead of the sound.
    pub(crate) fn put_close(&self) {
        let mut state = self.shared.lock();
        state.sound.clear();
        state.samples = 0;
        state.commands.push_back(Outgoing::Close);
        drop(state);
        self.shared.ready.notify_one();
    }

    /// Everything that may be sent now, once there is something. One caller at a time.
    pub(crate) async fn take(&self) -> (Vec<Outgoing>, Vec<Vec<i16>>) {
        loop {
            if let Some(batch) = self.try_take() {
                return batch;
            }
            self.shared.ready.notified().await;
        }
    }

    fn try_take(&self) -> Option<(Vec<Outgoing>, Vec<Vec<i16>>)> {
        let mut state = self.shared.lock();
        let commands: Vec<Outgoing> = state.commands.drain(..).collect();
        if commands.iter().any(|it| matches!(it, Outgoing::Command(_))) {
            state.life = Life::Open;
        }
        let sound: Vec<Vec<i16>> = match state.life {
            Life::Open => state.sound.drain(..).collect(),
            Life::Unopened | Life::Closed => Vec::new(),
        };
        state.samples -= sound.iter().map(Vec::len).sum::<usize>();
        drop(state);
        if commands.is_empty() && sound.is_empty() {
            return None;
        }
        self.shared.room.notify_waiters();
        Some((commands, sound))
    }

    fn put(&self, outgoing: Outgoing) -> Result<(), OutboxFull> {
        let mut state = self.shared.lock();
        if state.life == Life::Closed {
            return Ok(());
        }
        if state.commands.len() == MAX_COMMANDS {
            return Err(OutboxFull);
        }
        state.commands.push_back(outgoing);
        drop(state);
        self.shared.ready.notify_one();
        Ok(())
    }
}

impl Shared {
    /// Nothing in here can panic half-way, so a poisoned lock is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
