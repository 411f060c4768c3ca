//! A host of one's own: its folders, its clients, its process.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use inference::{Client, Generation, HostCommand, HostOptions, ModelFiles};
use protocol::{
    ModelError, ModelEvent, ModelItem, ModelRequest, Property, Role, Schema, ToolChoice,
    ToolEffect, ToolSpec,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use tempfile::TempDir;
use tokio::net::UnixStream;

pub(crate) struct Bench {
    /// The folders live as long as this.
    pub(crate) dir: TempDir,
    pub(crate) options: HostOptions,
}

impl Bench {
    pub(crate) fn new(files: ModelFiles) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700))?;
        let options = HostOptions {
            files,
            runtime_dir: dir.path().join("run"),
            cache_dir: dir.path().join("cache"),
            // So that no host outlives its test for long.
            idle_exit: Duration::from_secs(5),
            threads: None,
        };
        Ok(Self { dir, options })
    }

    pub(crate) fn without_models() -> anyhow::Result<Self> {
        Self::new(ModelFiles::beneath(Path::new("/nowhere")))
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(command(), self.options.clone())
    }

    pub(crate) fn socket(&self) -> anyhow::Result<PathBuf> {
        let sockets: Vec<PathBuf> = std::fs::read_dir(&self.options.runtime_dir)?
            .filter_map(|it| Some(it.ok()?.path()))
            .filter(|it| it.extension().is_some_and(|it| it == "sock"))
            .collect();
        let [socket] = sockets.as_slice() else { anyhow::bail!("{sockets:?}") };
        Ok(socket.clone())
    }

    /// The process that answers at the socket.
    pub(crate) async fn host(&self) -> anyhow::Result<Pid> {
        let stream = UnixStream::connect(self.socket()?).await?;
        let pid = stream.peer_cred()?.pid().context("the socket names no process")?;
        Pid::from_raw(pid).context("not a process")
    }

    pub(crate) async fn kill_host(&self) -> anyhow::Result<()> {
        let host = self.host().await?;
        let handle = pidfd_open(host, PidfdFlags::empty())?;
        kill_process(host, Signal::KILL)?;
        poll(&mut [PollFd::new(&handle, PollFlags::IN)], None)?;
        Ok(())
    }
}

pub(crate) fn command() -> HostCommand {
    HostCommand { program: env!("CARGO_BIN_EXE_inference-host").into(), args: vec![] }
}

pub(crate) fn request(question: &str, tool_choice: ToolChoice) -> ModelRequest {
    let files = ["src/lib.rs", "src/cart.rs", "tests/cart.rs"];
    let path = Schema::Choice(files.iter().map(|it| (*it).to_owned()).collect());
    ModelRequest {
        instructions: "You are a coding agent in one repository. Look things up with tools."
            .to_owned(),
        input: vec![ModelItem::Message { role: Role::User, text: question.to_owned() }],
        tools: vec![
            ToolSpec {
                name: "run_tests".into(),
                description: "runs the project's tests".into(),
                parameters: vec![],
                effect: ToolEffect::Runs,
            },
            ToolSpec {
                name: "read_file".into(),
                description: "shows one file".into(),
                parameters: vec![Property::required("path", "", path)],
                effect: ToolEffect::Reads,
            },
        ],
        tool_choice,
        cache_key: "test".into(),
    }
}

pub(crate) async fn all(mut generation: Generation) -> Vec<Result<ModelEvent, ModelError>> {
    let mut events = Vec::new();
    while let Some(event) = generation.next().await {
        events.push(event);
    }
    events
}
