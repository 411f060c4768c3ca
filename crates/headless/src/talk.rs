//! A spoken question from a file, a spoken answer into a file: `duet talk`.

mod exchange;
mod jsonl;
mod latency;
mod people;
mod recording;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use app_server_client::{CallError, Client};
use app_server_protocol::{
    AudioChunk, Capabilities, OutputModality, RealtimeAppendAudioParams, RealtimeStartParams,
    RealtimeStopParams, RealtimeTransport, STAGES_EXTENSION, ServerNotification, SpeakerName,
    StageName, ThreadItem, ThreadReadParams, ThreadStartResult, ThreadStatus, TurnInterruptParams,
    TurnState, code, methods,
};
use audio_dsp::{DUET_HZ, Levels};
use audio_io::{WavError, WavReader};
use serde_json::Value;
use stdx::Time;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::console::Console;
use crate::deeds::Deeds;
use crate::exit::{Cause, Exit, HeadlessError, INTERRUPT_PATIENCE, Signal};
use crate::session::{Server, ThreadArgs};

use self::exchange::{Exchange, Outcome, Sign};
pub use self::latency::Latency;
use self::recording::{Recording, is_same_file};

/// What a microphone delivers at a time.
const FRAME: Duration = Duration::from_millis(20);

/// Samples of [`FRAME`].
const FRAME_SAMPLES: usize = DUET_HZ as usize / 50;

/// A recording that is nowhere louder than this is no recording of anybody: a microphone that
/// was muted, or the wrong one. The noise of a quiet room is louder.
const SILENCE_DBFS: f32 = -66.0;

/// How long the conversation may take to say goodbye. The answer is safe by then.
const GOODBYE: Duration = Duration::from_secs(2);

/// How long the reason of an ended conversation may take to arrive.
const LAST_NEWS: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct TalkArgs {
    pub thread: ThreadArgs,
    /// The question: a WAV file.
    pub input: PathBuf,
    /// Where the answer goes.
    pub output: PathBuf,
    pub format: TalkFormat,
    pub pace: Pace,
}

/// How fast the question is played. The silence behind it is always as long as it lasts.
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
        /// The words of both sides on standard error, as they are spoken.
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
    pub latency: Latency,
    /// The thread's log.
    pub rollout: Option<String>,
}

/// What this face must ask for when it connects.
pub fn capabilities() -> Capabilities {
    let extensions = [(STAGES_EXTENSION.to_owned(), Value::Object(serde_json::Map::new()))];
    Capabilities {
        experimental_api: true,
        extensions: Some(extensions.into_iter().collect()),
        ..Capabilities::default()
    }
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
    let TalkArgs { thread, input, output, format, pace } = args;
    let mut view: Box<dyn View + '_> = match format {
        TalkFormat::People { captions } => Box::new(people::People::new(console, captions)),
        TalkFormat::Json => Box::new(jsonl::Jsonl::new(console)),
    };
    let question = Question { input, pace };
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
    input: PathBuf,
    pace: Pace,
}

