//! A connection that has said who it is, and the threads it starts.

use app_server_client::{Client, Events, ServerMessage};
use app_server_protocol::{
    Capabilities, ClientInfo, ErrorObject, InitializeParams, REASONS_EXTENSION, SandboxModeName,
    ServerNotification, ThreadResumeParams, ThreadStartParams, ThreadStartResult, code, methods,
};

use crate::exit::HeadlessError;

/// A connection to an app-server.
#[derive(Debug)]
pub struct Server {
    pub(crate) client: Client,
    events: Events,
}

/// What a thread is started with; the rest comes from the configuration.
#[derive(Debug, Clone, Default)]
pub struct ThreadArgs {
    pub cwd: Option<String>,
    pub model: Option<String>,
    pub sandbox: Option<SandboxModeName>,
    /// Keys of `config.toml`, dotted.
    pub config: serde_json::Map<String, serde_json::Value>,
    pub ephemeral: bool,
    /// The thread that goes on, instead of a new one.
    pub resume: Option<String>,
}

/// What a face must ask for when it connects.
pub fn capabilities() -> Capabilities {
    Capabilities::default().with_extensions(&[REASONS_EXTENSION])
}

impl Server {
    /// Says who we are. `capabilities` are what this face needs.
    pub async fn greet(
        (client, events): (Client, Events),
        name: &str,
        version: &str,
        capabilities: Capabilities,
    ) -> Result<Self, HeadlessError> {
        let params = InitializeParams {
            client_info: ClientInfo { name: name.into(), title: None, version: version.into() },
            capabilities: Some(capabilities),
        };
        client.initialize(&params).await?;
        Ok(Self { client, events })
    }

    /// A thread under the configured approval policy. A face that cannot ask has none of its own
    /// to send: it would loosen a stricter one, and what needs a question is refused anyway.
    pub(crate) async fn start_thread(
        &self,
        args: ThreadArgs,
    ) -> Result<ThreadStartResult, HeadlessError> {
        let ThreadArgs { cwd, model, sandbox, config, ephemeral, resume } = args;
        let params = ThreadStartParams {
            cwd,
            model,
            sandbox,
            config: (!config.is_empty()).then_some(config),
            ephemeral: Some(ephemeral),
            ..ThreadStartParams::default()
        };
        Ok(match resume {
            None => self.client.call::<methods::ThreadStart>(&params).await?,
            Some(thread_id) => {
                // What was said before is the agent's; a face shows what happens now.
                let params = ThreadResumeParams { thread_id, exclude_turns: true, start: params };
                self.client.call::<methods::ThreadResume>(&params).await?
            }
        })
    }

    /// The next notification. What the server asks is refused: there is nobody to ask.
    pub(crate) async fn next(&mut self) -> Result<ServerNotification, HeadlessError> {
        loop {
            match self.events.next().await {
                Some(ServerMessage::Notification(news)) => return Ok(news),
                Some(ServerMessage::Request { id, method, params: _ }) => {
                    let refusal = format!("{method}: nobody is here to answer");
                    let refusal = ErrorObject::new(code::METHOD_NOT_FOUND, refusal);
                    if self.client.answer::<()>(&id, &Err(refusal)).await.is_err() {
                        return Err(HeadlessError::ServerGone);
                    }
                }
                // Our own server does not send such; a foreign one may, and goes on.
                Some(ServerMessage::Malformed(_)) => {}
                None => return Err(HeadlessError::ServerGone),
            }
        }
    }
}
