//! Conversations over a real WebSocket.

use config::{RemoteVoice, VoiceService};
use engine::{RealtimeStart, Refused};
use protocol::{
    CloseReason, EventBody, ItemBody, RealtimeNotice, RealtimeVersion, SessionMode, Speaker, Stage,
    TurnStatus,
};
use serde_json::{Value, json};
use testkit::{Goodbye, RealtimePeer, RealtimeServer};
use thread::Prompt;

use crate::bench::{Bench, Client, endpoint};

fn start(service: &RealtimeServer) -> RealtimeStart {
    RealtimeStart {
        session_id: None,
        service: VoiceService::Remote(RemoteVoice {
            base_url: service.base_url(),
            provider: "voice".to_owned(),
            endpoint: endpoint(service.base_url()),
        }),
        version: RealtimeVersion::V2,
        model: "gpt-realtime".to_owned(),
        mode: SessionMode::Conversational,
        voice: "marin".to_owned(),
        prompt: Prompt::Text("Be brief.".to_owned()),
        context: None,
        start_instructions: None,
    }
}

/// A conversation that is open on both sides.
async fn open(client: &mut Client, service: &RealtimeServer) -> (RealtimePeer, Value) {
    client.thread.start_realtime(start(service)).await.unwrap();
    let mut peer = service.accept().await;
    let session = peer.open_session().await;
    until_notice(client, |notice| matches!(notice, RealtimeNotice::Started { .. }).then_some(()))
        .await;
    (peer, session)
}

async fn until_notice<T>(client: &mut Client, wanted: impl Fn(&RealtimeNotice) -> Option<T>) -> T {
    client
        .until(|event| match event {
            EventBody::Realtime(notice) => wanted(notice),
            _other => None,
        })
        .await
}

fn handoff(call: &str, prompt: &str) -> Value {
    json!({
        "type": "conversation.item.done",
        "item": {
            "type": "function_call",
            "id": format!("item_{call}"),
            "call_id": call,
            "name": "background_agent",
            "arguments": json!({ "prompt": prompt }).to_string(),
        },
    })
}

#[tokio::test]
async fn a_spoken_request_is_carried_out_and_answered() {
    let mut bench = Bench::new();
    let service = RealtimeServer::start().await;
    let mut client = bench.client();
    let (mut peer, session) = open(&mut client, &service).await;
    assert_eq!(peer.handshake().header("authorization"), Some("Bearer test-key"));
    assert_eq!(peer.handshake().header("x-session-id"), Some(client.thread.id().as_str()));
    let instructions = session["instructions"].as_str().unwrap();
    assert!(instructions.starts_with("Be brief.\n\n<startup_context>"), "{instructions}");

    client.thread.append_audio(vec![7; 480]).await.unwrap();
    peer.expect_sound(480).await;
    assert_eq!(peer.take_sound(), [vec![7; 480]]);

    peer.send(json!({
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": "item_u",
        "transcript": "make a file",
    }))
    .await;
    peer.send(handoff("call_1", "make a file")).await;
    let call = bench.model.expect_request().await;
    assert_eq!(call.request().messages("user"), ["make a file"]);
    call.reply_tool_call("c1", "shell", json!({ "command": "echo made > new.txt" })).await;
    bench.model.expect_request().await.reply_message("I made new.txt.").await;
    assert_eq!(client.until_completed().await, TurnStatus::Completed);

    let answer = peer.expect("conversation.item.create").await;
    assert_eq!(answer["item"]["type"], "function_call_output");
    assert_eq!(answer["item"]["call_id"], "call_1");
    let output = answer["item"]["output"].as_str().unwrap();
    assert!(output.contains("I made new.txt."), "{output}");
    peer.expect("response.create").await;

    peer.send(json!({ "type": "response.created", "response": { "id": "r1" } })).await;
    peer.send_speech("item_a", &[3; 960], 480).await;
    for _ in 0..2 {
        let pcm = until_notice(&mut client, |notice| match notice {
            RealtimeNotice::Audio { item: _, pcm } => Some(pcm.clone()),
            _other => None,
        })
        .await;
        assert_eq!(*pcm, [3; 480]);
    }
    peer.send(json!({
        "type": "response.output_audio_transcript.done",
        "item_id": "item_a",
        "transcript": "Done, it is new dot text.",
    }))
    .await;
    peer.send(json!({ "type": "response.done", "response": { "id": "r1" } })).await;
    until_notice(&mut client, |notice| {
        matches!(notice, RealtimeNotice::Stage { stage: Stage::ReplyDone }).then_some(())
    })
    .await;

    client.thread.stop_realtime().await.unwrap();
    assert!(matches!(peer.expect_goodbye().await, Goodbye::Polite(_)));
    let reason = until_notice(&mut client, |notice| match notice {
        RealtimeNotice::Closed { reason } => Some(*reason),
        _other => None,
    })
    .await;
    assert_eq!(reason, CloseReason::Requested);
    assert_eq!(client.thread.append_audio(vec![0; 480]).await, Err(Refused::NoConversation));

    // What was spoken and what was done are in one log, once that is complete.
    client.thread.close().await;
    let session = bench.engine.read(client.thread.id()).unwrap();
    let spoken = |speaker, text: &str| ItemBody::Spoken { speaker, text: text.to_owned() };
    let between: Vec<&ItemBody> = session.between.iter().map(|item| &item.body).collect();
    assert_eq!(
        between,
        [
            &spoken(Speaker::User, "make a file"),
            &spoken(Speaker::Assistant, "Done, it is new dot text."),
        ]
    );
    assert_eq!(session.turns.len(), 1);
    assert!(session.context.unwrap().realtime_active);
    let stages: Vec<Stage> = client
        .seen()
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::Realtime(RealtimeNotice::Stage { stage }) => Some(*stage),
            _other => None,
        })
        .collect();
    assert_eq!(
        stages,
        [
            Stage::Transcribed,
            Stage::HandedOff,
            Stage::FirstToken,
            Stage::AgentDone,
            Stage::FirstAudio,
            Stage::ReplyDone,
        ]
    );
}

