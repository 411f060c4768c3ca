use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, accept_hdr_async};
use transport::{
    Dial, Headers, WebSocketError, WebSocketMessage, WebSocketReader, WebSocketWriter,
};

use crate::network;
use crate::support::{RawServer, Script};

const PATIENCE: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_millis(150);

fn dial(url: String) -> Dial {
    Dial { url, headers: Headers::new(), timeout: PATIENCE }
}

/// Both ends of one connection.
async fn pair() -> (WebSocketWriter, WebSocketReader, WebSocketStream<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let accept = async { accept_async(listener.accept().await.unwrap().0).await.unwrap() };
    let network = network();
    let dial = dial(url);
    let (ours, theirs) = tokio::join!(network.open_websocket(&dial), accept);
    let (writer, reader) = ours.unwrap();
    (writer, reader, theirs)
}

fn text(message: WebSocketMessage) -> String {
    match message {
        WebSocketMessage::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn text_both_ways() {
    let (mut writer, mut reader, mut peer) = pair().await;
    writer.feed("one").await.unwrap();
    writer.feed("two").await.unwrap();
    writer.flush().await.unwrap();
    for expected in ["one", "two"] {
        assert_eq!(peer.next().await.unwrap().unwrap(), Message::text(expected));
    }
    peer.send(Message::text("three")).await.unwrap();
    peer.send(Message::binary(vec![1, 2])).await.unwrap();
    assert_eq!(text(reader.next().await.unwrap().unwrap()), "three");
    let binary = WebSocketMessage::Binary(Bytes::from_static(&[1, 2]));
    assert_eq!(reader.next().await.unwrap().unwrap(), binary);
}

#[tokio::test]
async fn the_handshake_carries_headers_and_query() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut dial =
        dial(format!("http://{}/v1/realtime?model=m%201", listener.local_addr().unwrap()));
    dial.headers.insert_bearer("k").unwrap();
    dial.headers.insert("x-session-id", "s").unwrap();
    dial.headers.insert("host", "elsewhere").unwrap();
    let accept = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        #[allow(clippy::result_large_err, reason = "tungstenite's own signature")]
        let look = |request: &Request, response: Response| {
            let header = |name| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
            seen.push(request.uri().to_string());
            seen.extend(["authorization", "x-session-id", "host"].map(header));
            Ok(response)
        };
        accept_hdr_async(socket, look).await.unwrap();
        seen
    };
    let network = network();
    let (opened, seen) = tokio::join!(network.open_websocket(&dial), accept);
    opened.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    assert_eq!(seen, ["/v1/realtime?model=m%201", "Bearer k", "s", &host]);
}

#[tokio::test]
async fn pings_are_answered_while_we_listen() {
    let (_writer, mut reader, mut peer) = pair().await;
    let service = async {
        peer.send(Message::Ping(Bytes::from_static(b"you?"))).await.unwrap();
        assert_eq!(peer.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"you?")));
        peer.send(Message::text("good")).await.unwrap();
    };
    let client = async {
        assert_eq!(reader.next().await.unwrap().unwrap(), WebSocketMessage::Alive);
        text(reader.next().await.unwrap().unwrap())
    };
    let ((), heard) = tokio::join!(service, client);
    assert_eq!(heard, "good");
}

#[tokio::test]
async fn our_pings_bring_a_sign_of_life() {
    let (mut writer, mut reader, mut peer) = pair().await;
    writer.ping().await.unwrap();
    // The peer answers, as we do, while it listens.
    let sign = tokio::select! {
        sign = reader.next() => sign.unwrap().unwrap(),
        () = async { while peer.next().await.is_some() {} } => panic!("the peer left"),
    };
    assert_eq!(sign, WebSocketMessage::Alive);
}

#[tokio::test]
async fn writing_does_not_wait_for_reading() {
    let (mut writer, mut reader, mut peer) = pair().await;
    let service = async {
        assert_eq!(peer.next().await.unwrap().unwrap(), Message::text("question"));
        peer.send(Message::text("answer")).await.unwrap();
    };
    // The reader is already waiting when the writer writes.
    let client = async {
        let (heard, ()) = tokio::join!(biased; reader.next(), async {
            writer.send("question").await.unwrap();
        });
        text(heard.unwrap().unwrap())
    };
    let ((), heard) = tokio::join!(service, client);
    assert_eq!(heard, "answer");
}

