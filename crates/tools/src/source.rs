//! Pieces of source code for a model to look at.

use std::sync::LazyLock;
use std::time::Duration;

use protocol::RepositoryFacts;
use workspace::{Match, Patience, Query, Root, SearchLimits, numbered_lines, search};

use crate::report::Place;

/// Longer files are data.
pub(crate) const SOURCE_LIMIT: u64 = 1 << 20;

/// Looking for a definition must not be noticed.
const DEFINITION_SEARCH: SearchLimits =
    SearchLimits { matches: 8, file_bytes: SOURCE_LIMIT, time: Duration::from_millis(500) };

/// Longest definition that is shown whole.
const DEFINITION_LINES: usize = 16;

/// What is shown around a line that was found.
const BEFORE: usize = 1;
const AFTER: usize = 2;

/// And of a list that opens there and is longer than a definition that is shown whole.
const LIST_LINES: usize = 8;

/// The source files of a workspace.
pub(crate) struct Sources<'a> {
    pub(crate) root: &'a Root,
    pub(crate) facts: &'a RepositoryFacts,
}

/// Lines of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(crate) path: String,
    pub(crate) first: usize,
    pub(crate) lines: Vec<String>,
}

impl Excerpt {
    /// With line numbers; `marked` gets an arrow.
    pub(crate) fn numbered(&self, marked: Option<usize>) -> String {
        let mut text = String::new();
        for (line, number) in self.lines.iter().zip(self.first..) {
            let arrow = if marked == Some(number) { "  <-- here" } else { "" };
            text.push_str(&format!("{number}: {line}{arrow}\n"));
        }
        text
    }

    fn holds(&self, other: &Self) -> bool {
        self.path == other.path
            && self.first <= other.first
            && other.first < self.first + self.lines.len()
    }
}

/// Lines around a line, with their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Surroundings {
    pub(crate) path: String,
    pub(crate) lines: Vec<(usize, String)>,
}

impl Surroundings {
    /// The line at `index`, one before it and two after it, all of a list that opens there, and how
    /// the definition begins that it is in.
    fn of(path: &str, lines: &[&str], index: usize) -> Self {
        let first = index.saturating_sub(BEFORE);
        let last = (index + AFTER).min(lines.len() - 1);
        let opens = |at: &usize| lines[*at].trim_end().ends_with(['{', '(', '[']);
        let last = match (index..=last).find(opens) {
            Some(at) => last.max(at + closes(&lines[at..])),
            None => last,
        };
        let head = enclosing(lines, index).filter(|it| *it < first);
        let numbered = head.into_iter().chain(first..=last);
        let numbered = numbered.filter(|it| !lines[*it].trim().is_empty());
        let lines = numbered.map(|it| (it + 1, lines[it].to_owned())).collect();
        Self { path: path.to_owned(), lines }
    }

    pub(crate) fn holds(&self, found: &Match) -> bool {
        self.path == found.path && self.lines.iter().any(|it| it.0 == found.line)
    }

    fn join(&mut self, mut other: Self) {
        self.lines.append(&mut other.lines);
        self.lines.sort_by_key(|it| it.0);
        self.lines.dedup_by_key(|it| it.0);
    }

    fn touches(&self, other: &Self) -> bool {
        let close = |line: &(usize, String)| self.lines.iter().any(|it| it.0.abs_diff(line.0) <= 1);
        self.path == other.path && other.lines.iter().any(close)
    }
}

/// Where the innermost definition begins that `index` is in.
fn enclosing(lines: &[&str], index: usize) -> Option<usize> {
    let mut inside = indent(lines[index]);
    for at in (0..index).rev() {
        let line = lines[at];
        let is_outside = !line.trim().is_empty() && indent(line) < inside;
        if is_outside && begins_a_definition(line) {
            return Some(at);
        }
        // The parameters of a definition may stand between its head and this.
        if is_outside && !line.trim_start().starts_with([')', ']', '}', '{']) {
            inside = indent(line);
        }
        if inside == 0 {
            break;
        }
    }
    None
}

/// How many lines further what opens in the first one is closed, at most [`DEFINITION_LINES`].
fn closes(lines: &[&str]) -> usize {
    let mut depth = 0i32;
    for (index, line) in lines.iter().enumerate().take(DEFINITION_LINES) {
        for c in line.chars() {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => (),
            }
        }
        if depth <= 0 {
            return index;
        }
    }
    LIST_LINES.min(lines.len() - 1)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

