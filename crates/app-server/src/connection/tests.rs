//! A client that the test plays by hand, against a service that says what it was asked.

use std::time::Duration;

use app_server_protocol::{
    ItemCompleted, PatchStatus, PlaybackName, RealtimePlayback, RealtimeStage, StageName,
    ThreadLoadedListResult, WarningNotice,
};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;

/// Generous, since it is only ever waited out by a failing test.
const PATIENCE: Duration = Duration::from_secs(5);

struct Echo {
    news: mpsc::Receiver<ServerNotification>,
}

impl Service for Echo {
    fn greeted(&mut self, client: &ClientInfo) {
        assert_eq!(client.name, "my app");
    }

    async fn handle(&mut self, request: ClientRequest) -> Result<Box<RawValue>, ErrorObject> {
        let data = vec![request.method().to_owned()];
        result(&ThreadLoadedListResult { data, next_cursor: None })
    }

    async fn next_news(&mut self) -> ServerNotification {
        match self.news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}

struct Peer {
    read: BufReader<ReadHalf<DuplexStream>>,
    write: Option<WriteHalf<DuplexStream>>,
    news: mpsc::Sender<ServerNotification>,
    stop: CancellationToken,
    server: JoinSet<Result<(), ServeError>>,
}

impl Peer {
    fn connect() -> Self {
        let (ours, theirs) = duplex(1 << 12);
        let (read, write) = split(theirs);
        let (news, from_test) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let token = stop.clone();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let about = About { version: "0.0.0", home: Path::new("/h") };
            run(read, write, Echo { news: from_test }, about, &token).await
        });
        let (read, write) = split(ours);
        Self { read: BufReader::new(read), write: Some(write), news, stop, server }
    }

    async fn initialized(capabilities: Value) -> Self {
        let mut peer = Self::connect();
        let params = json!({ "clientInfo": { "name": "my app", "version": "1" }, "capabilities": capabilities });
        peer.send(&json!({ "id": 0, "method": "initialize", "params": params }).to_string()).await;
        let answer = peer.next().await;
        assert!(answer["result"]["userAgent"].as_str().unwrap().starts_with("my_app/0.169.0 ("));
        assert_eq!(answer["result"]["codexHome"], "/h");
        peer
    }

    async fn send(&mut self, line: &str) {
        let write = self.write.as_mut().unwrap();
        write.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn next_line(&mut self) -> String {
        let mut line = String::new();
        timeout(PATIENCE, self.read.read_line(&mut line)).await.expect("nothing came").unwrap();
        line.trim_end().to_owned()
    }

    async fn next(&mut self) -> Value {
        serde_json::from_str(&self.next_line().await).unwrap()
    }

    /// Sends `line` and checks the error it is answered with.
    async fn check_refused(&mut self, line: &str, id: Value, code: i64, message: &str) {
        self.send(line).await;
        let answer = self.next().await;
        let error = &answer["error"];
        let said = error["message"].as_str().unwrap();
        assert_eq!((&answer["id"], &error["code"]), (&id, &json!(code)), "of {line}: {answer}");
        assert!(said.starts_with(message), "of {line}: {said}");
    }

    async fn ended(&mut self) -> Result<(), ServeError> {
        timeout(PATIENCE, self.server.join_next()).await.expect("it goes on").unwrap().unwrap()
    }
}

fn warning(message: String) -> ServerNotification {
    ServerNotification::Warning(WarningNotice { thread_id: None, message })
}

