//! An engine with a home, a repository, and a service that plays the model.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use agent_turn::UserInput;
use config::{Endpoint, Environment, KeySource, Provider, ProviderKind, Secret};
use engine::{Cursor, Engine, Services, Thread, ThreadStart};
use inference::{HostCommand, HostOptions, ModelFiles};
use model_client::ModelClient;
use protocol::{
    ApprovalPolicy, Event, EventBody, InputSource, Item, ItemBody, Reasoning, SandboxPolicy,
    ThreadId, ThreadSettings, TurnStatus,
};
use sandboxing::{Spawner, SpawnerProgram};
use tempfile::TempDir;
use testkit::ModelServer;
use tools::Toolbox;
use transport::{Network, Trust};

use crate::AS_SPAWNER;

/// Generous, since only a failing test waits it out.
const PATIENCE: Duration = Duration::from_secs(60);

/// What no command of a thread may see.
pub(crate) const SECRET: &str = "CARGO_PKG_NAME";

pub(crate) struct Bench {
    pub(crate) model: ModelServer,
    pub(crate) engine: Engine,
    pub(crate) home: TempDir,
    pub(crate) repository: TempDir,
}

/// A thread as its client sees it.
pub(crate) struct Client {
    pub(crate) thread: Thread,
    cursor: Cursor,
    /// Everything that was seen, for the failure's message.
    seen: Vec<Arc<Event>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let (home, repository) = (folder("home-"), folder("repository-"));
        std::fs::write(repository.path().join("hello.txt"), "hello\n").unwrap();
        git(repository.path(), &["init", "--quiet"]);
        git(repository.path(), &["add", "."]);
        git(repository.path(), &["commit", "--quiet", "--message", "first"]);
        let engine = engine(home.path());
        Self { model: ModelServer::start(), engine, home, repository }
    }

    pub(crate) fn settings(&self) -> ThreadSettings {
        ThreadSettings {
            cwd: self.repository.path().to_owned(),
            model: "test-model".to_owned(),
            model_provider: "test".to_owned(),
            approval_policy: ApprovalPolicy::Never,
            sandbox: SandboxPolicy::default(),
            developer_instructions: None,
            ephemeral: false,
        }
    }

    pub(crate) fn start(&self, settings: ThreadSettings) -> ThreadStart {
        ThreadStart {
            settings,
            provider: Provider {
                id: "test".to_owned(),
                name: "Test".to_owned(),
                kind: ProviderKind::Responses(endpoint(self.model.base_url())),
            },
            reasoning: Reasoning::default(),
            // Set for every test; stands for a variable with a key.
            secrets: BTreeSet::from([SECRET.to_owned()]),
            test_time: PATIENCE,
            overrides: Vec::new(),
            originator: "tests".to_owned(),
            source: "test".to_owned(),
        }
    }

    pub(crate) fn client(&self) -> Client {
        self.client_with(self.settings())
    }

    pub(crate) fn client_with(&self, settings: ThreadSettings) -> Client {
        let thread = self.engine.start_thread(self.start(settings)).unwrap();
        let cursor = thread.subscribe_from(0);
        Client { thread, cursor, seen: Vec::new() }
    }

    /// Another process in place of the one that has crashed.
    pub(crate) fn crash(&mut self) {
        self.engine = engine(self.home.path());
    }

    /// The thread goes on in this process.
    pub(crate) async fn resume(&self, id: &ThreadId) -> Client {
        // The tasks of a crashed one end when the runtime gets to them.
        let reopened = loop {
            match self.engine.reopen(id) {
                Ok(reopened) => break reopened,
                Err(rollout::Error::InUse { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        let thread = self.engine.resume_thread(reopened, self.start(self.settings())).unwrap();
        let cursor = thread.subscribe_from(0);
        Client { thread, cursor, seen: Vec::new() }
    }

    /// The thread's log, a line each; empty when there is none.
    pub(crate) fn log(&self) -> Vec<serde_json::Value> {
        let Some(summary) = self.engine.list(1).into_iter().next() else { return Vec::new() };
        let log = std::fs::read_to_string(summary.path).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub(crate) fn endpoint(base_url: String) -> Endpoint {
    Endpoint {
        base_url,
        key: KeySource::Token(Secret::new("test-key")),
        query: Vec::new(),
        headers: Vec::new(),
        env_headers: Vec::new(),
        idle: PATIENCE,
    }
}

fn engine(home: &Path) -> Engine {
    let args = ["--exact", "spawner_process", "--nocapture", "--skip", AS_SPAWNER];
    let program = SpawnerProgram {
        exe: std::env::current_exe().unwrap(),
        args: args.iter().map(Into::into).collect(),
    };
    let spawner = Arc::new(Spawner::start(program).unwrap());
    let network = Network::new(Trust::System);
    let environment = Environment::of_process();
    // Never started: no test here uses the bundled model.
    let nothing = home.join("nothing");
    let local = inference::Client::new(
        HostCommand { program: nothing.clone(), args: Vec::new() },
        HostOptions {
            files: ModelFiles { agent: nothing.clone(), speech: nothing.clone() },
            runtime_dir: nothing.clone(),
            cache_dir: nothing,
            idle_exit: HostOptions::IDLE_EXIT,
            threads: None,
        },
    );
    Engine::new(Services {
        home: home.to_owned(),
        documents: Some(home.to_owned()),
        version: "0.0.0".to_owned(),
        models: ModelClient::new(network.clone(), environment.clone(), local),
        toolbox: Toolbox::new(spawner),
        network,
        environment,
        local_voice: None,
    })
}

impl Client {
    pub(crate) async fn type_words(&self, text: &str) {
        let input = UserInput { text: text.to_owned(), source: InputSource::Typed, material: None };
        self.thread.start_turn(input).await.unwrap();
    }

    /// Reads on until an event fits, and returns what `wanted` makes of it.
    pub(crate) async fn until<T>(&mut self, wanted: impl Fn(&EventBody) -> Option<T>) -> T {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.cursor.next()).await;
            match next {
                Ok(Some(event)) => {
                    self.seen.push(Arc::clone(&event));
                    if let Some(found) = wanted(&event.body) {
                        return found;
                    }
                }
                Ok(None) => panic!("the thread ended; seen:\n{}", self.story()),
                Err(_) => panic!("nothing more came; seen:\n{}", self.story()),
            }
        }
    }

    pub(crate) async fn until_completed(&mut self) -> TurnStatus {
        self.until(|event| match event {
            EventBody::TurnCompleted { turn: _, status } => Some(status.clone()),
            _other => None,
        })
        .await
    }

    pub(crate) async fn until_closed(&mut self) {
        while let Some(event) = tokio::time::timeout(PATIENCE, self.cursor.next()).await.unwrap() {
            self.seen.push(event);
        }
    }

    pub(crate) async fn until_item(&mut self) -> Item {
        self.until(|event| match event {
            EventBody::ItemCompleted { turn: _, item } => Some(item.clone()),
            _other => None,
        })
        .await
    }

    /// The next completed item that is a tool's.
    pub(crate) async fn until_tool(&mut self) -> ItemBody {
        self.until(|event| match event {
            EventBody::ItemCompleted { turn: _, item } => match &item.body {
                ItemBody::Command(_) | ItemBody::FileChange(_) | ItemBody::Tool(_) => {
                    Some(item.body.clone())
                }
                ItemBody::UserMessage { .. }
                | ItemBody::AgentMessage { .. }
                | ItemBody::Reasoning { .. }
                | ItemBody::Spoken { .. } => None,
            },
            _other => None,
        })
        .await
    }

    pub(crate) fn seen(&self) -> &[Arc<Event>] {
        &self.seen
    }

    fn story(&self) -> String {
        self.seen.iter().map(|event| format!("{} {:?}\n", event.seq, event.body)).collect()
    }
}

fn folder(prefix: &str) -> TempDir {
    tempfile::Builder::new().prefix(prefix).tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn git(root: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
        .args(["-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false"])
        .args(arguments)
        .current_dir(root)
        .status()
        .unwrap();
    assert!(status.success());
}
