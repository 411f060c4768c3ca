//! Where the user wants an answer.
//!
//! It is written beside its place, in a file that is there from the start: a place that cannot be
//! written to is known before any work is done, and an older answer is not lost to a run that
//! comes to nothing.
//!
//! The directory may hold what a stranger put there (a cloned repository), so the file is new,
//! under a name that nobody can foresee, and a link at its place is replaced: through it the
//! answer would overwrite the file that it names, wherever that is.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::exit::HeadlessError;

/// A file that is not in its place yet. Dropped before it is, it is taken away.
#[derive(Debug)]
pub(crate) struct Unfinished {
    place: PathBuf,
    /// `None` where the place itself is written: a device, or a directory that takes no new
    /// files.
    part: Option<TempPath>,
}

impl Unfinished {
    /// The empty file to write to, and where it goes. Until then its name ends in `suffix`.
    pub(crate) fn open(place: &Path, suffix: &str) -> Result<(File, Self), HeadlessError> {
        let place = place.to_owned();
        match open(&place, suffix) {
            Ok((file, part)) => Ok((file, Self { place, part })),
            Err(source) => Err(HeadlessError::AnswerFile { path: place, source }),
        }
    }

    pub(crate) fn put(self) -> Result<(), HeadlessError> {
        let Self { place, part } = self;
        let Some(part) = part else { return Ok(()) };
        part.persist(&place)
            .map_err(|failed| HeadlessError::AnswerFile { path: place, source: failed.error })
    }
}

fn open(place: &Path, suffix: &str) -> io::Result<(File, Option<TempPath>)> {
    let beside = || beside(place, suffix).map(|(file, part)| (file, Some(part)));
    let there = match fs::symlink_metadata(place) {
        Ok(there) => there.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Says why it cannot be, where no file can be made beside it.
            return beside().or_else(|_| Ok((File::create_new(place)?, None)));
        }
        Err(error) => return Err(error),
    };
    if is_of_the_kernel(place) {
        return Ok((File::create(place)?, None));
    }
    if there.is_symlink() {
        return beside();
    }
    // Also asks whether a file that will be replaced may be written.
    let itself = OpenOptions::new().write(true).open(place)?;
    if !there.is_file() {
        return Ok((itself, None));
    }
    beside().or_else(|_| itself.set_len(0).map(|()| (itself, None)))
}

fn beside(place: &Path, suffix: &str) -> io::Result<(File, TempPath)> {
    let directory = place.parent().unwrap_or(Path::new(""));
    let made = tempfile::Builder::new()
        .prefix(".duet-")
        .suffix(suffix)
        // As any file that somebody makes; less by the umask.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
        // Without a path that nobody has named.
        .map_err(|error| io::Error::from(error.kind()))?;
    Ok(made.into_parts())
}

/// Whether it is a name for something else, as `/dev/stdout` is, in a directory that no
/// repository writes.
fn is_of_the_kernel(place: &Path) -> bool {
    let directory = place.parent().and_then(|it| fs::canonicalize(it).ok());
    directory.is_some_and(|it| it == Path::new("/dev") || it.starts_with("/proc"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    use super::*;

    /// `/dev/stdout` is such a name: of a file that is open, which nothing can replace.
    #[test]
    fn a_name_of_the_kernel_is_written_through() {
        let mut there = tempfile::NamedTempFile::new().unwrap();
        there.write_all(b"an old answer").unwrap();
        let place = PathBuf::from(format!("/proc/self/fd/{}", there.as_file().as_raw_fd()));
        let (mut file, unfinished) = Unfinished::open(&place, ".part").unwrap();
        file.write_all(b"new").unwrap();
        unfinished.put().unwrap();
        assert_eq!(fs::read(there.path()).unwrap(), b"new");
    }
}
