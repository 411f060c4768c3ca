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
use protocol::{ModelError, ModelEvent, ModelRequest};
use responses_wire::Reasoning;
use transport::Network;

use crate::remote::Remote;

/// What it takes to call any provider. Clones share connections.
#[derive(Debug, Clone)]
pub struct ModelClient {
    network: Network,
    environment: Environment,
    reasoning: Reasoning,
    local: inference::Client,
}

impl ModelClient {
    /// `environment` is where the providers' keys are looked up, at each call.
    pub fn new(
        network: Network,
        environment: Environment,
        reasoning: Reasoning,
        local: inference::Client,
    ) -> Self {
        Self { network, environment, reasoning, local }
    }

    /// Nothing is sent before the first [`ModelStream::next`].
    pub fn stream(&self, provider: &Provider, model: &str, request: ModelRequest) -> ModelStream {
        let source = match &provider.kind {
            ProviderKind::Local => Source::Local(self.local.generate(request)),
            ProviderKind::Responses(endpoint) => Source::Remote(Box::new(Remote::new(
                self.network.clone(),
                self.environment.clone(),
                &provider.id,
                &provider.name,
                endpoint.clone(),
                model,
                responses_wire::encode_request(model, self.reasoning, &request),
            ))),
        };
        ModelStream { source, ended: false }
    }
}

/// A running call. Dropping it cancels it.
pub struct ModelStream {
    source: Source,
    ended: bool,
}

enum Source {
    Local(Generation),
    Remote(Box<Remote>),
}

impl ModelStream {
    /// The next event; `None` after the last one. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<ModelEvent, ModelError>> {
        if self.ended {
            return None;
        }
        let next = match &mut self.source {
            Source::Local(generation) => generation.next().await,
            Source::Remote(remote) => Some(remote.next().await),
        };
        self.ended = matches!(next, None | Some(Err(_) | Ok(ModelEvent::Completed { .. })));
        next
    }
}

impl fmt::Debug for ModelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Local(_) => "local",
            Source::Remote(_) => "remote",
        };
        f.debug_struct("ModelStream").field("source", &source).field("ended", &self.ended).finish()
    }
}
