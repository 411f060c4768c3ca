//! Threads of an earlier process.

use agent_turn::close_open_calls;
use protocol::{EventBody, ModelItem, ThreadId, ThreadSettings, TurnStatus, Usage};
use rollout::{Error, Session, Store, Writer};

use crate::clock::Clock;
use crate::log::EventLog;

/// A thread whose log is ours, and that does not run yet. Dropped, it lets go of the log.
#[derive(Debug)]
pub struct Reopened {
    /// What the log says.
    pub session: Session,
    writer: Writer,
}

/// What a driver goes on from.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) history: Vec<ModelItem>,
    pub(crate) usage: Usage,
    pub(crate) writer: Writer,
}

impl Reopened {
    pub(crate) fn take(store: &Store, id: &ThreadId) -> Result<Self, Error> {
        let (session, writer) = store.reopen(id)?;
        Ok(Self { session, writer })
    }

    /// Tells what happened before, so that who reads the thread's events finds all of it. A turn
    /// that ended with its process is ended now, in the log too.
    pub(crate) fn into_past(self, log: &EventLog, settings: &ThreadSettings) -> Past {
        let Self { session, mut writer } = self;
        let Session { meta, mut history, turns, usage, .. } = session;
        let tell = |at, body| log.push(log.number(at, body));
        tell(meta.at, EventBody::ThreadStarted { settings: settings.clone() });
        for turn in turns {
            let rollout::Turn { id, source, at, status, ended_at, items } = turn;
            tell(at, EventBody::TurnStarted { turn: id.clone(), source });
            for item in items {
                tell(at, EventBody::ItemCompleted { turn: id.clone(), item });
            }
            if status != TurnStatus::InProgress {
                tell(ended_at.unwrap_or(at), EventBody::TurnCompleted { turn: id, status });
                continue;
            }
            let status = TurnStatus::Interrupted;
            let event = log.number(Clock::date(), EventBody::TurnCompleted { turn: id, status });
            // Where it cannot be written now, the next line's error tells of it.
            writer.append(&event).unwrap_or_default();
            log.push(event);
        }
        close_open_calls(&mut history);
        Past { history, usage, writer }
    }
}