impl Sources<'_> {
    /// The file that a runner means, relative to the root. Runners name files relative to a
    /// package, and absolutely; files of libraries are not ours.
    pub(crate) fn resolve(&self, place: &Place) -> Option<String> {
        let path = place.path.strip_prefix("./").unwrap_or(&place.path);
        if let Ok(relative) = self.root.relative(path)
            && self.root.exists(&relative).unwrap_or(false)
        {
            return Some(relative);
        }
        if path.starts_with('/') {
            return None;
        }
        let ending = format!("/{path}");
        let mut candidates = self.facts.files.iter().filter(|file| file.ends_with(&ending));
        let first = candidates.next()?;
        candidates.next().is_none().then(|| first.clone())
    }

    /// What is around these matches, in their order; those that are close together share it. What
    /// cannot be read any more is left out.
    pub(crate) fn surroundings(&self, matches: &[Match]) -> Vec<Surroundings> {
        let mut all: Vec<Surroundings> = Vec::new();
        for found in matches {
            if all.iter().any(|it| it.holds(found)) {
                continue;
            }
            let Some(text) = self.text(&found.path) else { continue };
            let lines: Vec<&str> = text.lines().collect();
            let Some(index) = found.line.checked_sub(1).filter(|it| *it < lines.len()) else {
                continue;
            };
            let around = Surroundings::of(&found.path, &lines, index);
            // The later match is the one that is worse: it joins the better one.
            match all.iter_mut().find(|it| it.touches(&around)) {
                Some(before) => before.join(around),
                None => all.push(around),
            }
        }
        // What has grown may touch what stood apart.
        let mut joined: Vec<Surroundings> = Vec::new();
        for around in all {
            match joined.iter_mut().find(|it| it.touches(&around)) {
                Some(before) => before.join(around),
                None => joined.push(around),
            }
        }
        joined
    }

    pub(crate) fn text(&self, path: &str) -> Option<String> {
        let bytes = self.root.read(path, SOURCE_LIMIT).ok()?;
        String::from_utf8(bytes).ok()
    }

    /// The lines around a place: the function that holds it where that is short.
    pub(crate) fn around(&self, path: &str, line: usize) -> Option<Excerpt> {
        let text = self.text(path)?;
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() < line {
            return None;
        }
        let index = line.checked_sub(1)?;
        let start = (0..=index).rev().take(8).find(|it| begins_a_definition(lines[*it]));
        let first = start.unwrap_or(index.saturating_sub(2));
        let end = match start {
            Some(start) => start + extent(&lines[start..]),
            None => index + 3,
        };
        let end = end.clamp(index + 1, first + DEFINITION_LINES).max(index + 1).min(lines.len());
        Some(excerpt(path, &lines, first, end))
    }

    /// Definitions of what the code calls, and of what these call, nearest first.
    ///
    /// Each name is looked for in all files, so `patience` is for all of them.
    pub(crate) fn called_from(
        &self,
        code: &Excerpt,
        most: usize,
        patience: &Patience,
    ) -> Vec<(String, Excerpt)> {
        let mut found: Vec<(String, Excerpt)> = Vec::new();
        let mut asked: Vec<String> = Vec::new();
        let mut queue = vec![code.clone()];
        while let Some(code) = (!queue.is_empty()).then(|| queue.remove(0)) {
            for name in code.lines.iter().flat_map(|line| called_names(line)) {
                if found.len() == most || patience.is_over() {
                    return found;
                }
                if asked.contains(&name) {
                    continue;
                }
                asked.push(name.clone());
                let Some(definition) = self.definition(&name, &code.path, patience) else {
                    continue;
                };
                if code.holds(&definition) || found.iter().any(|it| it.1.holds(&definition)) {
                    continue;
                }
                queue.push(definition.clone());
                found.push((name, definition));
            }
        }
        found
    }

    fn definition(&self, name: &str, near: &str, patience: &Patience) -> Option<Excerpt> {
        let query = Query::regex(&definition_pattern(&regex::escape(name))).ok()?;
        let matches = search(self.root, &query, DEFINITION_SEARCH, patience).matches;
        let extension = |path: &str| path.rsplit_once('.').map(|it| it.1.to_owned());
        let same_kind = matches.iter().filter(|it| extension(&it.path) == extension(near));
        // The file itself, then anything but tests.
        let best = same_kind.min_by_key(|it| (it.path != near, it.path.contains("test")))?;
        let text = self.text(&best.path)?;
        let lines: Vec<&str> = text.lines().collect();
        let first = best.line.checked_sub(1)?;
        let end = first + extent(lines.get(first..)?);
        Some(excerpt(&best.path, &lines, first, end.min(lines.len())))
    }
}

