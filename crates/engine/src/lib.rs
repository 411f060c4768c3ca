//! Owns threads, and carries out what they decide.
//!
//! One task per thread feeds the pure [`thread::Thread`] from one ordered inbox and carries its
//! outputs out in order; model calls and tools are tasks that report to that inbox. The
//! thread's numbered event log is the bus: everybody who wants to know what happens holds a
//! [`Cursor`] into it.
//!
//! ```no_run
//! # async fn example(engine: engine::Engine, start: engine::ThreadStart) -> Result<(), Box<dyn std::error::Error>> {
//! use agent_turn::UserInput;
//! use protocol::InputSource;
//!
//! let thread = engine.start_thread(start)?;
//! let mut events = thread.subscribe_from(0);
//! let text = "which test fails?".to_owned();
//! thread.start_turn(UserInput { text, source: InputSource::Typed, material: None }).await?;
//! while let Some(event) = events.next().await {
//!     println!("{} {:?}", event.seq, event.body);
//! }
//! # Ok(()) }
//! ```
//!
//! Invariants:
//! * What completes was written to the log before a cursor sees it.
//! * Sound does not wait for decisions: the microphone's frames go to the link directly. What
//!   is heard goes through the thread, which waits for no disk: outputs that must, do.
//! * A task belongs to its thread, a thread to its engine; nothing outlives [`Engine::shutdown`].

mod calls;
mod clock;
mod driver;
mod handle;
mod journal;
mod log;
mod realtime;
mod resumed;
mod surroundings;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::{Environment, Override, Provider};
use model_client::ModelClient;
use protocol::{Reasoning, ThreadId, ThreadSettings};
use rollout::{Session, Store, Summary};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tools::Toolbox;
use transport::Network;
use uuid::Uuid;

pub use crate::handle::{Refused, Thread};
pub use crate::log::Cursor;
pub use crate::realtime::{Addressing, LocalAddress, LocalVoiceServer, RealtimeStart};
pub use crate::resumed::Reopened;

use crate::driver::Driver;
use crate::handle::COMMANDS;
use crate::log::EventLog;

/// How long threads may take to end politely: longer than a tool may take to let go, then links
/// to say goodbye, then the disk to have it all.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// What the engine is plugged into.
#[derive(Debug)]
pub struct Services {
    /// Where sessions are kept.
    pub home: PathBuf,
    /// Where the user's own `AGENTS.md` is. Without it, threads follow the repository's alone.
    pub documents: Option<PathBuf>,
    /// Our version, for logs.
    pub version: String,
    pub models: ModelClient,
    pub toolbox: Toolbox,
    /// For links to realtime services; their keys are looked up in `environment`.
    pub network: Network,
    pub environment: Environment,
    /// Our own realtime server; without it, conversations need a remote service.
    pub local_voice: Option<Arc<dyn LocalVoiceServer>>,
}

/// What a thread is started with.
#[derive(Debug, Clone)]
pub struct ThreadStart {
    pub settings: ThreadSettings,
    /// Who runs the agent's model; `settings` names it.
    pub provider: Provider,
    /// How that model thinks, where it does.
    pub reasoning: Reasoning,
    /// Variables that hold keys, of any provider: the thread's commands do not get them.
    pub secrets: BTreeSet<String>,
    /// How long the project's tests may take.
    pub test_time: Duration,
    /// What the client wants otherwise than the file, for what is read later: how its
    /// conversations are held.
    pub overrides: Vec<Override>,
    /// The program that asks, for the log: a client's name.
    pub originator: String,
    /// What kind of client it is: `exec`, `talk`, `appServer`.
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    #[error("{} is not a directory; name one that exists", .0.display())]
    NoDirectory(PathBuf),
    #[error("{} is not an absolute path", .0.display())]
    RelativeDirectory(PathBuf),
    #[error("the engine is shutting down")]
    ShuttingDown,
}

/// All threads of this process.
#[derive(Debug)]
pub struct Engine {
    services: Arc<Services>,
    store: Arc<Store>,
    /// Held to insert or look up, never over an await.
    threads: Mutex<Threads>,
}

#[derive(Debug, Default)]
struct Threads {
    handles: HashMap<ThreadId, Thread>,
    drivers: JoinSet<()>,
    closing: bool,
}

impl Engine {
    pub fn new(services: Services) -> Self {
        let store = Arc::new(Store::new(&services.home));
        Self { services: Arc::new(services), store, threads: Mutex::default() }
    }

