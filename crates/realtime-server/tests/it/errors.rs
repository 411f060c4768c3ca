use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, serve};
use crate::script::Script;
use crate::talk::{AGENT, speak_for};

/// A refusal names the event it answers, and the session goes on.
#[tokio::test]
async fn what_cannot_be_taken_is_refused_in_words_that_clients_know() {
    let server = serve(&Script::new()).await;
    let mut client = Client::connect(&server).await;
    for (event, code, param) in [
        (json!({ "type": "response.cancel" }), "response_cancel_not_active", json!(null)),
        (
            json!({ "type": "conversation.item.retrieve", "item_id": "x" }),
            "item_retrieve_invalid_item_id",
            json!("item_id"),
        ),
        (
            json!({ "type": "conversation.item.delete", "item_id": "x" }),
            "item_delete_invalid_item_id",
            json!("item_id"),
        ),
        (
            json!({
                "type": "conversation.item.truncate",
                "item_id": "x",
                "content_index": 0,
                "audio_end_ms": 0,
            }),
            "item_truncate_invalid_item_id",
            json!("item_id"),
        ),
        (
            json!({ "type": "input_audio_buffer.commit" }),
            "input_audio_buffer_commit_empty",
            json!(null),
        ),
        (
            json!({ "type": "session.update", "session": { "type": "transcription" } }),
            "invalid_value",
            json!("session.type"),
        ),
        (
            json!({ "type": "conversation.item.create" }),
            "missing_required_parameter",
            json!("item"),
        ),
        (
            json!({
                "type": "conversation.item.create",
                "item": {
                    "type": "message",
                    "role": "user",
                    "content": [{ "type": "input_image", "image_url": "data:image/png;base64,AA" }],
                },
            }),
            "invalid_value",
            json!("item.content"),
        ),
        (json!({ "type": "sing" }), "invalid_value", json!("type")),
    ] {
        let mut event = event;
        event["event_id"] = json!("mine");
        client.send(event.clone()).await;
        let error = client.expect("error").await["error"].clone();
        assert_eq!(error["code"], code, "{event} -> {error}");
        assert_eq!(error["event_id"], "mine", "{error}");
        if event["type"] != "sing" {
            assert_eq!(error.get("param").cloned().unwrap_or_default(), param, "{error}");
        }
    }
    client.send(json!({ "type": "response.cancel" })).await;
    let error = client.expect("error").await["error"].clone();
    assert!(error["message"].as_str().unwrap().starts_with("Cancellation failed"), "{error}");
    client.expect_silence().await;
}

#[tokio::test]
async fn garbage_does_no_harm() {
    let server = serve(&Script::new()).await;
    let mut client = Client::connect(&server).await;
    for garbage in ["", "{", "[]", "null", "{\"type\":7}", "\u{1f600}"] {
        client.send_raw(Message::text(garbage)).await;
        client.expect("error").await;
    }
    client.send_raw(Message::binary(vec![0, 159, 146, 150])).await;
    assert_eq!(client.expect("error").await["error"]["code"], "invalid_event");
    client.expect_silence().await;
}

/// Who relies on us to hear when somebody speaks would talk to nobody for ever.
#[tokio::test]
async fn a_session_that_lost_its_ears_ends_with_the_reason() {
    let why = "the ear's model is missing: run `duet models fetch`";
    let server = serve(&Script::new().without_ears()).await;
    let mut client = Client::connect(&server).await;
    speak_for(&mut client, 40).await;
    assert_eq!(client.expect("error").await["error"]["message"], why);
    assert_eq!(client.goodbye().await, (1011, why.to_owned()));

    // A frame that says goodbye is short; the sentence was whole before.
    let long = format!("{why}, where {}", "ö".repeat(100));
    let server = serve(&Script::new().without_ears_because(&long)).await;
    let mut client = Client::connect(&server).await;
    speak_for(&mut client, 40).await;
    assert_eq!(client.expect("error").await["error"]["message"], long.as_str());
    let (code, reason) = client.goodbye().await;
    assert!(code == 1011 && long.starts_with(&reason) && why.len() < reason.len(), "{reason}");
}

