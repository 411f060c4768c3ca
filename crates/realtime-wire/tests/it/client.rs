//! What we say to services, and what we understand.

use std::time::Duration;

use protocol::{
    BargeIn, Fault, FaultKind, Handoff, HandoffId, ItemId, RealtimeCommand, RealtimeEvent,
    RealtimeVersion, ResponseId, ResponseOutcome, SessionConfig, SessionMode,
};
use realtime_wire::client::{Codec, DecodeError};
use serde_json::{Value, json};

const V1: RealtimeVersion = RealtimeVersion::V1;
const V2: RealtimeVersion = RealtimeVersion::V2;

fn said(version: RealtimeVersion, command: RealtimeCommand) -> Option<Value> {
    let frame = Codec::new(version).encode(&command)?;
    Some(serde_json::from_str(&frame).unwrap())
}

fn heard(version: RealtimeVersion, event: &Value) -> Result<Option<RealtimeEvent>, DecodeError> {
    Codec::new(version).decode(&event.to_string())
}

#[track_caller]
fn check(version: RealtimeVersion, event: Value, expected: RealtimeEvent) {
    assert_eq!(heard(version, &event), Ok(Some(expected)), "{event}");
}

#[track_caller]
fn ignored(version: RealtimeVersion, event: Value) {
    assert_eq!(heard(version, &event), Ok(None), "{event}");
}

fn config(mode: SessionMode) -> RealtimeCommand {
    RealtimeCommand::UpdateSession(SessionConfig {
        mode,
        instructions: "be brief".into(),
        voice: "cedar".into(),
        barge_in: BargeIn::ByService,
    })
}

fn output(is_final: bool) -> RealtimeCommand {
    RealtimeCommand::HandoffOutput { handoff: "call_1".into(), text: "done".into(), is_final }
}

#[test]
fn a_conversation_is_configured() {
    let mut message = said(V2, config(SessionMode::Conversational)).unwrap();
    let description = message["session"]["tools"][0]["description"].take();
    assert!(description.as_str().unwrap().contains("user's own words"));
    let property = &mut message["session"]["tools"][0]["parameters"]["properties"]["prompt"];
    assert!(property["description"].take().is_string());
    assert_eq!(
        message,
        json!({
            "type": "session.update",
            "session": {
                "type": "realtime",
                "instructions": "be brief",
                "output_modalities": ["audio"],
                "audio": {
                    "input": {
                        "format": { "type": "audio/pcm", "rate": 24000 },
                        "noise_reduction": { "type": "near_field" },
                        "transcription": { "model": "gpt-4o-mini-transcribe" },
                        "turn_detection": {
                            "type": "server_vad",
                            "interrupt_response": true,
                            "create_response": true,
                        },
                    },
                    "output": {
                        "format": { "type": "audio/pcm", "rate": 24000 },
                        "voice": "cedar",
                    },
                },
                "tools": [{
                    "type": "function",
                    "name": "background_agent",
                    "description": null,
                    "parameters": {
                        "type": "object",
                        "properties": { "prompt": { "type": "string", "description": null } },
                        "required": ["prompt"],
                        "additionalProperties": false,
                    },
                }],
                "tool_choice": "auto",
            },
        })
    );
    assert_eq!(
        said(V1, config(SessionMode::Transcription)),
        Some(json!({
            "type": "session.update",
            "session": {
                "type": "quicksilver",
                "instructions": "be brief",
                "audio": {
                    "input": { "format": { "type": "audio/pcm", "rate": 24000 } },
                    "output": { "voice": "cedar" },
                },
            },
        }))
    );
}

#[test]
fn a_transcription_has_nothing_but_its_input() {
    assert_eq!(
        said(V2, config(SessionMode::Transcription)),
        Some(json!({
            "type": "session.update",
            "session": {
                "type": "transcription",
                "audio": { "input": {
                    "format": { "type": "audio/pcm", "rate": 24000 },
                    "transcription": { "model": "gpt-4o-mini-transcribe" },
                } },
            },
        }))
    );
}

#[test]
fn only_the_final_answer_carries_the_label() {
    let answer = |text: &str| {
        Some(json!({
            "type": "conversation.item.create",
            "item": { "type": "function_call_output", "call_id": "call_1", "output": text },
        }))
    };
    assert_eq!(said(V2, output(true)), answer("\"Agent Final Message\":\n\ndone"));
    assert_eq!(said(V2, output(false)), answer("done"));

    let append = |text: &str| {
        Some(json!({
            "type": "conversation.handoff.append", "handoff_id": "call_1", "output_text": text,
        }))
    };
    assert_eq!(said(V1, output(true)), append("\"Agent Final Message\":\n\ndone"));
    assert_eq!(said(V1, output(false)), append("done"));

    let news = || RealtimeCommand::Progress { handoff: "call_1".into(), text: "half".into() };
    assert_eq!(said(V1, news()), append("half"));
    let message = said(V2, news()).unwrap();
    assert_eq!(message["item"]["role"], "user");
    assert_eq!(
        message["item"]["content"][0]["text"],
        "Update from background agent (task hasn't finished yet):\n\nhalf"
    );
}

