//! What the agent tried to do, and what came of it.

use app_server_protocol::{CommandStatus, PatchStatus, ThreadItem, ToolStatus};

use crate::exit::Exit;

#[derive(Debug, Default)]
pub(crate) struct Deeds {
    done: u32,
    refused: u32,
    /// Why the last command came to no end of its own: a sentence.
    cut_short: Option<String>,
}

impl Deeds {
    pub(crate) fn count(&mut self, item: &ThreadItem) {
        if let ThreadItem::CommandExecution { status, exit_code, aggregated_output, .. } = item {
            match (status, exit_code) {
                (CommandStatus::Completed | CommandStatus::Failed, Some(_))
                | (CommandStatus::Completed, None) => self.cut_short = None,
                (CommandStatus::Failed, None) => {
                    let why = aggregated_output.as_deref().and_then(|text| text.lines().last());
                    self.cut_short = Some(why.unwrap_or("it failed").to_owned());
                }
                // It never ran.
                (CommandStatus::Declined | CommandStatus::InProgress, _) => {}
            }
        }
        let refused = match item {
            ThreadItem::CommandExecution { status, .. } => *status == CommandStatus::Declined,
            ThreadItem::FileChange { status, .. } => *status == PatchStatus::Declined,
            ThreadItem::DynamicToolCall { status, success, .. } => {
                *status == ToolStatus::Failed && success.is_none()
            }
            ThreadItem::UserMessage { .. }
            | ThreadItem::AgentMessage { .. }
            | ThreadItem::Reasoning { .. } => return,
        };
        if refused {
            self.refused += 1;
        } else {
            self.done += 1;
        }
    }

    /// Why the work is not done although the agent has answered, if so. A command that failed is
    /// the agent's business; one that was cut short, with no other after it, is a hole in the
    /// work.
    pub(crate) fn unfinished(&self) -> Option<String> {
        let why = self.cut_short.as_ref()?;
        Some(format!("the last command of the agent came to no end of its own: {why}"))
    }

    /// What they come to, where the turn itself was completed.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self { refused: 1.., done: 0, cut_short: _ } => Exit::NothingDone,
            Self { cut_short: Some(_), .. } => Exit::Failed,
            Self { cut_short: None, .. } => Exit::Done,
        }
    }
}