/// Without ears the client is told, and can still commit by itself.
#[tokio::test]
async fn a_server_without_ears_says_so_once() {
    let server = serve(&Script::new().without_ears().will_hear("hello")).await;
    let mut client = Client::connect(&server).await;
    let manual = json!({ "type": "realtime", "audio": { "input": { "turn_detection": null } } });
    client.send(json!({ "type": "session.update", "session": manual })).await;
    client.expect("session.updated").await;
    speak_for(&mut client, 500).await;
    let error = client.expect("error").await["error"].clone();
    assert_eq!(error["code"], "server_error");
    assert_eq!(error["message"], "the ear's model is missing: run `duet models fetch`");
    speak_for(&mut client, 500).await;
    client.send(json!({ "type": "input_audio_buffer.commit" })).await;
    client
        .expect_all(&[
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
        ])
        .await;
}

/// Who asks for megabytes and reads none of them is sent away, with the reason.
#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let server = serve(&Script::new()).await;
    let mut client = Client::connect(&server).await;
    let manual = json!({ "type": "realtime", "audio": { "input": { "turn_detection": null } } });
    client.send(json!({ "type": "session.update", "session": manual })).await;
    client.expect("session.updated").await;
    let second = STANDARD.encode(vec![1; 48_000]);
    for _ in 0..20 {
        client.send(json!({ "type": "input_audio_buffer.append", "audio": second })).await;
    }
    client.send(json!({ "type": "input_audio_buffer.commit" })).await;
    let committed = client.expect("input_audio_buffer.committed").await;
    let retrieve = json!({ "type": "conversation.item.retrieve", "item_id": committed["item_id"] });
    // 1.3 MB each.
    for _ in 0..60 {
        client.send(retrieve.clone()).await;
    }
    let goodbye = (1008, "you read more slowly than you asked for events".to_owned());
    assert_eq!(client.goodbye().await, goodbye);
}

/// Who does not even read that it is sent away is hung up on: its place is free again.
#[tokio::test]
async fn a_client_that_never_reads_is_hung_up_on() {
    let server = serve(&Script::new()).await;
    let mut client = Client::connect(&server).await;
    let manual = json!({ "type": "realtime", "audio": { "input": { "turn_detection": null } } });
    client.send(json!({ "type": "session.update", "session": manual })).await;
    client.expect("session.updated").await;
    let second = STANDARD.encode(vec![1; 48_000]);
    for _ in 0..20 {
        client.send(json!({ "type": "input_audio_buffer.append", "audio": second })).await;
    }
    client.send(json!({ "type": "input_audio_buffer.commit" })).await;
    let committed = client.expect("input_audio_buffer.committed").await;
    let retrieve = json!({ "type": "conversation.item.retrieve", "item_id": committed["item_id"] });
    client.ask_until_it_breaks(&retrieve).await;
}

/// What breaks on our side ends one response, not the session and not the server.
#[tokio::test]
async fn a_broken_worker_fails_its_response_only() {
    let server = serve(&Script::new().breaks_at("All is well.")).await;
    let mut client = Client::connect(&server).await;
    client
        .send(json!({ "type": "session.update", "session": { "type": "realtime", "tools": [AGENT.clone()] } }))
        .await;
    client.expect("session.updated").await;
    for (words, status) in [("All is well.", "failed"), ("All is better.", "completed")] {
        client
            .send(json!({
                "type": "conversation.item.create",
                "item": { "type": "function_call_output", "call_id": "call_x", "output": words },
            }))
            .await;
        client.expect_all(&["conversation.item.added", "conversation.item.done"]).await;
        client.send(json!({ "type": "response.create" })).await;
        let done = client
            .expect_all(&[
                "response.created",
                "response.output_item.added",
                "conversation.item.added",
                "response.content_part.added",
                "response.output_audio_transcript.delta",
                "response.output_audio.done",
                "response.output_audio_transcript.done",
                "response.content_part.done",
                "conversation.item.done",
                "response.output_item.done",
                "response.done",
                "rate_limits.updated",
            ])
            .await;
        let done = &done[done.len() - 2]["response"];
        assert_eq!(done["status"], status, "{done}");
    }
}
