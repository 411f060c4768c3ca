//! A watcher: starts one command, and outlives everything the command starts.

use std::ffi::{OsStr, OsString};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit};

use super::{GRACE, best_effort, descendants};
use crate::bubblewrap;
use crate::command::{Command, Errors};
use crate::confine::{ConfineError, confine_thread};
use crate::running::{Ending, Exit};
use crate::wire::{Order, Refusal, Report, take_frame};

/// Time that is left to processes which a command left behind when it ended.
const LEFTOVER_GRACE: Duration = Duration::from_millis(300);

/// How often leftovers are looked at while they have it.
const LEFTOVER_LOOK: Duration = Duration::from_millis(5);

pub(super) fn watch(stdin: BorrowedFd<'_>) -> ExitCode {
    let Ok(mut engine) = stdin.try_clone_to_owned().map(UnixStream::from) else {
        return ExitCode::FAILURE;
    };
    let Some(command) = read_order(&mut engine) else { return ExitCode::FAILURE };
    // Its own session: no terminal, and no signals meant for others. Fails for nobody, since a
    // fresh process leads no group.
    best_effort(rustix::process::setsid());
    // Without it, orphans of the command go to the spawner, which kills them later.
    best_effort(rustix::process::set_child_subreaper(Some(rustix::process::getpid())));
    match start(&command) {
        Ok(started) => {
            // The end of the socket, which follows when this fails, stops the command.
            best_effort(engine.write_all(&Report::Started.encode()));
            let exit = supervise(&engine, started, command.time_limit);
            best_effort(engine.write_all(&Report::Ended(exit).encode()));
        }
        Err((refusal, message)) => {
            best_effort(engine.write_all(&Report::Refused { refusal, message }.encode()));
        }
    }
    ExitCode::SUCCESS
}

fn read_order(engine: &mut UnixStream) -> Option<Command> {
    let mut received = Vec::new();
    let mut bytes = [0; 16 * 1024];
    loop {
        match take_frame(&mut received).ok()?.map(|frame| Order::decode(&frame)) {
            Some(Ok(Order::Run(command))) => return Some(command),
            Some(Err(_)) => return None,
            None => (),
        }
        match engine.read(&mut bytes) {
            Ok(len @ 1..) => received.extend(&bytes[..len]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => (),
            Ok(0) | Err(_) => return None,
        }
    }
}

struct Started {
    child: Child,
    by: By,
}

/// Whose process the child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Command,
    /// It waits for the command, its only child, and ends with it.
    Bubblewrap,
}

/// Starts the command from a thread that was confined for it. This thread keeps its rights, so
/// that the command can neither stop it nor hide from it.
fn start(command: &Command) -> Result<Started, (Refusal, String)> {
    let Command { argv, cwd, env, confinement, errors, time_limit: _, output_limit: _ } = command;
    let failed = |error: std::io::Error| (Refusal::Failed, error.to_string());
    let Some((program, args)) = argv.split_first() else {
        return Err((Refusal::Failed, "the command is empty".to_owned()));
    };
    if !cwd.is_dir() {
        let message = format!("the directory {} does not exist", cwd.display());
        return Err((Refusal::NotFound, message));
    }
    // A crash of the command is news, but not one of gigabytes on the user's disk.
    let no_core = Rlimit { current: Some(0), maximum: Some(0) };
    best_effort(rustix::process::setrlimit(Resource::Core, no_core));
    let process = |program: &OsStr, args: &[OsString]| {
        let stderr = std::io::stderr();
        let mut process = std::process::Command::new(program);
        process
            .args(args)
            .current_dir(cwd)
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::from(stderr.as_fd().try_clone_to_owned()?))
            .stderr(match errors {
                Errors::WithOutput => Stdio::from(stderr.as_fd().try_clone_to_owned()?),
                Errors::Discarded => Stdio::null(),
            })
            .process_group(0);
        Ok(process)
    };
    let not_found = || (Refusal::NotFound, format!("there is no program {}", program.display()));
    let mut ordinary = process(program, args).map_err(failed)?;
    let thread = std::thread::Builder::new()
        .name("confined".to_owned())
        .spawn({
            let confinement = confinement.clone();
            move || {
                confine_thread(&confinement)?;
                Ok(ordinary.spawn())
            }
        })
        .map_err(failed)?;
    let confined: Result<_, ConfineError> = match thread.join() {
        Ok(confined) => confined,
        Err(_panic) => return Err((Refusal::Failed, "its thread failed".to_owned())),
    };
    let no_sandbox = |error: &ConfineError| (Refusal::NoSandbox, error.to_string());
    let (spawned, by) = match confined {
        Ok(spawned) => (spawned, By::Command),
        Err(error) if error.lacks_landlock() => {
            let wrapper = bubblewrap::program().ok_or_else(|| no_sandbox(&error))?;
            // Where it does not work it would be taken for the command that failed.
            let wrapped = bubblewrap::try_it(&wrapper)
                .and_then(|()| bubblewrap::wrap_command(&wrapper, command))
                .map_err(|why| (Refusal::NoSandbox, format!("{error}; {why}")))?
                .ok_or_else(not_found)?;
            let mut process = process(&wrapped.argv[0], &wrapped.argv[1..]).map_err(failed)?;
            process.env_clear();
            (process.spawn(), By::Bubblewrap)
        }
        Err(error) => return Err(no_sandbox(&error)),
    };
    let child = spawned.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => not_found(),
        _ => (Refusal::Failed, format!("{}: {error}", program.display())),
    })?;
    Ok(Started { child, by })
}