#[test]
fn small_commands_have_their_words() {
    let item = ItemId::from("item_1");
    let truncate = RealtimeCommand::Truncate { item, heard: Duration::from_micros(240_900) };
    assert_eq!(
        said(V2, truncate.clone()),
        Some(json!({
            "type": "conversation.item.truncate",
            "item_id": "item_1", "content_index": 0, "audio_end_ms": 240,
        }))
    );
    assert_eq!(
        said(V2, RealtimeCommand::CreateResponse),
        Some(json!({ "type": "response.create" }))
    );
    assert_eq!(
        said(V2, RealtimeCommand::CancelResponse),
        Some(json!({ "type": "response.cancel" }))
    );
    for command in [truncate, RealtimeCommand::CreateResponse, RealtimeCommand::CancelResponse] {
        assert_eq!(said(V1, command), None);
    }
    for version in [V1, V2] {
        assert_eq!(
            said(version, RealtimeCommand::AppendAudio { pcm: vec![1, -2] }),
            Some(json!({ "type": "input_audio_buffer.append", "audio": "AQD+/w==" }))
        );
    }
    for (version, kind) in [(V1, "text"), (V2, "input_text")] {
        assert_eq!(
            said(version, RealtimeCommand::Text { text: "hi".into() }),
            Some(json!({
                "type": "conversation.item.create",
                "item": {
                    "type": "message", "role": "user",
                    "content": [{ "type": kind, "text": "hi" }],
                },
            }))
        );
        let mirrored = said(version, RealtimeCommand::Mirror { text: "hi".into() }).unwrap();
        assert_eq!(
            mirrored["item"]["content"][0]["text"],
            "Typed by the user to the background agent, which has it already:\n\nhi"
        );
    }
}

#[test]
fn events_of_the_current_protocol_and_its_beta_are_understood() {
    let item = Some(ItemId::from("item_1"));
    check(
        V2,
        json!({ "type": "session.created", "session": { "id": "sess_1" } }),
        RealtimeEvent::SessionCreated { session: Some("sess_1".into()) },
    );
    check(
        V2,
        json!({ "type": "session.updated", "session": {} }),
        RealtimeEvent::SessionUpdated { session: None },
    );
    check(
        V2,
        json!({ "type": "input_audio_buffer.speech_started", "item_id": "item_1" }),
        RealtimeEvent::SpeechStarted { item: item.clone() },
    );
    check(
        V2,
        json!({ "type": "input_audio_buffer.speech_stopped" }),
        RealtimeEvent::SpeechStopped { item: None },
    );
    let transcription = "conversation.item.input_audio_transcription";
    check(
        V2,
        json!({ "type": format!("{transcription}.delta"), "item_id": "item_1", "delta": "a " }),
        RealtimeEvent::InputTranscriptDelta { item: item.clone(), delta: "a ".into() },
    );
    check(
        V2,
        json!({ "type": format!("{transcription}.completed"), "item_id": "item_1", "transcript": "a" }),
        RealtimeEvent::InputTranscript { item: item.clone(), text: "a".into() },
    );
    check(
        V2,
        json!({
            "type": format!("{transcription}.failed"), "item_id": "item_1",
            "error": { "message": "too quiet" },
        }),
        RealtimeEvent::InputTranscriptFailed { item: item.clone(), message: "too quiet".into() },
    );
    for kind in [
        "response.output_audio_transcript.delta",
        "response.audio_transcript.delta",
        "response.output_text.delta",
        "response.text.delta",
    ] {
        check(
            V2,
            json!({ "type": kind, "item_id": "item_1", "delta": "a" }),
            RealtimeEvent::OutputTranscriptDelta { item: item.clone(), delta: "a".into() },
        );
    }
    for (kind, field) in [
        ("response.output_audio_transcript.done", "transcript"),
        ("response.audio_transcript.done", "transcript"),
        ("response.output_text.done", "text"),
        ("response.text.done", "text"),
    ] {
        check(
            V2,
            json!({ "type": kind, "item_id": "item_1", field: "a" }),
            RealtimeEvent::OutputTranscript { item: item.clone(), text: "a".into() },
        );
    }
    for kind in ["response.output_audio.delta", "response.audio.delta"] {
        check(
            V2,
            json!({ "type": kind, "item_id": "item_1", "delta": "AQD+/w==" }),
            RealtimeEvent::Audio { item: item.clone(), pcm: vec![1, -2] },
        );
    }
    for kind in ["conversation.item.added", "conversation.item.created"] {
        check(
            V2,
            json!({ "type": kind, "item": { "id": "item_1", "x": [1] } }),
            RealtimeEvent::ItemAdded {
                item: item.clone(),
                raw: r#"{"id":"item_1","x":[1]}"#.into(),
            },
        );
    }
    check(
        V2,
        json!({ "type": "conversation.item.done", "item": { "id": "item_1", "type": "message" } }),
        RealtimeEvent::ItemDone { item },
    );
}

