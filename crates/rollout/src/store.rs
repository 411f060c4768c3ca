//! Where logs are: `<home>/sessions/YYYY/MM/DD/rollout-<time>-<thread>.jsonl`, in UTC.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use protocol::ThreadId;
use stdx::Date;

use crate::lines::{Entry, Git, SessionMeta};
use crate::replay::{self, Lines};
use crate::writer::Writer;
use crate::{Error, Meta, Session, Summary};

/// Lines in which the user's first words are looked for.
const PREVIEW_LINES: usize = 32;

/// What of the first words a list shows.
const PREVIEW_CHARS: usize = 120;

/// The logs below one home. Cheap: nothing is opened before it is asked for.
#[derive(Debug, Clone)]
pub struct Store {
    sessions: PathBuf,
}

impl Store {
    pub fn new(home: &Path) -> Self {
        Self { sessions: home.join("sessions") }
    }

    /// Begins the log of a new thread. Its name and first line are durable when this returns.
    pub fn create(&self, meta: &Meta) -> Result<Writer, Error> {
        let date = Date::of(meta.at);
        let folder = self
            .sessions
            .join(format!("{:04}", date.year))
            .join(format!("{:02}", date.month))
            .join(format!("{:02}", date.day));
        let path = folder.join(format!("rollout-{}-{}.jsonl", date.file_stamp(), meta.thread));
        let failed = |source| Error::Write { path: path.clone(), source };
        if !is_plain(&meta.thread) {
            return Err(failed(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the thread's id is no file name",
            )));
        }
        make_private_folders(&folder).map_err(failed)?;
        let file = private(OpenOptions::new().append(true).create_new(true))
            .open(&path)
            .map_err(failed)?;
        let begun = begin(file, &path, &folder, meta);
        if begun.is_err() {
            // A file without its first line is no log, and its name would be taken when there
            // is room again. If it cannot be removed, the error that is told is the same.
            drop(fs::remove_file(&path));
        }
        begun
    }

    /// Reads a thread's log.
    pub fn read(&self, thread: &ThreadId) -> Result<Session, Error> {
        let path = self.find(thread)?;
        let log = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        replay::session(&path, &Lines::of(&log))
    }

    /// Reads a thread's log and goes on writing it. What a crash tore off is cut off.
    pub fn reopen(&self, thread: &ThreadId) -> Result<(Session, Writer), Error> {
        let path = self.find(thread)?;
        let unreadable = |source| Error::Read { path: path.clone(), source };
        let mut file =
            OpenOptions::new().read(true).append(true).open(&path).map_err(unreadable)?;
        lock(&file, &path)?;
        let mut log = Vec::new();
        file.read_to_end(&mut log).map_err(unreadable)?;
        let lines = Lines::of(&log);
        let session = replay::session(&path, &lines)?;
        let bytes = u64::try_from(lines.bytes).unwrap_or(u64::MAX);
        if lines.bytes < log.len() {
            file.set_len(bytes).map_err(|source| Error::Write { path: path.clone(), source })?;
        }
        let ordinal = u64::try_from(lines.whole.len()).unwrap_or(u64::MAX);
        Ok((session, Writer::new(file, path, ordinal, bytes)))
    }

    /// The newest threads, by when they began. Files that are not logs are left out.
    pub fn list(&self, limit: usize) -> Vec<Summary> {
        self.paths().filter_map(|path| summary(&path)).take(limit).collect()
    }

    /// Where a thread's log is. It has none before somebody says something.
    pub fn find(&self, thread: &ThreadId) -> Result<PathBuf, Error> {
        let suffix = format!("-{thread}.jsonl");
        let is_it = |path: &PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| {
                name.strip_suffix(&suffix).is_some_and(|rest| rest.len() == STEM_CHARS)
            })
        };
        self.paths().find(is_it).ok_or_else(|| Error::Unknown {
            thread: thread.clone(),
            sessions: self.sessions.clone(),
        })
    }

    /// The threads whose ids begin like this, newest first.
    pub fn beginning_with(&self, id: &str) -> Vec<ThreadId> {
        let thread = |path: PathBuf| {
            let name = path.file_stem()?.to_str()?;
            let thread = name.get(STEM_CHARS..)?.strip_prefix('-')?;
            thread.starts_with(id).then(|| ThreadId::from(thread))
        };
        self.paths().filter_map(thread).collect()
    }

    /// Newest first.
    fn paths(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let years = newest_first(&self.sessions);
        let days = years.flat_map(|year| newest_first(&year)).flat_map(|it| newest_first(&it));
        days.flat_map(|day| newest_first(&day)).filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with("rollout-") && name.ends_with(".jsonl"))
        })
    }
}

fn begin(file: File, path: &Path, folder: &Path, meta: &Meta) -> Result<Writer, Error> {
    lock(&file, path)?;
    let mut writer = Writer::new(file, path.to_owned(), 0, 0);
    writer.write(meta.at, Entry::SessionMeta(first_line(meta)))?;
    if let Some(syncer) = writer.take_syncer() {
        syncer.sync()?;
    }
    sync_folder(folder).map_err(|source| Error::Write { path: path.to_owned(), source })?;
    Ok(writer)
}

/// `rollout-2026-11-23T22-19-20`
const STEM_CHARS: usize = 27;

fn first_line(meta: &Meta) -> SessionMeta {
    let Meta { thread, at, cwd, originator, version, source, model_provider, branch } =
        meta.clone();
    SessionMeta {
        id: thread.to_string(),
        timestamp: Date::of(at).rfc3339(),
        cwd,
        originator,
        cli_version: version,
        source,
        model_provider,
        git: branch.map(|branch| Git { branch: Some(branch) }),
    }
}

fn summary(path: &Path) -> Option<Summary> {
    let file = File::open(path).ok()?;
    let updated = file.metadata().ok()?.modified().ok()?;
    let mut lines = BufReader::new(file).lines().map_while(Result::ok);
    let meta = replay::meta(&lines.next()?).ok()?;
    let words = lines.take(PREVIEW_LINES).find_map(|line| replay::user_words(&line));
    let preview: String = words.unwrap_or_default().chars().take(PREVIEW_CHARS).collect();
    Some(Summary { path: path.to_owned(), meta, updated, preview })
}

fn newest_first(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    // A folder that cannot be read has nothing to show; asking for one thread says so.
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort_unstable();
    paths.into_iter().rev()
}

fn lock(file: &File, path: &Path) -> Result<(), Error> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Error::InUse { path: path.to_owned() },
        TryLockError::Error(source) => Error::Write { path: path.to_owned(), source },
    })
}

/// Ids of ours are UUIDs; anything else in a file's name could leave the folder.
fn is_plain(thread: &ThreadId) -> bool {
    let id = thread.as_str();
    !id.is_empty() && id.chars().all(|it| it.is_ascii_alphanumeric() || it == '-' || it == '_')
}

/// Logs hold what was said; they are the user's alone.
#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

fn make_private_folders(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A new name is durable only when its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
