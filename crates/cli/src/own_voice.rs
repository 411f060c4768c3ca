//! Our own realtime server inside this process, started when a conversation first needs it.

use std::net::{Ipv4Addr, SocketAddr};

use config::{LocalVoice, Secret};
use engine::{Addressing, LocalAddress, LocalVoiceServer};
use realtime_server::{ApiKey, LocalModels, Options, RealtimeServer};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// Conversations reach it by a real WebSocket on loopback, as any client would.
#[derive(Debug)]
pub(crate) struct OwnVoice {
    models: LocalModels,
    /// One for each way to speak and to hear that a conversation asked for: nearly always one.
    /// Held while it starts: a second conversation waits for the same server.
    running: Mutex<Vec<Running>>,
}

#[derive(Debug)]
struct Running {
    voice: LocalVoice,
    server: RealtimeServer,
    key: ApiKey,
}

impl OwnVoice {
    pub(crate) fn new(models: LocalModels) -> Self {
        Self { models, running: Mutex::default() }
    }

    /// Says goodbye to its conversations, if it ever ran.
    pub(crate) async fn shutdown(&self) {
        let running = std::mem::take(&mut *self.running.lock().await);
        let mut goodbyes: JoinSet<()> =
            running.into_iter().map(|it| async move { it.server.shutdown().await }).collect();
        while goodbyes.join_next().await.is_some() {}
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
        let server = RealtimeServer::bind(options, self.models.clone()).await;
        let server = server.map_err(|error| format!("the local voice cannot start: {error}"))?;
        Ok(Running { voice: voice.clone(), server, key })
    }
}

impl LocalVoiceServer for OwnVoice {
    fn address<'a>(&'a self, voice: &'a LocalVoice) -> Addressing<'a> {
        Box::pin(async move {
            let mut running = self.running.lock().await;
            let same = running.iter().position(|it| it.voice == *voice);
            let same = match same {
                Some(same) => same,
                None => {
                    running.push(self.start(voice).await?);
                    running.len() - 1
                }
            };
            let Running { voice: _, server, key } = &running[same];
            Ok(LocalAddress { url: server.url(), key: Secret::new(key.expose()) })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use inference::{HostCommand, HostOptions, ModelFiles};

    use super::*;

    fn nobody() -> LocalModels {
        let nowhere = PathBuf::from("/nowhere");
        let host = HostCommand { program: nowhere.clone(), args: Vec::new() };
        let files = ModelFiles { agent: nowhere.clone(), speech: nowhere.clone() };
        let options = HostOptions {
            files,
            runtime_dir: nowhere.clone(),
            cache_dir: nowhere,
            idle_exit: HostOptions::IDLE_EXIT,
            threads: None,
        };
        LocalModels::new(inference::Client::new(host, options))
    }

    /// A conversation is held as its thread wants it, whatever an earlier one wanted.
    #[tokio::test]
    async fn each_way_to_speak_has_its_server() {
        let own = OwnVoice::new(nobody());
        let voice = |speed, language: &str| LocalVoice { speed, language: language.to_owned() };
        let english = own.address(&voice(1.0, "en")).await.unwrap();
        let german = own.address(&voice(1.0, "de")).await.unwrap();
        let slow = own.address(&voice(0.8, "en")).await.unwrap();
        assert!(english.url != german.url && english.url != slow.url && german.url != slow.url);
        assert_eq!(own.address(&voice(1.0, "en")).await.unwrap(), english);
        own.shutdown().await;
    }
}
