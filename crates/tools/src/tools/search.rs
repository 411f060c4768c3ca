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
        for query in [exact, Query::spoken(&text)].into_iter().flatten() {
            let found = workspace::search(&root, &query, limits, patience);
            if !found.matches.is_empty() {
                let follow = style == Style::Typed && found.matches.len() <= FEW;
                let sources = follow.then_some(Sources { root: &root, facts: &facts });
                return Ok(tell(&text, &found, line, sources.as_ref()));
            }
        }
        let limits = SearchLimits { matches: NEAREST, ..limits };
        let nearest = workspace::nearest(&root, &text, limits, patience);
        let sources = Sources { root: &root, facts: &facts };
        Ok(tell_nearest(&text, &nearest, line, &sources))
    }))
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
        for after in text.lines().skip(it.line).take(FOLLOWING) {
            lines.push_str(&format!("    {}\n", clip_line(after.trim(), longest)));
        }
    }
    lines
}
