use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use testkit::{ModelReply, ModelScript, ModelServer, sse};
use transport::{Headers, HttpError, Post, SseEvent, SseStream, join_url};

use crate::network;
use crate::support::{RawServer, Script};

/// Waited out only where a test is about silence.
const SILENCE: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn post(base_url: &str) -> Post {
    let body = json!({ "model": "m", "stream": true, "input": [] }).to_string();
    Post {
        url: join_url(base_url, "responses", &[]).unwrap(),
        headers: Headers::new(),
        body: body.into(),
        idle: PATIENCE,
    }
}

async fn read_all(stream: &mut SseStream) -> Vec<SseEvent> {
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event.unwrap());
    }
    events
}

#[tokio::test]
async fn a_stream_of_events() {
    let replies = [ModelReply::message("hello ä"), ModelReply::message("hello ä").in_pieces_of(3)];
    let server = ModelScript::start(replies);
    let network = network();
    let mut post = post(&server.base_url());
    post.headers.insert_bearer("k").unwrap();
    for _ in 0..2 {
        let mut stream = network.post_sse(&post).await.unwrap();
        let events = read_all(&mut stream).await;
        let names: Vec<&str> = events.iter().map(|it| it.name.as_str()).collect();
        let delta = "response.output_text.delta";
        let done = "response.output_item.done";
        assert_eq!(names, ["response.created", delta, delta, done, "response.completed"]);
        assert!(events[3].data.contains("hello ä"), "{}", events[3].data);
        assert!(stream.next().await.is_none());
    }
    let request = &server.requests()[0];
    assert_eq!(request.header("authorization"), Some("Bearer k"));
    assert_eq!(request.header("accept"), Some("text/event-stream"));
    assert!(request.header("user-agent").unwrap().starts_with("duet/"));
    server.finish();
}

#[tokio::test]
async fn dropping_the_stream_hangs_up() {
    let mut server = ModelServer::start();
    let network = network();
    let post = post(&server.base_url());
    let client = async {
        let mut stream = network.post_sse(&post).await.unwrap();
        stream.next().await.unwrap().unwrap();
    };
    let service = async {
        let mut reply = server.expect_request().await.open_sse().await;
        reply.send(sse::created()).await;
        reply.client_left().await;
    };
    tokio::join!(client, service);
}

#[tokio::test]
async fn dropping_the_call_before_the_answer_hangs_up() {
    let mut server = ModelServer::start();
    let network = network();
    let post = post(&server.base_url());
    let call = {
        let answer = network.post_sse(&post);
        tokio::select! {
            biased;
            call = server.expect_request() => call,
            _ = answer => panic!("nobody answered"),
        }
    };
    call.hang().await;
}

#[tokio::test]
async fn a_refusal_keeps_status_wish_and_body() {
    let body = json!({ "error": { "message": "slow down" } });
    let cases = [
        (ModelReply::error(429, body.clone()).with_header("retry-after", "7"), Some(7_000)),
        (ModelReply::error(503, body.clone()).with_header("retry-after-ms", "1500"), Some(1_500)),
        // Long gone: now.
        (
            ModelReply::error(503, body.clone())
                .with_header("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(0),
        ),
        (ModelReply::error(500, body.clone()).with_header("retry-after", "soon"), None),
        (ModelReply::error(401, body.clone()), None),
    ];
    let (replies, wishes): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let server = ModelScript::start(replies);
    let network = network();
    for wish in wishes {
        let error = network.post_sse(&post(&server.base_url())).await.unwrap_err();
        let HttpError::Refused(refusal) = error else { panic!("{error}") };
        assert_eq!(refusal.retry_after, wish.map(Duration::from_millis));
        assert_eq!(refusal.body, body.to_string());
    }
    server.finish();
}

#[tokio::test]
async fn a_refusals_body_is_bounded() {
    let server = ModelScript::start([ModelReply::error(500, json!("x".repeat(1 << 20)))]);
    let error = network().post_sse(&post(&server.base_url())).await.unwrap_err();
    let HttpError::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!(refusal.body.len(), 16 * 1024);
}

#[tokio::test]
async fn a_redirect_is_a_refusal() {
    let moved = "HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";
    let server = RawServer::start([Script::say(moved)]);
    let error = network().post_sse(&post(&server.url("/v1"))).await.unwrap_err();
    let HttpError::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!(refusal.status, 307);
}

#[tokio::test]
async fn a_page_is_no_stream() {
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>";
    let server = RawServer::start([Script::say(page)]);
    let url = server.url("/v1");
    let error = network().post_sse(&post(&url)).await.unwrap_err();
    let expected = HttpError::NotEvents {
        url: format!("{url}/responses"),
        content_type: "text/html".into(),
        head: "<html>".into(),
    };
    assert_eq!(error, expected);
}

#[tokio::test]
async fn nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = network().post_sse(&post(&format!("http://{free}/v1"))).await.unwrap_err();
    assert!(matches!(&error, HttpError::Unreachable { .. }), "{error:?}");
    let expected = format!("cannot reach http://{free}/v1/responses: ");
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn silence_before_the_answer_is_an_error() {
    let server = ModelScript::start([ModelReply::hang()]);
    let post = Post { idle: SILENCE, ..post(&server.base_url()) };
    let error = network().post_sse(&post).await.unwrap_err();
    assert!(matches!(error, HttpError::Idle { limit: SILENCE, .. }), "{error:?}");
}

#[tokio::test]
async fn silence_in_the_stream_is_an_error() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\ndata: 2";
    let server = RawServer::start([Script::say_and_hang(head)]);
    let post = Post { idle: SILENCE, ..post(&server.url("/v1")) };
    let mut stream = network().post_sse(&post).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().data, "1");
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(matches!(error, HttpError::Idle { .. }), "{error:?}");
    assert!(stream.next().await.is_none());
}

