//! What Duet costs, measured from outside on this machine, as JSON and as a table.
//!
//! Wall times say little by themselves: compare them with the entry before, made on the same
//! machine. Nothing here is a gate: those are in `gates`. What is measured runs with the local
//! providers, a home and a model host of its own, whatever the settings and keys of the person at
//! the keyboard.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app_server::{AppServer, memory};
use crate::model_host::{RUNTIME_DIR, models};
use crate::page;
use crate::scratch::Scratch;
use crate::step::{Guard, cargo, output, outside_git, run, target_dir};

const ASSETS: &str = "assets";

/// How often `talk` is asked with its models loaded.
const TALKS: u32 = 5;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Add the table to docs/benchmarks.md
    #[arg(long)]
    record: bool,
    /// Leave out what needs models
    #[arg(long, conflicts_with = "busy")]
    without_models: bool,
    /// Only speech and the bundled agent at once
    #[arg(long)]
    busy: bool,
    /// This program instead of building one
    #[arg(long, value_name = "PATH")]
    duet: Option<PathBuf>,
    /// Measure development builds: to try this command out, not for numbers
    #[arg(long, conflicts_with = "record")]
    dev: bool,
    /// Where the models are [default: $DUET_MODELS, else the user's cache]
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Threads of the speech networks when they run alone [default: the cores]
    #[arg(long)]
    threads: Option<usize>,
}

/// Numbers of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    unit: String,
    samples: Vec<f64>,
}

/// A row as it is shown: least, median, greatest of n.
#[derive(Serialize)]
struct Summary<'r> {
    name: &'r str,
    unit: &'r str,
    n: usize,
    min: f64,
    median: f64,
    max: f64,
}

