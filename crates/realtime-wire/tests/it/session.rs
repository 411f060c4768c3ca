//! Session settings: what an update changes, and what the echo says.

use realtime_wire::server::{
    ClientEvent, ErrorCode, Refusal, ServerEvent, Session, SessionKind, VoiceUse, decode, encode,
};
use serde_json::{Value, json};

fn update(session: &mut Session, change: Value, voice: VoiceUse) -> Result<(), Refusal> {
    let event = json!({ "type": "session.update", "session": change });
    match decode(&event.to_string())?.event {
        ClientEvent::UpdateSession(patch) => session.apply(*patch, voice),
        other => panic!("{other:?}"),
    }
}

fn echo(session: &Session) -> Value {
    let frame = encode(&ServerEvent::SessionUpdated(Box::new(session.clone())), "e");
    serde_json::from_str::<Value>(&frame).unwrap()["session"].take()
}

/// Updates a fresh session by each of `changes` and expects these values in the echo.
#[track_caller]
fn check(changes: &[Value], expected: &[(&str, Value)]) {
    let mut session = Session::new(SessionKind::Realtime, "sess_1", "local");
    for change in changes {
        let mut change = change.clone();
        change["type"] = json!("realtime");
        update(&mut session, change, VoiceUse::Unheard).unwrap();
    }
    let echo = echo(&session);
    for (path, value) in expected {
        assert_eq!(echo.pointer(path), Some(value), "{path} in {echo:#}");
    }
}

#[track_caller]
fn refused(change: Value, code: ErrorCode, param: &str) {
    let mut session = Session::new(SessionKind::Realtime, "sess_1", "local");
    let before = session.clone();
    let refusal = update(&mut session, change, VoiceUse::Heard).unwrap_err();
    assert_eq!((refusal.code, refusal.param.as_deref()), (code, Some(param)), "{refusal:?}");
    assert_eq!(session, before, "a refused update changes nothing");
}

#[test]
fn a_new_session_echoes_every_default() {
    let mut session = Session::new(SessionKind::Realtime, "sess_1", "local");
    session.expires_at = 7;
    assert_eq!(
        echo(&session),
        json!({
            "type": "realtime",
            "object": "realtime.session",
            "id": "sess_1",
            "expires_at": 7,
            "model": "local",
            "output_modalities": ["audio"],
            "instructions": "",
            "audio": {
                "input": {
                    "format": { "type": "audio/pcm", "rate": 24000 },
                    "noise_reduction": null,
                    "transcription": null,
                    "turn_detection": {
                        "type": "server_vad",
                        "threshold": 0.5,
                        "prefix_padding_ms": 300,
                        "silence_duration_ms": 500,
                        "idle_timeout_ms": null,
                        "create_response": true,
                        "interrupt_response": true,
                    },
                },
                "output": {
                    "format": { "type": "audio/pcm", "rate": 24000 },
                    "voice": "marin",
                    "speed": 1.0,
                },
            },
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "truncation": "auto",
            "tracing": null,
            "include": null,
            "prompt": null,
        })
    );
}

#[test]
fn a_transcription_session_has_no_output() {
    let session = Session::new(SessionKind::Transcription, "sess_1", "local");
    let echo = echo(&session);
    assert_eq!(echo["object"], "realtime.transcription_session");
    assert_eq!(echo["audio"]["output"], Value::Null);
    assert_eq!(echo.get("model"), None);
}

#[test]
fn only_what_is_named_changes() {
    check(
        &[
            json!({ "instructions": "be brief", "audio": { "output": { "voice": "ash" } } }),
            json!({ "tracing": "auto" }),
            json!({ "audio": { "output": { "speed": 1.25 } } }),
        ],
        &[
            ("/instructions", json!("be brief")),
            ("/audio/output/voice", json!("ash")),
            ("/audio/output/speed", json!(1.25)),
            ("/tracing", json!("auto")),
            ("/audio/input/turn_detection/type", json!("server_vad")),
        ],
    );
}

