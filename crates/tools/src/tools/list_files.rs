//! `list_files`: what is in the repository.

use std::collections::BTreeMap;

use protocol::{Property, RepositoryFacts, Schema, ToolEffect, ToolSpec};
use workspace::{MAX_FILES, Patience, Root};

use super::{Tool, file_choice, reading};
use crate::arguments::{Arguments, BadArguments};
use crate::running::RunningTool;
use crate::source::SOURCE_LIMIT;
use crate::toolbox::{Job, Style};

pub(crate) const TOOL: Tool = Tool { name: "list_files", spec, start };

fn spec(style: Style, facts: &RepositoryFacts) -> Option<ToolSpec> {
    let enumerated = || matches!(file_choice(facts, |_| true), Some(Schema::Choice(_)));
    if style == Style::Typed && enumerated() {
        // Every name stands in the description of the other tools already.
        return None;
    }
    let directory = Property::optional(
        "directory",
        "Only below this directory.",
        Schema::Text { max_chars: None },
    );
    let (description, parameters) = match style {
        Style::Typed => ("lists the names of the files, not what is in them", Vec::new()),
        Style::Full => ("Lists the files that git does not ignore.", vec![directory]),
    };
    Some(ToolSpec {
        name: "list_files".to_owned(),
        description: description.to_owned(),
        parameters,
        effect: ToolEffect::Reads,
    })
}

fn start(job: Job, arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    let directory = arguments.optional_text("directory")?.map(str::to_owned);
    let most = match job.context.style {
        Style::Typed => 40,
        Style::Full => 400,
    };
    Ok(reading(job, move |facts, patience| {
        // As it is now, not as it was when the turn began: the agent may have added some.
        let root = Root::of(&facts).map_err(|error| format!("{error}."))?;
        let facts =
            workspace::repository_facts(&facts.root).map_err(|error| format!("{error}."))?;
        let below = match &directory {
            Some(directory) => root.relative(directory).map_err(|error| format!("{error}."))?,
            None => String::new(),
        };
        let inside = |file: &&String| {
            below.is_empty()
                || file.strip_prefix(below.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        let files: Vec<&String> = facts.files.iter().filter(inside).collect();
        if files.is_empty() {
            return Ok("There are no files.".to_owned());
        }
        Ok(list(&root, &files, most, patience))
    }))
}

fn list(root: &Root, files: &[&String], most: usize, patience: &Patience) -> String {
    let more = if files.len() == MAX_FILES { "More than " } else { "" };
    let plural = if files.len() == 1 { "file" } else { "files" };
    let mut text = format!("{more}{} {plural}:\n", files.len());
    if files.len() <= most {
        for file in files {
            // The names matter more.
            let size = if patience.is_over() { String::new() } else { size(root, file) };
            text.push_str(&format!("{file}{size}\n"));
        }
        return text;
    }
    // Too many to name: how many there are in each directory.
    let mut directories: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files {
        let mut parts = file.rsplitn(2, '/').skip(1);
        let directory = parts.next().unwrap_or(".");
        // Two levels are enough to find the way.
        let end = directory.match_indices('/').nth(1).map_or(directory.len(), |it| it.0);
        *directories.entry(&directory[..end]).or_default() += 1;
    }
    for (directory, count) in directories.iter().take(most) {
        text.push_str(&format!("{directory}/: {count}\n"));
    }
    if most < directories.len() {
        text.push_str(&format!("and {} more directories\n", directories.len() - most));
    }
    text
}

fn size(root: &Root, file: &str) -> String {
    match root.read(file, SOURCE_LIMIT) {
        Ok(bytes) if bytes.contains(&0) => format!(" ({} bytes)", bytes.len()),
        Ok(bytes) => match String::from_utf8_lossy(&bytes).lines().count() {
            1 => " (1 line)".to_owned(),
            lines => format!(" ({lines} lines)"),
        },
        Err(_) => String::new(),
    }
}