pub(crate) fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let profile = if arguments.dev { Profile::Dev } else { Profile::Release };
    let duet = match &arguments.duet {
        // It is started in other folders than ours.
        Some(duet) => fs::canonicalize(duet).with_context(|| duet.display().to_string())?,
        None => profile.build_duet()?,
    };
    let scratch = Scratch::new("bench")?;
    let mut rows = Vec::new();
    if !arguments.busy {
        rows.push(Row::one("binary", "MB", fs::metadata(&duet)?.len() as f64 / 1e6));
        rows.push(version(&duet)?);
        rows.extend(initialize(&duet, &scratch)?);
    }
    if !arguments.without_models {
        let models = models(arguments.models.as_deref())?;
        let examples = profile.build_examples()?;
        if !arguments.busy {
            rows.extend(talk(&duet, &models, &scratch)?);
            rows.extend(speech(&examples.join("speech_bench"), &models, arguments.threads)?);
        }
        rows.extend(all_at_once(&examples.join("host_bench"), &models, &duet)?);
    }
    let summaries: Vec<Summary> = rows.iter().map(Row::summary).collect();
    println!("{}", serde_json::to_string_pretty(&summaries)?);
    let table = table(&summaries)?;
    eprintln!("{table}");
    if arguments.record {
        let entry = format!("\n### {}\n\n{table}", page::title(/*commit*/ None)?);
        page::put_on_top("docs/benchmarks.md", &entry)?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Profile {
    Release,
    Dev,
}

impl Profile {
    /// As it is shipped: with the features of `cli` and no other.
    pub(crate) fn build_duet(self) -> anyhow::Result<PathBuf> {
        let build: &[&str] = match self {
            Self::Release => &["build", "--release", "--locked", "--package", "cli"],
            Self::Dev => &["build", "--locked", "--workspace", "--bin", "duet"],
        };
        run(&mut cargo(build))?;
        Ok(self.folder()?.join("duet"))
    }

    /// The folder with the two examples that measure from inside.
    fn build_examples(self) -> anyhow::Result<PathBuf> {
        let packages: &[&str] = match self {
            Self::Release => &["--release", "--package", "speech", "--package", "inference"],
            Self::Dev => &["--workspace"],
        };
        let mut build = cargo(&["build", "--locked", "--example", "speech_bench"]);
        run(build.args(["--example", "host_bench"]).args(packages))?;
        Ok(self.folder()?.join("examples"))
    }

    fn folder(self) -> anyhow::Result<PathBuf> {
        Ok(target_dir()?.join(match self {
            Self::Release => "release",
            Self::Dev => "debug",
        }))
    }
}

/// How long it takes to say its version: what every start costs.
fn version(duet: &Path) -> anyhow::Result<Row> {
    let mut row = Row::new("`duet --version`", "ms");
    for _ in 0..20 {
        let start = Instant::now();
        output(Command::new(duet).arg("--version"))?;
        row.push_ms(start.elapsed());
    }
    Ok(row)
}

/// From starting `duet app-server` to the answer of `initialize`, and what is in memory then.
fn initialize(duet: &Path, scratch: &Scratch) -> anyhow::Result<Vec<Row>> {
    let mut took = Row::new("app-server to `initialize`", "ms");
    let mut resident = Row::new("app-server resident", "MB");
    for _ in 0..15 {
        let start = Instant::now();
        let mut command = Command::new(duet);
        command.arg("app-server").env("DUET_HOME", scratch.dir.join("home"));
        let server = AppServer::greet(&mut command)?;
        took.push_ms(start.elapsed());
        resident.samples.push(server.resident()?);
    }
    Ok(vec![took, resident])
}

/// The demo's question on a repository of its own: latency by stage, and the memory of both
/// processes. The first time loads the models and reads every prompt, so it is told apart.
fn talk(duet: &Path, models: &Path, scratch: &Scratch) -> anyhow::Result<Vec<Row>> {
    let project = scratch.sample_project()?;
    let mut rows = Vec::new();
    for run in 0..=TALKS {
        let Spoken { events, engine } = ask(duet, models, scratch, &project)?;
        let stages = latency(&events)?;
        if run == 0 {
            let answer = stages.into_iter().find(|row| row.name == "talk: answer");
            let answer = answer.with_context(|| format!("talk gave no answer: {events}"))?;
            rows.push(Row { name: "talk, first time: answer".to_owned(), ..answer });
        } else {
            stages.into_iter().for_each(|stage| merge(&mut rows, stage));
            merge(&mut rows, Row::one("talk: engine, peak", "MB", engine));
        }
    }
    let host = scratch.host.process()?.context("talk was answered without a model host")?;
    rows.push(Row::one("talk: model host, peak", "MB", memory(host, "VmHWM:")?));
    // What is measured next has the memory to itself too.
    scratch.host.end();
    Ok(rows)
}

struct Spoken {
    /// A line each.
    events: String,
    /// The most that its process had in memory, in MB.
    engine: f64,
}

fn ask(duet: &Path, models: &Path, scratch: &Scratch, project: &Path) -> anyhow::Result<Spoken> {
    let mut talk = Guard(
        outside_git(duet)
            .args(["talk", "--json", "--config", "model_provider=local"])
            .args(["--config", "realtime.provider=local"])
            .arg("--input")
            .arg(Path::new(ASSETS).join("demo/request.wav"))
            .arg("--output")
            .arg(scratch.dir.join("answer.wav"))
            .arg("--cd")
            .arg(project)
            .env("DUET_HOME", scratch.dir.join("home"))
            .env("DUET_MODELS", models)
            // Prompts that were read before.
            .env("XDG_CACHE_HOME", scratch.dir.join("cache"))
            // Where the model host has its socket.
            .env(RUNTIME_DIR, scratch.host.runtime_dir())
            .env_remove("OPENAI_API_KEY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", duet.display()))?,
    );
    let (mut events, mut engine) = (String::new(), f64::NAN);
    for line in BufReader::new(talk.0.stdout.take().context("stdout")?).lines() {
        // The peak only grows, so the last one that can still be read counts.
        if let Ok(peak) = memory(talk.0.id(), "VmHWM:") {
            engine = peak;
        }
        events += &line?;
        events.push('\n');
    }
    let mut said = String::new();
    talk.0.stderr.take().context("stderr")?.read_to_string(&mut said)?;
    let status = talk.0.wait()?;
    ensure!(status.success(), "duet talk: {status}: {}", said.trim());
    Ok(Spoken { events, engine })
}

/// The stages of one spoken question, from the events of `talk --json`.
fn latency(events: &str) -> anyhow::Result<Vec<Row>> {
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        if event["type"] == "latency" {
            return Ok(flatten("talk", &event));
        }
    }
    bail!("talk told no latency: {events}")
}

/// Real-time factors of the ears and the voice with the cores to themselves.
fn speech(bench: &Path, models: &Path, threads: Option<usize>) -> anyhow::Result<Vec<Row>> {
    let threads = match threads {
        Some(threads) => threads,
        None => std::thread::available_parallelism()?.get(),
    };
    let mut command = Command::new(bench);
    let text = output(command.arg(models).arg(ASSETS).arg(threads.to_string()))?;
    let stages = serde_json::from_str(&text).with_context(|| format!("speech_bench: {text}"))?;
    Ok(flatten("speech", &stages))
}

/// Speech while the bundled agent is idle, writes, and reads; and how fast the agent is.
fn all_at_once(bench: &Path, models: &Path, duet: &Path) -> anyhow::Result<Vec<Row>> {
    let mut command = Command::new(bench);
    command.arg(models).arg(ASSETS).arg(duet).arg("model-host");
    // It takes minutes, and says how far it is.
    let text = output(command.stderr(Stdio::inherit()))?;
    serde_json::from_str(&text).with_context(|| format!("host_bench: {text}"))
}

