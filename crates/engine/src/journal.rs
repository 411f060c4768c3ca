//! What the driver writes to the thread's file, also when there is none yet or the disk is
//! full: nothing is lost in memory, and the person is told once per outage.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use protocol::{Event, EventBody, ModelItem};
use rollout::{Error, Meta, SYNC_WITHIN, Store, TurnContext, Writer};

#[derive(Debug)]
pub(crate) struct Journal {
    state: State,
    health: Health,
    /// When the oldest unsynced line must be durable.
    sync_by: Option<Instant>,
}

#[derive(Debug)]
enum State {
    /// Nothing is written: the thread is ephemeral.
    Off,
    /// The file is made when the user first speaks; what happens before waits here, and what
    /// happens while it cannot be made.
    Waiting {
        store: Arc<Store>,
        meta: Meta,
        lines: Vec<Line>,
    },
    Open(Writer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    /// The person knows.
    Failing,
}

#[derive(Debug)]
enum Line {
    Event(Event),
    Record(SystemTime, ModelItem),
    Context(SystemTime, TurnContext),
}

/// A sentence for the person, the first time something cannot be written.
pub(crate) type Trouble = Option<String>;

impl Journal {
    pub(crate) fn off() -> Self {
        Self { state: State::Off, health: Health::Well, sync_by: None }
    }

    pub(crate) fn new(store: Arc<Store>, meta: Meta) -> Self {
        let state = State::Waiting { store, meta, lines: Vec::new() };
        Self { state, health: Health::Well, sync_by: None }
    }

    /// What is known of the repository only when the first turn starts.
    pub(crate) fn on_branch(&mut self, branch: Option<&str>) {
        match &mut self.state {
            State::Waiting { meta, .. } => meta.branch = branch.map(str::to_owned),
            State::Off | State::Open(_) => (),
        }
    }

    /// Writes an event, and makes the file for the first item that completes: somebody has
    /// said something.
    pub(crate) async fn event(&mut self, event: &Event) -> Trouble {
        let opened = match &event.body {
            EventBody::ItemCompleted { .. } => self.open().await,
            _no_item => None,
        };
        if rollout::is_kept(&event.body) {
            return self.line(Line::Event(event.clone())).or(opened);
        }
        opened
    }

    async fn open(&mut self) -> Trouble {
        let State::Waiting { store, meta, .. } = &self.state else { return None };
        let (store, meta) = (Arc::clone(store), meta.clone());
        let made = tokio::task::spawn_blocking(move || store.create(&meta)).await;
        match made {
            Ok(Ok(mut writer)) => {
                let lines = match std::mem::replace(&mut self.state, State::Off) {
                    State::Waiting { lines, .. } => lines,
                    State::Off | State::Open(_) => Vec::new(),
                };
                let mut written = Ok(());
                for line in lines {
                    written = line.write(&mut writer);
                }
                self.state = State::Open(writer);
                self.note(written)
            }
            Ok(Err(error)) => self.note(Err(error)),
            // The runtime shuts down.
            Err(_join) => None,
        }
    }

    pub(crate) fn record(&mut self, at: SystemTime, item: &ModelItem) -> Trouble {
        self.line(Line::Record(at, item.clone()))
    }

    pub(crate) fn context(&mut self, at: SystemTime, context: TurnContext) -> Trouble {
        self.line(Line::Context(at, context))
    }

    /// When [`Self::sync`] is due.
    pub(crate) fn sync_by(&self) -> Option<Instant> {
        self.sync_by
    }

    /// Returns when everything written is durable, or cannot be made so.
    pub(crate) async fn sync(&mut self) -> Trouble {
        self.sync_by = None;
        let State::Open(writer) = &mut self.state else { return None };
        let syncer = writer.take_syncer()?;
        match tokio::task::spawn_blocking(move || syncer.sync()).await {
            Ok(synced) => self.note(synced),
            // The runtime shuts down.
            Err(_join) => None,
        }
    }

    fn line(&mut self, line: Line) -> Trouble {
        match &mut self.state {
            State::Off => None,
            State::Waiting { lines, .. } => {
                lines.push(line);
                None
            }
            State::Open(writer) => {
                let written = line.write(writer);
                self.note(written)
            }
        }
    }

    fn note(&mut self, result: Result<(), Error>) -> Trouble {
        if let State::Open(writer) = &self.state
            && writer.owes_sync()
        {
            self.sync_by.get_or_insert_with(|| Instant::now() + SYNC_WITHIN);
        }
        match (result, self.health) {
            (Ok(()), _) => {
                self.health = Health::Well;
                None
            }
            (Err(_known), Health::Failing) => None,
            (Err(error), Health::Well) => {
                self.health = Health::Failing;
                Some(error.to_string())
            }
        }
    }
}

impl Line {
    fn write(self, writer: &mut Writer) -> Result<(), Error> {
        match self {
            Self::Event(event) => writer.append(&event),
            Self::Record(at, item) => writer.record(at, &item),
            Self::Context(at, context) => writer.turn_context(at, &context),
        }
    }
}
