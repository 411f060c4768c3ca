//! One client: its requests in order, one answer each, and its news.
//!
//! Knows the rules of a connection (initialize first, capabilities, what is malformed) and
//! nothing of threads: those are behind [`Service`].

use std::path::Path;

use app_server_protocol::{
    Capabilities, ClientInfo, ClientRequest, ErrorObject, InitializeParams, InitializeResult,
    Lines, Message, PLAYBACK_EXTENSION, REASONS_EXTENSION, RequestId, STAGES_EXTENSION,
    ServerNotification, ThreadItem,
};
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use crate::outbox::{MAX_UNREAD_NEWS_BYTES, Outbox};

/// The release of the reference whose protocol this is. Clients compare it with what they
/// need, so it is not our own version.
const PROTOCOL_RELEASE: &str = "0.169.0";

/// How much is read at once: about twelve frames of sound.
const CHUNK_BYTES: usize = 32 << 10;

/// What clients are told of the program that serves them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) version: &'a str,
    pub(crate) home: &'a Path,
}

/// What a connection is for. Futures of both methods are dropped only when the connection
/// ends, except that `next_news` must be cancel-safe.
pub(crate) trait Service: Send {
    /// Who is there. Comes before anything else, once.
    fn greeted(&mut self, client: &ClientInfo);

    /// Carries out one request. The next one waits for it, and so do news, so that an answer
    /// comes before the news of what it answers.
    fn handle(
        &mut self,
        request: ClientRequest,
    ) -> impl Future<Output = Result<Box<RawValue>, ErrorObject>> + Send;

    /// The next thing this client should know. Waits for ever when there is nothing.
    fn next_news(&mut self) -> impl Future<Output = ServerNotification> + Send;
}

/// Why a connection was ended by us.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(
        "the client left more than {} MiB of notifications unread and was disconnected",
        MAX_UNREAD_NEWS_BYTES >> 20
    )]
    SlowClient,
    #[error("the connection to the client failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Serves until the client ends its input, or `stop`.
pub(crate) async fn run<R, W, S>(
    mut read: R,
    mut write: W,
    service: S,
    about: About<'_>,
    stop: &CancellationToken,
) -> Result<(), ServeError>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
    S: Service,
{
    let mut lines = Lines::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut client = Client { service, about, outbox: Outbox::default(), state: State::Fresh };
    let mut input_open = true;
    let mut flushed = true;
    loop {
        let mut all_handled = false;
        while client.outbox.takes_answers() {
            match lines.pop() {
                Some(Ok(line)) => client.read_line(&line).await,
                Some(Err(too_long)) => {
                    client.refuse(None, &ErrorObject::invalid_request(too_long.to_string()));
                }
                None => {
                    all_handled = true;
                    break;
                }
            }
        }
        if client.outbox.is_too_full() {
            return Err(ServeError::SlowClient);
        }
        client.outbox.fill();
        let to_write = !client.outbox.bytes().is_empty();
        if !input_open && all_handled && !to_write && flushed {
            return Ok(());
        }
        let may_read = input_open && all_handled;
        let Client { service, outbox, .. } = &mut client;
        let step = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            step = async {
                match outbox.bytes() {
                    [] => write.flush().await.map(Step::Flushed),
                    bytes => write.write(bytes).await.map(Step::Wrote),
                }
            }, if to_write || !flushed => step?,
            // Neither a flood of requests nor a flood of news starves the other.
            step = async {
                tokio::select! {
                    count = read.read(&mut chunk), if may_read => count.map(Step::Read),
                    news = service.next_news() => Ok(Step::News(news)),
                }
            }, if input_open => step?,
        };
        match step {
            // A sink that takes nothing is broken.
            Step::Wrote(0) => {
                return Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into());
            }
            Step::Wrote(count) => {
                client.outbox.wrote(count);
                flushed = false;
            }
            Step::Flushed(()) => flushed = true,
            Step::Read(0) => {
                input_open = false;
                if let Some(line) = std::mem::take(&mut lines).finish() {
                    client.read_line(&line).await;
                }
            }
            Step::Read(count) => lines.push(&chunk[..count]),
            Step::News(news) => client.tell(news),
        }
    }
}

