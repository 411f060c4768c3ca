//! The client against a peer that the test plays by hand.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::time::Duration;

use app_server_client::{CallError, Client, Events, ServerMessage, connect};
use app_server_protocol::{
    ClientInfo, ErrorObject, InitializeParams, ServerNotification, ThreadLoadedListParams, methods,
};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex,
    split,
};
use tokio::time::timeout;

/// Generous, since it is only ever waited out by a failing test.
const PATIENCE: Duration = Duration::from_secs(5);

/// The other end.
struct Server {
    read: BufReader<ReadHalf<DuplexStream>>,
    write: WriteHalf<DuplexStream>,
}

impl Server {
    fn start() -> (Client, Events, Self) {
        let (ours, theirs) = duplex(1 << 16);
        let (read, write) = split(ours);
        let (client, events) = connect(read, write);
        let (read, write) = split(theirs);
        (client, events, Self { read: BufReader::new(read), write })
    }

    async fn expect(&mut self, method: &str) -> Value {
        let mut line = String::new();
        timeout(PATIENCE, self.read.read_line(&mut line)).await.expect("nothing came").unwrap();
        let message: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(message["method"], method, "of {line}");
        message
    }

    async fn send(&mut self, message: Value) {
        self.write.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }
}

fn list() -> ThreadLoadedListParams {
    ThreadLoadedListParams::default()
}

#[tokio::test]
async fn the_first_words_are_initialize_and_initialized() {
    let (client, _events, mut server) = Server::start();
    let params = InitializeParams {
        client_info: ClientInfo { name: "test".into(), title: None, version: "1".into() },
        capabilities: None,
    };
    let play = async {
        let request = server.expect("initialize").await;
        assert_eq!(request["params"], json!({ "clientInfo": { "name": "test", "version": "1" } }));
        let result = json!({
            "userAgent": "test/0.169.0", "codexHome": "/h", "platformFamily": "unix",
            "platformOs": "linux", "somethingNew": 1,
        });
        server.send(json!({ "id": request["id"], "result": result })).await;
        server.expect("initialized").await;
    };
    let (result, ()) = tokio::join!(client.initialize(&params), play);
    assert_eq!(result.unwrap().codex_home, "/h");
}

#[tokio::test]
async fn answers_find_their_calls_in_any_order() {
    let (client, _events, mut server) = Server::start();
    let play = async {
        let first = server.expect("thread/loaded/list").await;
        let second = server.expect("thread/loaded/list").await;
        let answer = |request: &Value, thread: &str| json!({ "id": request["id"], "result": { "data": [thread], "nextCursor": null } });
        server.send(answer(&second, "second")).await;
        server.send(answer(&first, "first")).await;
    };
    let params = list();
    let first = client.call::<methods::ThreadLoadedList>(&params);
    let second = client.call::<methods::ThreadLoadedList>(&params);
    let (first, second, ()) = tokio::join!(first, second, play);
    assert_eq!(first.unwrap().data, ["first"]);
    assert_eq!(second.unwrap().data, ["second"]);
}

#[tokio::test]
async fn a_refusal_and_a_result_of_another_shape_are_different_errors() {
    let (client, _events, mut server) = Server::start();
    let params = list();
    let play = async {
        let request = server.expect("thread/loaded/list").await;
        let error = json!({ "code": -32601, "message": "method not found" });
        server.send(json!({ "id": request["id"], "error": error })).await;
    };
    let (result, ()) = tokio::join!(client.call::<methods::ThreadLoadedList>(&params), play);
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "thread/loaded/list: method not found");
    assert!(matches!(error, CallError::Refused { error: ErrorObject { code: -32601, .. }, .. }));

    let play = async {
        let request = server.expect("thread/loaded/list").await;
        server.send(json!({ "id": request["id"], "result": { "data": 1 } })).await;
    };
    let (result, ()) = tokio::join!(client.call::<methods::ThreadLoadedList>(&params), play);
    assert!(matches!(result, Err(CallError::Unreadable { .. })));
}

#[tokio::test]
async fn the_servers_own_words_arrive_in_order() {
    let (client, mut events, mut server) = Server::start();
    server.send(json!({ "method": "warning", "params": { "message": "w" } })).await;
    server.write.write_all(b"{oops\n").await.unwrap();
    server.send(json!({ "method": "future/thing", "params": { "x": 1 } })).await;
    server.send(json!({ "id": "q", "method": "currentTime/read", "params": {} })).await;

    let Some(ServerMessage::Notification(ServerNotification::Warning(warning))) =
        events.next().await
    else {
        panic!("no warning");
    };
    assert_eq!(warning.message, "w");
    assert!(matches!(events.next().await, Some(ServerMessage::Malformed(_))));
    let Some(ServerMessage::Notification(ServerNotification::Unknown { method, params })) =
        events.next().await
    else {
        panic!("no unknown notification");
    };
    assert_eq!((method.as_str(), params), ("future/thing", json!({ "x": 1 })));
    let Some(ServerMessage::Request { id, method, .. }) = events.next().await else {
        panic!("no request");
    };
    let refusal = Err::<(), _>(ErrorObject::new(-32601, format!("{method} is not for us")));
    client.answer(&id, &refusal).await.unwrap();
    let mut line = String::new();
    server.read.read_line(&mut line).await.unwrap();
    let expected =
        r#"{"error":{"code":-32601,"message":"currentTime/read is not for us"},"id":"q"}"#;
    assert_eq!(line.trim_end(), expected);
}

#[tokio::test]
async fn a_server_that_leaves_ends_every_call() {
    let (client, mut events, mut server) = Server::start();
    let params = list();
    let play = async {
        server.expect("thread/loaded/list").await;
        drop(server);
    };
    let (result, ()) = tokio::join!(client.call::<methods::ThreadLoadedList>(&params), play);
    assert!(matches!(result, Err(CallError::Closed { .. })));
    assert!(events.next().await.is_none());
    let later = client.call::<methods::ThreadLoadedList>(&params).await;
    assert!(matches!(later, Err(CallError::Closed { .. })));
}

#[tokio::test]
async fn dropping_the_listener_hangs_up() {
    let (client, events, mut server) = Server::start();
    let params = list();
    let play = async {
        server.expect("thread/loaded/list").await;
        drop(events);
    };
    let (result, ()) = tokio::join!(client.call::<methods::ThreadLoadedList>(&params), play);
    assert!(matches!(result, Err(CallError::Closed { .. })));
}

#[tokio::test]
async fn dropping_every_client_ends_the_servers_input() {
    let (client, _events, mut server) = Server::start();
    drop(client);
    let mut line = String::new();
    let read = timeout(PATIENCE, server.read.read_line(&mut line)).await;
    assert_eq!(read.expect("the input does not end").unwrap(), 0);
}
