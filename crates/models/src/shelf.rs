//! The directory that holds model files, and what is on it.

use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest as _, Sha256};

use crate::manifest::File;

/// The models directory: `$DUET_MODELS`, else `duet/models` in the user's cache directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    dir: PathBuf,
}

/// Files that a task needs and this machine does not have.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} missing in {} ({}); run `duet models fetch`",
    if files.len() == 1 { "1 model file is".to_owned() } else { format!("{} model files are", files.len()) },
    dir.display(), files.join(", ")
)]
pub struct Missing {
    pub dir: PathBuf,
    /// Ids.
    pub files: Vec<String>,
}

/// What a file is when it is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Whole,
    Missing,
    /// Not the file of the manifest, or unreadable.
    Wrong {
        found: String,
    },
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

    /// Whether the file is there with its right contents. They are read once, and what they
    /// were is noted beside the files: an old file is not taken for one of a new manifest that
    /// has the same name and size. Without a note (it was copied here by hand), or where none
    /// can be written, this takes seconds.
    pub fn has(&self, file: &File) -> bool {
        let path = self.path_of(file);
        let Ok(found) = fs::metadata(&path) else { return false };
        if !found.is_file() || found.len() != file.bytes {
            return false;
        }
        let noted = stamp(&found).and_then(|stamp| self.noted(file, &stamp));
        let sha256 = noted.or_else(|| {
            // A file that cannot be read is not there.
            let sha256 = sha256_of(&path).ok()?;
            self.note_verified(file, &sha256);
            Some(sha256)
        });
        sha256.is_some_and(|sha256| sha256 == file.sha256)
    }

    /// Reads the file again, whatever was noted of it. Takes seconds for a large one; `advanced`
    /// is told how many bytes were read.
    pub fn verify(&self, file: &File, advanced: &mut dyn FnMut(u64)) -> Condition {
        let path = self.path_of(file);
        match fs::metadata(&path) {
            Ok(found) if found.is_file() && found.len() != file.bytes => {
                let found = format!("{} bytes instead of {}", found.len(), file.bytes);
                return Condition::Wrong { found };
            }
            Ok(found) if found.is_file() => {}
            Ok(_) => return Condition::Wrong { found: "not a file".to_owned() },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Condition::Missing,
            Err(error) => return Condition::Wrong { found: error.to_string() },
        }
        match hash(&path, advanced) {
            Ok(sha256) => {
                self.note_verified(file, &sha256);
                if sha256 == file.sha256 {
                    return Condition::Whole;
                }
                Condition::Wrong { found: format!("sha256 {sha256} instead of {}", file.sha256) }
            }
            Err(error) => Condition::Wrong { found: error.to_string() },
        }
    }

    /// Removes the file and what an interrupted fetch left of it; how many bytes that were. A
    /// program that has it open goes on reading it.
    pub fn remove(&self, file: &File) -> io::Result<u64> {
        let mut freed = 0;
        for path in [self.path_of(file), self.partial_path(file), self.note_path(file)] {
            let bytes = fs::symlink_metadata(&path).map_or(0, |found| found.len());
            match fs::remove_file(&path) {
                Ok(()) => freed += bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(freed)
    }

    /// Notes what the file at its final path holds.
    pub(crate) fn note_verified(&self, file: &File, sha256: &str) {
        let write = || {
            let stamp = stamp(&fs::metadata(self.path_of(file)).ok()?)?;
            let note = self.note_path(file);
            fs::create_dir_all(note.parent()?).ok()?;
            fs::write(note, format!("{sha256} {stamp}\n")).ok()
        };
        // Without a note the file is read again.
        write().unwrap_or_default();
    }

    /// The sha256 that was noted of the file as it was when it had this stamp.
    fn noted(&self, file: &File, stamp: &str) -> Option<String> {
        let note = fs::read_to_string(self.note_path(file)).ok()?;
        let (sha256, noted) = note.strip_suffix('\n')?.split_once(' ')?;
        (noted == stamp).then(|| sha256.to_owned())
    }

    fn note_path(&self, file: &File) -> PathBuf {
        self.dir.join(".verified").join(&file.path)
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
        fs::metadata(self.partial_path(file)).map_or(0, |found| found.len().min(file.bytes))
    }

    /// By content, so that a new manifest never continues an old file.
    pub(crate) fn partial_path(&self, file: &File) -> PathBuf {
        self.partial_dir().join(format!("{}.part", file.sha256))
    }

    pub(crate) fn partial_dir(&self) -> PathBuf {
        self.dir.join(".partial")
    }
}

/// Tells a file from what it was before it was written to or replaced.
fn stamp(found: &Metadata) -> Option<String> {
    let at = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}", found.len(), at.as_nanos()))
}

/// Lower-case hex.
pub(crate) fn sha256_of(path: &Path) -> io::Result<String> {
    hash(path, &mut |_| {})
}

fn hash(path: &Path, advanced: &mut dyn FnMut(u64)) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => {
                hash.update(&chunk[..read]);
                done += read as u64;
                advanced(done);
            }
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
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