/// The part of a file that a model asked for, as it is shown.
pub(crate) fn file_part(
    path: &str,
    text: &str,
    start: usize,
    lines: usize,
    bytes: usize,
) -> String {
    let part = numbered_lines(text, start, lines, bytes);
    let plural = if part.total == 1 { "line" } else { "lines" };
    match (part.total, part.last < part.first, part.first == 1 && part.last == part.total) {
        (0, _, _) => format!("{path} is empty."),
        (total, true, _) => format!("{path} has only {total} {plural}."),
        (total, false, true) => format!("{path} ({total} {plural}):\n{}", part.text),
        (total, false, false) => {
            let (first, last) = (part.first, part.last);
            format!("{path}, lines {first} to {last} of {total}:\n{}", part.text)
        }
    }
}

/// Names of functions, types and the like that a text defines, in order.
pub(crate) fn defined_names(text: &str) -> Vec<String> {
    static PATTERN: LazyLock<Option<regex::Regex>> =
        LazyLock::new(|| regex::Regex::new(&definition_pattern(r"[A-Za-z_]\w*")).ok());
    let Some(pattern) = &*PATTERN else { return Vec::new() };
    text.lines()
        .filter_map(|line| {
            let captures = pattern.captures(line)?;
            captures.iter().skip(1).flatten().last().map(|name| name.as_str().to_owned())
        })
        .collect()
}

/// A definition, or a call that JavaScript's test runners read as one.
fn begins_a_definition(line: &str) -> bool {
    let call = ["test(", "it(", "test.only(", "it.only("];
    call.iter().any(|it| line.trim_start().starts_with(it)) || !defined_names(line).is_empty()
}

/// How the usual languages begin a definition of `name`, which is a pattern itself and is
/// captured.
fn definition_pattern(name: &str) -> String {
    let keywords = [
        r"(?:pub(?:\([^)]*\))?\s+)?(?:default\s+|const\s+|async\s+|unsafe\s+)*(?:fn|struct|enum|trait|type|union)\s+",
        r"(?:async\s+)?def\s+",
        r"(?:export\s+)?(?:default\s+)?(?:abstract\s+)?class\s+",
        r"(?:export\s+)?(?:default\s+)?(?:async\s+)?function\s*\*?\s*",
        r"(?:module\.)?exports\.",
        r"func\s+(?:\([^)]*\)\s*)?",
    ];
    let keywords = keywords.join("|");
    // A variable that holds a function.
    let variable = r"(?:export\s+)?(?:const|let|var)\s+";
    let function = r"\s*=\s*(?:async\s*)?(?:\(|function\b|\w+\s*=>)";
    format!(r"^\s*(?:(?:{keywords})({name})\b|{variable}({name}){function})")
}

/// How many lines a definition at the beginning of `lines` has, at most [`DEFINITION_LINES`].
fn extent(lines: &[&str]) -> usize {
    let Some(head) = lines.first() else { return 0 };
    let by_indent = head.trim_end().ends_with(':');
    let mut depth = 0i32;
    let mut opened = false;
    for (index, line) in lines.iter().enumerate().take(DEFINITION_LINES) {
        if by_indent {
            if index != 0 && !line.trim().is_empty() && indent(line) <= indent(head) {
                return trimmed(&lines[..index]);
            }
            continue;
        }
        for c in line.chars() {
            match c {
                '{' => {
                    depth += 1;
                    opened = true;
                }
                '}' => depth -= 1,
                _ => (),
            }
        }
        let ends_flat = !opened && line.trim_end().ends_with(';');
        if (opened && depth <= 0) || ends_flat {
            return index + 1;
        }
    }
    trimmed(&lines[..lines.len().min(DEFINITION_LINES)])
}

/// Without the empty lines at the end.
fn trimmed(lines: &[&str]) -> usize {
    lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1)
}

fn excerpt(path: &str, lines: &[&str], first: usize, end: usize) -> Excerpt {
    let lines = lines[first..end].iter().map(|line| line.to_string()).collect();
    Excerpt { path: path.to_owned(), first: first + 1, lines }
}

