//! What a speaker would have played from the end of the question on.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use audio_dsp::DUET_HZ;
use audio_io::{Timeline, TimelineError};
use stdx::Time;
use tempfile::TempPath;

use crate::exit::HeadlessError;

/// Written beside its place, in a file that is there from the start: a place that cannot be
/// written to is known before any work is done, and an older answer is not lost to a run that
/// comes to nothing. Its time begins with [`Recording::begin`].
///
/// The directory may hold what a stranger put there (a cloned repository), so the file is new,
/// under a name that nobody can foresee, and a link at its place is replaced: through it the
/// answer would overwrite the file that it names, wherever that is.
pub(crate) struct Recording {
    timeline: Timeline,
    began: Began,
    /// `None` where the place itself is written: a device, or a directory that takes no new
    /// files.
    unfinished: Option<Unfinished>,
}

/// A file that is not in its place yet. Dropped before it is, it is taken away.
struct Unfinished {
    part: TempPath,
    place: PathBuf,
}

enum Began {
    /// The question still runs. What would sound after its end is kept.
    NotYet {
        pcm: Vec<i16>,
        /// When the last sample of `pcm` will have sounded.
        until: Time,
    },
    At(Time),
}

impl Recording {
    pub(crate) fn create(place: &Path) -> Result<Self, HeadlessError> {
        let began = Began::NotYet { pcm: Vec::new(), until: Time::ZERO };
        let (file, unfinished) = open(place)
            .map_err(|source| HeadlessError::AnswerFile { path: place.to_owned(), source })?;
        Ok(Self { timeline: Timeline::in_file(file, place)?, began, unfinished })
    }

    /// Whether there is anything to hear.
    pub(crate) fn has_sound(&self) -> bool {
        !self.timeline.is_empty()
    }

    /// `pcm` arrived now.
    pub(crate) fn play(&mut self, pcm: &[i16], now: Time) -> Result<(), TimelineError> {
        match &mut self.began {
            Began::NotYet { pcm: waiting, until } => {
                if *until <= now {
                    waiting.clear();
                    *until = now;
                }
                waiting.extend_from_slice(pcm);
                *until = *until + length(pcm.len());
                Ok(())
            }
            Began::At(start) => self.timeline.play(now - *start, pcm),
        }
    }

    /// Somebody spoke: what has not sounded never will.
    pub(crate) fn stop(&mut self, now: Time) -> Result<(), TimelineError> {
        match &mut self.began {
            Began::NotYet { pcm, until } => {
                pcm.clear();
                *until = now;
                Ok(())
            }
            Began::At(start) => self.timeline.stop(now - *start),
        }
    }

    /// The question has ended.
    pub(crate) fn begin(&mut self, now: Time) -> Result<(), TimelineError> {
        let Began::NotYet { pcm, until } = &self.began else { return Ok(()) };
        let left = samples(*until - now).min(pcm.len());
        self.timeline.play(Duration::ZERO, &pcm[pcm.len() - left..])?;
        self.began = Began::At(now);
        Ok(())
    }

    /// Closes the file with everything that still waits to sound, and puts it in its place.
    pub(crate) fn finish(self) -> Result<(), HeadlessError> {
        let until = self.timeline.len();
        self.timeline.finish(until)?;
        match self.unfinished {
            Some(unfinished) => unfinished.put(),
            None => Ok(()),
        }
    }
}

impl Unfinished {
    fn beside(place: &Path) -> io::Result<(File, Self)> {
        let directory = place.parent().unwrap_or(Path::new(""));
        let (file, part) = tempfile::Builder::new()
            .prefix(".duet-")
            .suffix(".wav.part")
            // As any file that somebody makes; less by the umask.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(directory)
            // Without a path that nobody has named.
            .map_err(|error| io::Error::from(error.kind()))?
            .into_parts();
        Ok((file, Self { part, place: place.to_owned() }))
    }

    fn put(self) -> Result<(), HeadlessError> {
        let Self { part, place } = self;
        part.persist(&place)
            .map_err(|failed| HeadlessError::AnswerFile { path: place, source: failed.error })
    }
}

/// The empty file to write to, and where it goes.
fn open(place: &Path) -> io::Result<(File, Option<Unfinished>)> {
    let beside = || Unfinished::beside(place).map(|(file, it)| (file, Some(it)));
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

/// Whether it is a name for something else, as `/dev/stdout` is, in a directory that no
/// repository writes.
fn is_of_the_kernel(place: &Path) -> bool {
    let directory = place.parent().and_then(|it| fs::canonicalize(it).ok());
    directory.is_some_and(|it| it == Path::new("/dev") || it.starts_with("/proc"))
}

/// Whether `output` is `input`: the same file, by whatever name.
pub(crate) fn is_same_file(input: &Path, output: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
    id(input).is_some_and(|input| Some(input) == id(output))
}

fn length(samples: usize) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(DUET_HZ))
}

fn samples(length: Duration) -> usize {
    (length.as_secs_f64() * f64::from(DUET_HZ)).round() as usize
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    /// `/dev/stdout` is such a name: of a file that is open, which nothing can replace.
    #[test]
    fn a_name_of_the_kernel_is_written_through() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, b"an old answer").unwrap();
        let place = PathBuf::from(format!("/proc/self/fd/{}", file.as_file().as_raw_fd()));
        let mut recording = Recording::create(&place).unwrap();
        recording.begin(Time::ZERO).unwrap();
        recording.play(&[7; 480], Time::ZERO).unwrap();
        recording.finish().unwrap();
        let heard = audio_io::WavReader::open(file.path()).unwrap().read_to_end().unwrap();
        assert_eq!(heard, [7; 480]);
    }
}
