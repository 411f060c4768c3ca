//! Requests to the agent, each on a repository made for it, and judged by what was said and done.
//!
//! A folder of `evals` holds them: a TOML file of the requests, and the repositories as folders of
//! numbered commits. The form is described at the head of `evals/agent/tasks.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

use crate::step::{self, output, outside_git};

/// An answer that takes longer is none: nobody waits for it, and a run must end.
const LONGEST: Duration = Duration::from_secs(15 * 60);

pub(crate) struct Requests {
    folder: PathBuf,
    pub(crate) repositories: BTreeMap<String, Repository>,
    pub(crate) tasks: Vec<Task>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    repository: BTreeMap<String, Repository>,
    task: Vec<Task>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repository {
    pub(crate) language: String,
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
pub(crate) struct Task {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) kind: String,
    pub(crate) repository: String,
    pub(crate) prompt: String,
    #[serde(default)]
    pub(crate) answer: Vec<Vec<String>>,
    #[serde(default)]
    never: Vec<String>,
    check: Option<String>,
    #[serde(default)]
    may_change: Vec<String>,
}

#[cfg(test)]
impl Task {
    /// Whether an answer or an edit can fail it.
    pub(crate) fn is_judged(&self) -> bool {
        self.check.is_some() || !self.answer.is_empty()
    }
}

/// What came of one request.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) problems: Vec<String>,
    pub(crate) steps: Vec<String>,
    pub(crate) answer: String,
    pub(crate) usage: Usage,
    pub(crate) took: Duration,
    /// What the voice understood, utterance by utterance; of a spoken request only.
    pub(crate) heard: Vec<String>,
    /// What the voice said; of a spoken request only.
    pub(crate) spoken: Vec<String>,
}

#[derive(Default, Deserialize)]
pub(crate) struct Usage {
    pub(crate) input_tokens: u64,
    pub(crate) cached_input_tokens: u64,
    pub(crate) output_tokens: u64,
}

