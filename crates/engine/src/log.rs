//! A thread's events as one numbered sequence, and cursors into it.
//!
//! Invariants:
//! * Events are shared and immutable; numbers have no gaps.
//! * What lasts (turns, items, starts and ends of conversations) is kept for the thread's
//!   life. What passes (deltas, sound) is kept for a while: a cursor that is further behind
//!   misses it, and finds the whole in the item that completes.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use protocol::{Event, EventBody, RealtimeNotice, ThreadId};
use tokio::sync::watch;

/// Events of any kind that every cursor still finds: minutes of typing.
const RECENT: usize = 4_096;

/// Samples in them: half a minute of speech, 1.4 MB. Sound comes faster than it plays, and a client on
/// a slow line is that far behind without a gap.
const RECENT_SOUND: usize = 30 * 24_000;

/// Shared by the driver, which alone appends, and the cursors.
#[derive(Debug)]
pub(crate) struct EventLog {
    thread: ThreadId,
    /// Held to push or to look up one event, never over an await.
    events: Mutex<Events>,
    mark: watch::Sender<Mark>,
    /// Where what lasts is written, once there is such a file.
    file: OnceLock<PathBuf>,
}

#[derive(Debug, Default)]
struct Events {
    /// Older than `recent`, and lasting.
    kept: Vec<Arc<Event>>,
    recent: VecDeque<Arc<Event>>,
    /// Samples in `recent`.
    sound: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// Number of the next event.
    next: u64,
    closed: bool,
}

/// A reader of a thread's events at its own pace. Any number of them may read one thread.
#[derive(Debug)]
pub struct Cursor {
    log: Arc<EventLog>,
    next: u64,
    mark: watch::Receiver<Mark>,
}

impl EventLog {
    pub(crate) fn new(thread: ThreadId) -> Arc<Self> {
        let mark = watch::Sender::new(Mark::default());
        Arc::new(Self { thread, events: Mutex::default(), mark, file: OnceLock::new() })
    }

    /// A thread has one file in its life.
    pub(crate) fn is_written_to(&self, file: &Path) {
        self.file.get_or_init(|| file.to_owned());
    }

    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.get().map(PathBuf::as_path)
    }

    /// The event that [`Self::push`] takes next.
    pub(crate) fn number(&self, at: SystemTime, body: EventBody) -> Event {
        Event { thread: self.thread.clone(), seq: self.mark.borrow().next, at, body }
    }

    pub(crate) fn push(&self, event: Event) {
        let mut events = self.events();
        events.sound += samples(&event.body);
        events.recent.push_back(Arc::new(event));
        let is_too_much = |it: &Events| {
            RECENT < it.recent.len() || 1 < it.recent.len() && RECENT_SOUND < it.sound
        };
        while is_too_much(&events)
            && let Some(old) = events.recent.pop_front()
        {
            events.sound -= samples(&old.body);
            if lasts(&old.body) {
                events.kept.push(old);
            }
        }
        drop(events);
        self.mark.send_modify(|mark| mark.next += 1);
    }

    /// No event follows.
    pub(crate) fn close(&self) {
        self.mark.send_modify(|mark| mark.closed = true);
    }

    /// A cursor at event `from`; at the end when `from` is `None`.
    pub(crate) fn cursor(self: &Arc<Self>, from: Option<u64>) -> Cursor {
        let mark = self.mark.subscribe();
        let next = from.unwrap_or_else(|| mark.borrow().next);
        Cursor { log: Arc::clone(self), next, mark }
    }

    /// The first event from `seq` on that is still there.
    fn at_or_after(&self, seq: u64) -> Option<Arc<Event>> {
        let events = self.events();
        let kept = events.kept.partition_point(|event| event.seq < seq);
        let recent = || events.recent.partition_point(|event| event.seq < seq);
        events.kept.get(kept).or_else(|| events.recent.get(recent())).cloned()
    }

    fn events(&self) -> MutexGuard<'_, Events> {
        // Nothing panics while it is held; if it did, the events are whole all the same.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cursor {
    /// The next event, when there is one; `None` when the thread is closed and everything
    /// was read. Cancel-safe.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            let mark = *self.mark.borrow_and_update();
            if self.next < mark.next
                && let Some(event) = self.log.at_or_after(self.next)
            {
                self.next = event.seq + 1;
                return Some(event);
            }
            if mark.closed || self.mark.changed().await.is_err() {
                return None;
            }
        }
    }
}

fn samples(body: &EventBody) -> usize {
    match body {
        EventBody::Realtime(RealtimeNotice::Audio { item: _, pcm }) => pcm.len(),
        _silent => 0,
    }
}