async fn converse(
    server: Server,
    thread: ThreadArgs,
    Question { input, pace }: Question,
    output: &Path,
    view: &mut (dyn View + '_),
    signals: &mut mpsc::Receiver<Signal>,
) -> Result<TalkReport, HeadlessError> {
    // Before anything is started: these are the mistakes that people make.
    let question = WavReader::open(&input)?;
    if is_same_file(&input, output) {
        return Err(HeadlessError::SameFile { path: output.to_owned() });
    }
    let recording = Recording::create(output)?;
    let thread = server.start_thread(thread).await?;
    view.started(&thread)?;
    let start = RealtimeStartParams {
        thread_id: thread.thread.id.clone(),
        output_modality: Some(OutputModality::Audio),
        transport: Some(RealtimeTransport::Websocket),
        ..RealtimeStartParams::default()
    };
    server.client.call::<methods::RealtimeStart>(&start).await?;
    let mut talk = Talk {
        server,
        thread_id: thread.thread.id.clone(),
        input,
        pace,
        clock: Clock::start(),
        recording,
        exchange: Exchange::default(),
        stages: Vec::new(),
        deeds: Deeds::default(),
        turn: None,
        turn_failed: false,
        message: None,
        spoken: None,
        warning: None,
    };
    talk.wait_for_conversation(view, signals).await?;
    let ended = talk.run(question, view, signals).await;
    let Talk { recording, deeds, stages, turn_failed, message, spoken, clock, .. } = talk;
    let End { question_end, signal, rollout } = match ended {
        Ok(end) => {
            recording.finish()?;
            end
        }
        Err(error) => {
            // What has sounded is the user's. Why it could not be kept as well matters less.
            if recording.has_sound() {
                recording.finish().ok();
            }
            return Err(error);
        }
    };

    let exit = match signal {
        Some(signal) => signal.into(),
        None if turn_failed => Exit::Failed,
        None => deeds.exit(),
    };
    let unfinished = match exit {
        Exit::Failed if !turn_failed => deeds.unfinished(),
        _other => None,
    };
    let latency = Latency::of(&stages, clock.unix_ms(question_end));
    Ok(TalkReport { exit, thread, answer: message.or(spoken), unfinished, latency, rollout })
}

/// How a conversation is shown.
trait View {
    fn started(&mut self, thread: &ThreadStartResult) -> io::Result<()>;
    fn news(&mut self, news: &ServerNotification) -> io::Result<()>;
    fn ended(&mut self, report: &TalkReport, output: &Path) -> io::Result<()>;
    /// It could not be brought to an end. The caller says so to the person.
    fn failed(&mut self, error: &HeadlessError) -> io::Result<()>;
}

struct Talk {
    server: Server,
    thread_id: String,
    input: PathBuf,
    pace: Pace,
    clock: Clock,
    recording: Recording,
    exchange: Exchange,
    stages: Vec<(StageName, u64)>,
    deeds: Deeds,
    turn: Option<String>,
    /// Whether the last turn failed.
    turn_failed: bool,
    /// The agent's last message.
    message: Option<String>,
    /// The realtime model's last words.
    spoken: Option<String>,
    /// The last thing that went wrong without ending it.
    warning: Option<String>,
}

/// Somebody wants it to stop.
#[derive(Debug, Clone, Copy)]
struct Stopped {
    signal: Signal,
    /// The turn has until then to end.
    by: Time,
}

struct End {
    question_end: Time,
    signal: Option<Signal>,
    rollout: Option<String>,
}

impl Talk {
    /// The answer to `thread/realtime/start` only means that it was tried.
    async fn wait_for_conversation(
        &mut self,
        view: &mut (dyn View + '_),
        signals: &mut mpsc::Receiver<Signal>,
    ) -> Result<(), HeadlessError> {
        loop {
            let news = tokio::select! {
                biased;
                Some(signal) = signals.recv() => return Err(HeadlessError::Stopped(signal)),
                news = self.server.next() => news?,
            };
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

    async fn run(
        &mut self,
        question: WavReader,
        view: &mut (dyn View + '_),
        signals: &mut mpsc::Receiver<Signal>,
    ) -> Result<End, HeadlessError> {
        let mut tasks = JoinSet::new();
        let (fed, mut question_fed) = oneshot::channel::<Sign>();
        let feeder = Feeder {
            client: self.server.client.clone(),
            thread_id: self.thread_id.clone(),
            pace: self.pace,
        };
        tasks.spawn(feeder.feed(question, fed));
        let mut question_end = None;
        let mut stopped: Option<Stopped> = None;
        loop {
            let now = self.clock.now();
            let (outcome, deadline) = match stopped {
                // The work was told to stop; what it still says does not matter.
                Some(stopped) if self.turn.is_none() || stopped.by <= now => {
                    (Some(Outcome::Answered), None)
                }
                Some(stopped) => (None, Some(stopped.by)),
                None => (self.exchange.outcome(now), self.exchange.deadline()),
            };
            match outcome {
                Some(Outcome::Answered) => {
                    let rollout = tokio::select! {
                        biased;
                        // The answer is complete: nobody has to stay for the goodbye.
                        Some(_) = signals.recv() => None,
                        rollout = self.say_goodbye() => rollout,
                    };
                    let question_end = question_end.unwrap_or(now);
                    let signal = stopped.map(|it| it.signal);
                    return Ok(End { question_end, signal, rollout });
                }
                Some(Outcome::NothingHeard) => {
                    return Err(HeadlessError::NothingHeard { path: self.input.clone() });
                }
                Some(Outcome::NotUnderstood) => {
                    let (path, cause) = (self.input.clone(), self.warning.take());
                    return Err(HeadlessError::NotUnderstood { path, cause: Cause(cause) });
                }
                Some(Outcome::Unanswered) => {
                    let (path, cause) = (self.input.clone(), self.warning.take());
                    return Err(HeadlessError::Unanswered { path, cause: Cause(cause) });
                }
                None => {}
            }
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => {
                    let by = now + INTERRUPT_PATIENCE;
                    if let Some(first) = stopped.replace(Stopped { signal, by }) {
                        return Err(HeadlessError::Stopped(first.signal));
                    }
                    self.interrupt(&mut tasks);
                }
                Ok(ended) = &mut question_fed, if question_end.is_none() => {
                    let now = self.clock.now();
                    question_end = Some(now);
                    self.recording.begin(now)?;
                    self.exchange.note(ended, now);
                }
                Some(done) = tasks.join_next() => match done {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Err(error),
                    Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
                },
                news = self.server.next() => {
                    let news = news?;
                    view.news(&news)?;
                    self.note(&news)?;
                }
                () = self.clock.until(deadline) => {}
            }
        }
    }

    fn note(&mut self, news: &ServerNotification) -> Result<(), HeadlessError> {
        use ServerNotification as News;
        let now = self.clock.now();
        match news {
            News::RealtimeStage(it) => {
                self.stages.push((it.stage, it.at_ms));
                let sign = match it.stage {
                    StageName::SpeechStarted => {
                        self.recording.stop(now)?;
                        Sign::SpeechStarted
                    }
                    StageName::SpeechStopped => Sign::SpeechStopped,
                    StageName::HandedOff => Sign::HandedOff,
                    StageName::ReplyDone => Sign::ReplyDone,
                    StageName::ReplyBroken => Sign::ReplyBroken,
                    StageName::Transcribed => Sign::Transcribed,
                    StageName::FirstAudio => Sign::Replying,
                    StageName::FirstToken => Sign::Alive,
                    StageName::AgentDone => Sign::HandoffDone,
                };
                self.exchange.note(sign, now);
            }
            News::RealtimeOutputAudioDelta(it) => {
                let pcm = it.audio.pcm().map_err(|error| HeadlessError::Conversation {
                    message: format!("the answer cannot be heard: {error}"),
                })?;
                self.recording.play(&pcm, now)?;
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

/// Plays the question to the conversation.
struct Feeder {
    client: Client,
    thread_id: String,
    pace: Pace,
}

/// Whether sound was taken at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    AtOnce,
    AfterWaiting,
}

impl Feeder {
    /// Plays the file, then silence for as long as it is listened to.
    ///
    /// `fed` gets [`Sign::InputEnded`] or [`Sign::SilenceEnded`].
    async fn feed(
        self,
        mut question: WavReader,
        fed: oneshot::Sender<Sign>,
    ) -> Result<(), HeadlessError> {
        let mut clock = interval(FRAME);
        // A frame that is late is followed by the next one at once: the sound's own clock
        // counts.
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut ended = Sign::SilenceEnded;
        while let Some(frame) = question.next_frame().map_err(|error: WavError| error)? {
            match self.pace {
                Pace::AsTaken => (),
                Pace::Live => drop(clock.tick().await),
            }
            self.append(&frame).await?;
            if SILENCE_DBFS < Levels::of_pcm16(&frame).peak_dbfs() {
                ended = Sign::InputEnded;
            }
        }
        if fed.send(ended).is_err() {
            return Ok(());
        }
        match self.pace {
            // The clock begins here.
            Pace::AsTaken => clock.reset(),
            Pace::Live => (),
        }
        let silence = [0; FRAME_SAMPLES];
        loop {
            clock.tick().await;
            match self.append(&silence).await? {
                Taken::AtOnce => (),
                // Silence that was not needed meanwhile is not made up for.
                Taken::AfterWaiting => clock.reset(),
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

/// Our own time, and what the server's stamps are in it.
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

fn is_cancelled_response(item: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Kind {
        r#type: String,
    }
    serde_json::from_str::<Kind>(item).is_ok_and(|it| it.r#type == "response.cancelled")
}
