use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use audio_io::{WavReader, write_wav};
use serde_json::{Value, json};
use testkit::{ModelReply, ModelScript, RealtimePeer, RealtimeServer, SOUND_CHANNEL, SoundServer};
use tokio::sync::oneshot;

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
    // The answer would come out of the speaker, and there is none.
    fails(&["-i", "question.wav"], 1, &["no sound server", "give the sound through pipes"]);
    fails(&["-o", "a.wav"], 1, &["no sound server", "give the sound through pipes"]);
    assert_eq!(lab.run(&["talk", "-i", "question.wav", "--microphone", "usb"]).code, Some(2));
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
    ends("a.wav", &["-c", "model_provider=nobody"], 2, "failed", "nobody");
    configure(&lab, "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1");
    ends("question.wav", &[], 2, "failed", "over the question");
}

/// A second of something that sounds, as a recorder writes it.
fn live_sound() -> Vec<u8> {
    (0..24_000).flat_map(|i| ((i % 100) as i16 * 100).to_le_bytes()).collect()
}

/// `duet talk` between a recorder and a player, which are ours.
fn talk_through_pipes(lab: &Lab, args: &[&str]) -> Child {
    let mut duet = lab.duet();
    duet.args(["talk", "--input", "-", "--output", "-"]).args(args);
    duet.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[tokio::test]
async fn any_recorder_and_any_player_make_a_conversation() {
    let lab = Lab::new();
    let model = ModelScript::start([ModelReply::message("Remember the `milk`.")]);
    let service = RealtimeServer::start().await;
    configure(&lab, &model.base_url(), &service.base_url());
    let mut child = talk_through_pipes(&lab, &["--captions"]);
    let mut microphone = child.stdin.take().unwrap();
    let (told, answer_is_told) = oneshot::channel();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let words = tokio::task::spawn_blocking(move || {
        let (mut told, mut all) = (Some(told), String::new());
        for line in lines.map(Result::unwrap) {
            if line == "Remember the `milk`."
                && let Some(told) = told.take()
            {
                told.send(()).unwrap();
            }
            all = all + &line + "\n";
        }
        all
    });
    let player = tokio::task::spawn_blocking(|| child.wait_with_output());

    let mut peer = service.accept().await;
    // An odd number of bytes, in the middle of a frame.
    let sound = live_sound();
    microphone.write_all(&sound[..12_345]).unwrap();
    microphone.write_all(&sound[12_345..]).unwrap();
    hand_over(&mut peer, "What do the notes say?").await;
    let heard = peer.take_sound().concat();
    let said: Vec<i16> =
        sound.as_chunks::<2>().0.iter().map(|it| i16::from_le_bytes(*it)).collect();
    assert_eq!(heard, said[..heard.len()]);
    peer.expect("conversation.item.create").await;
    speak(&mut peer, "Remember the milk.").await;
    // While it records. Then it is stopped.
    answer_is_told.await.unwrap();
    drop(microphone);
    peer.expect_goodbye().await;

    let output = player.await.unwrap().unwrap();
    let err = words.await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{err}");
    // Sound, silence and nothing else.
    let (samples, odd) = output.stdout.as_chunks::<2>();
    assert!(odd.is_empty());
    let samples: Vec<i16> = samples.iter().map(|it| i16::from_le_bytes(*it)).collect();
    assert_eq!(samples.iter().filter(|it| **it == 1000).count(), 4_800);
    assert!(samples.iter().all(|it| [0, 1000].contains(it)));
    assert_eq!(samples[0], 0, "silence while the answer is made");
    for words in ["you: What do the notes say?", "duet: Remember the milk.", "latency: "] {
        assert!(err.contains(words), "{words:?} in {err}");
    }
    model.finish();
}

#[tokio::test]
async fn a_player_that_is_closed_ends_the_conversation() {
    let lab = Lab::new();
    let service = RealtimeServer::start().await;
    configure(&lab, "http://127.0.0.1:9/v1", &service.base_url());
    let mut child = talk_through_pipes(&lab, &[]);
    drop(child.stdout.take());
    // It stays open: nobody waits for it.
    let microphone = child.stdin.take().unwrap();
    let talk = tokio::task::spawn_blocking(|| child.wait_with_output());
    let mut peer = service.accept().await;
    peer.open_session().await;
    peer.expect_goodbye().await;
    let output = talk.await.unwrap().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    let last = err.lines().last().unwrap();
    assert!(last.contains("nobody listens any more: what read standard output"), "{err}");
    drop(microphone);
}

#[tokio::test]
async fn ctrl_c_ends_a_conversation_whose_microphone_is_open() {
    let lab = Lab::new();
    let service = RealtimeServer::start().await;
    configure(&lab, "http://127.0.0.1:9/v1", &service.base_url());
    let mut child = talk_through_pipes(&lab, &[]);
    let mut microphone = child.stdin.take().unwrap();
    let id = child.id().to_string();
    let talk = tokio::task::spawn_blocking(|| child.wait_with_output());
    let mut peer = service.accept().await;
    peer.open_session().await;
    microphone.write_all(&live_sound()).unwrap();
    peer.expect_sound(24_000).await;
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    peer.expect_goodbye().await;
    let output = talk.await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    drop(microphone);
}

#[tokio::test]
async fn a_wav_file_in_the_place_of_raw_sound_is_named() {
    let lab = Lab::new();
    let service = RealtimeServer::start().await;
    configure(&lab, "http://127.0.0.1:9/v1", &service.base_url());
    let wav = File::open(question(&lab)).unwrap();
    let mut talk = lab.duet();
    talk.args(["talk", "-i", "-", "-o", "answer.wav"]).stdin(wav);
    let talk = tokio::task::spawn_blocking(move || crate::lab::Ran::of(&mut talk));
    let mut peer = service.accept().await;
    peer.open_session().await;
    peer.expect_goodbye().await;
    let ran = talk.await.unwrap();
    ran.expect_failure(1, &["cannot hear standard input", "begins as a WAV file", "ffmpeg"]);
}

/// Whoever reads events would get sound, and whoever plays sound would hear events.
#[test]
fn sound_and_events_do_not_share_standard_output() {
    let lab = Lab::new();
    question(&lab);
    let ran = lab.run(&["talk", "-i", "question.wav", "-o", "-", "--json"]);
    ran.expect_failure(2, &["cannot share standard output", "mkfifo", "--json"]);
    assert_eq!(ran.out, "");
    // The same by its other name: a test's standard output is a pipe.
    let ran = lab.run(&["talk", "-i", "question.wav", "-o", "/dev/stdout", "--json"]);
    ran.expect_failure(2, &["cannot share standard output"]);
}

fn read(path: &Path) -> Vec<i16> {
    WavReader::open(path).unwrap().read_to_end().unwrap()
}

/// `duet talk` with the microphone and the speaker of a machine.
fn talk_with_devices(lab: &Lab, sound: &SoundServer, args: &[&str]) -> Child {
    let mut duet = lab.duet();
    duet.env("PULSE_SERVER", format!("unix:{}", sound.socket().display()));
    duet.arg("talk").args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    duet.spawn().unwrap()
}

#[tokio::test]
async fn a_microphone_and_a_speaker_make_a_conversation() {
    let lab = Lab::new();
    let model = ModelScript::start([ModelReply::message("Remember the `milk`.")]);
    let service = RealtimeServer::start().await;
    configure(&lab, &model.base_url(), &service.base_url());
    let sound = SoundServer::start();
    let mut child = talk_with_devices(&lab, &sound, &["--captions"]);
    let (told, answer_is_told) = oneshot::channel();
    let answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let answers = tokio::task::spawn_blocking(move || {
        let all: Vec<String> = answers.map(Result::unwrap).take(1).collect();
        told.send(()).unwrap();
        all
    });
    let devices = tokio::task::spawn_blocking(move || {
        let mut microphone = sound.accept();
        microphone.open_microphone();
        let mut speaker = sound.accept();
        speaker.open_speaker(4_800);
        microphone.begin_to_listen();
        microphone.send_sound(&live_sound());
        let speaker = std::thread::spawn(move || {
            let mut heard = Vec::new();
            speaker.play_all(std::time::Duration::ZERO, |pcm| heard.extend_from_slice(pcm));
            heard
        });
        // Until the answer has sounded. Then it is unplugged.
        answer_is_told.blocking_recv().unwrap();
        microphone.say(&pulseaudio::protocol::Command::RecordStreamKilled(SOUND_CHANNEL));
        speaker.join().unwrap()
    });

    let mut peer = service.accept().await;
    hand_over(&mut peer, "What do the notes say?").await;
    peer.expect("conversation.item.create").await;
    speak(&mut peer, "Remember the milk.").await;
    peer.expect_goodbye().await;

    let heard = devices.await.unwrap();
    assert_eq!(heard.iter().filter(|it| **it == 1000).count(), 4_800);
    assert!(heard.iter().all(|it| [0, 1000].contains(it)));
    assert_eq!(answers.await.unwrap(), ["Remember the `milk`."]);
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    for words in [
        "listening to Built-in, speaking through Box: wear headphones",
        "you: What do the notes say?",
        "the microphone Built-in is gone: it was unplugged",
    ] {
        assert!(err.contains(words), "{words:?} in {err}");
    }
    model.finish();
}

/// What is on its way to the air sounds, and counts.
#[tokio::test]
async fn a_speaker_that_is_late_is_silenced_late() {
    let lab = Lab::new();
    let service = RealtimeServer::start().await;
    configure(&lab, "http://127.0.0.1:9/v1", &service.base_url());
    let sound = SoundServer::start();
    let mut child = talk_with_devices(&lab, &sound, &["--json"]);
    let (sounds, it_sounds) = oneshot::channel();
    let devices = tokio::task::spawn_blocking(move || {
        let mut microphone = sound.accept();
        microphone.open_microphone();
        let mut speaker = sound.accept();
        speaker.open_speaker(4_800);
        microphone.begin_to_listen();
        microphone.send_sound(&live_sound());
        let (mut sounds, mut samples) = (Some(sounds), 0);
        speaker.play_all(std::time::Duration::from_secs(60), |pcm| {
            samples += pcm.iter().filter(|it| **it == 1000).count();
            // The first answer of the speaker itself comes after a quarter of a second.
            if 12_000 < samples
                && let Some(sounds) = sounds.take()
            {
                sounds.send(()).unwrap();
            }
        });
        drop(microphone);
    });
    let mut peer = service.accept().await;
    peer.open_session().await;
    peer.expect_sound(12_000).await;
    peer.send(json!({ "type": "response.created", "response": { "id": "r1" } })).await;
    peer.send_speech("item_a", &[1000; 240_000], 4_800).await;
    it_sounds.await.unwrap();
    peer.send(json!({ "type": "input_audio_buffer.speech_started", "item_id": "u" })).await;
    let silenced = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let silenced = silenced.map(|line| serde_json::from_str::<Value>(&line).unwrap());
    let mut silenced = silenced.skip_while(|it| it["type"] != "silenced");
    let (silenced, mut child) = tokio::task::spawn_blocking(move || {
        let silenced = silenced.next();
        child.kill().unwrap();
        (silenced, child)
    })
    .await
    .unwrap();
    child.wait().unwrap();
    devices.await.unwrap();
    let after_ms = silenced.unwrap()["after_ms"].as_i64().unwrap();
    assert!(55_000 < after_ms && after_ms < 65_000, "{after_ms}");
    peer.vanish();
}

#[test]
fn devices_are_listed_and_a_machine_without_says_so() {
    let lab = Lab::new();
    let sound = SoundServer::start();
    let list = || {
        let mut list = lab.duet();
        list.env("PULSE_SERVER", format!("unix:{}", sound.socket().display()));
        crate::lab::Ran::of(list.args(["talk", "--list-devices"]))
    };
    let ran = std::thread::scope(|scope| {
        let ran = scope.spawn(list);
        sound.accept().tell_devices();
        ran.join().unwrap()
    });
    let expected = "\
        microphone  out.monitor  Monitor of Box (what a speaker plays: only by its whole name)\n\
        microphone  in  Built-in (default) (muted)\n\
        speaker     out  Box (default)\n";
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), expected), "{}", ran.err);
    // No sound server in this home.
    let ran = crate::lab::Ran::of(lab.duet().args(["talk", "--list-devices"]));
    ran.expect_failure(1, &["no sound server (PulseAudio or PipeWire) answers at", "--help"]);
}
