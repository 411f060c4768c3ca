//! Conversations' links: where they go, and the task that runs each.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use config::{Environment, LocalVoice, RemoteVoice, Secret, VoiceService};
use protocol::{BargeIn, RealtimeVersion, SessionMode};
use realtime_client::{Ending, Link, Outbox, Received, Target};
use realtime_session::{LinkEpoch, LinkNews};
use realtime_wire::client::{Endpoint, handshake};
use thread::{ConversationId, Input, Opening, Prompt, StartupContext, Steps};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use transport::Network;

use crate::calls::News;

/// Sound that may wait for a slow link: a file is fed faster than it sounds, and what is said
/// while the link is being dialed is not lost.
pub(crate) const SOUND_WAITING: Duration = Duration::from_secs(10);

/// The conversation itself gives up after 20 seconds; this only ends the attempt.
const DIAL_TIMEOUT: Duration = Duration::from_secs(20);

/// What a client asks of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct RealtimeStart {
    /// Told to clients and sent to the service; the thread's id where it is `None`.
    pub session_id: Option<String>,
    pub service: VoiceService,
    pub version: RealtimeVersion,
    /// Of the service.
    pub model: String,
    pub mode: SessionMode,
    pub voice: String,
    pub prompt: Prompt,
    /// In place of what the thread itself would tell the voice model; empty for nothing.
    pub context: Option<String>,
    /// In place of our words to the agent when the conversation begins.
    pub start_instructions: Option<String>,
}

/// Our own realtime server, which runs where somebody put it together (`cli`).
pub trait LocalVoiceServer: Send + Sync + fmt::Debug {
    /// Where it listens; it is started when it does not. The error is a sentence for people.
    fn address<'a>(&'a self, voice: &'a LocalVoice) -> Addressing<'a>;
}

/// A server's address, as soon as it listens.
pub type Addressing<'a> = Pin<Box<dyn Future<Output = Result<LocalAddress, String>> + Send + 'a>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    /// `ws://127.0.0.1:PORT`
    pub url: String,
    pub key: Secret,
}

/// A conversation's way out, as the driver keeps it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) start: RealtimeStart,
    pub(crate) outbox: Outbox,
    pub(crate) hang_up: CancellationToken,
}

impl Line {
    pub(crate) fn new(start: RealtimeStart) -> Self {
        let outbox = Outbox::new(SOUND_WAITING);
        Self { start, outbox, hang_up: CancellationToken::new() }
    }
}

/// What the thread is told of a start. `workspace` describes where the thread works.
pub(crate) fn opening(
    conversation: ConversationId,
    start: &RealtimeStart,
    workspace: Vec<String>,
) -> Opening {
    let RealtimeStart {
        session_id,
        service,
        version,
        model: _,
        mode,
        voice,
        prompt,
        context,
        start_instructions,
    } = start;
    Opening {
        conversation,
        session_id: session_id.clone(),
        version: *version,
        mode: *mode,
        voice: voice.clone(),
        // A service decides by itself, as its clients are used to; in v1 ours does so as well.
        barge_in: match (service, version) {
            (VoiceService::Local(_), RealtimeVersion::V2) => BargeIn::Weighed,
            (VoiceService::Local(_), RealtimeVersion::V1) | (VoiceService::Remote(_), _) => {
                BargeIn::ByService
            }
        },
        prompt: prompt.clone(),
        context: match context {
            Some(text) => StartupContext::Text(text.clone()),
            None => StartupContext::FromThread { workspace },
        },
        start_instructions: start_instructions.clone(),
        steps: match service {
            VoiceService::Local(_) => Steps::Told,
            VoiceService::Remote(_) => Steps::Untold,
        },
    }
}

/// All that one link needs, owned.
pub(crate) struct Call {
    pub(crate) conversation: ConversationId,
    pub(crate) epoch: LinkEpoch,
    pub(crate) start: RealtimeStart,
    pub(crate) outbox: Outbox,
    pub(crate) hang_up: CancellationToken,
    pub(crate) network: Network,
    pub(crate) environment: Environment,
    pub(crate) local_voice: Option<Arc<dyn LocalVoiceServer>>,
    pub(crate) inbox: mpsc::Sender<News>,
}

