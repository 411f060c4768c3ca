//! What a speaker would have played from the end of the question on.

use std::path::Path;
use std::time::Duration;

use audio_dsp::DUET_HZ;
use audio_io::{Timeline, TimelineError};
use stdx::Time;

/// The file is there from the start, so that a place that cannot be written to is known
/// before any work is done. Its time begins with [`Recording::begin`].
pub(crate) struct Recording {
    timeline: Timeline,
    began: Began,
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
        Ok(Self { timeline: Timeline::create(path)?, began })
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

    /// Closes the file with everything that still waits to sound.
    pub(crate) fn finish(self) -> Result<(), TimelineError> {
        let until = self.timeline.len();
        self.timeline.finish(until)
    }
}

fn length(samples: usize) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(DUET_HZ))
}

fn samples(length: Duration) -> usize {
    (length.as_secs_f64() * f64::from(DUET_HZ)).round() as usize
}
