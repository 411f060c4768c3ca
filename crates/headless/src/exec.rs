//! One prompt, one answer: `duet exec`.

mod jsonl;
mod people;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

use app_server_protocol::{
    ServerNotification, ThreadItem, ThreadStartResult, TokenBreakdown, Turn, TurnInterruptParams,
    TurnStartParams, TurnState, UserInput, methods,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

use crate::console::Console;
use crate::deeds::Deeds;
use crate::doing::Doing;
use crate::exit::{Exit, HeadlessError, INTERRUPT_PATIENCE, STATUS_EVERY, Signal};
use crate::place::Unfinished;
use crate::session::{Server, ThreadArgs};

#[derive(Debug)]
pub struct ExecArgs {
    pub thread: ThreadArgs,
    pub prompt: String,
    /// Material that was piped in with the prompt.
    pub piped: Option<String>,
    pub format: Format,
    /// Where the last message is written too.
    pub answer_file: Option<PathBuf>,
    /// For the banner.
    pub version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The answer on standard output, progress on standard error.
    People,
    /// One JSON event per line on standard output.
    Json,
}

/// Runs one turn to its end. A signal interrupts it; a second one does not wait.
pub async fn exec(
    mut server: Server,
    args: ExecArgs,
    console: Console,
    signals: &mut mpsc::Receiver<Signal>,
) -> Result<Exit, HeadlessError> {
    let mut view: Box<dyn View> = match args.format {
        Format::People => Box::new(people::People::new(console, args.version.clone())),
        Format::Json => Box::new(jsonl::Jsonl::new(console)),
    };
    let exit = run_turn(&mut server, args, &mut *view, signals).await;
    if let Err(error) = &exit {
        view.failed(error)?;
    }
    exit
}

/// Says of a task that could not begin why, to programs that read events. People are told by the
/// caller.
pub fn exec_cannot_begin(
    format: Format,
    message: &str,
    console: &mut Console,
) -> Result<(), HeadlessError> {
    match format {
        Format::People => Ok(()),
        Format::Json => Ok(jsonl::cannot_begin(console, message)?),
    }
}

async fn run_turn(
    server: &mut Server,
    args: ExecArgs,
    view: &mut dyn View,
    signals: &mut mpsc::Receiver<Signal>,
) -> Result<Exit, HeadlessError> {
    let ExecArgs { thread, prompt, piped, format: _, answer_file, version: _ } = args;
    // Before anything is started: a place that cannot be written to is a mistake that people make.
    let answer_file = answer_file.map(AnswerFile::open).transpose()?;
    let started = server.start_thread(thread).await?;
    let thread_id = started.thread.id.clone();
    view.started(&started, &prompt, piped.as_deref())?;
    let params = TurnStartParams {
        thread_id: thread_id.clone(),
        input: vec![UserInput::text(prompt)],
        material: piped,
        ..TurnStartParams::default()
    };
    let turn_id = server.client.call::<methods::TurnStart>(&params).await?.turn.id;

    let mut stopping: Option<Signal> = None;
    let mut interrupts = JoinSet::new();
    let mut deeds = Deeds::default();
    let mut doing = Doing::default();
    let mut ticks = interval(STATUS_EVERY);
    let mut answer = None;
    loop {
        let news = tokio::select! {
            biased;
            Some(signal) = signals.recv() => {
                if let Some(first) = stopping.replace(signal) {
                    return Ok(first.into());
                }
                let client = server.client.clone();
                let params = TurnInterruptParams {
                    thread_id: thread_id.clone(),
                    turn_id: turn_id.clone(),
                };
                interrupts.spawn(async move {
                    // Refused when the turn has just ended, which is what was wanted.
                    client.call::<methods::TurnInterrupt>(&params).await.ok();
                    sleep(INTERRUPT_PATIENCE).await;
                });
                continue;
            }
            Some(_) = interrupts.join_next() => {
                return Ok(stopping.unwrap_or(Signal::Interrupt).into());
            }
            news = server.next() => news?,
            _ = ticks.tick(), if view.has_screen() => {
                view.status(&doing.line(Instant::now()))?;
                continue;
            }
        };
        doing.note(&news, Instant::now());
        if let ServerNotification::ItemCompleted(completed) = &news {
            deeds.count(&completed.item);
            if let ThreadItem::AgentMessage { text, id: _ } = &completed.item {
                answer = Some(text.clone());
            }
        }
        let ServerNotification::TurnCompleted(ended) = &news else {
            if let Some(progress) = progress(&news) {
                view.progress(&progress)?;
            }
            continue;
        };
        if ended.turn.id != turn_id {
            continue;
        }
        let unfinished = match ended.turn.status {
            TurnState::Completed => deeds.unfinished(),
            TurnState::Failed | TurnState::Interrupted | TurnState::InProgress => None,
        };
        view.ended(&ended.turn, &deeds, unfinished.as_deref())?;
        if let (TurnState::Completed, Some(file)) = (ended.turn.status, answer_file) {
            file.keep(&answer.unwrap_or_default())?;
        }
        return Ok(match (stopping, ended.turn.status) {
            (Some(signal), _) => signal.into(),
            (None, TurnState::Failed | TurnState::Interrupted | TurnState::InProgress) => {
                Exit::Failed
            }
            (None, TurnState::Completed) => deeds.exit(),
        });
    }
}

/// Where the last message goes too. What is there stays, unless a turn comes to its end.
struct AnswerFile {
    path: PathBuf,
    file: File,
    unfinished: Unfinished,
}

impl AnswerFile {
    fn open(path: PathBuf) -> Result<Self, HeadlessError> {
        let (file, unfinished) = Unfinished::open(&path, ".part")?;
        Ok(Self { path, file, unfinished })
    }

    fn keep(self, answer: &str) -> Result<(), HeadlessError> {
        let Self { path, mut file, unfinished } = self;
        file.write_all(answer.as_bytes())
            .map_err(|source| HeadlessError::AnswerFile { path, source })?;
        unfinished.put()
    }
}

/// How a turn is shown.
trait View: Send {
    fn started(
        &mut self,
        thread: &ThreadStartResult,
        prompt: &str,
        piped: Option<&str>,
    ) -> io::Result<()>;
    fn progress(&mut self, progress: &Progress<'_>) -> io::Result<()>;
    /// `unfinished` is why the work of a completed turn is not done.
    fn ended(&mut self, turn: &Turn, deeds: &Deeds, unfinished: Option<&str>) -> io::Result<()>;
    /// Whether [`View::status`] is seen by anybody.
    fn has_screen(&self) -> bool;
    /// What goes on now.
    fn status(&mut self, line: &str) -> io::Result<()>;
    /// It could not be brought to an end. The caller says so to the person.
    fn failed(&mut self, error: &HeadlessError) -> io::Result<()>;
}

/// What of a turn's news is worth showing.
enum Progress<'a> {
    TurnStarted,
    ItemStarted(&'a ThreadItem),
    ItemCompleted(&'a ThreadItem),
    /// Of the whole thread so far, as the reference counts.
    Usage(TokenBreakdown),
    Retrying(&'a str),
    /// What the turn's end will say too.
    Failing(&'a str),
    Warning(&'a str),
}

fn progress(news: &ServerNotification) -> Option<Progress<'_>> {
    use ServerNotification as News;
    Some(match news {
        News::TurnStarted(_) => Progress::TurnStarted,
        News::ItemStarted(it) => Progress::ItemStarted(&it.item),
        News::ItemCompleted(it) => Progress::ItemCompleted(&it.item),
        News::TokenUsageUpdated(it) => Progress::Usage(it.token_usage.total),
        News::Error(it) if it.will_retry => Progress::Retrying(&it.error.message),
        News::Error(it) => Progress::Failing(&it.error.message),
        News::Warning(it) => Progress::Warning(&it.message),
        // Deltas and states are for screens, and nobody speaks here.
        News::ThreadStarted(_)
        | News::ThreadStatusChanged(_)
        | News::TurnCompleted(_)
        | News::AgentMessageDelta(_)
        | News::ReasoningDelta(_)
        | News::CommandOutputDelta(_)
        | News::RealtimeStarted(_)
        | News::RealtimeItemAdded(_)
        | News::RealtimeTranscriptDelta(_)
        | News::RealtimeTranscriptDone(_)
        | News::RealtimeOutputAudioDelta(_)
        | News::RealtimeError(_)
        | News::RealtimeClosed(_)
        | News::RealtimeStage(_)
        | News::RealtimePlayback(_)
        | News::Unknown { .. } => return None,
    })
}
