//! `search`: lines that hold a text.

use std::time::Duration;

use protocol::{Property, RepositoryFacts, Schema, ToolEffect, ToolSpec};
use workspace::{Found, Match, Query, Root, SearchLimits};

use super::{Tool, reading};
use crate::arguments::{Arguments, BadArguments};
use crate::running::RunningTool;
use crate::source::{SOURCE_LIMIT, Sources, Surroundings};
use crate::text::clip_line;
use crate::toolbox::{Job, Style};

pub(crate) const TOOL: Tool = Tool { name: "search", spec, start };

/// Lines that only have words of the text: the first ones are the good ones.
const NEAREST: usize = 8;

/// The first matches are shown in what is around them, where these are few or the best of many.
const FEW: usize = 4;

/// All of them together: some ten seconds of reading for the bundled model.
const SURROUNDINGS_BYTES: usize = 2400;

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

/// With `sources` the first lines stand in what is around them: a comment says what the next line
/// is, and a line of a function not what the function is called.
fn list(found: &Found, longest: usize, sources: Option<&Sources<'_>>) -> String {
    let Some(sources) = sources else {
        return found.matches.iter().map(|it| bare(it, longest)).collect();
    };
    let mut told = String::new();
    let first = &found.matches[..FEW.min(found.matches.len())];
    let mut shown: Vec<Surroundings> = Vec::new();
    for around in sources.surroundings(first) {
        let text = whole(&around, longest);
        if SURROUNDINGS_BYTES < told.len() + text.len() {
            break;
        }
        told.push_str(&text);
        shown.push(around);
    }
    // Also of the first, where there was no room, or the file could not be read again.
    let is_shown = |it: &&Match| shown.iter().any(|around| around.holds(it));
    let rest = found.matches.iter().filter(|it| !is_shown(it));
    rest.for_each(|it| told.push_str(&bare(it, longest)));
    told
}

fn whole(around: &Surroundings, longest: usize) -> String {
    let lines = around.lines.iter().map(|(number, line)| {
        format!("{}\n", clip_line(&format!("{number}: {line}"), longest).trim_end())
    });
    format!("{}:\n{}", around.path, lines.collect::<String>())
}

fn bare(found: &Match, longest: usize) -> String {
    format!("{}:{}: {}\n", found.path, found.line, clip_line(found.text.trim(), longest))
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
