//! `write_file` and `replace_lines`: edits for a model that loses things, checked before they are
//! kept.

use std::sync::Arc;

use apply_patch::Change;
use protocol::{
    ChangeKind, FileChange, ItemStatus, Property, RepositoryFacts, Schema, ToolEffect, ToolSpec,
};
use workspace::Root;

use super::{Tool, file_choice};
use crate::arguments::{Arguments, BadArguments};
use crate::changes::{described, diff, item, write_all};
use crate::policy::may_write;
use crate::running::{Ports, RunningTool, ToolOutcome};
use crate::source::{Sources, defined_names};
use crate::syntax::{Verdict, check};
use crate::text::clip;
use crate::toolbox::{Job, Style};

pub(crate) const WRITE: Tool = Tool { name: "write_file", spec: write_spec, start: start_write };
pub(crate) const REPLACE: Tool =
    Tool { name: "replace_lines", spec: replace_spec, start: start_replace };

/// A file of this size is about what the bundled model can write again without losing parts of
/// it, and in a minute.
const SMALL_BYTES: u64 = 6000;
const SMALL_LINES: usize = 150;

/// What may be edited by lines.
const FILE_LIMIT: u64 = 1 << 20;

/// Bytes of the diff that the model sees of its own edit.
const SHOWN: usize = 1200;

fn write_spec(style: Style, facts: &RepositoryFacts) -> Option<ToolSpec> {
    if style != Style::Typed {
        return None;
    }
    Some(ToolSpec {
        name: "write_file".to_owned(),
        description: "changes a file: the whole new text, with everything that stays".to_owned(),
        parameters: vec![
            Property::required("path", "The file.", file_choice(facts, |it| is_small(facts, it))?),
            Property::required(
                "content",
                "The whole new text of the file.",
                Schema::Text { max_chars: Some(8000) },
            ),
        ],
        effect: ToolEffect::Writes,
    })
}

fn is_small(facts: &RepositoryFacts, file: &str) -> bool {
    let metadata = facts.root.join(file).symlink_metadata();
    metadata.is_ok_and(|it| it.is_file() && it.len() <= SMALL_BYTES)
}

fn replace_spec(style: Style, facts: &RepositoryFacts) -> Option<ToolSpec> {
    if style != Style::Typed {
        return None;
    }
    let line = Schema::Integer { min: Some(1), max: Some(100_000) };
    Some(ToolSpec {
        name: "replace_lines".to_owned(),
        description: "changes some lines of a long file".to_owned(),
        parameters: vec![
            Property::required("path", "The file.", file_choice(facts, |it| !is_small(facts, it))?),
            Property::required("first_line", "The first line to replace.", line.clone()),
            Property::required("last_line", "The last line to replace.", line),
            Property::required(
                "text",
                "The new lines, with their indentation.",
                Schema::Text { max_chars: Some(4000) },
            ),
        ],
        effect: ToolEffect::Writes,
    })
}

fn start_write(job: Job, arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    let content = arguments.text("content")?.to_owned();
    editing(job, arguments, move |path, before| {
        let after = as_file(&content, before);
        if SMALL_LINES < before.lines().count() {
            return Err(format!("{path} is too long to be written as a whole. Use replace_lines."));
        }
        nothing_is_lost(path, before, &after)?;
        Ok(after)
    })
}

fn start_replace(job: Job, arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    let missing = || BadArguments("Give first_line, last_line and text.".to_owned());
    let number = |name| -> Result<usize, BadArguments> {
        let number = arguments.optional_number(name)?.ok_or_else(missing)?;
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    };
    let (first, last) = (number("first_line")?, number("last_line")?);
    let text = arguments.optional_text("text")?.unwrap_or_default().to_owned();
    editing(job, arguments, move |path, before| {
        let lines: Vec<&str> = before.split_inclusive('\n').collect();
        if first == 0 || last < first || lines.len() < last {
            let count = lines.len();
            return Err(format!(
                "{path} has {count} lines; lines {first} to {last} are not in it."
            ));
        }
        let end = if before.contains("\r\n") { "\r\n" } else { "\n" };
        let mut new = String::new();
        for line in text.lines() {
            new.push_str(line);
            new.push_str(end);
        }
        // A file whose last line has no end keeps it so.
        if last == lines.len() && !before.ends_with('\n') {
            new.truncate(new.trim_end_matches(['\r', '\n']).len());
        }
        Ok(format!("{}{new}{}", lines[..first - 1].concat(), lines[last..].concat()))
    })
}

