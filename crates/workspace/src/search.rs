//! Finds lines in the files of a workspace.

use std::path::Path;
use std::time::{Duration, Instant};

use ignore::WalkBuilder;
use regex::{Regex, RegexBuilder};

use crate::beneath::Root;
use crate::ignore_rules;
use crate::patience::Patience;

/// What to look for.
#[derive(Debug, Clone)]
pub struct Query(Regex);

/// Bounds of one search; whichever is met first ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchLimits {
    pub matches: usize,
    /// Longer files are passed over: they are data.
    pub file_bytes: u64,
    pub time: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Relative to the root, with `/`.
    pub path: String,
    /// From 1.
    pub line: usize,
    pub text: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// By path, then by line.
    pub matches: Vec<Match>,
    /// A limit ended the search before the files did.
    pub cut: bool,
}

impl Query {
    /// A regular expression; an error says what is wrong with it.
    pub fn regex(text: &str) -> Result<Self, String> {
        // Bounded, because a short pattern can ask for a huge machine.
        RegexBuilder::new(text)
            .size_limit(1 << 20)
            .build()
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// Exactly this text, in either case.
    pub fn literal(text: &str) -> Option<Self> {
        Self::insensitive(&regex::escape(text.trim()))
    }

    /// An identifier as somebody speaks it: "max retries" finds `max_retries`, `maxRetries`,
    /// `MaxRetries`, `max-retries` and `MAX RETRIES`; so does each of them. `None` when there is
    /// no word in it.
    pub fn spoken(text: &str) -> Option<Self> {
        let words = words(text);
        if words.is_empty() {
            return None;
        }
        let words: Vec<String> = words.iter().map(|word| regex::escape(word)).collect();
        Self::insensitive(&words.join(r"[\s_.\-:/]{0,2}"))
    }

    fn insensitive(pattern: &str) -> Option<Self> {
        if pattern.is_empty() {
            return None;
        }
        RegexBuilder::new(pattern).case_insensitive(true).build().ok().map(Self)
    }

    pub fn matches(&self, line: &str) -> bool {
        self.0.is_match(line)
    }
}

/// Words of a sentence or an identifier: split where case changes and at everything that is no
/// letter or digit.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = None;
    for c in text.chars() {
        if !c.is_alphanumeric() {
            before = None;
            continue;
        }
        let continues =
            before.is_some_and(|before: char| !(before.is_lowercase() && c.is_uppercase()));
        match words.last_mut() {
            Some(word) if continues => word.push(c),
            Some(_) | None => words.push(c.to_string()),
        }
        before = Some(c);
    }
    words
}

/// Searches the files that git would not ignore, without following links.
///
/// Ends early, [`Found::cut`], with its own limits or with the patience of who asked.
pub fn search(root: &Root, query: &Query, limits: SearchLimits, patience: &Patience) -> Found {
    let until = Instant::now() + limits.time;
    let mut found = Found::default();
    for path in files_below(root.path()) {
        if until <= Instant::now() || patience.is_over() {
            found.cut = true;
            return found;
        }
        // Unreadable or gone since: as if it were not there.
        let Ok(bytes) = root.read(&path, limits.file_bytes) else { continue };
        if looks_binary(&bytes) {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        for (index, line) in text.lines().enumerate() {
            if !query.matches(line) {
                continue;
            }
            if found.matches.len() == limits.matches {
                found.cut = true;
                return found;
            }
            let text = line.trim_end().to_owned();
            found.matches.push(Match { path: path.clone(), line: index + 1, text });
        }
    }
    found
}

/// Ordinary files that no ignore file names and no tool has made, as relative paths in order.
pub(crate) fn files_below(root: &Path) -> impl Iterator<Item = String> {
    // The walk also obeys the rules of the directories above the root.
    let ruled = root.ancestors().all(ignore_rules::are_files);
    let walk = WalkBuilder::new(root)
        .standard_filters(ruled)
        .hidden(false)
        .require_git(false)
        .filter_entry(|entry| !is_made(entry) && may_be_entered(entry))
        .sort_by_file_name(Ord::cmp)
        .build();
    let root = root.to_owned();
    walk.filter_map(move |entry| {
        // A directory that cannot be listed is passed over.
        let entry = entry.ok()?;
        entry.file_type()?.is_file().then_some(())?;
        entry.path().strip_prefix(&root).ok()?.to_str().map(str::to_owned)
    })
}

/// A directory whose rules cannot be read is passed over.
fn may_be_entered(entry: &ignore::DirEntry) -> bool {
    let is_directory = entry.file_type().is_some_and(|it| it.is_dir());
    !is_directory || ignore_rules::are_files(entry.path())
}

/// Directories that tools fill, which a repository without git and ignore files has as well.
fn is_made(entry: &ignore::DirEntry) -> bool {
    const MADE: [&str; 9] = [
        ".git",
        "node_modules",
        "__pycache__",
        ".venv",
        "venv",
        ".tox",
        ".mypy_cache",
        ".pytest_cache",
        ".next",
    ];
    let is_directory = entry.file_type().is_some_and(|it| it.is_dir());
    let name = entry.file_name().to_str();
    is_directory
        && 0 < entry.depth()
        // Cargo and others mark theirs with such a file.
        && (name.is_some_and(|it| MADE.contains(&it)) || entry.path().join("CACHEDIR.TAG").exists())
}

/// As git decides it: a zero byte near the beginning.
pub fn looks_binary(bytes: &[u8]) -> bool {
    bytes.iter().take(8000).any(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spoken_identifiers_match_however_they_are_written() {
        let names = ["max_retries", "maxRetries", "MaxRetries", "MAX_RETRIES", "max-retries"];
        for said in ["max retries", "Max Retries", "max_retries", "maxRetries", "MAX_RETRIES"] {
            let query = Query::spoken(said).unwrap();
            for name in names {
                assert!(query.matches(&format!("let {name} = 3;")), "{said} and {name}");
            }
            assert!(!query.matches("let max = retries_of(x);"), "{said}");
        }
        assert!(Query::spoken("parse json").unwrap().matches("fn parseJSON()"));
        assert!(Query::spoken("http2 server").unwrap().matches("Http2Server"));
        assert!(Query::spoken("self dot value").unwrap().matches("self dot value"));
        assert!(Query::spoken("??").is_none());
    }

    #[test]
    fn patterns_are_checked() {
        assert!(Query::regex("a(").is_err());
        assert!(Query::regex("(a{1000}){1000}").is_err());
        assert!(Query::regex(r"fn \w+").unwrap().matches("pub fn x()"));
        assert!(Query::literal("a(b").unwrap().matches("A(B)"));
        assert!(Query::literal(" ").is_none());
    }
}