impl Requests {
    pub(crate) fn read(folder: &str, file: &str) -> anyhow::Result<Self> {
        let folder = PathBuf::from(folder);
        let path = folder.join(file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let File { repository, task } =
            toml::from_str(&text).with_context(|| path.display().to_string())?;
        Ok(Self { folder, repositories: repository, tasks: task })
    }

    pub(crate) fn repository(&self, task: &Task) -> anyhow::Result<&Repository> {
        let repository = self.repositories.get(&task.repository);
        repository.with_context(|| format!("{}: no repository {}", task.id, task.repository))
    }

    /// Makes the task's repository in `dir`: lays its folders one over the other and commits each.
    pub(crate) fn make(&self, task: &Task, dir: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(dir)?;
        let source = self.folder.join(&task.repository);
        git(dir, &["init", "--quiet", "--initial-branch=main"], &[])?;
        for (number, Commit { message, author }) in (1..).zip(&self.repository(task)?.commits) {
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

/// `duet` as one who has just installed it runs it: no configuration and no key, so the bundled
/// model.
pub(crate) fn bundled(duet: &Path, home: &Path) -> Command {
    let mut command = outside_git(duet);
    command.env("DUET_HOME", home).env_remove("OPENAI_API_KEY");
    command
}

/// Runs `duet exec --json` or `duet talk --json` in `dir`, and judges what came of it.
pub(crate) fn attempt(
    command: &mut Command,
    task: &Task,
    dir: &Path,
    trace: bool,
) -> anyhow::Result<Outcome> {
    let before = contents(dir)?;
    let start = Instant::now();
    let mut duet = step::Guard(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {command:?}"))?,
    );
    let mut outcome = Outcome::default();
    let events = duet.0.stdout.take().context("its output is piped")?;
    let mut errors = duet.0.stderr.take().context("its errors are piped")?;
    let (to_us, lines) = mpsc::channel();
    // Both end with the process.
    let reader = std::thread::spawn(move || {
        BufReader::new(events).lines().try_for_each(|line| to_us.send(line)).ok()
    });
    let complaints = std::thread::spawn(move || {
        let mut said = String::new();
        errors.read_to_string(&mut said).map(|_| said)
    });
    loop {
        match lines.recv_timeout(LONGEST.saturating_sub(start.elapsed())) {
            Ok(line) => note(&line?, &mut outcome, trace)?,
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                outcome.problems.push(format!("no answer after {} s", LONGEST.as_secs()));
                duet.0.kill()?;
                break;
            }
        }
    }
    let status = duet.0.wait()?;
    outcome.took = start.elapsed();
    drop(reader.join());
    let said = complaints.join().map_err(|_| anyhow::anyhow!("the reader of errors broke"))??;
    if !status.success() {
        outcome.problems.push(format!("{status}: {}", said.trim()));
    }
    judge(task, dir, &before, &mut outcome)?;
    Ok(outcome)
}

/// Takes what we need of an event of `duet exec --json` or `duet talk --json`.
fn note(line: &str, outcome: &mut Outcome, trace: bool) -> anyhow::Result<()> {
    let event: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
    let item = &event["item"];
    let text = |value: &Value| value["text"].as_str().unwrap_or_default().to_owned();
    let completed = event["type"] == "item.completed"
        || (event["type"] == "item" && event["status"] == "completed");
    match (event["type"].as_str(), item["type"].as_str()) {
        (_, Some("agent_message")) if completed => outcome.answer = text(item),
        (_, Some(kind)) if completed => {
            outcome.steps.push(step_of(kind, item).chars().take(120).collect());
            if trace {
                println!("     - {item:#}");
            }
        }
        (Some("user_transcript"), _) => outcome.heard.push(text(&event)),
        (Some("spoken_transcript"), _) => outcome.spoken.push(text(&event)),
        (Some("answer"), _) => outcome.answer = text(&event),
        (Some("turn.completed"), _) => outcome.usage = Usage::deserialize(&event["usage"])?,
        (Some("turn.failed" | "error"), _) => outcome.problems.push(line.to_owned()),
        (_, _) => {}
    }
    Ok(())
}

fn step_of(kind: &str, item: &Value) -> String {
    match kind {
        "command_execution" => item["command"].as_str().unwrap_or(kind).to_owned(),
        "mcp_tool_call" => {
            let tool = item["tool"].as_str().unwrap_or(kind);
            match item["arguments"].as_object() {
                Some(arguments) if !arguments.is_empty() => format!("{tool} {}", item["arguments"]),
                _ => tool.to_owned(),
            }
        }
        "file_change" => format!("change {}", item["changes"]),
        other => other.to_owned(),
    }
}

fn judge(
    task: &Task,
    dir: &Path,
    before: &BTreeMap<String, Vec<u8>>,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    outcome.problems.extend(wrong_words(task, &outcome.answer));
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

/// What `answer` lacks, and what it should not say.
pub(crate) fn wrong_words(task: &Task, answer: &str) -> Vec<String> {
    let answer = plain(answer);
    let said = |words: &String| says(&answer, &plain(words));
    let missing = task.answer.iter().filter(|words| !words.iter().any(said));
    let missing = missing.map(|words| format!("the answer has none of {words:?}"));
    let wrong = task.never.iter().filter(|words| said(words));
    missing.chain(wrong.map(|words| format!("the answer says {words:?}"))).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn task(answer: &[&[&str]], never: &[&str]) -> Task {
        let owned = |words: &[&str]| words.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        Task {
            id: "id".to_owned(),
            kind: String::new(),
            repository: String::new(),
            prompt: String::new(),
            answer: answer.iter().map(|words| owned(words)).collect(),
            never: owned(never),
            check: None,
            may_change: Vec::new(),
        }
    }

    #[test]
    fn one_word_of_each_list_is_said() {
        let task = task(&[&["34", "thirty four"], &["gale"]], &[]);
        assert_eq!(wrong_words(&task, "A `gale` begins at Thirty-Four knots."), [""; 0]);
        assert_eq!(
            wrong_words(&task, "At 340 knots, as GALE_KNOTS says."),
            [r#"the answer has none of ["34", "thirty four"]"#]
        );
    }

    #[test]
    fn no_word_is_said_that_must_not_be() {
        let task = task(&[&["pass"]], &["not pass"]);
        assert_eq!(wrong_words(&task, "They do **not** pass."), [r#"the answer says "not pass""#]);
    }

    #[test]
    fn typed_and_spoken_events_say_the_same() {
        let mut typed = Outcome::default();
        let mut spoken = Outcome::default();
        let search = r#"{"type":"mcp_tool_call","tool":"search","arguments":{"question":"x"}}"#;
        let message = r#"{"type":"agent_message","text":"Six."}"#;
        for line in [
            format!(r#"{{"type":"item.completed","item":{search}}}"#),
            format!(r#"{{"type":"item.completed","item":{message}}}"#),
        ] {
            note(&line, &mut typed, false).expect("an event");
        }
        for line in [
            r#"{"type":"user_transcript","text":"How many?"}"#.to_owned(),
            format!(r#"{{"type":"item","status":"started","item":{search}}}"#),
            format!(r#"{{"type":"item","status":"completed","item":{search}}}"#),
            format!(r#"{{"type":"item","status":"completed","item":{message}}}"#),
            r#"{"type":"answer","text":"Six."}"#.to_owned(),
        ] {
            note(&line, &mut spoken, false).expect("an event");
        }
        assert_eq!(typed.steps, [r#"search {"question":"x"}"#]);
        assert_eq!((&typed.steps, &typed.answer), (&spoken.steps, &spoken.answer));
        assert_eq!(spoken.heard, ["How many?"]);
    }
}
