//! Finds and kills what a process started, however deep, whatever groups and sessions it made.
//!
//! Works because the caller asked for orphans (`PR_SET_CHILD_SUBREAPER`): everything below it
//! stays below it.

use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};

use super::best_effort;

/// Rounds of killing before a process that does not die is left to its fate: one that waits for
/// a device cannot be killed by anybody.
const ROUNDS: u32 = 500;
const ROUND: Duration = Duration::from_millis(4);

/// All descendants of this process, parents before their children.
pub(super) fn all() -> Vec<Pid> {
    let mut found = children_of(rustix::process::getpid());
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        // A process seen twice was given a new parent while we looked.
        let children = children_of(pid).into_iter().filter(|it| !found.contains(it));
        let children: Vec<Pid> = children.collect();
        found.extend(children);
    }
    found
}

pub(super) fn signal(pids: &[Pid], signal: Signal) {
    for pid in pids {
        // It may have ended meanwhile; its id cannot be another's before we reaped it, or its
        // parent, which we signal too, did.
        best_effort(rustix::process::kill_process(*pid, signal));
    }
}

/// Kills every descendant, including those that are born meanwhile. `main` is reaped by its
/// owner, all others here.
pub(super) fn kill_all(main: Pid) {
    for _ in 0..ROUNDS {
        let living = all();
        signal(&living, Signal::KILL);
        reap_except(&[main]);
        if all().iter().all(|pid| *pid == main) {
            return;
        }
        std::thread::sleep(ROUND);
    }
}

/// Kills the children of this process that are none of `ours`: what somebody else left to us.
pub(super) fn kill_children_except(ours: &[Pid]) {
    for _ in 0..ROUNDS {
        let mut strays = children_of(rustix::process::getpid());
        strays.retain(|pid| !ours.contains(pid));
        if strays.is_empty() {
            return;
        }
        signal(&strays, Signal::KILL);
        reap_except(ours);
        std::thread::sleep(ROUND);
    }
}

/// Takes note of the dead among our children, so that they do not linger as zombies.
pub(super) fn reap_except(ours: &[Pid]) {
    for pid in children_of(rustix::process::getpid()) {
        if !ours.contains(&pid) {
            // Still alive, or not ours to wait for: looked at again in the next round.
            best_effort(rustix::process::waitpid(Some(pid), WaitOptions::NOHANG));
        }
    }
}

fn children_of(pid: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
    let mut children = Vec::new();
    for task in tasks.into_iter().flatten().flatten() {
        // Ended since; then it has no children either.
        let Ok(listed) = std::fs::read_to_string(task.path().join("children")) else { continue };
        children.extend(
            listed.split_ascii_whitespace().filter_map(|it| Pid::from_raw(it.parse().ok()?)),
        );
    }
    children
}
