//! One realtime voice conversation, as a state machine.
//!
//! The caller owns the link, the sound and the clock. It tells us what happened ([`Input`])
//! and when; we tell it what to do ([`Output`]) and when to come back
//! ([`Session::deadline`]). Nothing here blocks, spawns or reads a clock, and nothing here
//! knows a dialect.
//!
//! A conversation is used once: [`Input::Start`] begins it, [`Output::Ended`] is the last
//! thing it says.
//!
//! ```text
//! phase       | entered by            | says on entering               | left by
//! ------------|-----------------------|--------------------------------|---------------------------
//! Idle        | new                   | -                              | Start -> Dialing
//! Dialing     | Start                 | Connect                        | Up -> Opening
//!             |                       |                                | Failed, Down, 20 s -> Ended (Error, no Closed)
//! Opening     | the link is up        | Send(UpdateSession), Started   | SessionUpdated, or anything that only a
//!             |                       |                                |   session at work says -> Live
//!             |                       |                                | Refused, Fatal, 20 s -> Ended (Error, Closed error)
//! Live        | see above             | text held back meanwhile       | Fatal, a dead link -> Ended (Error, Closed error)
//! Opening,    |                       |                                | Down, its cause known -> Ended (Error, Closed error)
//!   Live      |                       |                                | Down -> Ended (Closed transport_closed)
//! any of them |                       |                                | Stop -> Ended (Closed requested)
//! Ended       | see above             | open transcripts, Disconnect,  | never
//!             |                       | Playback, Closed, Ended        |
//! ```
//!
//! Invariants:
//! * `UpdateSession` is the first command on the link.
//! * A conversation that started is closed exactly once, with one reason and at most one
//!   error before it. One that could not be made has one error and no close.
//! * Every handoff is answered exactly once while the conversation lives: with the outcome
//!   of its work, or at once, if it steers work that goes on already.
//! * A response that is owed is asked for again until the service makes one.
//! * After the user interrupts, nothing of the interrupted response is played.
//! * A reply that was held is resumed or stopped, once, and before anything else of it is told.
//! * The words of an utterance reach the clients once.

pub mod budget;
mod gate;
mod handoffs;
mod outputs;
mod overlap;
mod playback;
mod transcript;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use protocol::{
    BargeIn, CloseReason, Fault, FaultKind, Handoff, HandoffId, ItemId, PlaybackChange,
    RealtimeCommand, RealtimeEvent, RealtimeNotice, RealtimeVersion, ResponseId, ResponseOutcome,
    SessionConfig, Speaker, Stage, labels, utterance,
};
use stdx::{Time, never};

pub use crate::handoffs::{Delegation, DelegationKind};
pub use crate::outputs::Outputs;

use crate::gate::{Ask, ResponseGate};
use crate::handoffs::{Handoffs, Routed};
use crate::overlap::{Overlap, Verdict};
use crate::playback::{Playback, ReplyState};
use crate::transcript::{Finished, Transcript};

/// From dialing to a working session. A service that is slower than this is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Quiet after which the link is asked for a sign of life. Proxies drop idle connections
/// after 30 seconds at the earliest.
const PING_AFTER: Duration = Duration::from_secs(15);

/// How long the answer to that may take.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);

/// Mirrored text in tokens: it is for orientation, the agent has it whole.
const MIRROR_TOKENS: usize = 300;

/// News of running work in tokens: it may be spoken, or only be known.
const PROGRESS_TOKENS: usize = 300;

/// A final answer in tokens. More than ten minutes of reading aloud.
const ANSWER_TOKENS: usize = 2_000;

/// Commands of the host that wait for the session to open.
const MAX_HELD: usize = 64;

const NO_REQUEST: &str =
    "Nothing to do was understood. Ask the user to say again what they would like.";
const NO_ANSWER: &str = "The task ended without anything to report.";
const INTERRUPTED: &str = "The task was stopped before it was finished.";