#[test]
fn responses_end_as_the_service_says() {
    let done = |outcome, problem: Option<&str>| RealtimeEvent::ResponseDone {
        response: Some(ResponseId::from("resp_1")),
        outcome,
        problem: problem.map(str::to_owned),
    };
    check(
        V2,
        json!({ "type": "response.created", "response": { "id": "resp_1" } }),
        RealtimeEvent::ResponseCreated { response: Some("resp_1".into()) },
    );
    check(
        V2,
        json!({ "type": "response.done", "response_id": "resp_1" }),
        done(ResponseOutcome::Completed, None),
    );
    check(
        V2,
        json!({ "type": "response.cancelled", "response": { "id": "resp_1" } }),
        done(ResponseOutcome::Cancelled, None),
    );
    for (status, details, outcome, problem) in [
        ("completed", Value::Null, ResponseOutcome::Completed, None),
        ("cancelled", json!({ "reason": "turn_detected" }), ResponseOutcome::Cancelled, None),
        (
            "incomplete",
            json!({ "reason": "max_output_tokens" }),
            ResponseOutcome::Incomplete,
            Some("max_output_tokens"),
        ),
        (
            "failed",
            json!({ "error": { "message": "You exceeded your quota" } }),
            ResponseOutcome::Failed,
            Some("You exceeded your quota"),
        ),
    ] {
        let response = json!({ "id": "resp_1", "status": status, "status_details": details });
        check(V2, json!({ "type": "response.done", "response": response }), done(outcome, problem));
    }
}

fn call(item: Value) -> Value {
    json!({ "type": "conversation.item.done", "item": item })
}

fn handoff(input: &str) -> RealtimeEvent {
    RealtimeEvent::HandoffRequested(Handoff {
        id: HandoffId::from("call_1"),
        item: ItemId::from("item_1"),
        input: input.into(),
        messages: Vec::new(),
    })
}

