//! The agent's steps as lines for people.

use std::io;

use app_server_protocol::{
    CommandStatus, FileUpdate, FileUpdateKind, PatchStatus, ThreadItem, ToolOutput, ToolStatus,
};

use crate::console::Console;

/// Lines of output shown from the start and from the end of a longer one.
const HEAD_LINES: usize = 8;
const TAIL_LINES: usize = 24;

/// Lines of one file's changes that are shown.
const DIFF_LINES: usize = 40;

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
        ThreadItem::FileChange { changes, status, reason, id: _ } => {
            console.heading("patch")?;
            changes.iter().try_for_each(|it| change(console, it))?;
            let ended = match status {
                PatchStatus::Completed | PatchStatus::InProgress => return Ok(()),
                PatchStatus::Failed => "failed",
                PatchStatus::Declined => "refused",
            };
            match reason {
                Some(reason) => {
                    console.note(format_args!(" {ended}:"))?;
                    output(console, reason)
                }
                None => console.note(format_args!(" {ended}")),
            }
        }
        ThreadItem::Reasoning { summary, id: _, content: _ } => {
            console.heading("thinking")?;
            summary.iter().try_for_each(|text| console.aside(text))
        }
        ThreadItem::UserMessage { .. } | ThreadItem::AgentMessage { .. } => Ok(()),
    }
}

/// `M src/lib.rs (+3 -1)`, and what was changed, if it was.
fn change(console: &mut Console, change: &FileUpdate) -> io::Result<()> {
    let FileUpdate { path, kind, diff } = change;
    let (letter, target) = match kind {
        FileUpdateKind::Add => ('A', None),
        FileUpdateKind::Delete => ('D', None),
        FileUpdateKind::Update { move_path } => ('M', move_path.as_ref()),
    };
    let target = target.map_or(String::new(), |it| format!(" -> {it}"));
    // Without its two names, which the line above has.
    let lines: Vec<&str> =
        diff.lines().skip_while(|it| it.starts_with("---") || it.starts_with("+++")).collect();
    if lines.is_empty() {
        return console.note(format_args!("{letter} {path}{target}"));
    }
    let count = |mark| lines.iter().filter(|line| line.starts_with(mark)).count();
    let (added, removed) = (count('+'), count('-'));
    console.note(format_args!("{letter} {path}{target} (+{added} -{removed})"))?;
    let shown = lines.len().min(DIFF_LINES);
    lines[..shown].iter().try_for_each(|line| console.diff_line(line))?;
    match lines.len() - shown {
        0 => Ok(()),
        1 => console.aside("... 1 more line"),
        more => console.aside(&format!("... {more} more lines")),
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
