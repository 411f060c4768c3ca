//! `shell`: a script, in the sandbox.

use std::time::Duration;

use protocol::{
    CommandItem, ItemBody, ItemStatus, Property, RepositoryFacts, Schema, ToolEffect, ToolSpec,
};

use super::Tool;
use super::apply_patch::{applying, in_script};
use crate::arguments::{Arguments, BadArguments};
use crate::command::{Finished, TimeLimit, run};
use crate::policy::cell;
use crate::running::{RunningTool, ToolOutcome};
use crate::text::clip;
use crate::toolbox::{Job, Style};

pub(crate) const TOOL: Tool = Tool { name: "shell", spec, start };

const DEFAULT_LIMIT: Duration = Duration::from_secs(120);
const LONGEST_LIMIT: u64 = 600;

/// Bytes of output that the model reads: about six thousand tokens.
const MODEL_LIMIT: usize = 24_000;

fn spec(style: Style, _facts: &RepositoryFacts) -> Option<ToolSpec> {
    (style == Style::Full).then(|| ToolSpec {
        name: "shell".to_owned(),
        description: "Runs a bash script in the root of the workspace and returns its exit code \
                      and output. Standard input is empty. Processes it leaves in the background \
                      end with it."
            .to_owned(),
        parameters: vec![
            Property::required("command", "The script.", Schema::Text { max_chars: None }),
            Property::optional(
                "timeout_seconds",
                "After this it is stopped; 120 if not given.",
                Schema::Integer { min: Some(1), max: Some(LONGEST_LIMIT.cast_signed()) },
            ),
        ],
        effect: ToolEffect::Runs,
    })
}

fn start(job: Job, arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    let script = arguments.text("command")?.to_owned();
    // It writes no more than the script itself could have, and there is no such program.
    if let Some(patch) = in_script(&script) {
        let patch = patch.to_owned();
        return Ok(applying(job, patch));
    }
    let limit = limit(arguments.optional_number("timeout_seconds")?);
    let item = CommandItem {
        call: job.call.call.clone(),
        command: script.clone(),
        cwd: job.context.facts.root.clone(),
        status: ItemStatus::InProgress,
        exit_code: None,
        output: String::new(),
        duration: None,
    };
    Ok(RunningTool::new(ItemBody::Command(item.clone()), move |mut ports| async move {
        let not_run = |message: String| ToolOutcome {
            item: ItemBody::Command(CommandItem {
                status: ItemStatus::Failed,
                output: message.clone(),
                ..item.clone()
            }),
            output: message,
        };
        let cell = match cell(&job.context.sandbox, &job.context.facts.root) {
            Ok(cell) => cell,
            Err(error) => return not_run(format!("No temporary directory can be made: {error}.")),
        };
        let argv = vec!["bash".into(), "-c".into(), script.into()];
        match run(&job, &mut ports, argv, &cell, limit.time).await {
            Err(error) => not_run(format!("Not run: {error}.")),
            Ok(finished) => {
                let hint = finished.sandbox_hint(&cell.confinement);
                let output = for_model(&finished, limit, hint.as_deref());
                let item = completed(item, finished, limit);
                ToolOutcome { item: ItemBody::Command(item), output }
            }
        }
    }))
}

fn limit(wanted: Option<u64>) -> TimeLimit {
    let time = wanted
        .map_or(DEFAULT_LIMIT, |seconds| Duration::from_secs(seconds.clamp(1, LONGEST_LIMIT)));
    let remedy = if time.as_secs() < LONGEST_LIMIT {
        "give a longer `timeout_seconds`, at most 600"
    } else {
        "that is the longest; do the work in parts"
    };
    TimeLimit { tool: TOOL.name, time, remedy }
}

/// The item of a command that was run.
pub(super) fn completed(item: CommandItem, finished: Finished, limit: TimeLimit) -> CommandItem {
    let succeeded = finished.succeeded();
    let (exit_code, cut_short) = (finished.exit_code(), finished.cut_short(limit));
    let mut output = finished.output;
    if let Some(why) = cut_short {
        if !output.is_empty() && !output.ends_with('\n') {
            output.push('\n');
        }
        output.push_str(&why);
    }
    CommandItem {
        status: if succeeded { ItemStatus::Completed } else { ItemStatus::Failed },
        exit_code,
        output,
        duration: Some(finished.duration),
        ..item
    }
}

fn for_model(finished: &Finished, limit: TimeLimit, hint: Option<&str>) -> String {
    let output = clip(&finished.plain_output(), MODEL_LIMIT);
    let shown = if output.is_empty() { "There was no output.".to_owned() } else { output };
    let ending = finished.ending(limit);
    let seconds = finished.duration.as_secs_f64();
    match hint {
        Some(hint) => format!("{ending} ({seconds:.1} s)\n{shown}\n{hint}"),
        None => format!("{ending} ({seconds:.1} s)\n{shown}"),
    }
}
