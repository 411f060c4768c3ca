//! What the agent tried to do, and what it was let do.

use app_server_protocol::{CommandStatus, PatchStatus, ThreadItem, ToolStatus};

#[derive(Debug, Default)]
pub(crate) struct Deeds {
    done: u32,
    refused: u32,
}

impl Deeds {
    pub(crate) fn count(&mut self, item: &ThreadItem) {
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

    pub(crate) fn all_refused(&self) -> bool {
        self.refused > 0 && self.done == 0
    }
}
