//! `read_file`: a part of a file, with line numbers.

use protocol::{Property, RepositoryFacts, Schema, ToolEffect, ToolSpec};
use workspace::{Root, looks_binary};

use super::{Tool, file_choice, reading};
use crate::arguments::{Arguments, BadArguments};
use crate::running::RunningTool;
use crate::source::file_part;
use crate::toolbox::{Job, Style};

pub(crate) const TOOL: Tool = Tool { name: "read_file", spec, start };

/// Longer files are not text that anybody wants to read.
const FILE_LIMIT: u64 = 8 << 20;

fn spec(style: Style, facts: &RepositoryFacts) -> Option<ToolSpec> {
    let (path, first) = match style {
        Style::Typed => (file_choice(facts, |_| true)?, "The first line to show."),
        Style::Full => (
            Schema::Text { max_chars: None },
            "The first line to show, 1 if not given. At most 400 lines are shown.",
        ),
    };
    Some(ToolSpec {
        name: "read_file".to_owned(),
        description: match style {
            Style::Typed => "shows a file".to_owned(),
            Style::Full => "Shows a part of a text file with line numbers.".to_owned(),
        },
        parameters: vec![
            Property::required("path", "Relative to the root of the workspace.", path),
            Property::optional("start_line", first, Schema::Integer { min: Some(1), max: None }),
        ],
        effect: ToolEffect::Reads,
    })
}

fn start(job: Job, arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    let path = arguments.text("path")?.to_owned();
    let start = arguments.optional_number("start_line")?;
    let start = usize::try_from(start.unwrap_or(1)).unwrap_or(usize::MAX).max(1);
    let style = job.context.style;
    let (lines, bytes) = match style {
        Style::Typed => (80, 2600),
        Style::Full => (400, 24_000),
    };
    Ok(reading(job, move |facts, _patience| {
        let root = Root::of(&facts).map_err(|error| format!("{error}."))?;
        let contents = root.read(&path, FILE_LIMIT).map_err(|error| format!("{error}."))?;
        if looks_binary(&contents) {
            return Err(format!("{path} is not a text file ({} bytes).", contents.len()));
        }
        let text = String::from_utf8_lossy(&contents);
        let is_short = text.len() <= bytes && text.lines().count() <= lines;
        if style == Style::Typed && start == 1 && is_short && !text.trim().is_empty() {
            // As it is to be written again: numbers would be read and copied.
            return Ok(format!("{path}:\n```\n{}\n```", text.trim_end()));
        }
        Ok(file_part(&path, &text, start, lines, bytes))
    }))
}
