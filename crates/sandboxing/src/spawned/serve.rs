//! The spawner: starts a watcher for each pair of descriptors it is handed.
//!
//! It is the reaper of last resort: a watcher that dies leaves its command's processes to the
//! nearest ancestor that asked for orphans, which is this process, and it kills them.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, Stdio};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags};
use rustix::process::{Pid, PidfdFlags};

use super::{best_effort, descendants};
use crate::spawner::SpawnerProgram;
use crate::wire::{Refusal, Report};

/// A watcher process, and the descriptor that becomes readable when it ends.
struct Watcher {
    child: Child,
    ended: OwnedFd,
}

pub(super) fn serve(control: BorrowedFd<'_>) -> ExitCode {
    // Out of the terminal's process group: its Ctrl-C is for the engine. It fails only for a
    // group leader, which is out of it already.
    best_effort(rustix::process::setsid());
    // Without it, what a dead watcher leaves behind goes to init; the rest works.
    best_effort(rustix::process::set_child_subreaper(Some(rustix::process::getpid())));
    let mut watchers: Vec<Watcher> = Vec::new();
    let mut engine_lives = true;
    while engine_lives || !watchers.is_empty() {
        let mut fds: Vec<PollFd<'_>> =
            watchers.iter().map(|it| PollFd::new(&it.ended, PollFlags::IN)).collect();
        if engine_lives {
            fds.push(PollFd::from_borrowed_fd(control, PollFlags::IN));
        }
        match rustix::event::poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => (),
            Err(_) => return ExitCode::FAILURE,
        }
        let called = engine_lives && fds.pop().is_some_and(|it| !it.revents().is_empty());
        let any_ended = fds.iter().any(|it| !it.revents().is_empty());
        if any_ended {
            watchers.retain_mut(|it| matches!(it.child.try_wait(), Ok(None)));
            let ours: Vec<Pid> = watchers.iter().filter_map(|it| pid(&it.child)).collect();
            descendants::kill_children_except(&ours);
        }
        if called {
            match receive(control) {
                Received::Nothing => (),
                Received::Descriptors { control, output } => {
                    watchers.extend(start_watcher(control, output));
                }
                // Each watcher sees the end of its own socket.
                Received::Gone => engine_lives = false,
            }
        }
    }
    ExitCode::SUCCESS
}

enum Received {
    Nothing,
    Descriptors { control: OwnedFd, output: OwnedFd },
    Gone,
}

fn receive(socket: BorrowedFd<'_>) -> Received {
    let mut byte = [0; 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let read = rustix::net::recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    );
    match read {
        Ok(message) if message.bytes == 0 => return Received::Gone,
        Ok(_) => (),
        Err(Errno::INTR) => return Received::Nothing,
        Err(_) => return Received::Gone,
    }
    let mut fds = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => fds.collect::<Vec<OwnedFd>>(),
        _ => Vec::new(),
    });
    match (fds.next(), fds.next()) {
        (Some(control), Some(output)) => Received::Descriptors { control, output },
        // Too many open files: the engine sees the end of its socket.
        (Some(_), None) | (None, _) => Received::Nothing,
    }
}

/// The watcher is this very executable, even when the file was replaced since, with our own
/// arguments. Its standard error is the command's output; it says nothing there itself.
fn start_watcher(control: OwnedFd, output: OwnedFd) -> Option<Watcher> {
    let mut refused = control.try_clone().ok();
    let started = Command::new(SpawnerProgram::THIS)
        .arg0("duet")
        .args(std::env::args_os().skip(1))
        .stdin(Stdio::from(control))
        .stdout(Stdio::null())
        .stderr(Stdio::from(output))
        .spawn()
        .and_then(|child| {
            let ended = pid(&child)
                .ok_or(Errno::SRCH)
                .and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()))?;
            Ok(Watcher { child, ended })
        });
    match started {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            let message = format!("the command's watcher does not start: {error}");
            let report = Report::Refused { refusal: Refusal::Failed, message }.encode();
            if let Some(socket) = refused.take() {
                // When nobody listens any more there is nobody to tell.
                best_effort(rustix::net::send(&socket, &report, SendFlags::NOSIGNAL));
            }
            None
        }
    }
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}
