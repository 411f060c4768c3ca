use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::panic::AssertUnwindSafe;

use serde_json::{Value, json};
use testkit::{ModelReply, ModelScript, ModelServer, sse};

/// A client of a few lines, on a thread of its own.
fn post(base_url: &str, body: &Value) -> std::thread::JoinHandle<String> {
    let address = base_url.strip_prefix("http://").unwrap().strip_suffix("/v1").unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    let body = body.to_string();
    write!(
        socket,
        "POST /v1/responses HTTP/1.1\r\nContent-Type: application/json\r\n\
         Authorization: Bearer k\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    std::thread::spawn(move || {
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        // Ends at the last chunk, at the end of an error's body, or when the server cuts.
        while !answer.ends_with(b"0\r\n\r\n") && !answer.ends_with(b"}") {
            match socket.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(read) => answer.extend_from_slice(&buffer[..read]),
            }
        }
        String::from_utf8(answer).unwrap()
    })
}

fn question() -> Value {
    json!({ "model": "m", "stream": true, "input": [
        { "type": "message", "role": "user",
          "content": [{ "type": "input_text", "text": "hello" }] }
    ]})
}

#[tokio::test]
async fn a_test_steps_it() {
    let mut server = ModelServer::start();
    let client = post(&server.base_url(), &question());
    let call = server.expect_request().await;
    assert_eq!(call.request().messages("user"), ["hello"]);
    assert_eq!(call.request().header("authorization"), Some("Bearer k"));
    let mut reply = call.open_sse().await;
    reply.send(sse::text_delta("hi")).await;
    reply.end().await;
    let answer = client.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("event: response.output_text.delta\ndata: {"), "{answer}");
    server.finish();
}

#[test]
fn a_list_plays_without_the_test() {
    let server = ModelScript::start([
        ModelReply::message("one"),
        ModelReply::error(503, json!({ "error": 1 })).with_header("retry-after", "7"),
        ModelReply::message("three").cut_after(1),
    ]);
    let answers: Vec<String> =
        (0..3).map(|_| post(&server.base_url(), &question()).join().unwrap()).collect();
    assert!(answers[0].contains("\"text\":\"one\""), "{}", answers[0]);
    assert!(answers[1].contains("retry-after: 7\r\n"), "{}", answers[1]);
    assert!(!answers[2].ends_with("0\r\n\r\n"), "{}", answers[2]);
    assert_eq!(server.requests().len(), 3);
    server.finish();
}

#[tokio::test]
async fn sees_a_client_hang_up() {
    let mut server = ModelServer::start();
    let address = server.base_url().replace("http://", "").replace("/v1", "");
    let mut socket = TcpStream::connect(address).unwrap();
    let body = question().to_string();
    let len = body.len();
    write!(socket, "POST /v1/responses HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {len}\r\n\r\n{body}").unwrap();
    let call = server.expect_request().await;
    drop(socket);
    call.hang().await;
}

#[tokio::test]
#[should_panic(expected = "did not expect POST /v1/responses")]
async fn an_unexpected_request_fails_the_test() {
    let server = ModelServer::start();
    drop(post(&server.base_url(), &question()));
    server.wait_for_requests(1).await;
    server.finish();
}

#[test]
#[should_panic(expected = "the script has no reply to POST /v1/responses")]
fn a_request_beyond_the_list_fails_the_test() {
    let server = ModelScript::start([]);
    let answer = post(&server.base_url(), &question()).join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
}

#[test]
#[should_panic(expected = "1 replies were never asked for")]
fn an_unused_reply_fails_the_test() {
    ModelScript::start([ModelReply::hang()]).finish();
}

#[test]
fn the_rules_of_the_api_are_enforced() {
    let refused = |body: Value, why: &str| {
        let server = ModelScript::start([]);
        let answer = post(&server.base_url(), &body).join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        let finish = AssertUnwindSafe(move || server.finish());
        let failure = std::panic::catch_unwind(finish).unwrap_err();
        let failure = failure.downcast_ref::<String>().unwrap();
        assert!(failure.contains(why), "{failure}");
    };
    let with_input = |input: Value| json!({ "model": "m", "stream": true, "input": input });
    let call = json!({ "type": "function_call", "call_id": "c", "name": "n", "arguments": "{}" });
    let output = json!({ "type": "function_call_output", "call_id": "c", "output": "" });
    refused(json!({ "stream": true, "input": [] }), "`model` is missing");
    refused(json!({ "model": "m", "input": [] }), "`stream` must be true");
    refused(with_input(json!("hello")), "`input` must be a list");
    refused(with_input(json!([call])), "no tool output found for function call `c`");
    refused(with_input(json!([output])), "no tool call found for function call output `c`");
    refused(with_input(json!([call, output, call, output])), "two function calls of call_id `c`");
    let part = json!({ "type": "output_text", "text": "" });
    let message = json!({ "type": "message", "role": "user", "content": [part] });
    refused(with_input(json!([message])), "a user message has input_text parts");
    let tool = json!({ "type": "function", "name": "a b", "parameters": { "type": "object" } });
    let body = json!({ "model": "m", "stream": true, "input": [], "tools": [tool] });
    refused(body, "tool name `a b`");
}
