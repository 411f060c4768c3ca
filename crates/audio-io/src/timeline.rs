//! A WAV file written as a speaker would have played it.
//!
//! Sound arrives in bursts, faster than it plays. Each piece sounds when it arrived, or after
//! what is still sounding; between them is silence. [`Timeline::stop`] is what barge-in does
//! to a speaker: what has not sounded yet never will.
//!
//! What was written stays readable whatever happens: the header is brought up to date every
//! second of sound, and when the timeline is dropped.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audio_dsp::DUET_HZ;
use hound::{SampleFormat, WavSpec, WavWriter};

const SPEC: WavSpec = WavSpec {
    channels: 1,
    sample_rate: DUET_HZ,
    bits_per_sample: 16,
    sample_format: SampleFormat::Int,
};

/// Sound that may be lost when the process is killed: a second.
const FLUSH_EVERY: u64 = DUET_HZ as u64;

/// Silence that is plausible at all. Longer means that the clock jumped (a suspended
/// machine): the rest is left out, so that the file does not grow by gigabytes of nothing.
const LONGEST_SILENCE: u64 = 30 * 60 * DUET_HZ as u64;

pub struct Timeline {
    path: PathBuf,
    /// `None` once it was closed.
    file: Option<WavWriter<BufWriter<File>>>,
    /// Samples in the file: all of them have sounded.
    written: u64,
    /// What sounds next, from `written` on, without gaps.
    queue: VecDeque<i16>,
    /// Samples of silence that were left out.
    skipped: u64,
    /// What waits while somebody speaks over it.
    held: Option<VecDeque<i16>>,
    flushed: u64,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "cannot write {}: {source}; check that the directory exists, may be written to and has space",
    path.display()
)]
pub struct TimelineError {
    path: PathBuf,
    source: hound::Error,
}

impl Timeline {
    /// Replaces what is at `path`. The time of everything that follows counts from the start
    /// of this file.
    pub fn create(path: &Path) -> Result<Self, TimelineError> {
        match File::create(path) {
            Ok(file) => Self::in_file(file, path),
            Err(error) => Err(TimelineError { path: path.to_owned(), source: error.into() }),
        }
    }

    /// As [`Timeline::create`], in a file that is open and empty, and that errors call `path`.
    pub fn in_file(file: File, path: &Path) -> Result<Self, TimelineError> {
        let path = path.to_owned();
        let file = match WavWriter::new(BufWriter::new(file), SPEC) {
            Ok(file) => file,
            Err(source) => return Err(TimelineError { path, source }),
        };
        Ok(Self {
            path,
            file: Some(file),
            written: 0,
            queue: VecDeque::new(),
            skipped: 0,
            held: None,
            flushed: 0,
        })
    }

    /// `pcm` arrived at `at`: it sounds then, or right after what is still sounding.
    pub fn play(&mut self, at: Duration, pcm: &[i16]) -> Result<(), TimelineError> {
        if let Some(held) = &mut self.held {
            held.extend(pcm);
            return Ok(());
        }
        self.settle(at)?;
        let gap = self.place(at).saturating_sub(self.end());
        let silence = gap.min(LONGEST_SILENCE);
        self.skipped += gap - silence;
        self.queue.extend(std::iter::repeat_n(0, silence as usize));
        self.queue.extend(pcm);
        Ok(())
    }

    /// From `at` on there is silence; what waits is kept, and so is what arrives.
    pub fn hold(&mut self, at: Duration) -> Result<(), TimelineError> {
        if self.held.is_none() {
            self.settle(at)?;
            self.held = Some(std::mem::take(&mut self.queue));
        }
        Ok(())
    }

    /// What was held goes on at `at`.
    pub fn resume(&mut self, at: Duration) -> Result<(), TimelineError> {
        match self.held.take() {
            Some(held) if !held.is_empty() => self.play(at, &Vec::from(held)),
            Some(_) | None => Ok(()),
        }
    }

    /// At `at` the speaker fell silent: the rest of what waits is dropped.
    pub fn stop(&mut self, at: Duration) -> Result<(), TimelineError> {
        self.held = None;
        self.settle(at)?;
        self.queue.clear();
        Ok(())
    }

    /// How long the file is, with everything that waits and is not held.
    pub fn len(&self) -> Duration {
        Duration::from_secs_f64(self.end() as f64 / f64::from(DUET_HZ))
    }

    pub fn is_empty(&self) -> bool {
        self.end() == 0
    }

    /// Plays out what waits, also what is held, adds silence up to `until` and closes the file.
    pub fn finish(mut self, until: Duration) -> Result<(), TimelineError> {
        self.resume(until)?;
        self.play(until, &[])?;
        self.write(self.queue.len())?;
        match self.file.take() {
            Some(file) => file.finalize().map_err(|source| self.error(source)),
            None => Ok(()),
        }
    }

    /// The sample that sounds at `at`.
    fn place(&self, at: Duration) -> u64 {
        let samples = at.as_nanos().saturating_mul(u128::from(DUET_HZ)) / 1_000_000_000;
        u64::try_from(samples).unwrap_or(u64::MAX).saturating_sub(self.skipped)
    }

    fn end(&self) -> u64 {
        self.written + self.queue.len() as u64
    }

    /// What sounded before `at` can no longer be stopped.
    fn settle(&mut self, at: Duration) -> Result<(), TimelineError> {
        let heard = self.place(at).saturating_sub(self.written);
        self.write(self.queue.len().min(usize::try_from(heard).unwrap_or(usize::MAX)))
    }

    /// Moves the head of the queue, never more than it holds, into the file.
    fn write(&mut self, count: usize) -> Result<(), TimelineError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut result = Ok(());
        let mut left = count;
        while 0 < left && result.is_ok() {
            // Also bounds what hound buffers.
            let block = left.min(FLUSH_EVERY as usize);
            let mut writer = file.get_i16_writer(block as u32);
            self.queue.drain(..block).for_each(|sample| writer.write_sample(sample));
            result = writer.flush();
            left -= block;
            self.written += block as u64;
        }
        if self.flushed + FLUSH_EVERY <= self.written {
            self.flushed = self.written;
            result = result.and_then(|()| file.flush());
        }
        result.map_err(|source| self.error(source))
    }

    fn error(&self, source: hound::Error) -> TimelineError {
        TimelineError { path: self.path.clone(), source }
    }
}

impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timeline({}, {:?} long)", self.path.display(), self.len())
    }
}

/// On the way out through an error what waits is written too: it is the user's recording.
impl Drop for Timeline {
    fn drop(&mut self) {
        if self.file.is_some() {
            // The error that brought us here is the one to show.
            drop(self.write(self.queue.len()));
        }
    }
}
