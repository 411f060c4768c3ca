//! What the rest of the program holds of a thread.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent_turn::UserInput;
use config::Override;
use protocol::{ItemId, Reasoning, ThreadId, ThreadSettings, TurnId};
use realtime_client::Outbox;
use thread::Refusal;
use tokio::sync::{mpsc, oneshot, watch};

use crate::log::{Cursor, EventLog};
use crate::realtime::RealtimeStart;

/// Requests that may wait for the thread; a client that is further ahead waits itself.
pub(crate) const COMMANDS: usize = 64;

/// A running thread. Clones are the same thread; it lives until it is closed or its engine
/// shuts down, not until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Thread {
    pub(crate) id: ThreadId,
    pub(crate) settings: Arc<ThreadSettings>,
    pub(crate) reasoning: Reasoning,
    pub(crate) overrides: Arc<[Override]>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) log: Arc<EventLog>,
    /// The microphone's way past the thread's decisions: the link of the conversation that
    /// runs, if one does.
    pub(crate) microphone: watch::Receiver<Option<Outbox>>,
}

/// Why a thread did not take a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("no active turn")]
    NoTurn,
    #[error("expected active turn id `{expected}` but found `{running}`")]
    OtherTurn { expected: TurnId, running: TurnId },
    #[error("conversation is not running")]
    NoConversation,
    #[error("the thread is closed")]
    Closed,
}

pub(crate) type Reply = oneshot::Sender<Result<Option<TurnId>, Refusal>>;

#[derive(Debug)]
pub(crate) enum Command {
    StartTurn {
        input: UserInput,
        reply: Reply,
    },
    Steer {
        expected: Option<TurnId>,
        input: UserInput,
        reply: Reply,
    },
    Interrupt {
        expected: Option<TurnId>,
        reply: Reply,
    },
    StartRealtime {
        start: Box<RealtimeStart>,
        reply: oneshot::Sender<()>,
    },
    StopRealtime {
        reply: Reply,
    },
    AppendText {
        text: String,
        reply: Reply,
    },
    Played {
        item: ItemId,
        upto: Duration,
    },
    /// Ends the thread politely: its turn is interrupted, its conversation closed. Dropping
    /// `done` says that it has ended.
    Close {
        done: oneshot::Sender<()>,
    },
}

impl Thread {
    pub fn id(&self) -> &ThreadId {
        &self.id
    }

    pub fn settings(&self) -> &ThreadSettings {
        &self.settings
    }

    /// How its model thinks, where it does.
    pub fn reasoning(&self) -> Reasoning {
        self.reasoning
    }

    /// What it was started with otherwise than the file says.
    pub fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// Words for the agent: they start a turn, or join the one that runs. Returns the turn
    /// that takes them; its `TurnStarted` may come later, when its surroundings were read.
    pub async fn start_turn(&self, input: UserInput) -> Result<TurnId, Refused> {
        self.ask(None, |reply| Command::StartTurn { input, reply }).await?.ok_or(Refused::NoTurn)
    }

    /// Words for the running turn, which must be `expected` if that is given.
    pub async fn steer(
        &self,
        expected: Option<TurnId>,
        input: UserInput,
    ) -> Result<TurnId, Refused> {
        let wanted = expected.clone();
        self.ask(wanted, |reply| Command::Steer { expected, input, reply })
            .await?
            .ok_or(Refused::NoTurn)
    }

    /// Stops the running turn, which must be `expected` if that is given. It ends a moment
    /// later, with `TurnCompleted`.
    pub async fn interrupt(&self, expected: Option<TurnId>) -> Result<TurnId, Refused> {
        let wanted = expected.clone();
        self.ask(wanted, |reply| Command::Interrupt { expected, reply })
            .await?
            .ok_or(Refused::NoTurn)
    }

    /// Opens a conversation; one that runs is closed first. How it goes is told by events:
    /// `Started`, or `Error`.
    pub async fn start_realtime(&self, start: RealtimeStart) -> Result<(), Refused> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::StartRealtime { start: Box::new(start), reply }).await?;
        answer.await.map_err(|_| Refused::Closed)
    }

    /// Sound of the microphone: 24 kHz, mono. It does not pass the thread's inbox. Waits when
    /// the link is more than a few seconds behind.
    pub async fn append_audio(&self, pcm: Vec<i16>) -> Result<(), Refused> {
        let outbox = self.microphone.borrow().clone().ok_or(Refused::NoConversation)?;
        outbox.feed_sound(pcm).await.map_err(|_| Refused::NoConversation)
    }

    /// Text for the voice model. Asks for no reply.
    pub async fn append_text(&self, text: String) -> Result<(), Refused> {
        self.ask(None, |reply| Command::AppendText { text, reply }).await.map(drop)
    }

    /// The client's speaker has played this much of `item`.
    pub async fn played(&self, item: ItemId, upto: Duration) -> Result<(), Refused> {
        self.send(Command::Played { item, upto }).await
    }

    /// Closes the conversation. Its `Closed` follows.
    pub async fn stop_realtime(&self) -> Result<(), Refused> {
        self.ask(None, |reply| Command::StopRealtime { reply }).await.map(drop)
    }

    /// Where its log is. It has none before somebody says something, nor when it is ephemeral.
    pub fn log_path(&self) -> Option<&Path> {
        self.log.file()
    }

    /// The events that happen from now on.
    pub fn subscribe(&self) -> Cursor {
        self.log.cursor(None)
    }

    /// All events from number `seq` on that are kept, then those that happen.
    pub fn subscribe_from(&self, seq: u64) -> Cursor {
        self.log.cursor(Some(seq))
    }

    /// Interrupts the turn, closes the conversation, and returns when the log is complete.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.send(Command::Close { done }).await.is_ok() {
            // An error is the news: the driver dropped its end when it ended.
            drop(closed.await);
        }
    }

    async fn ask(
        &self,
        expected: Option<TurnId>,
        command: impl FnOnce(Reply) -> Command,
    ) -> Result<Option<TurnId>, Refused> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        let answer = answer.await.map_err(|_| Refused::Closed)?;
        answer.map_err(|refusal| match (refusal, expected) {
            (Refusal::NoTurn, _) | (Refusal::OtherTurn { .. }, None) => Refused::NoTurn,
            (Refusal::OtherTurn { running }, Some(expected)) => {
                Refused::OtherTurn { expected, running }
            }
            (Refusal::NoConversation, _) => Refused::NoConversation,
        })
    }

    async fn send(&self, command: Command) -> Result<(), Refused> {
        self.commands.send(command).await.map_err(|_| Refused::Closed)
    }
}
