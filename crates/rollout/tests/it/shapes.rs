//! The lines as they are on disk.

use std::path::PathBuf;
use std::time::Duration;

use protocol::{
    ApprovalPolicy, CallId, ChangeKind, CommandItem, EventBody, FileChange, FileChangeItem,
    InputSource, Item, ItemBody, ItemId, ItemStatus, ModelItem, Role, SandboxMode, SandboxPolicy,
    Speaker, ToolCall, ToolItem, TurnFailure, TurnId, TurnStatus, Usage,
};
use rollout::{Store, TurnContext};

use crate::log::{at, event, meta};

/// Writes one of everything, compares the file, and reads the same back.
#[test]
fn every_line_is_written_and_read_back() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::new(home.path());
    let mut writer = store.create(&meta()).unwrap();
    let turn = || TurnId::from("t1");

    let context = TurnContext {
        turn: turn(),
        cwd: PathBuf::from("/w"),
        approval_policy: ApprovalPolicy::Never,
        sandbox: SandboxPolicy {
            mode: SandboxMode::WorkspaceWrite,
            writable_roots: vec![PathBuf::from("/more")],
            network: false,
        },
        model: "small".to_owned(),
        model_provider: "local".to_owned(),
        realtime_active: true,
    };
    let history = vec![
        ModelItem::Message { role: Role::Developer, text: "be good".to_owned() },
        ModelItem::Message { role: Role::Material, text: "theirs".to_owned() },
        ModelItem::Message { role: Role::User, text: "run it".to_owned() },
        ModelItem::Reasoning { opaque: r#"{"type":"reasoning","id":"r1"}"#.to_owned() },
        ModelItem::ToolCall(ToolCall {
            call: CallId::from("c1"),
            name: "shell".to_owned(),
            arguments: "{}".to_owned(),
        }),
        ModelItem::ToolOutput { call: CallId::from("c1"), output: "ok".to_owned() },
        ModelItem::Message { role: Role::Assistant, text: "done".to_owned() },
    ];
    let items: Vec<Item> = bodies()
        .into_iter()
        .enumerate()
        .map(|(n, body)| Item { id: ItemId::new(format!("i{n}")), body })
        .collect();

    writer.turn_context(at(), &context).unwrap();
    let mut append = |body| writer.append(&event(body)).unwrap();
    append(EventBody::TurnStarted { turn: turn(), source: InputSource::Spoken });
    for item in &items {
        append(EventBody::ItemStarted { turn: turn(), item: item.clone() });
        append(EventBody::ItemCompleted { turn: turn(), item: item.clone() });
    }
    let usage =
        Usage { input_tokens: 4, cached_input_tokens: 3, output_tokens: 2, reasoning_tokens: 1 };
    append(EventBody::TokenUsage { turn: turn(), last: usage, total: usage });
    append(EventBody::Warning { message: "careful".to_owned() });
    append(EventBody::TurnCompleted { turn: turn(), status: TurnStatus::Completed });
    for (id, status) in [
        ("t2", TurnStatus::Interrupted),
        ("t3", TurnStatus::Failed(TurnFailure { message: "no model".to_owned() })),
        ("t4", TurnStatus::InProgress),
    ] {
        let turn = TurnId::from(id);
        append(EventBody::TurnStarted { turn: turn.clone(), source: InputSource::Typed });
        append(EventBody::TurnCompleted { turn, status });
    }
    let words = ItemBody::Spoken { speaker: Speaker::User, text: "hello".to_owned() };
    let between = Item { id: ItemId::from("s1"), body: words };
    append(EventBody::ItemCompleted { turn: TurnId::from("019a-1"), item: between.clone() });
    for item in &history {
        writer.record(at(), item).unwrap();
    }

    let log = std::fs::read_to_string(writer.path()).unwrap();
    assert_eq!(log, include_str!("every_line.jsonl"));

    let session = store.read(&meta().thread).unwrap();
    assert_eq!(session.meta, meta());
    assert_eq!(session.context, Some(context));
    assert_eq!(session.history, history);
    assert_eq!(session.usage, usage);
    assert_eq!(session.skipped, 0);
    assert_eq!(session.between, [between]);
    assert_eq!(session.turns[0].items, items);
    let statuses: Vec<&TurnStatus> = session.turns.iter().map(|turn| &turn.status).collect();
    assert_eq!(
        statuses,
        [
            &TurnStatus::Completed,
            &TurnStatus::Interrupted,
            &TurnStatus::Failed(TurnFailure { message: "no model".to_owned() }),
            &TurnStatus::InProgress,
        ]
    );
}

fn bodies() -> Vec<ItemBody> {
    let call = || CallId::from("c1");
    let changes = [
        ("new.rs", ChangeKind::Add),
        ("old.rs", ChangeKind::Delete),
        ("a.rs", ChangeKind::Update { moved_to: Some("b.rs".to_owned()) }),
    ];
    let change = |(path, kind): (&str, ChangeKind)| FileChange {
        path: path.to_owned(),
        kind,
        diff: "+x".to_owned(),
    };
    vec![
        ItemBody::UserMessage { text: "run it".to_owned(), source: InputSource::Spoken },
        ItemBody::AgentMessage { text: "done".to_owned() },
        ItemBody::Reasoning { text: "hm".to_owned() },
        ItemBody::Command(CommandItem {
            call: call(),
            command: "cargo test".to_owned(),
            cwd: PathBuf::from("/w"),
            status: ItemStatus::Failed,
            exit_code: Some(101),
            output: "1 failed\n".to_owned(),
            duration: Some(Duration::from_millis(1_500)),
        }),
        ItemBody::FileChange(FileChangeItem {
            call: call(),
            changes: changes.into_iter().map(change).collect(),
            status: ItemStatus::Completed,
            output: "changed".to_owned(),
        }),
        ItemBody::Tool(ToolItem {
            call: call(),
            tool: "search".to_owned(),
            arguments: r#"{"text":"x"}"#.to_owned(),
            status: ItemStatus::Declined,
            result: "refused".to_owned(),
            duration: None,
        }),
        ItemBody::Spoken { speaker: Speaker::User, text: "um, run it".to_owned() },
        ItemBody::Spoken { speaker: Speaker::Assistant, text: "on it".to_owned() },
    ]
}
