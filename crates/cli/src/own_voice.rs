//! Our own realtime server inside this process, started when a conversation first needs it.

use std::net::{Ipv4Addr, SocketAddr};

use config::{LocalVoice, Secret};
use engine::{Addressing, LocalAddress, LocalVoiceServer};
use realtime_server::{ApiKey, LocalModels, Options, RealtimeServer};
use tokio::sync::Mutex;

/// Conversations reach it by a real WebSocket on loopback, as any client would.
#[derive(Debug)]
pub(crate) struct OwnVoice {
    models: inference::Client,
    /// Held while it starts: a second conversation waits for the same server.
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    server: RealtimeServer,
    key: ApiKey,
}

impl OwnVoice {
    pub(crate) fn new(models: inference::Client) -> Self {
        Self { models, running: Mutex::new(None) }
    }

    /// Says goodbye to its conversations, if it ever ran.
    pub(crate) async fn shutdown(&self) {
        if let Some(Running { server, key: _ }) = self.running.lock().await.take() {
            server.shutdown().await;
        }
    }

    async fn start(&self, voice: &LocalVoice) -> Result<Running, String> {
        let LocalVoice { speed, language } = voice;
        let key = ApiKey::generate();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = Options {
            speed: f64::from(*speed),
            language: language.clone(),
            ..Options::new(listen, key.clone())
        };
        let models = LocalModels::new(self.models.clone());
        let server = RealtimeServer::bind(options, models).await;
        let server = server.map_err(|error| format!("the local voice cannot start: {error}"))?;
        Ok(Running { server, key })
    }
}

impl LocalVoiceServer for OwnVoice {
    fn address<'a>(&'a self, voice: &'a LocalVoice) -> Addressing<'a> {
        Box::pin(async move {
            let mut running = self.running.lock().await;
            let Running { server, key } = match &mut *running {
                Some(running) => running,
                none @ None => none.insert(self.start(voice).await?),
            };
            Ok(LocalAddress { url: server.url(), key: Secret::new(key.expose()) })
        })
    }
}
