//! The user's repository: what is in it, reading and writing beneath its root, searching, git.
//!
//! Plain blocking code. Invariants:
//! * Nothing above the root is read or written, whatever paths a caller was given and whatever
//!   links are in the way.
//! * Looking at a repository runs no program that the repository names: git is called with hooks,
//!   filters, monitors, pagers and external diffs taken away.
//! * A file is replaced whole or not at all.
//! * Every answer is bounded.

mod beneath;
mod facts;
mod git;
mod ignore_rules;
mod lines;
mod nearest;
mod patience;
mod search;
mod tests_of;

pub use crate::beneath::{PathError, Root};
pub use crate::facts::{FactsError, MAX_FILES, repository_facts};
pub use crate::git::{
    Commit, CommittedFile, CommittedKind, Git, GitCommand, Status, StatusEntry, StatusKind,
};
pub use crate::lines::{NumberedLines, numbered_lines};
pub use crate::nearest::{about, nearest};
pub use crate::patience::Patience;
pub use crate::search::{Found, Match, Query, SearchLimits, looks_binary, search};
