//! An app-server played by hand, and a console that remembers.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app_server_client::{Client, Events, connect};
use headless::Console;
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex,
    split,
};
use tokio::time::timeout;

/// Microphone frames arrive fifty times a second.
const APPEND_AUDIO: &str = "thread/realtime/appendAudio";

/// Generous, since it is only ever waited out by a failing test.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const THREAD: &str = "01a20a6b-7bc3-7742-aa76-c1d30dfaa5a9";

pub(crate) struct Peer {
    read: BufReader<ReadHalf<DuplexStream>>,
    write: WriteHalf<DuplexStream>,
    /// Frames of sound so far: put aside, since tests are about the rest.
    audio: Vec<Value>,
}

impl Peer {
    pub(crate) fn start() -> (Self, (Client, Events)) {
        let (ours, theirs) = duplex(1 << 16);
        let (read, write) = split(ours);
        let connection = connect(read, write);
        let (read, write) = split(theirs);
        (Self { read: BufReader::new(read), write, audio: Vec::new() }, connection)
    }

    /// Waits for the next request, which must be `method`, and gives its parameters.
    pub(crate) async fn expect(&mut self, method: &str, result: Value) -> Value {
        loop {
            let message = self.next(method).await;
            if message["method"] == "initialized" {
                continue;
            }
            assert_eq!(message["method"], method, "of {message}");
            self.send(json!({ "id": message["id"], "result": result })).await;
            return message["params"].clone();
        }
    }

    /// Waits until `count` more frames of sound have come.
    pub(crate) async fn hear(&mut self, count: usize) -> &[Value] {
        let wanted = self.audio.len() + count;
        while self.audio.len() < wanted {
            let (id, params) = self.next_frame().await;
            self.send(json!({ "id": id, "result": {} })).await;
            self.audio.push(params);
        }
        &self.audio[wanted - count..]
    }

    /// Refuses the next frame of sound, and gives it.
    pub(crate) async fn refuse_sound(&mut self, code: i64, message: &str) -> Value {
        let (id, audio) = self.next_frame().await;
        let error = json!({ "code": code, "message": message });
        self.send(json!({ "id": id, "error": error })).await;
        audio
    }

    async fn next_frame(&mut self) -> (Value, Value) {
        let message = self.read_message("sound").await;
        assert_eq!(message["method"], APPEND_AUDIO, "of {message}");
        (message["id"].clone(), message["params"]["audio"].clone())
    }

    async fn next(&mut self, wanted: &str) -> Value {
        loop {
            let message = self.read_message(wanted).await;
            if message["method"] != APPEND_AUDIO {
                return message;
            }
            self.send(json!({ "id": message["id"], "result": {} })).await;
            self.audio.push(message["params"]["audio"].clone());
        }
    }

    async fn read_message(&mut self, wanted: &str) -> Value {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.read.read_line(&mut line)).await;
        read.unwrap_or_else(|_| panic!("expected {wanted}, but nothing came")).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub(crate) async fn initialize(&mut self) {
        let result = json!({
            "userAgent": "x/0.169.0", "codexHome": "/h", "platformFamily": "unix",
            "platformOs": "linux",
        });
        self.expect("initialize", result).await;
    }

    pub(crate) async fn start_thread(&mut self) -> Value {
        let result = json!({
            "thread": thread(),
            "model": "m", "modelProvider": "mock", "cwd": "/w", "approvalPolicy": "untrusted",
            "approvalsReviewer": "user",
            "sandbox": { "type": "workspaceWrite", "networkAccess": false },
        });
        self.expect("thread/start", result).await
    }

    pub(crate) async fn start_turn(&mut self) -> Value {
        let turn = json!({ "id": "u", "items": [], "status": "inProgress" });
        let params = self.expect("turn/start", json!({ "turn": turn })).await;
        self.tell("turn/started", json!({ "turn": turn })).await;
        params
    }

    pub(crate) async fn item_started(&mut self, item: Value) {
        self.tell("item/started", json!({ "turnId": "u", "item": item, "startedAtMs": 1 })).await;
    }

    pub(crate) async fn item_completed(&mut self, item: Value) {
        let params = json!({ "turnId": "u", "item": item, "completedAtMs": 1 });
        self.tell("item/completed", params).await;
    }

    pub(crate) async fn turn_completed(&mut self, status: &str, error: Value) {
        let turn = json!({ "id": "u", "items": [], "status": status, "error": error });
        self.tell("turn/completed", json!({ "turn": turn })).await;
    }

    /// A notification about the thread.
    pub(crate) async fn tell(&mut self, method: &str, mut params: Value) {
        params["threadId"] = json!(THREAD);
        self.send(json!({ "method": method, "params": params })).await;
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.write.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }
}

pub(crate) fn thread() -> Value {
    json!({
        "id": THREAD, "sessionId": THREAD, "preview": "", "ephemeral": false,
        "modelProvider": "mock", "createdAt": 1, "updatedAt": 1, "status": { "type": "idle" },
        "cwd": "/w", "cliVersion": "0", "source": "exec", "turns": [], "path": "/h/rollout.jsonl",
    })
}

/// What was written to a stream.
#[derive(Clone, Default)]
pub(crate) struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn console() -> (Console, Page, Page) {
    let (out, progress) = (Page::default(), Page::default());
    (Console::new(out.clone(), progress.clone(), /*color*/ false), out, progress)
}