/// Names before an opening bracket.
fn called_names(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    for c in line.chars() {
        match c {
            '(' if !name.is_empty() => names.push(std::mem::take(&mut name)),
            c if c.is_alphanumeric() || c == '_' => name.push(c),
            _ => name.clear(),
        }
    }
    names.retain(|name| !name.starts_with(|c: char| c.is_ascii_digit()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_of_the_usual_languages() {
        let text = "\
pub(crate) async fn load(path: &str) {}
struct Line {
    async def fetch(self):
class Parser:
export default class App {
export async function main() {}
function* walk() {}
const sum = (a, b) => a + b;
exports.sum2 = function (a) {};
func (s *Server) Start() error {
func New() *Server {
let x = load(1);
    return defined(x)
";
        let names = [
            "load", "Line", "fetch", "Parser", "App", "main", "walk", "sum", "sum2", "Start", "New",
        ];
        assert_eq!(defined_names(text), names);
    }

    #[test]
    fn extents_end_where_the_definition_does() {
        let lines = |text: &'static str| text.lines().collect::<Vec<_>>();
        assert_eq!(extent(&lines("fn a() {\n    b();\n}\n\nfn c() {}")), 3);
        assert_eq!(extent(&lines("def a():\n    x\n\n    y\n\ndef b():\n    z")), 4);
        assert_eq!(extent(&lines("exports.s = (a) => a;\nnext")), 1);
        assert_eq!(extent(&lines("struct A;\nstruct B;")), 1);
        assert_eq!(extent(&lines("fn a(\n    x: u8,\n) -> u8 {\n    x\n}\n")), 5);
        assert_eq!(extent(&vec!["fn a() {"; 40]), DEFINITION_LINES);
        assert_eq!(extent(&[]), 0);
    }

    /// As text, each with its file.
    fn surroundings(text: &str, matched: &[usize]) -> String {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a"), text).unwrap();
        let root = Root::open(directory.path()).unwrap();
        let facts = workspace::repository_facts(directory.path()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let matches: Vec<Match> = matched
            .iter()
            .map(|line| Match {
                path: "a".to_owned(),
                line: *line,
                text: lines.get(line - 1).copied().unwrap_or_default().to_owned(),
            })
            .collect();
        let all = Sources { root: &root, facts: &facts }.surroundings(&matches);
        let told = all.iter().map(|around| {
            let lines = around.lines.iter().map(|(number, line)| format!("{number}: {line}\n"));
            format!("{}\n{}", around.path, lines.collect::<String>())
        });
        told.collect()
    }

    #[test]
    fn what_is_around_a_line_says_what_it_is_in() {
        let text = "class A:\n    def first(self):\n        x\n        if y:\n            z\n\
                    \n        return here\n\n    def second(self):\n        w\n";
        assert_eq!(
            surroundings(text, &[7]),
            "a\n2:     def first(self):\n7:         return here\n9:     def second(self):\n"
        );
        // What is close together is told once, in the order of the file.
        assert_eq!(
            surroundings("a\nb\nc\nd\ne\n", &[4, 1, 2]),
            "a\n1: a\n2: b\n3: c\n4: d\n5: e\n"
        );
        // The line between two of them makes them one.
        let apart = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        assert_eq!(surroundings(apart, &[1, 7, 4]).lines().count(), 1 + 9);
        let signature = "def long(\n    a,\n    b,\n):\n    x\n    y\n    z\n    w\n";
        assert!(surroundings(signature, &[8]).starts_with("a\n1: def long(\n7:"));
        assert_eq!(surroundings("a\n", &[1, 9]), "a\n1: a\n");
        assert_eq!(surroundings("", &[1]), "");
    }

    #[test]
    fn a_list_is_shown_until_it_closes() {
        let text = "{\n  \"name\": \"stew\",\n  \"needs\": [\n    \"a\",\n    \"b\",\n    \"c\",\n    \"d\"\n  ],\n  \"e\": 1\n}\n";
        let shown = surroundings(text, &[2]);
        assert!(shown.starts_with("a\n1: {\n2: ") && shown.ends_with("8:   ],\n"), "{shown}");
        let endless = format!("f([\n{}", "1,\n".repeat(100));
        assert_eq!(surroundings(&endless, &[1]).lines().count(), 2 + LIST_LINES);
    }

    #[test]
    fn definitions_are_looked_for_while_somebody_waits() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.py"), "def add(a, b):\n    return a + b\n")
            .unwrap();
        let root = Root::open(directory.path()).unwrap();
        let facts = workspace::repository_facts(directory.path()).unwrap();
        let sources = Sources { root: &root, facts: &facts };
        let lines = vec!["assert add(1, 2) == 3".to_owned()];
        let code = Excerpt { path: "test_a.py".to_owned(), first: 1, lines };
        let found = |time| {
            let found = sources.called_from(&code, 2, &Patience::of(time));
            found.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(found(Duration::from_secs(3600)), ["add"]);
        assert_eq!(found(Duration::ZERO), [""; 0]);
    }

    #[test]
    fn calls_are_names_before_brackets() {
        assert_eq!(called_names("assert_eq!(field_count(\"\"), 0);"), ["field_count"]);
        assert_eq!(called_names("self.assertEqual(add(1, 2), 3)"), ["assertEqual", "add"]);
        assert_eq!(called_names("let x = 3 * (4);"), Vec::<String>::new());
    }
}
