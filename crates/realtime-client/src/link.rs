//! One connection, from dialing to its end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use protocol::{RealtimeCommand, RealtimeEvent, RealtimeVersion};
use realtime_wire::client::{Codec, DecodeError, Handshake};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use transport::{
    Dial, Headers, InvalidHeader, Network, WebSocketError, WebSocketMessage, WebSocketReader,
    WebSocketWriter,
};

use crate::outbox::{Outbox, Outgoing};
use crate::recorder::{Direction, Recorder, Tape};

/// How long the other end has for its goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// After we could not write any more: what the service still had to say says why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Close codes that say that all is well: normal, going away, none given.
const POLITE: [u16; 3] = [1000, 1001, 1005];

/// Where to, and how to speak there.
#[derive(Clone)]
pub struct Target {
    pub handshake: Handshake,
    pub version: RealtimeVersion,
    /// For everything until the service took the upgrade.
    pub timeout: Duration,
    pub recorder: Option<Arc<dyn Recorder>>,
}

#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("the realtime service cannot be asked: {0}")]
    Header(#[from] InvalidHeader),
    #[error(
        "{url} refused the key with status {status}; check the key of the realtime provider \
         in config.toml or the environment{}",
        shown(body)
    )]
    Unauthorized { url: String, status: u16, body: String },
    #[error("the realtime service cannot be used: {0}")]
    WebSocket(#[from] WebSocketError),
}

/// What came.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    Event(RealtimeEvent),
    /// The service lives, and said nothing that means anything to us.
    Alive,
    /// Something that we should understand, and do not. The link goes on.
    Strange {
        message: String,
    },
    /// Nothing follows.
    Ended(Ending),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The service said goodbye.
    Polite,
    /// It is gone, or went with a complaint. A sentence for people.
    Broken { cause: String },
}

/// Dropping it drops the connection; [`Link::close`] is the polite way.
#[derive(Debug)]
pub struct Link {
    reader: WebSocketReader,
    codec: Codec,
    tape: Tape,
    outbox: Outbox,
    state: State,
    /// The writer, alone. Dies with the link.
    writer: JoinSet<Result<(), WebSocketError>>,
}

#[derive(Debug)]
enum State {
    Open,
    /// The writer failed: what is still to be read is read until then.
    Failing {
        cause: String,
        until: Instant,
    },
    Ended(Ending),
}

impl Link {
    /// Connects, and sends from then on what is in `outbox`.
    pub async fn dial(
        network: &Network,
        target: Target,
        outbox: &Outbox,
    ) -> Result<Self, DialError> {
        let Target { handshake, version, timeout, recorder } = target;
        let Handshake { url, headers: pairs } = handshake;
        let mut headers = Headers::new();
        for (name, value) in &pairs {
            match name.as_str() {
                "authorization" => headers.insert_secret(name, value)?,
                _ => headers.insert(name, value)?,
            }
        }
        let dial = Dial { url, headers, timeout };
        let (writer, reader) = match network.open_websocket(&dial).await {
            Ok(halves) => halves,
            Err(WebSocketError::Refused(refusal)) if matches!(refusal.status, 401 | 403) => {
                let transport::Refusal { url, status, retry_after: _, body } = *refusal;
                return Err(DialError::Unauthorized { url, status, body });
            }
            Err(error) => return Err(error.into()),
        };
        outbox.attach();
        let tape = Tape::start(recorder);
        let mut tasks = JoinSet::new();
        tasks.spawn(write(writer, Codec::new(version), outbox.clone(), tape.clone()));
        Ok(Self {
            reader,
            codec: Codec::new(version),
            tape,
            outbox: outbox.clone(),
            state: State::Open,
            writer: tasks,
        })
    }

    /// What comes next; after [`Received::Ended`], the same again. Cancel-safe.
    pub async fn next(&mut self) -> Received {
        loop {
            let message = match &self.state {
                State::Ended(ending) => return Received::Ended(ending.clone()),
                State::Open => tokio::select! {
                    biased;
                    message = self.reader.next() => message,
                    Some(written) = self.writer.join_next() => {
                        if let Some(cause) = failure(written) {
                            let until = Instant::now() + LAST_WORDS;
                            self.state = State::Failing { cause, until };
                        }
                        continue;
                    }
                },
                State::Failing { cause, until } => tokio::select! {
                    biased;
                    message = self.reader.next() => message,
                    () = sleep_until(*until) => {
                        let cause = cause.clone();
                        return self.end(Ending::Broken { cause });
                    }
                },
            };
            return self.receive(message);
        }
    }