#[test]
fn a_handoff_is_recognised_by_its_tool() {
    for (arguments, input) in [
        (r#"{"prompt":" run the tests "}"#, "run the tests"),
        (r#"{"query":"c","prompt":"b","input_transcript":"a"}"#, "a"),
        (r#"{"input":"  ","text":3,"query":"c"}"#, "c"),
        (r#"{"other":"x"}"#, r#"{"other":"x"}"#),
        ("run the tests", "run the tests"),
        ("", ""),
    ] {
        let item = json!({
            "id": "item_1", "call_id": "call_1", "type": "function_call",
            "name": "background_agent", "arguments": arguments,
        });
        check(V2, call(item.clone()), handoff(input));
        check(V2, json!({ "type": "response.output_item.done", "item": item }), handoff(input));
    }

    let event =
        call(json!({ "id": "item_1", "type": "function_call", "name": "background_agent" }));
    let Ok(Some(RealtimeEvent::HandoffRequested(handoff))) = heard(V2, &event) else {
        panic!("{event}");
    };
    assert_eq!((handoff.id.as_str(), handoff.item.as_str()), ("item_1", "item_1"));

    for item in [
        json!({ "id": "item_1", "type": "function_call", "name": "codex", "call_id": "call_1" }),
        json!({ "id": "item_1", "type": "message", "name": "background_agent" }),
        // Cut short: half its arguments.
        json!({
            "id": "item_1", "type": "function_call", "name": "background_agent",
            "call_id": "call_1", "status": "incomplete", "arguments": "{\"pro",
        }),
    ] {
        check(V2, call(item), RealtimeEvent::ItemDone { item: Some("item_1".into()) });
    }
    let done = json!({
        "type": "response.done",
        "response": {
            "status": "completed",
            "output": [{ "type": "function_call", "name": "background_agent", "call_id": "call_1" }],
        },
    });
    check(
        V2,
        done,
        RealtimeEvent::ResponseDone {
            response: None,
            outcome: ResponseOutcome::Completed,
            problem: None,
        },
    );
}

#[test]
fn faults_are_sorted_by_code() {
    let fault = |kind, message: &str| RealtimeEvent::Fault(Fault { kind, message: message.into() });
    for (code, kind) in [
        ("conversation_already_has_active_response", FaultKind::ResponseActive),
        ("response_cancel_not_active", FaultKind::NothingToCancel),
        ("item_truncate_invalid_item_id", FaultKind::Refused),
        ("invented_tomorrow", FaultKind::Refused),
        ("session_expired", FaultKind::Fatal),
        ("invalid_api_key", FaultKind::Fatal),
        ("insufficient_quota", FaultKind::Fatal),
    ] {
        let error = json!({ "type": "invalid_request_error", "code": code, "message": "m" });
        check(V2, json!({ "type": "error", "error": error }), fault(kind, "m"));
    }
    let quota = json!({ "type": "insufficient_quota", "code": null, "message": "m" });
    check(V2, json!({ "type": "error", "error": quota }), fault(FaultKind::Fatal, "m"));
    let unwell = json!({ "type": "server_error", "message": "m" });
    check(V2, json!({ "type": "error", "error": unwell }), fault(FaultKind::Refused, "m"));
    // An older service: no code, no type.
    for version in [V1, V2] {
        check(version, json!({ "type": "error", "message": "m" }), fault(FaultKind::Fatal, "m"));
        check(
            version,
            json!({ "type": "error", "error": { "why": 1 } }),
            fault(FaultKind::Fatal, r#"{"why":1}"#),
        );
        ignored(version, json!({ "type": "error" }));
    }
}

#[test]
fn the_older_dialect_is_understood() {
    check(
        V1,
        json!({ "type": "session.updated", "session": { "id": "s" } }),
        RealtimeEvent::SessionUpdated { session: Some("s".into()) },
    );
    check(
        V1,
        json!({
            "type": "conversation.output_audio.delta",
            "data": "AQD+/w==", "sample_rate": 24000, "num_channels": 1,
        }),
        RealtimeEvent::Audio { item: None, pcm: vec![1, -2] },
    );
    check(
        V1,
        json!({ "type": "conversation.input_transcript.delta", "delta": "a " }),
        RealtimeEvent::InputTranscriptDelta { item: None, delta: "a ".into() },
    );
    check(
        V1,
        json!({
            "type": "conversation.handoff.requested",
            "handoff_id": "call_1", "item_id": "item_1", "input_transcript": "go",
        }),
        handoff("go"),
    );
    ignored(V1, json!({ "type": "response.created" }));
}

#[test]
fn what_is_strange_is_passed_over_or_named() {
    ignored(V2, json!({ "type": "rate_limits.updated", "rate_limits": [] }));
    ignored(V2, json!({ "type": "invented.tomorrow" }));
    let lacks = |kind: &str, field| Err(DecodeError::Field { kind: kind.into(), field });
    for (event, error) in [
        (json!({ "type": "conversation.item.added" }), lacks("conversation.item.added", "item")),
        (
            json!({ "type": "response.output_audio.delta" }),
            lacks("response.output_audio.delta", "delta"),
        ),
        (
            json!({ "type": "response.output_audio.delta", "delta": "!" }),
            lacks("response.output_audio.delta", "delta"),
        ),
        (
            json!({ "type": "response.output_text.done", "text": 1 }),
            lacks("response.output_text.done", "text"),
        ),
        (
            json!({ "type": "response.audio.delta", "delta": "", "sample_rate": 48000 }),
            Err(DecodeError::SoundShape { rate: 48_000, channels: 1 }),
        ),
        (json!([]), Err(DecodeError::NotAnEvent)),
        (json!({ "kind": "error" }), Err(DecodeError::NotAnEvent)),
    ] {
        assert_eq!(heard(V2, &event), error, "{event}");
    }

    let mut codec = Codec::new(V2);
    codec.decode(r#"{"type":"session.created"}"#).unwrap();
    codec.decode(r#"{"type":"invented.tomorrow"}"#).unwrap();
    assert_eq!(codec.ignored(), 1);
}

#[test]
fn a_sample_may_be_cut_between_two_events_of_an_item() {
    let mut codec = Codec::new(V2);
    let mut hear = |item: &str, delta: &str| {
        let event =
            json!({ "type": "response.output_audio.delta", "item_id": item, "delta": delta });
        match codec.decode(&event.to_string()) {
            Ok(Some(RealtimeEvent::Audio { pcm, .. })) => pcm,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(hear("a", "AQAC"), [1]);
    assert_eq!(hear("a", "AAM="), [2]);
    assert_eq!(hear("b", "BAA="), [4]);
}
