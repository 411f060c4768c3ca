//! What clients say to the server.

use realtime_wire::server::{
    Audience, ClientEvent, Content, ErrorCode, InputItem, ItemBody, MaxTokens, Modality, NewItem,
    Place, ResponseRequest, Role, Tool, ToolChoice, Voice, decode,
};
use serde_json::{Value, json};

#[track_caller]
fn check(event: Value, expected: ClientEvent) {
    assert_eq!(decode(&event.to_string()).unwrap().event, expected);
}

#[track_caller]
fn refused(event: &str, code: ErrorCode, param: Option<&str>) -> String {
    let refusal = decode(event).unwrap_err();
    assert_eq!((refusal.code, refusal.param.as_deref()), (code, param), "{refusal:?}");
    refusal.message
}

#[test]
fn each_event_is_understood() {
    check(
        json!({ "type": "input_audio_buffer.append", "audio": "AQID" }),
        ClientEvent::AppendAudio { audio: vec![1, 2, 3] },
    );
    check(json!({ "type": "input_audio_buffer.commit" }), ClientEvent::CommitAudio);
    check(json!({ "type": "input_audio_buffer.clear" }), ClientEvent::ClearAudio);
    check(json!({ "type": "output_audio_buffer.clear" }), ClientEvent::ClearOutputAudio);
    check(
        json!({ "type": "conversation.item.retrieve", "item_id": "i" }),
        ClientEvent::RetrieveItem { item_id: "i".into() },
    );
    check(
        json!({ "type": "conversation.item.delete", "item_id": "i" }),
        ClientEvent::DeleteItem { item_id: "i".into() },
    );
    check(
        json!({
            "type": "conversation.item.truncate",
            "item_id": "i", "content_index": 0, "audio_end_ms": 1200.0,
        }),
        ClientEvent::TruncateItem { item_id: "i".into(), content_index: 0, audio_end_ms: 1200 },
    );
    check(json!({ "type": "response.cancel" }), ClientEvent::CancelResponse { response_id: None });
    check(
        json!({ "type": "response.cancel", "response_id": "r", "unknown": [1] }),
        ClientEvent::CancelResponse { response_id: Some("r".into()) },
    );
    check(json!({ "type": "response.create" }), ClientEvent::CreateResponse(Box::default()));
    check(
        json!({ "type": "response.create", "response": null }),
        ClientEvent::CreateResponse(Box::default()),
    );
}

#[test]
fn items_are_created_where_the_client_wants_them() {
    let message = |place| ClientEvent::CreateItem {
        item: NewItem {
            id: Some("i".into()),
            body: ItemBody::Message {
                role: Role::User,
                content: vec![Content::InputText { text: "hello".into() }],
            },
        },
        place,
    };
    let event = |previous: Value| {
        json!({
            "type": "conversation.item.create",
            "previous_item_id": previous,
            "item": {
                "id": "i", "type": "message", "role": "user", "status": "completed",
                "content": [{ "type": "input_text", "text": "hello" }],
            },
        })
    };
    check(event(Value::Null), message(Place::End));
    check(event(json!("root")), message(Place::Root));
    check(event(json!("item_1")), message(Place::After("item_1".into())));
}

#[test]
fn every_kind_of_item_is_read() {
    let bodies = [
        (
            json!({
                "type": "message", "role": "system",
                "content": [{ "type": "input_text", "text": "be kind" }],
            }),
            ItemBody::Message {
                role: Role::System,
                content: vec![Content::InputText { text: "be kind".into() }],
            },
        ),
        (
            json!({
                "type": "message", "role": "assistant",
                "content": [{ "type": "output_text", "text": "a" }, { "type": "text", "text": "b" }],
            }),
            ItemBody::Message {
                role: Role::Assistant,
                content: vec![
                    Content::OutputText { text: "a".into() },
                    Content::OutputText { text: "b".into() },
                ],
            },
        ),
        (
            json!({
                "type": "message", "role": "user",
                "content": [
                    { "type": "input_audio", "audio": "AQI=" },
                    { "type": "input_image", "image_url": "data:image/png;base64,", "detail": "low" },
                ],
            }),
            ItemBody::Message {
                role: Role::User,
                content: vec![
                    Content::InputAudio { audio: [1, 2].into(), transcript: None },
                    Content::InputImage {
                        image_url: "data:image/png;base64,".into(),
                        detail: Some("low".into()),
                    },
                ],
            },
        ),
        (
            json!({ "type": "function_call", "name": "f", "arguments": "{}", "call_id": "c" }),
            ItemBody::FunctionCall {
                call_id: "c".into(),
                name: "f".into(),
                arguments: "{}".into(),
            },
        ),
        (
            json!({ "type": "function_call_output", "call_id": "c", "output": "ok" }),
            ItemBody::FunctionCallOutput { call_id: "c".into(), output: "ok".into() },
        ),
    ];
    for (item, body) in bodies {
        check(
            json!({ "type": "conversation.item.create", "item": item }),
            ClientEvent::CreateItem { item: NewItem { id: None, body }, place: Place::End },
        );
    }
}

