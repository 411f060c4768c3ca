//! From hunks to changed files.

use std::collections::BTreeMap;

use crate::locate::{Nearest, find, find_context, nearest};
use crate::parse::{Hunk, Line, Operation, Patch};
use crate::text::Text;

/// Files by path. What a patch names and is not in it does not exist.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// What a patch does to one file, all its operations together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub path: String,
    /// `None` when there was no such file.
    pub before: Option<String>,
    /// `None` when there is none any more, at this path or at `moved_to`.
    pub after: Option<String>,
    pub moved_to: Option<String>,
}

/// Why a patch does not apply. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("{path} does not exist")]
    Missing { path: String },
    #[error("{path} exists already; update it, or delete it first")]
    Exists { path: String },
    #[error("{path} is not text")]
    NotText { path: String },
    #[error("{path}, hunk {hunk} of {hunks}: there is no line `{context}`{hint}")]
    NoContext { path: String, hunk: usize, hunks: usize, context: String, hint: String },
    #[error("{path}, hunk {hunk} of {hunks}: its lines are not in the file{hint}")]
    NoMatch { path: String, hunk: usize, hunks: usize, hint: String },
}

/// Applies all of `patch`, in the order in which the files are first named.
pub fn apply(patch: &Patch, tree: &Tree) -> Result<Vec<Change>, Rejection> {
    let mut files = Files { tree, changes: Vec::new() };
    for operation in &patch.operations {
        match operation {
            Operation::Add { path, lines } => files.add(path, lines)?,
            Operation::Delete { path } => files.delete(path)?,
            Operation::Update { path, moved_to, hunks } => {
                files.update(path, moved_to.as_deref(), hunks)?;
            }
        }
    }
    // Added and deleted again: nothing happened.
    files.changes.retain(|change| change.before.is_some() || change.after.is_some());
    Ok(files.changes)
}

struct Files<'a> {
    tree: &'a Tree,
    changes: Vec<Change>,
}

impl Files<'_> {
    fn add(&mut self, path: &str, lines: &[String]) -> Result<(), Rejection> {
        if self.current(path)?.is_some() {
            return Err(Rejection::Exists { path: path.to_owned() });
        }
        let mut text = lines.join("\n");
        if !lines.is_empty() {
            text.push('\n');
        }
        self.change(path)?.after = Some(text);
        Ok(())
    }

    fn delete(&mut self, path: &str) -> Result<(), Rejection> {
        self.existing(path)?;
        let change = self.change(path)?;
        change.after = None;
        change.moved_to = None;
        Ok(())
    }

    fn update(
        &mut self,
        path: &str,
        moved_to: Option<&str>,
        hunks: &[Hunk],
    ) -> Result<(), Rejection> {
        let text = self.existing(path)?;
        let text = patched(path, &text, hunks)?;
        if let Some(target) = moved_to
            && target != path
            && self.current(target)?.is_some()
        {
            return Err(Rejection::Exists { path: target.to_owned() });
        }
        let change = self.change(path)?;
        change.after = Some(text);
        if let Some(target) = moved_to {
            // It may have come back to where it was.
            change.moved_to = (target != change.path).then(|| target.to_owned());
        }
        Ok(())
    }

    fn existing(&self, path: &str) -> Result<String, Rejection> {
        self.current(path)?.ok_or_else(|| Rejection::Missing { path: path.to_owned() })
    }

    /// The file as it is after the operations so far.
    fn current(&self, path: &str) -> Result<Option<String>, Rejection> {
        if let Some(change) = self.changes.iter().find(|change| change.is_now_at(path)) {
            return Ok(change.after.clone());
        }
        // Deleted, or moved away.
        if self.changes.iter().any(|change| change.path == path) {
            return Ok(None);
        }
        self.original(path)
    }

    fn original(&self, path: &str) -> Result<Option<String>, Rejection> {
        let Some(bytes) = self.tree.get(path) else { return Ok(None) };
        let text = String::from_utf8(bytes.clone());
        text.map(Some).map_err(|_| Rejection::NotText { path: path.to_owned() })
    }

    /// The change of the file that is now at `path`, or that is about to be there.
    fn change(&mut self, path: &str) -> Result<&mut Change, Rejection> {
        let living = self.changes.iter().position(|change| change.is_now_at(path));
        let deleted = || {
            let gone = |change: &Change| change.path == path && change.after.is_none();
            self.changes.iter().position(gone)
        };
        let index = match living.or_else(deleted) {
            Some(index) => index,
            None => {
                // Moved away earlier: nothing is left of the original here.
                let emptied = self.changes.iter().any(|change| change.path == path);
                let before = if emptied { None } else { self.original(path)? };
                let after = before.clone();
                self.changes.push(Change { path: path.to_owned(), before, after, moved_to: None });
                self.changes.len() - 1
            }
        };
        Ok(&mut self.changes[index])
    }
}

