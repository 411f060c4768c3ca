use std::path::Path;
use std::process::Stdio;

use audio_io::{WavReader, write_wav};
use serde_json::{Value, json};
use testkit::{ModelReply, ModelScript, RealtimePeer, RealtimeServer};

use crate::lab::Lab;

/// Half a second of something that sounds.
fn question(lab: &Lab) -> std::path::PathBuf {
    let path = lab.repo().join("question.wav");
    let samples: Vec<i16> = (0..12_000).map(|i| (i % 100) as i16 * 100).collect();
    write_wav(&path, &samples).unwrap();
    path
}

fn configure(lab: &Lab, agent: &str, voice: &str) {
    lab.config(&format!(
        "model = \"mock-model\"\nmodel_provider = \"mock\"\n\
         experimental_realtime_ws_base_url = \"{voice}\"\n\n\
         [realtime]\nprovider = \"mock\"\n\n\
         [model_providers.mock]\nname = \"Mock\"\nbase_url = \"{agent}\"\nenv_key = \"MOCK_KEY\"\n"
    ));
}

/// The service hears the question, and hands it over.
async fn hand_over(peer: &mut RealtimePeer, words: &str) {
    peer.open_session().await;
    peer.expect_sound(12_000).await;
    let item = "item_user";
    for kind in ["speech_started", "speech_stopped"] {
        let kind = format!("input_audio_buffer.{kind}");
        peer.send(json!({ "type": kind, "item_id": item })).await;
    }
    let kind = "conversation.item.input_audio_transcription.completed";
    peer.send(json!({ "type": kind, "item_id": item, "content_index": 0, "transcript": words }))
        .await;
    let call = json!({
        "type": "function_call", "id": "item_call", "call_id": "call_1",
        "name": "background_agent", "arguments": json!({ "prompt": words }).to_string(),
    });
    peer.send(json!({ "type": "conversation.item.done", "item": call })).await;
}

/// The service speaks what the agent found.
async fn speak(peer: &mut RealtimePeer, words: &str) {
    peer.expect("response.create").await;
    peer.send(json!({ "type": "response.created", "response": { "id": "r1" } })).await;
    peer.send_speech("item_a", &[1000; 4800], 480).await;
    let kind = "response.output_audio_transcript.done";
    peer.send(json!({ "type": kind, "item_id": "item_a", "transcript": words })).await;
    let response = json!({ "id": "r1", "status": "completed" });
    peer.send(json!({ "type": "response.done", "response": response })).await;
}