#[tokio::test]
async fn sound_goes_both_ways_while_the_agent_works() {
    let mut bench = Bench::new();
    let service = RealtimeServer::start().await;
    let mut client = bench.client();
    let (mut peer, _) = open(&mut client, &service).await;
    peer.send(handoff("call_1", "think long")).await;
    let call = bench.model.expect_request().await;
    client.thread.append_audio(vec![1; 480]).await.unwrap();
    peer.expect_sound(480).await;
    peer.send_speech("item_a", &[2; 480], 480).await;
    until_notice(&mut client, |notice| {
        matches!(notice, RealtimeNotice::Audio { .. }).then_some(())
    })
    .await;

    // "stop" is obeyed without asking a model, and the work is answered as stopped.
    peer.send(handoff("call_2", "Stop!")).await;
    assert_eq!(client.until_completed().await, TurnStatus::Interrupted);
    call.hang().await;
    let acknowledged = peer.expect("conversation.item.create").await;
    assert_eq!(acknowledged["item"]["call_id"], "call_2");
    let answered = peer.expect("conversation.item.create").await;
    assert_eq!(answered["item"]["call_id"], "call_1");
    peer.expect("response.create").await;
    peer.finish().await;
}

/// The disk as it is when it hangs: whatever waits for it waits until this is dropped. Needs a
/// runtime that has one thread for such work.
struct HungDisk(std::sync::mpsc::Sender<()>);

impl HungDisk {
    async fn hang() -> Self {
        let (release, released) = std::sync::mpsc::channel();
        let (began, hangs) = tokio::sync::oneshot::channel();
        drop(tokio::task::spawn_blocking(move || {
            began.send(()).unwrap();
            // The error is the news: it was dropped.
            released.recv().unwrap_err();
        }));
        hangs.await.unwrap();
        Self(release)
    }

    fn go_on(self) {
        drop(self.0);
    }
}

fn with_one_disk(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(test);
}

async fn until_sound(client: &mut Client) {
    until_notice(client, |notice| matches!(notice, RealtimeNotice::Audio { .. }).then_some(()))
        .await;
}

fn has_begun_a_tool(client: &Client) -> bool {
    client.seen().iter().any(|event| match &event.body {
        EventBody::ItemStarted { turn: _, item } => matches!(item.body, ItemBody::Command(_)),
        _other => false,
    })
}

/// A tool starts when the disk has what was said before it; what is spoken meanwhile is heard.
#[test]
fn sound_does_not_wait_for_the_disk_and_tools_do() {
    with_one_disk(async {
        let mut bench = Bench::new();
        let service = RealtimeServer::start().await;
        let mut client = bench.client();
        let (mut peer, _) = open(&mut client, &service).await;
        peer.send(handoff("call_1", "make a file")).await;
        let call = bench.model.expect_request().await;
        let disk = HungDisk::hang().await;
        call.reply_tool_call("c1", "shell", json!({ "command": "echo made > new.txt" })).await;
        client.until(|event| matches!(event, EventBody::TokenUsage { .. }).then_some(())).await;
        peer.send_speech("item_a", &[2; 960], 480).await;
        until_sound(&mut client).await;
        until_sound(&mut client).await;
        assert!(!has_begun_a_tool(&client));
        assert!(!bench.repository.path().join("new.txt").exists());

        disk.go_on();
        bench.model.expect_request().await.reply_message("Done.").await;
        assert_eq!(client.until_completed().await, TurnStatus::Completed);
        assert!(has_begun_a_tool(&client));
        assert!(bench.repository.path().join("new.txt").exists());
    });
}

