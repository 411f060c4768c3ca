//! What a turn knows of the repository before it starts.

use std::path::Path;

use protocol::RepositoryFacts;

use crate::beneath::{PathError, Root};
use crate::git::Git;
use crate::search::files_below;
use crate::tests_of::test_commands;

/// Files that are named. In a larger repository those nearest to the root.
pub const MAX_FILES: usize = 2000;

/// Entries that are looked at where git does not keep the list.
const MAX_WALKED: usize = 50_000;

#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    #[error("cannot open the workspace: {0}")]
    Root(#[from] PathError),
}

/// Reads the workspace at `root`, which may be a part of a larger repository.
pub fn repository_facts(root: &Path) -> Result<RepositoryFacts, FactsError> {
    let root = Root::open(root)?;
    let git = Git::open(root.path());
    let listed = git.as_ref().and_then(Git::files);
    let files = match listed {
        Some(files) => nearest(files.into_iter().filter(|path| is_file(&root, path)).collect()),
        None => nearest(files_below(root.path()).take(MAX_WALKED).collect()),
    };
    Ok(RepositoryFacts {
        is_git: git.is_some(),
        branch: git.as_ref().and_then(Git::branch),
        test_commands: test_commands(&root, &files),
        root: root.path().to_owned(),
        called: root.called().to_owned(),
        files,
    })
}

/// Git also lists what was deleted and not committed, and submodules.
fn is_file(root: &Root, path: &str) -> bool {
    root.path().join(path).symlink_metadata().is_ok_and(|it| it.is_file())
}

fn nearest(mut files: Vec<String>) -> Vec<String> {
    if MAX_FILES < files.len() {
        let depth = |path: &str| path.bytes().filter(|byte| *byte == b'/').count();
        files.sort_by(|a, b| (depth(a), a).cmp(&(depth(b), b)));
        files.truncate(MAX_FILES);
    }
    files.sort();
    // An unmerged file is listed once per side.
    files.dedup();
    files
}
