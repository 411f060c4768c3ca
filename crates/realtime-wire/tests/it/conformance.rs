//! One of each server event, written to a file for readers that are not ours:
//! `tests/conformance.py` holds them against the service's own SDK.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use realtime_wire::server::{
    CallAt, CancelReason, Content, ErrorCode, Function, IncompleteReason, Item, ItemBody,
    ItemStatus, MaxTokens, NoiseKind, NoiseReduction, Part, PartAt, RateLimit, Refusal, Response,
    ResponseStatus, Role, ServerEvent, Session, SessionKind, Tool, ToolChoice, Transcription,
    TranscriptionUsage, Truncation, TurnDetection, Usage, Voice, encode,
};
use serde_json::{Value, json};

use crate::server_out::{message, response};

#[test]
#[expect(clippy::disallowed_methods, reason = "readers in other languages take files")]
fn one_of_each_event_is_written_for_other_readers() {
    let mut lines = String::new();
    let mut kinds = BTreeSet::new();
    for (index, event) in corpus().iter().enumerate() {
        let frame = encode(event, &format!("event_{index}"));
        let kind = serde_json::from_str::<Value>(&frame).unwrap()["type"].to_string();
        kinds.insert(kind);
        writeln!(lines, "{frame}").unwrap();
    }
    // A new event must be added to the corpus, and counted here.
    assert_eq!(kinds.len(), 34, "{kinds:#?}");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("server-events.jsonl");
    fs::write(file, lines).unwrap();
}

fn corpus() -> Vec<ServerEvent> {
    let id = || "item_1".to_owned();
    let response_id = || "resp_1".to_owned();
    let at =
        || PartAt { response_id: response_id(), item_id: id(), output_index: 0, content_index: 0 };
    let call_at = || CallAt {
        response_id: response_id(),
        item_id: id(),
        output_index: 0,
        call_id: "call_1".into(),
    };
    let mut events: Vec<ServerEvent> = sessions()
        .into_iter()
        .map(|session| ServerEvent::SessionUpdated(Box::new(session)))
        .collect();
    events.extend(items().into_iter().flat_map(|item| {
        [
            ServerEvent::ItemAdded { item: item.clone(), previous_item_id: None },
            ServerEvent::ItemDone { item: item.clone(), previous_item_id: Some("item_0".into()) },
            ServerEvent::ItemRetrieved { item: item.clone() },
            ServerEvent::OutputItemAdded {
                response_id: "resp_1".into(),
                output_index: 0,
                item: item.clone(),
            },
            ServerEvent::OutputItemDone { response_id: "resp_1".into(), output_index: 0, item },
        ]
    }));
    events.extend(responses().into_iter().flat_map(|response| {
        [
            ServerEvent::ResponseCreated(Box::new(response.clone())),
            ServerEvent::ResponseDone(Box::new(response)),
        ]
    }));
    events.extend([
        ServerEvent::Error(Refusal::nothing_to_cancel().answering(Some("mine"))),
        ServerEvent::Error(Refusal::new(ErrorCode::ServerError, "broken")),
        ServerEvent::SessionCreated(Box::new(Session::new(SessionKind::Realtime, "sess_1", "m"))),
        ServerEvent::SpeechStarted { audio_start_ms: 0, item_id: id() },
        ServerEvent::SpeechStopped { audio_end_ms: 1, item_id: id() },
        ServerEvent::AudioCommitted { item_id: id(), previous_item_id: None },
        ServerEvent::AudioCleared,
        ServerEvent::TimeoutTriggered { audio_start_ms: 0, audio_end_ms: 1, item_id: id() },
        ServerEvent::ItemTruncated { item_id: id(), content_index: 0, audio_end_ms: 1 },
        ServerEvent::ItemDeleted { item_id: id() },
        ServerEvent::TranscriptionDelta { item_id: id(), content_index: 0, delta: "a".into() },
        ServerEvent::TranscriptionCompleted {
            item_id: id(),
            content_index: 0,
            transcript: "a".into(),
            usage: TranscriptionUsage::Seconds(1.25),
        },
        ServerEvent::TranscriptionCompleted {
            item_id: id(),
            content_index: 0,
            transcript: "a".into(),
            usage: TranscriptionUsage::Tokens { text: 1, audio: 2, output: 3 },
        },
        ServerEvent::TranscriptionFailed {
            item_id: id(),
            content_index: 0,
            code: "audio_unintelligible".into(),
            message: "noise".into(),
        },
        ServerEvent::PartAdded { at: at(), part: Part::Audio { transcript: String::new() } },
        ServerEvent::PartDone { at: at(), part: Part::Text { text: "a".into() } },
        ServerEvent::TextDelta { at: at(), delta: "a".into() },
        ServerEvent::TextDone { at: at(), text: "a".into() },
        ServerEvent::AudioDelta { at: at(), audio: vec![1, 2] },
        ServerEvent::AudioDone { at: at() },
        ServerEvent::TranscriptDelta { at: at(), delta: "a".into() },
        ServerEvent::TranscriptDone { at: at(), transcript: "a".into() },
        ServerEvent::ArgumentsDelta { at: call_at(), delta: "{".into() },
        ServerEvent::ArgumentsDone { at: call_at(), name: "f".into(), arguments: "{}".into() },
        ServerEvent::OutputAudioStarted { response_id: response_id() },
        ServerEvent::OutputAudioStopped { response_id: response_id() },
        ServerEvent::OutputAudioCleared { response_id: response_id() },
        ServerEvent::RateLimits(vec![RateLimit {
            name: "tokens",
            limit: 10,
            remaining: 9,
            reset_seconds: 0.5,
        }]),
    ]);
    events
}

