//! What Duet costs, measured from outside on this machine, as JSON and as a table.
//!
//! Wall times say little by themselves: compare them with the entry before, made on the same
//! machine. Nothing here is a gate.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::step::{cargo, output, run, target_dir};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Add the table to docs/benchmarks.md
    #[arg(long)]
    record: bool,
    /// Leave out what needs models
    #[arg(long)]
    without_models: bool,
}

struct Row {
    name: String,
    unit: &'static str,
    samples: Vec<f64>,
}

pub(crate) fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    run(&mut cargo(&["build", "--release", "--locked", "--package", "cli"]))?;
    let duet = target_dir()?.join("release").join("duet");
    let scratch = Scratch::new()?;
    let mut rows =
        vec![Row::one("binary", "MB", fs::metadata(&duet)?.len() as f64 / 1e6), version(&duet)?];
    rows.extend(initialize(&duet, &scratch)?);
    if !arguments.without_models {
        rows.extend(talk(&duet, &scratch)?);
        rows.extend(speech()?);
    }
    let json: Vec<Value> = rows.iter().map(Row::json).collect();
    println!("{}", serde_json::to_string_pretty(&json)?);
    let table = table(&rows)?;
    eprintln!("{table}");
    if arguments.record {
        record(&table)?;
    }
    Ok(())
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
    const REQUEST: &str =
        r#"{"id":1,"method":"initialize","params":{"clientInfo":{"name":"bench","version":"1"}}}"#;
    let mut took = Row::new("app-server to `initialize`", "ms");
    let mut resident = Row::new("app-server resident", "MB");
    for _ in 0..15 {
        let start = Instant::now();
        let mut server = Guard(
            Command::new(duet)
                .arg("app-server")
                .env("DUET_HOME", scratch.0.join("home"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?,
        );
        let mut stdin = server.0.stdin.take().context("stdin")?;
        writeln!(stdin, "{REQUEST}")?;
        let mut lines = BufReader::new(server.0.stdout.take().context("stdout")?).lines();
        let answer: Value = serde_json::from_str(&lines.next().context("no answer")??)?;
        ensure!(answer["id"] == 1, "app-server answered {answer}");
        took.push_ms(start.elapsed());
        resident.samples.push(memory(server.0.id(), "VmRSS:")?);
    }
    Ok(vec![took, resident])
}

/// The demo's question on a repository of its own: latency by stage, and the memory of the models.
fn talk(duet: &Path, scratch: &Scratch) -> anyhow::Result<Vec<Row>> {
    let project = scratch.sample_project()?;
    let mut stages: Vec<Row> = Vec::new();
    for _ in 0..5 {
        let text = output(
            Command::new(duet)
                .args(["talk", "--json", "--input", "assets/demo/request.wav", "--cd"])
                .arg(&project)
                .arg("--output")
                .arg(scratch.0.join("answer.wav"))
                .env("DUET_HOME", scratch.0.join("home"))
                .stderr(Stdio::null()),
        )?;
        let events =
            text.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
        let latency = events.iter().find(|event| event["type"] == "latency");
        let Some(Value::Object(latency)) = latency else { bail!("talk told no latency: {text}") };
        for (stage, value) in latency {
            let (Some(stage), Some(value)) = (stage.strip_suffix("_ms"), value.as_f64()) else {
                continue;
            };
            let name = format!("talk: {}", stage.replace('_', " "));
            match stages.iter_mut().find(|row| row.name == name) {
                Some(row) => row.samples.push(value),
                None => stages.push(Row { name, unit: "ms", samples: vec![value] }),
            }
        }
    }
    if let Some(host) = process_called("model-host")? {
        stages.push(Row::one("model host, peak", "MB", memory(host, "VmHWM:")?));
    }
    Ok(stages)
}

/// Real-time factors of the ears and the voice, as the crate's own example prints them.
fn speech() -> anyhow::Result<Vec<Row>> {
    let text = output(&mut cargo(&[
        "run",
        "--release",
        "--locked",
        "--quiet",
        "--package",
        "speech",
        "--example",
        "speech_bench",
    ]))?;
    let Value::Object(stages) = serde_json::from_str(&text).context("speech_bench")? else {
        bail!("speech_bench printed {text}");
    };
    let row = |(name, value): (&String, &Value)| {
        Some(Row::one(&format!("speech: {}", name.replace('_', " ")), "", value.as_f64()?))
    };
    Ok(stages.iter().filter_map(row).collect())
}

impl Row {
    fn new(name: &str, unit: &'static str) -> Self {
        Self { name: name.to_owned(), unit, samples: Vec::new() }
    }

    fn one(name: &str, unit: &'static str, value: f64) -> Self {
        Self { samples: vec![value], ..Self::new(name, unit) }
    }

    fn push_ms(&mut self, took: Duration) {
        self.samples.push(took.as_secs_f64() * 1e3);
    }

    /// Least, median, greatest.
    fn spread(&self) -> [f64; 3] {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        [at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1))]
    }

    fn json(&self) -> Value {
        let [least, median, greatest] = self.spread();
        json!({
            "name": self.name, "unit": self.unit, "n": self.samples.len(),
            "min": least, "median": median, "max": greatest,
        })
    }
}

