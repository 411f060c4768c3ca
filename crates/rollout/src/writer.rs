//! Appending lines to one thread's log.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use protocol::{Event, ModelItem};
use stdx::Date;

use crate::lines::{self, Entry, Line, ResponseItem};
use crate::{Error, TurnContext};

/// The only writer of one log, for as long as it lives.
#[derive(Debug)]
pub struct Writer {
    /// Locked; the lock goes with the last handle.
    file: Arc<File>,
    path: PathBuf,
    /// Of the next line.
    ordinal: u64,
    /// Bytes of whole lines in the file.
    written: u64,
    /// Whole lines that are not in the file yet.
    backlog: Vec<u8>,
    unsynced: Unsynced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsynced {
    Nothing,
    Lines,
}

/// Waits for the disk, elsewhere.
#[derive(Debug)]
pub struct Syncer {
    file: Arc<File>,
    path: PathBuf,
}

impl Writer {
    pub(crate) fn new(file: File, path: PathBuf, ordinal: u64, written: u64) -> Self {
        Self {
            file: Arc::new(file),
            path,
            ordinal,
            written,
            backlog: Vec::new(),
            unsynced: Unsynced::Nothing,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the event's line, if it is one that is kept. When this returns, the line
    /// survives the end of this process.
    pub fn append(&mut self, event: &Event) -> Result<(), Error> {
        let Event { thread: _, seq: _, at, body } = event;
        match lines::event(body) {
            Some(line) => self.write(*at, Entry::EventMsg(line)),
            None => Ok(()),
        }
    }

    /// Writes an entry of the model's context.
    pub fn record(&mut self, at: SystemTime, item: &ModelItem) -> Result<(), Error> {
        self.write(at, Entry::ResponseItem(ResponseItem::from(item)))
    }

    /// Writes what a turn runs under, before its first line.
    pub fn turn_context(&mut self, at: SystemTime, context: &TurnContext) -> Result<(), Error> {
        self.write(at, Entry::TurnContext(lines::TurnContext::new(context)))
    }

    /// Whether lines were written since the last syncer was taken.
    pub fn owes_sync(&self) -> bool {
        self.unsynced == Unsynced::Lines
    }

    /// What makes the lines so far durable; `None` if they are.
    pub fn take_syncer(&mut self) -> Option<Syncer> {
        match std::mem::replace(&mut self.unsynced, Unsynced::Nothing) {
            Unsynced::Lines => {
                Some(Syncer { file: Arc::clone(&self.file), path: self.path.clone() })
            }
            Unsynced::Nothing => None,
        }
    }

    pub(crate) fn write(&mut self, at: SystemTime, entry: Entry) -> Result<(), Error> {
        let line = Line { timestamp: Date::of(at).rfc3339(), ordinal: self.ordinal, entry };
        serde_json::to_writer(&mut self.backlog, &line)
            .map_err(|error| self.failed(io::Error::other(error)))?;
        self.backlog.push(b'\n');
        self.ordinal += 1;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Error> {
        match (&*self.file).write_all(&self.backlog) {
            Ok(()) => {
                self.written += u64::try_from(self.backlog.len()).unwrap_or(u64::MAX);
                self.backlog.clear();
                self.unsynced = Unsynced::Lines;
                Ok(())
            }
            Err(error) => {
                // Half a line may be there. If it cannot be cut off now, the next write tries
                // the same first, because it fails the same way.
                let cut = self.file.set_len(self.written);
                Err(self.failed(cut.err().unwrap_or(error)))
            }
        }
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Write { path: self.path.clone(), source }
    }
}

impl Syncer {
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}