#[tokio::test]
async fn the_peer_says_goodbye() {
    let (mut writer, mut reader, mut peer) = pair().await;
    let frame = CloseFrame { code: 4001.into(), reason: "session expired".into() };
    peer.send(Message::Close(Some(frame))).await.unwrap();
    let goodbye = WebSocketMessage::Close { code: 4001, reason: "session expired".into() };
    assert_eq!(reader.next().await.unwrap().unwrap(), goodbye);
    assert!(reader.next().await.is_none());
    assert!(reader.next().await.is_none());
    let error = writer.send("too late").await.unwrap_err();
    assert!(matches!(error, WebSocketError::Closed { .. }), "{error:?}");
    writer.close(1000, "").await.unwrap();
}

#[tokio::test]
async fn a_goodbye_without_a_code() {
    let (_writer, mut reader, mut peer) = pair().await;
    peer.send(Message::Close(None)).await.unwrap();
    let goodbye = WebSocketMessage::Close { code: 1005, reason: String::new() };
    assert_eq!(reader.next().await.unwrap().unwrap(), goodbye);
}

#[tokio::test]
async fn we_say_goodbye() {
    let (mut writer, mut reader, mut peer) = pair().await;
    writer.close(1000, &"ä".repeat(100)).await.unwrap();
    let Message::Close(Some(frame)) = peer.next().await.unwrap().unwrap() else {
        panic!("no close frame")
    };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1000, "ä".repeat(61).as_str()));
    let client = async { while reader.next().await.is_some() {} };
    let service = async { while peer.next().await.is_some() {} };
    tokio::join!(client, service);
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_error_once() {
    let (_writer, mut reader, peer) = pair().await;
    drop(peer);
    let error = reader.next().await.unwrap().unwrap_err();
    assert!(matches!(error, WebSocketError::Broken { .. }), "{error:?}");
    assert!(reader.next().await.is_none());
}

#[tokio::test]
async fn messages_are_bounded() {
    let (writer, mut reader, mut peer) = pair().await;
    let large = Message::text("x".repeat((16 << 20) + 1));
    let service = async {
        // The client hangs up in the middle, or after.
        drop(peer.send(large).await);
    };
    let client = async move {
        let error = reader.next().await.unwrap().unwrap_err();
        drop((writer, reader));
        error
    };
    let ((), error) = tokio::join!(service, client);
    assert!(matches!(error, WebSocketError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn a_refused_upgrade_keeps_status_and_body() {
    let answer = "HTTP/1.1 401 No\r\nretry-after: 2\r\ncontent-length: 7\r\n\r\nbad key";
    let server = RawServer::start([Script::say(answer)]);
    let error = network().open_websocket(&dial(server.url("/v1"))).await.unwrap_err();
    let WebSocketError::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!((refusal.status, refusal.retry_after), (401, Some(Duration::from_secs(2))));
    assert_eq!(refusal.body, "bad key");
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_an_error() {
    let server = RawServer::start([Script::say_and_hang("")]);
    let dial = Dial { timeout: SILENCE, ..dial(server.url("/v1")) };
    let error = network().open_websocket(&dial).await.unwrap_err();
    assert!(matches!(error, WebSocketError::Timeout { limit: SILENCE, .. }), "{error:?}");
}

#[tokio::test]
async fn urls_that_cannot_be_dialled() {
    for url in ["", "ftp://a", "a b", "ws://", "127.0.0.1:80"] {
        let error = network().open_websocket(&dial(url.into())).await.unwrap_err();
        assert!(matches!(error, WebSocketError::Url { .. }), "{url}: {error:?}");
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = network().open_websocket(&dial(format!("ws://{closed}"))).await.unwrap_err();
    assert!(matches!(&error, WebSocketError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}
