//! `search`: lines that hold a text.

use std::time::Duration;

use protocol::{Property, RepositoryFacts, Schema, ToolEffect, ToolSpec};
use workspace::{Found, Query, Root, SearchLimits};

use super::{Tool, reading};
use crate::arguments::{Arguments, BadArguments};
use crate::running::RunningTool;
use crate::source::SOURCE_LIMIT;
use crate::text::clip_line;
use crate::toolbox::{Job, Style};

pub(crate) const TOOL: Tool = Tool { name: "search", spec, start };

fn spec(style: Style, _facts: &RepositoryFacts) -> Option<ToolSpec> {
    let (description, text, max_chars) = match style {
        Style::Typed => (
            "Finds the lines of all files that contain a word, a name or a text.",
            "What to look for, one name or word.",
            Some(60),
        ),
        Style::Full => (
            "Finds lines by a regular expression in the files that git does not ignore.",
            "A regular expression; without a match it is tried as an identifier in any spelling.",
            None,
        ),
    };
    Some(ToolSpec {
        name: "search".to_owned(),
        description: description.to_owned(),
        parameters: vec![Property::required("text", text, Schema::Text { max_chars })],
        effect: ToolEffect::Reads,
    })
}

fn start(job: Job, arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    let text = arguments.text("text")?.to_owned();
    let style = job.context.style;
    let (matches, line) = match style {
        Style::Typed => (15, 120),
        Style::Full => (100, 300),
    };
    Ok(reading(job, move |facts, patience| {
        let root = Root::open(&facts.root).map_err(|error| format!("{error}."))?;
        let limits =
            SearchLimits { matches, file_bytes: SOURCE_LIMIT, time: Duration::from_secs(10) };
        // Exactly first; a name that was heard is seldom spelled as it is written.
        let exact = match style {
            Style::Typed => Query::literal(&text),
            Style::Full => Query::regex(&text).ok().or_else(|| Query::literal(&text)),
        };
        let queries = [exact, Query::spoken(&text)];
        let mut found = Found::default();
        for query in queries.into_iter().flatten() {
            found = workspace::search(&root, &query, limits, patience);
            if !found.matches.is_empty() {
                break;
            }
        }
        Ok(tell(&text, &found, line))
    }))
}

fn tell(text: &str, found: &Found, longest: usize) -> String {
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
    for it in &found.matches {
        let line = clip_line(it.text.trim(), longest);
        told.push_str(&format!("{}:{}: {line}\n", it.path, it.line));
    }
    told
}
