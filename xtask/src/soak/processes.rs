//! What the program's processes hold, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::scratch::Scratch;

/// Of all processes of one kind together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) count: u32,
    /// Resident, in MB, and of that what is in no file.
    pub(crate) rss: f64,
    pub(crate) anonymous: f64,
    /// Resident, with what is shared divided among those who share it.
    pub(crate) pss: f64,
    /// Seconds of processor time since they began.
    pub(crate) cpu_s: f64,
    pub(crate) files: usize,
    pub(crate) threads: f64,
    /// Seconds in which threads could have run and others did, since they began.
    pub(crate) waited_s: f64,
}

/// Ticks of processor time in a second: the same on every Linux that we know.
const TICKS: f64 = 100.0;

/// `engine` and those that run the same program right below it or as its model host, by the
/// name of their task. What confines commands comes and goes with them, and is not told.
pub(crate) fn held(program: &Path, engine: u32, scratch: &Scratch) -> BTreeMap<String, Held> {
    let mut all: BTreeMap<String, Held> = BTreeMap::new();
    let host = scratch.host.process().ok().flatten();
    for (pid, parent) in parents() {
        if pid != engine && parent != engine && Some(pid) != host {
            continue;
        }
        // It may have ended since it was listed.
        let Some(name) = task(pid, program) else { continue };
        let Some(one) = one(pid) else { continue };
        let sum = all.entry(name).or_default();
        sum.count += 1;
        sum.rss += one.rss;
        sum.anonymous += one.anonymous;
        sum.pss += one.pss;
        sum.cpu_s += one.cpu_s;
        sum.files += one.files;
        sum.threads += one.threads;
        sum.waited_s += one.waited_s;
    }
    all
}

fn parents() -> BTreeMap<u32, u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let pids = entries.flatten().filter_map(|it| it.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, *stat(pid)?.get(1)? as u32))).collect()
}

/// The numbers of `/proc/PID/stat` behind the name, which may have anything in it; the state,
/// which is a letter, is 0.
fn stat(pid: u32) -> Option<Vec<i64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, numbers) = text.rsplit_once(')')?;
    Some(numbers.split_whitespace().map(|it| it.parse().unwrap_or(0)).collect())
}

/// `talk`, `spawner`, `model-host`.
fn task(pid: u32, program: &Path) -> Option<String> {
    let exe = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let name = line.split(|byte| *byte == 0).nth(1)?;
    (exe == program).then(|| String::from_utf8_lossy(name).into_owned())
}

fn one(pid: u32) -> Option<Held> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let stat = stat(pid)?;
    Some(Held {
        count: 1,
        rss: line(&status, "VmRSS:") * 1024.0 / 1e6,
        anonymous: line(&status, "RssAnon:") * 1024.0 / 1e6,
        pss: line(&rollup, "Pss:") * 1024.0 / 1e6,
        // User and system time.
        cpu_s: (*stat.get(11)? + *stat.get(12)?) as f64 / TICKS,
        files: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count),
        threads: line(&status, "Threads:"),
        waited_s: waited_ns(pid) / 1e9,
    })
}

/// Of threads that have ended nothing is known any more.
fn waited_ns(pid: u32) -> f64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0.0 };
    let waited = |it: fs::DirEntry| -> Option<f64> {
        let text = fs::read_to_string(it.path().join("schedstat")).ok()?;
        text.split_whitespace().nth(1)?.parse().ok()
    };
    threads.flatten().filter_map(waited).sum()
}

fn line(text: &str, name: &str) -> f64 {
    let value = text.lines().find_map(|it| it.strip_prefix(name)).unwrap_or_default();
    value.trim().trim_end_matches("kB").trim().parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_is_found_in_proc() {
        let own = std::process::id();
        let held = one(own).unwrap();
        assert!(1.0 < held.rss && held.anonymous < held.rss && 0.0 < held.pss, "{held:?}");
        assert!(1.0 <= held.threads && 3 <= held.files, "{held:?}");
        assert_eq!(parents().get(&own), Some(&std::os::unix::process::parent_id()));
        assert_eq!(task(own, Path::new("/bin/another")), None);
    }
}