#[test]
fn a_response_may_override_everything() {
    check(
        json!({
            "type": "response.create",
            "response": {
                "conversation": "none",
                "input": [
                    { "type": "item_reference", "id": "i" },
                    { "type": "function_call_output", "call_id": "c", "output": "ok" },
                ],
                "instructions": "",
                "output_modalities": ["text"],
                "audio": { "output": { "voice": { "id": "voice_1" } } },
                "tools": [],
                "tool_choice": { "type": "function", "name": "f" },
                "max_output_tokens": 40,
                "metadata": { "client_event_id": "e" },
                "parallel_tool_calls": null,
            },
        }),
        ClientEvent::CreateResponse(Box::new(ResponseRequest {
            conversation: Audience::OutOfBand,
            input: Some(vec![
                InputItem::Reference("i".into()),
                InputItem::New(NewItem {
                    id: None,
                    body: ItemBody::FunctionCallOutput { call_id: "c".into(), output: "ok".into() },
                }),
            ]),
            instructions: Some(String::new()),
            output: Some(Modality::Text),
            voice: Some(Voice::Custom("voice_1".into())),
            tools: Some(Vec::<Tool>::new()),
            tool_choice: Some(ToolChoice::Function("f".into())),
            max_output_tokens: Some(MaxTokens::Limit(40)),
            metadata: Some([("client_event_id".into(), "e".into())].into()),
            ..ResponseRequest::default()
        })),
    );
}

#[test]
fn a_refusal_names_the_field_and_answers_the_event() {
    refused("{", ErrorCode::InvalidJson, None);
    refused("[]", ErrorCode::InvalidEvent, None);
    refused("{}", ErrorCode::MissingRequiredParameter, Some("type"));
    let message = refused(r#"{"type":"response.run"}"#, ErrorCode::InvalidValue, Some("type"));
    assert!(message.contains("'response.create'"), "{message}");
    refused(
        r#"{"type":"conversation.item.delete"}"#,
        ErrorCode::MissingRequiredParameter,
        Some("item_id"),
    );
    refused(
        r#"{"type":"input_audio_buffer.append","audio":"!"}"#,
        ErrorCode::InvalidValue,
        Some("audio"),
    );
    refused(
        r#"{"type":"conversation.item.truncate","item_id":"i","content_index":0,"audio_end_ms":-1}"#,
        ErrorCode::InvalidValue,
        Some("audio_end_ms"),
    );
    refused(
        r#"{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text"}]}}"#,
        ErrorCode::MissingRequiredParameter,
        Some("item.content[1].text"),
    );
    refused(
        r#"{"type":"conversation.item.create","item":{"type":"message","role":"assistant","content":[{"type":"output_audio"}]}}"#,
        ErrorCode::InvalidValue,
        Some("item.content[0].type"),
    );
    refused(
        r#"{"type":"session.update","session":{"type":"realtime","tools":[{"type":"function"}]}}"#,
        ErrorCode::MissingRequiredParameter,
        Some("session.tools[0].name"),
    );
    refused(
        r#"{"type":"response.create","response":{"metadata":{"a":1}}}"#,
        ErrorCode::InvalidValue,
        Some("response.metadata.a"),
    );

    let refusal = decode(r#"{"type":"conversation.item.delete","event_id":"mine"}"#).unwrap_err();
    assert_eq!(refusal.event_id.as_deref(), Some("mine"));
    let received = decode(r#"{"type":"response.cancel","event_id":"mine"}"#).unwrap();
    assert_eq!(received.event_id.as_deref(), Some("mine"));
}

/// Whatever comes, an answer comes back: every prefix of a frame, and every frame with one
/// of its values replaced.
#[test]
fn nothing_a_client_sends_panics() {
    let frame = json!({
        "type": "session.update",
        "session": {
            "type": "realtime",
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": { "type": "audio/pcm", "rate": 24000 },
                    "noise_reduction": { "type": "near_field", "strength": 0.5 },
                    "transcription": { "model": "m", "languages": ["en"], "keywords": [] },
                    "turn_detection": {
                        "type": "server_vad", "threshold": 0.4, "prefix_padding_ms": 1,
                        "silence_duration_ms": 2, "idle_timeout_ms": 6000,
                    },
                },
                "output": { "format": { "type": "audio/pcmu" }, "voice": "ash", "speed": 1.5 },
            },
            "tools": [{ "type": "function", "name": "f", "parameters": {} }],
            "tool_choice": { "type": "mcp", "server_label": "s" },
            "reasoning": { "effort": "low" },
            "max_output_tokens": "inf",
            "truncation": { "type": "retention_ratio", "retention_ratio": 0.5 },
            "tracing": "auto",
            "prompt": { "id": "p" },
        },
    });
    let text = frame.to_string();
    for end in 0..text.len() {
        decode(&text[..end]).unwrap_err();
    }
    let strange =
        [Value::Null, json!(true), json!(-1.5), json!(1e300), json!(""), json!([[]]), json!({})];
    let mut paths = Vec::new();
    collect(&frame, "", &mut paths);
    assert!(40 < paths.len());
    for path in &paths {
        for value in &strange {
            let mut frame = frame.clone();
            *frame.pointer_mut(path).unwrap() = value.clone();
            // Taken or refused, but answered.
            drop(decode(&frame.to_string()));
        }
    }
}

fn collect(value: &Value, path: &str, paths: &mut Vec<String>) {
    paths.push(path.to_owned());
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, it)| collect(it, &format!("{path}/{key}"), paths));
        }
        Value::Array(list) => {
            let items = list.iter().enumerate();
            items.for_each(|(index, it)| collect(it, &format!("{path}/{index}"), paths));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}