fn table(rows: &[Row]) -> anyhow::Result<String> {
    let mut text =
        String::from("| what | unit | n | median | min | max |\n|---|---|---|---|---|---|\n");
    for row in rows {
        let [least, median, greatest] = row.spread();
        let (name, unit, n) = (&row.name, row.unit, row.samples.len());
        let show = |value: f64| {
            if value.abs() < 10.0 { format!("{value:.3}") } else { format!("{value:.1}") }
        };
        writeln!(
            text,
            "| {name} | {unit} | {n} | {} | {} | {} |",
            show(median),
            show(least),
            show(greatest)
        )?;
    }
    Ok(text)
}

/// The newest entry stands first.
fn record(table: &str) -> anyhow::Result<()> {
    const PAGE: &str = "docs/benchmarks.md";
    const MARK: &str = "<!-- newest first -->\n";
    let commit = output(Command::new("git").args(["rev-parse", "--short", "HEAD"]))?;
    let date = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|it| it.strip_prefix("model name")).unwrap_or("");
    let cpu = cpu.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism()?;
    let entry = format!("\n## {date}, commit {commit}\n\n{cores} cores of {cpu}\n\n{table}");
    let page = fs::read_to_string(PAGE).with_context(|| PAGE.to_owned())?;
    let (head, tail) = page.split_once(MARK).context("docs/benchmarks.md has lost its mark")?;
    fs::write(PAGE, format!("{head}{MARK}{entry}{tail}")).with_context(|| PAGE.to_owned())
}

/// One line of `/proc/PID/status`, in MB.
fn memory(pid: u32, line: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status.lines().find_map(|it| it.strip_prefix(line)).context("no such line")?;
    let kib: f64 = value.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024.0 / 1e6)
}

/// The process whose first argument is `name`.
fn process_called(name: &str) -> anyhow::Result<Option<u32>> {
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|it| it.parse().ok()) else { continue };
        // It may have ended since it was listed.
        let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
        if line.split(|byte| *byte == 0).nth(1) == Some(name.as_bytes()) {
            return Ok(Some(pid));
        }
    }
    Ok(None)
}

/// Ends the process also when a measurement fails.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A directory of our own below `target`, made anew.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let dir = target_dir()?.join("bench");
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(dir.join("home"))?;
        Ok(Self(dir))
    }

    /// A crate with one test that passes and one that fails.
    fn sample_project(&self) -> anyhow::Result<PathBuf> {
        let project = self.0.join("sample");
        fs::create_dir_all(project.join("src"))?;
        fs::write(
            project.join("Cargo.toml"),
            "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n",
        )?;
        fs::write(
            project.join("src/lib.rs"),
            "pub fn words(line: &str) -> usize {\n    line.split(' ').count()\n}\n\n\
             #[test]\nfn counts_two_words() {\n    assert_eq!(words(\"a b\"), 2);\n}\n\n\
             #[test]\nfn counts_empty_line() {\n    assert_eq!(words(\"\"), 0);\n}\n",
        )?;
        output(Command::new("git").args(["init", "-q"]).arg(&project))?;
        Ok(project)
    }
}
