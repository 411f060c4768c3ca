//! Changes of files: as diffs for people, and onto the disk.

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
    for (index, change) in changes.iter().enumerate() {
        if let Err(error) = write(root, change) {
            for done in changes[..=index].iter().rev() {
                take_back(root, done);
            }
            return Err(error);
        }
    }
    Ok(())
}

fn write(root: &Root, change: &Change) -> Result<(), PathError> {
    let Change { path, before, after, moved_to } = change;
    let target = moved_to.as_ref().unwrap_or(path);
    if let Some(after) = after {
        root.write(target, after.as_bytes())?;
    }
    // A file that is moved is there twice for a moment, rather than not at all.
    let leaves = after.is_none() || target != path;
    if before.is_some() && leaves { root.remove(path) } else { Ok(()) }
}

/// The disk has just failed us, so this may fail as well; the first error is what is told.
fn take_back(root: &Root, change: &Change) {
    let Change { path, before, after, moved_to } = change;
    let target = moved_to.as_ref().unwrap_or(path);
    let undone = match before {
        Some(before) => root.write(path, before.as_bytes()),
        None => Ok(()),
    };
    let made = after.is_some() && (before.is_none() || target != path);
    let removed = if made { root.remove(target) } else { Ok(()) };
    drop(undone.and(removed));
}