fn events(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_spoken_question_is_worked_on_and_answered_aloud() {
    let lab = Lab::new();
    let model = ModelScript::start([
        ModelReply::tool_call("c1", "shell", json!({ "command": "cat notes.txt" })),
        ModelReply::message("Remember the `milk`."),
    ]);
    let service = RealtimeServer::start().await;
    configure(&lab, &model.base_url(), &service.base_url());
    question(&lab);
    let child = lab
        .duet()
        .args(["talk", "--input", "question.wav", "--output", "answer.wav", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();

    let mut peer = service.accept().await;
    assert_eq!(peer.handshake().header("authorization"), Some("Bearer key-of-the-mock"));
    hand_over(&mut peer, "What do the notes say?").await;
    let answer = peer.expect("conversation.item.create").await;
    assert_eq!(answer["item"]["call_id"], "call_1");
    speak(&mut peer, "Remember the milk.").await;
    peer.expect_goodbye().await;

    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{err}");
    let events = events(&output.stdout);
    let types: Vec<&str> = events.iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(types.first(), Some(&"start"), "{types:?}");
    assert_eq!(types.last(), Some(&"end"), "{types:?}");
    let of = |kind: &str| events.iter().find(|it| it["type"] == kind).unwrap();
    assert_eq!(of("user_transcript")["text"], "What do the notes say?");
    assert_eq!(of("handoff")["request"], "What do the notes say?");
    assert_eq!(of("spoken_transcript")["text"], "Remember the milk.");
    let command = events.iter().find(|it| it["item"]["status"] == "completed").unwrap();
    assert_eq!(command["item"]["command"], "cat notes.txt");
    assert_eq!(of("end")["answer"], "Remember the `milk`.");
    assert_eq!(of("end")["status"], "done");
    assert!(Path::new(of("end")["rollout"].as_str().unwrap()).is_file());
    for stage in ["speech_stopped_ms", "handed_off_ms", "agent_done_ms", "answer_ms"] {
        assert!(of("latency")[stage].is_i64(), "{stage} in {}", of("latency"));
    }
    let pcm = read(&lab.repo().join("answer.wav"));
    assert_eq!(pcm.iter().filter(|sample| **sample == 1000).count(), 4800);

    let requests = model.requests();
    assert!(requests[0].messages("user").join("\n").contains("What do the notes say?"));
    model.finish();
    let log: String = lab.rollout().iter().map(Value::to_string).collect();
    for words in ["What do the notes say?", "cat notes.txt", "Remember the milk."] {
        assert!(log.contains(words), "{words:?} is not in the log:\n{log}");
    }
}

#[tokio::test]
async fn a_voice_that_refuses_us_is_named() {
    let lab = Lab::new();
    let service = RealtimeServer::start().await;
    configure(&lab, "http://127.0.0.1:9/v1", &service.base_url());
    question(&lab);
    let args = ["talk", "-i", "question.wav", "-o", "answer.wav"];
    let mut talk = lab.duet();
    let talk = tokio::task::spawn_blocking(move || crate::lab::Ran::of(talk.args(args)));
    service.refuse(401, r#"{"error":{"message":"bad key"}}"#).await;
    talk.await.unwrap().expect_failure(1, &["the conversation failed", "401", "key"]);
}

/// Our own server ends so when the model host has died: it is not the recording's fault.
#[tokio::test]
async fn a_voice_that_breaks_off_says_why() {
    let lab = Lab::new();
    let service = RealtimeServer::start().await;
    configure(&lab, "http://127.0.0.1:9/v1", &service.base_url());
    question(&lab);
    let args = ["talk", "-i", "question.wav", "-o", "answer.wav"];
    let mut talk = lab.duet();
    let talk = tokio::task::spawn_blocking(move || crate::lab::Ran::of(talk.args(args)));
    let mut peer = service.accept().await;
    peer.open_session().await;
    peer.expect_sound(12_000).await;
    let why = "the model host died; run it again";
    let error = json!({ "type": "server_error", "code": "server_error", "message": why });
    peer.send(json!({ "type": "error", "event_id": "event_1", "error": error })).await;
    peer.give_up(1011, why).await;
    let ran = talk.await.unwrap();
    ran.expect_failure(1, &["the conversation failed", "1011", why]);
    assert!(ran.err.contains(&format!("warning: {why}")), "{}", ran.err);
}

#[test]
fn mistakes_are_named_before_anybody_is_called() {
    let lab = Lab::new();
    configure(&lab, "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1");
    question(&lab);
    let fails = |args: &[&str], code: i32, said: &[&str]| {
        lab.run(&[&["talk"], args].concat()).expect_failure(code, said);
    };
    fails(&["-i", "none.wav", "-o", "a.wav"], 1, &["cannot read none.wav"]);
    fails(&["-i", "notes.txt", "-o", "a.wav"], 1, &["notes.txt is not a WAV file"]);
    fails(
        &["-i", "question.wav", "-o", "no/dir/a.wav"],
        1,
        &["cannot write the answer to no/dir/a.wav"],
    );
    fails(&["-i", "question.wav", "-o", "a.wav", "--cd", "/none"], 2, &["/none"]);
    assert_eq!(lab.run(&["talk", "-i", "question.wav"]).code, Some(2));
}

#[test]
fn without_models_it_says_how_to_get_them() {
    let lab = Lab::new();
    question(&lab);
    let ran = lab.run(&["talk", "-i", "question.wav", "-o", "a.wav"]);
    ran.expect_failure(3, &["duet models fetch"]);
    lab.run(&["realtime-server"]).expect_failure(3, &["duet models fetch"]);
}

/// Whatever keeps it from beginning, a program that reads events is told, and told the end.
#[test]
fn a_talk_that_cannot_begin_ends_for_programs_too() {
    let lab = Lab::new();
    question(&lab);
    let ends = |output: &str, args: &[&str], code: i32, status: &str, why: &str| {
        let usual = ["talk", "-i", "question.wav", "--json", "-o", output];
        let ran = lab.run(&[&usual, args].concat());
        assert_eq!(ran.code, Some(code), "{}\n{}", ran.out, ran.err);
        let events = events(ran.out.as_bytes());
        let [error, end] = events.as_slice() else { panic!("not two events: {events:?}") };
        assert_eq!(error["type"], "error");
        assert!(error["message"].as_str().unwrap().contains(why), "{error}");
        assert_eq!((&end["type"], &end["status"]), (&json!("end"), &json!(status)));
    };
    ends("a.wav", &[], 3, "nothing_done", "duet models fetch");
    ends("a.wav", &["--cd", "/none"], 2, "failed", "/none");
    ends("a.wav", &["-c", "model_provider=nobody"], 1, "failed", "nobody");
    configure(&lab, "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1");
    ends("question.wav", &[], 2, "failed", "over the question");
}

fn read(path: &Path) -> Vec<i16> {
    WavReader::open(path).unwrap().read_to_end().unwrap()
}
