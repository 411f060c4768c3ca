//! The engine's side of the spawner process.

use std::ffi::OsString;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::pipe::PipeFlags;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use crate::command::Command;
use crate::running::Running;
use crate::wire::{MAX_FRAME, Order, Refusal, Report, take_frame};

/// Longest wait for a command to start. A busy machine needs a tenth of a second.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Variables that the spawner itself needs. It gets no others: keys have no business in the
/// environment of a process that commands could look at.
const SPAWNER_ENV: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE", "TMPDIR"];

/// How to start a process that calls [`crate::spawner_main`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpawnerProgram {
    /// Of this very executable, [`SpawnerProgram::THIS`]: the spawner is started again when it
    /// dies, and by then a command may have put another file in the place of ours.
    pub exe: PathBuf,
    pub args: Vec<OsString>,
}

impl SpawnerProgram {
    /// The executable that runs, whatever has become of its path: the kernel's own link.
    pub const THIS: &str = "/proc/self/exe";
}

#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    #[error("the command is empty")]
    Empty,
    #[error("the command's arguments and environment are longer than {MAX_FRAME} bytes")]
    TooLong,
    #[error("cannot start the process that starts commands ({exe}): {source}")]
    Spawner { exe: PathBuf, source: std::io::Error },
    #[error("the process that starts commands ended; the next command starts it again")]
    Lost,
    #[error("too many commands are being started; try again when one has ended")]
    Busy,
    #[error("no sandbox can be had, so the command was not started: {0}")]
    NoSandbox(String),
    #[error("{0}")]
    NotFound(String),
    #[error("the command could not be started: {0}")]
    Failed(String),
}

/// The spawner process. When it dies it is started again by the next command; commands that run
/// are not touched by that. It ends when this is dropped and the last command has ended.
#[derive(Debug)]
pub struct Spawner {
    program: SpawnerProgram,
    /// Held for one `sendmsg`, never over an await: several callers share one socket.
    process: Mutex<Option<Process>>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    control: OwnedFd,
}

impl Spawner {
    /// Starts the process. To be called before the engine has threads and memory; needs no
    /// async runtime.
    pub fn start(program: SpawnerProgram) -> Result<Self, SpawnError> {
        let process = Process::start(&program)?;
        Ok(Self { program, process: Mutex::new(Some(process)) })
    }

    /// Starts a command. Dropping this future kills what it may have started.
    pub async fn run(&self, command: Command) -> Result<Running, SpawnError> {
        let Command { argv, time_limit, output_limit, cwd: _, env: _, confinement: _, errors: _ } =
            &command;
        if argv.is_empty() {
            return Err(SpawnError::Empty);
        }
        let (time_limit, output_limit) = (*time_limit, *output_limit);
        let order = Order::Run(command).encode();
        if MAX_FRAME < order.len() {
            return Err(SpawnError::TooLong);
        }
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(no_socket)?;
        let (reader, writer) =
            rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| no_socket(error.into()))?;
        ours.set_nonblocking(true).map_err(no_socket)?;
        let mut control = UnixStream::from_std(ours).map_err(no_socket)?;
        let output = pipe::Receiver::from_owned_fd(reader).map_err(no_socket)?;
        self.hand_over(theirs.as_fd(), writer.as_fd())?;
        // The watcher's death must end our reads.
        drop((theirs, writer));
        let mut received = Vec::new();
        let started = async {
            control.write_all(&order).await.map_err(|_| SpawnError::Lost)?;
            first_report(&mut control, &mut received).await
        };
        match tokio::time::timeout(START_LIMIT, started).await {
            Err(_elapsed) => Err(SpawnError::Lost),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Report::Started)) => {
                Ok(Running::new(control, received, output, output_limit, time_limit))
            }
            Ok(Ok(Report::Refused { refusal, message })) => Err(match refusal {
                Refusal::NoSandbox => SpawnError::NoSandbox(message),
                Refusal::NotFound => SpawnError::NotFound(message),
                Refusal::Failed => SpawnError::Failed(message),
            }),
            Ok(Ok(Report::Ended(_))) => Err(SpawnError::Lost),
        }
    }

    /// The process id, for tests and for people who look.
    pub fn id(&self) -> Option<u32> {
        self.lock().as_ref().map(|process| process.child.id())
    }

    /// Gives the spawner a command's two descriptors; starts the spawner again when it is gone.
    fn hand_over(&self, control: BorrowedFd<'_>, output: BorrowedFd<'_>) -> Result<(), SpawnError> {
        let mut process = self.lock();
        if let Some(living) = process.as_ref() {
            match living.send(control, output) {
                Ok(()) => return Ok(()),
                Err(Errno::AGAIN) => return Err(SpawnError::Busy),
                Err(_gone) => *process = None,
            }
        }
        let fresh = process.insert(Process::start(&self.program)?);
        fresh.send(control, output).map_err(|_| SpawnError::Lost)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        // What it guards is whole at every step, so a panic elsewhere spoils nothing.
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    fn start(program: &SpawnerProgram) -> Result<Self, SpawnError> {
        let SpawnerProgram { exe, args } = program;
        let failed = |source| SpawnError::Spawner { exe: exe.clone(), source };
        // The kind of socket tells the process what it is: packets for the spawner, a stream for
        // a watcher.
        let (control, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(|error| failed(error.into()))?;
        let env = SPAWNER_ENV.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let child = std::process::Command::new(exe)
            .arg0("duet")
            .args(args)
            .env_clear()
            .envs(env)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .map_err(failed)?;
        Ok(Self { child, control })
    }

    fn send(&self, control: BorrowedFd<'_>, output: BorrowedFd<'_>) -> Result<(), Errno> {
        let descriptors = [control, output];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        rustix::net::sendmsg(&self.control, &[IoSlice::new(b"+")], &mut ancillary, flags).map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Only takes note of a death that has happened; a living one ends when `control` closes,
        // and is then init's to reap, as we do not wait.
        drop(self.child.try_wait());
    }
}

async fn first_report(
    control: &mut UnixStream,
    received: &mut Vec<u8>,
) -> Result<Report, SpawnError> {
    loop {
        if let Some(frame) = take_frame(received).map_err(|_| SpawnError::Lost)? {
            return Report::decode(&frame).map_err(|_| SpawnError::Lost);
        }
        match control.read_buf(received).await {
            Ok(1..) => (),
            Ok(0) | Err(_) => return Err(SpawnError::Lost),
        }
    }
}

fn no_socket(error: std::io::Error) -> SpawnError {
    SpawnError::Failed(error.to_string())
}
