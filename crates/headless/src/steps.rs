//! The agent's steps as lines for people.

use std::io;

use app_server_protocol::{
    CommandStatus, FileUpdateKind, PatchStatus, ThreadItem, ToolOutput, ToolStatus,
};

use crate::console::Console;

/// Lines of output shown from the start and from the end of a longer one.
const HEAD_LINES: usize = 8;
const TAIL_LINES: usize = 24;

/// An item began: what there is to say before it ends.
pub(crate) fn started(console: &mut Console, item: &ThreadItem) -> io::Result<()> {
    match item {
        ThreadItem::CommandExecution { command, cwd, .. } => {
            console.heading("exec")?;
            console.note(format_args!("{command} in {cwd}"))
        }
        ThreadItem::DynamicToolCall { tool, arguments, .. } => {
            console.heading("tool")?;
            console.note(format_args!("{tool} {arguments}"))
        }
        ThreadItem::UserMessage { .. }
        | ThreadItem::AgentMessage { .. }
        | ThreadItem::Reasoning { .. }
        | ThreadItem::FileChange { .. } => Ok(()),
    }
}

/// An item ended. Messages are not said here: where they go depends on whether they are the
/// last.
pub(crate) fn completed(console: &mut Console, item: &ThreadItem) -> io::Result<()> {
    match item {
        ThreadItem::CommandExecution {
            status,
            exit_code,
            aggregated_output,
            duration_ms,
            id: _,
            command: _,
            cwd: _,
            command_actions: _,
        } => {
            let took = took(*duration_ms);
            let ended = match (status, exit_code) {
                (CommandStatus::Declined, _) => "refused:".to_owned(),
                (CommandStatus::Completed, Some(0) | None) => format!("succeeded{took}:"),
                (_, Some(code)) => format!("exited {code}{took}:"),
                (_, None) => format!("failed{took}:"),
            };
            console.note(format_args!(" {ended}"))?;
            output(console, aggregated_output.as_deref().unwrap_or_default())
        }
        ThreadItem::DynamicToolCall {
            status,
            content_items,
            duration_ms,
            success,
            id: _,
            namespace: _,
            tool: _,
            arguments: _,
        } => {
            let took = took(*duration_ms);
            let ended = match (status, success) {
                (ToolStatus::Completed, _) => "succeeded",
                (ToolStatus::Failed, None) => "refused",
                (ToolStatus::InProgress | ToolStatus::Failed, _) => "failed",
            };
            console.note(format_args!(" {ended}{took}:"))?;
            for item in content_items.iter().flatten() {
                let ToolOutput::InputText { text } = item;
                output(console, text)?;
            }
            Ok(())
        }
        ThreadItem::FileChange { changes, status, id: _ } => {
            console.heading("patch")?;
            for change in changes {
                let letter = match change.kind {
                    FileUpdateKind::Add => 'A',
                    FileUpdateKind::Delete => 'D',
                    FileUpdateKind::Update { .. } => 'M',
                };
                console.note(format_args!("{letter} {}", change.path))?;
            }
            match status {
                PatchStatus::Completed | PatchStatus::InProgress => Ok(()),
                PatchStatus::Failed => console.note(" failed"),
                PatchStatus::Declined => console.note(" refused"),
            }
        }
        ThreadItem::Reasoning { summary, id: _, content: _ } => {
            console.heading("thinking")?;
            summary.iter().try_for_each(|text| console.aside(text))
        }
        ThreadItem::UserMessage { .. } | ThreadItem::AgentMessage { .. } => Ok(()),
    }
}

fn took(duration_ms: Option<u64>) -> String {
    duration_ms.map_or(String::new(), |ms| format!(" in {ms}ms"))
}

fn output(console: &mut Console, text: &str) -> io::Result<()> {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    if lines.len() <= HEAD_LINES + TAIL_LINES + 1 {
        return lines.iter().try_for_each(|line| console.aside(line));
    }
    let (head, rest) = lines.split_at(HEAD_LINES);
    let (middle, tail) = rest.split_at(rest.len() - TAIL_LINES);
    head.iter().try_for_each(|line| console.aside(line))?;
    console.aside(&format!("... {} lines ...", middle.len()))?;
    tail.iter().try_for_each(|line| console.aside(line))
}
