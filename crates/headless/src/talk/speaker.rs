//! Raw sound into a pipe, as [`Playout`] says what is due.
//!
//! Writing to a pipe waits for its reader. It is done on a thread of its own, one block at a time:
//! the conversation never waits.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::panic::resume_unwind;
use std::time::Duration;

use audio_dsp::{Block, Playout, Silenced};
use audio_io::RawPlace;
use stdx::Time;
use tokio::task::JoinSet;

use super::ends::Output;
use crate::exit::HeadlessError;

/// How soon it is looked again whether the last block was taken.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(super) struct Speaker {
    place: RawPlace,
    /// When the stream's first sample sounds.
    start: Time,
    playout: Playout<usize>,
    pen: Pen,
    writing: JoinSet<io::Result<File>>,
    /// Whether it was told that the reader does not keep up.
    behind: bool,
}

/// The pipe.
enum Pen {
    Ready(File),
    /// It is being opened or written to, since then, as the playout's time counts.
    Busy(Duration),
    Broken(io::Error),
    /// Nobody reads any more.
    Gone,
}

/// What became of the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// The first sample of what was marked was given to the reader.
    Began(usize),
    /// The reader does not keep up, and what waited for it is dropped.
    Dropped,
    /// Nobody reads any more.
    Closed,
}

impl Speaker {
    /// The stream begins now.
    pub(super) fn start(place: RawPlace, now: Time) -> Self {
        let mut writing = JoinSet::new();
        let opens = place.clone();
        writing.spawn_blocking(move || opens.open_output());
        Self {
            place,
            start: now,
            playout: Playout::default(),
            pen: Pen::Busy(Duration::ZERO),
            writing,
            behind: false,
        }
    }

    /// `pcm` arrived.
    pub(super) fn play(&mut self, pcm: &[i16]) -> Option<Told> {
        match self.pen {
            Pen::Gone => None,
            Pen::Ready(_) | Pen::Busy(_) | Pen::Broken(_) => {
                let lost = self.playout.play(pcm);
                self.dropped(lost)
            }
        }
    }

    /// What arrives next begins something.
    pub(super) fn mark(&mut self, mark: usize) {
        self.playout.mark(mark);
    }

    /// Somebody speaks: what was not written waits. Gives when the last that was written sounds.
    pub(super) fn hold(&mut self) -> Time {
        let until = self.playout.hold();
        self.moment(until)
    }

    /// What waits goes on.
    pub(super) fn resume(&mut self) {
        self.playout.resume();
    }

    /// Somebody spoke: what was not written never sounds.
    pub(super) fn stop(&mut self) -> Option<Silenced> {
        self.playout.stop()
    }

    /// The moment of this process that `at` is in the stream.
    pub(super) fn moment(&self, at: Duration) -> Time {
        self.start + at
    }

    /// When everything that has arrived will have sounded. In the past where it has.
    pub(super) fn sounds_until(&self, now: Time) -> Time {
        let at = now - self.start;
        let until = self.moment(self.playout.sounds_until(at));
        match self.pen {
            // What is being written may be the last of it.
            Pen::Busy(since) if at < Playout::<usize>::given_up(since) => {
                until.max(now + LOOK_AGAIN)
            }
            Pen::Busy(_) | Pen::Ready(_) | Pen::Broken(_) | Pen::Gone => until,
        }
    }

    /// When [`Speaker::carry`] has something to do.
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.pen {
            Pen::Ready(_) => Some(self.moment(self.playout.deadline())),
            Pen::Busy(since) => self.playout.patience(since).map(|at| self.moment(at)),
            Pen::Broken(_) => Some(self.start),
            Pen::Gone => None,
        }
    }

    /// Gives the reader what is due.
    pub(super) fn carry(&mut self, now: Time) -> Result<Vec<Told>, HeadlessError> {
        let at = now - self.start;
        match std::mem::replace(&mut self.pen, Pen::Busy(at)) {
            Pen::Ready(mut file) => {
                let Some(Block { pcm, begins }) = self.playout.due(at) else {
                    self.pen = Pen::Ready(file);
                    return Ok(Vec::new());
                };
                self.writing.spawn_blocking(move || {
                    let bytes: Vec<u8> = pcm.iter().flat_map(|it| it.to_le_bytes()).collect();
                    file.write_all(&bytes)?;
                    Ok(file)
                });
                Ok(begins.into_iter().map(Told::Began).collect())
            }
            Pen::Busy(since) => {
                self.pen = Pen::Busy(since);
                let lost = self.playout.not_taken(since, at);
                Ok(self.dropped(lost).into_iter().collect())
            }
            Pen::Broken(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.pen = Pen::Gone;
                self.playout.stop();
                Ok(vec![Told::Closed])
            }
            Pen::Broken(source) => {
                self.pen = Pen::Gone;
                Err(HeadlessError::Speaker { output: Output::Raw(self.place.clone()), source })
            }
            Pen::Gone => {
                self.pen = Pen::Gone;
                Ok(Vec::new())
            }
        }
    }

    /// Waits until the reader has taken what it was given last.
    pub(super) async fn written(&mut self) {
        self.pen = match self.writing.join_next().await {
            Some(Ok(Ok(file))) => Pen::Ready(file),
            Some(Ok(Err(error))) => Pen::Broken(error),
            Some(Err(panicked)) => resume_unwind(panicked.into_panic()),
            None => std::future::pending().await,
        };
    }

    /// Told once.
    fn dropped(&mut self, lost: Duration) -> Option<Told> {
        if lost == Duration::ZERO || std::mem::replace(&mut self.behind, true) {
            return None;
        }
        Some(Told::Dropped)
    }
}
