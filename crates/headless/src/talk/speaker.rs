//! Raw sound into a pipe or for a speaker of this machine, as [`Playout`] says what is due.
//!
//! Writing waits for who plays it. It is done on a thread of its own, one block at a time: the
//! conversation never waits.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::panic::resume_unwind;
use std::time::Duration;

use audio_dsp::{Block, Playout, Silenced};
use audio_io::{DeviceError, Loudspeaker, RawPlace};
use stdx::Time;
use tokio::task::JoinSet;

use super::ends::Output;
use crate::exit::HeadlessError;

/// How soon it is looked again whether the last block was taken.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Who plays it.
pub(super) enum Player {
    /// Whatever reads the pipe. It cannot be asked when it plays.
    Reader(RawPlace),
    Device(Box<Loudspeaker>),
}

pub(super) struct Speaker {
    output: Output,
    /// When the stream's first sample sounds.
    start: Time,
    /// How much later than it should everything sounds, as far as the device says.
    late: Duration,
    playout: Playout<usize>,
    pen: Pen,
    writing: JoinSet<Result<Nib, Trouble>>,
    /// Whether it was told that the reader does not keep up.
    behind: bool,
}

enum Pen {
    Ready(Nib),
    /// It is being opened or written to, since then, as the playout's time counts.
    Busy(Duration),
    Broken(Trouble),
    /// Nobody reads any more.
    Gone,
}

/// What sound is written with.
enum Nib {
    Pipe(File),
    Device(Box<Loudspeaker>),
}

enum Trouble {
    Pipe(io::Error),
    Device(DeviceError),
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
    pub(super) fn start(player: Player, now: Time) -> Self {
        let mut writing = JoinSet::new();
        let (output, pen) = match player {
            Player::Reader(place) => {
                let opens = place.clone();
                writing.spawn_blocking(move || {
                    opens.open_output().map(Nib::Pipe).map_err(Trouble::Pipe)
                });
                (Output::Raw(place), Pen::Busy(Duration::ZERO))
            }
            Player::Device(speaker) => {
                let name = speaker.device().description.clone();
                (Output::Speaker(Some(name)), Pen::Ready(Nib::Device(speaker)))
            }
        };
        Self {
            output,
            start: now,
            late: Duration::ZERO,
            playout: Playout::default(),
            pen,
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
        self.start + at + self.late
    }

    /// When what is given now sounds: at once, unless a device says otherwise.
    pub(super) fn sounds_at(&self, now: Time) -> Time {
        now + self.late
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
            Pen::Ready(_) => Some(self.start + self.playout.deadline()),
            Pen::Busy(since) => self.playout.patience(since).map(|at| self.start + at),
            Pen::Broken(_) => Some(self.start),
            Pen::Gone => None,
        }
    }

    /// Gives the reader what is due.
    pub(super) fn carry(&mut self, now: Time) -> Result<Vec<Told>, HeadlessError> {
        let at = now - self.start;
        match std::mem::replace(&mut self.pen, Pen::Busy(at)) {
            Pen::Ready(mut nib) => {
                let Some(Block { pcm, begins }) = self.playout.due(at) else {
                    self.pen = Pen::Ready(nib);
                    return Ok(Vec::new());
                };
                self.writing.spawn_blocking(move || {
                    nib.write(&pcm)?;
                    Ok(nib)
                });
                Ok(begins.into_iter().map(Told::Began).collect())
            }
            Pen::Busy(since) => {
                self.pen = Pen::Busy(since);
                let lost = self.playout.not_taken(since, at);
                Ok(self.dropped(lost).into_iter().collect())
            }
            Pen::Broken(Trouble::Pipe(error)) if error.kind() == ErrorKind::BrokenPipe => {
                self.pen = Pen::Gone;
                self.playout.stop();
                Ok(vec![Told::Closed])
            }
            Pen::Broken(Trouble::Pipe(source)) => {
                self.pen = Pen::Gone;
                Err(HeadlessError::Speaker { output: self.output.clone(), source })
            }
            Pen::Broken(Trouble::Device(error)) => {
                self.pen = Pen::Gone;
                Err(error.into())
            }
            Pen::Gone => {
                self.pen = Pen::Gone;
                Ok(Vec::new())
            }
        }
    }

    /// Waits until the player has taken what it was given last.
    pub(super) async fn written(&mut self) {
        self.pen = match self.writing.join_next().await {
            Some(Ok(Ok(nib))) => Pen::Ready(nib),
            Some(Ok(Err(error))) => Pen::Broken(error),
            Some(Err(panicked)) => resume_unwind(panicked.into_panic()),
            None => std::future::pending().await,
        };
    }

    /// What was given last was taken just now.
    pub(super) fn taken(&mut self, now: Time) {
        if let Pen::Ready(Nib::Device(speaker)) = &self.pen
            && let Some(sounds_in) = speaker.sounds_in()
        {
            let should = self.start + self.playout.given_until();
            self.late = (now + sounds_in) - should;
        }
    }

    /// Told once.
    fn dropped(&mut self, lost: Duration) -> Option<Told> {
        if lost == Duration::ZERO || std::mem::replace(&mut self.behind, true) {
            return None;
        }
        Some(Told::Dropped)
    }
}

impl Nib {
    fn write(&mut self, pcm: &[i16]) -> Result<(), Trouble> {
        match self {
            Self::Pipe(file) => {
                let bytes: Vec<u8> = pcm.iter().flat_map(|it| it.to_le_bytes()).collect();
                file.write_all(&bytes).map_err(Trouble::Pipe)
            }
            Self::Device(speaker) => speaker.write(pcm).map_err(Trouble::Device),
        }
    }
}
