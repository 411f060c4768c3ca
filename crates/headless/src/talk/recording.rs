//! What a speaker would have played from the end of the question on.

use std::path::Path;
use std::time::Duration;

use audio_dsp::DUET_HZ;
use audio_io::{Timeline, TimelineError};
use stdx::Time;

use crate::exit::HeadlessError;
use crate::place::Unfinished;

/// Written beside its place ([`Unfinished`]). Its time begins with [`Recording::begin`].
pub(crate) struct Recording {
    timeline: Timeline,
    began: Began,
    unfinished: Unfinished,
}

enum Began {
    /// The question still runs. What would sound after its end is kept.
    NotYet {
        pcm: Vec<i16>,
        /// When the last sample of `pcm` will have sounded.
        until: Time,
        held: Option<Time>,
    },
    At(Time),
}

impl Recording {
    pub(crate) fn create(place: &Path) -> Result<Self, HeadlessError> {
        let began = Began::NotYet { pcm: Vec::new(), until: Time::ZERO, held: None };
        let (file, unfinished) = Unfinished::open(place, ".wav.part")?;
        Ok(Self { timeline: Timeline::in_file(file, place)?, began, unfinished })
    }

    /// Whether there is anything to hear.
    pub(crate) fn has_sound(&self) -> bool {
        !self.timeline.is_empty()
    }

    /// `pcm` arrived now.
    pub(crate) fn play(&mut self, pcm: &[i16], now: Time) -> Result<(), TimelineError> {
        match &mut self.began {
            Began::NotYet { pcm: waiting, until, held } => {
                let now = held.unwrap_or(now);
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

    /// Somebody speaks: what has not sounded waits.
    pub(crate) fn hold(&mut self, now: Time) -> Result<(), TimelineError> {
        match &mut self.began {
            Began::NotYet { held, .. } => {
                held.get_or_insert(now);
                Ok(())
            }
            Began::At(start) => self.timeline.hold(now - *start),
        }
    }

    /// What was held goes on.
    pub(crate) fn resume(&mut self, now: Time) -> Result<(), TimelineError> {
        match &mut self.began {
            Began::NotYet { until, held, .. } => {
                if let Some(since) = held.take()
                    && since < *until
                {
                    *until = *until + (now - since);
                }
                Ok(())
            }
            Began::At(start) => self.timeline.resume(now - *start),
        }
    }

    /// Somebody spoke: what has not sounded never will.
    pub(crate) fn stop(&mut self, now: Time) -> Result<(), TimelineError> {
        match &mut self.began {
            Began::NotYet { pcm, until, held } => {
                pcm.clear();
                *held = None;
                *until = now;
                Ok(())
            }
            Began::At(start) => self.timeline.stop(now - *start),
        }
    }

    /// When everything that has arrived will have sounded.
    pub(crate) fn sounds_until(&self) -> Time {
        match &self.began {
            Began::NotYet { until, .. } => *until,
            Began::At(start) => *start + self.timeline.len(),
        }
    }

    /// The question has ended. The first one counts.
    pub(crate) fn begin(&mut self, now: Time) -> Result<(), TimelineError> {
        let Began::NotYet { pcm, until, held } = &self.began else { return Ok(()) };
        let left = samples(*until - held.unwrap_or(now)).min(pcm.len());
        self.timeline.play(Duration::ZERO, &pcm[pcm.len() - left..])?;
        if held.is_some() {
            self.timeline.hold(Duration::ZERO)?;
        }
        self.began = Began::At(now);
        Ok(())
    }

    /// Closes the file with everything that still waits to sound, and puts it in its place.
    pub(crate) fn finish(self) -> Result<(), HeadlessError> {
        let until = self.timeline.len();
        self.timeline.finish(until)?;
        self.unfinished.put()
    }
}

fn length(samples: usize) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(DUET_HZ))
}

fn samples(length: Duration) -> usize {
    (length.as_secs_f64() * f64::from(DUET_HZ)).round() as usize
}
