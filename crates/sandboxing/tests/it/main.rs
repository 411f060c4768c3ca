//! Real commands under the real sandbox, started by this very binary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod bubblewrap;
mod confinement;
mod lifecycle;
mod output;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};
use sandboxing::{
    Availability, Command, Confinement, Ending, Errors, Exit, Network, Root, RunEvent, Running,
    Sockets, SpawnError, Spawner, SpawnerProgram, Writes, availability,
};

const AS_SPAWNER: &str = "acts-as-the-spawner";

/// Not a test: what the spawner's processes run when this binary is started for them.
#[test]
fn spawner_process() {
    if std::env::args().any(|arg| arg == AS_SPAWNER) {
        sandboxing::spawner_main();
        std::process::exit(0);
    }
}

fn spawner() -> Spawner {
    let args = ["--exact", "spawner_process", "--nocapture", "--skip", AS_SPAWNER];
    Spawner::start(SpawnerProgram {
        exe: SpawnerProgram::THIS.into(),
        args: args.iter().map(OsString::from).collect(),
    })
    .unwrap()
}

/// A bash script, in `cwd`, with nothing but a `PATH`, that may write below `roots` only.
fn script(script: &str, cwd: &Path, roots: &[&Path]) -> Command {
    Command {
        argv: vec!["bash".into(), "-c".into(), script.into()],
        cwd: cwd.to_owned(),
        env: vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_default())],
        confinement: Confinement {
            writes: Writes::Only(roots.iter().map(|it| root(it, Sockets::Open)).collect()),
            network: Network::Closed,
        },
        errors: Errors::WithOutput,
        time_limit: Duration::from_secs(60),
        output_limit: 64 * 1024,
    }
}

fn root(path: &Path, sockets: Sockets) -> Root {
    Root { path: path.to_owned(), sockets }
}

async fn finish(mut running: Running) -> (Vec<u8>, Exit) {
    let mut output = Vec::new();
    loop {
        match running.next().await.unwrap() {
            RunEvent::Output(bytes) => output.extend(bytes),
            RunEvent::Elided { bytes } => output.extend(format!("[{bytes}]").bytes()),
            RunEvent::Exited(exit) => {
                assert_eq!(running.next().await, None);
                return (output, exit);
            }
        }
    }
}

async fn run(command: Command) -> (String, Exit) {
    let spawner = spawner();
    let (output, exit) = finish(spawner.run(command).await.unwrap()).await;
    (String::from_utf8(output).unwrap(), exit)
}

/// Reads so many lines of output.
async fn read_lines(running: &mut Running, lines: usize) -> String {
    let mut output = String::new();
    while output.matches('\n').count() < lines {
        match running.next().await.unwrap() {
            RunEvent::Output(bytes) => output.push_str(&String::from_utf8(bytes).unwrap()),
            other => panic!("{other:?} after {output}"),
        }
    }
    output
}

const SUCCESS: Exit = Exit { ending: Ending::Exited, code: Some(0), signal: None };

fn exited(code: i32) -> Exit {
    Exit { ending: Ending::Exited, code: Some(code), signal: None }
}

/// Waits until a process has ended, all of its threads.
fn gone(pid: &str) {
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    // No such process: it is gone already.
    let Ok(ended) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return };
    let limit = Timespec { tv_sec: 60, tv_nsec: 0 };
    let ready = rustix::event::poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&limit));
    assert_eq!(ready, Ok(1), "process {pid:?} is still there");
}

fn kill(pid: &str) {
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[tokio::test]
async fn an_impossible_command_is_refused_with_its_reason() {
    let spawner = spawner();
    let directory = tempfile::tempdir().unwrap();
    let refused = async |argv: &[&str], cwd: &str| {
        let argv = argv.iter().map(OsString::from).collect();
        let command = Command { argv, cwd: cwd.into(), ..script("", directory.path(), &[]) };
        spawner.run(command).await.unwrap_err().to_string()
    };
    assert_eq!(refused(&[], "/").await, "the command is empty");
    assert_eq!(refused(&["no-such-program"], "/").await, "there is no program no-such-program");
    assert_eq!(refused(&["ls"], "/nowhere").await, "the directory /nowhere does not exist");
    assert_eq!(
        refused(&["/etc/passwd"], "/").await,
        "the command could not be started: /etc/passwd: Permission denied (os error 13)"
    );
    let long = "x".repeat(9 << 20);
    assert!(matches!(
        spawner.run(script(&long, directory.path(), &[])).await,
        Err(SpawnError::TooLong)
    ));
}