impl Change {
    fn is_now_at(&self, path: &str) -> bool {
        self.after.is_some() && self.moved_to.as_deref().unwrap_or(&self.path) == path
    }
}

fn patched(path: &str, text: &str, hunks: &[Hunk]) -> Result<String, Rejection> {
    let mut text = Text::new(text);
    let mut from = 0;
    for (index, hunk) in hunks.iter().enumerate() {
        let place = Place { path, hunk: index + 1, hunks: hunks.len() };
        from = place.apply(&mut text, hunk, from)?;
    }
    Ok(text.into_string())
}

/// Which hunk it is, for the words of a refusal.
struct Place<'a> {
    path: &'a str,
    hunk: usize,
    hunks: usize,
}

impl Place<'_> {
    /// Returns the index after the hunk, where the next one is looked for.
    fn apply(&self, text: &mut Text, hunk: &Hunk, from: usize) -> Result<usize, Rejection> {
        let mut from = from;
        for context in &hunk.contexts {
            let found = find_context(&text.lines, context, from)
                // A model that forgot the order of the file.
                .or_else(|| find_context(&text.lines, context, 0));
            from = found.ok_or_else(|| self.no_context(text, context))? + 1;
        }
        let old: Vec<&str> = hunk
            .lines
            .iter()
            .filter_map(|line| match line {
                Line::Keep(text) | Line::Remove(text) => Some(text.as_str()),
                Line::Add(_) => None,
            })
            .collect();
        let start = if old.is_empty() {
            // Nothing says where but the context; without one, the end of the file.
            if hunk.contexts.is_empty() || hunk.at_end { text.lines.len() } else { from }
        } else {
            self.locate(text, hunk, &old, from)?
        };
        let mut there = start;
        for line in &hunk.lines {
            match line {
                // The file's own line stays, even where it matched only loosely.
                Line::Keep(_) => there += 1,
                Line::Remove(_) => drop(text.lines.remove(there)),
                Line::Add(added) => {
                    let line = text.line(added);
                    text.lines.insert(there, line);
                    there += 1;
                }
            }
        }
        Ok(there)
    }

    fn locate(
        &self,
        text: &Text,
        hunk: &Hunk,
        old: &[&str],
        from: usize,
    ) -> Result<usize, Rejection> {
        // The named line is often repeated as the first of the hunk.
        let at_context = from.saturating_sub(usize::from(!hunk.contexts.is_empty()));
        let at_end = hunk.at_end.then(|| find(&text.lines, old, at_context, /*at_end*/ true));
        let found = at_end
            .flatten()
            .or_else(|| find(&text.lines, old, from, /*at_end*/ false))
            .or_else(|| find(&text.lines, old, at_context, /*at_end*/ false))
            // Out of order, but without a doubt.
            .or_else(|| only(text, old));
        found.ok_or_else(|| Rejection::NoMatch {
            path: self.path.to_owned(),
            hunk: self.hunk,
            hunks: self.hunks,
            hint: hint(nearest(&text.lines, old)),
        })
    }

    fn no_context(&self, text: &Text, context: &str) -> Rejection {
        Rejection::NoContext {
            path: self.path.to_owned(),
            hunk: self.hunk,
            hunks: self.hunks,
            context: shown(context),
            hint: hint(nearest(&text.lines, &[context])),
        }
    }
}

/// The place of lines that stand in the file once.
fn only(text: &Text, old: &[&str]) -> Option<usize> {
    let first = find(&text.lines, old, 0, /*at_end*/ false)?;
    let again = find(&text.lines, old, first + 1, /*at_end*/ false);
    again.is_none().then_some(first)
}

fn hint(nearest: Option<Nearest>) -> String {
    match nearest {
        None => String::new(),
        Some(Nearest { line, there: Some(there), wanted }) => {
            let (there, wanted) = (shown(&there), shown(&wanted));
            format!("; nearest is line {line}, which is `{there}` and not `{wanted}`")
        }
        Some(Nearest { line, there: None, wanted }) => {
            let wanted = shown(&wanted);
            format!("; the file ends before line {line}, where `{wanted}` was expected")
        }
    }
}

fn shown(line: &str) -> String {
    let mut shown: String = line.trim().chars().take(100).collect();
    if shown.len() < line.trim().len() {
        shown.push_str("...");
    }
    shown
}