/// The numbers of an object and of the objects in it, each named by its path. Lists are for
/// who looks closer.
fn flatten(path: &str, value: &Value) -> Vec<Row> {
    match value {
        Value::Number(number) => {
            let value = number.as_f64().unwrap_or(f64::NAN);
            let (name, unit, value) = match path {
                _ if path.ends_with("_ms") => (path.trim_end_matches("_ms"), "ms", value),
                _ if path.ends_with("_bytes") => {
                    (path.trim_end_matches("_bytes"), "MB", value / 1e6)
                }
                _ => (path, "", value),
            };
            vec![Row::one(&name.replace('_', " "), unit, value)]
        }
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| {
                let colon = if path.contains(':') { "," } else { ":" };
                flatten(&format!("{path}{colon} {name}"), value)
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => Vec::new(),
    }
}

/// The samples of `row` go to the row of its name.
fn merge(rows: &mut Vec<Row>, row: Row) {
    match rows.iter_mut().find(|it| it.name == row.name) {
        Some(known) => known.samples.extend(row.samples),
        None => rows.push(row),
    }
}

impl Row {
    fn new(name: &str, unit: &str) -> Self {
        Self { name: name.to_owned(), unit: unit.to_owned(), samples: Vec::new() }
    }

    fn one(name: &str, unit: &str, value: f64) -> Self {
        Self { samples: vec![value], ..Self::new(name, unit) }
    }

    fn push_ms(&mut self, took: Duration) {
        self.samples.push(took.as_secs_f64() * 1e3);
    }

    fn summary(&self) -> Summary<'_> {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        Summary {
            name: &self.name,
            unit: &self.unit,
            n: sorted.len(),
            min: at(0),
            median: at(sorted.len() / 2),
            max: at(sorted.len().saturating_sub(1)),
        }
    }
}

fn table(rows: &[Summary<'_>]) -> anyhow::Result<String> {
    let mut text =
        String::from("| what | unit | n | median | min | max |\n|---|---|---|---|---|---|\n");
    let show = |value: f64| match value.abs() {
        size if size < 0.1 => format!("{value:.4}"),
        size if size < 10.0 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    };
    for Summary { name, unit, n, min, median, max } in rows {
        let (median, min, max) = (show(*median), show(*min), show(*max));
        writeln!(text, "| {name} | {unit} | {n} | {median} | {min} | {max} |")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(rows: &[Row]) -> String {
        let rows: Vec<Summary> = rows.iter().map(Row::summary).collect();
        table(&rows).unwrap().lines().skip(2).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn numbers_are_found_however_deep_they_stand() {
        let stages = json!({
            "threads": 2,
            "voice_activity": { "frame_ms": 0.25, "real_time_factor": 0.008 },
            "speech_to_text": { "load_ms": 300, "phrases": [{ "recording": "a.wav", "ms": 1.0 }] },
            "peak_memory_bytes": 287_000_000_u64,
        });
        assert_eq!(
            shown(&flatten("speech", &stages)),
            "\
| speech: threads |  | 1 | 2.00 | 2.00 | 2.00 |
| speech: voice activity, frame | ms | 1 | 0.25 | 0.25 | 0.25 |
| speech: voice activity, real time factor |  | 1 | 0.0080 | 0.0080 | 0.0080 |
| speech: speech to text, load | ms | 1 | 300.0 | 300.0 | 300.0 |
| speech: peak memory | MB | 1 | 287.0 | 287.0 | 287.0 |
"
        );
    }

    #[test]
    fn stages_of_several_questions_are_one_row_each() {
        let events = |answer| {
            format!(
                "{}\n{}\n{}\n",
                json!({ "type": "start", "thread_id": "t" }),
                json!({ "type": "latency", "answer_ms": answer, "speech_stopped_ms": -310 }),
                json!({ "type": "end", "status": "done" }),
            )
        };
        let mut rows = Vec::new();
        for answer in [2_000, 1_000, 4_000] {
            for stage in latency(&events(answer)).unwrap() {
                merge(&mut rows, stage);
            }
        }
        assert_eq!(
            shown(&rows),
            "\
| talk: answer | ms | 3 | 2000.0 | 1000.0 | 4000.0 |
| talk: speech stopped | ms | 3 | -310.0 | -310.0 | -310.0 |
"
        );
        let error = latency("{\"type\":\"start\"}").unwrap_err().to_string();
        assert!(error.contains("talk told no latency"), "{error}");
    }
}
