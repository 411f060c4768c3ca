//! The demo many times over, with a dated record: once is luck.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::step::{cargo, git, output, run};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often
    #[arg(long, default_value_t = 10)]
    runs: u32,
}

struct Run {
    passed: bool,
    took: Duration,
    /// The last line that the demo printed: its verdict.
    verdict: String,
}

pub(crate) fn record(arguments: &Arguments) -> anyhow::Result<()> {
    run(&mut cargo(&["build", "--release", "--locked", "--package", "cli"]))?;
    let duet = crate::step::target_dir()?.join("release").join("duet");
    let mut runs = Vec::new();
    for number in 1..=arguments.runs {
        let start = Instant::now();
        let done = Command::new(&duet)
            .arg("demo")
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("start {}", duet.display()))?;
        let text = [done.stdout, done.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
        let last = text.iter().find_map(|it| it.lines().rev().find(|line| !line.trim().is_empty()));
        let verdict = last.unwrap_or("it said nothing").trim().to_owned();
        let one = Run { passed: done.status.success(), took: start.elapsed(), verdict };
        println!("{number:>3}  {}  {:>5.1} s  {}", one.word(), one.took.as_secs_f64(), one.verdict);
        runs.push(one);
    }
    let passed = runs.iter().filter(|it| it.passed).count();
    fs::write("docs/demo-runs.md", page(&runs)?).context("docs/demo-runs.md")?;
    println!("{passed} of {} passed; written to docs/demo-runs.md", runs.len());
    ensure!(passed == runs.len(), "not every run passed");
    Ok(())
}

fn page(runs: &[Run]) -> anyhow::Result<String> {
    let passed = runs.iter().filter(|it| it.passed).count();
    let commit = output(git().args(["rev-parse", "--short", "HEAD"]))?;
    let date = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let mut page = format!(
        "# The demo, run after run\n\nWritten by `cargo xtask demo-runs`. {date}, commit {commit}: **{passed} of {}** passed.\n\n\
         | run | result | seconds | verdict |\n|---|---|---|---|\n",
        runs.len()
    );
    for (number, one) in (1..).zip(runs) {
        let verdict = one.verdict.replace('|', "\\|");
        writeln!(
            page,
            "| {number} | {} | {:.1} | {verdict} |",
            one.word(),
            one.took.as_secs_f64()
        )?;
    }
    Ok(page)
}

impl Run {
    fn word(&self) -> &'static str {
        if self.passed { "passed" } else { "FAILED" }
    }
}
