//! One request to a model, one stream of events back, whoever runs the model.
//!
//! Invariants:
//! * A stream ends with exactly one of `Completed` and an error.
//! * Dropping the stream cancels the call.
//! * An error's message names the provider and what to do, and never a key.
//! * One attempt: who tries again, and when, is the turn's to decide.

mod explain;
mod remote;

use std::fmt;

use config::{Environment, Provider, ProviderKind};
use inference::Generation;
use protocol::{ModelError, ModelEvent, ModelRequest, Reasoning};
use transport::Network;

use crate::remote::Remote;

/// What it takes to call any provider. Clones share connections.
#[derive(Debug, Clone)]
pub struct ModelClient {
    network: Network,
    environment: Environment,
    local: inference::Client,
}

impl ModelClient {
    /// `environment` is where the providers' keys are looked up, at each call.
    pub fn new(network: Network, environment: Environment, local: inference::Client) -> Self {
        Self { network, environment, local }
    }

    /// Nothing is sent before the first [`ModelStream::next`]. The bundled model does not reason.
    pub fn stream(
        &self,
        provider: &Provider,
        model: &str,
        reasoning: Reasoning,
        request: ModelRequest,
    ) -> ModelStream {
        let source = match &provider.kind {
            ProviderKind::Local => Source::Local(self.local.generate(request)),
            ProviderKind::Responses(endpoint) => Source::Remote(Box::new(Remote::new(
                self.network.clone(),
                self.environment.clone(),
                &provider.id,
                &provider.name,
                endpoint.clone(),
                model,
                responses_wire::encode_request(model, reasoning, &request),
            ))),
        };
        ModelStream { source, state: Progress::Running }
    }
}

/// A running call. Dropping it cancels it.
pub struct ModelStream {
    source: Source,
    state: Progress,
}

#[derive(Debug, Clone, Copy)]
enum Progress {
    Running,
    /// The last event was given out; the connection is still open.
    Completed,
    Over,
}

enum Source {
    Local(Generation),
    Remote(Box<Remote>),
}

impl ModelStream {
    /// The next event; `None` after the last one. Cancel-safe.
    ///
    /// Who reads up to the `None` leaves the connection to the next call.
    pub async fn next(&mut self) -> Option<Result<ModelEvent, ModelError>> {
        let next = match (&mut self.source, self.state) {
            (_, Progress::Over) => None,
            (Source::Remote(remote), Progress::Completed) => {
                remote.finish().await;
                None
            }
            (Source::Local(_), Progress::Completed) => None,
            (Source::Local(generation), Progress::Running) => generation.next().await,
            (Source::Remote(remote), Progress::Running) => Some(remote.next().await),
        };
        self.state = match &next {
            Some(Ok(ModelEvent::Completed { .. })) => Progress::Completed,
            Some(Ok(_)) => Progress::Running,
            None | Some(Err(_)) => Progress::Over,
        };
        next
    }
}

impl fmt::Debug for ModelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Local(_) => "local",
            Source::Remote(_) => "remote",
        };
        f.debug_struct("ModelStream").field("source", &source).field("state", &self.state).finish()
    }
}
