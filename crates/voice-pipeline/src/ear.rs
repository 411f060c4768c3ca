//! Endpointing: where an utterance begins and where it ends, on the clock of the sound heard.
//!
//! Speech begins after a few voiced frames, and with the sound just before them. In a pause
//! the end-of-turn model is asked: an utterance that sounds complete ends at once, one that
//! does not is waited for. A client that asks for more silence than speakers leave inside a sentence
//! gets it also then, and is told meanwhile that the utterance is probably over; its words may say
//! that it is not. While the model is asked the clock stands still, so a recording that is fed
//! faster than it plays ends its turns where a live one would.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use audio_dsp::DUET_HZ;

use crate::settings::Detector;

/// One verdict of the voice activity net: 32 ms.
pub(crate) const FRAME: u64 = DUET_HZ as u64 * 32 / 1_000;

/// Voiced frames in a row that make speech: 96 ms. A click or a knock is shorter, "no" is not.
const ONSET_FRAMES: u32 = 3;

/// A frame counts as silent this far below the threshold: what hovers around it does not
/// flicker.
const HYSTERESIS: f32 = 0.15;

/// The first pause in which the end-of-turn model is asked. It was trained on this much.
const FIRST_ASK: Duration = Duration::from_millis(200);

/// How much longer it is waited each time for what sounds unfinished.
const NEXT_ASK: Duration = Duration::from_millis(500);

/// What sounds unfinished is waited for three times as long as the client asked for, within
/// these bounds: people pause that long to think, and then give up on a machine.
const UNFINISHED: Duration = Duration::from_millis(2_000);

/// As long as people pause inside a sentence, a breath or a comma. A client that wants a turn to end
/// after less is in a hurry, and gets it as soon as it sounds complete.
const INSIDE: Duration = Duration::from_millis(600);

/// Sound behind the end of speech that belongs to the utterance: word ends are soft.
const TAIL: Duration = Duration::from_millis(300);

/// An utterance at most. Speech without any pause is a radio, not a request.
const LONGEST: Duration = Duration::from_secs(120);

/// What the end-of-turn model hears at most.
const MODEL_HEARS: Duration = Duration::from_secs(8);

/// Kept of the silence before speech, for a client that commits by itself after all.
const KEPT_QUIET: Duration = Duration::from_secs(10);

/// Kept for a client that commits by itself.
const KEPT_MANUAL: Duration = Duration::from_secs(10 * 60);

#[derive(Debug)]
pub(crate) struct Ear {
    /// What was received and not yet committed or dropped.
    pcm: VecDeque<i16>,
    /// The clock's reading at the first sample of `pcm`.
    base: u64,
    /// How far the verdicts on speech have come.
    judged: u64,
    state: State,
    rule: Option<Rule>,
}

#[derive(Debug)]
enum State {
    /// Voiced frames so far, and where the first of them began.
    Quiet {
        voiced: u32,
        since: u64,
    },
    Speech(Speech),
}

#[derive(Debug)]
struct Speech {
    start: u64,
    /// Where the pause began that we are in.
    pause: Option<u64>,
    /// How long a pause must be for the model to be asked next.
    next_ask: u64,
    model: Model,
    /// It sounded complete in the pause that we are in.
    complete: bool,
    /// How long the pause must be then.
    settle: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    Free,
    Asked,
    /// It failed: this utterance ends by silence alone.
    Lost,
}

/// A [`Detector`] in samples.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rule {
    threshold: f32,
    padding: u64,
    first_ask: u64,
    /// Ends an utterance that sounds complete; none where it ends at once.
    settle: u64,
    /// Ends an utterance on which there is no verdict.
    silence: u64,
    /// Ends an utterance that sounds unfinished.
    give_up: u64,
    idle: Option<u64>,
}

/// What one frame changed.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Nothing,
    SpeechStarted {
        at: u64,
    },
    /// Is the speaker done? [`Ear::answer`] must follow before the next frame.
    Asking {
        pcm: Arc<[i16]>,
    },
    /// It is probably over, and this is what was said: a pause is waited for.
    Complete {
        pcm: Arc<[i16]>,
    },
    /// It was not.
    WentOn,
    /// Up to here.
    SpeechEnded {
        end: u64,
        pcm: Arc<[i16]>,
    },
}

