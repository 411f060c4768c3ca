//! What the server says, by the rules that clients break on.

use realtime_wire::server::{
    AudioFormat, CallAt, CancelReason, Content, ErrorCode, IncompleteReason, Item, ItemBody,
    ItemStatus, MaxTokens, Modality, Part, PartAt, RateLimit, Refusal, Response, ResponseStatus,
    Role, ServerEvent, TranscriptionUsage, Usage, Voice, encode,
};
use serde_json::{Value, json};

#[track_caller]
fn check(event: ServerEvent, expected: Value) {
    let mut frame: Value = serde_json::from_str(&encode(&event, "event_1")).unwrap();
    assert_eq!(frame.as_object_mut().unwrap().remove("event_id"), Some(json!("event_1")));
    assert_eq!(frame, expected);
}

pub(crate) fn message(role: Role, status: ItemStatus, content: Vec<Content>) -> Item {
    Item { id: "item_1".into(), status, body: ItemBody::Message { role, content } }
}

fn at() -> PartAt {
    PartAt {
        response_id: "resp_1".into(),
        item_id: "item_1".into(),
        output_index: 0,
        content_index: 0,
    }
}

pub(crate) fn response(status: ResponseStatus) -> Response {
    Response {
        id: "resp_1".into(),
        status,
        output: Vec::new(),
        conversation_id: Some("conv_1".into()),
        modality: Modality::Audio,
        max_output_tokens: MaxTokens::Inf,
        output_format: AudioFormat::Pcm,
        voice: Voice::Named("marin".into()),
        metadata: Some([("client_event_id".to_owned(), "e".to_owned())].into()),
        usage: None,
    }
}

#[test]
fn sound_is_only_in_retrieved_items_and_its_transcript_is_never_left_out() {
    let item = message(
        Role::User,
        ItemStatus::Completed,
        vec![Content::InputAudio { audio: [1, 2].into(), transcript: None }],
    );
    check(
        ServerEvent::ItemAdded { item: item.clone(), previous_item_id: None },
        json!({
            "type": "conversation.item.added",
            "previous_item_id": null,
            "item": {
                "id": "item_1", "object": "realtime.item", "type": "message",
                "status": "completed", "role": "user",
                "content": [{ "type": "input_audio", "transcript": null }],
            },
        }),
    );
    check(
        ServerEvent::ItemRetrieved { item },
        json!({
            "type": "conversation.item.retrieved",
            "item": {
                "id": "item_1", "object": "realtime.item", "type": "message",
                "status": "completed", "role": "user",
                "content": [{ "type": "input_audio", "transcript": null, "audio": "AQI=" }],
            },
        }),
    );
}

#[test]
fn parts_are_named_without_output() {
    check(
        ServerEvent::PartAdded { at: at(), part: Part::Audio { transcript: String::new() } },
        json!({
            "type": "response.content_part.added",
            "response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0,
            "part": { "type": "audio", "transcript": "" },
        }),
    );
    check(
        ServerEvent::PartDone { at: at(), part: Part::Text { text: "hi".into() } },
        json!({
            "type": "response.content_part.done",
            "response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0,
            "part": { "type": "text", "text": "hi" },
        }),
    );
    check(
        ServerEvent::OutputItemDone {
            response_id: "resp_1".into(),
            output_index: 0,
            item: message(
                Role::Assistant,
                ItemStatus::Incomplete,
                vec![Content::OutputAudio { audio: [1].into(), transcript: Some("hi".into()) }],
            ),
        },
        json!({
            "type": "response.output_item.done", "response_id": "resp_1", "output_index": 0,
            "item": {
                "id": "item_1", "object": "realtime.item", "type": "message",
                "status": "incomplete", "role": "assistant",
                "content": [{ "type": "output_audio", "transcript": "hi" }],
            },
        }),
    );
}

#[test]
fn a_function_call_says_its_name_and_no_fields_it_does_not_have() {
    check(
        ServerEvent::ArgumentsDone {
            at: CallAt {
                response_id: "resp_1".into(),
                item_id: "item_1".into(),
                output_index: 1,
                call_id: "call_1".into(),
            },
            name: "f".into(),
            arguments: "{}".into(),
        },
        json!({
            "type": "response.function_call_arguments.done",
            "response_id": "resp_1", "item_id": "item_1", "output_index": 1, "call_id": "call_1",
            "name": "f", "arguments": "{}",
        }),
    );
    check(
        ServerEvent::ItemDone {
            item: Item {
                id: "item_1".into(),
                status: ItemStatus::Completed,
                body: ItemBody::FunctionCall {
                    call_id: "call_1".into(),
                    name: "f".into(),
                    arguments: "{}".into(),
                },
            },
            previous_item_id: Some("item_0".into()),
        },
        json!({
            "type": "conversation.item.done",
            "previous_item_id": "item_0",
            "item": {
                "id": "item_1", "object": "realtime.item", "type": "function_call",
                "status": "completed", "call_id": "call_1", "name": "f", "arguments": "{}",
            },
        }),
    );
}

#[test]
fn a_response_reports_itself_whole() {
    check(
        ServerEvent::ResponseCreated(Box::new(response(ResponseStatus::InProgress))),
        json!({
            "type": "response.created",
            "response": {
                "id": "resp_1", "object": "realtime.response", "status": "in_progress",
                "status_details": null, "output": [], "conversation_id": "conv_1",
                "output_modalities": ["audio"], "max_output_tokens": "inf",
                "audio": { "output": {
                    "format": { "type": "audio/pcm", "rate": 24000 }, "voice": "marin",
                } },
                "metadata": { "client_event_id": "e" },
                "usage": null,
            },
        }),
    );
}

