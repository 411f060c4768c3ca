use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use app_server_protocol::{Origin, ServerNotification, news};
use protocol::{
    ApprovalPolicy, ChangeKind, CloseReason, CommandItem, Event, EventBody, FileChange,
    FileChangeItem, HandoffId, InputSource, Item, ItemBody, ItemId, ItemStatus, PlaybackChange,
    RealtimeNotice, RealtimeVersion, ResponseId, SandboxPolicy, Speaker, Stage, ThreadSettings,
    ToolItem, TranscriptLine, TurnFailure, TurnId, TurnStatus, Usage,
};
use serde_json::value::RawValue;

/// The lines an event becomes, and that a client of ours reads back what was written.
#[track_caller]
fn check(body: EventBody, expected: &[&str]) {
    let event = Event {
        thread: "t".into(),
        seq: 7,
        at: UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        body,
    };
    let origin = Origin { version: "0.0.0", path: Some(Path::new("/h/r.jsonl")) };
    let news = news(&event, origin);
    let lines: Vec<String> = news.iter().map(ServerNotification::to_line).collect();
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    assert_eq!(lines, expected);
    for (news, line) in news.iter().zip(&lines) {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let params = RawValue::from_string(value["params"].to_string()).unwrap();
        let read = ServerNotification::read(news.method().to_owned(), Some(&params));
        assert_eq!(&read, news);
    }
}

fn item(body: ItemBody) -> Item {
    Item { id: ItemId::new("i"), body }
}

fn turn() -> TurnId {
    TurnId::new("u")
}

#[test]
fn a_thread_starts() {
    let settings = ThreadSettings {
        cwd: PathBuf::from("/w"),
        model: "m".into(),
        model_provider: "local".into(),
        approval_policy: ApprovalPolicy::Never,
        sandbox: SandboxPolicy::default(),
        developer_instructions: None,
        ephemeral: false,
    };
    check(
        EventBody::ThreadStarted { settings },
        &[concat!(
            r#"{"method":"thread/started","params":{"thread":{"id":"t","sessionId":"t","#,
            r#""preview":"","ephemeral":false,"modelProvider":"local","model":"m","#,
            r#""createdAt":1700000000,"updatedAt":1700000000,"status":{"type":"idle"},"#,
            r#""path":"/h/r.jsonl","cwd":"/w","cliVersion":"0.0.0","source":"appServer","#,
            r#""name":null,"projectId":null,"turns":[]}}}"#,
        )],
    );
}

#[test]
fn a_turn_starts_and_ends() {
    check(
        EventBody::TurnPreparing { turn: turn() },
        &[
            r#"{"method":"thread/status/changed","params":{"threadId":"t","status":{"type":"active","activeFlags":[]}}}"#,
        ],
    );
    check(
        EventBody::TurnStarted { turn: turn(), source: InputSource::Typed },
        &[
            r#"{"method":"turn/started","params":{"threadId":"t","turn":{"id":"u","items":[],"status":"inProgress","error":null,"startedAt":1700000000}}}"#,
        ],
    );
    check(
        EventBody::TurnCompleted { turn: turn(), status: TurnStatus::Interrupted },
        &[
            r#"{"method":"thread/status/changed","params":{"threadId":"t","status":{"type":"idle"}}}"#,
            r#"{"method":"turn/completed","params":{"threadId":"t","turn":{"id":"u","items":[],"status":"interrupted","error":null,"completedAt":1700000000}}}"#,
        ],
    );
}

#[test]
fn a_failure_is_told_once_as_error_and_once_as_the_turns_end() {
    check(
        EventBody::TurnCompleted {
            turn: turn(),
            status: TurnStatus::Failed(TurnFailure { message: "no key".into() }),
        },
        &[
            r#"{"method":"error","params":{"threadId":"t","turnId":"u","error":{"message":"no key","codexErrorInfo":null,"additionalDetails":null},"willRetry":false}}"#,
            r#"{"method":"thread/status/changed","params":{"threadId":"t","status":{"type":"systemError"}}}"#,
            r#"{"method":"turn/completed","params":{"threadId":"t","turn":{"id":"u","items":[],"status":"failed","error":{"message":"no key","codexErrorInfo":null,"additionalDetails":null},"completedAt":1700000000}}}"#,
        ],
    );
    check(
        EventBody::Retrying {
            turn: turn(),
            message: "503".into(),
            attempt: 2,
            wait: Duration::from_millis(400),
        },
        &[
            r#"{"method":"error","params":{"threadId":"t","turnId":"u","error":{"message":"503 (try 2 in 400 ms)","codexErrorInfo":null,"additionalDetails":null},"willRetry":true}}"#,
        ],
    );
}

