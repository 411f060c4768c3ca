//! A spoken question from a file, a pipe or a microphone, a spoken answer into or through one:
//! `duet talk`.

mod ends;
mod exchange;
mod feeder;
mod jsonl;
mod latency;
mod pauses;
mod people;
mod recording;
mod sink;
mod speaker;

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use app_server_protocol::{
    Capabilities, OutputModality, PLAYBACK_EXTENSION, PlaybackName, REASONS_EXTENSION,
    RealtimePlayback, RealtimeStartParams, RealtimeStopParams, RealtimeTransport, STAGES_EXTENSION,
    ServerNotification, SpeakerName, StageName, ThreadItem, ThreadReadParams, ThreadStartResult,
    ThreadStatus, TurnInterruptParams, TurnState, methods,
};
use audio_io::{Microphone, RawPlace, SoundServer, WavReader};
use stdx::Time;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, interval, sleep, timeout};

use crate::console::Console;
use crate::deeds::Deeds;
use crate::doing::Doing;
use crate::exit::{Cause, Exit, HeadlessError, INTERRUPT_PATIENCE, STATUS_EVERY, Signal};
use crate::session::{Server, ThreadArgs};

pub use self::ends::{Input, Output};
use self::exchange::{Exchange, Floor, Outcome, Sign};
use self::feeder::{Fed, Feeder};
pub use self::latency::Latency;
use self::sink::{Place, Silence, Sink};
use self::speaker::Told;

/// How long the conversation may take to say goodbye. The answer is safe by then.
const GOODBYE: Duration = Duration::from_secs(2);

/// In less nobody has said anything, and no voice would notice: ours takes 96 ms for it.
const LEAST_SPEECH: Duration = Duration::from_millis(96);

#[derive(Debug)]
pub struct TalkArgs {
    pub thread: ThreadArgs,
    pub input: Input,
    pub output: Output,
    pub format: TalkFormat,
    pub pace: Pace,
    pub manners: Manners,
}

/// Whether a question waits for the answer to the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// In a pause behind a question the recording stands still until the answer has sounded.
    Waits,
    /// What is said meanwhile interrupts, or adds to the work. Sound is live then, whatever the
    /// [`Pace`]. Raw input is never heard otherwise.
    Interrupts,
}

/// How fast a question is played. The silence behind it is always as long as it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it is taken: for a voice whose clock is the sound that it has received.
    AsTaken,
    /// As a microphone would: for services that are made for live sound, which answer an
    /// utterance before they hear the next one.
    Live,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TalkFormat {
    /// The answer's text on standard output, the agent's steps on standard error.
    People {
        /// Also the words that are spoken, as they are; what was heard is always on standard error.
        captions: bool,
    },
    /// One JSON event per line on standard output (`docs/talk.md`).
    Json,
}

/// What came of it.
#[derive(Debug)]
pub struct TalkReport {
    pub exit: Exit,
    pub thread: ThreadStartResult,
    /// The agent's last message, whole; else the last words that were spoken.
    pub answer: Option<String>,
    /// Why the work is not done although there is an answer.
    pub unfinished: Option<String>,
    /// What became of files, if any were to be changed.
    pub deeds: Option<String>,
    /// Whether the spoken answer is where it was wanted. One that was interrupted is not put there.
    pub kept: bool,
    pub latency: Latency,
    /// The thread's log.
    pub rollout: Option<String>,
}

/// What this face must ask for when it connects.
pub fn capabilities() -> Capabilities {
    Capabilities { experimental_api: true, ..Capabilities::default() }.with_extensions(&[
        PLAYBACK_EXTENSION,
        REASONS_EXTENSION,
        STAGES_EXTENSION,
    ])
}

/// Plays the question to the thread's conversation and records what it answers.
///
/// `server` must have been greeted with [`capabilities`]. A signal interrupts the agent's
/// work and ends the conversation; a second one does not wait.
pub async fn talk(
    server: Server,
    args: TalkArgs,
    console: &mut Console,
    signals: &mut mpsc::Receiver<Signal>,
) -> Result<TalkReport, HeadlessError> {
    let TalkArgs { thread, input, output, format, pace, manners } = args;
    let mut view: Box<dyn View + '_> = match format {
        TalkFormat::People { captions } => Box::new(people::People::new(console, captions)),
        TalkFormat::Json => Box::new(jsonl::Jsonl::new(console)),
    };
    let (pace, manners) = match (&input, manners) {
        (Input::Wav(_), Manners::Waits) => (pace, manners),
        (Input::Wav(_), Manners::Interrupts) | (Input::Raw(_) | Input::Microphone(_), _) => {
            (Pace::Live, Manners::Interrupts)
        }
    };
    let question = Question { input, pace, manners };
    let report = converse(server, thread, question, &output, &mut *view, signals).await;
    match &report {
        Ok(report) => view.ended(report, &output)?,
        Err(error) => view.failed(error)?,
    }
    report
}

