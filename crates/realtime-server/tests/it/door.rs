use std::time::Duration;

use realtime_server::{ApiKey, BindError, Exposure, Options, RealtimeServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Client, KEY, serve};
use crate::script::Script;

/// One upgrade request, and the head and body of its answer.
async fn ask(server: &RealtimeServer, path: &str, headers: &[(&str, &str)]) -> String {
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    let host = server.addr().to_string();
    let mut request = format!("GET {path} HTTP/1.1\r\n");
    let usual = [
        ("Host", host.as_str()),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let own = |name: &str| headers.iter().any(|(it, _)| it.eq_ignore_ascii_case(name));
    for (name, value) in usual.iter().filter(|(name, _)| !own(name)).chain(headers) {
        if !value.is_empty() {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let len = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..len]).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split_whitespace().nth(1).unwrap_or_default()
}

#[tokio::test]
async fn nobody_comes_in_without_the_key() {
    let server = serve(&Script::new()).await;
    let bearer = format!("Bearer {KEY}");
    let good = ("Authorization", bearer.as_str());

    let answer = ask(&server, "/v1/realtime?model=m", &[]).await;
    assert_eq!(status(&answer), "401");
    assert!(answer.contains(r#""code":"invalid_api_key""#), "{answer}");
    let wrong = ("Authorization", "Bearer another-key-entirely");
    assert_eq!(status(&ask(&server, "/v1/realtime", &[wrong]).await), "401");

    for path in ["/v1/realtime?model=m", "/realtime", "/v1/realtime?intent=transcription"] {
        assert_eq!(status(&ask(&server, path, &[good]).await), "101", "{path}");
    }
    let evil = ("Origin", "https://evil.example");
    assert_eq!(status(&ask(&server, "/v1/realtime", &[good, evil]).await), "403");
    let bent = ("Host", "evil.example");
    assert_eq!(status(&ask(&server, "/v1/realtime", &[good, bent]).await), "403");
    assert_eq!(status(&ask(&server, "/v1/realtime?call_id=rtc_1", &[good]).await), "404");
    assert_eq!(status(&ask(&server, "/v1/realtime?intent=sing", &[good]).await), "400");
    assert_eq!(status(&ask(&server, "/v1/elsewhere", &[good]).await), "404");
    let plain = [good, ("Upgrade", ""), ("Connection", "")];
    assert_eq!(status(&ask(&server, "/v1/realtime", &plain).await), "426");
}

#[tokio::test]
async fn a_browser_shows_its_key_as_a_subprotocol_and_gets_one_answer() {
    let server = serve(&Script::new()).await;
    let protocols = format!("realtime, openai-insecure-api-key.{KEY}, openai-agents-sdk.0.20.0");
    let headers = [("Sec-WebSocket-Protocol", protocols.as_str())];
    let answer = ask(&server, "/v1/realtime?model=m", &headers).await;
    assert_eq!(status(&answer), "101");
    let chosen: Vec<&str> = answer
        .lines()
        .filter(|it| it.to_lowercase().starts_with("sec-websocket-protocol:"))
        .collect();
    assert_eq!(chosen.len(), 1);
    assert!(chosen[0].ends_with(": realtime"), "{chosen:?}");
}

#[tokio::test]
async fn other_machines_only_where_that_was_asked_for() {
    let mut options = Options::new("0.0.0.0:0".parse().unwrap(), ApiKey::generate());
    let refused = RealtimeServer::bind(options.clone(), Script::new()).await.unwrap_err();
    assert!(matches!(refused, BindError::Exposed { .. }), "{refused}");
    options.exposure = Exposure::AnyMachine;
    RealtimeServer::bind(options, Script::new()).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let server = serve(&Script::new()).await;
    let options = Options::new(server.addr(), ApiKey::generate());
    let error = RealtimeServer::bind(options, Script::new()).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {}: ", server.addr())), "{error}");
}

/// Who is let in is served: the one too many is told at the door.
#[tokio::test]
async fn a_full_house_is_named_at_the_door() {
    let server = serve(&Script::new()).await;
    let mut clients = Vec::new();
    for _ in 0..16 {
        clients.push(Client::connect(&server).await);
    }
    let bearer = format!("Bearer {KEY}");
    let answer = ask(&server, "/v1/realtime", &[("Authorization", &bearer)]).await;
    assert_eq!(status(&answer), "503");
    assert!(answer.contains(r#""code":"too_many_sessions""#), "{answer}");
    for client in &mut clients {
        client.expect_silence().await;
    }
}

/// A connection that never asks for anything is not kept.
#[tokio::test(start_paused = true)]
async fn who_does_not_finish_asking_is_sent_away() {
    let server = serve(&Script::new()).await;
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    stream.write_all(b"GET /v1/realtime HTTP/1.1\r\nHost: ").await.unwrap();
    let mut answer = Vec::new();
    let left = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
    left.expect("the connection is still open").unwrap();
}

#[tokio::test]
async fn the_session_says_what_it_is() {
    let server = serve(&Script::new()).await;
    let (_client, session) = Client::connect_to(&format!("{}?model=gpt-x", server.url())).await;
    assert_eq!(session["type"], "realtime");
    assert_eq!(session["object"], "realtime.session");
    assert_eq!(session["model"], "gpt-x");
    assert_eq!(session["audio"]["input"]["turn_detection"]["interrupt_response"], true);
    let (_client, session) =
        Client::connect_to(&format!("{}?intent=transcription", server.url())).await;
    assert_eq!(session["type"], "transcription");
}

#[tokio::test]
async fn the_server_says_goodbye() {
    let server = serve(&Script::new()).await;
    let mut client = Client::connect(&server).await;
    let (_, goodbye) = tokio::join!(server.shutdown(), client.goodbye());
    assert_eq!(goodbye, (1001, "the server stops".to_owned()));
}