#[test]
fn items_have_the_shapes_that_clients_know() {
    let started = |body| EventBody::ItemStarted { turn: turn(), item: item(body) };
    let completed = |body| EventBody::ItemCompleted { turn: turn(), item: item(body) };
    check(
        completed(ItemBody::UserMessage { text: "hi".into(), source: InputSource::Spoken }),
        &[
            r#"{"method":"item/completed","params":{"threadId":"t","turnId":"u","item":{"type":"userMessage","id":"i","content":[{"type":"text","text":"hi"}]},"completedAtMs":1700000000123}}"#,
        ],
    );
    let command = CommandItem {
        call: "c".into(),
        command: "cargo test".into(),
        cwd: "/w".into(),
        status: ItemStatus::InProgress,
        exit_code: None,
        output: String::new(),
        duration: None,
    };
    check(
        started(ItemBody::Command(command.clone())),
        &[
            r#"{"method":"item/started","params":{"threadId":"t","turnId":"u","item":{"type":"commandExecution","id":"i","command":"cargo test","cwd":"/w","status":"inProgress","commandActions":[{"type":"unknown","command":"cargo test"}],"aggregatedOutput":null,"exitCode":null,"durationMs":null},"startedAtMs":1700000000123}}"#,
        ],
    );
    check(
        completed(ItemBody::Command(CommandItem {
            status: ItemStatus::Failed,
            exit_code: Some(101),
            output: "1 failed".into(),
            duration: Some(Duration::from_millis(1500)),
            ..command
        })),
        &[
            r#"{"method":"item/completed","params":{"threadId":"t","turnId":"u","item":{"type":"commandExecution","id":"i","command":"cargo test","cwd":"/w","status":"failed","commandActions":[{"type":"unknown","command":"cargo test"}],"aggregatedOutput":"1 failed","exitCode":101,"durationMs":1500},"completedAtMs":1700000000123}}"#,
        ],
    );
    check(
        completed(ItemBody::FileChange(FileChangeItem {
            call: "c".into(),
            changes: vec![
                FileChange { path: "a".into(), kind: ChangeKind::Add, diff: "+x".into() },
                FileChange {
                    path: "b".into(),
                    kind: ChangeKind::Update { moved_to: Some("d".into()) },
                    diff: String::new(),
                },
            ],
            status: ItemStatus::Declined,
            output: "refused".into(),
        })),
        &[
            r#"{"method":"item/completed","params":{"threadId":"t","turnId":"u","item":{"type":"fileChange","id":"i","changes":[{"path":"a","kind":{"type":"add"},"diff":"+x"},{"path":"b","kind":{"type":"update","move_path":"d"},"diff":""}],"status":"declined","reason":"refused"},"completedAtMs":1700000000123}}"#,
        ],
    );
    check(
        completed(ItemBody::Tool(ToolItem {
            call: "c".into(),
            tool: "read_file".into(),
            arguments: r#"{"path":"a"}"#.into(),
            status: ItemStatus::Declined,
            result: "no".into(),
            duration: None,
        })),
        &[
            r#"{"method":"item/completed","params":{"threadId":"t","turnId":"u","item":{"type":"dynamicToolCall","id":"i","namespace":null,"tool":"read_file","arguments":{"path":"a"},"status":"failed","contentItems":[{"type":"inputText","text":"no"}],"success":null,"durationMs":null},"completedAtMs":1700000000123}}"#,
        ],
    );
    check(completed(ItemBody::Spoken { speaker: Speaker::User, text: "hi".into() }), &[]);
}

#[test]
fn arguments_that_are_no_json_are_shown_as_they_are() {
    let tool = ToolItem {
        call: "c".into(),
        tool: "search".into(),
        arguments: "{oops".into(),
        status: ItemStatus::InProgress,
        result: String::new(),
        duration: None,
    };
    check(
        EventBody::ItemStarted { turn: turn(), item: item(ItemBody::Tool(tool)) },
        &[
            r#"{"method":"item/started","params":{"threadId":"t","turnId":"u","item":{"type":"dynamicToolCall","id":"i","namespace":null,"tool":"search","arguments":"{oops","status":"inProgress","contentItems":null,"success":null,"durationMs":null},"startedAtMs":1700000000123}}"#,
        ],
    );
}

