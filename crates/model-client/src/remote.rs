//! A call over HTTP and server-sent events.

use std::collections::VecDeque;
use std::pin::Pin;

use config::{Endpoint, Environment};
use protocol::{ModelError, ModelEvent};
use responses_wire::{Fault, Reply, ReplyError};
use transport::{HttpError, Network, Post, SseStream, join_url};

use crate::explain::Service;

pub(crate) struct Remote {
    service: Service,
    reply: Reply,
    /// Decoded and not yet taken.
    ready: VecDeque<ModelEvent>,
    state: State,
}

enum State {
    /// Kept across calls of `next`, so that a caller that gives up waiting loses nothing.
    Connecting(Pin<Box<dyn Future<Output = Result<SseStream, ModelError>> + Send>>),
    Streaming(Box<SseStream>),
    Ended,
}

impl Remote {
    pub(crate) fn new(
        network: Network,
        environment: Environment,
        id: &str,
        name: &str,
        endpoint: Endpoint,
        model: &str,
        body: String,
    ) -> Self {
        let service = Service {
            id: id.to_owned(),
            name: name.to_owned(),
            model: model.to_owned(),
            key: endpoint.key.clone(),
            base_url: endpoint.base_url.clone(),
        };
        let connecting = Box::pin(connect(network, environment, service.clone(), endpoint, body));
        let state = State::Connecting(connecting);
        Self { service, reply: Reply::new(), ready: VecDeque::new(), state }
    }

    /// After `Completed`: leaves the connection to the next call. Cancel-safe.
    pub(crate) async fn finish(&mut self) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Streaming(stream) => stream.finish().await,
            State::Connecting(_) | State::Ended => (),
        }
    }

    /// The next event. Not called again after an error or `Completed`.
    pub(crate) async fn next(&mut self) -> Result<ModelEvent, ModelError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let stream = match &mut self.state {
                State::Ended => return Err(self.service.stopped_early()),
                State::Streaming(stream) => stream,
                State::Connecting(connecting) => {
                    self.state = State::Streaming(Box::new(connecting.await?));
                    continue;
                }
            };
            match stream.next().await {
                Some(Ok(event)) => match self.reply.event(&event.data) {
                    Ok(events) => self.ready.extend(events),
                    Err(ReplyError::Fault(fault)) => return Err(self.service.explain(&fault)),
                    Err(ReplyError::Decode(error)) => return Err(self.service.misspoke(&error)),
                },
                Some(Err(error)) => return Err(self.service.failed(error)),
                None => return Err(self.service.stopped_early()),
            }
        }
    }
}

async fn connect(
    network: Network,
    environment: Environment,
    service: Service,
    endpoint: Endpoint,
    body: String,
) -> Result<SseStream, ModelError> {
    let headers = login::headers(&service.name, &endpoint, &environment)
        .map_err(|error| service.not_logged_in(&error))?;
    let url = join_url(&endpoint.base_url, "responses", &endpoint.query)
        .map_err(|error| service.failed(error))?;
    let post = Post { url, headers, body: body.into(), idle: endpoint.idle };
    network.post_sse(&post).await.map_err(|error| match error {
        HttpError::Refused(refusal) => {
            let fault = Fault::from_status(refusal.status, refusal.retry_after, &refusal.body);
            service.explain(&fault)
        }
        other => service.failed(other),
    })
}