/// What happened next.
#[allow(clippy::large_enum_variant, reason = "one at a time, on the stack")]
enum Step {
    Wrote(usize),
    Flushed(()),
    Read(usize),
    News(ServerNotification),
}

struct Client<'a, S> {
    service: S,
    about: About<'a>,
    outbox: Outbox,
    state: State,
}

enum State {
    Fresh,
    Initialized(Capabilities),
}

impl<S: Service> Client<'_, S> {
    async fn read_line(&mut self, line: &str) {
        match Message::parse(line) {
            Ok(Message::Request { id, method, params }) => {
                match self.request(&method, params.as_deref()).await {
                    Ok(result) => self.outbox.answer(Message::result(&id, &result)),
                    Err(error) => self.refuse(Some(&id), &error),
                }
            }
            // `initialized` asks for nothing, and we have asked nothing that could be
            // answered. Notifications have no answer, not even an error.
            Ok(Message::Notification { .. } | Message::Answer { .. }) => {}
            Err(malformed) => self.refuse(malformed.id.as_ref(), &malformed.error),
        }
    }

    async fn request(
        &mut self,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<Box<RawValue>, ErrorObject> {
        // An unknown method is named as such, also before `initialize`.
        let request = ClientRequest::read(method, params)?;
        match (&self.state, request) {
            (State::Fresh, ClientRequest::Initialize(params)) => self.initialize(params),
            (State::Fresh, _) => Err(ErrorObject::invalid_request("Not initialized")),
            (State::Initialized(_), ClientRequest::Initialize(_)) => {
                Err(ErrorObject::invalid_request("Already initialized"))
            }
            (State::Initialized(capabilities), request)
                if request.is_experimental() && !capabilities.experimental_api =>
            {
                Err(ErrorObject::invalid_request(format!(
                    "{method} requires experimentalApi capability"
                )))
            }
            (State::Initialized(_), request) => self.service.handle(request).await,
        }
    }

    fn initialize(&mut self, params: InitializeParams) -> Result<Box<RawValue>, ErrorObject> {
        let InitializeParams { client_info, capabilities } = params;
        self.state = State::Initialized(capabilities.unwrap_or_default());
        self.service.greeted(&client_info);
        result(&InitializeResult {
            user_agent: format!(
                "{}/{PROTOCOL_RELEASE} ({}; {}) duet/{}",
                token(&client_info.name),
                std::env::consts::OS,
                std::env::consts::ARCH,
                self.about.version,
            ),
            codex_home: self.about.home.to_string_lossy().into_owned(),
            platform_family: std::env::consts::FAMILY.to_owned(),
            platform_os: std::env::consts::OS.to_owned(),
        })
    }

    fn tell(&mut self, mut news: ServerNotification) {
        let State::Initialized(capabilities) = &self.state else { return };
        let extension = match &news {
            ServerNotification::RealtimeStage(_) => Some(STAGES_EXTENSION),
            ServerNotification::RealtimePlayback(_) => Some(PLAYBACK_EXTENSION),
            _ => None,
        };
        let unwanted = capabilities
            .opt_out_notification_methods
            .as_ref()
            .is_some_and(|methods| methods.iter().any(|method| method == news.method()));
        if unwanted || extension.is_some_and(|it| !capabilities.has_extension(it)) {
            return;
        }
        if let ServerNotification::ItemCompleted(completed) = &mut news
            && let ThreadItem::FileChange { reason, .. } = &mut completed.item
            && !capabilities.has_extension(REASONS_EXTENSION)
        {
            *reason = None;
        }
        self.outbox.tell(news);
    }

    fn refuse(&mut self, id: Option<&RequestId>, error: &ErrorObject) {
        self.outbox.answer(Message::error(id, error));
    }
}

/// A result as it goes out.
pub(crate) fn result<T: serde::Serialize>(value: &T) -> Result<Box<RawValue>, ErrorObject> {
    serde_json::value::to_raw_value(value)
        .map_err(|error| ErrorObject::internal(format!("the result cannot be written: {error}")))
}

/// A client's name as one word of a user agent.
fn token(name: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let token: String = name.chars().map(word).take(64).collect();
    if token.is_empty() { "client".to_owned() } else { token }
}

#[cfg(test)]
mod tests;