/// Says of a talk that could not begin why, to programs that read events: their last one is
/// always `end`. People are told by the caller.
pub fn talk_cannot_begin(
    format: TalkFormat,
    message: &str,
    exit: Exit,
    console: &mut Console,
) -> Result<(), HeadlessError> {
    match format {
        TalkFormat::People { captions: _ } => Ok(()),
        TalkFormat::Json => Ok(jsonl::Jsonl::new(console).end_without_answer(message, exit)?),
    }
}

struct Question {
    input: Input,
    pace: Pace,
    manners: Manners,
}

/// What the question is read from.
enum Sound {
    Recording(Box<WavReader>),
    Live(Live),
}

enum Live {
    Raw(RawPlace),
    Microphone(Box<Microphone>),
}

impl Sound {
    /// The microphone, where it is one of this machine's.
    fn device(&self) -> Option<&str> {
        match self {
            Self::Live(Live::Microphone(microphone)) => Some(&microphone.device().description),
            Self::Live(Live::Raw(_)) | Self::Recording(_) => None,
        }
    }
}

async fn converse(
    mut server: Server,
    thread: ThreadArgs,
    Question { input, pace, manners }: Question,
    output: &Output,
    view: &mut (dyn View + '_),
    signals: &mut mpsc::Receiver<Signal>,
) -> Result<TalkReport, HeadlessError> {
    // Before anything is started: these are the mistakes that people make.
    let (question, lasts) = match &input {
        Input::Wav(path) => {
            let wav = WavReader::open(path)?;
            let lasts = wav.shape().duration;
            (Sound::Recording(Box::new(wav)), lasts)
        }
        Input::Raw(place) => (Sound::Live(Live::Raw(place.clone())), None),
        Input::Microphone(name) => {
            let microphone = SoundServer::of_environment().microphone(name.as_deref())?;
            (Sound::Live(Live::Microphone(Box::new(microphone))), None)
        }
    };
    if lasts.is_some_and(|it| it < LEAST_SPEECH) {
        return Err(HeadlessError::NothingHeard { input, lasts });
    }
    if input.is_same(output) {
        return Err(HeadlessError::SameFile { output: output.clone() });
    }
    let place = Place::prepare(output)?;
    let thread = server.start_thread(thread).await?;
    view.started(&thread)?;
    let start = RealtimeStartParams {
        thread_id: thread.thread.id.clone(),
        output_modality: Some(OutputModality::Audio),
        transport: Some(RealtimeTransport::Websocket),
        ..RealtimeStartParams::default()
    };
    server.client.call::<methods::RealtimeStart>(&start).await?;
    let mut screen = Watch::start();
    wait_for_conversation(&mut server, &mut screen, view, signals).await?;
    view.devices(question.device(), place.device())?;
    let clock = Clock::start();
    let mut talk = Talk {
        server,
        thread_id: thread.thread.id.clone(),
        input,
        lasts,
        screen,
        pace,
        manners,
        clock,
        sink: place.begin(clock.now()),
        exchange: Exchange::default(),
        stages: Vec::new(),
        held: None,
        is_aside: false,
        deeds: Deeds::default(),
        turn: None,
        turn_failed: false,
        message: None,
        spoken: None,
        question_end: None,
        latency: Latency::default(),
        answer: None,
        warning: None,
    };
    let ended = talk.run(question, output, view, signals).await;
    let Talk { sink, deeds, turn_failed, latency, answer, .. } = talk;
    let (End { why, rollout }, kept) = match ended {
        // A fragment of an answer is not worth an older one.
        Ok(end @ End { why: Some(_), .. }) if answer.is_none() => {
            drop(sink);
            (end, false)
        }
        Ok(end) => {
            sink.finish()?;
            (end, true)
        }
        Err(error) => {
            sink.give_up();
            return Err(error);
        }
    };

    let exit = match why {
        Some(Why::Signal(signal)) => signal.into(),
        Some(Why::NobodyListens) => {
            return Err(HeadlessError::NobodyListens { output: output.clone() });
        }
        None if turn_failed => Exit::Failed,
        None => deeds.exit(),
    };
    let unfinished = match exit {
        Exit::Failed if !turn_failed => deeds.unfinished(),
        _other => None,
    };
    let deeds = deeds.summary();
    Ok(TalkReport { exit, thread, answer, unfinished, deeds, kept, latency, rollout })
}

/// The answer to `thread/realtime/start` only means that it was tried.
async fn wait_for_conversation(
    server: &mut Server,
    screen: &mut Watch,
    view: &mut (dyn View + '_),
    signals: &mut mpsc::Receiver<Signal>,
) -> Result<(), HeadlessError> {
    loop {
        let news = tokio::select! {
            biased;
            Some(signal) = signals.recv() => return Err(HeadlessError::Stopped(signal)),
            news = server.next() => news?,
            () = screen.tick(), if view.has_screen() => {
                view.status("starting the voice")?;
                continue;
            }
        };
        screen.doing.note(&news, Instant::now());
        view.news(&news)?;
        match news {
            ServerNotification::RealtimeStarted(_) => return Ok(()),
            ServerNotification::RealtimeError(it) => {
                return Err(HeadlessError::Conversation { message: it.message });
            }
            // Anything else is not about the start.
            _other => {}
        }
    }
}

/// How a conversation is shown.
trait View {
    fn started(&mut self, thread: &ThreadStartResult) -> io::Result<()>;
    /// Devices of this machine, where it has to do with any: it listens from now on.
    fn devices(&mut self, microphone: Option<&str>, speaker: Option<&str>) -> io::Result<()>;
    fn news(&mut self, news: &ServerNotification) -> io::Result<()>;
    /// A question has its answer, if it has one.
    fn answered(&mut self, latency: Latency, answer: Option<&str>) -> io::Result<()>;
    /// Somebody talked over an answer. Only where it is known what sounds.
    fn silenced(&mut self, silenced: Silenced) -> io::Result<()>;
    /// An answer goes on after as many milliseconds: what was said over it asks for nothing.
    fn resumed(&mut self, after_ms: u64) -> io::Result<()>;
    /// The player takes less than sounds, and what waited for it is dropped.
    fn lost_sound(&mut self, output: &Output) -> io::Result<()>;
    fn ended(&mut self, report: &TalkReport, output: &Output) -> io::Result<()>;
    /// Whether [`View::status`] is seen by anybody.
    fn has_screen(&self) -> bool;
    /// What goes on now.
    fn status(&mut self, line: &str) -> io::Result<()>;
    /// It could not be brought to an end. The caller says so to the person.
    fn failed(&mut self, error: &HeadlessError) -> io::Result<()>;
}

struct Talk {
    server: Server,
    thread_id: String,
    input: Input,
    /// How long the question is, where that is known.
    lasts: Option<Duration>,
    screen: Watch,
    pace: Pace,
    manners: Manners,
    clock: Clock,
    sink: Sink,
    exchange: Exchange,
    stages: Vec<Reached>,
    /// Somebody speaks over the answer.
    held: Option<Held>,
    /// What is written down next asks for nothing.
    is_aside: bool,
    deeds: Deeds,
    turn: Option<String>,
    /// Whether the last turn failed.
    turn_failed: bool,
    /// The agent's last message on the question that was asked last.
    message: Option<String>,
    /// The realtime model's last words on it.
    spoken: Option<String>,
    /// When the last of it was said.
    question_end: Option<Time>,
    /// Of the last question that was answered.
    latency: Latency,
    answer: Option<String>,
    /// The last thing that went wrong without ending it.
    warning: Option<String>,
}

/// A stage of the question that was asked last.
#[derive(Debug, Clone, Copy)]
struct Reached {
    stage: StageName,
    at_ms: u64,
    /// Whether it belongs to a question: what is only a sign that somebody listens does not.
    counts: bool,
}

/// An answer that somebody speaks over, until it is known what that is.
#[derive(Debug, Clone, Copy)]
struct Held {
    at_ms: u64,
    /// When the last sample sounds that was written, where that is known.
    sounds_until: Option<Time>,
    /// How many of the stages were reached before.
    stages: usize,
    question_end: Option<Time>,
}

/// What somebody sees who waits.
struct Watch {
    doing: Doing,
    ticks: Interval,
}

impl Watch {
    fn start() -> Self {
        Self { doing: Doing::default(), ticks: interval(STATUS_EVERY) }
    }

    async fn tick(&mut self) {
        self.ticks.tick().await;
    }
}

/// An answer that somebody talked over, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Silenced {
    /// From the moment at which the voice heard somebody speak to the last sample that sounds.
    after_ms: i64,
    /// What will never sound.
    dropped_ms: u64,
}

/// It is to stop.
#[derive(Debug, Clone, Copy)]
struct Stopped {
    why: Why,
    /// The turn has until then to end.
    by: Time,
}

#[derive(Debug, Clone, Copy)]
enum Why {
    Signal(Signal),
    /// The player has gone.
    NobodyListens,
}

struct End {
    why: Option<Why>,
    rollout: Option<String>,
}

impl Talk {
    async fn run(
        &mut self,
        question: Sound,
        output: &Output,
        view: &mut (dyn View + '_),
        signals: &mut mpsc::Receiver<Signal>,
    ) -> Result<End, HeadlessError> {
        let mut tasks = JoinSet::new();
        let (fed, mut feed) = mpsc::channel(1);
        let (floor, heard) = watch::channel(Floor::Free);
        let (voiced, last_voiced) = watch::channel(self.clock.now());
        let feeder = Feeder {
            client: self.server.client.clone(),
            thread_id: self.thread_id.clone(),
            pace: self.pace,
            manners: self.manners,
            clock: self.clock,
            floor: heard,
            voiced,
        };
        match question {
            Sound::Recording(recording) => tasks.spawn(feeder.feed(*recording, fed)),
            Sound::Live(live) => tasks.spawn(feeder.pass_on(live, fed)),
        };
        // The recording waits for this.
        let mut waiting: Option<oneshot::Sender<()>> = None;
        let mut stopped: Option<Stopped> = None;
        loop {
            let now = self.clock.now();
            floor.send_replace(self.exchange.floor());
            for told in self.sink.carry(now)? {
                match told {
                    Told::Began(stage) => self.note_sounds(stage, self.sink.sounds_at(now)),
                    Told::Dropped => view.lost_sound(output)?,
                    Told::Closed if stopped.is_some() => {}
                    Told::Closed => {
                        self.stop(view)?;
                        let by = now + INTERRUPT_PATIENCE;
                        stopped = Some(Stopped { why: Why::NobodyListens, by });
                        self.interrupt(&mut tasks);
                    }
                }
            }
            let (mut outcome, mut deadline) = match stopped {
                // The work was told to stop; what it still says does not matter.
                Some(stopped) if self.turn.is_none() || stopped.by <= now => {
                    (Some(Outcome::Answered), None)
                }
                Some(stopped) => (None, Some(stopped.by)),
                None => (self.exchange.outcome(now), self.exchange.deadline()),
            };
            if stopped.is_none()
                && let Some(Outcome::Answered | Outcome::NotUnderstood | Outcome::NothingHeard) =
                    outcome
                && let Some(go_on) = waiting.take()
            {
                // Who speaks before the answer has sounded would interrupt it.
                let sounds_until = self.sink.sounds_until(now);
                if sounds_until <= now {
                    self.answered(view)?;
                    self.exchange.note(Sign::InputResumed, now);
                    // The recording may have come to grief meanwhile, which its task tells.
                    go_on.send(()).unwrap_or_default();
                    continue;
                }
                waiting = Some(go_on);
                (outcome, deadline) = (None, Some(sounds_until));
            }
            if stopped.is_none()
                && outcome.is_none()
                && self.manners == Manners::Interrupts
                && (self.message.is_some() || self.spoken.is_some())
                && let Some(at) = self.exchange.answered_at()
            {
                let at = at.max(self.sink.sounds_until(now));
                if at <= now {
                    self.answered(view)?;
                } else {
                    deadline = Some(deadline.map_or(at, |it| it.min(at)));
                }
            }
            let complete_at = self.sink.complete_at(now);
            if stopped.is_none() && outcome == Some(Outcome::Answered) && now < complete_at {
                (outcome, deadline) = (None, Some(complete_at));
            }
            match outcome {
                Some(Outcome::Answered) => {
                    if stopped.is_none() {
                        self.answered(view)?;
                    }
                    let rollout = tokio::select! {
                        biased;
                        // The answer is complete: nobody has to stay for the goodbye.
                        Some(_) = signals.recv() => None,
                        rollout = self.say_goodbye() => rollout,
                    };
                    return Ok(End { why: stopped.map(|it| it.why), rollout });
                }
                Some(Outcome::NothingHeard) => {
                    let (input, lasts) = (self.input.clone(), self.lasts);
                    return Err(HeadlessError::NothingHeard { input, lasts });
                }
                Some(Outcome::NotUnderstood) => {
                    let (input, cause) = (self.input.clone(), self.warning.take());
                    return Err(HeadlessError::NotUnderstood { input, cause: Cause(cause) });
                }
                Some(Outcome::Unanswered) => {
                    let (input, cause) = (self.input.clone(), self.warning.take());
                    return Err(HeadlessError::Unanswered { input, cause: Cause(cause) });
                }
                None => {}
            }
            let deadline = deadline.into_iter().chain(self.sink.deadline()).min();
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => {
                    let (why, by) = (Why::Signal(signal), now + INTERRUPT_PATIENCE);
                    match stopped.replace(Stopped { why, by }).map(|first| first.why) {
                        None => self.stop(view)?,
                        Some(Why::Signal(first)) => return Err(HeadlessError::Stopped(first)),
                        Some(Why::NobodyListens) => return Err(HeadlessError::Stopped(signal)),
                    }
                    self.interrupt(&mut tasks);
                }
                () = self.sink.written() => self.sink.taken(self.clock.now()),
                Some(fed) = feed.recv() => {
                    let now = self.clock.now();
                    let (sign, voiced) = match fed {
                        Fed::Paused { voiced, go_on } => {
                            waiting = Some(go_on);
                            (Sign::InputPaused, voiced)
                        }
                        Fed::Ended { sign, voiced } => (sign, voiced),
                        Fed::Listened => {
                            self.exchange.note(Sign::Listened, now);
                            continue;
                        }
                    };
                    self.question_end = Some(voiced);
                    self.sink.question_ended(now)?;
                    self.exchange.note(sign, now);
                }
                Some(done) = tasks.join_next() => match done {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Err(error),
                    Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
                },
                news = self.server.next() => {
                    let news = news?;
                    self.screen.doing.note(&news, Instant::now());
                    view.news(&news)?;
                    self.note(&news, *last_voiced.borrow(), output, view)?;
                }
                () = self.clock.until(deadline) => {}
                () = self.screen.tick(), if view.has_screen() => {
                    view.status(&self.screen.doing.line(Instant::now()))?;
                }
            }
        }
    }

    /// It is to end now. What has its answer has it; the rest is given up.
    fn stop(&mut self, view: &mut (dyn View + '_)) -> Result<(), HeadlessError> {
        match self.exchange.answered_at() {
            Some(_) => self.answered(view),
            None => Ok(()),
        }
    }

    /// The last question is over; what follows is about the next one.
    fn answered(&mut self, view: &mut (dyn View + '_)) -> Result<(), HeadlessError> {
        let stages = std::mem::take(&mut self.stages);
        let answer = self.message.take().or(self.spoken.take());
        self.spoken = None;
        if stages.is_empty() && answer.is_none() {
            return Ok(());
        }
        let question_end = self.question_end.unwrap_or_else(|| self.clock.now());
        let stages = stages.iter().filter(|it| it.counts).map(|it| (it.stage, it.at_ms));
        self.latency = Latency::of(stages, self.clock.unix_ms(question_end));
        view.answered(self.latency, answer.as_deref())?;
        self.answer = answer.or(self.answer.take());
        Ok(())
    }

    /// The first sample of a reply was given to whoever plays it: not before that it sounds.
    fn note_sounds(&mut self, stage: usize, sounds_at: Time) {
        let sounds_at_ms = self.clock.unix_ms(sounds_at);
        if let Some(Reached { at_ms, .. }) = self.stages.get_mut(stage) {
            *at_ms = sounds_at_ms.max(*at_ms);
        }
    }

    fn note(
        &mut self,
        news: &ServerNotification,
        voiced: Time,
        output: &Output,
        view: &mut (dyn View + '_),
    ) -> Result<(), HeadlessError> {
        use ServerNotification as News;
        let now = self.clock.now();
        match news {
            News::RealtimeStage(it) => {
                let counts = match it.stage {
                    StageName::Transcribed => !std::mem::take(&mut self.is_aside),
                    _other => true,
                };
                self.stages.push(Reached { stage: it.stage, at_ms: it.at_ms, counts });
                let sign = match it.stage {
                    StageName::SpeechStarted => Sign::SpeechStarted,
                    StageName::SpeechStopped => {
                        match self.manners {
                            Manners::Waits => {}
                            // What sounds while the recording goes on is what it is about.
                            Manners::Interrupts => {
                                self.question_end = Some(voiced);
                                self.sink.question_ended(now)?;
                            }
                        }
                        Sign::SpeechStopped
                    }
                    StageName::HandedOff => Sign::HandedOff,
                    StageName::ReplyDone => Sign::ReplyDone,
                    StageName::ReplyBroken => Sign::ReplyBroken,
                    StageName::Transcribed => Sign::Transcribed,
                    StageName::FirstAudio => {
                        self.sink.mark(self.stages.len() - 1);
                        Sign::Replying
                    }
                    StageName::FirstToken => Sign::Alive,
                    StageName::AgentDone => Sign::HandoffDone,
                };
                self.exchange.note(sign, now);
            }
            News::RealtimePlayback(it) => self.note_playback(it, now, view)?,
            News::RealtimeOutputAudioDelta(it) => {
                let pcm = it.audio.pcm().map_err(|error| HeadlessError::Conversation {
                    message: format!("the answer cannot be heard: {error}"),
                })?;
                match self.sink.play(&pcm, now)? {
                    Some(Told::Dropped) => view.lost_sound(output)?,
                    Some(Told::Began(_) | Told::Closed) | None => {}
                }
                self.exchange.note(Sign::Replying, now);
            }
            News::RealtimeTranscriptDone(it) => {
                let sign = match it.role {
                    SpeakerName::User => Sign::Understood,
                    SpeakerName::Assistant => {
                        self.spoken = Some(it.text.clone());
                        Sign::Replying
                    }
                };
                self.exchange.note(sign, now);
            }
            News::RealtimeTranscriptDelta(it) => {
                let sign = match it.role {
                    SpeakerName::User => Sign::Alive,
                    SpeakerName::Assistant => Sign::Replying,
                };
                self.exchange.note(sign, now);
            }
            News::RealtimeItemAdded(it) => {
                if is_cancelled_response(it.item.get()) {
                    self.exchange.note(Sign::ReplyBroken, now);
                }
            }
            News::ThreadStatusChanged(it) => {
                let sign = match it.status {
                    ThreadStatus::Active { .. } => Sign::TurnPreparing,
                    ThreadStatus::Idle | ThreadStatus::SystemError | ThreadStatus::NotLoaded => {
                        Sign::AtRest
                    }
                };
                self.exchange.note(sign, now);
            }
            News::TurnStarted(it) => {
                self.turn = Some(it.turn.id.clone());
                self.exchange.note(Sign::TurnStarted, now);
            }
            News::TurnCompleted(it) => {
                self.turn = None;
                self.turn_failed = it.turn.status == TurnState::Failed;
                self.exchange.note(Sign::TurnEnded, now);
            }
            News::ItemCompleted(it) => {
                self.deeds.count(&it.item);
                if let ThreadItem::AgentMessage { text, id: _ } = &it.item {
                    self.message = Some(text.clone());
                }
            }
            News::RealtimeError(it) => {
                return Err(HeadlessError::Conversation { message: it.message.clone() });
            }
            News::RealtimeClosed(it) => {
                let reason = it.reason.as_deref().unwrap_or("unknown");
                return Err(HeadlessError::Conversation {
                    message: format!("it was closed before the answer was complete ({reason})"),
                });
            }
            News::Warning(it) => self.warning = Some(it.message.clone()),
            News::ThreadStarted(_)
            | News::TokenUsageUpdated(_)
            | News::ItemStarted(_)
            | News::AgentMessageDelta(_)
            | News::ReasoningDelta(_)
            | News::CommandOutputDelta(_)
            | News::Error(_)
            | News::RealtimeStarted(_)
            | News::Unknown { .. } => {}
        }
        Ok(())
    }

    /// What becomes of the answer that somebody speaks over.
    fn note_playback(
        &mut self,
        news: &RealtimePlayback,
        now: Time,
        view: &mut (dyn View + '_),
    ) -> Result<(), HeadlessError> {
        match news.change {
            PlaybackName::Held => {
                self.exchange.note(Sign::Held, now);
                self.held = Some(Held {
                    at_ms: news.at_ms,
                    sounds_until: self.sink.hold(now)?,
                    stages: self.stages.len(),
                    question_end: self.question_end,
                });
            }
            PlaybackName::Resumed => {
                self.sink.resume(now)?;
                self.exchange.note(Sign::SaidAside, now);
                self.is_aside = true;
                let Some(held) = self.held.take() else { return Ok(()) };
                for reached in self.stages.iter_mut().skip(held.stages) {
                    reached.counts &=
                        !matches!(reached.stage, StageName::SpeechStopped | StageName::Transcribed);
                }
                self.question_end = held.question_end;
                view.resumed(news.at_ms.saturating_sub(held.at_ms))?;
            }
            PlaybackName::Stopped => {
                let held = self.held.take();
                if let Some(Silence { sounds_until, dropped }) = self.sink.stop(now)? {
                    let sounds_until = held.and_then(|it| it.sounds_until).unwrap_or(sounds_until);
                    let heard_ms = held.map_or(news.at_ms, |it| it.at_ms);
                    let until_ms = self.clock.unix_ms(sounds_until).cast_signed();
                    let after_ms = until_ms.wrapping_sub(heard_ms.cast_signed());
                    let dropped_ms = u64::try_from(dropped.as_millis()).unwrap_or(u64::MAX);
                    view.silenced(Silenced { after_ms, dropped_ms })?;
                }
                // The answer that was talked over is told as far as it is text: the next question
                // has its own.
                if self.message.is_some() {
                    let since = held.map_or(self.stages.len(), |it| it.stages);
                    let next = self.stages.split_off(since.min(self.stages.len()));
                    let next_end = self.question_end;
                    self.question_end = held.map_or(next_end, |it| it.question_end);
                    self.answered(view)?;
                    self.stages = next;
                    self.question_end = next_end;
                }
            }
        }
        Ok(())
    }

    fn interrupt(&self, tasks: &mut JoinSet<Result<(), HeadlessError>>) {
        let Some(turn_id) = self.turn.clone() else { return };
        let client = self.server.client.clone();
        let params = TurnInterruptParams { thread_id: self.thread_id.clone(), turn_id };
        tasks.spawn(async move {
            // Refused when the turn has just ended, which is what was wanted.
            client.call::<methods::TurnInterrupt>(&params).await.ok();
            Ok(())
        });
    }

    /// Ends the conversation and asks where its log is. The answer is complete: what goes
    /// wrong now is nobody's loss.
    async fn say_goodbye(&mut self) -> Option<String> {
        let client = self.server.client.clone();
        let stop = RealtimeStopParams { thread_id: self.thread_id.clone() };
        let read = ThreadReadParams { thread_id: self.thread_id.clone(), include_turns: false };
        let ask = async {
            client.call::<methods::RealtimeStop>(&stop).await.ok()?;
            client.call::<methods::ThreadRead>(&read).await.ok()?.thread.path
        };
        let closed = async {
            while let Ok(news) = self.server.next().await {
                if matches!(news, ServerNotification::RealtimeClosed(_)) {
                    break;
                }
            }
        };
        let (path, ()) = timeout(GOODBYE, async { tokio::join!(ask, closed) }).await.ok()?;
        path
    }
}

/// Our own time, and what the server's stamps are in it.
#[derive(Debug, Clone, Copy)]
struct Clock {
    start: Instant,
    started_at: SystemTime,
}

impl Clock {
    fn start() -> Self {
        Self { start: Instant::now(), started_at: SystemTime::now() }
    }

    fn now(&self) -> Time {
        Time::from_start(self.start.elapsed())
    }

    async fn until(&self, deadline: Option<Time>) {
        match deadline {
            Some(at) => sleep(at - self.now()).await,
            None => std::future::pending().await,
        }
    }

    /// Milliseconds since 1970.
    fn unix_ms(&self, at: Time) -> u64 {
        let at = self.started_at + at.since_start();
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

fn lost_sound(output: &Output) -> String {
    format!("what reads {output} does not keep up: what waits for it in vain is not played")
}

fn is_cancelled_response(item: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Kind {
        r#type: String,
    }
    serde_json::from_str::<Kind>(item).is_ok_and(|it| it.r#type == "response.cancelled")
}
