use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use testkit::{Goodbye, RealtimeServer};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// A client that says these things and then listens until the end.
async fn client(url: String, events: Vec<Value>) {
    let mut request =
        format!("{}/realtime?model=m", url.replace("http", "ws")).into_client_request().unwrap();
    request.headers_mut().insert("Authorization", "Bearer key".parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    for event in events {
        socket.send(Message::text(event.to_string())).await.unwrap();
    }
    while let Some(Ok(_)) = socket.next().await {}
}

#[tokio::test]
async fn reads_like_the_conversation() {
    let server = RealtimeServer::start().await;
    let events = vec![
        json!({ "type": "session.update", "session": { "type": "realtime" } }),
        json!({ "type": "input_audio_buffer.append", "audio": "AQACAA==" }),
        json!({ "type": "response.create" }),
    ];
    let client = client(server.base_url(), events);
    let test = async {
        let mut peer = server.accept().await;
        assert_eq!(peer.handshake().uri, "/v1/realtime?model=m");
        assert_eq!(peer.handshake().header("authorization"), Some("Bearer key"));
        assert_eq!(peer.open_session().await["type"], "realtime");
        peer.expect_sound(2).await;
        assert_eq!(peer.take_sound(), [[1, 2]]);
        peer.expect("response.create").await;
        peer.finish().await;
    };
    tokio::join!(client, test);
}

#[tokio::test]
#[should_panic(expected = "expected response.create, got {\"type\":\"session.update\"}")]
async fn a_failure_tells_the_story() {
    let server = RealtimeServer::start().await;
    let client = client(server.base_url(), vec![json!({ "type": "session.update" })]);
    let test = async {
        server.accept().await.expect("response.create").await;
    };
    tokio::join!(client, test);
}

#[tokio::test]
#[should_panic(expected = "did not expect {\"type\":\"response.create\"}")]
async fn nothing_may_be_left() {
    let server = RealtimeServer::start().await;
    let client = client(server.base_url(), vec![json!({ "type": "response.create" })]);
    let test = async { server.accept().await.finish().await };
    tokio::join!(client, test);
}

#[tokio::test]
async fn a_client_leaves_as_it_leaves() {
    let server = RealtimeServer::start().await;
    let url = format!("{}/realtime", server.base_url().replace("http", "ws"));
    let client = async {
        let (mut socket, _) = connect_async(&url).await.unwrap();
        socket.close(None).await.unwrap();
        drop(connect_async(&url).await.unwrap());
        connect_async(&url).await.unwrap_err()
    };
    let test = async {
        assert_eq!(server.accept().await.expect_goodbye().await, Goodbye::Polite(1005));
        assert_eq!(server.accept().await.expect_goodbye().await, Goodbye::Rude);
        assert!(server.refuse(401, "{}").await.starts_with("GET /v1/realtime "));
    };
    let (refused, ()) = tokio::join!(client, test);
    assert!(refused.to_string().contains("401"));
}
