//! Counts what the gates are about, in a release build, as it is shipped.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;

use super::limits::{Kind, Measured};
use super::trace;
use crate::app_server::AppServer;
use crate::step::{cargo, output, run, target_dir};

/// What `hot-paths` knows.
const PATHS: [&str; 4] = ["microphone", "microphone-48k", "model-delta", "voice"];

/// How often a path is gone: enough that what happens now and then has its share.
const SHORT: u32 = 200;
const LONG: u32 = 1_000;

/// Starts whose memory is looked at; the median counts.
const STARTS: usize = 5;

pub(super) fn all() -> anyhow::Result<Vec<Measured>> {
    // Together, so that `duet` is built as it is without the other.
    let build = ["build", "--release", "--locked", "--package", "cli", "--package", "hot-paths"];
    run(&mut cargo(&build))?;
    let target = target_dir()?;
    let logs = target.join("gates");
    if logs.exists() {
        fs::remove_dir_all(&logs)?;
    }
    fs::create_dir_all(&logs)?;
    let mut measured = Vec::new();
    for path in PATHS {
        measured.extend(hot_path(&target.join("release/hot-paths"), path, &logs)?);
    }
    measured.extend(initialize(&target.join("release/duet"), &logs)?);
    Ok(measured)
}

/// What the program prints of itself.
#[derive(Deserialize)]
struct Allocated {
    allocations: u32,
    bytes: u32,
}

fn hot_path(program: &Path, path: &'static str, logs: &Path) -> anyhow::Result<[Measured; 3]> {
    let text = output(alone(program).args([path, &LONG.to_string()]))?;
    let Allocated { allocations, bytes } =
        serde_json::from_str(&text).with_context(|| format!("hot-paths {path}: {text}"))?;
    let each = |count: u32| f64::from(count) / f64::from(LONG);
    let short = instructions(program, path, SHORT, logs)?;
    // Last, so that its log is what is left to look at.
    let long = instructions(program, path, LONG, logs)?;
    let instructions = (long - short) / f64::from(LONG - SHORT);
    Ok([
        Measured::new(path, Kind::Instructions, instructions),
        Measured::new(path, Kind::Allocations, each(allocations)),
        Measured::new(path, Kind::AllocatedBytes, each(bytes)),
    ])
}

/// Of the whole run, in user space.
fn instructions(program: &Path, path: &str, count: u32, logs: &Path) -> anyhow::Result<f64> {
    let log = logs.join(format!("{path}.callgrind"));
    let mut valgrind = alone("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet"]);
    valgrind.arg(format!("--callgrind-out-file={}", log.display()));
    output(valgrind.arg(program).args([path, &count.to_string()]))?;
    let text = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    total(&text).with_context(|| format!("{} has no total", log.display()))
}

fn total(callgrind: &str) -> Option<f64> {
    let total = callgrind.lines().find_map(|line| line.strip_prefix("totals: "))?;
    total.trim().parse().ok()
}

/// `duet app-server`, up to where it answers `initialize`.
fn initialize(duet: &Path, logs: &Path) -> anyhow::Result<[Measured; 3]> {
    const OF: &str = "initialize";
    let home = logs.join("home");
    fs::create_dir_all(&home)?;
    let log = logs.join(format!("{OF}.strace"));
    let mut strace = alone("strace");
    strace.args(["-f", "-e", trace::CALLS, "-o"]).arg(&log).arg(duet);
    AppServer::greet(at_home(&mut strace, &home))?.finish()?;
    let text = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let trace::Start { files, processes } = trace::read(&text)?;
    let mut resident = Vec::new();
    for _ in 0..STARTS {
        let server = AppServer::greet(at_home(&mut alone(duet), &home))?;
        resident.push(server.resident()?);
        server.finish()?;
    }
    resident.sort_by(f64::total_cmp);
    Ok([
        Measured::new(OF, Kind::FilesOpened, f64::from(files)),
        Measured::new(OF, Kind::Processes, f64::from(processes)),
        Measured::new(OF, Kind::Resident, resident[STARTS / 2]),
    ])
}

/// As the app server of somebody who has nothing yet.
fn at_home<'c>(duet: &'c mut Command, home: &Path) -> &'c mut Command {
    duet.arg("app-server").env("HOME", home)
}

/// Without the environment of whoever asks, which would be counted too: its libraries, its
/// settings, its length.
fn alone(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", PathBuf::from(path))));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_what_callgrind_writes() {
        let log = "version: 1\nevents: Ir\nsummary: 7\n\nfn=(1) main\n0 12\n\ntotals: 3141592\n";
        assert_eq!(total(log), Some(3_141_592.0));
        assert_eq!(total("summary: 7\n"), None);
    }
}
