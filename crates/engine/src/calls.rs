//! The tasks that carry out one model call or one tool call, and report to the thread.

use std::path::PathBuf;

use agent_turn::{Epoch, Input as TurnInput};
use model_client::ModelStream;
use protocol::{ModelError, ModelErrorKind, ModelEvent, RepositoryFacts, TurnId};
use thread::{Input, Surroundings};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tools::{RunningTool, Style, ToolEvent};

use crate::surroundings;

/// What tasks report to the driver.
#[derive(Debug)]
pub(crate) enum News {
    Thread(Box<Input>),
    /// For people.
    Warning {
        message: String,
    },
    /// The surroundings of `turn` were read.
    Prepared {
        turn: TurnId,
        read: Result<(RepositoryFacts, Surroundings), String>,
    },
}

/// Sends news of one turn to its thread.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    pub(crate) turn: TurnId,
    pub(crate) inbox: mpsc::Sender<News>,
}

impl Reporter {
    /// Waits while the thread is busy. Nobody is left to tell when it is gone.
    pub(crate) async fn tell(&self, news: TurnInput) {
        let news = Input::Turn { turn: self.turn.clone(), news };
        drop(self.inbox.send(News::Thread(Box::new(news))).await);
    }
}

/// Reads what a turn is to know. `own` is where the user's documents are.
pub(crate) async fn prepare(own: Option<PathBuf>, cwd: PathBuf, style: Style, reporter: Reporter) {
    let read = move || surroundings::read(own.as_deref(), &cwd, style);
    let read = tokio::task::spawn_blocking(read).await;
    let read = read.unwrap_or_else(|error| Err(format!("cannot look at the workspace: {error}")));
    let Reporter { turn, inbox } = reporter;
    // Nobody is left to tell when the thread is gone.
    drop(inbox.send(News::Prepared { turn, read }).await);
}

/// Calls the model until its last word, or until `stop`.
pub(crate) async fn call_model(
    mut stream: ModelStream,
    epoch: Epoch,
    stop: CancellationToken,
    reporter: Reporter,
) {
    let mut last = Last::No;
    loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            event = stream.next() => event,
        };
        let news = match event {
            Some(Ok(event)) => {
                if matches!(event, ModelEvent::Completed { .. }) {
                    last = Last::Yes;
                }
                TurnInput::Model { epoch, event }
            }
            Some(Err(error)) => {
                last = Last::Yes;
                TurnInput::ModelFailed { epoch, error }
            }
            None if last == Last::Yes => return,
            // Streams promise a last word. Should one break it, the turn must not wait for ever.
            None => {
                last = Last::Yes;
                let kind = ModelErrorKind::Transient { after: None };
                let message = "the model's answer stopped before its end".to_owned();
                TurnInput::ModelFailed { epoch, error: ModelError { kind, message } }
            }
        };
        reporter.tell(news).await;
    }
}

/// Whether the model has said its last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Yes,
    No,
}

/// Runs a tool until it has finished, also after `stop`: then it finishes early.
pub(crate) async fn run_tool(
    mut tool: RunningTool,
    run: Epoch,
    stop: CancellationToken,
    reporter: Reporter,
) {
    let body = tool.item().clone();
    reporter.tell(TurnInput::ToolStarted { run, body }).await;
    let mut stopping = false;
    loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                tool.stop();
                continue;
            }
            event = tool.next() => event,
        };
        match event {
            Some(ToolEvent::Output(delta)) => {
                reporter.tell(TurnInput::ToolDelta { run, delta }).await;
            }
            Some(ToolEvent::Finished(outcome)) => {
                let tools::ToolOutcome { item: body, output } = *outcome;
                reporter.tell(TurnInput::ToolFinished { run, body, output }).await;
            }
            None => return,
        }
    }
}
