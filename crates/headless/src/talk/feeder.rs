//! Gives the conversation its question: plays a recording, as somebody who waits for the answers,
//! or passes on live sound as it arrives.

use std::collections::VecDeque;
use std::time::Duration;

use app_server_client::{CallError, Client};
use app_server_protocol::{AudioChunk, RealtimeAppendAudioParams, code, methods};
use audio_dsp::DUET_HZ;
use audio_io::{Microphone, RawPlace, RawReader, WavReader};
use stdx::Time;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::ends::Input;
use super::exchange::{Floor, Sign};
use super::pauses::Pauses;
use super::{Clock, Live, Manners, Pace};
use crate::exit::HeadlessError;

/// What a microphone delivers at a time.
const FRAME: Duration = Duration::from_millis(20);

/// Samples of [`FRAME`].
const FRAME_SAMPLES: usize = DUET_HZ as usize / 50;

/// A pause from here on is played as long as it lasts: the voice needs that to say whether
/// somebody has come to an end.
const LISTENING: Duration = Duration::from_millis(600);

/// A pause after which whoever was speaking has come to an end, whatever it sounded like. Longer
/// than our own voice waits for what sounds unfinished.
const OVER: Duration = Duration::from_millis(2_500);

/// How far it is looked ahead for whether anything follows a pause.
const AHEAD: usize = 3_000;

/// Frames of live sound that were read and not sent: 200 ms. Then it waits in its pipe, and a
/// recorder that cannot wait says so.
const BEHIND: usize = 10;

/// Frames of silence behind a recording, each taken at once, after which our own voice has heard
/// all of the recording: ten seconds. It says that somebody speaks 0.1 s after they began, and
/// judges sound a hundred times as fast as it is; the rest is for a model host that has just been
/// started.
const LISTENED: u32 = 500;

/// How long the reason of an ended conversation may take to arrive.
const LAST_NEWS: Duration = Duration::from_secs(1);

pub(super) struct Feeder {
    pub(super) client: Client,
    pub(super) thread_id: String,
    pub(super) pace: Pace,
    pub(super) manners: Manners,
    pub(super) clock: Clock,
    /// Who has the word, as far as it is known.
    pub(super) floor: watch::Receiver<Floor>,
    /// When the last frame that sounds was sent.
    pub(super) voiced: watch::Sender<Time>,
}

/// News of the recording.
#[derive(Debug)]
pub(super) enum Fed {
    /// A question has ended. The rest of the recording waits for `go_on`.
    Paused { voiced: Time, go_on: oneshot::Sender<()> },
    /// [`Sign::InputEnded`] or [`Sign::SilenceEnded`]. Silence follows, for as long as it is
    /// listened to.
    Ended { sign: Sign, voiced: Time },
    /// [`Sign::Listened`]
    Listened,
}

/// Whether sound was taken at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    AtOnce,
    AfterWaiting,
}

/// The recording, as far as it was looked at.
struct Track {
    wav: WavReader,
    ahead: VecDeque<Vec<i16>>,
}

impl Feeder {
    pub(super) async fn feed(
        self,
        recording: WavReader,
        fed: mpsc::Sender<Fed>,
    ) -> Result<(), HeadlessError> {
        let mut ticks = interval(FRAME);
        // A frame that is late is followed by the next one at once: the sound's own clock
        // counts.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut track = Track { wav: recording, ahead: VecDeque::new() };
        let mut pauses = Pauses::default();
        let mut voiced = self.clock.now();
        // Nobody has to be waited for in this pause, any more or at all.
        let mut settled = false;
        while let Some(frame) = track.next()? {
            let quiet = pauses.note(&frame, FRAME);
            if quiet == Duration::ZERO {
                settled = false;
            }
            let listening = self.manners == Manners::Waits && LISTENING <= quiet && !settled;
            if listening && quiet < LISTENING + FRAME && !track.goes_on(&pauses)? {
                settled = true;
            }
            let listening = listening && !settled;
            match self.pace {
                Pace::Live => drop(ticks.tick().await),
                Pace::AsTaken if listening => drop(ticks.tick().await),
                Pace::AsTaken => ticks.reset_immediately(),
            }
            self.append(&frame).await?;
            if quiet == Duration::ZERO {
                voiced = self.clock.now();
                self.voiced.send_replace(voiced);
            }
            if !listening {
                continue;
            }
            let floor = *self.floor.borrow();
            let waits = match floor {
                Floor::Free => false,
                Floor::User => OVER <= quiet,
                Floor::Owed => true,
            };
            if waits {
                let (go_on, released) = oneshot::channel();
                if fed.send(Fed::Paused { voiced, go_on }).await.is_err() {
                    return Ok(());
                }
                tokio::select! {
                    // Also when it was dropped: then nobody listens any more.
                    _released = released => {}
                    failed = self.be_silent(&mut ticks, None) => return failed,
                }
            }
            settled = waits || OVER <= quiet;
        }
        if !tell_end(&fed, &pauses, voiced).await {
            return Ok(());
        }
        let listening = match self.pace {
            Pace::AsTaken => {
                // The clock begins here.
                ticks.reset();
                Some(&fed)
            }
            // Of a service it is not known when it has heard what it has taken.
            Pace::Live => None,
        };
        self.be_silent(&mut ticks, listening).await
    }