fn sessions() -> [Session; 3] {
    let plain = Session::new(SessionKind::Realtime, "sess_1", "gpt-realtime");
    let mut rich = plain.clone();
    rich.noise_reduction = Some(NoiseReduction { kind: NoiseKind::FarField, strength: 0.5 });
    rich.transcription = Some(Transcription {
        model: Some("whisper-1".into()),
        languages: Some(vec!["en".into()]),
        ..Transcription::default()
    });
    rich.turn_detection = Some(TurnDetection::SEMANTIC_VAD);
    rich.voice = Voice::Custom("voice_1".into());
    rich.tools = vec![Tool::Function(Function {
        name: "f".into(),
        description: Some("does".into()),
        parameters: Some(json!({ "type": "object" })),
    })];
    rich.tool_choice = ToolChoice::Function("f".into());
    rich.parallel_tool_calls = Some(true);
    rich.max_output_tokens = MaxTokens::Limit(100);
    rich.truncation = Truncation::Retention { ratio: 0.5, post_instructions: Some(100) };
    rich.tracing = Some(json!("auto"));
    [plain, rich, Session::new(SessionKind::Transcription, "sess_1", "whisper-1")]
}

fn items() -> Vec<Item> {
    let body = |body| Item { id: "item_1".into(), status: ItemStatus::Completed, body };
    vec![
        message(
            Role::User,
            ItemStatus::Completed,
            vec![
                Content::InputText { text: "a".into() },
                Content::InputAudio { audio: [1, 2].into(), transcript: None },
                Content::InputImage {
                    image_url: "data:image/png;base64,".into(),
                    detail: Some("low".into()),
                },
            ],
        ),
        message(Role::System, ItemStatus::Completed, vec![Content::InputText { text: "a".into() }]),
        message(
            Role::Assistant,
            ItemStatus::Incomplete,
            vec![
                Content::OutputText { text: "a".into() },
                Content::OutputAudio { audio: [1, 2].into(), transcript: Some("a".into()) },
            ],
        ),
        message(Role::Assistant, ItemStatus::InProgress, Vec::new()),
        body(ItemBody::FunctionCall {
            call_id: "call_1".into(),
            name: "f".into(),
            arguments: "{}".into(),
        }),
        body(ItemBody::FunctionCallOutput { call_id: "call_1".into(), output: "ok".into() }),
    ]
}

fn responses() -> Vec<Response> {
    let done = |status| Response {
        usage: Some(Usage { input_text: 1, output_audio: 2, ..Usage::default() }),
        output: items(),
        ..response(status)
    };
    vec![
        Response { conversation_id: None, metadata: None, ..response(ResponseStatus::InProgress) },
        done(ResponseStatus::Completed),
        done(ResponseStatus::Cancelled(CancelReason::TurnDetected)),
        done(ResponseStatus::Incomplete(IncompleteReason::MaxOutputTokens)),
        done(ResponseStatus::Failed { code: "tts_failed".into(), message: "no voice".into() }),
    ]
}
