//! Whether the agent really did what it says, and said what it did.

use protocol::{CommandItem, Item, ItemBody, ItemStatus, ToolItem};

/// A run of the tests that the thread's log proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRun {
    pub command: String,
    pub exit_code: Option<i32>,
}

/// The first run of the tests, among the items of a thread's log, in which `failing_test`
/// failed.
pub fn test_run<'a>(
    items: impl IntoIterator<Item = &'a Item>,
    failing_test: &str,
) -> Option<TestRun> {
    let failed = format!("{failing_test} ... FAILED");
    items.into_iter().find_map(|item| match &item.body {
        ItemBody::Command(CommandItem {
            call: _,
            command,
            cwd: _,
            status,
            exit_code: exit_code @ Some(1..),
            output,
            duration: _,
        }) if ran(*status) && output.contains(&failed) => {
            Some(TestRun { command: command.clone(), exit_code: *exit_code })
        }
        ItemBody::Tool(ToolItem { call: _, tool, arguments: _, status, result, duration: _ })
            if ran(*status) && result.contains(&failed) =>
        {
            Some(TestRun { command: tool.clone(), exit_code: None })
        }
        ItemBody::Command(_)
        | ItemBody::Tool(_)
        | ItemBody::UserMessage { .. }
        | ItemBody::AgentMessage { .. }
        | ItemBody::Reasoning { .. }
        | ItemBody::FileChange(_)
        | ItemBody::Spoken { .. } => None,
    })
}

/// Whether the words of `name` (`parses_empty_line`) were said, in order and side by side.
///
/// `heard` went through a voice and back through an ear, which confuse similar sounds: a long
/// word may be wrong by one letter.
pub fn names_in(heard: &str, name: &str) -> bool {
    let heard = words(heard);
    let name = words(name);
    heard.windows(name.len()).any(|said| said.iter().zip(&name).all(|(a, b)| alike(a, b)))
}

fn ran(status: ItemStatus) -> bool {
    match status {
        ItemStatus::Completed | ItemStatus::Failed => true,
        ItemStatus::InProgress | ItemStatus::Declined => false,
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|word| word.replace('\'', "").to_lowercase())
        .filter(|word| !word.is_empty())
        .collect()
}

fn alike(heard: &str, word: &str) -> bool {
    heard == word || (word.chars().count() >= 5 && is_one_edit_away(heard, word))
}

fn is_one_edit_away(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    if long.len() - short.len() > 1 {
        return false;
    }
    let same = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let rest = usize::from(short.len() == long.len());
    short.get(same + rest..) == long.get(same + 1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_heard_however_it_is_written() {
        for heard in [
            "One test fails: parses_empty_line.",
            "One test failed. parses empty line",
            "The failing test is Parses Empty-Line, at line 52.",
            "five passed; passes empty line failed",
            "it's parse's empty line",
        ] {
            assert!(names_in(heard, "parses_empty_line"), "{heard}");
        }
        for heard in [
            "All tests pass.",
            "parses a line",
            "empty line parses",
            "One test fails: trims spaces.",
            "the parser's empty lines",
            "",
        ] {
            assert!(!names_in(heard, "parses_empty_line"), "{heard}");
        }
    }

    fn command(status: ItemStatus, exit_code: Option<i32>, output: &str) -> ItemBody {
        ItemBody::Command(CommandItem {
            call: "c".into(),
            command: "cargo test".into(),
            cwd: "/w".into(),
            status,
            exit_code,
            output: output.into(),
            duration: None,
        })
    }

    #[test]
    fn only_a_real_run_counts() {
        let failed = "test tests::parses_empty_line ... FAILED\n";
        let run = |body| test_run(&[Item { id: "i".into(), body }], "parses_empty_line");
        assert_eq!(
            run(command(ItemStatus::Failed, Some(101), failed)),
            Some(TestRun { command: "cargo test".into(), exit_code: Some(101) })
        );
        assert_eq!(run(command(ItemStatus::Declined, None, failed)), None);
        assert_eq!(run(command(ItemStatus::Completed, Some(0), failed)), None);
        assert_eq!(run(command(ItemStatus::Failed, Some(101), "error: no such command")), None);
        assert_eq!(run(ItemBody::AgentMessage { text: failed.into() }), None);
    }
}
