//! `git_log`, `git_diff`, `git_status`, `last_commit`: what git knows, in words.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{ItemStatus, RepositoryFacts, ToolEffect, ToolSpec};
use workspace::{Git, GitCommand, Status, StatusKind, log_line};

use super::{Tool, tool_item};
use crate::arguments::{Arguments, BadArguments};
use crate::command::{Program, Telling, TimeLimit, run_program};
use crate::policy::reading;
use crate::running::{Ports, RunningTool, ToolOutcome};
use crate::text::{clip, clip_end, plain};
use crate::toolbox::{Job, Style};

pub(crate) const LOG: Tool = Tool { name: "git_log", spec: log_spec, start: start_log };
pub(crate) const DIFF: Tool = Tool { name: "git_diff", spec: diff_spec, start: start_diff };
pub(crate) const STATUS: Tool = Tool { name: "git_status", spec: status_spec, start: start_status };
pub(crate) const LAST: Tool = Tool { name: "last_commit", spec: last_spec, start: start_last };

const LIMIT: TimeLimit = TimeLimit {
    tool: "git",
    time: Duration::from_secs(20),
    remedy: "run it by hand to see what it waits for",
};

/// Bytes of a diff that the bundled model reads.
const TYPED_LIMIT: usize = 2200;
const FULL_LIMIT: usize = 16_000;

/// Files that are named in a status.
const NAMED: usize = 15;

fn log_spec(style: Style, facts: &RepositoryFacts) -> Option<ToolSpec> {
    spec("git_log", "lists the last commits: when, by whom, and their messages", style, facts)
}

fn diff_spec(style: Style, facts: &RepositoryFacts) -> Option<ToolSpec> {
    spec("git_diff", "shows the lines that were changed and are not committed", style, facts)
}

fn status_spec(style: Style, facts: &RepositoryFacts) -> Option<ToolSpec> {
    let description = "says which files have changes that are not committed";
    spec("git_status", description, style, facts)
}

fn last_spec(style: Style, facts: &RepositoryFacts) -> Option<ToolSpec> {
    spec("last_commit", "shows who made the last commit, and what it changed", style, facts)
}

/// A large model asks git itself, in the shell.
fn spec(name: &str, description: &str, style: Style, facts: &RepositoryFacts) -> Option<ToolSpec> {
    (style == Style::Typed && facts.is_git).then(|| ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: Vec::new(),
        effect: ToolEffect::Reads,
    })
}

fn start_log(job: Job, _arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    Ok(asking(
        job,
        |git| git.has_commits().then(|| git.log(10)),
        |output, _| {
            let lines: Vec<String> = output.lines().filter_map(log_line).collect();
            format!("The last commits, newest first:\n{}", lines.join("\n"))
        },
    ))
}

fn start_diff(job: Job, _arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    Ok(asking(
        job,
        |git| Some(git.diff()),
        |output, limit| match output.trim() {
            "" => "No file that git knows was changed since the last commit.".to_owned(),
            diff => format!("Not committed:\n{}", clip_end(&without_noise(diff), limit)),
        },
    ))
}

fn start_status(job: Job, _arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    let branch = job.context.facts.branch.clone();
    Ok(asking(
        job,
        |git| Some(git.status()),
        move |output, _| tell_status(&Status::parse(output), branch.as_deref()),
    ))
}

fn start_last(job: Job, _arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    Ok(asking(
        job,
        |git| git.has_commits().then(|| git.last_commit()),
        |output, limit| {
            format!("The last commit: {}", clip_end(&without_noise(output.trim()), limit))
        },
    ))
}

/// Asks git one thing and puts the answer into words. `ask` gives nothing where there is no
/// commit to ask about.
fn asking(
    job: Job,
    ask: impl FnOnce(&Git) -> Option<GitCommand> + Send + 'static,
    tell: impl FnOnce(&str, usize) -> String + Send + 'static,
) -> RunningTool {
    let started = tool_item(&job.call, ItemStatus::InProgress, "", None);
    RunningTool::new(started, move |mut ports| async move {
        let begun = std::time::Instant::now();
        let answered = answer(&job, &mut ports, ask).await;
        let (status, told) = match answered {
            Ok(output) => {
                let limit = match job.context.style {
                    Style::Typed => TYPED_LIMIT,
                    Style::Full => FULL_LIMIT,
                };
                (ItemStatus::Completed, tell(&output, limit))
            }
            Err(message) => (ItemStatus::Failed, message),
        };
        let item = tool_item(&job.call, status, &told, Some(begun.elapsed()));
        ToolOutcome { item, output: told }
    })
}

async fn answer(
    job: &Job,
    ports: &mut Ports,
    ask: impl FnOnce(&Git) -> Option<GitCommand> + Send + 'static,
) -> Result<String, String> {
    let facts = job.context.facts.clone();
    let asked = tokio::task::spawn_blocking(move || Git::open(&facts.root).map(|git| ask(&git)));
    let command = match asked.await {
        Ok(Some(Some(command))) => command,
        Ok(Some(None)) => return Err("There is no commit yet.".to_owned()),
        Ok(None) => return Err("This directory is not in a git repository.".to_owned()),
        Err(_) => return Err("git could not be asked.".to_owned()),
    };
    // The call runs nothing of the repository's by its own options. The sandbox stands behind them:
    // where there is none, git is refused as every other program is.
    let GitCommand { argv, env } = command;
    let program = Program { argv, env, confinement: reading(), time_limit: LIMIT.time };
    match run_program(job, ports, program, Telling::Silent).await {
        Ok(finished) if finished.succeeded() => Ok(finished.output),
        Ok(finished) => {
            let said = clip(&plain(&finished.output), 300);
            Err(format!("git failed. {} {said}", finished.ending(LIMIT)))
        }
        Err(error) => Err(format!("git was not run: {error}.")),
    }
}

/// Lines of a diff that tell a reader nothing.
fn without_noise(diff: &str) -> String {
    let noise = ["index ", "old mode ", "new mode ", "similarity index ", "diff --git "];
    let kept: Vec<&str> =
        diff.lines().filter(|line| !noise.iter().any(|it| line.starts_with(it))).collect();
    kept.join("\n")
}

fn tell_status(status: &Status, branch: Option<&str>) -> String {
    let mut told = branch.map(|it| format!("On branch {it}. ")).unwrap_or_default();
    if status.entries.is_empty() {
        told.push_str("Everything is committed: there are no changes.");
        return told;
    }
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in &status.entries {
        let word = match entry.kind {
            StatusKind::Changed => "Changed",
            StatusKind::Added => "Added",
            StatusKind::Deleted => "Deleted",
            StatusKind::Renamed => "Renamed",
            StatusKind::Untracked => "New, not known to git",
            StatusKind::Conflicted => "In conflict",
        };
        kinds.entry(word).or_default().push(&entry.path);
    }
    let count = status.entries.len();
    let plural = if count == 1 { "file has" } else { "files have" };
    told.push_str(&format!("{count} {plural} changes that are not committed."));
    for (word, paths) in kinds {
        let named = paths.len().min(NAMED);
        told.push_str(&format!("\n{word}: {}", paths[..named].join(", ")));
        if named < paths.len() {
            told.push_str(&format!(" and {} more", paths.len() - named));
        }
    }
    told
}
