//! `apply_patch`: changes of files, in the form that large models know.

use std::sync::Arc;

use apply_patch::{Change, Operation, Patch, Tree, apply};
use protocol::{
    ChangeKind, FileChange, ItemStatus, Property, RepositoryFacts, Schema, ToolEffect, ToolSpec,
};
use workspace::{PathError, Root};

use super::Tool;
use crate::arguments::{Arguments, BadArguments};
use crate::changes::{described, item, summed_up, write_all};
use crate::policy::may_write;
use crate::running::{RunningTool, ToolOutcome};
use crate::toolbox::{Job, Style};

pub(crate) const TOOL: Tool = Tool { name: "apply_patch", spec, start };

/// Larger files are not edited by hand.
const FILE_LIMIT: u64 = 8 << 20;

const DESCRIPTION: &str = "\
Changes files by a patch of this form, all of it or nothing:
*** Begin Patch
*** Update File: path/of/file
@@ a line above the change, to say which place is meant
 an unchanged line
-a line to remove
+a line to add
*** Add File: path/of/new
+every line of it
*** Delete File: path/of/old
*** End Patch
An `*** Update File` may be followed by `*** Move to: new/path`. Paths are relative to the root of \
the workspace. There are no line numbers: give three unchanged lines before and after a change, \
exactly as they are in the file.";

fn spec(style: Style, _facts: &RepositoryFacts) -> Option<ToolSpec> {
    (style == Style::Full).then(|| ToolSpec {
        name: "apply_patch".to_owned(),
        description: DESCRIPTION.to_owned(),
        parameters: vec![Property::required(
            "input",
            "The whole patch.",
            Schema::Text { max_chars: None },
        )],
        effect: ToolEffect::Writes,
    })
}

fn start(job: Job, arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    Ok(applying(job, arguments.text("input")?.to_owned()))
}

/// A script that is nothing but a call of `apply_patch` as if it were a program, which is how some
/// models were taught to use it: the patch in it.
pub(super) fn in_script(script: &str) -> Option<&str> {
    const BEGIN: &str = "*** Begin Patch";
    const END: &str = "*** End Patch";
    let (before, rest) = script.split_once(BEGIN)?;
    let (_, after) = rest.rsplit_once(END)?;
    let patch = &script[before.len()..script.len() - after.len()];
    // A here-document or a quoted argument, and what closes it.
    let opening = before.trim().strip_prefix("apply_patch")?;
    let quiet = |text: &str| {
        let mark = |c: char| c.is_alphanumeric() || " \t\r\n<-_'\"".contains(c);
        text.chars().all(mark)
    };
    let separated = opening.is_empty() || opening.starts_with([' ', '\t', '\n', '<', '\'', '"']);
    (separated && quiet(opening) && quiet(after) && after.split_whitespace().count() <= 1)
        .then_some(patch)
}

pub(super) fn applying(job: Job, text: String) -> RunningTool {
    let call = job.call.call.clone();
    let planned = Patch::parse(&text).map(|patch| planned(&patch)).unwrap_or_default();
    let started = item(&call, planned.clone(), ItemStatus::InProgress, "");
    RunningTool::new(started, move |_ports| async move {
        let done = tokio::task::spawn_blocking(move || carry_out(&job, &text)).await;
        let done = done.unwrap_or_else(|_| Err("The tool failed.".to_owned()));
        match done {
            Ok(changes) => {
                let names: Vec<String> = changes.iter().map(summed_up).collect();
                let output = format!("Done: {}.", names.join(", "));
                let changes = changes.iter().map(described).collect();
                let item = item(&call, changes, ItemStatus::Completed, &output);
                ToolOutcome { item, output }
            }
            Err(message) => {
                let item = item(&call, planned, ItemStatus::Failed, &message);
                ToolOutcome { item, output: message }
            }
        }
    })
}

/// What will be touched; the differences are known when the files were read.
fn planned(patch: &Patch) -> Vec<FileChange> {
    let change = |operation: &Operation| {
        let (path, kind) = match operation {
            Operation::Add { path, lines: _ } => (path, ChangeKind::Add),
            Operation::Delete { path } => (path, ChangeKind::Delete),
            Operation::Update { path, moved_to, hunks: _ } => {
                (path, ChangeKind::Update { moved_to: moved_to.clone() })
            }
        };
        FileChange { path: path.clone(), kind, diff: String::new() }
    };
    patch.operations.iter().map(change).collect()
}

fn carry_out(job: &Job, text: &str) -> Result<Vec<Change>, String> {
    may_write(&job.context.sandbox)?;
    let failed = |error: &dyn std::fmt::Display| format!("Nothing was changed: {error}.");
    let patch = Patch::parse(text).map_err(|error| failed(&error))?;
    let facts = Arc::clone(&job.context.facts);
    let root = Root::of(&facts).map_err(|error| failed(&error))?;
    let patch = patch.try_map_paths(|path| root.relative(path)).map_err(|error| failed(&error))?;
    let mut tree = Tree::new();
    for path in patch.paths() {
        match root.read(path, FILE_LIMIT) {
            Ok(bytes) => drop(tree.insert(path.to_owned(), bytes)),
            // Perhaps it is to be made; if not, the patch says so better.
            Err(PathError::Missing(_)) => (),
            Err(error) => return Err(failed(&error)),
        }
    }
    let changes = apply(&patch, &tree).map_err(|error| failed(&error))?;
    write_all(&root, &changes).map_err(|error| failed(&error))?;
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_in_scripts() {
        let patch = "*** Begin Patch\n*** Delete File: a\n*** End Patch";
        for script in [
            format!("apply_patch <<'EOF'\n{patch}\nEOF\n"),
            format!("apply_patch << EOF\n{patch}\nEOF"),
            format!("apply_patch '{patch}'"),
            format!("\napply_patch \"\n{patch}\n\""),
        ] {
            assert_eq!(in_script(&script), Some(patch), "{script}");
        }
        for script in [
            format!("cat <<EOF\n{patch}\nEOF"),
            format!("apply_patch <<EOF\n{patch}\nEOF\nrm -rf x"),
            format!("apply_patch2 <<EOF\n{patch}\nEOF"),
            format!("apply_patch $(evil) <<EOF\n{patch}\nEOF"),
            "apply_patch --help".to_owned(),
        ] {
            assert_eq!(in_script(&script), None, "{script}");
        }
    }
}
