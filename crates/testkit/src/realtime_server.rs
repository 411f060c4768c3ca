//! A realtime service that the test plays by hand.
//!
//! It is strict: the next event must be the one that the test expects, and nothing may be
//! left when the test is done. Microphone sound comes fifty times a second and is put aside.
//! It never sleeps: a test waits for what must happen, and the patience is only ever waited
//! out by a failing one.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::Location;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// Generous, since only a failing test waits it out, perhaps on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Microphone frames.
const SOUND: &str = "input_audio_buffer.append";

/// Lines of the story that are longer than this are cut: a failure should fit a screen.
const LINE: usize = 2_000;

#[derive(Debug)]
pub struct RealtimeServer {
    listener: TcpListener,
    address: SocketAddr,
}

/// One connected client.
#[derive(Debug)]
pub struct RealtimePeer {
    socket: WebSocketStream<TcpStream>,
    handshake: Handshake,
    /// Events that came while the test waited for sound.
    waiting: VecDeque<Value>,
    sound: Vec<Vec<i16>>,
    story: Story,
}

/// What the client said before the first event.
#[derive(Debug, Clone, Default)]
pub struct Handshake {
    /// Path and query.
    pub uri: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

/// How a client left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goodbye {
    /// With a close frame.
    Polite(u16),
    /// The connection just ended.
    Rude,
}

#[derive(Debug, Default)]
struct Story(String);

enum Heard {
    Event(Value),
    Sound,
    Goodbye(Goodbye),
}

impl RealtimeServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    /// What goes into the base URL of a realtime service.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Waits for the next client and takes it.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = RealtimePeer> {
        let test = Location::caller();
        async move {
            let stream = self.connection(test).await;
            let mut handshake = Handshake::default();
            // The callback's type is the library's; its error is large, and never made here.
            #[allow(clippy::result_large_err)]
            let inspect = |request: &Request, response: Response| {
                handshake = Handshake::read(request);
                Ok::<Response, ErrorResponse>(response)
            };
            let socket = timeout(PATIENCE, accept_hdr_async(stream, inspect)).await;
            let socket = match socket {
                Ok(Ok(socket)) => socket,
                Ok(Err(error)) => panic!("{test}: the client is no WebSocket client: {error}"),
                Err(_) => panic!("{test}: the client connects, but does not ask for a WebSocket"),
            };
            let mut story = Story::default();
            story.line("client", &format!("GET {}", handshake.uri));
            RealtimePeer { socket, handshake, waiting: VecDeque::new(), sound: Vec::new(), story }
        }
    }

    /// Waits for the next client and answers with an HTTP status in place of the upgrade.
    /// Returns the head of the request.
    #[track_caller]
    pub fn refuse(&self, status: u16, body: &str) -> impl Future<Output = String> {
        let test = Location::caller();
        let answer = format!(
            "HTTP/1.1 {status} Refused\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        async move {
            let mut stream = self.connection(test).await;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match timeout(PATIENCE, stream.read_u8()).await {
                    Ok(Ok(byte)) => head.push(byte),
                    Ok(Err(error)) => panic!("{test}: the client left: {error}"),
                    Err(_) => panic!("{test}: the client connects, but asks for nothing"),
                }
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&head).into_owned()
        }
    }

    async fn connection(&self, test: &Location<'_>) -> TcpStream {
        match timeout(PATIENCE, self.listener.accept()).await {
            Ok(accepted) => {
                let (stream, _) = accepted.unwrap();
                stream.set_nodelay(true).unwrap();
                stream
            }
            Err(_) => panic!("{test}: expected a client, but none came"),
        }
    }
}

impl RealtimePeer {
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// Waits for the client's next event, which must be of type `kind`.
    ///
    /// Microphone sound is put aside, see [`RealtimePeer::take_sound`].
    #[track_caller]
    pub fn expect(&mut self, kind: &str) -> impl Future<Output = Value> {
        let test = Location::caller();
        self.expect_for(test, kind)
    }

    /// Greets the client and confirms the settings it asks for, which are returned.
    #[track_caller]
    pub fn open_session(&mut self) -> impl Future<Output = Value> {
        let test = Location::caller();
        async move {
            let mut update = self.expect_for(test, "session.update").await;
            let session = update["session"].take();
            self.send(json!({ "type": "session.created", "session": { "id": "sess_test" } })).await;
            let mut confirmed = session.clone();
            confirmed["id"] = json!("sess_test");
            self.send(json!({ "type": "session.updated", "session": confirmed })).await;
            session
        }
    }

    /// Waits until `samples` of microphone sound came since the last [`Self::take_sound`].
    #[track_caller]
    pub fn expect_sound(&mut self, samples: usize) -> impl Future<Output = ()> {
        let test = Location::caller();
        async move {
            while self.sound.iter().map(Vec::len).sum::<usize>() < samples {
                match timeout(PATIENCE, self.hear()).await {
                    Ok(Heard::Event(event)) => self.waiting.push_back(event),
                    Ok(Heard::Sound) => (),
                    Ok(Heard::Goodbye(goodbye)) => {
                        let what = format!("expected sound, but the client left: {goodbye:?}");
                        self.story.fail(test, &what);
                    }
                    Err(_) => self
                        .story
                        .fail(test, &format!("expected {samples} samples, but no more sound came")),
                }
            }
        }
    }

    /// Microphone frames received so far.
    pub fn take_sound(&mut self) -> Vec<Vec<i16>> {
        std::mem::take(&mut self.sound)
    }

    pub async fn send(&mut self, event: Value) {
        self.send_raw(&event.to_string()).await;
    }

