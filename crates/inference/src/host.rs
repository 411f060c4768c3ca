//! The process that owns the cores: accepts jobs at a socket and leaves when idle.
//!
//! Plain threads: one per connection, one for the agent's model, one that routes what is said
//! while that works. Nothing is loaded before it
//! is needed, so a start takes milliseconds.

mod connection;
mod door;
mod speech_models;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use self::connection::Connection;
use self::door::{Door, Entered};
use self::speech_models::SpeechModels;
use crate::agent::{self, AgentJob, AgentOptions, Router};
use crate::options::{HostStart, secure_dir};
use crate::scheduler::Scheduler;

/// Connections at a time. Each session has two or three; beyond this somebody leaks them.
const MAX_CONNECTIONS: u32 = 64;
/// Jobs of the agent that wait for the one that runs.
const MAX_AGENT_JOBS: usize = 16;
/// Decoding is bound by memory: more threads than this only wait.
const MAX_THREADS: u32 = 8;

/// Becomes a model host. `args` is what [`crate::Client`] put after the command's own
/// arguments. Returns when the host was idle for long enough, or at once when another host
/// already serves the same socket.
///
/// Call it first thing in `main`, before a runtime or threads exist.
pub fn host_main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is the host's log, which the client shows.
            eprintln!("model host: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What every connection needs.
pub(crate) struct Host {
    scheduler: Scheduler,
    router: Router,
    speech: SpeechModels,
    connections: AtomicU32,
}

fn run(args: impl IntoIterator<Item = OsString>) -> io::Result<()> {
    let start = parse(args)?;
    secure_dir(&start.options.runtime_dir)?;
    let mut door = match Door::open(&start.socket)? {
        Entered::Ours(door) => door,
        Entered::AnotherServes => return ready(),
    };
    ready()?;

    let threads = threads(start.options.threads);
    let host = Host {
        scheduler: Scheduler::default(),
        router: Router::default(),
        speech: SpeechModels::new(&start.options.files, threads),
        connections: AtomicU32::new(0),
    };
    let agent = AgentOptions {
        file: start.options.files.agent.clone(),
        cache_dir: start.options.cache_dir.clone(),
        threads: threads.get(),
    };
    let (jobs, agent_jobs) = mpsc::sync_channel::<AgentJob>(MAX_AGENT_JOBS);
    thread::scope(|scope| {
        let host = &host;
        thread::Builder::new().name("agent".to_owned()).spawn_scoped(scope, move || {
            let work = AssertUnwindSafe(|| {
                agent::run(&agent, &host.scheduler, &host.router, &agent_jobs);
            });
            if catch_unwind(work).is_err() {
                // As below.
                std::process::exit(101);
            }
        })?;

        let mut idle_since = Instant::now();
        loop {
            let idle = host.connections.load(Ordering::Acquire) == 0;
            if !idle {
                idle_since = Instant::now();
            }
            let left = start.options.idle_exit.saturating_sub(idle_since.elapsed());
            if idle && left.is_zero() {
                break;
            }
            // While somebody is connected the time only bounds how late we look again.
            let patience = if idle { left } else { start.options.idle_exit };
            let stream = match door.knock(patience.max(Duration::from_millis(1))) {
                Ok(Some(stream)) => stream,
                Ok(None) => continue,
                Err(error) => {
                    eprintln!("model host: nobody can come in any more: {error}");
                    door.close();
                    // Half a host helps nobody: the next call starts a whole one.
                    std::process::exit(1);
                }
            };
            let connections = host.connections.fetch_add(1, Ordering::AcqRel);
            let guard = Counted(&host.connections);
            idle_since = Instant::now();
            let jobs = jobs.clone();
            let started = thread::Builder::new().name("connection".to_owned()).spawn_scoped(
                scope,
                move || {
                    let _guard = guard;
                    let connection = Connection::new(host, stream, jobs);
                    match connection {
                        Ok(connection) if connections >= MAX_CONNECTIONS => {
                            connection.refuse(connections);
                        }
                        Ok(connection) => connection.serve(),
                        Err(error) => eprintln!("model host: a connection was lost: {error}"),
                    }
                },
            );
            if let Err(error) = started {
                eprintln!("model host: no thread for a connection: {error}");
            }
        }
        // Nobody can find us from here on; whoever just did sees a closed door and starts anew.
        door.close();
        drop(jobs);
        Ok(())
    })
}

fn parse(args: impl IntoIterator<Item = OsString>) -> io::Result<HostStart> {
    let mut args = args.into_iter();
    let start = args.next().and_then(|it| it.into_string().ok());
    match (start, args.next()) {
        (Some(start), None) => serde_json::from_str(&start).map_err(io::Error::other),
        (_, _) => Err(io::Error::other(
            "it is started by duet itself, with one argument that says what it serves",
        )),
    }
}

/// Tells whoever started us that the socket listens.
fn ready() -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(b"\n").and_then(|()| out.flush()) {
        // It did not wait; the host is there for others.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn threads(wanted: Option<u32>) -> NonZeroU32 {
    let cores = thread::available_parallelism().map_or(1, |it| it.get() as u32);
    NonZeroU32::new(wanted.unwrap_or(cores.min(MAX_THREADS))).unwrap_or(NonZeroU32::MIN)
}

/// Counts a connection off, however its thread ends.
struct Counted<'h>(&'h AtomicU32);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
