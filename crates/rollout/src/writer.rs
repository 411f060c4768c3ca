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
    end: End,
    unsynced: Unsynced,
}

/// Of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    /// Half a line may be behind the whole ones; it is cut off before anything is written.
    Torn,
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
            end: End::Whole,
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
        // Apart, so that a line that cannot be said leaves no half of it in the backlog.
        let mut text =
            serde_json::to_vec(&line).map_err(|error| self.failed(io::Error::other(error)))?;
        text.push(b'\n');
        self.backlog.append(&mut text);
        self.ordinal += 1;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.end == End::Torn {
            self.cut()?;
        }
        match (&*self.file).write_all(&self.backlog) {
            Ok(()) => {
                self.written += u64::try_from(self.backlog.len()).unwrap_or(u64::MAX);
                self.backlog.clear();
                self.unsynced = Unsynced::Lines;
                Ok(())
            }
            Err(error) => {
                // Half a line may be there: cut off now, or else before the next write.
                self.end = End::Torn;
                self.cut()?;
                Err(self.failed(error))
            }
        }
    }

    fn cut(&mut self) -> Result<(), Error> {
        self.file.set_len(self.written).map_err(|error| self.failed(error))?;
        self.end = End::Whole;
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::time::UNIX_EPOCH;

    use protocol::{EventBody, ThreadId};

    use super::*;

    fn warning(length: usize) -> Event {
        let body = EventBody::Warning { message: "x".repeat(length) };
        Event { thread: ThreadId::from("th"), seq: 0, at: UNIX_EPOCH, body }
    }

    /// A socket stands for the file: it takes half a line when it is full, and nothing can be
    /// cut off it.
    #[test]
    fn nothing_is_written_behind_half_a_line_that_cannot_be_cut_off() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let file = File::from(OwnedFd::from(ours));
        let mut writer = Writer::new(file, PathBuf::from("log"), 0, 0);
        writer.append(&warning(4 << 20)).unwrap_err();
        let mut half = Vec::new();
        theirs.read_to_end(&mut half).unwrap_err();
        assert!(!half.is_empty() && !half.ends_with(b"\n"), "no line was torn");

        writer.append(&warning(1)).unwrap_err();
        let mut more = Vec::new();
        theirs.read_to_end(&mut more).unwrap_err();
        assert_eq!(String::from_utf8_lossy(&more), "");
    }
}