#[tokio::test]
async fn initialize_comes_first_and_once() {
    let mut peer = Peer::connect();
    peer.check_refused(
        r#"{"id":"a","method":"account/read"}"#,
        json!("a"),
        -32600,
        "Not initialized",
    )
    .await;
    let mut peer = Peer::initialized(Value::Null).await;
    let again =
        r#"{"id":1,"method":"initialize","params":{"clientInfo":{"name":"x","version":"1"}}}"#;
    peer.check_refused(again, json!(1), -32600, "Already initialized").await;
    // No `initialized` notification is waited for.
    peer.send(r#"{"id":2,"method":"thread/loaded/list"}"#).await;
    assert_eq!(peer.next().await["result"]["data"], json!(["thread/loaded/list"]));
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_and_the_connection_goes_on() {
    let mut peer = Peer::initialized(Value::Null).await;
    peer.check_refused("{oops", Value::Null, -32700, "not JSON").await;
    peer.check_refused("[]", Value::Null, -32600, "not a JSON-RPC message").await;
    peer.check_refused(
        r#"{"id":"x","method":"thread/teleport"}"#,
        json!("x"),
        -32601,
        "method not found: thread/teleport",
    )
    .await;
    peer.check_refused(
        r#"{"id":7,"method":"turn/interrupt","params":{}}"#,
        json!(7),
        -32602,
        "invalid params of turn/interrupt: missing field `threadId`",
    )
    .await;
    peer.check_refused(
        r#"{"id":8,"method":"thread/realtime/stop","params":{"threadId":"t"}}"#,
        json!(8),
        -32600,
        "thread/realtime/stop requires experimentalApi capability",
    )
    .await;
    peer.send(r#"{"method":"some/notification"}"#).await;
    peer.send(r#"{"id":3,"result":{}}"#).await;
    peer.send(r#"{"id":9,"method":"thread/loaded/list"}"#).await;
    assert_eq!(peer.next().await["id"], 9);
}

#[tokio::test]
async fn every_request_of_a_flood_is_answered_once_in_order() {
    let mut peer = Peer::initialized(Value::Null).await;
    let mut write = peer.write.take().unwrap();
    let flood: String = (0..2000)
        .map(|id| format!("{{\"id\":{id},\"method\":\"thread/loaded/list\"}}\n"))
        .collect();
    let send = async move {
        write.write_all(flood.as_bytes()).await.unwrap();
        // The end of the input does not lose answers.
        write.shutdown().await.unwrap();
    };
    let receive = async {
        for id in 0..2000 {
            assert_eq!(peer.next().await["id"], id);
        }
        assert_eq!(peer.next_line().await, "");
        peer.ended().await.unwrap();
    };
    tokio::join!(send, receive);
}

#[tokio::test]
async fn news_reach_those_who_want_them() {
    let playback = || {
        ServerNotification::RealtimePlayback(RealtimePlayback {
            thread_id: "t".into(),
            change: PlaybackName::Held,
            at_ms: 1,
        })
    };
    let stage = || {
        ServerNotification::RealtimeStage(RealtimeStage {
            thread_id: "t".into(),
            stage: StageName::FirstAudio,
            at_ms: 1,
        })
    };
    let mut peer = Peer::initialized(json!({})).await;
    peer.news.send(stage()).await.unwrap();
    peer.news.send(playback()).await.unwrap();
    peer.news.send(warning("plain".into())).await.unwrap();
    assert_eq!(peer.next().await["params"]["message"], "plain");

    let wants = json!({
        "extensions": { "duet/stages": {} },
        "optOutNotificationMethods": ["warning"],
    });
    let mut peer = Peer::initialized(wants).await;
    peer.news.send(warning("unwanted".into())).await.unwrap();
    peer.news.send(playback()).await.unwrap();
    peer.news.send(stage()).await.unwrap();
    let told = peer.next().await;
    assert_eq!(
        (&told["method"], &told["params"]["stage"]),
        (&json!("thread/realtime/stage"), &json!("firstAudio"))
    );

    let mut peer = Peer::initialized(json!({ "extensions": { "duet/playback": {} } })).await;
    peer.news.send(stage()).await.unwrap();
    peer.news.send(playback()).await.unwrap();
    let playback = peer.next().await;
    assert_eq!(
        (&playback["method"], &playback["params"]["change"]),
        (&json!("thread/realtime/playback"), &json!("held"))
    );
}

/// The reference's clients know no such member.
#[tokio::test]
async fn the_reason_of_a_failed_change_is_an_extension() {
    let failed = || {
        let item = ThreadItem::FileChange {
            id: "i".into(),
            changes: Vec::new(),
            status: PatchStatus::Failed,
            reason: Some("it is not there".into()),
        };
        let (thread_id, turn_id) = ("t".into(), "u".into());
        ServerNotification::ItemCompleted(ItemCompleted {
            thread_id,
            turn_id,
            item,
            completed_at_ms: 1,
        })
    };
    for (extensions, reason) in
        [(json!({}), None), (json!({ "duet/reasons": {} }), Some(&json!("it is not there")))]
    {
        let mut peer = Peer::initialized(json!({ "extensions": extensions })).await;
        peer.news.send(failed()).await.unwrap();
        let told = peer.next().await;
        assert_eq!(told["params"]["item"].get("reason"), reason, "{told}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected_with_the_reason() {
    let mut peer = Peer::initialized(Value::Null).await;
    let news = peer.news.clone();
    let flood = async {
        // Fails once the connection is gone.
        while news.send(warning("x".repeat(1 << 16))).await.is_ok() {}
    };
    let ((), ended) = tokio::join!(flood, peer.ended());
    assert!(matches!(ended, Err(ServeError::SlowClient)));
}

#[tokio::test]
async fn a_stopped_server_hangs_up() {
    let mut peer = Peer::initialized(Value::Null).await;
    peer.stop.cancel();
    peer.ended().await.unwrap();
    assert_eq!(peer.next_line().await, "");
}