#[test]
fn null_switches_off_and_empty_clears() {
    check(
        &[
            json!({
                "instructions": "x",
                "tools": [{ "type": "function", "name": "f" }],
                "audio": { "input": {
                    "transcription": { "model": "whisper-1" },
                    "noise_reduction": { "type": "far_field" },
                } },
            }),
            json!({
                "instructions": "",
                "tools": [],
                "audio": { "input": {
                    "transcription": null, "noise_reduction": null, "turn_detection": null,
                } },
            }),
        ],
        &[
            ("/instructions", json!("")),
            ("/tools", json!([])),
            ("/audio/input/transcription", Value::Null),
            ("/audio/input/noise_reduction", Value::Null),
            ("/audio/input/turn_detection", Value::Null),
        ],
    );
}

#[test]
fn turn_detection_keeps_what_is_left_out_while_its_type_stays() {
    let vad = |fields: Value| json!({ "audio": { "input": { "turn_detection": fields } } });
    check(
        &[
            vad(json!({ "type": "server_vad", "threshold": 0.7, "interrupt_response": false })),
            vad(json!({ "type": "server_vad", "silence_duration_ms": 200 })),
        ],
        &[(
            "/audio/input/turn_detection",
            json!({
                "type": "server_vad",
                "threshold": 0.7,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 200,
                "idle_timeout_ms": null,
                "create_response": true,
                "interrupt_response": false,
            }),
        )],
    );
    check(
        &[
            vad(json!({ "type": "server_vad", "interrupt_response": false })),
            vad(json!({ "type": "semantic_vad" })),
        ],
        &[(
            "/audio/input/turn_detection",
            json!({
                "type": "semantic_vad",
                "eagerness": "auto",
                "create_response": true,
                "interrupt_response": true,
            }),
        )],
    );
}

#[test]
fn noise_reduction_and_transcription_keep_what_is_left_out() {
    let input = |fields: Value| json!({ "audio": { "input": fields } });
    check(
        &[
            input(json!({ "noise_reduction": { "type": "near_field", "strength": 0.25 } })),
            input(json!({ "transcription": { "model": "whisper-1", "language": "en" } })),
            input(json!({
                "noise_reduction": { "type": "far_field" },
                "transcription": { "language": "de" },
            })),
        ],
        &[
            ("/audio/input/noise_reduction", json!({ "type": "far_field", "strength": 0.25 })),
            ("/audio/input/transcription", json!({ "model": "whisper-1", "language": "de" })),
        ],
    );
}

#[test]
fn the_model_stays() {
    check(&[json!({ "model": "gpt-realtime" })], &[("/model", json!("local"))]);
}

#[test]
fn an_update_that_is_wrong_anywhere_changes_nothing() {
    use ErrorCode::{InvalidValue, MissingRequiredParameter, UnknownParameter};
    let realtime = |fields: Value| {
        let mut change = fields;
        change["type"] = json!("realtime");
        change
    };
    refused(json!({ "instructions": "x" }), MissingRequiredParameter, "session.type");
    refused(json!({ "type": "transcription" }), InvalidValue, "session.type");
    refused(
        realtime(json!({ "instructions": "x", "output_modalities": ["audio", "text"] })),
        InvalidValue,
        "session.output_modalities",
    );
    refused(
        realtime(
            json!({ "audio": { "input": { "format": { "type": "audio/pcm", "rate": 16000 } } } }),
        ),
        InvalidValue,
        "session.audio.input.format.rate",
    );
    refused(
        realtime(json!({ "audio": { "output": { "speed": 9 } } })),
        InvalidValue,
        "session.audio.output.speed",
    );
    refused(
        realtime(json!({ "instructions": "x", "audio": { "output": { "voice": "ash" } } })),
        InvalidValue,
        "session.audio.output.voice",
    );
    refused(realtime(json!({ "voice": "ash" })), UnknownParameter, "session.voice");
    refused(realtime(json!({ "modalities": ["text"] })), UnknownParameter, "session.modalities");
}

#[test]
fn a_voice_that_was_heard_may_be_said_again() {
    let mut session = Session::new(SessionKind::Realtime, "sess_1", "local");
    let same = json!({ "type": "realtime", "audio": { "output": { "voice": "marin" } } });
    update(&mut session, same, VoiceUse::Heard).unwrap();
}