#[test]
fn deltas_usage_and_warnings() {
    check(
        EventBody::AgentMessageDelta { turn: turn(), item: "i".into(), delta: "x".into() },
        &[
            r#"{"method":"item/agentMessage/delta","params":{"threadId":"t","turnId":"u","itemId":"i","delta":"x"}}"#,
        ],
    );
    check(
        EventBody::CommandOutputDelta { turn: turn(), item: "i".into(), delta: "x".into() },
        &[
            r#"{"method":"item/commandExecution/outputDelta","params":{"threadId":"t","turnId":"u","itemId":"i","delta":"x"}}"#,
        ],
    );
    let last =
        Usage { input_tokens: 10, cached_input_tokens: 4, output_tokens: 3, reasoning_tokens: 1 };
    check(
        EventBody::TokenUsage { turn: turn(), last, total: last },
        &[
            r#"{"method":"thread/tokenUsage/updated","params":{"threadId":"t","turnId":"u","tokenUsage":{"total":{"totalTokens":13,"inputTokens":10,"cachedInputTokens":4,"outputTokens":3,"reasoningOutputTokens":1},"last":{"totalTokens":13,"inputTokens":10,"cachedInputTokens":4,"outputTokens":3,"reasoningOutputTokens":1},"modelContextWindow":null}}}"#,
        ],
    );
    check(
        EventBody::Warning { message: "w".into() },
        &[r#"{"method":"warning","params":{"threadId":"t","message":"w"}}"#],
    );
}

#[test]
fn a_conversation_is_told_as_it_goes() {
    let check = |notice, expected: &str| check(EventBody::Realtime(notice), &[expected]);
    check(
        RealtimeNotice::Started { session: Some("s".into()), version: RealtimeVersion::V2 },
        r#"{"method":"thread/realtime/started","params":{"threadId":"t","realtimeSessionId":"s","sessionId":"s","version":"v2"}}"#,
    );
    check(
        RealtimeNotice::ItemAdded { raw: r#"{"type":"message"}"#.into() },
        r#"{"method":"thread/realtime/itemAdded","params":{"threadId":"t","item":{"type":"message"}}}"#,
    );
    check(
        RealtimeNotice::ItemAdded { raw: "{oops".into() },
        r#"{"method":"thread/realtime/itemAdded","params":{"threadId":"t","item":"{oops"}}"#,
    );
    check(
        RealtimeNotice::TranscriptDelta { speaker: Speaker::User, delta: "run".into() },
        r#"{"method":"thread/realtime/transcript/delta","params":{"threadId":"t","role":"user","delta":"run"}}"#,
    );
    check(
        RealtimeNotice::TranscriptDone { speaker: Speaker::Assistant, text: "ok".into() },
        r#"{"method":"thread/realtime/transcript/done","params":{"threadId":"t","role":"assistant","text":"ok"}}"#,
    );
    check(
        RealtimeNotice::Audio { item: None, pcm: [0, 1].into() },
        r#"{"method":"thread/realtime/outputAudio/delta","params":{"threadId":"t","audio":{"data":"AAABAA==","sampleRate":24000,"numChannels":1,"samplesPerChannel":2,"itemId":null}}}"#,
    );
    check(
        RealtimeNotice::SpeechStarted { item: None },
        r#"{"method":"thread/realtime/itemAdded","params":{"threadId":"t","item":{"type":"input_audio_buffer.speech_started","item_id":null}}}"#,
    );
    check(
        RealtimeNotice::ResponseCancelled { response: Some(ResponseId::new("r")) },
        r#"{"method":"thread/realtime/itemAdded","params":{"threadId":"t","item":{"type":"response.cancelled","response_id":"r"}}}"#,
    );
    check(
        RealtimeNotice::Handoff {
            handoff: HandoffId::new("h"),
            item: ItemId::new("i"),
            text: "run \"it\"".into(),
            transcript: vec![TranscriptLine { speaker: Speaker::User, text: "go".into() }],
        },
        r#"{"method":"thread/realtime/itemAdded","params":{"threadId":"t","item":{"type":"handoff_request","handoff_id":"h","item_id":"i","input_transcript":"run \"it\"","active_transcript":[{"role":"user","text":"go"}]}}}"#,
    );
    check(
        RealtimeNotice::Error { message: "e".into() },
        r#"{"method":"thread/realtime/error","params":{"threadId":"t","message":"e"}}"#,
    );
    check(
        RealtimeNotice::Closed { reason: CloseReason::TransportClosed },
        r#"{"method":"thread/realtime/closed","params":{"threadId":"t","reason":"transport_closed"}}"#,
    );
    check(
        RealtimeNotice::Stage { stage: Stage::HandedOff },
        r#"{"method":"thread/realtime/stage","params":{"threadId":"t","stage":"handedOff","atMs":1700000000123}}"#,
    );
    check(
        RealtimeNotice::Playback { change: PlaybackChange::Held },
        r#"{"method":"thread/realtime/playback","params":{"threadId":"t","change":"held","atMs":1700000000123}}"#,
    );
}
