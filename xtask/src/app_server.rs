//! `duet app-server`, started and greeted, as it is before anybody asks for anything.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::step::Guard;

const INITIALIZE: &str =
    r#"{"id":1,"method":"initialize","params":{"clientInfo":{"name":"bench","version":"1"}}}"#;

/// One that has answered `initialize`. Ends when it is dropped.
pub(crate) struct AppServer {
    process: Guard,
    stdin: ChildStdin,
}

impl AppServer {
    /// Runs `command`, which is the program itself or one that watches it.
    pub(crate) fn greet(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let child = child.with_context(|| format!("start {command:?}"))?;
        let mut process = Guard(child);
        let Child { stdin, stdout, .. } = &mut process.0;
        let (stdin, stdout) = (stdin.take(), stdout.take());
        let mut stdin = stdin.context("stdin")?;
        writeln!(stdin, "{INITIALIZE}")?;
        let mut lines = BufReader::new(stdout.context("stdout")?).lines();
        let answer: Value = serde_json::from_str(&lines.next().context("no answer")??)?;
        ensure!(answer["id"] == 1, "app-server answered {answer}");
        Ok(Self { process, stdin })
    }

    /// What it has in memory, in MB.
    pub(crate) fn resident(&self) -> anyhow::Result<f64> {
        memory(self.process.0.id(), "VmRSS:")
    }

    /// Ends its input, and waits until it has ended by itself.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        drop(self.stdin);
        let status = self.process.0.wait()?;
        ensure!(status.success(), "app-server ended with {status}");
        Ok(())
    }
}

/// One line of `/proc/PID/status`, in MB.
pub(crate) fn memory(pid: u32, line: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status.lines().find_map(|it| it.strip_prefix(line)).context("no such line")?;
    let kib: f64 = value.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024.0 / 1e6)
}
