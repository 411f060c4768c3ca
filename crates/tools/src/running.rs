//! A tool call in progress.

use std::fmt;
use std::pin::Pin;

use protocol::ItemBody;
use tokio::sync::{mpsc, watch};

/// Pieces of output on their way to the clients. A tool that is ahead of its reader waits.
const DELTAS: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolEvent {
    /// More of the output, for people.
    Output(String),
    Finished(Box<ToolOutcome>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutcome {
    /// The entry for the log and the clients, complete.
    pub item: ItemBody,
    /// What the model is told.
    pub output: String,
}

/// Dropping it stops the tool and kills what it started.
pub struct RunningTool {
    item: ItemBody,
    deltas: mpsc::Receiver<String>,
    stop: watch::Sender<bool>,
    state: State,
}

enum State {
    Working(Pin<Box<dyn Future<Output = ToolOutcome> + Send>>),
    /// Done, with deltas still to be read.
    Done(Box<ToolOutcome>),
    Over,
}

/// A tool's own ends of its [`RunningTool`].
pub(crate) struct Ports {
    deltas: mpsc::Sender<String>,
    stop: watch::Receiver<bool>,
}

impl RunningTool {
    pub(crate) fn new<F>(item: ItemBody, work: impl FnOnce(Ports) -> F) -> Self
    where
        F: Future<Output = ToolOutcome> + Send + 'static,
    {
        let (delta_sender, deltas) = mpsc::channel(DELTAS);
        let (stop, stopped) = watch::channel(false);
        let work = work(Ports { deltas: delta_sender, stop: stopped });
        Self { item, deltas, stop, state: State::Working(Box::pin(work)) }
    }

    /// The entry as it starts.
    pub fn item(&self) -> &ItemBody {
        &self.item
    }

    /// Asks the tool to end early. It still finishes with an outcome that says so, within
    /// seconds; what it had said until then is in it.
    pub fn stop(&mut self) {
        self.stop.send_replace(true);
    }

    /// The next event; `None` after [`ToolEvent::Finished`]. Cancel-safe: nothing is lost when
    /// the future is dropped.
    pub async fn next(&mut self) -> Option<ToolEvent> {
        if let State::Working(work) = &mut self.state {
            tokio::select! {
                biased;
                Some(delta) = self.deltas.recv() => return Some(ToolEvent::Output(delta)),
                outcome = work => self.state = State::Done(Box::new(outcome)),
            }
        }
        if let Ok(delta) = self.deltas.try_recv() {
            return Some(ToolEvent::Output(delta));
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Done(outcome) => Some(ToolEvent::Finished(outcome)),
            State::Working(_) | State::Over => None,
        }
    }
}

impl fmt::Debug for RunningTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningTool").field("item", &self.item).finish_non_exhaustive()
    }
}

impl Ports {
    pub(crate) async fn delta(&self, text: String) {
        // Nobody reads any more: then we are about to be dropped as well.
        drop(self.deltas.send(text).await);
    }

    /// Returns when the tool should end early; never, when nobody asks for that.
    pub(crate) async fn stopped(&mut self) {
        if self.stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending().await
        }
    }
}