    /// Live sound has a clock of its own: whoever records it.
    pub(super) async fn pass_on(
        self,
        live: Live,
        fed: mpsc::Sender<Fed>,
    ) -> Result<(), HeadlessError> {
        let (heard, mut frames) = mpsc::channel(BEHIND);
        let mut reading = JoinSet::new();
        reading.spawn_blocking(move || match live {
            Live::Raw(place) => read(place, &heard),
            Live::Microphone(microphone) => listen(*microphone, &heard),
        });
        let mut pauses = Pauses::default();
        let mut voiced = self.clock.now();
        while let Some(frame) = frames.recv().await {
            let quiet = pauses.note(&frame, FRAME);
            self.append(&frame).await?;
            if quiet == Duration::ZERO {
                voiced = self.clock.now();
                self.voiced.send_replace(voiced);
            }
        }
        match reading.join_next().await {
            Some(Ok(ended)) => ended?,
            Some(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
            None => (),
        }
        if !tell_end(&fed, &pauses, voiced).await {
            return Ok(());
        }
        let mut ticks = interval(FRAME);
        self.be_silent(&mut ticks, None).await
    }

    /// For as long as it is waited for; returns with the reason why nobody listens. Tells
    /// `listening` when the question was heard whole.
    async fn be_silent(
        &self,
        ticks: &mut Interval,
        mut listening: Option<&mpsc::Sender<Fed>>,
    ) -> Result<(), HeadlessError> {
        let silence = [0; FRAME_SAMPLES];
        let mut in_a_row = 0;
        loop {
            ticks.tick().await;
            match self.append(&silence).await? {
                Taken::AtOnce => in_a_row += 1,
                // Silence that was not needed meanwhile is not made up for.
                Taken::AfterWaiting => {
                    in_a_row = 0;
                    ticks.reset();
                }
            }
            if in_a_row == LISTENED
                && let Some(fed) = listening.take()
                && fed.send(Fed::Listened).await.is_err()
            {
                return Ok(());
            }
        }
    }

    /// Waits while the conversation is as far behind as it may be.
    async fn append(&self, pcm: &[i16]) -> Result<Taken, HeadlessError> {
        let audio = AudioChunk::new(pcm, DUET_HZ, None);
        let params = RealtimeAppendAudioParams { thread_id: self.thread_id.clone(), audio };
        let mut taken = Taken::AtOnce;
        loop {
            match self.client.call::<methods::RealtimeAppendAudio>(&params).await {
                Ok(_) => return Ok(taken),
                // There is room again when some of it was heard.
                Err(CallError::Refused { method: _, error }) if error.code == code::OVERLOADED => {
                    taken = Taken::AfterWaiting;
                    sleep(FRAME).await;
                }
                Err(error) => {
                    // The conversation has just ended: its own news says why, if we let it.
                    sleep(LAST_NEWS).await;
                    return Err(error.into());
                }
            }
        }
    }
}

/// Whether anybody wants to know.
async fn tell_end(fed: &mpsc::Sender<Fed>, pauses: &Pauses, voiced: Time) -> bool {
    let sign = if pauses.has_sounded() { Sign::InputEnded } else { Sign::SilenceEnded };
    fed.send(Fed::Ended { sign, voiced }).await.is_ok()
}

/// On a thread of its own: nobody waits for it. To the end, or until nobody listens.
fn read(place: RawPlace, heard: &mpsc::Sender<Vec<i16>>) -> Result<(), HeadlessError> {
    let read = || {
        let mut sound = RawReader::new(place.open_input()?);
        while let Some(frame) = sound.next_frame()? {
            if heard.blocking_send(frame).is_err() {
                break;
            }
        }
        Ok(())
    };
    read().map_err(|source| HeadlessError::Stream { input: Input::Raw(place.clone()), source })
}

/// As [`read`]. A microphone has no end.
fn listen(mut microphone: Microphone, heard: &mpsc::Sender<Vec<i16>>) -> Result<(), HeadlessError> {
    while heard.blocking_send(microphone.next_frame()?).is_ok() {}
    Ok(())
}

impl Track {
    fn next(&mut self) -> Result<Option<Vec<i16>>, HeadlessError> {
        match self.ahead.pop_front() {
            Some(frame) => Ok(Some(frame)),
            None => Ok(self.wav.next_frame()?),
        }
    }

    /// Whether anything sounds after this pause, or may: it is not looked ahead for ever.
    fn goes_on(&mut self, pauses: &Pauses) -> Result<bool, HeadlessError> {
        let mut pauses = pauses.clone();
        for at in 0..AHEAD {
            if at == self.ahead.len() {
                match self.wav.next_frame()? {
                    Some(frame) => self.ahead.push_back(frame),
                    None => return Ok(false),
                }
            }
            if pauses.note(&self.ahead[at], FRAME) == Duration::ZERO {
                return Ok(true);
            }
        }
        Ok(true)
    }
}