impl Ear {
    pub(crate) fn new(detector: Option<Detector>) -> Self {
        Self {
            pcm: VecDeque::new(),
            base: 0,
            judged: 0,
            state: State::Quiet { voiced: 0, since: 0 },
            rule: detector.map(Rule::new),
        }
    }

    /// New settings. Speech that was going on is no longer followed when detection ends.
    pub(crate) fn set_detector(&mut self, detector: Option<Detector>) {
        self.rule = detector.map(Rule::new);
        if self.rule.is_none() {
            self.be_quiet();
        }
    }

    pub(crate) fn append(&mut self, pcm: &[i16]) {
        self.pcm.extend(pcm);
        self.forget();
    }

    /// The clock: samples received since the session began.
    pub(crate) fn received(&self) -> u64 {
        self.base + self.pcm.len() as u64
    }

    /// The clock of the verdicts, which follow the sound.
    pub(crate) fn judged(&self) -> u64 {
        self.judged
    }

    /// What a commit would take now.
    pub(crate) fn waiting(&self) -> u64 {
        self.pcm.len() as u64
    }

    pub(crate) fn is_speech(&self) -> bool {
        matches!(self.state, State::Speech(_))
    }

    /// Whether the clock stands still until [`Ear::answer`].
    pub(crate) fn is_asking(&self) -> bool {
        matches!(&self.state, State::Speech(Speech { model: Model::Asked, .. }))
    }

    pub(crate) fn idle_after(&self) -> Option<u64> {
        self.rule.and_then(|rule| rule.idle)
    }

    /// The next frame's verdict.
    pub(crate) fn judge(&mut self, probability: f32) -> Heard {
        let frame = self.judged..self.judged + FRAME;
        self.judged = frame.end;
        let Some(rule) = self.rule else { return Heard::Nothing };
        // Sound that a commit or a clear has taken already.
        if frame.end <= self.base {
            return Heard::Nothing;
        }
        let voiced = rule.threshold <= probability;
        let silent = probability < rule.threshold - HYSTERESIS;
        match &mut self.state {
            State::Quiet { voiced: run, since } => {
                if voiced {
                    if *run == 0 {
                        *since = frame.start;
                    }
                    *run += 1;
                } else if silent {
                    *run = 0;
                }
                if *run < ONSET_FRAMES {
                    return Heard::Nothing;
                }
                let at = since.saturating_sub(rule.padding).max(self.base);
                self.state = State::Speech(Speech {
                    start: at,
                    pause: None,
                    next_ask: rule.first_ask,
                    model: Model::Free,
                    complete: false,
                    settle: rule.settle,
                });
                Heard::SpeechStarted { at }
            }
            State::Speech(speech) => {
                if voiced {
                    speech.pause = None;
                    speech.next_ask = rule.first_ask;
                    if std::mem::take(&mut speech.complete) {
                        speech.settle = rule.settle;
                        return Heard::WentOn;
                    }
                } else if silent && speech.pause.is_none() {
                    speech.pause = Some(frame.start);
                }
                self.weigh()
            }
        }
    }

    /// What the model said, or `None` if it could not be asked.
    pub(crate) fn answer(&mut self, complete: Option<bool>) -> Heard {
        let State::Speech(speech) = &mut self.state else { return Heard::Nothing };
        if speech.model != Model::Asked {
            return Heard::Nothing;
        }
        speech.model = if complete.is_none() { Model::Lost } else { Model::Free };
        match complete {
            Some(true) if speech.pause.is_some_and(|it| self.judged - it < speech.settle) => {
                speech.complete = true;
                let start = speech.start;
                Heard::Complete { pcm: self.copy(start..self.judged) }
            }
            Some(true) => self.end(),
            Some(false) | None => self.weigh(),
        }
    }

    /// The speech that is going on ends as soon as it sounds complete.
    pub(crate) fn hurry(&mut self) {
        if let State::Speech(speech) = &mut self.state {
            speech.settle = 0;
        }
    }

    /// Its words say that what sounds complete is not: it is waited for like what sounds unfinished.
    pub(crate) fn wait_on(&mut self) {
        if let (State::Speech(speech), Some(rule)) = (&mut self.state, self.rule)
            && speech.complete
        {
            speech.settle = rule.give_up;
        }
    }

    /// There will be no more verdicts: ends the speech that is going on.
    pub(crate) fn hang_up(&mut self) -> Heard {
        self.judged = self.received();
        self.end()
    }

