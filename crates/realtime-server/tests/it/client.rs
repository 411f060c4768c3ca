//! A strict client, event by event.

use std::fmt::Write as _;
use std::panic::Location;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use realtime_server::{ApiKey, Options, RealtimeServer};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::script::Script;

pub(crate) const KEY: &str = "a-key-for-the-tests";

/// Generous, since it is only ever waited out by a failing test.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) async fn serve(script: &Script) -> RealtimeServer {
    let options = Options::new("127.0.0.1:0".parse().unwrap(), ApiKey::new(KEY).unwrap());
    RealtimeServer::bind(options, script.clone()).await.unwrap()
}

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    log: String,
}

impl Client {
    /// Connects and takes the first event.
    pub(crate) async fn connect(server: &RealtimeServer) -> Self {
        Self::connect_to(&format!("{}?model=any", server.url())).await.0
    }

    pub(crate) async fn connect_to(url: &str) -> (Self, Value) {
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {KEY}").parse().unwrap());
        let (socket, _) = connect_async(request).await.unwrap();
        let mut client = Self { socket, log: String::new() };
        let created = client.expect("session.created").await;
        (client, created["session"].clone())
    }

    pub(crate) async fn send(&mut self, event: Value) {
        writeln!(self.log, "  client  {}", short(&event)).unwrap();
        self.socket.send(Message::text(event.to_string())).await.unwrap();
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Asks and never reads, until the server hangs up.
    pub(crate) async fn ask_until_it_breaks(&mut self, event: &Value) {
        let asking =
            async { while self.socket.send(Message::text(event.to_string())).await.is_ok() {} };
        timeout(PATIENCE, asking).await.expect("the server holds on to a client that never reads");
    }

    /// The next event, which must be of this type.
    #[track_caller]
    pub(crate) fn expect(&mut self, kind: &str) -> impl Future<Output = Value> {
        let test = Location::caller();
        async move {
            match timeout(PATIENCE, self.next()).await {
                Ok(Some(event)) if event["type"] == kind => event,
                Ok(Some(event)) => self.fail(test, &format!("expected {kind}, got {event}")),
                Ok(None) => self.fail(test, &format!("expected {kind}, but the server left")),
                Err(_) => self.fail(test, &format!("expected {kind}, but nothing came")),
            }
        }
    }

    /// The next events, which must be of these types. Sound comes in any number of pieces.
    #[track_caller]
    pub(crate) fn expect_all(&mut self, kinds: &[&str]) -> impl Future<Output = Vec<Value>> {
        let test = Location::caller();
        async move {
            let mut events = Vec::new();
            for kind in kinds {
                loop {
                    let event = match timeout(PATIENCE, self.next()).await {
                        Ok(Some(event)) => event,
                        Ok(None) => self.fail(test, &format!("expected {kind}, but was left")),
                        Err(_) => self.fail(test, &format!("expected {kind}, nothing came")),
                    };
                    let sound = event["type"] == "response.output_audio.delta";
                    let is_it = event["type"] == *kind;
                    if !is_it && !sound {
                        self.fail(test, &format!("expected {kind}, got {event}"));
                    }
                    events.push(event);
                    if is_it {
                        break;
                    }
                }
            }
            events
        }
    }

    /// The code and reason with which the server says goodbye.
    pub(crate) async fn goodbye(&mut self) -> (u16, String) {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.unwrap() {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => (),
                Some(Err(error)) => panic!("{error}"),
                None => panic!("the server left without a word"),
            }
        }
    }

    /// Asks for something that only refuses, and so sees that nothing else was said.
    #[track_caller]
    pub(crate) fn expect_silence(&mut self) -> impl Future<Output = ()> {
        let test = Location::caller();
        async move {
            self.send(json!({ "type": "output_audio_buffer.clear", "event_id": "silence" })).await;
            match timeout(PATIENCE, self.next()).await {
                Ok(Some(event)) if event["error"]["event_id"] == "silence" => (),
                other => self.fail(test, &format!("expected silence, got {other:?}")),
            }
        }
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => {
                    let event: Value = serde_json::from_str(&text).unwrap();
                    writeln!(self.log, "  server  {}", short(&event)).unwrap();
                    assert!(event["event_id"].is_string(), "without an id: {event}");
                    return Some(event);
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => (),
            }
        }
    }

    fn fail(&self, test: &Location<'_>, what: &str) -> ! {
        panic!("{test}: {what}\nconversation so far:\n{}", self.log)
    }
}

/// Sound is long.
fn short(event: &Value) -> String {
    let text = event.to_string();
    match text.char_indices().nth(240) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