    /// Sends text that may be no event at all.
    pub async fn send_raw(&mut self, text: &str) {
        self.story.line("server", text);
        self.write(Message::text(text)).await;
    }

    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.story.line("server", &format!("{} bytes", bytes.len()));
        self.write(Message::binary(bytes.to_vec())).await;
    }

    /// Speech of the item: events of `samples` each until all of `pcm` was sent.
    pub async fn send_speech(&mut self, item: &str, pcm: &[i16], samples: usize) {
        for piece in pcm.chunks(samples) {
            let bytes: Vec<u8> = piece.iter().flat_map(|it| it.to_le_bytes()).collect();
            self.send(json!({
                "type": "response.output_audio.delta",
                "item_id": item,
                "output_index": 0,
                "content_index": 0,
                "delta": STANDARD.encode(bytes),
            }))
            .await;
        }
    }

    /// Says goodbye and checks that the client had nothing more to say.
    #[track_caller]
    pub fn finish(mut self) -> impl Future<Output = ()> {
        let test = Location::caller();
        async move {
            let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            self.story.line("server", "goodbye");
            self.write(Message::Close(Some(close))).await;
            self.rest(test).await;
        }
    }

    /// Closes with a complaint and waits until the client is gone, whatever it still says.
    #[track_caller]
    pub fn give_up(mut self, code: u16, reason: &'static str) -> impl Future<Output = ()> {
        let test = Location::caller();
        async move {
            let close = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
            self.story.line("server", "gives up");
            self.write(Message::Close(Some(close))).await;
            self.rest(test).await;
        }
    }

    /// Waits until the client says goodbye, having nothing more to say.
    #[track_caller]
    pub fn expect_goodbye(mut self) -> impl Future<Output = Goodbye> {
        let test = Location::caller();
        async move { self.rest(test).await }
    }

    /// Leaves without a word, as a machine that is switched off does.
    pub fn vanish(mut self) {
        self.story.line("server", "vanishes");
    }

    async fn expect_for(&mut self, test: &Location<'_>, kind: &str) -> Value {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                if event["type"] == kind {
                    return event;
                }
                self.story.fail(test, &format!("expected {kind}, got {event}"));
            }
            match timeout(PATIENCE, self.hear()).await {
                Ok(Heard::Event(event)) => self.waiting.push_back(event),
                Ok(Heard::Sound) => (),
                Ok(Heard::Goodbye(goodbye)) => {
                    let what = format!("expected {kind}, but the client left: {goodbye:?}");
                    self.story.fail(test, &what);
                }
                Err(_) => self.story.fail(test, &format!("expected {kind}, but nothing came")),
            }
        }
    }

    async fn rest(&mut self, test: &Location<'_>) -> Goodbye {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.story.fail(test, &format!("did not expect {event}"));
            }
            match timeout(PATIENCE, self.hear()).await {
                Ok(Heard::Event(event)) => self.waiting.push_back(event),
                Ok(Heard::Sound) => (),
                Ok(Heard::Goodbye(goodbye)) => return goodbye,
                Err(_) => self.story.fail(test, "the client does not hang up"),
            }
        }
    }

    /// A client that left is no trouble for who talks to it: what it said before is still
    /// to be heard, and then that it left.
    async fn write(&mut self, message: Message) {
        match timeout(PATIENCE, self.socket.send(message)).await {
            Ok(Ok(())) => (),
            Ok(Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_))) => {
                self.story.line("server", "(the client had left)");
            }
            Ok(Err(Error::Io(error))) => self.story.line("server", &format!("(lost: {error})")),
            Ok(Err(error)) => panic!("{error}\n{}", self.story.0),
            Err(_) => panic!("the client does not read\n{}", self.story.0),
        }
    }

    async fn hear(&mut self) -> Heard {
        loop {
            let text = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map_or(1005, |frame| frame.code.into());
                    self.story.line("client", &format!("goodbye {code}"));
                    return Heard::Goodbye(Goodbye::Polite(code));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Binary(bytes))) => {
                    return Heard::Event(json!({ "binary": bytes.len() }));
                }
                None | Some(Err(_)) => {
                    self.story.line("client", "(left without a word)");
                    return Heard::Goodbye(Goodbye::Rude);
                }
            };
            let event: Value =
                serde_json::from_str(&text).unwrap_or_else(|_| json!({ "raw": text.as_str() }));
            if event["type"] == SOUND
                && let Some(pcm) = samples(&event)
            {
                self.story.line("client", &format!("{SOUND} ({} samples)", pcm.len()));
                self.sound.push(pcm);
                return Heard::Sound;
            }
            self.story.line("client", &text);
            return Heard::Event(event);
        }
    }
}

impl Handshake {
    /// The value of a header, by any spelling of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    fn read(request: &Request) -> Self {
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Self { uri: request.uri().to_string(), headers: headers.collect() }
    }
}

impl Story {
    fn line(&mut self, who: &str, what: &str) {
        let cut = what.floor_char_boundary(LINE);
        let more = if cut < what.len() { " ..." } else { "" };
        writeln!(self.0, "  {who}  {}{more}", &what[..cut]).unwrap();
    }

    fn fail(&self, test: &Location<'_>, what: &str) -> ! {
        panic!("{test}: {what}\nthe story so far:\n{}", self.0)
    }
}

fn samples(event: &Value) -> Option<Vec<i16>> {
    let bytes = STANDARD.decode(event["audio"].as_str()?).ok()?;
    let whole = bytes.len() % 2 == 0;
    whole.then(|| bytes.chunks_exact(2).map(|it| i16::from_le_bytes([it[0], it[1]])).collect())
}
