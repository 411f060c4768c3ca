//! Changes of files: as diffs for people, and onto the disk.

use std::fs::Metadata;

use apply_patch::Change;
use protocol::{CallId, ChangeKind, FileChange, FileChangeItem, ItemBody, ItemStatus};
use similar::TextDiff;
use workspace::{PathError, Root};

/// Lines around a change.
const CONTEXT: usize = 3;

pub(crate) fn item(
    call: &CallId,
    changes: Vec<FileChange>,
    status: ItemStatus,
    output: &str,
) -> ItemBody {
    let output = output.to_owned();
    ItemBody::FileChange(FileChangeItem { call: call.clone(), changes, status, output })
}

pub(crate) fn described(change: &Change) -> FileChange {
    let Change { path, before, after, moved_to } = change;
    let kind = match (before, after) {
        (None, _) => ChangeKind::Add,
        (Some(_), None) => ChangeKind::Delete,
        (Some(_), Some(_)) => ChangeKind::Update { moved_to: moved_to.clone() },
    };
    // A file that was made and moved in one patch was made where it is.
    let place = match kind {
        ChangeKind::Add => moved_to.as_ref().unwrap_or(path),
        ChangeKind::Delete | ChangeKind::Update { .. } => path,
    };
    FileChange { path: place.clone(), diff: diff(change), kind }
}

/// `src/lib.rs (2 lines added, 1 removed)`
pub(crate) fn summed_up(change: &Change) -> String {
    let Change { path, before, after, moved_to } = change;
    let (before, after) = match (before, after) {
        (None, _) => {
            return format!("{} (new)", moved_to.as_ref().unwrap_or(path));
        }
        (Some(_), None) => return format!("{path} (deleted)"),
        (Some(before), Some(after)) => (before, after),
    };
    let changes: Vec<similar::ChangeTag> = TextDiff::from_lines(before.as_str(), after.as_str())
        .iter_all_changes()
        .map(|change| change.tag())
        .collect();
    let count = |tag| changes.iter().filter(|it| **it == tag).count();
    let (added, removed) = (count(similar::ChangeTag::Insert), count(similar::ChangeTag::Delete));
    let name = match moved_to {
        Some(target) => format!("{path} to {target}"),
        None => path.clone(),
    };
    let plural = if added == 1 { "line" } else { "lines" };
    format!("{name} ({added} {plural} added, {removed} removed)")
}

/// Unified, with the names that `git diff` writes.
pub(crate) fn diff(change: &Change) -> String {
    let Change { path, before, after, moved_to } = change;
    let target = moved_to.as_ref().unwrap_or(path);
    let old = before.as_ref().map_or("/dev/null".to_owned(), |_| format!("a/{path}"));
    let new = after.as_ref().map_or("/dev/null".to_owned(), |_| format!("b/{target}"));
    let before = before.as_deref().unwrap_or_default();
    let after = after.as_deref().unwrap_or_default();
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(CONTEXT).header(&old, &new).to_string()
}

/// Writes all changes or none: what was done before a failure is taken back.
pub(crate) fn write_all(root: &Root, changes: &[Change]) -> Result<(), PathError> {
    for change in changes {
        root.may_change(&change.path)?;
        if let Some(target) = &change.moved_to {
            root.may_change(target)?;
        }
    }
    // All of them before the first write: files may change places.
    let originals = originals(root, changes)?;
    let steps = steps(changes);
    for (index, step) in steps.iter().enumerate() {
        if let Err(error) = step.carry_out(root, &originals) {
            for done in steps[..=index].iter().rev() {
                done.take_back(root, &originals);
            }
            return Err(error);
        }
    }
    Ok(())
}

/// A file as it is before the changes.
struct Original<'a> {
    path: &'a str,
    text: &'a str,
    metadata: Metadata,
}

fn originals<'a>(root: &Root, changes: &'a [Change]) -> Result<Vec<Original<'a>>, PathError> {
    let existing =
        changes.iter().filter_map(|change| Some((&change.path, change.before.as_ref()?)));
    existing
        .map(|(path, text)| Ok(Original { path, text, metadata: root.metadata(path)? }))
        .collect()
}

enum Step<'a> {
    Write { target: &'a str, text: &'a str, from: &'a str },
    Remove { path: &'a str },
}

/// A file that is moved is there twice for a moment, rather than not at all: all files are written
/// before any is removed, and none is removed that was written. Only a file that becomes a
/// directory must go first.
fn steps(changes: &[Change]) -> Vec<Step<'_>> {
    let writes = changes.iter().filter_map(|change| {
        let Change { path, before: _, after, moved_to } = change;
        let target = moved_to.as_ref().unwrap_or(path);
        Some(Step::Write { target, text: after.as_ref()?, from: path })
    });
    let writes: Vec<Step<'_>> = writes.collect();
    let targets = || {
        writes.iter().filter_map(|step| match step {
            Step::Write { target, .. } => Some(*target),
            Step::Remove { .. } => None,
        })
    };
    let sources = changes.iter().filter(|change| change.before.is_some());
    let left = sources.map(|change| change.path.as_str()).filter(|path| {
        let path = *path;
        targets().all(|target| target != path)
    });
    let in_the_way = |path: &str| {
        targets().any(|it| it.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    };
    let (first, last): (Vec<&str>, Vec<&str>) = left.partition(|path| in_the_way(path));
    let remove = |path| Step::Remove { path };
    let (first, last) = (first.into_iter().map(remove), last.into_iter().map(remove));
    first.chain(writes).chain(last).collect()
}

impl Step<'_> {
    fn carry_out(&self, root: &Root, originals: &[Original<'_>]) -> Result<(), PathError> {
        match self {
            Self::Remove { path } => root.remove(path),
            Self::Write { target, text, from } => {
                // Its mode goes along with a file.
                match originals.iter().find(|it| it.path == *from && from != target) {
                    Some(moved) => root.write_like(target, text.as_bytes(), &moved.metadata),
                    None => root.write(target, text.as_bytes()),
                }
            }
        }
    }

    /// The disk has just failed us, so this may fail as well; the first error is what is told.
    fn take_back(&self, root: &Root, originals: &[Original<'_>]) {
        let (Self::Remove { path } | Self::Write { target: path, .. }) = self;
        let taken_back = match originals.iter().find(|it| it.path == *path) {
            Some(Original { path, text, metadata }) => {
                root.write_like(path, text.as_bytes(), metadata)
            }
            // Also when it was not made yet: then it is missing.
            None => root.remove(path),
        };
        drop(taken_back);
    }
}