#[test]
fn the_end_of_a_response_has_its_reason() {
    for (status, word, details) in [
        (ResponseStatus::Completed, "completed", Value::Null),
        (
            ResponseStatus::Cancelled(CancelReason::TurnDetected),
            "cancelled",
            json!({ "type": "cancelled", "reason": "turn_detected" }),
        ),
        (
            ResponseStatus::Cancelled(CancelReason::ClientCancelled),
            "cancelled",
            json!({ "type": "cancelled", "reason": "client_cancelled" }),
        ),
        (
            ResponseStatus::Incomplete(IncompleteReason::MaxOutputTokens),
            "incomplete",
            json!({ "type": "incomplete", "reason": "max_output_tokens" }),
        ),
        (
            ResponseStatus::Failed { code: "tts_failed".into(), message: "no voice".into() },
            "failed",
            json!({
                "type": "failed",
                "error": { "type": "server_error", "code": "tts_failed", "message": "no voice" },
            }),
        ),
    ] {
        let usage = Usage { input_text: 5, input_audio: 7, output_text: 3, ..Usage::default() };
        let done = Response { usage: Some(usage), ..response(status) };
        let frame = encode(&ServerEvent::ResponseDone(Box::new(done)), "e");
        let response = serde_json::from_str::<Value>(&frame).unwrap()["response"].take();
        assert_eq!(response["status"], word);
        assert_eq!(response["status_details"], details);
        assert_eq!(response["usage"]["total_tokens"], 15);
    }
}

#[test]
fn deltas_are_placed() {
    let placed = |kind: &str, name: &str, value: &str| {
        let mut frame = json!({
            "type": kind,
            "response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0,
        });
        if !name.is_empty() {
            frame[name] = json!(value);
        }
        frame
    };
    check(
        ServerEvent::AudioDelta { at: at(), audio: vec![1, 2] },
        placed("response.output_audio.delta", "delta", "AQI="),
    );
    check(ServerEvent::AudioDone { at: at() }, placed("response.output_audio.done", "", ""));
    check(
        ServerEvent::TranscriptDelta { at: at(), delta: "a".into() },
        placed("response.output_audio_transcript.delta", "delta", "a"),
    );
    check(
        ServerEvent::TranscriptDone { at: at(), transcript: "a".into() },
        placed("response.output_audio_transcript.done", "transcript", "a"),
    );
    check(
        ServerEvent::TextDelta { at: at(), delta: "a".into() },
        placed("response.output_text.delta", "delta", "a"),
    );
    check(
        ServerEvent::TextDone { at: at(), text: "a".into() },
        placed("response.output_text.done", "text", "a"),
    );
}

#[test]
fn what_the_ear_notices_is_said_with_its_item() {
    check(
        ServerEvent::SpeechStarted { audio_start_ms: 120, item_id: "item_1".into() },
        json!({
            "type": "input_audio_buffer.speech_started",
            "audio_start_ms": 120, "item_id": "item_1",
        }),
    );
    check(
        ServerEvent::AudioCommitted { item_id: "item_1".into(), previous_item_id: None },
        json!({
            "type": "input_audio_buffer.committed",
            "item_id": "item_1", "previous_item_id": null,
        }),
    );
    check(
        ServerEvent::TranscriptionCompleted {
            item_id: "item_1".into(),
            content_index: 0,
            transcript: "hi".into(),
            usage: TranscriptionUsage::Seconds(1.5),
        },
        json!({
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_1", "content_index": 0, "transcript": "hi",
            "usage": { "type": "duration", "seconds": 1.5 },
        }),
    );
    check(
        ServerEvent::RateLimits(vec![RateLimit {
            name: "requests",
            limit: 10,
            remaining: 9,
            reset_seconds: 0.0,
        }]),
        json!({
            "type": "rate_limits.updated",
            "rate_limits": [
                { "name": "requests", "limit": 10, "remaining": 9, "reset_seconds": 0.0 },
            ],
        }),
    );
}

#[test]
fn errors_have_the_codes_that_clients_test_for() {
    check(
        ServerEvent::Error(Refusal::nothing_to_cancel().answering(Some("mine"))),
        json!({
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "code": "response_cancel_not_active",
                "message": "Cancellation failed: no active response found",
                "param": null,
                "event_id": "mine",
            },
        }),
    );
    for (code, word) in [
        (
            ErrorCode::ConversationAlreadyHasActiveResponse,
            "conversation_already_has_active_response",
        ),
        (ErrorCode::ItemRetrieveInvalidItemId, "item_retrieve_invalid_item_id"),
        (ErrorCode::ItemCreateDuplicateItemId, "item_create_duplicate_item_id"),
        (ErrorCode::ItemDeleteInvalidItemId, "item_delete_invalid_item_id"),
        (ErrorCode::ItemTruncateInvalidItemId, "item_truncate_invalid_item_id"),
        (ErrorCode::InputAudioBufferCommitEmpty, "input_audio_buffer_commit_empty"),
    ] {
        assert_eq!((code.as_str(), code.kind()), (word, "invalid_request_error"));
    }
    assert_eq!(ErrorCode::ServerError.kind(), "server_error");
    let refusal = Refusal::response_active("resp_1");
    assert!(
        refusal.message.starts_with("Conversation already has an active response in progress:")
    );
}
