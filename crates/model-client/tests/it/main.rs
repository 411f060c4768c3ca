//! All integration tests of this crate; one binary.

#![allow(clippy::unwrap_used)]

mod errors;
mod local;
mod stream;

use std::path::Path;
use std::time::Duration;

use config::{Endpoint, Environment, KeySource, Provider, ProviderKind};
use inference::{HostCommand, HostOptions, ModelFiles};
use model_client::{ModelClient, ModelStream};
use protocol::{ModelError, ModelEvent, ModelItem, ModelRequest, Role, ToolChoice};
use transport::{Network, Trust};

const PATIENCE: Duration = Duration::from_secs(30);

fn client(variables: &[(&str, &str)]) -> ModelClient {
    let environment = Environment::from_iter(variables.iter().copied());
    let network = Network::new(Trust::System);
    ModelClient::new(network, environment, no_host(Path::new("/nowhere")))
}

/// A model host that cannot start: remote calls must not need it.
fn no_host(folder: &Path) -> inference::Client {
    let command = HostCommand { program: "/nowhere/duet".into(), args: Vec::new() };
    let options = HostOptions {
        files: ModelFiles::beneath(folder),
        runtime_dir: folder.join("run"),
        cache_dir: folder.join("cache"),
        idle_exit: HostOptions::IDLE_EXIT,
        threads: None,
    };
    inference::Client::new(command, options)
}

/// A provider of the name Acme, with its key in ACME_KEY.
fn acme(base_url: &str) -> Provider {
    let key = KeySource::Variable { name: "ACME_KEY".into(), hint: None };
    acme_with(base_url, key, PATIENCE)
}

fn acme_with(base_url: &str, key: KeySource, idle: Duration) -> Provider {
    Provider {
        id: "acme".into(),
        name: "Acme".into(),
        kind: ProviderKind::Responses(Endpoint {
            base_url: base_url.into(),
            key,
            query: vec![("team".into(), "blue".into())],
            headers: Vec::new(),
            env_headers: Vec::new(),
            idle,
        }),
    }
}

fn request(text: &str) -> ModelRequest {
    ModelRequest {
        instructions: "Be brief.".into(),
        input: vec![ModelItem::Message { role: Role::User, text: text.into() }],
        tools: Vec::new(),
        tool_choice: ToolChoice::Auto,
        cache_key: "thread-1".into(),
    }
}

/// All events, and the error in place of the end.
async fn drain(mut stream: ModelStream) -> (Vec<ModelEvent>, Option<ModelError>) {
    let mut events = Vec::new();
    let mut error = None;
    while let Some(next) = stream.next().await {
        assert_eq!(error, None, "an event after an error");
        match next {
            Ok(event) => events.push(event),
            Err(end) => error = Some(end),
        }
    }
    assert!(stream.next().await.is_none());
    (events, error)
}