impl Call {
    /// Dials, and reports what comes until the link ends or we hang up.
    pub(crate) async fn run(self) {
        let dialed = tokio::select! {
            biased;
            () = self.hang_up.cancelled() => return,
            dialed = self.dial() => dialed,
        };
        let mut link = match dialed {
            Ok(link) => link,
            Err(message) => return self.tell(LinkNews::Failed { message }).await,
        };
        self.tell(LinkNews::Up).await;
        loop {
            let received = tokio::select! {
                biased;
                () = self.hang_up.cancelled() => return link.close().await,
                received = link.next() => received,
            };
            match received {
                Received::Event(event) => self.tell(LinkNews::Event(event)).await,
                Received::Alive => self.tell(LinkNews::Alive).await,
                Received::Strange { message } => self.send(News::Warning { message }).await,
                Received::Ended(Ending::Polite) => {
                    return self.tell(LinkNews::Down { error: None }).await;
                }
                Received::Ended(Ending::Broken { cause }) => {
                    return self.tell(LinkNews::Down { error: Some(cause) }).await;
                }
            }
        }
    }

    async fn dial(&self) -> Result<Link, String> {
        let target = match &self.start.service {
            VoiceService::Remote(remote) => self.remote(remote)?,
            VoiceService::Local(voice) => self.local(voice).await?,
        };
        Link::dial(&self.network, target, &self.outbox).await.map_err(|error| error.to_string())
    }

    fn remote(&self, remote: &RemoteVoice) -> Result<Target, String> {
        let RemoteVoice { base_url, provider, endpoint } = remote;
        let credential = login::credential(provider, &endpoint.key, &self.environment);
        let credential = credential.map_err(|error| error.to_string())?;
        let key = credential.as_ref().map(|credential| credential.key().expose());
        let mut headers: Vec<(String, String)> = endpoint
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.expose().to_owned()))
            .collect();
        for (name, variable) in &endpoint.env_headers {
            if let Some(value) = self.environment.secret(variable) {
                headers.push((name.clone(), value.expose().to_owned()));
            }
        }
        self.target(base_url, key, &endpoint.query, &headers)
    }

    async fn local(&self, voice: &LocalVoice) -> Result<Target, String> {
        let Some(server) = &self.local_voice else {
            return Err("this program has no voice of its own: set `realtime.provider` in \
                        config.toml to a service that has one"
                .to_owned());
        };
        let LocalAddress { url, key } = server.address(voice).await?;
        self.target(&url, Some(key.expose()), &[], &[])
    }

    fn target(
        &self,
        base_url: &str,
        api_key: Option<&str>,
        query: &[(String, String)],
        headers: &[(String, String)],
    ) -> Result<Target, String> {
        let RealtimeStart { session_id, version, model, .. } = &self.start;
        let handshake = handshake(&Endpoint {
            base_url,
            version: *version,
            model: Some(model),
            query,
            session_id: session_id.as_deref(),
            api_key,
            headers,
            default_headers: &[("originator".to_owned(), "duet".to_owned())],
        });
        let handshake = handshake.map_err(|error| error.to_string())?;
        Ok(Target { handshake, version: *version, timeout: DIAL_TIMEOUT, recorder: None })
    }

    async fn tell(&self, news: LinkNews) {
        let (conversation, epoch) = (self.conversation.clone(), self.epoch);
        self.send(News::Thread(Box::new(Input::Link { conversation, epoch, news }))).await;
    }

    async fn send(&self, news: News) {
        // Nobody is left to tell when the thread is gone.
        drop(self.inbox.send(news).await);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use config::{Endpoint, KeySource};
    use thread::Steps;

    use super::*;

    fn steps(service: VoiceService) -> Steps {
        let start = RealtimeStart {
            session_id: None,
            service,
            version: RealtimeVersion::V2,
            model: "m".to_owned(),
            mode: SessionMode::Conversational,
            voice: "marin".to_owned(),
            prompt: Prompt::Text(String::new()),
            context: None,
            start_instructions: None,
        };
        opening(ConversationId("c".to_owned()), &start, Vec::new()).steps
    }

    /// Other services see exactly what their clients have always sent them.
    #[test]
    fn only_our_own_voice_is_told_of_steps() {
        let language = "en".to_owned();
        assert_eq!(steps(VoiceService::Local(LocalVoice { speed: 1.0, language })), Steps::Told);
        let endpoint = Endpoint {
            base_url: "https://voice.example/v1".to_owned(),
            key: KeySource::Token(Secret::new("key")),
            query: Vec::new(),
            headers: Vec::new(),
            env_headers: Vec::new(),
            idle: Duration::from_secs(1),
        };
        let (base_url, provider) = (endpoint.base_url.clone(), "voice".to_owned());
        let remote = RemoteVoice { base_url, provider, endpoint };
        assert_eq!(steps(VoiceService::Remote(remote)), Steps::Untold);
    }
}