/// Waits for the command, its time limit and the engine, whichever comes first; returns when
/// nothing of the command is left.
fn supervise(engine: &UnixStream, started: Started, time_limit: Duration) -> Exit {
    let Started { mut child, by } = started;
    let Some(main) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        // Ids of processes are positive.
        return Exit { ending: Ending::Lost, code: None, signal: None };
    };
    let ended = rustix::process::pidfd_open(main, PidfdFlags::empty());
    let deadline = Instant::now().checked_add(time_limit);
    let mut watch = Watch { main, by, stopping: None, status: None };
    loop {
        let wake = match (watch.stopping, watch.status) {
            (Some(stop), None) => Some(stop.kill_at),
            (None, None) => deadline,
            (_, Some(_)) => Some(Instant::now() + LEFTOVER_LOOK),
        };
        let mut fds = Vec::new();
        if let (Ok(ended), None) = (&ended, watch.status) {
            fds.push(PollFd::new(ended, PollFlags::IN));
        }
        if watch.stopping.is_none() {
            fds.push(PollFd::new(engine, PollFlags::IN));
        }
        match rustix::event::poll(&mut fds, wake.map(until).as_ref()) {
            Ok(_) | Err(Errno::INTR) => (),
            Err(_) => watch.stop(Ending::Killed, Duration::ZERO),
        }
        let engine_spoke =
            watch.stopping.is_none() && fds.last().is_some_and(|it| !it.revents().is_empty());
        if watch.status.is_none() {
            watch.status = child.try_wait().ok().flatten();
        }
        let now = Instant::now();
        if watch.status.is_some() {
            descendants::reap_except(&[main]);
            if descendants::none_left() {
                return watch.exit();
            }
            watch.stop(Ending::Exited, LEFTOVER_GRACE);
        } else if engine_spoke {
            // It has nothing to say after its order: this is the end of its side.
            watch.stop(Ending::Killed, GRACE);
        } else if deadline.is_some_and(|deadline| deadline <= now) {
            watch.stop(Ending::TimedOut, GRACE);
        }
        if watch.stopping.is_some_and(|stop| stop.kill_at <= now) {
            descendants::kill_all(main);
            if watch.status.is_none() {
                watch.status = child.wait().ok();
            }
            return watch.exit();
        }
    }
}

struct Watch {
    main: Pid,
    by: By,
    stopping: Option<Stop>,
    status: Option<ExitStatus>,
}

#[derive(Clone, Copy)]
struct Stop {
    ending: Ending,
    kill_at: Instant,
}

impl Watch {
    /// Asks everything to end. Only the first reason counts.
    fn stop(&mut self, ending: Ending, grace: Duration) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(Stop { ending, kill_at: Instant::now() + grace });
        // Each once, since a handler runs for each.
        let spared = match self.by {
            By::Command => None,
            // Ended by itself it would say nothing of how the command ended.
            By::Bubblewrap => Some(self.main),
        };
        descendants::ask_to_end(self.main, spared);
    }

    fn exit(&self) -> Exit {
        Exit {
            ending: self.stopping.map_or(Ending::Exited, |stop| stop.ending),
            code: self.status.and_then(|it| it.code()),
            signal: self.status.and_then(|it| it.signal()),
        }
    }
}

fn until(instant: Instant) -> Timespec {
    let left = instant.saturating_duration_since(Instant::now());
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    }
}
