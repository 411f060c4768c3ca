//! A thread as its events tell it: what `thread/read` answers.

use protocol::{Event, EventBody, ItemBody, TurnStatus};

use crate::news::{Origin, seconds, thread_item};
use crate::thread::{Thread, ThreadStatus};
use crate::turn::{Turn, TurnState};

/// How much of the first message stands for the thread in lists.
const PREVIEW_CHARS: usize = 200;

/// The thread that these events, from its first one on, have made. `None` without a start.
///
/// Items that never completed are left out: they are told as notifications while they run.
pub fn replay<'a>(
    events: impl IntoIterator<Item = &'a Event>,
    origin: Origin<'_>,
) -> Option<Thread> {
    let mut thread: Option<Thread> = None;
    for event in events {
        let Event { thread: id, seq: _, at, body } = event;
        if let EventBody::ThreadStarted { settings } = body {
            thread = Some(Thread::new(id, settings, *at, origin));
        }
        let Some(thread) = &mut thread else { continue };
        match body {
            EventBody::TurnPreparing { turn: _ } => {
                thread.status = ThreadStatus::Active { active_flags: Vec::new() };
            }
            EventBody::TurnStarted { turn, source: _ } => {
                let started_at = Some(seconds(*at));
                thread.turns.push(Turn { started_at, ..Turn::new(turn, &TurnStatus::InProgress) });
            }
            EventBody::ItemCompleted { turn, item } => {
                if let ItemBody::UserMessage { text, source: _ } = &item.body
                    && thread.preview.is_empty()
                {
                    thread.preview = text.chars().take(PREVIEW_CHARS).collect();
                }
                let turn = thread.turns.iter_mut().rev().find(|it| it.id == turn.as_str());
                if let Some(turn) = turn {
                    turn.items.extend(thread_item(item));
                }
            }
            EventBody::TurnCompleted { turn, status } => {
                let ended = Turn::new(turn, status);
                thread.status = match ended.status {
                    TurnState::Failed => ThreadStatus::SystemError,
                    TurnState::InProgress | TurnState::Completed | TurnState::Interrupted => {
                        ThreadStatus::Idle
                    }
                };
                let turn = thread.turns.iter_mut().rev().find(|it| it.id == turn.as_str());
                if let Some(turn) = turn {
                    turn.status = ended.status;
                    turn.error = ended.error;
                    turn.completed_at = Some(seconds(*at));
                }
            }
            EventBody::ThreadStarted { .. }
            | EventBody::ItemStarted { .. }
            | EventBody::AgentMessageDelta { .. }
            | EventBody::ReasoningDelta { .. }
            | EventBody::CommandOutputDelta { .. }
            | EventBody::TokenUsage { .. }
            | EventBody::Retrying { .. }
            | EventBody::Warning { .. }
            | EventBody::Realtime(_) => {}
        }
        thread.updated_at = seconds(*at);
    }
    thread
}
