use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use app_server_protocol::{Origin, ThreadStatus, TurnState, replay};
use protocol::{
    ApprovalPolicy, Event, EventBody, InputSource, Item, ItemBody, SandboxPolicy, Speaker,
    ThreadSettings, TurnFailure, TurnStatus,
};

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn events(bodies: Vec<EventBody>) -> Vec<Event> {
    let event = |(seq, body)| Event { thread: "t".into(), seq, at: at(1_700_000_000 + seq), body };
    (0..).zip(bodies).map(event).collect()
}

fn item(body: ItemBody) -> EventBody {
    EventBody::ItemCompleted { turn: "u".into(), item: Item { id: "i".into(), body } }
}

#[test]
fn a_thread_is_what_happened_in_it() {
    let settings = ThreadSettings {
        cwd: PathBuf::from("/w"),
        model: "m".into(),
        model_provider: "local".into(),
        approval_policy: ApprovalPolicy::Never,
        sandbox: SandboxPolicy::default(),
        developer_instructions: None,
        ephemeral: false,
    };
    let failure = TurnFailure { message: "no key".into() };
    let events = events(vec![
        EventBody::ThreadStarted { settings },
        EventBody::TurnStarted { turn: "u".into(), source: InputSource::Typed },
        item(ItemBody::UserMessage { text: "hi".into(), source: InputSource::Typed }),
        item(ItemBody::Spoken { speaker: Speaker::User, text: "hello".into() }),
        item(ItemBody::AgentMessage { text: "yes?".into() }),
        EventBody::TurnCompleted { turn: "u".into(), status: TurnStatus::Failed(failure) },
        EventBody::TurnPreparing { turn: "v".into() },
        EventBody::TurnStarted { turn: "v".into(), source: InputSource::Spoken },
    ]);
    let origin = Origin { version: "0", path: None };

    let thread = replay(&events, origin).unwrap();
    assert_eq!(thread.preview, "hi");
    assert_eq!((thread.created_at, thread.updated_at), (1_700_000_000, 1_700_000_007));
    assert_eq!(thread.status, ThreadStatus::Active { active_flags: Vec::new() });
    let [first, second] = thread.turns.as_slice() else { panic!("{:?}", thread.turns) };
    assert_eq!(first.items.len(), 2, "words of a conversation are no items: {:?}", first.items);
    assert_eq!(first.status, TurnState::Failed);
    assert_eq!(first.error.as_ref().unwrap().message, "no key");
    assert_eq!(first.completed_at, Some(1_700_000_005));
    assert_eq!(second.status, TurnState::InProgress);

    let thread = replay(&events[..7], origin).unwrap();
    assert_eq!(thread.status, ThreadStatus::Active { active_flags: Vec::new() });
    assert_eq!(thread.turns.len(), 1, "it is only being prepared");

    let thread = replay(&events[..6], origin).unwrap();
    assert_eq!(thread.status, ThreadStatus::SystemError);
    assert_eq!(replay(&events[1..], origin), None);
}