/// A caller that looks in now and then must not stretch the limit.
#[tokio::test]
async fn looking_in_does_not_stretch_the_silence() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let server = RawServer::start([Script::say_and_hang(head)]);
    let post = Post { idle: SILENCE, ..post(&server.url("/v1")) };
    let mut stream = network().post_sse(&post).await.unwrap();
    let looked = tokio::time::timeout(PATIENCE, async {
        loop {
            match tokio::time::timeout(SILENCE / 10, stream.next()).await {
                Ok(event) => break event,
                Err(_) => continue,
            }
        }
    });
    let error = looked.await.expect("the silence never ended").unwrap().unwrap_err();
    assert!(matches!(error, HttpError::Idle { .. }), "{error:?}");
}

#[tokio::test]
async fn a_cut_is_an_error_and_half_an_event_is_none() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99\r\n\r\n";
    let server = RawServer::start([Script::say(format!("{head}data: 1\n\ndata: 2\n"))]);
    let mut stream = network().post_sse(&post(&server.url("/v1"))).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().data, "1");
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(matches!(error, HttpError::Broken { .. }), "{error:?}");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_good_end_ends_the_last_event() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 16\r\n\r\n";
    let server = RawServer::start([Script::say(format!("{head}data: 1\n\ndata: 2"))]);
    let mut stream = network().post_sse(&post(&server.url("/v1"))).await.unwrap();
    let data: Vec<String> = read_all(&mut stream).await.into_iter().map(|it| it.data).collect();
    assert_eq!(data, ["1", "2"]);
}

#[tokio::test]
async fn a_line_without_end_is_an_error() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ";
    let mut bytes = head.as_bytes().to_vec();
    bytes.resize(17 << 20, b'x');
    let server = RawServer::start([Script::say(bytes)]);
    let mut stream = network().post_sse(&post(&server.url("/v1"))).await.unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { .. }), "{error:?}");
    assert!(stream.next().await.is_none());
}

#[test]
fn urls_are_joined() {
    let query = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    };
    let check = |base: &str, pairs: &[(&str, &str)], expected: &str| {
        assert_eq!(join_url(base, "responses", &query(pairs)).unwrap(), expected);
    };
    check("https://api.openai.com/v1", &[], "https://api.openai.com/v1/responses");
    check("http://localhost:11434/v1/", &[], "http://localhost:11434/v1/responses");
    check("http://[::1]", &[], "http://[::1]/responses");
    check(
        "https://a/v1?key=1",
        &[("api version", "2&3")],
        "https://a/v1/responses?key=1&api+version=2%263",
    );
    let refused = |base: &str, why: &str| {
        let error = join_url(base, "responses", &[]).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    };
    refused("localhost:11434/v1", "must begin with http:// or https://");
    refused("ftp://a/v1", "must begin with http:// or https://");
    refused("a b", "`a b` is not a usable URL");
    refused("", "is not a usable URL");
}