/// What is settled before a conversation starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub config: SessionConfig,
    /// Told to clients with `Started`; the machine does not look at them.
    pub session_id: Option<String>,
    pub version: RealtimeVersion,
}

/// Which attempt to connect something belongs to. What an older link says is ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkEpoch(pub u32);

/// What happened outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Start,
    /// Something about the link of [`Output::Connect`].
    Link {
        epoch: LinkEpoch,
        news: LinkNews,
    },
    /// Text of the client for the realtime model, whole. Asks for no response.
    AppendText {
        text: String,
    },
    /// What the user typed to the agent, for the realtime model to know. Never feed it what
    /// a handoff said: the model would hear its own request.
    MirrorText {
        text: String,
    },
    /// News of the work of `handoff`. Dropped unless it is the active one.
    Progress {
        handoff: HandoffId,
        text: String,
    },
    /// The work of `handoff` ended. Ignored unless it is the active one.
    Answer {
        handoff: HandoffId,
        answer: Answer,
    },
    /// The host's speaker has played this much of `item`. Playback, not arrival, is what
    /// the user heard.
    Played {
        item: ItemId,
        upto: Duration,
    },
    Stop,
    /// `deadline()` has passed.
    Tick,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkNews {
    Up,
    /// It could not be made. The message names the service and the remedy.
    Failed {
        message: String,
    },
    Event(RealtimeEvent),
    /// A pong: the other end lives.
    Alive,
    /// It ended: politely, or with a cause.
    Down {
        error: Option<String>,
    },
}

/// How delegated work ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Message(String),
    /// It ended without a message.
    Nothing,
    Interrupted,
    Failed(String),
}

/// What the caller should do next, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Dial, and report as [`Input::Link`] with this epoch.
    Connect {
        link: LinkEpoch,
    },
    Send(RealtimeCommand),
    /// Ask the other end for a sign of life, reported as [`LinkNews::Alive`].
    Ping,
    /// Close the link politely, or stop dialing. Nothing is sent after it.
    Disconnect,
    Play {
        item: Option<ItemId>,
        pcm: Arc<[i16]>,
    },
    /// What is to become of everything that was to be played.
    Playback(PlaybackChange),
    Delegate(Delegation),
    /// A whole utterance, for the log. Its `TranscriptDone` notice goes before it.
    Spoken {
        item: Option<ItemId>,
        speaker: Speaker,
        text: String,
    },
    Notice(RealtimeNotice),
    /// Something went wrong that the conversation survives.
    Warning {
        message: String,
    },
    Ended,
}

#[derive(Debug)]
pub struct Session {
    settings: Settings,
    phase: Phase,
    link: LinkEpoch,
    pulse: Pulse,
    gate: ResponseGate,
    handoffs: Handoffs,
    transcript: Transcript,
    playback: Playback,
    overlap: Overlap,
    reply: Reply,
    last_warning: Option<String>,
    queue: VecDeque<Output>,
}

#[derive(Debug)]
enum Phase {
    Idle,
    Dialing { since: Time, held: Vec<RealtimeCommand> },
    Opening { since: Time, held: Vec<RealtimeCommand> },
    Live,
    Ended,
}

/// Whether the other end of the link lives.
#[derive(Debug, Clone, Copy)]
enum Pulse {
    Heard(Time),
    Asked(Time),
}

/// Whether the reply under way was heard yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    Silent,
    Sounding,
}

/// How a conversation ends.
enum End {
    Requested,
    TransportClosed,
    Error(String),
}