/// Reads the file, lets `edit` make the new text of it, checks that, and writes it.
fn editing(
    job: Job,
    arguments: &Arguments,
    edit: impl FnOnce(&str, &str) -> Result<String, String> + Send + 'static,
) -> Result<RunningTool, BadArguments> {
    let path = arguments.text("path")?.to_owned();
    let call = job.call.call.clone();
    let kind = ChangeKind::Update { moved_to: None };
    let planned = vec![FileChange { path: path.clone(), kind, diff: String::new() }];
    let started = item(&call, planned.clone(), ItemStatus::InProgress, "");
    Ok(RunningTool::new(started, move |mut ports| async move {
        match carry_out(&job, &mut ports, &path, edit).await {
            Ok(change) => {
                let output = told(&change);
                let changes = vec![described(&change)];
                let item = item(&call, changes, ItemStatus::Completed, &output);
                ToolOutcome { item, output }
            }
            Err(message) => {
                let output = format!("Not changed. {message}");
                let item = item(&call, planned, ItemStatus::Failed, &output);
                ToolOutcome { item, output }
            }
        }
    }))
}

async fn carry_out(
    job: &Job,
    ports: &mut Ports,
    path: &str,
    edit: impl FnOnce(&str, &str) -> Result<String, String> + Send + 'static,
) -> Result<Change, String> {
    may_write(&job.context.sandbox)?;
    let facts = Arc::clone(&job.context.facts);
    let given = path.to_owned();
    let change = blocking(move || {
        let root = Root::of(&facts).map_err(|error| format!("{error}."))?;
        let path = root.relative(&given).map_err(|error| format!("{error}."))?;
        root.may_change(&path).map_err(|error| format!("{error}."))?;
        let sources = Sources { root: &root, facts: &facts };
        let before = match root.read(&path, FILE_LIMIT) {
            Ok(_) => sources.text(&path).ok_or_else(|| format!("{path} is not text."))?,
            Err(error) => return Err(format!("{error}.")),
        };
        let after = edit(&path, &before)?;
        if after == before {
            return Err(format!("That is what {path} says already."));
        }
        Ok(Change { path, before: Some(before), after: Some(after), moved_to: None })
    })
    .await?;
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    if let Verdict::Broken(complaint) =
        check(job, ports, &change.path, after.unwrap_or_default()).await
    {
        // What was broken before may stay so for now.
        let was = check(job, ports, &change.path, before.unwrap_or_default()).await;
        if was == Verdict::Fine {
            return Err(format!("The new text has a syntax error: {complaint}"));
        }
    }
    let facts = Arc::clone(&job.context.facts);
    blocking(move || {
        let root = Root::of(&facts).map_err(|error| format!("{error}."))?;
        // Not over what somebody else wrote in the meantime.
        let now = root.read(&change.path, FILE_LIMIT).map_err(|error| format!("{error}."))?;
        if change.before.as_deref().map(str::as_bytes) != Some(&now) {
            return Err(format!("{} was changed by somebody else; read it again.", change.path));
        }
        let written = write_all(&root, std::slice::from_ref(&change));
        written.map_err(|error| format!("{error}."))?;
        Ok(change)
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err("The tool failed.".to_owned()))
}

/// The new text with the old one's habits: line ends, and an end of the last line.
fn as_file(content: &str, before: &str) -> String {
    let mut text = content.to_owned();
    // Small models put the file into a fence, as they do when they answer.
    if let Some(fenced) = text.trim().strip_prefix("```")
        && let Some((_language, rest)) = fenced.split_once('\n')
        && let Some(inside) = rest.strip_suffix("```")
    {
        text = inside.to_owned();
    }
    if before.contains("\r\n") && !text.contains("\r\n") {
        text = text.replace('\n', "\r\n");
    }
    if (before.is_empty() || before.ends_with('\n')) && !text.ends_with('\n') {
        text.push_str(if before.contains("\r\n") { "\r\n" } else { "\n" });
    }
    text
}

/// Refuses what small models do: leave out most of the file, write "the rest stays" for it, or
/// replace a function by its test.
fn nothing_is_lost(path: &str, before: &str, after: &str) -> Result<(), String> {
    const AGAIN: &str = "Write the whole file with everything that is in it now.";
    let meaningful = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();
    if meaningful(after) == 0 {
        return Err(format!("The new text is empty. {AGAIN}"));
    }
    let placeholder =
        after.lines().find(|line| is_placeholder(line) && !before.contains(line.trim()));
    if let Some(line) = placeholder {
        return Err(format!("`{}` stands for something else. {AGAIN}", line.trim()));
    }
    let kept = defined_names(after);
    let lost: Vec<String> = defined_names(before)
        .into_iter()
        .filter(|name| !kept.contains(name) && !is_renamed(name, before, after))
        .collect();
    if !lost.is_empty() {
        return Err(format!("It would remove {} from {path}. {AGAIN}", lost.join(", ")));
    }
    let (had, has) = (meaningful(before), meaningful(after));
    if 10 < had && has * 2 < had {
        return Err(format!("It would leave {has} of {had} lines of {path}. {AGAIN}"));
    }
    Ok(())
}

fn is_placeholder(line: &str) -> bool {
    let line = line.trim();
    let comment = ["//", "#", "/*", "--", "<!--"].iter().find_map(|it| line.strip_prefix(it));
    let text = comment.map_or(line, str::trim).to_lowercase();
    if text == "..." && comment.is_none() {
        // An ellipsis is a statement in Python.
        return false;
    }
    let words = ["existing code", "rest of the", "remaining code", "unchanged", "same as before"];
    comment.is_some()
        && (text.starts_with("...")
            || text.starts_with('\u{2026}')
            || (text.contains("...") || text.ends_with("here"))
                && words.iter().any(|it| text.contains(it)))
}

/// A function whose body is still there has a new name.
fn is_renamed(name: &str, before: &str, after: &str) -> bool {
    let mut body = before
        .lines()
        .skip_while(|line| !defined_names(line).iter().any(|it| it == name))
        .skip(1)
        .take_while(|line| defined_names(line).is_empty())
        .map(str::trim)
        // Brackets alone are everywhere.
        .filter(|line| line.chars().any(char::is_alphanumeric))
        .peekable();
    if body.peek().is_none() {
        return false;
    }
    let (mut all, mut kept) = (0, 0);
    for line in body {
        all += 1;
        kept += usize::from(after.lines().any(|it| it.trim() == line));
    }
    all <= kept * 2
}

/// The changed lines, so that the model can see what it did.
fn told(change: &Change) -> String {
    let diff = diff(change);
    let lines: Vec<&str> = diff.lines().skip(2).filter(|line| !line.starts_with("@@")).collect();
    format!("{} is changed:\n{}", change.path, clip(&lines.join("\n"), SHOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "def add(a, b):\n    return a - b\n\n\ndef twice(a):\n    return add(a, a)\n";

    #[track_caller]
    fn refused(after: &str, because: &str) {
        let refused = nothing_is_lost("calc.py", FILE, after).unwrap_err();
        assert!(refused.starts_with(because), "{refused}");
    }

    #[test]
    fn losses_are_refused() {
        refused("", "The new text is empty.");
        refused("def test_add():\n    assert add(1, 2) == 3\n", "It would remove add, twice from");
        refused(
            "def add(a, b):\n    return a + b\n\n# ... rest of the code\n",
            "`# ... rest of the code` stands for",
        );
        refused(
            "def add(a, b):\n    return a + b\n# existing code here\n",
            "`# existing code here`",
        );
        let long: String = (0..20).map(|it| format!("x{it} = {it}\n")).collect();
        let refused = nothing_is_lost("x.py", &long, "x0 = 0\n").unwrap_err();
        assert!(refused.starts_with("It would leave 1 of 20 lines"), "{refused}");
    }

    #[test]
    fn edits_that_keep_what_was_there_pass() {
        for after in [
            FILE.replace('-', "+"),
            format!("{FILE}\n\ndef test_add():\n    assert add(1, 2) == 3\n"),
            FILE.replace("twice", "double"),
            format!("import os\n{FILE}"),
        ] {
            assert_eq!(nothing_is_lost("calc.py", FILE, &after), Ok(()), "{after}");
        }
    }

    #[test]
    fn files_keep_their_habits() {
        assert_eq!(as_file("a\nb", "x\n"), "a\nb\n");
        assert_eq!(as_file("a\nb", "x\r\n"), "a\r\nb\r\n");
        assert_eq!(as_file("a", "x"), "a");
        assert_eq!(as_file("```python\na\n```", "x\n"), "a\n");
    }
}
