//! The composition root: what every face needs, put together once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use app_server::{AppServer, ServeError};
use app_server_client::{Client, Events, connect};
use config::{Config, Environment, Home, Override, ProviderKind, VoiceService};
use engine::Engine;
use headless::Pace;
use inference::{HostOptions, ModelFiles};
use model_client::ModelClient;
use models::{File, Manifest, Shelf};
use realtime_server::LocalModels;
use sandboxing::Spawner;
use tokio::io::{duplex, split};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tools::Toolbox;
use transport::{Network, Trust};

use crate::args::ThreadFlags;
use crate::failure::Failure;
use crate::own_voice::OwnVoice;
use crate::processes::{host_command, spawner_program};

/// Our version, as people and clients are told it.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Bytes on their way between a face and its server, each way.
const DUPLEX_BYTES: usize = 256 << 10;

/// Everything that is there before there is a runtime.
pub(crate) struct Services {
    pub(crate) home: Home,
    pub(crate) environment: Environment,
    pub(crate) overrides: Vec<Override>,
    pub(crate) config: Config,
    pub(crate) cwd: PathBuf,
    pub(crate) shelf: Shelf,
    pub(crate) manifest: Manifest,
    pub(crate) local: inference::Client,
    spawner: Spawner,
}

impl Services {
    /// As the user's documents say, and the command line over them.
    pub(crate) fn new(overrides: Vec<Override>) -> Result<Self, Failure> {
        let home = Home::find(&Environment::of_process())?;
        Self::at(home, overrides)
    }

    /// The same on every machine: nothing that the user has written counts, and what is kept is
    /// kept in `home`.
    pub(crate) fn undocumented(home: &Path, overrides: Vec<Override>) -> Result<Self, Failure> {
        Self::at(Home::at(home).without_documents(), overrides)
    }

    fn at(home: Home, overrides: Vec<Override>) -> Result<Self, Failure> {
        // First of all: a process that forks should be small.
        let spawner = Spawner::start(spawner_program()).map_err(Failure::other)?;
        let environment = Environment::of_process();
        let config = Config::load(&home, &overrides, &environment)?;
        let cwd = std::env::current_dir().map_err(|error| {
            Failure::other(format!("the current directory is gone ({error}): change to another"))
        })?;
        let manifest = Manifest::bundled().map_err(Failure::other)?;
        let shelf = Shelf::from_env(|name| environment.path(name)).ok_or_else(|| {
            Failure::other("no place for models: set DUET_MODELS, or HOME to your home directory")
        })?;
        let local = local_models(&manifest, &shelf, &environment, &writable(&config, &cwd, None))?;
        Ok(Self { home, environment, overrides, config, cwd, shelf, manifest, local, spawner })
    }

    /// For a thread with these flags: the model host is where its commands cannot write.
    pub(crate) fn for_thread(mut self, flags: &ThreadFlags) -> Result<Self, Failure> {
        let writable = writable(&self.config, &self.cwd, Some(flags));
        self.local = local_models(&self.manifest, &self.shelf, &self.environment, &writable)?;
        Ok(self)
    }

    /// An error where the agent's model would be the bundled one, and it is not there.
    pub(crate) fn require_agent(&self) -> Result<(), Failure> {
        match self.config.agent.provider.kind {
            ProviderKind::Local => self.require(self.manifest.get(AGENT)),
            ProviderKind::Responses(_) => Ok(()),
        }
    }

    /// As [`Services::require_agent`], for the ears and the voice.
    pub(crate) fn require_voice(&self) -> Result<(), Failure> {
        match self.config.realtime.service {
            VoiceService::Local(_) => self.require_local_voice(),
            VoiceService::Remote(_) => Ok(()),
        }
    }

    pub(crate) fn require_local_voice(&self) -> Result<(), Failure> {
        self.require(self.manifest.set("default").filter(|file| file.id != AGENT))
    }

    /// How fast the configured voice takes a recording.
    pub(crate) fn pace(&self) -> Pace {
        match self.config.realtime.service {
            VoiceService::Local(_) => Pace::AsTaken,
            VoiceService::Remote(_) => Pace::Live,
        }
    }

    /// The agent's model, whoever runs it.
    pub(crate) fn models(&self, network: Network) -> ModelClient {
        ModelClient::new(network, self.environment.clone(), self.local.clone())
    }

    /// The ears and the voice of this machine. Where a conversation has no agent to hand work
    /// to, whoever is configured as the agent's model writes the replies.
    pub(crate) fn voice(&self, models: ModelClient) -> LocalModels {
        let agent = &self.config.agent;
        let (provider, model) = (agent.provider.clone(), agent.model.clone());
        LocalModels::new(self.local.clone()).with_replies_by(
            models,
            provider,
            model,
            agent.reasoning,
        )
    }

