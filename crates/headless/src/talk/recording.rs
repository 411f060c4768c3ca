//! What a speaker would have played from the end of the question on.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audio_dsp::DUET_HZ;
use audio_io::{Timeline, TimelineError};
use stdx::Time;

use crate::exit::HeadlessError;

/// Written beside its place, as `answer.wav.part`, which is there from the start: a place that
/// cannot be written to is known before any work is done, and an older answer is not lost to
/// a run that comes to nothing. Its time begins with [`Recording::begin`].
pub(crate) struct Recording {
    timeline: Timeline,
    began: Began,
    /// `None` where the place itself is written: a device, or a directory that takes no new
    /// files.
    unfinished: Option<Unfinished>,
}

/// A file that is not in its place yet. Dropped before it is, it is taken away.
struct Unfinished {
    part: PathBuf,
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
    pub(crate) fn create(path: &Path) -> Result<Self, TimelineError> {
        let began = Began::NotYet { pcm: Vec::new(), until: Time::ZERO };
        let beside = Unfinished::beside(path)
            .and_then(|unfinished| Some((Timeline::create(&unfinished.part).ok()?, unfinished)));
        Ok(match beside {
            Some((timeline, unfinished)) => Self { timeline, began, unfinished: Some(unfinished) },
            // Also says why, with the name that the user knows.
            None => Self { timeline: Timeline::create(path)?, began, unfinished: None },
        })
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
    /// `None` where nothing can be put in the place of what is there.
    fn beside(path: &Path) -> Option<Self> {
        let place = match fs::metadata(path) {
            // Through links, which stay; and only where the file itself may be written.
            Ok(there) if there.is_file() => {
                OpenOptions::new().write(true).open(path).ok()?;
                fs::canonicalize(path).ok()?
            }
            Ok(_) => return None,
            Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
            Err(_) => return None,
        };
        // A link to nothing: what it points to is made by writing through it.
        if fs::symlink_metadata(&place).is_ok_and(|it| it.is_symlink()) {
            return None;
        }
        Some(Self { part: part_of(&place)?, place })
    }

    fn put(self) -> Result<(), HeadlessError> {
        fs::rename(&self.part, &self.place)
            .map_err(|source| HeadlessError::AnswerFile { path: self.place.clone(), source })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // In its place already, usually.
        fs::remove_file(&self.part).ok();
    }
}

/// Where `path` is written until it is complete.
fn part_of(path: &Path) -> Option<PathBuf> {
    let mut name = OsString::from(path.file_name()?);
    name.push(".part");
    Some(path.with_file_name(name))
}

/// Whether writing `output` would destroy `input`: the same file, by whatever name.
pub(crate) fn would_destroy(input: &Path, output: &Path) -> bool {
    is_same_file(input, output) || part_of(output).is_some_and(|part| is_same_file(input, &part))
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
    id(a).is_some_and(|a| Some(a) == id(b))
}

fn length(samples: usize) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(DUET_HZ))
}

fn samples(length: Duration) -> usize {
    (length.as_secs_f64() * f64::from(DUET_HZ)).round() as usize
}
