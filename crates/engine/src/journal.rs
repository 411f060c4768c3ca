//! What the driver writes to the thread's file, also when there is none yet or the disk is
//! full: nothing is lost in memory, and the person is told once per outage.
//!
//! Nothing here waits for the disk: that is done by a [`Maker`] and a [`Syncer`], elsewhere.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use protocol::{Event, EventBody, ModelItem};
use rollout::{Error, Meta, SYNC_WITHIN, Store, Syncer, TurnContext, Writer};

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

/// Makes the file, elsewhere: that waits for the disk.
#[derive(Debug)]
pub(crate) struct Maker {
    store: Arc<Store>,
    meta: Meta,
}

impl Maker {
    pub(crate) fn make(self) -> Result<Writer, Error> {
        self.store.create(&self.meta)
    }
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

    /// Of a thread that has a file from an earlier process.
    pub(crate) fn resumed(writer: Writer) -> Self {
        Self { state: State::Open(writer), health: Health::Well, sync_by: None }
    }

    /// What is known of the repository only when the first turn starts.
    pub(crate) fn on_branch(&mut self, branch: Option<&str>) {
        match &mut self.state {
            State::Waiting { meta, .. } => meta.branch = branch.map(str::to_owned),
            State::Off | State::Open(_) => (),
        }
    }

    /// What makes the file, where this event needs one: the first item that completes does,
    /// because somebody has said something.
    pub(crate) fn maker_for(&self, body: &EventBody) -> Option<Maker> {
        match (&self.state, body) {
            (State::Waiting { store, meta, .. }, EventBody::ItemCompleted { .. }) => {
                Some(Maker { store: Arc::clone(store), meta: meta.clone() })
            }
            (State::Waiting { .. } | State::Off | State::Open(_), _) => None,
        }
    }

    /// Writes what has waited for the file. Where it could not be made, that goes on waiting.
    pub(crate) fn made(&mut self, made: Result<Writer, Error>) -> Trouble {
        let mut writer = match made {
            Ok(writer) => writer,
            Err(error) => return self.note(Err(error)),
        };
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

    pub(crate) fn event(&mut self, event: &Event) -> Trouble {
        if !rollout::is_kept(&event.body) {
            return None;
        }
        self.line(Line::Event(event.clone()))
    }

    pub(crate) fn record(&mut self, at: SystemTime, item: &ModelItem) -> Trouble {
        self.line(Line::Record(at, item.clone()))
    }

    pub(crate) fn context(&mut self, at: SystemTime, context: TurnContext) -> Trouble {
        self.line(Line::Context(at, context))
    }

    /// When what was written must be made durable, if somebody has to be woken for it.
    pub(crate) fn sync_by(&self) -> Option<Instant> {
        self.sync_by
    }

    /// What makes everything written durable; `None` if it is, or is about to be.
    pub(crate) fn take_syncer(&mut self) -> Option<Syncer> {
        self.sync_by = None;
        match &mut self.state {
            State::Open(writer) => writer.take_syncer(),
            State::Off | State::Waiting { .. } => None,
        }
    }

    pub(crate) fn synced(&mut self, synced: Result<(), Error>) -> Trouble {
        self.note(synced)
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