    /// Starts a thread. Its log is made when somebody first says something.
    ///
    /// Must be called on a tokio runtime.
    pub fn start_thread(&self, start: ThreadStart) -> Result<Thread, StartError> {
        self.run_thread(ThreadId::new(Uuid::now_v7().to_string()), start, None)
    }

    /// Reads what an earlier process left of a thread, and takes its log, so that nobody else
    /// writes to it. Blocks: it reads a file.
    pub fn reopen(&self, id: &ThreadId) -> Result<Reopened, rollout::Error> {
        Reopened::take(&self.store, id)
    }

    /// Goes on with a thread. Its events begin with what happened in it before.
    ///
    /// Must be called on a tokio runtime.
    pub fn resume_thread(
        &self,
        reopened: Reopened,
        start: ThreadStart,
    ) -> Result<Thread, StartError> {
        self.run_thread(reopened.session.meta.thread.clone(), start, Some(reopened))
    }

    fn run_thread(
        &self,
        id: ThreadId,
        start: ThreadStart,
        reopened: Option<Reopened>,
    ) -> Result<Thread, StartError> {
        let ThreadStart {
            settings,
            provider,
            reasoning,
            secrets,
            test_time,
            overrides,
            originator,
            source,
        } = start;
        if !settings.cwd.is_absolute() {
            return Err(StartError::RelativeDirectory(settings.cwd));
        }
        if !settings.cwd.is_dir() {
            return Err(StartError::NoDirectory(settings.cwd));
        }
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (microphone, heard) = watch::channel(None);
        let handle = Thread {
            id: id.clone(),
            settings: Arc::new(settings),
            reasoning,
            overrides: overrides.into(),
            commands,
            log: EventLog::new(id.clone()),
            microphone: heard,
        };
        let mut threads = self.threads();
        if threads.closing {
            return Err(StartError::ShuttingDown);
        }
        // Ended drivers are only kept until somebody looks.
        while threads.drivers.try_join_next().is_some() {}
        threads.handles.retain(|_, thread| !thread.commands.is_closed());
        let past = reopened.map(|it| it.into_past(&handle.log, &handle.settings));
        let driver = Driver::new(driver::Setup {
            services: Arc::clone(&self.services),
            store: Arc::clone(&self.store),
            thread: handle.clone(),
            provider,
            reasoning,
            secrets,
            test_time,
            originator,
            source,
            microphone,
            past,
        });
        threads.drivers.spawn(driver.run(inbox));
        threads.handles.insert(id, handle.clone());
        Ok(handle)
    }

    /// A thread that runs in this process.
    pub fn thread(&self, id: &ThreadId) -> Option<Thread> {
        self.threads().handles.get(id).filter(|thread| !thread.commands.is_closed()).cloned()
    }

    /// The threads that run in this process, oldest first.
    pub fn loaded(&self) -> Vec<ThreadId> {
        let threads = self.threads();
        let running = threads.handles.values().filter(|it| !it.commands.is_closed());
        let mut ids: Vec<ThreadId> = running.map(|it| it.id.clone()).collect();
        // Ids begin with their time.
        ids.sort();
        ids
    }

    /// The newest threads of this home. Blocks: it reads files.
    pub fn list(&self, limit: usize) -> Vec<Summary> {
        self.store.list(limit)
    }

    /// What the log says about a thread. Blocks: it reads a file.
    pub fn read(&self, id: &ThreadId) -> Result<Session, rollout::Error> {
        self.store.read(id)
    }

    /// Ends all threads: politely, and after a limit anyhow.
    pub async fn shutdown(&self) {
        let (handles, mut drivers) = {
            let mut threads = self.threads();
            threads.closing = true;
            (std::mem::take(&mut threads.handles), std::mem::take(&mut threads.drivers))
        };
        let polite = async {
            let mut closing: JoinSet<()> =
                handles.into_values().map(|thread| async move { thread.close().await }).collect();
            while closing.join_next().await.is_some() {}
            while drivers.join_next().await.is_some() {}
        };
        // Whoever is late is dropped with the set, which ends its tasks and kills its tools.
        drop(tokio::time::timeout(SHUTDOWN, polite).await);
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        // Nothing panics while it is held; if it did, the table is whole all the same.
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use agent_turn::Limits;

    use super::*;

    #[test]
    fn a_shutdown_waits_for_everything_that_has_a_limit_of_its_own() {
        let disk = Duration::from_secs(1);
        for limits in [Limits::full(), Limits::small()] {
            assert!(limits.cancel_grace + driver::GOODBYE + disk < SHUTDOWN);
        }
    }
}
