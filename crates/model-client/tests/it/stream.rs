use protocol::{CallId, ModelEvent, Reasoning, ToolCall, Usage};
use serde_json::json;
use testkit::{ModelReply, ModelScript, ModelServer, sse};

use crate::{acme, client, drain, request};

const KEY: &[(&str, &str)] = &[("ACME_KEY", "k")];

#[tokio::test]
async fn a_message_comes_as_deltas_and_whole() {
    let server = ModelScript::start([ModelReply::message("One fails.").in_pieces_of(7)]);
    let stream =
        client(KEY).stream(&acme(&server.base_url()), "m", Reasoning::default(), request("hello"));
    let (events, error) = drain(stream).await;
    assert_eq!(error, None);
    let usage = Usage { input_tokens: 100, output_tokens: 10, ..Usage::default() };
    let expected = [
        ModelEvent::TextDelta { delta: "One f".into() },
        ModelEvent::TextDelta { delta: "ails.".into() },
        ModelEvent::Message { text: "One fails.".into() },
        ModelEvent::Completed { usage },
    ];
    assert_eq!(events, expected);
    let request = &server.requests()[0];
    assert_eq!(request.target, "/v1/responses?team=blue");
    assert_eq!(request.header("authorization"), Some("Bearer k"));
    assert_eq!(request.model(), "m");
    assert_eq!(request.instructions(), "Be brief.");
    assert_eq!(request.messages("user"), ["hello"]);
    server.finish();
}

#[tokio::test]
async fn a_tool_call() {
    let server = ModelScript::start([ModelReply::tool_call("c1", "search", json!({ "q": "x" }))]);
    let stream =
        client(KEY).stream(&acme(&server.base_url()), "m", Reasoning::default(), request("hello"));
    let (events, _) = drain(stream).await;
    let call = ToolCall {
        call: CallId::new("c1"),
        name: "search".into(),
        arguments: r#"{"q":"x"}"#.into(),
    };
    assert_eq!(events[0], ModelEvent::ToolCall(call));
    server.finish();
}

/// A voice is answered while the model still writes.
#[tokio::test]
async fn deltas_arrive_before_the_end() {
    let mut server = ModelServer::start();
    let client = client(KEY);
    let mut stream =
        client.stream(&acme(&server.base_url()), "m", Reasoning::default(), request("hello"));
    let service = async {
        let mut reply = server.expect_request().await.open_sse().await;
        reply.send(sse::text_delta("One")).await;
        reply
    };
    let (mut reply, first) = tokio::join!(service, stream.next());
    assert_eq!(first, Some(Ok(ModelEvent::TextDelta { delta: "One".into() })));
    reply.send(sse::message("One")).await;
    reply.send(sse::completed(1, 1)).await;
    reply.end().await;
    assert_eq!(drain(stream).await.1, None);
    server.finish();
}

#[tokio::test]
async fn dropping_the_stream_cancels_the_call() {
    let mut server = ModelServer::start();
    let client = client(KEY);
    let mut stream =
        client.stream(&acme(&server.base_url()), "m", Reasoning::default(), request("hello"));
    let call = tokio::select! {
        call = server.expect_request() => call,
        _ = stream.next() => panic!("nobody answered"),
    };
    let mut reply = call.open_sse().await;
    reply.send(sse::text_delta("One")).await;
    assert!(matches!(stream.next().await, Some(Ok(ModelEvent::TextDelta { .. }))));
    drop(stream);
    reply.client_left().await;
}

/// The turn looks at other things while it waits, so `next` is dropped all the time.
#[tokio::test]
async fn giving_up_waiting_loses_nothing() {
    let mut server = ModelServer::start();
    let client = client(KEY);
    let mut stream =
        client.stream(&acme(&server.base_url()), "m", Reasoning::default(), request("hello"));
    let service = async {
        let mut reply = server.expect_request().await.open_sse().await;
        for event in sse::message_reply("One fails.") {
            reply.send(event).await;
            tokio::task::yield_now().await;
        }
        reply.end().await;
    };
    let impatient = async {
        let mut events = Vec::new();
        loop {
            tokio::select! {
                biased;
                next = stream.next() => match next {
                    Some(event) => events.push(event.unwrap()),
                    None => break events,
                },
                () = tokio::task::yield_now() => (),
            }
        }
    };
    let ((), events) = tokio::join!(service, impatient);
    assert_eq!(events.len(), 4, "{events:?}");
    server.finish();
}

#[tokio::test]
async fn connections_are_used_again() {
    let replies = (0..3).map(|_| ModelReply::message("hi"));
    let server = ModelScript::start(replies);
    let client = client(KEY);
    for _ in 0..3 {
        let (_, error) = drain(client.stream(
            &acme(&server.base_url()),
            "m",
            Reasoning::default(),
            request("x"),
        ))
        .await;
        assert_eq!(error, None);
    }
    let connections: Vec<usize> = server.requests().iter().map(|it| it.connection).collect();
    assert_eq!(connections, [0, 0, 0]);
    server.finish();
}
