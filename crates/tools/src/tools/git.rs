//! `git_log`, `git_diff`, `git_status`, `last_commit`: what git knows, in words.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{ItemStatus, Property, RepositoryFacts, Schema, ToolEffect, ToolSpec};
use workspace::{Commit, CommittedKind, Git, GitCommand, Status, StatusKind};

use super::{Tool, tool_item};
use crate::arguments::{Arguments, BadArguments};
use crate::command::{Program, Telling, TimeLimit, run_program};
use crate::policy::reading;
use crate::running::{Ports, RunningTool, ToolOutcome};
use crate::text::{clip, clip_end, clip_line, plain};
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

/// Commits that are listed, newest first, and those that are searched.
const LISTED: usize = 10;
const SEARCHED: usize = 300;

/// Commits that are about the question, and files that are told of each.
const ABOUT: usize = 3;
const FILES: usize = 4;

/// What questions about history are made of, and commits are not about.
const OF_HISTORY: &str = " add added adds author authors change changed changes commit commits committed created \
                          first history introduced last initial latest made make newest oldest earliest previous recent very \
                          write written wrote ";

/// Who asks with these means the oldest of all.
const OF_BEGINNING: &str = " earliest first initial oldest ";

/// Who asks with these means the oldest of the commits that fit, and else the newest.
const OF_ORIGIN: &str = " add added adds created first introduced made write written wrote ";

fn log_spec(style: Style, facts: &RepositoryFacts) -> Option<ToolSpec> {
    let description = "finds who made which change and when, and lists the last commits and the \
                       very first one";
    let question = "The question in the user's own words.";
    let text = Schema::Text { max_chars: Some(120) };
    let spec = spec("git_log", description, style, facts)?;
    Some(ToolSpec { parameters: vec![Property::required("question", question, text)], ..spec })
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

fn start_log(job: Job, arguments: &Arguments) -> Result<RunningTool, BadArguments> {
    let question = arguments.optional_text("question")?.unwrap_or_default().to_owned();
    Ok(asking(
        job,
        |git| git.has_commits().then(|| git.log(SEARCHED as u32)),
        move |output, _| tell_log(&Commit::parse_all(output), &question),
    ))
}

fn tell_log(commits: &[Commit], question: &str) -> String {
    let mut told = String::new();
    let is_in = |words: &str, word: &str| words.contains(&format!(" {} ", word.to_lowercase()));
    let words = question.split(|it: char| !it.is_alphanumeric() && it != '_');
    let (of_history, words): (Vec<&str>, Vec<&str>) = words.partition(|it| is_in(OF_HISTORY, it));
    let mut candidates: Vec<&Commit> = commits.iter().collect();
    if of_history.iter().any(|it| is_in(OF_ORIGIN, it)) {
        candidates.reverse();
    }
    let texts: Vec<String> = candidates
        .iter()
        .map(|it| {
            let paths = it.files.iter().map(|file| file.path.as_str());
            format!("{} {} {}", it.author, it.subject, paths.collect::<Vec<_>>().join(" "))
        })
        .collect();
    let is_all = commits.len() < SEARCHED;
    if let Some(first) = commits.last()
        && is_all
        && of_history.iter().any(|it| is_in(OF_BEGINNING, it))
    {
        told.push_str(&format!("The very first commit: {}\n", line_with_files(first)));
    }
    let about = workspace::about(&texts, &words.join(" "));
    if !about.is_empty() && about.len() < commits.len() {
        told.push_str("About that:\n");
        for at in about.into_iter().take(ABOUT) {
            told.push_str(&format!("{}\n", line_with_files(candidates[at])));
        }
    }
    let listed = match commits.len() {
        1 => "The only commit".to_owned(),
        count @ 2..=LISTED => format!("All {count} commits, newest first"),
        count if is_all => format!("The last {LISTED} of {count} commits, newest first"),
        _ => format!("The last {LISTED} commits, newest first"),
    };
    told.push_str(&format!("{listed}:\n"));
    for (at, commit) in commits.iter().take(LISTED).enumerate() {
        let first = if is_all && at + 1 == commits.len() { " (the very first commit)" } else { "" };
        told.push_str(&format!("{}{first}\n", line(commit)));
    }
    if let Some(first) = commits.get(LISTED..).and_then(|it| it.last())
        && is_all
    {
        told.push_str(&format!("The very first commit: {}\n", line(first)));
    }
    told.trim_end().to_owned()
}

fn line(commit: &Commit) -> String {
    let Commit { hash, date, author, subject, files: _ } = commit;
    format!("{hash} on {date} by {author}: {}", clip_line(subject, 120))
}

fn line_with_files(commit: &Commit) -> String {
    let mut told = line(commit);
    for (at, file) in commit.files.iter().take(FILES).enumerate() {
        let kind = match file.kind {
            CommittedKind::Added => "added",
            CommittedKind::Deleted => "deleted",
            CommittedKind::Changed => "changed",
        };
        told.push_str(if at == 0 { " - it " } else { ", " });
        told.push_str(&format!("{kind} {}", file.path));
    }
    if FILES < commit.files.len() {
        told.push_str(&format!(", and {} more", commit.files.len() - FILES));
    }
    told
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

#[cfg(test)]
mod tests {
    use super::*;

    fn commits(records: &[(&str, &str, &str)]) -> Vec<Commit> {
        let records = records.iter().enumerate().map(|(at, (author, subject, files))| {
            format!("\x1e{at}\t2026-01-0{at}\t{author}\t{subject}\n\n{files}")
        });
        Commit::parse_all(&records.collect::<String>())
    }

    #[test]
    fn a_question_about_history_finds_its_commits() {
        let commits = commits(&[
            ("Ann", "Convert units", "A\tsrc/units.rs\n"),
            ("Bob", "Warn when waves are high", "A\tsrc/alarm.rs\nM\tsrc/main.rs\n"),
            ("Cid", "Read the logger", "A\tsrc/main.rs\n"),
        ]);
        let list = "All 3 commits, newest first:\n\
                    0 on 2026-01-00 by Ann: Convert units\n\
                    1 on 2026-01-01 by Bob: Warn when waves are high\n\
                    2 on 2026-01-02 by Cid: Read the logger (the very first commit)";
        assert_eq!(
            tell_log(&commits, "Who added the alarm?"),
            format!(
                "About that:\n1 on 2026-01-01 by Bob: Warn when waves are high - it added \
                 src/alarm.rs, changed src/main.rs\n{list}"
            )
        );
        assert_eq!(
            tell_log(&commits, "What was the very first commit?"),
            format!(
                "The very first commit: 2 on 2026-01-02 by Cid: Read the logger - it added \
                 src/main.rs\n{list}"
            )
        );
        assert_eq!(tell_log(&commits, ""), list);
    }

    #[test]
    fn the_first_of_many_commits_is_told() {
        let many: Vec<(&str, &str, &str)> = vec![("Ann", "Go on", ""); 12];
        let told = tell_log(&commits(&many), "go on");
        assert!(told.starts_with("The last 10 of 12 commits, newest first:\n"), "{told}");
        assert_eq!(told.lines().count(), 12, "{told}");
        assert!(told.ends_with("The very first commit: 11 on 2026-01-011 by Ann: Go on"), "{told}");
    }
}
