//! The tool calls of one response: which may run now, and their answers in order.
//!
//! Runs of calls that only read go side by side. A call that may change the world waits for
//! everything before it and holds back everything after it, so the outcome is the same as
//! if the calls had been made one by one.

use protocol::{CallId, ItemBody, ItemId, ToolCall, ToolEffect};

use crate::Epoch;

#[derive(Debug, Default)]
pub(crate) struct Batch {
    calls: Vec<Call>,
    /// How many answers were handed out, from the first.
    answered: usize,
}

#[derive(Debug)]
struct Call {
    call: ToolCall,
    effect: ToolEffect,
    item: ItemId,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting,
    /// `body` is known when the tool said how it begins.
    Running {
        run: Epoch,
        body: Option<ItemBody>,
    },
    Answered {
        output: String,
    },
}

/// A call that may begin now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) run: Epoch,
    pub(crate) item: ItemId,
    pub(crate) call: ToolCall,
    pub(crate) effect: ToolEffect,
}

/// A running call, as the rest of the turn needs it.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    pub(crate) call: &'a CallId,
    pub(crate) item: &'a ItemId,
    pub(crate) effect: ToolEffect,
    pub(crate) body: &'a mut Option<ItemBody>,
}

impl Batch {
    pub(crate) fn add(&mut self, call: ToolCall, effect: ToolEffect, item: ItemId) {
        self.calls.push(Call { call, effect, item, state: State::Waiting });
    }

    /// A call that is answered without being run.
    pub(crate) fn add_answered(&mut self, call: ToolCall, item: ItemId, output: String) {
        let state = State::Answered { output };
        self.calls.push(Call { call, effect: ToolEffect::Reads, item, state });
    }

    pub(crate) fn is_done(&self) -> bool {
        self.answered == self.calls.len()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.calls.iter().any(|call| matches!(call.state, State::Running { .. }))
    }

    /// The next call that may begin, marked as running from now on.
    pub(crate) fn begin(&mut self, next_run: impl FnOnce() -> Epoch) -> Option<Begin> {
        let mut unfinished_before = false;
        for call in &mut self.calls {
            match (&call.state, call.effect) {
                (State::Answered { .. }, _) => continue,
                (State::Waiting, ToolEffect::Reads) => (),
                (State::Waiting, ToolEffect::Writes | ToolEffect::Runs) if unfinished_before => {
                    return None;
                }
                (State::Waiting, ToolEffect::Writes | ToolEffect::Runs) => (),
                (State::Running { .. }, ToolEffect::Reads) => {
                    unfinished_before = true;
                    continue;
                }
                (State::Running { .. }, ToolEffect::Writes | ToolEffect::Runs) => return None,
            }
            let run = next_run();
            call.state = State::Running { run, body: None };
            return Some(Begin {
                run,
                item: call.item.clone(),
                call: call.call.clone(),
                effect: call.effect,
            });
        }
        None
    }

    pub(crate) fn running(&mut self, wanted: Epoch) -> Option<Running<'_>> {
        self.calls.iter_mut().find_map(|call| match &mut call.state {
            State::Running { run, body } if *run == wanted => {
                Some(Running { call: &call.call.call, item: &call.item, effect: call.effect, body })
            }
            State::Running { .. } | State::Waiting | State::Answered { .. } => None,
        })
    }

    /// Marks a running call as answered.
    pub(crate) fn finish(&mut self, wanted: Epoch, output: String) {
        for call in &mut self.calls {
            match call.state {
                State::Running { run, .. } if run == wanted => {
                    call.state = State::Answered { output };
                    return;
                }
                State::Running { .. } | State::Waiting | State::Answered { .. } => (),
            }
        }
    }

    /// Answers the calls that have not begun. They have no item: nobody saw them.
    pub(crate) fn abandon_waiting(&mut self, output: &str) {
        for call in &mut self.calls {
            match call.state {
                State::Waiting => {
                    call.state = State::Answered { output: output.to_owned() };
                }
                State::Running { .. } | State::Answered { .. } => (),
            }
        }
    }

    pub(crate) fn runs(&self) -> Vec<Epoch> {
        let run = |call: &Call| match call.state {
            State::Running { run, .. } => Some(run),
            State::Waiting | State::Answered { .. } => None,
        };
        self.calls.iter().filter_map(run).collect()
    }

    /// The next answer in the order of the calls, once everything before it is answered.
    pub(crate) fn next_answer(&mut self) -> Option<(CallId, String)> {
        let call = self.calls.get_mut(self.answered)?;
        match &mut call.state {
            State::Answered { output } => {
                let output = std::mem::take(output);
                let id = call.call.call.clone();
                self.answered += 1;
                Some((id, output))
            }
            State::Waiting | State::Running { .. } => None,
        }
    }
}