    /// Takes everything that waits, for a client that commits by itself.
    pub(crate) fn take(&mut self) -> Arc<[i16]> {
        let pcm: Arc<[i16]> = self.pcm.make_contiguous().to_vec().into();
        self.drop_to(self.received());
        self.be_quiet();
        pcm
    }

    /// A copy of a stretch of what waits.
    pub(crate) fn copy(&self, span: Range<u64>) -> Arc<[i16]> {
        let place = |at: u64| (at.saturating_sub(self.base) as usize).min(self.pcm.len());
        self.pcm.range(place(span.start)..place(span.end).max(place(span.start))).copied().collect()
    }

    fn weigh(&mut self) -> Heard {
        let (State::Speech(speech), Some(rule)) = (&mut self.state, self.rule) else {
            return Heard::Nothing;
        };
        if samples(LONGEST) <= self.judged - speech.start {
            return self.end();
        }
        let Some(pause) = speech.pause.map(|since| self.judged - since) else {
            return Heard::Nothing;
        };
        match speech.model {
            Model::Asked => Heard::Nothing,
            Model::Free if speech.complete && speech.settle <= pause => self.end(),
            Model::Free if speech.complete => Heard::Nothing,
            Model::Lost if rule.silence <= pause => self.end(),
            Model::Lost => Heard::Nothing,
            Model::Free if rule.give_up <= pause => self.end(),
            Model::Free if speech.next_ask <= pause => {
                speech.model = Model::Asked;
                // Again when the client's own limit is reached, then every now and then.
                speech.next_ask = match pause < rule.silence {
                    true => rule.silence,
                    false => pause + samples(NEXT_ASK),
                };
                let from = speech.start.max(self.judged.saturating_sub(samples(MODEL_HEARS)));
                Heard::Asking { pcm: self.copy(from..self.judged) }
            }
            Model::Free => Heard::Nothing,
        }
    }

    fn end(&mut self) -> Heard {
        let State::Speech(Speech { start, pause, .. }) = self.state else { return Heard::Nothing };
        let tail = pause.map_or(self.judged, |since| since + samples(TAIL));
        let end = tail.min(self.judged);
        let pcm = self.copy(start..end);
        self.drop_to(self.judged);
        self.be_quiet();
        Heard::SpeechEnded { end, pcm }
    }

    fn be_quiet(&mut self) {
        self.state = State::Quiet { voiced: 0, since: self.judged };
    }

    fn drop_to(&mut self, at: u64) {
        let count = at.saturating_sub(self.base).min(self.pcm.len() as u64);
        self.pcm.drain(..count as usize);
        self.base += count;
        // A long utterance is no reason to need as much memory ever after.
        if samples(KEPT_QUIET) < self.pcm.capacity() as u64 / 4 {
            self.pcm.shrink_to(samples(KEPT_QUIET) as usize);
        }
    }

    fn forget(&mut self) {
        let keep_from = match (&self.state, self.rule) {
            // An utterance has its own bound, and verdicts may lag behind the sound.
            (State::Speech(_), _) => return,
            (State::Quiet { .. }, Some(_)) => self.judged.saturating_sub(samples(KEPT_QUIET)),
            (State::Quiet { .. }, None) => self.received().saturating_sub(samples(KEPT_MANUAL)),
        };
        self.drop_to(keep_from);
    }
}

impl Rule {
    fn new(detector: Detector) -> Self {
        match detector {
            Detector::Silence { threshold, prefix_padding, silence, idle } => Self {
                threshold,
                padding: samples(prefix_padding),
                first_ask: samples(FIRST_ASK.min(silence)),
                settle: if INSIDE < silence { samples(silence) } else { 0 },
                silence: samples(silence),
                give_up: samples(silence.max((3 * silence).min(UNFINISHED))),
                idle: idle.map(samples),
            },
            Detector::Meaning { patience } => Self {
                threshold: 0.5,
                padding: samples(Duration::from_millis(300)),
                first_ask: samples(FIRST_ASK),
                settle: 0,
                silence: samples(patience.min(Duration::from_secs(1))),
                give_up: samples(patience),
                idle: None,
            },
        }
    }
}

pub(crate) fn samples(time: Duration) -> u64 {
    u64::try_from(time.as_micros() * u128::from(DUET_HZ) / 1_000_000).unwrap_or(u64::MAX)
}

/// Whole milliseconds on the clock.
pub(crate) fn millis(samples: u64) -> u64 {
    samples * 1_000 / u64::from(DUET_HZ)
}