impl Session {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            phase: Phase::Idle,
            link: LinkEpoch::default(),
            pulse: Pulse::Heard(Time::ZERO),
            gate: ResponseGate::default(),
            handoffs: Handoffs::default(),
            transcript: Transcript::default(),
            playback: Playback::default(),
            overlap: Overlap::default(),
            reply: Reply::Silent,
            last_warning: None,
            queue: VecDeque::new(),
        }
    }

    /// When the caller must feed [`Input::Tick`], if nothing else happens first.
    pub fn deadline(&self) -> Option<Time> {
        match &self.phase {
            Phase::Idle | Phase::Ended => None,
            Phase::Dialing { since, .. } | Phase::Opening { since, .. } => {
                Some(*since + CONNECT_TIMEOUT)
            }
            Phase::Live => {
                let pulse = match self.pulse {
                    Pulse::Heard(at) => at + PING_AFTER,
                    Pulse::Asked(at) => at + PONG_TIMEOUT,
                };
                [Some(pulse), self.gate.deadline(), self.overlap.deadline()]
                    .into_iter()
                    .flatten()
                    .min()
            }
        }
    }

    /// Advances the conversation.
    ///
    /// The outputs borrow the session, so that the compiler refuses a second input before
    /// the first one's outputs were carried out.
    pub fn handle(&mut self, input: Input, now: Time) -> Outputs<'_> {
        if !self.has_ended() {
            match input {
                Input::Start => self.on_start(now),
                Input::Link { epoch, news } => {
                    if epoch == self.link {
                        self.on_link(news, now);
                    }
                }
                Input::AppendText { text } => {
                    if !text.is_empty() {
                        self.send(RealtimeCommand::Text { text });
                    }
                }
                Input::MirrorText { text } => {
                    let text = budget::fit(&text, MIRROR_TOKENS);
                    if !text.is_empty() {
                        self.send(RealtimeCommand::Mirror { text });
                    }
                }
                Input::Progress { handoff, text } => self.on_progress(handoff, &text),
                Input::Answer { handoff, answer } => self.on_answer(handoff, answer, now),
                Input::Played { item, upto } => self.playback.played(&item, upto),
                Input::Stop => self.end(End::Requested),
                Input::Tick => self.on_tick(now),
            }
        }
        Outputs::new(&mut self.queue)
    }

    /// Whether the session is open: what is said now reaches the model.
    pub const fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live)
    }

    pub const fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// The handoff whose work is going on.
    pub const fn active_handoff(&self) -> Option<&HandoffId> {
        self.handoffs.active()
    }

    fn on_start(&mut self, now: Time) {
        let Phase::Idle = self.phase else {
            never!("a conversation was started twice");
            return;
        };
        self.phase = Phase::Dialing { since: now, held: Vec::new() };
        self.queue.push_back(Output::Connect { link: self.link });
    }

    fn on_link(&mut self, news: LinkNews, now: Time) {
        self.pulse = Pulse::Heard(now);
        match news {
            LinkNews::Up => self.on_up(),
            LinkNews::Failed { message } => self.end(End::Error(message)),
            LinkNews::Event(event) => self.on_event(event, now),
            LinkNews::Alive => (),
            LinkNews::Down { error: None } => self.end(End::TransportClosed),
            LinkNews::Down { error: Some(error) } => self.end(End::Error(error)),
        }
    }

    fn on_up(&mut self) {
        let Phase::Dialing { since, held } = &mut self.phase else {
            never!("the link came up twice");
            return;
        };
        self.phase = Phase::Opening { since: *since, held: std::mem::take(held) };
        self.send_now(RealtimeCommand::UpdateSession(self.settings.config.clone()));
        self.notify(RealtimeNotice::Started {
            session: self.settings.session_id.clone(),
            version: self.settings.version,
        });
    }

    fn on_event(&mut self, event: RealtimeEvent, now: Time) {
        if is_work(&event) {
            self.open();
        }
        match event {
            RealtimeEvent::SessionCreated { session: _ }
            | RealtimeEvent::SessionUpdated { session: _ }
            | RealtimeEvent::ItemDone { item: _ } => (),
            RealtimeEvent::SpeechStarted { item } => self.on_speech_started(item, now),
            RealtimeEvent::SpeechStopped { item: _ } => {
                self.gate.speech_stopped(now);
                self.overlap.speech_stopped(now);
                self.stage(Stage::SpeechStopped);
            }
            RealtimeEvent::InputTranscriptDelta { item, delta } => {
                self.on_delta(Speaker::User, item.as_ref(), delta);
            }
            RealtimeEvent::InputTranscript { item, text } => {
                let first = !self.transcript.is_finished(Speaker::User, item.as_ref());
                if first {
                    let verdict = self.overlap.words(item.as_ref(), &text);
                    self.judge(verdict, now);
                }
                let finished = self.transcript.finish(Speaker::User, item.as_ref(), &text);
                self.tell(finished);
                if first {
                    self.stage(Stage::Transcribed);
                }
            }
            RealtimeEvent::InputTranscriptFailed { item, message } => {
                let first = !self.transcript.is_finished(Speaker::User, item.as_ref());
                if first {
                    let verdict = self.overlap.no_words(item.as_ref());
                    self.judge(verdict, now);
                }
                let finished = self.transcript.fail(Speaker::User, item.as_ref());
                self.tell(finished);
                self.warn(format!("the service could not write down what was said: {message}"));
                if first {
                    self.stage(Stage::Transcribed);
                }
            }
            RealtimeEvent::ResponseCreated { response: _ } => {
                self.gate.created(now);
                self.playback.unmute();
                self.reply = Reply::Silent;
            }
            RealtimeEvent::OutputTranscriptDelta { item, delta } => {
                if !self.playback.is_muted() {
                    self.on_delta(Speaker::Assistant, item.as_ref(), delta);
                }
            }
            RealtimeEvent::OutputTranscript { item, text } => {
                if !self.playback.is_muted() {
                    let finished = self.transcript.finish(Speaker::Assistant, item.as_ref(), &text);
                    self.tell(finished);
                }
            }
            RealtimeEvent::Audio { item, pcm } => self.on_audio(item, pcm, now),
            RealtimeEvent::ResponseDone { response, outcome, problem } => {
                self.on_response_done(response, outcome, problem, now);
            }
            RealtimeEvent::ItemAdded { item: _, raw } => {
                self.notify(RealtimeNotice::ItemAdded { raw });
            }
            RealtimeEvent::HandoffRequested(handoff) => self.on_handoff(handoff, now),
            RealtimeEvent::Fault(fault) => self.on_fault(fault, now),
        }
    }

    fn open(&mut self) {
        if let Phase::Opening { held, .. } = &mut self.phase {
            let held = std::mem::take(held);
            self.phase = Phase::Live;
            self.queue.extend(held.into_iter().map(Output::Send));
        }
    }

    fn on_speech_started(&mut self, item: Option<ItemId>, now: Time) {
        match self.settings.config.barge_in {
            BargeIn::Weighed if self.overlap.is_open() => {
                self.overlap.speech_started(item.clone(), now);
            }
            BargeIn::Weighed if self.gate.is_running() || self.playback.sounds(now) => {
                self.playback.hold(now);
                self.queue.push_back(Output::Playback(PlaybackChange::Held));
                self.overlap.speech_started(item.clone(), now);
            }
            BargeIn::Weighed | BargeIn::ByService => self.cut(now),
        }
        self.gate.speech_started(now);
        self.transcript.speech_started(item.as_ref());
        self.notify(RealtimeNotice::SpeechStarted { item });
        self.stage(Stage::SpeechStarted);
    }

    fn judge(&mut self, verdict: Option<Verdict>, now: Time) {
        match verdict {
            None => (),
            Some(Verdict::GoesOn) => {
                self.playback.resume(now);
                self.queue.push_back(Output::Playback(PlaybackChange::Resumed));
            }
            Some(Verdict::IsCut) => {
                if self.gate.is_running() {
                    self.send(RealtimeCommand::CancelResponse);
                }
                self.cut(now);
            }
        }
    }

    /// The user has the floor: what was not heard of the replies never will be.
    fn cut(&mut self, now: Time) {
        let reply = if self.gate.is_running() { ReplyState::Running } else { ReplyState::Done };
        let cut = self.playback.interrupt(reply, now);
        self.queue.push_back(Output::Playback(PlaybackChange::Stopped));
        for (item, heard) in cut.into_iter().flat_map(|it| it.truncate) {
            self.send(RealtimeCommand::Truncate { item, heard });
        }
        if self.playback.is_muted() {
            self.finish_speaking();
        }
    }

    fn on_audio(&mut self, item: Option<ItemId>, pcm: Vec<i16>, now: Time) {
        if pcm.is_empty() || !self.playback.receive(item.as_ref(), pcm.len(), now) {
            return;
        }
        if self.reply == Reply::Silent {
            self.reply = Reply::Sounding;
            self.stage(Stage::FirstAudio);
        }
        self.queue.push_back(Output::Play { item, pcm: pcm.into() });
    }

    fn on_response_done(
        &mut self,
        response: Option<ResponseId>,
        outcome: ResponseOutcome,
        problem: Option<String>,
        now: Time,
    ) {
        let because = problem.map_or_else(String::new, |problem| format!(": {problem}"));
        self.playback.unmute();
        let reply = std::mem::replace(&mut self.reply, Reply::Silent);
        self.finish_speaking();
        match outcome {
            ResponseOutcome::Completed => self.stage(Stage::ReplyDone),
            ResponseOutcome::Cancelled => {
                self.notify(RealtimeNotice::ResponseCancelled { response });
            }
            ResponseOutcome::Incomplete => {
                self.warn(format!("the realtime service cut its reply short{because}"));
                self.stage(match reply {
                    Reply::Sounding => Stage::ReplyDone,
                    Reply::Silent => Stage::ReplyBroken,
                });
            }
            ResponseOutcome::Failed => {
                self.warn(format!("the realtime service failed to reply{because}"));
                self.stage(Stage::ReplyBroken);
            }
        }
        let ask = self.gate.done(now);
        self.ask(ask);
    }

    fn on_delta(&mut self, speaker: Speaker, item: Option<&ItemId>, delta: String) {
        let heard = self.transcript.delta(speaker, item, &delta);
        self.tell(heard.finished);
        if heard.fresh {
            self.notify(RealtimeNotice::TranscriptDelta { speaker, delta });
        }
    }

    /// What the model was saying ends here.
    fn finish_speaking(&mut self) {
        let finished = self.transcript.flush(Speaker::Assistant);
        self.tell(finished);
    }

    fn tell(&mut self, finished: impl IntoIterator<Item = Finished>) {
        for Finished { speaker, item, text, missing } in finished {
            if let Some(delta) = missing {
                self.notify(RealtimeNotice::TranscriptDelta { speaker, delta });
            }
            self.notify(RealtimeNotice::TranscriptDone { speaker, text: text.clone() });
            self.queue.push_back(Output::Spoken { item, speaker, text });
        }
    }

    fn on_handoff(&mut self, handoff: Handoff, now: Time) {
        if self.handoffs.knows(&handoff.id) {
            return;
        }
        let transcript = match handoff.messages.as_slice() {
            [] => self.transcript.take(),
            _ => {
                // The service's own account replaces ours, which is spent all the same.
                drop(self.transcript.take());
                handoff.messages.clone()
            }
        };
        match self.handoffs.request(&handoff, transcript) {
            Routed::Empty => {
                self.show(&handoff, Vec::new());
                self.stage(Stage::AgentDone);
                self.answer(handoff.id, NO_REQUEST.to_owned(), true);
                self.request_response(now);
            }
            Routed::Work(delegation) => {
                self.show(&handoff, delegation.transcript.clone());
                let kind = delegation.kind;
                self.queue.push_back(Output::Delegate(delegation));
                match kind {
                    DelegationKind::Start => (),
                    DelegationKind::Steer if utterance::is_stop(&handoff.input) => {
                        // Nothing is said about it: the end of the work tells.
                        self.answer(handoff.id, labels::STOPPING.to_owned(), false);
                    }
                    DelegationKind::Steer => {
                        self.answer(handoff.id, labels::STEERED.to_owned(), false);
                        self.request_response(now);
                    }
                }
            }
        }
    }

    fn show(&mut self, handoff: &Handoff, transcript: Vec<protocol::TranscriptLine>) {
        let Handoff { id, item, input, messages: _ } = handoff;
        self.notify(RealtimeNotice::Handoff {
            handoff: id.clone(),
            item: item.clone(),
            text: input.clone(),
            transcript,
        });
        self.stage(Stage::HandedOff);
    }

    fn on_progress(&mut self, handoff: HandoffId, text: &str) {
        let text = budget::fit(text.trim(), PROGRESS_TOKENS);
        if self.handoffs.active() == Some(&handoff) && !text.is_empty() {
            self.send(RealtimeCommand::Progress { handoff, text });
        }
    }

    fn on_answer(&mut self, handoff: HandoffId, answer: Answer, now: Time) {
        if !self.handoffs.finish(&handoff) {
            return;
        }
        let text = match answer {
            Answer::Message(text) if text.trim().is_empty() => NO_ANSWER.to_owned(),
            Answer::Message(text) => text,
            Answer::Nothing => NO_ANSWER.to_owned(),
            Answer::Interrupted => INTERRUPTED.to_owned(),
            Answer::Failed(why) => format!("The task failed: {why}"),
        };
        self.answer(handoff, budget::fit(&text, ANSWER_TOKENS), true);
        self.request_response(now);
    }

    fn answer(&mut self, handoff: HandoffId, text: String, is_final: bool) {
        self.send(RealtimeCommand::HandoffOutput { handoff, text, is_final });
    }

    fn on_fault(&mut self, fault: Fault, now: Time) {
        let Fault { kind, message } = fault;
        match kind {
            FaultKind::ResponseActive => self.gate.refused(now),
            FaultKind::NothingToCancel => (),
            FaultKind::Refused => match self.phase {
                // Until it opens, all we said was how the session should be.
                Phase::Opening { .. } => self.end(End::Error(message)),
                Phase::Idle | Phase::Dialing { .. } | Phase::Live | Phase::Ended => {
                    self.warn(message);
                }
            },
            FaultKind::Fatal => self.end(End::Error(message)),
        }
    }

    fn on_tick(&mut self, now: Time) {
        match self.phase {
            Phase::Idle | Phase::Ended => (),
            Phase::Dialing { since, .. } | Phase::Opening { since, .. } => {
                if since + CONNECT_TIMEOUT <= now {
                    let limit = CONNECT_TIMEOUT.as_secs();
                    self.end(End::Error(format!(
                        "the realtime service did not open a session within {limit} seconds; \
                         check its address and the network"
                    )));
                }
            }
            Phase::Live => {
                self.check_pulse(now);
                if self.is_live() {
                    let verdict = self.overlap.tick(now);
                    self.judge(verdict, now);
                    let ask = self.gate.tick(now);
                    self.ask(ask);
                }
            }
        }
    }

    fn check_pulse(&mut self, now: Time) {
        match self.pulse {
            Pulse::Heard(at) if at + PING_AFTER <= now => {
                self.pulse = Pulse::Asked(now);
                self.queue.push_back(Output::Ping);
            }
            Pulse::Asked(at) if at + PONG_TIMEOUT <= now => {
                self.end(End::Error(
                    "the connection to the realtime service is dead: it answers nothing any \
                     more; start the conversation again"
                        .to_owned(),
                ));
            }
            Pulse::Heard(_) | Pulse::Asked(_) => (),
        }
    }

    fn request_response(&mut self, now: Time) {
        let ask = self.gate.request(now);
        self.ask(ask);
    }

    fn ask(&mut self, ask: Option<Ask>) {
        if let Some(Ask) = ask {
            self.send(RealtimeCommand::CreateResponse);
        }
    }

    /// Sends, or holds back until the session is open.
    fn send(&mut self, command: RealtimeCommand) {
        match &mut self.phase {
            Phase::Live => self.queue.push_back(Output::Send(command)),
            Phase::Dialing { held, .. } | Phase::Opening { held, .. } if held.len() < MAX_HELD => {
                held.push(command);
            }
            Phase::Idle | Phase::Dialing { .. } | Phase::Opening { .. } | Phase::Ended => {
                self.warn("the conversation is not open yet: text for it is lost".to_owned());
            }
        }
    }

    fn send_now(&mut self, command: RealtimeCommand) {
        self.queue.push_back(Output::Send(command));
    }

    fn notify(&mut self, notice: RealtimeNotice) {
        self.queue.push_back(Output::Notice(notice));
    }

    fn stage(&mut self, stage: Stage) {
        self.notify(RealtimeNotice::Stage { stage });
    }

    /// A service that complains without end is heard once.
    fn warn(&mut self, message: String) {
        if self.last_warning.as_ref() != Some(&message) {
            self.last_warning = Some(message.clone());
            self.queue.push_back(Output::Warning { message });
        }
    }

    /// The one way out.
    fn end(&mut self, end: End) {
        let phase = std::mem::replace(&mut self.phase, Phase::Ended);
        for speaker in [Speaker::User, Speaker::Assistant] {
            let finished = self.transcript.flush(speaker);
            self.tell(finished);
        }
        match phase {
            Phase::Idle | Phase::Ended => (),
            Phase::Dialing { .. } => self.queue.push_back(Output::Disconnect),
            Phase::Opening { .. } | Phase::Live => {
                self.queue.push_back(Output::Playback(PlaybackChange::Stopped));
                self.queue.push_back(Output::Disconnect);
            }
        }
        let started = matches!(phase, Phase::Opening { .. } | Phase::Live);
        let reason = match end {
            End::Requested => Some(CloseReason::Requested),
            End::TransportClosed if started => Some(CloseReason::TransportClosed),
            End::TransportClosed => {
                let message = "the realtime service closed the connection at once".to_owned();
                self.notify(RealtimeNotice::Error { message });
                None
            }
            End::Error(message) => {
                self.notify(RealtimeNotice::Error { message });
                started.then_some(CloseReason::Error)
            }
        };
        if let Some(reason) = reason {
            self.notify(RealtimeNotice::Closed { reason });
        }
        self.queue.push_back(Output::Ended);
    }
}

/// Whether only a session that is open says this. Some services never confirm the update.
const fn is_work(event: &RealtimeEvent) -> bool {
    match event {
        RealtimeEvent::SessionCreated { .. } | RealtimeEvent::Fault(_) => false,
        RealtimeEvent::SessionUpdated { .. }
        | RealtimeEvent::SpeechStarted { .. }
        | RealtimeEvent::SpeechStopped { .. }
        | RealtimeEvent::InputTranscriptDelta { .. }
        | RealtimeEvent::InputTranscript { .. }
        | RealtimeEvent::InputTranscriptFailed { .. }
        | RealtimeEvent::ResponseCreated { .. }
        | RealtimeEvent::OutputTranscriptDelta { .. }
        | RealtimeEvent::OutputTranscript { .. }
        | RealtimeEvent::Audio { .. }
        | RealtimeEvent::ResponseDone { .. }
        | RealtimeEvent::ItemAdded { .. }
        | RealtimeEvent::ItemDone { .. }
        | RealtimeEvent::HandoffRequested(_) => true,
    }
}
