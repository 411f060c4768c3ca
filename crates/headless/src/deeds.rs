//! What the agent tried to do, and what came of it.

use std::collections::BTreeSet;

use app_server_protocol::{
    CommandStatus, FileUpdate, FileUpdateKind, PatchStatus, ThreadItem, ToolStatus,
};

use crate::exit::Exit;

/// Commands and changes of files. Looking at files is none.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    done: u32,
    refused: u32,
    commands: u32,
    files: Files,
    /// Why the last command came to no end of its own: a sentence.
    cut_short: Option<String>,
}

/// What became of the changes of files.
#[derive(Debug, Default)]
struct Files {
    changed: BTreeSet<String>,
    failed: u32,
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
            ThreadItem::CommandExecution { status, .. } => {
                self.commands += 1;
                *status == CommandStatus::Declined
            }
            ThreadItem::FileChange { changes, status, .. } => {
                self.files.count(changes, *status);
                *status == PatchStatus::Declined
            }
            ThreadItem::DynamicToolCall { status, success, .. } => {
                if *status != ToolStatus::Failed || success.is_some() {
                    return;
                }
                true
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

    /// What became of files, if any were to be changed, and of acts that were refused: not in the
    /// agent's words.
    pub(crate) fn summary(&self) -> Option<String> {
        let Self { done: _, refused, commands, files: Files { changed, failed }, cut_short: _ } =
            self;
        let tried = !changed.is_empty() || 0 < *failed;
        let mut parts = Vec::new();
        if tried {
            // What commands change is not known.
            let by = if *commands == 0 { "" } else { " by patches" };
            let failed = match failed {
                0 => String::new(),
                failed => format!(" ({failed} failed)"),
            };
            let changed = match changed.len() {
                0 => "none".to_owned(),
                count => count.to_string(),
            };
            parts.push(format!("files changed{by}: {changed}{failed}"));
        }
        if 0 < *refused {
            parts.push(format!("acts refused: {refused}"));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
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
            Self { refused: 1.., done: 0, .. } => Exit::NothingDone,
            Self { cut_short: Some(_), .. } => Exit::Failed,
            Self { cut_short: None, .. } => Exit::Done,
        }
    }
}

impl Files {
    fn count(&mut self, changes: &[FileUpdate], status: PatchStatus) {
        match status {
            PatchStatus::Completed => {
                self.changed.extend(changes.iter().map(|FileUpdate { path, kind, diff: _ }| {
                    match kind {
                        FileUpdateKind::Update { move_path: Some(target) } => target.clone(),
                        FileUpdateKind::Update { move_path: None }
                        | FileUpdateKind::Add
                        | FileUpdateKind::Delete => path.clone(),
                    }
                }));
            }
            PatchStatus::Failed => self.failed += 1,
            // Counted as refused.
            PatchStatus::Declined | PatchStatus::InProgress => {}
        }
    }
}
