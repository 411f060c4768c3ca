//! What hears the answer: a file that is a recording of it, or a speaker.

use std::time::Duration;

use audio_io::SoundServer;
use stdx::Time;

use super::ends::Output;
use super::recording::Recording;
use super::speaker::{Player, Speaker, Told};
use crate::exit::HeadlessError;

pub(super) enum Sink {
    File(Recording),
    Speaker(Speaker),
}

/// A sink before the conversation begins.
pub(super) enum Place {
    File(Box<Recording>),
    Speaker(Player),
}

/// An answer that somebody talked over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Silence {
    /// When the last sample that was written sounds, if the player keeps up.
    pub(super) sounds_until: Time,
    /// What will never sound.
    pub(super) dropped: Duration,
}

impl Place {
    /// A place that cannot be written to is known here, but for a pipe that nobody reads yet.
    pub(super) fn prepare(output: &Output) -> Result<Self, HeadlessError> {
        Ok(match output {
            Output::Wav(path) => Self::File(Box::new(Recording::create(path)?)),
            Output::Raw(place) => Self::Speaker(Player::Reader(place.clone())),
            Output::Speaker(name) => {
                let speaker = SoundServer::of_environment().speaker(name.as_deref())?;
                Self::Speaker(Player::Device(Box::new(speaker)))
            }
        })
    }

    /// The speaker, where it is one of this machine's.
    pub(super) fn device(&self) -> Option<&str> {
        match self {
            Self::Speaker(Player::Device(speaker)) => Some(&speaker.device().description),
            Self::Speaker(Player::Reader(_)) | Self::File(_) => None,
        }
    }

    /// The conversation begins.
    pub(super) fn begin(self, now: Time) -> Sink {
        match self {
            Self::File(recording) => Sink::File(*recording),
            Self::Speaker(player) => Sink::Speaker(Speaker::start(player, now)),
        }
    }
}

impl Sink {
    /// `pcm` arrived now.
    pub(super) fn play(&mut self, pcm: &[i16], now: Time) -> Result<Option<Told>, HeadlessError> {
        match self {
            Self::File(recording) => {
                recording.play(pcm, now)?;
                Ok(None)
            }
            Self::Speaker(speaker) => Ok(speaker.play(pcm)),
        }
    }

    /// What arrives next begins something. A recording cannot say when it sounds.
    pub(super) fn mark(&mut self, mark: usize) {
        match self {
            Self::File(_) => (),
            Self::Speaker(speaker) => speaker.mark(mark),
        }
    }

    /// Somebody speaks: what has not sounded waits. Gives when the last that was written sounds, if
    /// that is known.
    pub(super) fn hold(&mut self, now: Time) -> Result<Option<Time>, HeadlessError> {
        match self {
            Self::File(recording) => {
                recording.hold(now)?;
                Ok(None)
            }
            Self::Speaker(speaker) => Ok(Some(speaker.hold())),
        }
    }

    /// What waits goes on.
    pub(super) fn resume(&mut self, now: Time) -> Result<(), HeadlessError> {
        match self {
            Self::File(recording) => recording.resume(now)?,
            Self::Speaker(speaker) => speaker.resume(),
        }
        Ok(())
    }

    /// Somebody spoke: what has not sounded never will.
    pub(super) fn stop(&mut self, now: Time) -> Result<Option<Silence>, HeadlessError> {
        match self {
            Self::File(recording) => {
                recording.stop(now)?;
                Ok(None)
            }
            Self::Speaker(speaker) => Ok(speaker.stop().map(|it| Silence {
                sounds_until: speaker.moment(it.sounds_until),
                dropped: it.dropped,
            })),
        }
    }

    /// The question has ended. The first one counts: a recording begins here.
    pub(super) fn question_ended(&mut self, now: Time) -> Result<(), HeadlessError> {
        match self {
            Self::File(recording) => Ok(recording.begin(now)?),
            Self::Speaker(_) => Ok(()),
        }
    }

    /// When everything that has arrived will have sounded. In the past where it has.
    pub(super) fn sounds_until(&self, now: Time) -> Time {
        match self {
            Self::File(recording) => recording.sounds_until(),
            Self::Speaker(speaker) => speaker.sounds_until(now),
        }
    }

    /// When what is given now sounds, as far as that is known.
    pub(super) fn sounds_at(&self, now: Time) -> Time {
        match self {
            Self::File(_) => now,
            Self::Speaker(speaker) => speaker.sounds_at(now),
        }
    }

    /// When the answer is where it belongs: a file takes what has not sounded yet too.
    pub(super) fn complete_at(&self, now: Time) -> Time {
        match self {
            Self::File(_) => now,
            Self::Speaker(speaker) => speaker.sounds_until(now),
        }
    }

    /// When [`Sink::carry`] has something to do.
    pub(super) fn deadline(&self) -> Option<Time> {
        match self {
            Self::File(_) => None,
            Self::Speaker(speaker) => speaker.deadline(),
        }
    }

    pub(super) fn carry(&mut self, now: Time) -> Result<Vec<Told>, HeadlessError> {
        match self {
            Self::File(_) => Ok(Vec::new()),
            Self::Speaker(speaker) => speaker.carry(now),
        }
    }

    /// Waits until something was taken that [`Sink::carry`] gave.
    pub(super) async fn written(&mut self) {
        match self {
            Self::File(_) => std::future::pending().await,
            Self::Speaker(speaker) => speaker.written().await,
        }
    }

    /// [`Sink::written`] has come to its end.
    pub(super) fn taken(&mut self, now: Time) {
        match self {
            Self::File(_) => {}
            Self::Speaker(speaker) => speaker.taken(now),
        }
    }

    /// The answer is complete.
    pub(super) fn finish(self) -> Result<(), HeadlessError> {
        match self {
            Self::File(recording) => recording.finish(),
            Self::Speaker(_) => Ok(()),
        }
    }

    /// It came to no good end. What has sounded is the user's; why it could not be kept as well
    /// matters less.
    pub(super) fn give_up(self) {
        match self {
            Self::File(recording) if recording.has_sound() => {
                recording.finish().ok();
            }
            Self::File(_) | Self::Speaker(_) => (),
        }
    }
}
