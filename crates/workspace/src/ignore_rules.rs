//! Which directories may be walked with the rules that lie in them.
//!
//! The walk opens a directory's ignore files by itself, and follows links. What is no ordinary file
//! (a pipe that nobody writes to, a terminal) would hold it for ever, so it is not let near one.

use std::fs::{File, Metadata};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// A path in a `.git` file is not longer.
const LINE: u64 = 8192;

/// Whether every file that the walk reads for its rules in this directory is ordinary, or not
/// there.
pub(crate) fn are_files(directory: &Path) -> bool {
    [".gitignore", ".ignore"].iter().all(|name| is_file_or_missing(&directory.join(name)))
        && exclude_is_file(&directory.join(".git"))
}

/// `.git/info/exclude`. In a linked work tree `.git` is a file that leads to it, by another one.
fn exclude_is_file(dot_git: &Path) -> bool {
    if !dot_git.metadata().is_ok_and(|it| it.is_file()) {
        return is_file_or_missing(&dot_git.join("info/exclude"));
    }
    let Some(leads_to) = first_line(dot_git) else { return true };
    let Some(git_dir) = leads_to.strip_prefix("gitdir: ").map(PathBuf::from) else { return true };
    let common = git_dir.join("commondir");
    if !is_file_or_missing(&common) {
        return false;
    }
    let Some(line) = first_line(&common) else { return true };
    // As the walk resolves it.
    let common = if line.starts_with('.') { git_dir.join(line) } else { line.into() };
    is_file_or_missing(&common.join("info/exclude"))
}

fn is_file_or_missing(path: &Path) -> bool {
    // What cannot be looked at cannot be opened either.
    path.metadata().as_ref().map_or(true, Metadata::is_file)
}

fn first_line(path: &Path) -> Option<String> {
    let file = BufReader::new(File::open(path).ok()?.take(LINE));
    file.lines().next()?.ok()
}
