//! `search`: lines that hold a text.

use std::time::Duration;

use protocol::{Property, RepositoryFacts, Schema, ToolEffect, ToolSpec};
use workspace::{Found, Query, Root, SearchLimits};

use super::{Tool, reading};
use crate::arguments::{Arguments, BadArguments};
use crate::running::RunningTool;
use crate::source::{SOURCE_LIMIT, Sources};
use crate::text::clip_line;
use crate::toolbox::{Job, Style};

pub(crate) const TOOL: Tool = Tool { name: "search", spec, start };

/// Lines that only have words of the text: the first ones are the good ones.
const NEAREST: usize = 8;

/// With no more matches than this there is room for the lines after each.
const FEW: usize = 4;
const FOLLOWING: usize = 2;

/// And where the first of them opens a list of fields or the like, which says nothing by itself.
const OPENED: usize = 8;

fn spec(style: Style, _facts: &RepositoryFacts) -> Option<ToolSpec> {
    let (description, text, max_chars) = match style {
        Style::Typed => (
            "finds the lines of the code that a question is about, or that hold a name",
            "The question in the user's own words, or a name.",
            Some(120),
        ),
        Style::Full => (
            "Finds lines by a regular expression in the files that git does not ignore.",
            "A regular expression; without a match it is tried as an identifier in any spelling.",
            None,
        ),
    };
    let parameter = Property::required(parameter(style), text, Schema::Text { max_chars });
    Some(ToolSpec {
        name: "search".to_owned(),
        description: description.to_owned(),
        parameters: vec![parameter],
        effect: ToolEffect::Reads,
    })
}

/// Asked for a text, the small model gives one word of the question, and often the wrong one.
fn parameter(style: Style) -> &'static str {
    match style {
        Style::Typed => "question",
        Style::Full => "text",
    }
}

fn start(job: Job, arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    let style = job.context.style;
    let text = arguments.text(parameter(style))?.to_owned();
    let (matches, line) = match style {
        Style::Typed => (15, 120),
        Style::Full => (100, 300),
    };
    Ok(reading(job, move |facts, patience| {
        let root = Root::of(&facts).map_err(|error| format!("{error}."))?;
        let limits =
            SearchLimits { matches, file_bytes: SOURCE_LIMIT, time: Duration::from_secs(10) };
        // Exactly first; a name that was heard is seldom spelled as it is written.
        let exact = match style {
            Style::Typed => Query::literal(&text),
            Style::Full => Query::regex(&text).ok().or_else(|| Query::literal(&text)),
        };
        let names = match style {
            Style::Typed => names_in(&text),
            Style::Full => Vec::new(),
        };
        let whole =
            [exact, Query::spoken(&text)].into_iter().flatten().map(|it| (text.as_str(), it));
        let names = names.into_iter().filter_map(|it| Some((it, Query::literal(it)?)));
        for (wanted, query) in whole.chain(names) {
            let found = workspace::search(&root, &query, limits, patience);
            if !found.matches.is_empty() {
                let follow = style == Style::Typed && found.matches.len() <= FEW;
                let sources = follow.then_some(Sources { root: &root, facts: &facts });
                return Ok(tell(wanted, &found, line, sources.as_ref()));
            }
        }
        let limits = SearchLimits { matches: NEAREST, ..limits };
        let nearest = workspace::nearest(&root, &text, limits, patience);
        let sources = Sources { root: &root, facts: &facts };
        Ok(tell_nearest(&text, &nearest, line, &sources))
    }))
}

/// What in a question is written as only names are: with an underscore, two colons, or a capital
/// in the middle; longest first.
fn names_in(question: &str) -> Vec<&str> {
    let is_part = |it: char| it.is_alphanumeric() || it == '_' || it == ':';
    let is_name = |it: &&str| {
        let inner = it.trim_matches(|it: char| !it.is_alphanumeric());
        let humps = inner.chars().zip(inner.chars().skip(1));
        inner.contains('_')
            || inner.contains("::")
            || humps.into_iter().any(|(a, b)| a.is_lowercase() && b.is_uppercase())
    };
    let mut names: Vec<&str> =
        question.split(|it| !is_part(it)).map(|it| it.trim_matches(':')).filter(is_name).collect();
    names.sort_by_key(|it| std::cmp::Reverse(it.len()));
    names
}

fn tell_nearest(text: &str, found: &Found, longest: usize, sources: &Sources<'_>) -> String {
    if found.matches.is_empty() {
        return tell(text, found, longest, None);
    }
    let mut told = format!("No line has \"{}\"; these have words of it:\n", clip_line(text, 80));
    told.push_str(&list(found, longest, Some(sources)));
    told
}

fn tell(text: &str, found: &Found, longest: usize, sources: Option<&Sources<'_>>) -> String {
    let count = found.matches.len();
    let files = {
        let mut paths: Vec<&str> = found.matches.iter().map(|it| it.path.as_str()).collect();
        paths.dedup();
        paths.len()
    };
    let text = clip_line(text, 80);
    let mut told = match (count, found.cut) {
        (0, true) => return format!("\"{text}\" was not found in the time there was."),
        (0, false) => return format!("\"{text}\" was not found in any file."),
        (1, _) => format!("\"{text}\" is on 1 line:\n"),
        (_, false) => {
            let plural = if files == 1 { "file" } else { "files" };
            format!("\"{text}\" is on {count} lines in {files} {plural}:\n")
        }
        (_, true) => format!("\"{text}\" is on more than {count} lines; the first are:\n"),
    };
    told.push_str(&list(found, longest, sources));
    told
}

/// With `sources` the first lines are followed by those after them: a comment says what the next
/// line is.
fn list(found: &Found, longest: usize, sources: Option<&Sources<'_>>) -> String {
    let mut lines = String::new();
    for (index, it) in found.matches.iter().enumerate() {
        let line = clip_line(it.text.trim(), longest);
        lines.push_str(&format!("{}:{}: {line}\n", it.path, it.line));
        let text = sources
            .filter(|_| index < FEW)
            .and_then(|sources| sources.text(&it.path))
            .unwrap_or_default();
        let opens = it.text.trim_end().ends_with(['{', '(', '[', ':']);
        let following = if index == 0 && opens { OPENED } else { FOLLOWING };
        for after in text.lines().skip(it.line).take(following) {
            lines.push_str(&format!("    {}\n", clip_line(after.trim(), longest)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_questions() {
        assert_eq!(names_in("what does func_3_7_2 return?"), ["func_3_7_2"]);
        assert_eq!(names_in("is Store::load or maxRetries used"), ["Store::load", "maxRetries"]);
        assert_eq!(names_in("What is the timeout: 3 or 4?"), [""; 0]);
    }
}
