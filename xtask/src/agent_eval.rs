//! The bundled model as an agent: twenty requests on three small repositories, judged by what
//! was done and said (`evals/agent/tasks.toml`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;

use crate::step::{self, cargo, output, outside_git, run, target_dir};

const FOLDER: &str = "evals/agent";
const PAGE: &str = "docs/agent-eval.md";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only tasks whose name contains this; writes no record
    #[arg(long)]
    only: Option<String>,
    /// This program instead of building one
    #[arg(long)]
    duet: Option<PathBuf>,
    /// Print what each step got and gave
    #[arg(long)]
    trace: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tasks {
    repository: BTreeMap<String, Repository>,
    task: Vec<Task>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repository {
    language: String,
    commits: Vec<Commit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Commit {
    message: String,
    author: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    id: String,
    repository: String,
    prompt: String,
    #[serde(default)]
    answer: Vec<Vec<String>>,
    check: Option<String>,
    #[serde(default)]
    may_change: Vec<String>,
}

/// What came of one task.
struct Outcome {
    problems: Vec<String>,
    steps: Vec<String>,
    answer: String,
    usage: Usage,
    took: Duration,
}

#[derive(Default, Deserialize)]
struct Usage {
    input_tokens: u64,
    cached_input_tokens: u64,
    output_tokens: u64,
}

pub(crate) fn run_all(arguments: &Arguments) -> anyhow::Result<()> {
    let duet = match &arguments.duet {
        Some(duet) => duet.clone(),
        None => {
            run(&mut cargo(&["build", "--release", "--locked", "--package", "cli"]))?;
            target_dir()?.join("release").join("duet")
        }
    };
    let text = fs::read_to_string(Path::new(FOLDER).join("tasks.toml"))?;
    let tasks: Tasks = toml::from_str(&text).context("evals/agent/tasks.toml")?;
    let scratch = std::env::temp_dir().join(format!("duet-agent-eval-{}", std::process::id()));
    let mut outcomes = Vec::new();
    for task in &tasks.task {
        if arguments.only.as_ref().is_some_and(|only| !task.id.contains(only.as_str())) {
            continue;
        }
        let repository = tasks
            .repository
            .get(&task.repository)
            .with_context(|| format!("{}: no repository {}", task.id, task.repository))?;
        let dir = scratch.join(&task.id).join(&task.repository);
        make(&task.repository, repository, &dir)?;
        let outcome = attempt(&duet, task, &dir, arguments.trace)?;
        println!(
            "{} {:<20} {:>6.1} s  {}\n     {}",
            if outcome.problems.is_empty() { "ok  " } else { "FAIL" },
            task.id,
            outcome.took.as_secs_f64(),
            outcome.steps.join(" > "),
            outcome.answer.replace('\n', " / "),
        );
        outcome.problems.iter().for_each(|it| println!("     ! {it}"));
        outcomes.push((task, outcome));
    }
    fs::remove_dir_all(&scratch).with_context(|| scratch.display().to_string())?;
    let passed = outcomes.iter().filter(|it| it.1.problems.is_empty()).count();
    println!("{passed} of {}", outcomes.len());
    if arguments.only.is_none() {
        fs::write(PAGE, page(&tasks, &outcomes)?).context(PAGE)?;
        println!("written to {PAGE}");
    }
    Ok(())
}

/// Lays the folders of the repository one over the other and commits each.
fn make(name: &str, repository: &Repository, dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir)?;
    let source = Path::new(FOLDER).join(name);
    git(dir, &["init", "--quiet", "--initial-branch=main"], &[])?;
    for (number, Commit { message, author }) in (1..).zip(&repository.commits) {
        lay(&source.join(number.to_string()), dir)?;
        git(dir, &["add", "--all"], &[])?;
        // Always the same days, so that every run sees the same history.
        let date = format!("2026-11-{number:02}T10:00:00Z");
        let mail = format!("{}@example.org", author.to_lowercase().replace(' ', "."));
        git(
            dir,
            &["commit", "--quiet", "--message", message],
            &[
                ("GIT_AUTHOR_NAME", author),
                ("GIT_AUTHOR_EMAIL", &mail),
                ("GIT_AUTHOR_DATE", &date),
                ("GIT_COMMITTER_NAME", author),
                ("GIT_COMMITTER_EMAIL", &mail),
                ("GIT_COMMITTER_DATE", &date),
            ],
        )?;
    }
    let uncommitted = source.join("uncommitted");
    if uncommitted.exists() { lay(&uncommitted, dir) } else { Ok(()) }
}

fn lay(from: &Path, over: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let to = over.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&to)?;
            lay(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

fn git(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<String> {
    let mut command = step::git();
    command
        .args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"])
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(dir);
    output(&mut command)
}

fn attempt(duet: &Path, task: &Task, dir: &Path, trace: bool) -> anyhow::Result<Outcome> {
    let before = contents(dir)?;
    let start = Instant::now();
    let mut exec = outside_git(duet)
        .args(["exec", "--json", "--cd"])
        .arg(dir)
        .arg(&task.prompt)
        // A home without configuration and no key: the bundled model.
        .env("DUET_HOME", dir.with_file_name("home"))
        .env_remove("OPENAI_API_KEY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", duet.display()))?;
    let mut outcome = Outcome {
        problems: Vec::new(),
        steps: Vec::new(),
        answer: String::new(),
        usage: Usage::default(),
        took: Duration::ZERO,
    };
    let lines = BufReader::new(exec.stdout.take().context("its output is piped")?).lines();
    for line in lines {
        note(&line?, &mut outcome, trace)?;
    }
    let mut said = String::new();
    exec.stderr.take().context("its errors are piped")?.read_to_string(&mut said)?;
    let status = exec.wait()?;
    outcome.took = start.elapsed();
    if !status.success() {
        outcome.problems.push(format!("{status}: {}", said.trim()));
    }
    judge(task, dir, &before, &mut outcome)?;
    Ok(outcome)
}

/// Takes what we need of an event of `duet exec --json`.
fn note(line: &str, outcome: &mut Outcome, trace: bool) -> anyhow::Result<()> {
    let event: serde_json::Value =
        serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
    let item = &event["item"];
    match (event["type"].as_str(), item["type"].as_str()) {
        (Some("item.completed"), Some("agent_message")) => {
            outcome.answer = item["text"].as_str().unwrap_or_default().to_owned();
        }
        (Some("item.completed"), Some(kind)) => {
            let step = match kind {
                "command_execution" => item["command"].as_str().unwrap_or(kind).to_owned(),
                "mcp_tool_call" => {
                    let tool = item["tool"].as_str().unwrap_or(kind);
                    match item["arguments"].as_object() {
                        Some(arguments) if !arguments.is_empty() => {
                            format!("{tool} {}", item["arguments"])
                        }
                        _ => tool.to_owned(),
                    }
                }
                "file_change" => format!("change {}", item["changes"]),
                other => other.to_owned(),
            };
            outcome.steps.push(step.chars().take(120).collect());
            if trace {
                println!("     - {item:#}");
            }
        }
        (Some("turn.completed"), _) => {
            outcome.usage = Usage::deserialize(&event["usage"])?;
        }
        (Some("turn.failed" | "error"), _) => outcome.problems.push(line.to_owned()),
        (_, _) => {}
    }
    Ok(())
}

fn judge(
    task: &Task,
    dir: &Path,
    before: &BTreeMap<String, Vec<u8>>,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let answer = plain(&outcome.answer);
    for words in &task.answer {
        if !words.iter().any(|it| says(&answer, &plain(it))) {
            outcome.problems.push(format!("the answer has none of {words:?}"));
        }
    }
    let after = contents(dir)?;
    for path in before.keys().chain(after.keys().filter(|it| !before.contains_key(*it))) {
        let allowed = task.may_change.iter().any(|it| path.starts_with(it.as_str()));
        if !allowed && before.get(path) != after.get(path) {
            outcome.problems.push(format!("{path} was changed"));
        }
    }
    if let Some(check) = &task.check {
        let checked = outside_git("bash").args(["-c", check]).current_dir(dir).output()?;
        if !checked.status.success() {
            let said = [checked.stdout, checked.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            let end: Vec<&str> = said.lines().rev().take(4).collect();
            outcome.problems.push(format!("the check failed: {end:?}"));
        }
    }
    Ok(())
}

/// Every file that git does not ignore.
fn contents(dir: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let files = git(dir, &["ls-files", "--cached", "--others", "--exclude-standard"], &[])?;
    let read = |path: &str| Some((path.to_owned(), fs::read(dir.join(path)).ok()?));
    Ok(files.lines().filter_map(read).collect())
}

/// Lower case, without what is written but not said.
fn plain(text: &str) -> String {
    let text = text.to_lowercase().replace(['`', '"', '\'', '*'], "").replace(['_', '-'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `words` stand in `text`, not as a part of a longer word or number.
fn says(text: &str, words: &str) -> bool {
    let continues = |one: Option<char>, other: Option<char>| match (one, other) {
        (Some(one), Some(other)) => {
            (one.is_alphabetic() && other.is_alphabetic())
                || (one.is_ascii_digit() && other.is_ascii_digit())
        }
        (None, _) | (_, None) => false,
    };
    text.match_indices(words).any(|(at, found)| {
        let (before, after) = (&text[..at], &text[at + found.len()..]);
        !continues(before.chars().next_back(), found.chars().next())
            && !continues(found.chars().next_back(), after.chars().next())
    })
}

fn page(tasks: &Tasks, outcomes: &[(&Task, Outcome)]) -> anyhow::Result<String> {
    let passed = outcomes.iter().filter(|it| it.1.problems.is_empty()).count();
    let commit = output(step::git().args(["rev-parse", "--short", "HEAD"]))?;
    let date = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let mut page = format!(
        "# The bundled model as an agent\n\nWritten by `cargo xtask agent-eval`. {date}, commit \
         {commit}: **{passed} of {}**. What it means: `decisions/0005-bundled-agent.md`.\n\n\
         | task | language | request | result | s | tokens in (known before) / out | steps | answer |\n\
         |---|---|---|---|---|---|---|---|\n",
        outcomes.len()
    );
    for (task, outcome) in outcomes {
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let language = tasks.repository.get(&task.repository).map_or("", |it| it.language.as_str());
        let result = match outcome.problems.as_slice() {
            [] => "ok".to_owned(),
            [first, ..] => format!("**failed**: {}", cell(first)),
        };
        let Usage { input_tokens, cached_input_tokens, output_tokens } = outcome.usage;
        writeln!(
            page,
            "| {} | {language} | {} | {result} | {:.1} | {input_tokens} ({cached_input_tokens}) / \
             {output_tokens} | {} | {} |",
            task.id,
            cell(&task.prompt),
            outcome.took.as_secs_f64(),
            cell(&outcome.steps.join(" > ")),
            cell(&outcome.answer),
        )?;
    }
    Ok(page)
}
