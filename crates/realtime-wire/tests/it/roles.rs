//! The two roles understand each other.

use protocol::{
    BargeIn, RealtimeCommand, RealtimeEvent, RealtimeVersion, ResponseOutcome, SessionConfig,
    SessionMode,
};
use realtime_wire::client::Codec;
use realtime_wire::server::{
    ClientEvent, Content, Item, ItemBody, ItemStatus, PartAt, Place, Refusal, ResponseStatus, Role,
    ServerEvent, Session, SessionKind, Tool, VoiceUse, decode, encode,
};

use crate::server_out::{message, response};

fn to_server(command: RealtimeCommand) -> ClientEvent {
    let frame = Codec::new(RealtimeVersion::V2).encode(&command).unwrap();
    decode(&frame).unwrap().event
}

fn to_client(event: ServerEvent) -> Option<RealtimeEvent> {
    Codec::new(RealtimeVersion::V2).decode(&encode(&event, "event_1")).unwrap()
}

#[test]
fn our_client_configures_our_server() {
    for (mode, kind) in [
        (SessionMode::Conversational, SessionKind::Realtime),
        (SessionMode::Transcription, SessionKind::Transcription),
    ] {
        let config = SessionConfig {
            mode,
            instructions: "be brief".into(),
            voice: "marin".into(),
            barge_in: BargeIn::Weighed,
        };
        let ClientEvent::UpdateSession(patch) = to_server(RealtimeCommand::UpdateSession(config))
        else {
            panic!("not an update");
        };
        let mut session = Session::new(kind, "sess_1", "local");
        session.apply(*patch, VoiceUse::Unheard).unwrap();
        assert!(session.transcription.is_some());
        if mode == SessionMode::Conversational {
            assert_eq!(session.instructions, "be brief");
            let [Tool::Function(tool)] = &session.tools[..] else { panic!("{session:?}") };
            assert_eq!(tool.name, "background_agent");
        }
        let updated = to_client(ServerEvent::SessionUpdated(Box::new(session)));
        assert_eq!(updated, Some(RealtimeEvent::SessionUpdated { session: Some("sess_1".into()) }));
    }
}

#[test]
fn an_answer_arrives_as_a_function_output() {
    let command = RealtimeCommand::HandoffOutput {
        handoff: "call_1".into(),
        text: "done".into(),
        is_final: true,
    };
    let ClientEvent::CreateItem { item, place } = to_server(command) else { panic!("no item") };
    assert_eq!(place, Place::End);
    let ItemBody::FunctionCallOutput { call_id, output } = item.body else { panic!("{item:?}") };
    assert_eq!(call_id, "call_1");
    assert!(output.ends_with("done"));
}

#[test]
fn what_our_server_says_our_client_understands() {
    let at = PartAt {
        response_id: "resp_1".into(),
        item_id: "item_1".into(),
        output_index: 0,
        content_index: 0,
    };
    let item = Some("item_1".into());
    let pairs = [
        (
            ServerEvent::AudioDelta { at: at.clone(), audio: vec![1, 0] },
            RealtimeEvent::Audio { item: item.clone(), pcm: vec![1] },
        ),
        (
            ServerEvent::TranscriptDelta { at: at.clone(), delta: "a".into() },
            RealtimeEvent::OutputTranscriptDelta { item: item.clone(), delta: "a".into() },
        ),
        (
            ServerEvent::TranscriptDone { at, transcript: "a".into() },
            RealtimeEvent::OutputTranscript { item: item.clone(), text: "a".into() },
        ),
        (
            ServerEvent::SpeechStarted { audio_start_ms: 0, item_id: "item_1".into() },
            RealtimeEvent::SpeechStarted { item: item.clone() },
        ),
        (
            ServerEvent::ResponseDone(Box::new(response(ResponseStatus::Completed))),
            RealtimeEvent::ResponseDone {
                response: Some("resp_1".into()),
                outcome: ResponseOutcome::Completed,
                problem: None,
            },
        ),
        (
            ServerEvent::ItemDone {
                item: message(
                    Role::User,
                    ItemStatus::Completed,
                    vec![Content::InputText { text: "a".into() }],
                ),
                previous_item_id: None,
            },
            RealtimeEvent::ItemDone { item },
        ),
    ];
    for (said, understood) in pairs {
        assert_eq!(to_client(said), Some(understood));
    }
    let call = Item {
        id: "item_1".into(),
        status: ItemStatus::Completed,
        body: ItemBody::FunctionCall {
            call_id: "call_1".into(),
            name: "background_agent".into(),
            arguments: r#"{"prompt":"run the tests"}"#.into(),
        },
    };
    let event = to_client(ServerEvent::ItemDone { item: call, previous_item_id: None });
    let Some(RealtimeEvent::HandoffRequested(handoff)) = event else { panic!("{event:?}") };
    assert_eq!((handoff.id.as_str(), handoff.input.as_str()), ("call_1", "run the tests"));

    for (refusal, kind) in [
        (Refusal::response_active("resp_1"), protocol::FaultKind::ResponseActive),
        (Refusal::nothing_to_cancel(), protocol::FaultKind::NothingToCancel),
    ] {
        let event = to_client(ServerEvent::Error(refusal));
        let Some(RealtimeEvent::Fault(fault)) = event else { panic!("{event:?}") };
        assert_eq!(fault.kind, kind);
    }
}
