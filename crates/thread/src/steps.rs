//! What the agent is doing, in a line for the ear.

use protocol::{CommandItem, EventBody, FileChangeItem, Item, ItemBody, ToolItem};

/// Characters of a command: what is longer is a script, and its beginning says enough.
const MOST_OF_A_COMMAND: usize = 80;

/// The step that begins with this event, if one does.
pub(crate) fn step(event: &EventBody) -> Option<String> {
    let EventBody::ItemStarted { turn: _, item: Item { id: _, body } } = event else { return None };
    match body {
        ItemBody::Command(CommandItem { command, .. }) => {
            let line = command.trim().lines().next()?;
            let shown: String = line.chars().take(MOST_OF_A_COMMAND).collect();
            Some(format!("Running `{shown}`."))
        }
        ItemBody::FileChange(FileChangeItem { changes, .. }) => Some(match changes.as_slice() {
            [] => "Changing files.".to_owned(),
            [only] => format!("Changing `{}`.", only.path),
            several => format!("Changing {} files.", several.len()),
        }),
        ItemBody::Tool(ToolItem { tool, .. }) => {
            Some(format!("Current step: {}.", tool.replace('_', " ")))
        }
        ItemBody::UserMessage { .. }
        | ItemBody::AgentMessage { .. }
        | ItemBody::Reasoning { .. }
        | ItemBody::Spoken { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use protocol::{CallId, ChangeKind, FileChange, ItemId, ItemStatus, TurnId};

    use super::*;

    fn told(body: ItemBody) -> Option<String> {
        let item = Item { id: ItemId::from("i"), body };
        step(&EventBody::ItemStarted { turn: TurnId::from("t"), item })
    }

    fn command(command: &str) -> ItemBody {
        ItemBody::Command(CommandItem {
            call: CallId::from("c"),
            command: command.to_owned(),
            cwd: PathBuf::from("/w"),
            status: ItemStatus::InProgress,
            exit_code: None,
            output: String::new(),
            duration: None,
        })
    }

    fn change(paths: &[&str]) -> ItemBody {
        let change = |path: &&str| FileChange {
            path: (*path).to_owned(),
            kind: ChangeKind::Add,
            diff: String::new(),
        };
        ItemBody::FileChange(FileChangeItem {
            call: CallId::from("c"),
            changes: paths.iter().map(change).collect(),
            status: ItemStatus::InProgress,
            output: String::new(),
        })
    }

    #[test]
    fn a_step_is_one_short_line() {
        let line = |body| told(body).unwrap_or_default();
        assert_eq!(line(command("cargo test\nrm -r target")), "Running `cargo test`.");
        assert_eq!(line(command(&"x".repeat(200))), format!("Running `{}`.", "x".repeat(80)));
        assert_eq!(told(command(" ")), None);
        assert_eq!(line(change(&["src/lib.rs"])), "Changing `src/lib.rs`.");
        assert_eq!(line(change(&["a", "b"])), "Changing 2 files.");
        assert_eq!(told(ItemBody::AgentMessage { text: "I look.".to_owned() }), None);
    }
}
