//! Finds and kills what a process started, however deep, whatever groups and sessions it made.
//!
//! Works because the caller asked for orphans (`PR_SET_CHILD_SUBREAPER`): everything below it
//! stays below it.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};

use super::best_effort;

/// Rounds of killing before a process that does not die is left to its fate: one that waits for
/// a device cannot be killed by anybody.
const ROUNDS: u32 = 500;
const ROUND: Duration = Duration::from_millis(4);

/// Asks every descendant to end, parents before their children: a shell must not see its child
/// die and go on to the next line of its script. `main` leads the group of the command; `spared`
/// ends with the others.
pub(super) fn ask_to_end(main: Pid, spared: Option<Pid>) {
    let mut descendants = all();
    if let Descendants::Known(pids) = &mut descendants {
        pids.retain(|pid| Some(*pid) != spared);
    }
    signal(main, &descendants, Signal::TERM);
}

/// Whether every process that descends from this one has ended and was reaped. Needs no `/proc`:
/// orphans come to us, so who has no children has no descendants.
pub(super) fn none_left() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(rustix::process::waitid(WaitId::All, look), Err(Errno::CHILD))
}

/// Kills every descendant, including those that are born meanwhile. `main` is reaped by its
/// owner, all others here.
pub(super) fn kill_all(main: Pid) {
    for _ in 0..ROUNDS {
        signal(main, &all(), Signal::KILL);
        reap_except(&[main]);
        let done = match all() {
            Descendants::Known(living) => living.iter().all(|pid| *pid == main),
            Descendants::Unknown => none_left(),
        };
        if done {
            return;
        }
        std::thread::sleep(ROUND);
    }
}

/// Kills the children of this process that are none of `ours`: what somebody else left to us.
pub(super) fn kill_children_except(ours: &[Pid]) {
    for _ in 0..ROUNDS {
        // What cannot be named cannot be killed.
        let Ok(mut strays) = children_of(rustix::process::getpid()) else { return };
        strays.retain(|pid| !ours.contains(pid));
        if strays.is_empty() {
            return;
        }
        for pid in &strays {
            kill(*pid, Signal::KILL);
        }
        reap_except(ours);
        std::thread::sleep(ROUND);
    }
}

/// Takes note of the dead among our children, so that they do not linger as zombies.
pub(super) fn reap_except(ours: &[Pid]) {
    for pid in children_of(rustix::process::getpid()).unwrap_or_default() {
        if !ours.contains(&pid) {
            // Still alive, or not ours to wait for: looked at again in the next round.
            best_effort(rustix::process::waitpid(Some(pid), WaitOptions::NOHANG));
        }
    }
}

/// All that descend from this process, parents before their children.
enum Descendants {
    Known(Vec<Pid>),
    /// `/proc` is not there or cannot be read. That is not "none": whatever keeps us from looking
    /// must not be a way to live on.
    Unknown,
}

fn all() -> Descendants {
    let Ok(mut found) = children_of(rustix::process::getpid()) else { return Descendants::Unknown };
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        let Ok(children) = children_of(pid) else { return Descendants::Unknown };
        // A process seen twice was given a new parent while we looked.
        let children: Vec<Pid> = children.into_iter().filter(|it| !found.contains(it)).collect();
        found.extend(children);
    }
    Descendants::Known(found)
}

fn signal(main: Pid, descendants: &Descendants, signal: Signal) {
    match descendants {
        Descendants::Known(pids) => pids.iter().for_each(|pid| kill(*pid, signal)),
        // The group is what can be named without looking.
        Descendants::Unknown => best_effort(rustix::process::kill_process_group(main, signal)),
    }
}

fn kill(pid: Pid, signal: Signal) {
    // It may have ended meanwhile; its id cannot be another's before we reaped it, or its
    // parent, which we signal too, did.
    best_effort(rustix::process::kill_process(pid, signal));
}

/// An error when that cannot be known; a process that has ended has none.
fn children_of(pid: Pid) -> io::Result<Vec<Pid>> {
    // We have not ended.
    let ended = |error: &io::Error| {
        let gone = error.kind() == io::ErrorKind::NotFound
            || error.raw_os_error() == Some(Errno::SRCH.raw_os_error());
        gone && pid != rustix::process::getpid()
    };
    let tasks = match std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())) {
        Ok(tasks) => tasks,
        Err(error) if ended(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut children = Vec::new();
    for task in tasks {
        let listed = task.and_then(|it| std::fs::read_to_string(it.path().join("children")));
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) if ended(&error) => continue,
            Err(error) => return Err(error),
        };
        children.extend(
            listed.split_ascii_whitespace().filter_map(|it| Pid::from_raw(it.parse().ok()?)),
        );
    }
    Ok(children)
}
