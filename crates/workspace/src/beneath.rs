//! Reads and writes that cannot leave a directory.
//!
//! The kernel resolves the paths (`openat2` with `RESOLVE_BENEATH`), so a link that is swapped in
//! while we work leads nowhere either. Where that call is missing, every step of a path is opened
//! by itself and links are refused.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use protocol::RepositoryFacts;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Directories in which a write would change what git or Duet itself does later.
const PROTECTED: [&str; 3] = [".git", ".duet", ".codex"];

#[derive(Debug, thiserror::Error)]
pub enum PathError {
    #[error("{0} is outside the workspace")]
    Outside(String),
    #[error("{0} does not exist")]
    Missing(String),
    #[error("{0} is a directory")]
    Directory(String),
    #[error("{0} is or is behind a link; name the file it leads to")]
    Link(String),
    #[error("{0} is not an ordinary file")]
    Special(String),
    #[error("{path} has {bytes} bytes, more than the limit of {limit}")]
    TooBig { path: String, bytes: u64, limit: u64 },
    #[error("{0} belongs to git or to duet and is not written by tools")]
    Protected(String),
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
}

/// A directory, held open.
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
    path: PathBuf,
    /// As it was named: paths below this are understood too, and nothing is opened by it.
    called: PathBuf,
}

impl Root {
    /// `path` is resolved once, links and all: later changes to it do not matter.
    pub fn open(path: &Path) -> Result<Self, PathError> {
        let shown = path.display().to_string();
        let io = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => PathError::Missing(shown.clone()),
            _ => PathError::Io { path: shown.clone(), source },
        };
        let called = path;
        let path = path.canonicalize().map_err(io)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            rustix::fs::open(&path, flags, Mode::empty()).map_err(|error| io(error.into()))?;
        let called = if called.is_absolute() { called.to_owned() } else { path.clone() };
        Ok(Self { directory, path, called })
    }

    /// The root of a workspace that was looked at before.
    pub fn of(facts: &RepositoryFacts) -> Result<Self, PathError> {
        Ok(Self { called: facts.called.clone(), ..Self::open(&facts.root)? })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn called(&self) -> &Path {
        &self.called
    }

    /// A path as somebody wrote it, relative to the root, with `/`: `./a`, `a/../b` and absolute
    /// paths below the root, as it is or as it was named, are understood.
    pub fn relative(&self, given: &str) -> Result<String, PathError> {
        let outside = || PathError::Outside(given.to_owned());
        let path = Path::new(given);
        let path = if path.is_absolute() {
            let below = path.strip_prefix(&self.path).or_else(|_| path.strip_prefix(&self.called));
            below.map_err(|_| outside())?
        } else {
            path
        };
        let mut parts: Vec<&str> = Vec::new();
        for component in path.components() {
            match component {
                Component::CurDir => (),
                Component::ParentDir => drop(parts.pop().ok_or_else(outside)?),
                Component::Normal(part) => parts.push(part.to_str().ok_or_else(outside)?),
                Component::RootDir | Component::Prefix(_) => return Err(outside()),
            }
        }
        Ok(parts.join("/"))
    }

    /// The whole file.
    pub fn read(&self, given: &str, limit: u64) -> Result<Vec<u8>, PathError> {
        let (path, file, metadata) = self.open_to_read(given)?;
        let too_big = |bytes| PathError::TooBig { path: path.clone(), bytes, limit };
        if limit < metadata.len() {
            return Err(too_big(metadata.len()));
        }
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|source| io(&path, source))?;
        // It grew while we read.
        if limit < bytes.len() as u64 { Err(too_big(bytes.len() as u64)) } else { Ok(bytes) }
    }

    /// The first bytes of a file, at most `limit`.
    pub fn read_start(&self, given: &str, limit: u64) -> Result<Vec<u8>, PathError> {
        let (path, file, _) = self.open_to_read(given)?;
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes).map_err(|source| io(&path, source))?;
        Ok(bytes)
    }

    pub fn exists(&self, given: &str) -> Result<bool, PathError> {
        let path = self.relative(given)?;
        match self.open_beneath(&path, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(PathError::Missing(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes or replaces a file, whole or not at all; makes the directories above it. The mode and
    /// owner of an existing file are kept. Links are not written through.
    pub fn write(&self, given: &str, contents: &[u8]) -> Result<(), PathError> {
        self.write_as(given, contents, None)
    }

    /// As [`Root::write`], but with the mode and owner of `like`: the file was another before.
    pub fn write_like(
        &self,
        given: &str,
        contents: &[u8],
        like: &Metadata,
    ) -> Result<(), PathError> {
        self.write_as(given, contents, Some(like))
    }

    /// Of a file that may be changed, for [`Root::write_like`].
    pub fn metadata(&self, given: &str) -> Result<Metadata, PathError> {
        let (path, parent, name) = self.to_change(given)?;
        let directory = self.open_to_change(&parent)?;
        let existing = self.existing(&directory, &path, &name)?;
        let existing = existing.ok_or_else(|| PathError::Missing(path.clone()))?;
        File::from(existing).metadata().map_err(|source| io(&path, source))
    }

    /// An ordinary file: reading anything else may never end.
    fn open_to_read(&self, given: &str) -> Result<(String, File, Metadata), PathError> {
        let path = self.relative(given)?;
        // A pipe without a writer must not hold us.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(self.open_beneath(&path, flags)?);
        let metadata = file.metadata().map_err(|source| io(&path, source))?;
        if metadata.is_dir() {
            return Err(PathError::Directory(shown(&path)));
        }
        if !metadata.is_file() {
            return Err(PathError::Special(path));
        }
        Ok((path, file, metadata))
    }

    fn write_as(
        &self,
        given: &str,
        contents: &[u8],
        like: Option<&Metadata>,
    ) -> Result<(), PathError> {
        let (path, parent, name) = self.to_change(given)?;
        self.make_directories(&parent)?;
        let directory = self.open_to_change(&parent)?;
        let existing = self.existing(&directory, &path, &name)?;
        if let Some(like) = like {
            return self.place(&directory, &path, &name, contents, Some(like));
        }
        let own = existing.map(|it| File::from(it).metadata()).transpose();
        let own = own.map_err(|source| io(&path, source))?;
        self.place(&directory, &path, &name, contents, own.as_ref())
    }

    /// Fails as [`Root::write`] and [`Root::remove`] would, for reasons that can be known before.
    pub fn may_change(&self, given: &str) -> Result<(), PathError> {
        let (path, parent, name) = self.to_change(given)?;
        match self.open_to_change(&parent) {
            Ok(directory) => self.existing(&directory, &path, &name).map(drop),
            // It would be made.
            Err(PathError::Missing(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub fn remove(&self, given: &str) -> Result<(), PathError> {
        let (path, parent, name) = self.to_change(given)?;
        let directory = self.open_to_change(&parent)?;
        if self.existing(&directory, &path, &name)?.is_none() {
            return Err(PathError::Missing(path));
        }
        rustix::fs::unlinkat(&directory, name.as_str(), AtFlags::empty())
            .map_err(|error| io(&path, error.into()))
    }

    /// Relative path, its directory and its last part, of a file that may be changed.
    fn to_change(&self, given: &str) -> Result<(String, String, String), PathError> {
        let path = self.relative(given)?;
        let protected =
            |part: &str| PROTECTED.iter().any(|protected| part.eq_ignore_ascii_case(protected));
        if path.split('/').any(protected) {
            return Err(PathError::Protected(path));
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if name.is_empty() {
            return Err(PathError::Directory(shown(&path)));
        }
        let (parent, name) = (parent.to_owned(), name.to_owned());
        Ok((path, parent, name))
    }

    /// The ordinary file of that name; an error when it is something else.
    fn existing(
        &self,
        directory: &OwnedFd,
        path: &str,
        name: &str,
    ) -> Result<Option<OwnedFd>, PathError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(io(path, error.into())),
        };
        let stat = rustix::fs::fstat(&file).map_err(|error| io(path, error.into()))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Some(file)),
            FileType::Directory => Err(PathError::Directory(path.to_owned())),
            FileType::Symlink => Err(PathError::Link(path.to_owned())),
            _ => Err(PathError::Special(path.to_owned())),
        }
    }

    /// Writes beside, then renames over.
    fn place(
        &self,
        directory: &OwnedFd,
        path: &str,
        name: &str,
        contents: &[u8],
        like: Option<&Metadata>,
    ) -> Result<(), PathError> {
        let temporary = temporary_name();
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            rustix::fs::openat(directory, temporary.as_str(), flags, Mode::from_raw_mode(0o666))
                .map_err(|error| io(path, error.into()))?;
        let placed = fill(File::from(file), contents, like).and_then(|()| {
            rustix::fs::renameat(directory, temporary.as_str(), directory, name)
                .map_err(std::io::Error::from)
        });
        placed.map_err(|source| {
            match rustix::fs::unlinkat(directory, temporary.as_str(), AtFlags::empty()) {
                // The first failure is the news; a leftover is only untidy.
                Ok(()) | Err(_) => (),
            }
            io(path, source)
        })
    }

    fn make_directories(&self, path: &str) -> Result<(), PathError> {
        let mut made = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let parent = self.open_to_change(&made)?;
            if !made.is_empty() {
                made.push('/');
            }
            made.push_str(part);
            match rustix::fs::mkdirat(&parent, part, Mode::from_raw_mode(0o777)) {
                // Also when it is no directory: opening it says so.
                Ok(()) | Err(Errno::EXIST) => (),
                Err(error) => return Err(io(&made, error.into())),
            }
        }
        Ok(())
    }

    /// A directory in which something is to be changed. No link leads to it: what is protected is
    /// known by its name, and a link is another name for it.
    fn open_to_change(&self, path: &str) -> Result<OwnedFd, PathError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        self.open_resolved(path, flags, ResolveFlags::NO_SYMLINKS)
    }

    fn open_beneath(&self, path: &str, flags: OFlags) -> Result<OwnedFd, PathError> {
        self.open_resolved(path, flags, ResolveFlags::NO_MAGICLINKS)
    }

    fn open_resolved(
        &self,
        path: &str,
        flags: OFlags,
        links: ResolveFlags,
    ) -> Result<OwnedFd, PathError> {
        let flags = flags | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | links;
        let name = if path.is_empty() { "." } else { path };
        let opened = match rustix::fs::openat2(&self.directory, name, flags, Mode::empty(), resolve)
        {
            // Old kernels, and containers that forbid what they do not know.
            Err(Errno::NOSYS | Errno::PERM) => self.open_step_by_step(path, flags),
            other => other,
        };
        opened.map_err(|error| match error {
            Errno::NOENT => PathError::Missing(shown(path)),
            Errno::XDEV => PathError::Outside(shown(path)),
            Errno::LOOP => PathError::Link(shown(path)),
            Errno::NOTDIR => PathError::Missing(shown(path)),
            error => io(path, error.into()),
        })
    }

    /// Without following any link.
    fn open_step_by_step(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut directory =
            rustix::fs::openat(&self.directory, OsStr::new("."), step, Mode::empty())?;
        let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_some() { step } else { flags | OFlags::NOFOLLOW };
            directory = rustix::fs::openat(&directory, part, flags, Mode::empty())?;
        }
        Ok(directory)
    }
}

fn fill(mut file: File, contents: &[u8], like: Option<&Metadata>) -> std::io::Result<()> {
    file.write_all(contents)?;
    if let Some(like) = like {
        match std::os::unix::fs::fchown(file.as_fd(), Some(like.uid()), Some(like.gid())) {
            // Only root may give files away; for others the owner is themselves anyway.
            Ok(()) | Err(_) => (),
        }
        file.set_permissions(like.permissions())?;
    }
    file.sync_data()
}

/// Unlike any other in this directory: two threads of ours have different counts, two processes
/// different ids, and `O_EXCL` catches the rest.
fn temporary_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(".duet-{}-{count}.tmp", std::process::id())
}

fn shown(path: &str) -> String {
    if path.is_empty() { ".".to_owned() } else { path.to_owned() }
}

fn io(path: &str, source: std::io::Error) -> PathError {
    PathError::Io { path: shown(path), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The way that is taken where `openat2` is missing.
    #[test]
    fn step_by_step_follows_no_link() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("inside");
        std::fs::create_dir_all(inside.join("a/b")).unwrap();
        std::fs::write(inside.join("a/b/file"), "x").unwrap();
        std::os::unix::fs::symlink("..", inside.join("up")).unwrap();
        std::os::unix::fs::symlink("b/file", inside.join("a/link")).unwrap();
        let root = Root::open(&inside).unwrap();
        let open = |path: &str| root.open_step_by_step(path, OFlags::RDONLY).map(drop);
        assert_eq!(open("a/b/file"), Ok(()));
        assert_eq!(open(""), Ok(()));
        assert_eq!(open("a/b/none"), Err(Errno::NOENT));
        assert_eq!(open("a/link"), Err(Errno::LOOP));
        assert_eq!(open("up/inside"), Err(Errno::NOTDIR));
    }
}