fn lasts(body: &EventBody) -> bool {
    match body {
        EventBody::ThreadStarted { .. }
        | EventBody::TurnPreparing { .. }
        | EventBody::TurnStarted { .. }
        | EventBody::ItemStarted { .. }
        | EventBody::ItemCompleted { .. }
        | EventBody::TokenUsage { .. }
        | EventBody::TurnCompleted { .. }
        | EventBody::Warning { .. } => true,
        EventBody::AgentMessageDelta { .. }
        | EventBody::ReasoningDelta { .. }
        | EventBody::CommandOutputDelta { .. }
        | EventBody::Retrying { .. } => false,
        EventBody::Realtime(notice) => match notice {
            RealtimeNotice::Started { .. }
            | RealtimeNotice::TranscriptDone { .. }
            | RealtimeNotice::Handoff { .. }
            | RealtimeNotice::Error { .. }
            | RealtimeNotice::Closed { .. }
            | RealtimeNotice::Playback { .. }
            | RealtimeNotice::Stage { .. } => true,
            RealtimeNotice::ItemAdded { .. }
            | RealtimeNotice::TranscriptDelta { .. }
            | RealtimeNotice::Audio { .. }
            | RealtimeNotice::SpeechStarted { .. }
            | RealtimeNotice::ResponseCancelled { .. } => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ItemId, TurnId};

    use super::*;

    fn push(log: &EventLog, body: EventBody) {
        log.push(log.number(SystemTime::UNIX_EPOCH, body));
    }

    fn delta() -> EventBody {
        let (turn, item) = (TurnId::from("t"), ItemId::from("i"));
        EventBody::AgentMessageDelta { turn, item, delta: "x".to_owned() }
    }

    fn warning(message: &str) -> EventBody {
        EventBody::Warning { message: message.to_owned() }
    }

    #[tokio::test]
    async fn slow_cursor_misses_what_passes_and_nothing_that_lasts() {
        let log = EventLog::new(ThreadId::from("th"));
        let mut slow = log.cursor(None);
        push(&log, warning("first"));
        for _ in 0..RECENT {
            push(&log, delta());
        }
        push(&log, warning("last"));
        log.close();

        let mut lasting = Vec::new();
        let mut passing = 0;
        let mut before = None;
        while let Some(event) = slow.next().await {
            assert!(before < Some(event.seq));
            before = Some(event.seq);
            match &event.body {
                EventBody::Warning { message } => lasting.push(message.clone()),
                _passing => passing += 1,
            }
        }
        assert_eq!(lasting, ["first", "last"]);
        assert_eq!(passing, RECENT - 1);
    }

    /// Ten minutes of it would be as much memory as all the rest of the engine.
    #[tokio::test]
    async fn sound_is_kept_by_its_length() {
        let log = EventLog::new(ThreadId::from("th"));
        let mut slow = log.cursor(None);
        push(&log, warning("first"));
        let second: Arc<[i16]> = vec![0; 24_000].into();
        for _ in 0..200 {
            let notice = RealtimeNotice::Audio { item: None, pcm: Arc::clone(&second) };
            push(&log, EventBody::Realtime(notice));
        }
        let notice = RealtimeNotice::Audio { item: None, pcm: vec![0; 2 * RECENT_SOUND].into() };
        log.close();
        let mut seen = Vec::new();
        while let Some(event) = slow.next().await {
            seen.push(event.seq);
        }
        assert_eq!(seen, std::iter::once(0).chain(171..=200).collect::<Vec<u64>>());

        // One that is longer than all that is kept is still to be read.
        let log = EventLog::new(ThreadId::from("th"));
        push(&log, EventBody::Realtime(notice));
        assert_eq!(log.cursor(Some(0)).next().await.map(|event| event.seq), Some(0));
    }

    #[tokio::test]
    async fn cursor_waits_and_starts_where_it_is_told() {
        let log = EventLog::new(ThreadId::from("th"));
        push(&log, warning("zero"));
        let mut from_now = log.cursor(None);
        let mut from_start = log.cursor(Some(0));
        let (event, ()) = tokio::join!(from_now.next(), async { push(&log, warning("one")) });
        assert_eq!(event.map(|event| event.seq), Some(1));
        assert_eq!(from_start.next().await.map(|event| event.seq), Some(0));
        assert_eq!(from_start.next().await.map(|event| event.seq), Some(1));
        log.close();
        assert!(from_now.next().await.is_none());
    }
}
