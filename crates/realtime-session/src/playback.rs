//! What of the replies was heard.
//!
//! The service sends speech faster than it plays, so several items may wait behind the one
//! that sounds. What counts is what the host says was played. A host that says nothing is
//! taken to play each item from its arrival or from the end of the one before, whatever is
//! later; that never exceeds what was received, and is never simply what was received. What is
//! held does not play, and what waits behind it plays that much later.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::ItemId;
use stdx::Time;

const SAMPLES_PER_SECOND: u64 = 24_000;

/// Items in the host's queue. A service speaks one or two at a time; older ones are over.
const MAX_ITEMS: usize = 16;

/// How much later than we think the host may play: its own buffers, and the way there.
const HOST_BEHIND: Duration = Duration::from_millis(700);

#[derive(Debug, Default)]
pub(crate) struct Playback {
    items: VecDeque<Playing>,
    voice: Voice,
    held: Option<Time>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Voice {
    #[default]
    On,
    /// The user spoke over the running response: the rest of it is dropped.
    Muted,
}

#[derive(Debug)]
struct Playing {
    item: Option<ItemId>,
    starts: Time,
    samples: u64,
    reported: Option<Duration>,
}

/// What to do with the sound of the replies when the user speaks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// In the order of playing.
    pub(crate) truncate: Vec<(ItemId, Duration)>,
}

impl Playback {
    /// Whether `samples` more of `item` are to be played.
    #[must_use]
    pub(crate) fn receive(&mut self, item: Option<&ItemId>, samples: usize, now: Time) -> bool {
        if self.voice == Voice::Muted {
            return false;
        }
        if self.items.back().is_none_or(|last| last.item.as_ref() != item) {
            let now = self.clock(now);
            let free = self.items.back().map_or(Time::ZERO, Playing::ends);
            if self.items.len() == MAX_ITEMS {
                self.items.pop_front();
            }
            self.items.push_back(Playing {
                item: item.cloned(),
                starts: now.max(free),
                samples: 0,
                reported: None,
            });
        }
        if let Some(last) = self.items.back_mut() {
            last.samples += u64::try_from(samples).unwrap_or(u64::MAX);
        }
        true
    }

    pub(crate) fn played(&mut self, item: &ItemId, upto: Duration) {
        if let Some(playing) = self.items.iter_mut().find(|it| it.item.as_ref() == Some(item)) {
            playing.reported = playing.reported.max(Some(upto));
        }
    }

    /// Whether something is heard, or will be.
    pub(crate) fn sounds(&self, now: Time) -> bool {
        let now = self.clock(now);
        self.items.iter().any(|it| match it.reported {
            Some(reported) => reported < it.received(),
            None => now < it.ends() + HOST_BEHIND,
        })
    }

    pub(crate) fn hold(&mut self, now: Time) {
        self.held.get_or_insert(now);
    }

    /// What was held goes on.
    pub(crate) fn resume(&mut self, now: Time) {
        let Some(held) = self.held.take() else { return };
        for playing in self.items.iter_mut().filter(|it| held < it.ends()) {
            playing.starts = playing.starts + (now - held);
        }
    }

    /// The user speaks. `None` if nothing sounds any more.
    pub(crate) fn interrupt(&mut self, reply: ReplyState, now: Time) -> Option<Cut> {
        let now = self.held.take().unwrap_or(now);
        match reply {
            ReplyState::Running => self.voice = Voice::Muted,
            ReplyState::Done => (),
        }
        let items = std::mem::take(&mut self.items);
        let last = items.len().saturating_sub(1);
        let unheard = |index: usize, it: &Playing| {
            let growing = reply == ReplyState::Running && index == last;
            growing || it.heard(now) < it.received()
        };
        let cut: Vec<&Playing> =
            items.iter().enumerate().filter(|(i, it)| unheard(*i, it)).map(|(_, it)| it).collect();
        if cut.is_empty() {
            return None;
        }
        let truncate =
            cut.iter().filter_map(|it| Some((it.item.clone()?, it.heard(now)))).collect();
        Some(Cut { truncate })
    }

    /// Another response began, or the running one ended: nothing more of a muted one comes.
    pub(crate) fn unmute(&mut self) {
        self.voice = Voice::On;
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.voice == Voice::Muted
    }

    /// The host's clock of what it plays: it stands still while the reply is held.
    fn clock(&self, now: Time) -> Time {
        self.held.unwrap_or(now)
    }
}

/// Whether the service is still sending the reply that sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyState {
    Running,
    Done,
}

impl Playing {
    fn received(&self) -> Duration {
        // Nanoseconds would overflow only after 200 days of sound.
        Duration::from_nanos(self.samples.saturating_mul(1_000_000_000) / SAMPLES_PER_SECOND)
    }

    fn ends(&self) -> Time {
        self.starts + self.received()
    }

    fn heard(&self, now: Time) -> Duration {
        self.reported.unwrap_or(now - self.starts).min(self.received())
    }
}
