//! The directory that holds model files, and what is on it.

use std::io;
use std::path::{Path, PathBuf};

use crate::manifest::File;

/// The models directory: `$DUET_MODELS`, else `duet/models` in the user's cache directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    dir: PathBuf,
}

/// Files that a task needs and this machine does not have.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} of the model files are missing in {} ({}); run `duet models fetch`",
    files.len(), dir.display(), files.join(", ")
)]
pub struct Missing {
    pub dir: PathBuf,
    /// Ids.
    pub files: Vec<String>,
}

impl Shelf {
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The place that the environment names: the variables are passed in, so that tests need
    /// not change the process's own.
    pub fn from_env(var: impl Fn(&str) -> Option<PathBuf>) -> Option<Self> {
        let set = |name: &str| var(name).filter(|path| !path.as_os_str().is_empty());
        if let Some(dir) = set("DUET_MODELS") {
            return Some(Self::at(dir));
        }
        let cache = set("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| set("HOME").map(|home| home.join(".cache")))?;
        Some(Self::at(cache.join("duet").join("models")))
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn path_of(&self, file: &File) -> PathBuf {
        self.dir.join(&file.path)
    }

    /// Whether the file is there with its right size. Its contents were verified before it
    /// got its name, so they are not read again here.
    pub fn has(&self, file: &File) -> bool {
        std::fs::metadata(self.path_of(file))
            .is_ok_and(|found| found.is_file() && found.len() == file.bytes)
    }

    pub fn missing<'a>(&self, wanted: impl IntoIterator<Item = &'a File>) -> Vec<&'a File> {
        wanted.into_iter().filter(|file| !self.has(file)).collect()
    }

    /// An error that names what is missing, or nothing.
    pub fn require<'a>(&self, wanted: impl IntoIterator<Item = &'a File>) -> Result<(), Missing> {
        let files: Vec<String> =
            self.missing(wanted).into_iter().map(|file| file.id.clone()).collect();
        if files.is_empty() { Ok(()) } else { Err(Missing { dir: self.dir.clone(), files }) }
    }

    /// Bytes of `file` that an earlier, interrupted fetch left.
    pub fn partial_bytes(&self, file: &File) -> u64 {
        std::fs::metadata(self.partial_path(file)).map_or(0, |found| found.len().min(file.bytes))
    }

    /// By content, so that a new manifest never continues an old file.
    pub(crate) fn partial_path(&self, file: &File) -> PathBuf {
        self.partial_dir().join(format!("{}.part", file.sha256))
    }

    pub(crate) fn partial_dir(&self) -> PathBuf {
        self.dir.join(".partial")
    }
}

/// Bytes that an ordinary user can still write on the disk that holds `dir`, or that will hold
/// it once it is made.
pub fn free_space(dir: &Path) -> io::Result<u64> {
    let mut existing = dir;
    while !existing.exists() {
        existing = match existing.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
    }
    let disk = rustix::fs::statvfs(existing)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
