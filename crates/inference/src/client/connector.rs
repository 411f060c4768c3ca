//! The way to the host's socket, over a start of the host where there is none.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::Mutex;

use super::HostCommand;
use crate::options::{HostStart, MAX_SOCKET_PATH, open_ours, secure_dir};
use crate::wire::{FrameError, VERSION};
use crate::{Error, HostOptions};

/// From the start of the process to its open socket. No model is loaded in between: only a
/// machine that swaps takes longer.
const START_LIMIT: Duration = Duration::from_secs(20);

/// All that a host needs of our environment: it never sees a key.
const INHERITED: &[&str] = &["HOME", "LANG", "LD_LIBRARY_PATH", "RUST_BACKTRACE", "TMPDIR"];

/// How often a thread of a model looks whether the others are done before it sleeps. The
/// default looks for milliseconds, which other programs on the same cores then lack: with two
/// of them running, a prompt took more than eight times as long (decision 0003).
const SPIN: (&str, &str) = ("GOMP_SPINCOUNT", "2000");

#[derive(Debug)]
pub(super) struct Connector {
    command: HostCommand,
    start: HostStart,
    log: PathBuf,
    /// One start at a time from this process; between processes the host's own lock decides.
    starting: Mutex<()>,
}

impl Connector {
    pub(super) fn new(command: HostCommand, options: HostOptions) -> Self {
        let name = format!("host-{}", identity(&command, &options));
        let socket = options.runtime_dir.join(format!("{name}.sock"));
        let log = options.runtime_dir.join(format!("{name}.log"));
        let start = HostStart { socket, options };
        Self { command, start, log, starting: Mutex::new(()) }
    }

    pub(super) async fn connect(&self) -> Result<UnixStream, Error> {
        if let Ok(stream) = self.try_connect().await {
            return Ok(stream);
        }
        let _starting = self.starting.lock().await;
        // Another call of ours may have started it while we waited.
        if let Ok(stream) = self.try_connect().await {
            return Ok(stream);
        }
        self.start().await.map_err(|error| self.not_started(&error))?;
        self.try_connect().await.map_err(|error| self.not_started(&error))
    }

    pub(super) fn stopped(&self) -> Error {
        Error::HostStopped { log: self.log.clone() }
    }

    /// What a connection that failed in the middle means.
    pub(super) fn broken(&self, error: FrameError) -> Error {
        match error {
            FrameError::Io(_) => self.stopped(),
            FrameError::TooLarge { .. } | FrameError::Header(_) => {
                Error::Rejected { message: format!("the model host is not understood: {error}") }
            }
        }
    }

    async fn try_connect(&self) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(&self.start.socket).await?;
        // Whoever listens hears what the user says.
        let peer = stream.peer_cred()?.uid();
        if peer != rustix::process::getuid().as_raw() {
            return Err(io::Error::other(format!("its socket belongs to user {peer}")));
        }
        Ok(stream)
    }

    /// Returns when the host listens.
    async fn start(&self) -> io::Result<()> {
        let socket = self.start.socket.as_os_str().as_bytes();
        if socket.len() > MAX_SOCKET_PATH {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{} is longer than the {MAX_SOCKET_PATH} bytes of a socket's path: set \
                     XDG_RUNTIME_DIR to a folder with a shorter one",
                    self.start.socket.display()
                ),
            ));
        }
        secure_dir(&self.start.options.runtime_dir)?;
        let log = open_log(&self.log)?;
        let start = serde_json::to_string(&self.start).map_err(io::Error::other)?;
        let mut command = Command::new(&self.command.program);
        command
            .args(&self.command.args)
            .arg(start)
            // It outlives us, our folder and an interrupt at our terminal.
            .current_dir("/")
            .process_group(0)
            .env_clear()
            .envs(INHERITED.iter().filter_map(|key| Some((key, std::env::var_os(key)?))))
            .env(SPIN.0, SPIN.1)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut host = command.spawn()?;
        let mut ready = host.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        // One byte says that it listens; the end of the pipe, that it never will.
        let said = tokio::time::timeout(START_LIMIT, ready.read_u8()).await;
        match said {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => {
                let status = host.wait().await?;
                Err(io::Error::other(format!("{status}; {}", last_line(&self.log))))
            }
            Err(_) => {
                host.kill().await?;
                Err(io::Error::other(format!("not ready after {} s", START_LIMIT.as_secs())))
            }
        }
    }

    fn not_started(&self, error: &io::Error) -> Error {
        Error::HostStart {
            program: self.command.program.clone(),
            reason: error.to_string(),
            log: self.log.clone(),
        }
    }
}

/// Names the host that we would start: a newer binary or other models make another one, so
/// nobody is served by a host that differs from their own.
fn identity(command: &HostCommand, options: &HostOptions) -> String {
    let HostOptions { files, runtime_dir: _, cache_dir, idle_exit: _, threads: _ } = options;
    let binary = fs::metadata(&command.program).map(|it| (it.dev(), it.ino(), it.mtime_nsec()));
    let text = format!("{VERSION} {command:?} {:?} {files:?} {cache_dir:?}", binary.ok());
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|it| format!("{it:02x}")).collect()
}

/// Hosts append: one that only comes to find that another runs must not erase its log.
const MAX_LOG: u64 = 1 << 20;

fn open_log(path: &Path) -> io::Result<File> {
    let log = open_ours(OpenOptions::new().append(true), path)?;
    if log.metadata()?.len() > MAX_LOG {
        log.set_len(0)?;
    }
    Ok(log)
}

fn last_line(log: &PathBuf) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().rev().find(|it| !it.trim().is_empty());
    line.unwrap_or("it said nothing").chars().take(400).collect()
}