    fn require<'a>(&self, files: impl IntoIterator<Item = &'a File>) -> Result<(), Failure> {
        self.shelf.require(files).map_err(|missing| Failure::Impossible(missing.to_string()))
    }

    /// Puts the engine together and serves it. Needs a runtime.
    pub(crate) fn serve(self) -> Served {
        let network = Network::new(Trust::System);
        let models = self.models(network.clone());
        let voice = Arc::new(OwnVoice::new(self.voice(models.clone())));
        let Self { home, environment, overrides, cwd, spawner, .. } = self;
        let engine = Arc::new(Engine::new(engine::Services {
            home: home.path().to_owned(),
            documents: home.documents().map(Path::to_owned),
            version: VERSION.to_owned(),
            models,
            toolbox: Toolbox::new(Arc::new(spawner)),
            network,
            environment: environment.clone(),
            local_voice: Some(voice.clone()),
        }));
        let server = Arc::new(AppServer {
            engine: Arc::clone(&engine),
            version: VERSION.to_owned(),
            home,
            overrides,
            environment,
            cwd,
        });
        let (connections, stop) = (JoinSet::new(), CancellationToken::new());
        Served { server, engine, voice, connections, stop }
    }
}

/// The manifest's name of the agent's model.
const AGENT: &str = "agent";

/// Where commands may write besides the temporary directories. The threads of other programs
/// are not known yet; they are taken to work where we were started.
fn writable(config: &Config, cwd: &Path, flags: Option<&ThreadFlags>) -> Vec<PathBuf> {
    let mut roots = vec![cwd.to_owned()];
    roots.extend(config.writable_roots.iter().cloned());
    if let Some(ThreadFlags { dir, model: _, sandbox: _, add_dir, ephemeral: _ }) = flags {
        roots.extend(dir.iter().chain(add_dir).map(|dir| cwd.join(dir)));
    }
    roots
}

fn local_models(
    manifest: &Manifest,
    shelf: &Shelf,
    environment: &Environment,
    writable: &[PathBuf],
) -> Result<inference::Client, Failure> {
    let agent = manifest
        .get(AGENT)
        .ok_or_else(|| Failure::other("the manifest of models names no agent: this is a bug"))?;
    let runtime_dir = inference::default_runtime_dir(writable).map_err(|error| {
        Failure::other(format!("no place for the model host's socket: {error}"))
    })?;
    let cache = environment
        .path("XDG_CACHE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(environment.path("HOME")?.join(".cache")))
        .unwrap_or_else(|| shelf.dir().to_owned());
    let options = HostOptions {
        files: ModelFiles { agent: shelf.path_of(agent), speech: shelf.dir().to_owned() },
        runtime_dir,
        cache_dir: cache.join("duet").join("prefixes"),
        idle_exit: HostOptions::IDLE_EXIT,
        threads: None,
    };
    Ok(inference::Client::new(host_command(), options))
}

/// A running engine and the server in front of it.
pub(crate) struct Served {
    pub(crate) server: Arc<AppServer>,
    engine: Arc<Engine>,
    voice: Arc<OwnVoice>,
    connections: JoinSet<()>,
    stop: CancellationToken,
}

impl Served {
    /// A client in this process. `source` is what the log calls it.
    pub(crate) fn connect(&mut self, source: &'static str) -> (Client, Events) {
        let (ours, theirs) = duplex(DUPLEX_BYTES);
        let (read, write) = split(theirs);
        let (server, stop) = (Arc::clone(&self.server), self.stop.clone());
        self.connections.spawn(async move {
            match server.serve(read, write, source, &stop).await {
                Ok(()) => {}
                // A face has what it came for, or has failed and says so, and did not wait for
                // the last news.
                Err(ServeError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) => eprintln!("duet: {error}"),
            }
        });
        let (read, write) = split(ours);
        connect(read, write)
    }

    /// Ends what runs: politely, and after a limit anyhow.
    pub(crate) async fn shutdown(mut self) {
        self.engine.shutdown().await;
        self.voice.shutdown().await;
        self.stop.cancel();
        while self.connections.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of them is a place where a command could put another socket than the model host's.
    #[test]
    fn commands_write_where_the_flags_say() {
        let home = Home::at("/nowhere");
        let root = r#"sandbox_workspace_write.writable_roots=["/data"]"#;
        let root = Override::parse(root).unwrap();
        let config = Config::load(&home, &[root], &Environment::of_process()).unwrap();
        let flags = ThreadFlags {
            dir: Some(".cache".into()),
            model: None,
            sandbox: None,
            add_dir: vec!["/x".into()],
            ephemeral: false,
        };
        let places = |it: &[&str]| it.iter().map(PathBuf::from).collect::<Vec<_>>();
        let cwd = Path::new("/home/a");
        assert_eq!(writable(&config, cwd, None), places(&["/home/a", "/data"]));
        let all = places(&["/home/a", "/data", "/home/a/.cache", "/x"]);
        assert_eq!(writable(&config, cwd, Some(&flags)), all);
    }
}