    /// Sends the commands that wait and says goodbye. Returns when the service did the same,
    /// or after a moment.
    pub async fn close(mut self) {
        self.outbox.put_close();
        let goodbye = async {
            while !matches!(self.state, State::Ended(_)) {
                drop(self.next().await);
            }
        };
        // A service without manners is left without them.
        drop(timeout(GOODBYE, goodbye).await);
    }

    fn receive(&mut self, message: Option<Result<WebSocketMessage, WebSocketError>>) -> Received {
        match message {
            Some(Ok(WebSocketMessage::Text(text))) => {
                self.tape.record(Direction::In, &text);
                match self.codec.decode(&text) {
                    Ok(Some(event)) => Received::Event(event),
                    Ok(None) => Received::Alive,
                    Err(error) => strange(&error),
                }
            }
            Some(Ok(WebSocketMessage::Binary(bytes))) => Received::Strange {
                message: format!(
                    "the realtime service sent {} bytes that are no text",
                    bytes.len()
                ),
            },
            Some(Ok(WebSocketMessage::Alive)) => Received::Alive,
            Some(Ok(WebSocketMessage::Close { code, reason: _ })) if POLITE.contains(&code) => {
                self.end(Ending::Polite)
            }
            Some(Ok(WebSocketMessage::Close { code, reason })) => {
                let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                let cause =
                    format!("the realtime service closed the connection with code {code}{why}");
                self.end(Ending::Broken { cause })
            }
            Some(Err(error)) => self.end(Ending::Broken { cause: error.to_string() }),
            None => self.end(Ending::Polite),
        }
    }

    fn end(&mut self, ending: Ending) -> Received {
        // What broke the writer is the better cause.
        let ending = match &self.state {
            State::Failing { cause, until: _ } => Ending::Broken { cause: cause.clone() },
            State::Open | State::Ended(_) => ending,
        };
        self.outbox.close();
        // Answers the service's goodbye, if it said one; the writer sees to it by itself.
        self.outbox.put_close();
        self.state = State::Ended(ending.clone());
        Received::Ended(ending)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.outbox.close();
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("handshake", &self.handshake)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Sends until it is told to say goodbye.
async fn write(
    mut writer: WebSocketWriter,
    codec: Codec,
    outbox: Outbox,
    tape: Tape,
) -> Result<(), WebSocketError> {
    loop {
        let (commands, sound) = outbox.take().await;
        let mut goodbye = false;
        for outgoing in commands {
            match outgoing {
                Outgoing::Command(command) => feed(&mut writer, &codec, &tape, &command).await?,
                Outgoing::Ping => writer.ping().await?,
                Outgoing::Close => goodbye = true,
            }
        }
        for pcm in sound {
            let command = RealtimeCommand::AppendAudio { pcm };
            feed(&mut writer, &codec, &tape, &command).await?;
        }
        writer.flush().await?;
        if goodbye {
            return writer.close(1000, "").await;
        }
    }
}

async fn feed(
    writer: &mut WebSocketWriter,
    codec: &Codec,
    tape: &Tape,
    command: &RealtimeCommand,
) -> Result<(), WebSocketError> {
    // Not every dialect has a word for everything.
    let Some(frame) = codec.encode(command) else { return Ok(()) };
    tape.record(Direction::Out, &frame);
    writer.feed(frame).await
}

/// Why the writer ended, unless it said goodbye as it was told.
fn failure(written: Result<Result<(), WebSocketError>, tokio::task::JoinError>) -> Option<String> {
    match written {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) => Some(format!("sending to the realtime service failed: {error}")),
    }
}

fn strange(error: &DecodeError) -> Received {
    Received::Strange { message: error.to_string() }
}

/// The beginning of an HTTP body, for an error message.
fn shown(body: &str) -> String {
    let body = body.trim();
    if body.is_empty() { String::new() } else { format!(": {body}") }
}