/// A conversation that is started while the disk is busy with a typed turn: it is dialed, what
/// is said meanwhile is kept for it, and clients are answered.
#[test]
fn neither_a_new_conversation_nor_an_answer_waits_for_the_disk() {
    with_one_disk(async {
        let mut bench = Bench::new();
        let service = RealtimeServer::start().await;
        let mut client = bench.client();
        client.type_words("make a file").await;
        let call = bench.model.expect_request().await;
        let disk = HungDisk::hang().await;
        call.reply_tool_call("c1", "shell", json!({ "command": "echo made > new.txt" })).await;
        client.until(|event| matches!(event, EventBody::TokenUsage { .. }).then_some(())).await;

        client.thread.start_realtime(start(&service)).await.unwrap();
        client.thread.append_audio(vec![7; 480]).await.unwrap();
        let mut peer = service.accept().await;
        peer.open_session().await;
        peer.expect_sound(480).await;
        assert_eq!(peer.take_sound(), [vec![7; 480]]);
        client.thread.stop_realtime().await.unwrap();
        assert!(matches!(peer.expect_goodbye().await, Goodbye::Polite(_)));
        client.thread.interrupt(None).await.unwrap();
        assert_eq!(client.thread.interrupt(None).await, Err(Refused::NoTurn));
        assert!(!has_begun_a_tool(&client));

        disk.go_on();
        assert_eq!(client.until_completed().await, TurnStatus::Interrupted);
    });
}

/// The first words of a thread make its file; they are told when they are in it.
#[test]
fn sound_does_not_wait_for_a_new_file_and_what_is_said_does() {
    with_one_disk(async {
        let bench = Bench::new();
        let service = RealtimeServer::start().await;
        let mut client = bench.client();
        let (mut peer, _) = open(&mut client, &service).await;
        let disk = HungDisk::hang().await;
        peer.send(json!({
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_u",
            "transcript": "good morning",
        }))
        .await;
        peer.send_speech("item_a", &[2; 480], 480).await;
        until_sound(&mut client).await;
        let completed =
            client.seen().iter().any(|event| matches!(event.body, EventBody::ItemCompleted { .. }));
        assert!(!completed && bench.log().is_empty());

        disk.go_on();
        let item = client.until_item().await;
        let said = ItemBody::Spoken { speaker: Speaker::User, text: "good morning".to_owned() };
        assert_eq!(item.body, said);
        assert!(bench.log().iter().any(|line| line["payload"]["item"]["id"] == item.id.as_str()));
    });
}

#[tokio::test]
async fn typed_words_are_mirrored_to_the_voice() {
    let mut bench = Bench::new();
    let service = RealtimeServer::start().await;
    let mut client = bench.client();
    let (mut peer, _) = open(&mut client, &service).await;
    client.type_words("run the tests").await;
    let mirrored = peer.expect("conversation.item.create").await;
    let text = mirrored["item"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("run the tests"), "{text}");
    bench.model.expect_request().await.reply_message("They pass.").await;
    client.until_completed().await;
    peer.finish().await;
}

#[tokio::test]
async fn a_service_that_refuses_is_one_error_and_no_close() {
    let bench = Bench::new();
    let service = RealtimeServer::start().await;
    let mut client = bench.client();
    client.thread.start_realtime(start(&service)).await.unwrap();
    service.refuse(401, "wrong key").await;
    let message = until_notice(&mut client, |notice| match notice {
        RealtimeNotice::Error { message } => Some(message.clone()),
        _other => None,
    })
    .await;
    assert!(message.contains("key"), "{message}");
    assert_eq!(client.thread.stop_realtime().await, Err(Refused::NoConversation));
}

#[tokio::test]
async fn a_link_that_vanishes_closes_the_conversation_and_not_the_turn() {
    let mut bench = Bench::new();
    let service = RealtimeServer::start().await;
    let mut client = bench.client();
    let (mut peer, _) = open(&mut client, &service).await;
    peer.send(handoff("call_1", "work")).await;
    let call = bench.model.expect_request().await;
    peer.vanish();
    until_notice(&mut client, |notice| {
        matches!(notice, RealtimeNotice::Closed { .. }).then_some(())
    })
    .await;
    call.reply_message("Done.").await;
    assert_eq!(client.until_completed().await, TurnStatus::Completed);
}

#[tokio::test]
async fn a_new_conversation_replaces_the_old_one() {
    let bench = Bench::new();
    let service = RealtimeServer::start().await;
    let mut client = bench.client();
    let (old, _) = open(&mut client, &service).await;
    let (new, _) = open(&mut client, &service).await;
    assert!(matches!(old.expect_goodbye().await, Goodbye::Polite(_)));
    new.finish().await;
}

#[tokio::test]
async fn no_voice_here_is_said() {
    let bench = Bench::new();
    let service = RealtimeServer::start().await;
    let mut client = bench.client();
    let voice = config::LocalVoice { speed: 1.0, language: "en".to_owned() };
    let local = RealtimeStart { service: VoiceService::Local(voice), ..start(&service) };
    client.thread.start_realtime(local).await.unwrap();
    let message = until_notice(&mut client, |notice| match notice {
        RealtimeNotice::Error { message } => Some(message.clone()),
        _other => None,
    })
    .await;
    assert!(message.contains("realtime.provider"), "{message}");
}
