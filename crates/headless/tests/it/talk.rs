//! Time stands still unless everybody waits, so a minute of conversation takes no time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use app_server_protocol::AudioChunk;
use audio_io::{WavReader, write_wav};
use headless::{
    Exit, HeadlessError, Input, Manners, Output, Pace, Server, Signal, TalkArgs, TalkFormat,
    TalkReport, ThreadArgs, talk, talk_capabilities,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::peer::{Peer, console, thread};

/// Half a second of something that sounds.
pub(crate) const QUESTION_FRAMES: usize = 25;

pub(crate) struct Ran {
    pub(crate) report: Result<TalkReport, HeadlessError>,
    pub(crate) out: String,
    pub(crate) progress: String,
    dir: TempDir,
}

impl Ran {
    fn answer(&self) -> Vec<i16> {
        WavReader::open(&self.dir.path().join("answer.wav")).unwrap().read_to_end().unwrap()
    }
}

pub(crate) fn question(dir: &Path) -> PathBuf {
    let path = dir.join("question.wav");
    // One that a test has put there stays.
    if !path.exists() {
        let sample = |i: usize| (i % 100) as i16 * 100;
        let samples: Vec<i16> = (0..QUESTION_FRAMES * 480).map(sample).collect();
        write_wav(&path, &samples).unwrap();
    }
    path
}

async fn run<F>(format: TalkFormat, play: impl FnOnce(Peer, mpsc::Sender<Signal>) -> F) -> Ran
where
    F: Future<Output = Peer>,
{
    run_in(tempfile::tempdir().unwrap(), format, Pace::AsTaken, play).await
}

async fn run_in<F>(
    dir: TempDir,
    format: TalkFormat,
    pace: Pace,
    play: impl FnOnce(Peer, mpsc::Sender<Signal>) -> F,
) -> Ran
where
    F: Future<Output = Peer>,
{
    run_with(dir, format, (pace, Manners::Waits), play).await
}

async fn run_with<F>(
    dir: TempDir,
    format: TalkFormat,
    (pace, manners): (Pace, Manners),
    play: impl FnOnce(Peer, mpsc::Sender<Signal>) -> F,
) -> Ran
where
    F: Future<Output = Peer>,
{
    let ends = (question(dir.path()), dir.path().join("answer.wav"));
    run_between(dir, ends, format, (pace, manners), play).await
}

/// From the one file or pipe to the other.
pub(crate) async fn run_between<F>(
    dir: TempDir,
    (input, output): (PathBuf, PathBuf),
    format: TalkFormat,
    (pace, manners): (Pace, Manners),
    play: impl FnOnce(Peer, mpsc::Sender<Signal>) -> F,
) -> Ran
where
    F: Future<Output = Peer>,
{
    let (mut peer, connection) = Peer::start();
    let (mut console, out, progress) = console();
    let (signals, mut received) = mpsc::channel(2);
    let args = TalkArgs {
        thread: ThreadArgs { cwd: Some("/w".into()), ..ThreadArgs::default() },
        input: Input::named(input),
        output: Output::named(output),
        format,
        pace,
        manners,
    };
    let client = async {
        let server =
            Server::greet(connection, "duet-talk", "0.0.0", talk_capabilities()).await.unwrap();
        talk(server, args, &mut console, &mut received).await
    };
    let server = async {
        peer.initialize().await;
        play(peer, signals).await
    };
    let (report, _peer) = tokio::join!(client, server);
    Ran { report, out: out.text(), progress: progress.text(), dir }
}

pub(crate) async fn start(peer: &mut Peer) {
    peer.start_thread().await;
    let params = peer.expect("thread/realtime/start", json!({})).await;
    assert_eq!(params["outputModality"], "audio");
    assert_eq!(params["transport"], json!({ "type": "websocket" }));
    peer.tell("thread/realtime/started", json!({ "realtimeSessionId": "s", "version": "v2" }))
        .await;
}

pub(crate) async fn stage(peer: &mut Peer, stage: &str) {
    peer.tell("thread/realtime/stage", json!({ "stage": stage, "atMs": now_ms() })).await;
}

pub(crate) async fn playback(peer: &mut Peer, change: &str) {
    let params = json!({ "change": change, "atMs": now_ms() });
    peer.tell("thread/realtime/playback", params).await;
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

pub(crate) async fn says(peer: &mut Peer, role: &str, text: &str) {
    peer.tell("thread/realtime/transcript/delta", json!({ "role": role, "delta": text })).await;
    peer.tell("thread/realtime/transcript/done", json!({ "role": role, "text": text })).await;
}

pub(crate) async fn sounds(peer: &mut Peer, pcm: &[i16]) {
    let audio = serde_json::to_value(AudioChunk::new(pcm, 24_000, None)).unwrap();
    peer.tell("thread/realtime/outputAudio/delta", json!({ "audio": audio })).await;
}

/// A question, an acknowledgement, a second of work, an answer.
async fn a_usual_talk(mut peer: Peer) -> Peer {
    start(&mut peer).await;
    let frames = peer.hear(QUESTION_FRAMES).await;
    assert!(frames.iter().all(|frame| frame["sampleRate"] == 24_000 && frame["numChannels"] == 1));
    stage(&mut peer, "speechStarted").await;
    // Silence follows, for as long as somebody listens.
    let silence = peer.hear(10).await;
    assert!(silence.iter().all(|frame| !frame["data"].as_str().unwrap().contains(|c| c != 'A')));
    stage(&mut peer, "speechStopped").await;
    says(&mut peer, "user", "Run the tests.").await;
    stage(&mut peer, "transcribed").await;
    let handoff = json!({
        "type": "handoff_request", "handoff_id": "h", "item_id": "i",
        "input_transcript": "Run the tests.", "active_transcript": [],
    });
    peer.tell("thread/realtime/itemAdded", json!({ "item": handoff })).await;
    stage(&mut peer, "handedOff").await;
    peer.tell(
        "turn/started",
        json!({ "turn": { "id": "u", "items": [], "status": "inProgress" } }),
    )
    .await;
    stage(&mut peer, "firstAudio").await;
    sounds(&mut peer, &[1000; 2400]).await;
    says(&mut peer, "assistant", "One moment.").await;
    stage(&mut peer, "replyDone").await;
    peer.hear(50).await;
    let command = json!({
        "type": "commandExecution", "id": "c", "command": "cargo test", "cwd": "/w",
        "status": "failed", "commandActions": [], "aggregatedOutput": "1 failed\n", "exitCode": 101,
        "durationMs": 900,
    });
    peer.item_completed(command).await;
    peer.item_completed(json!({ "type": "agentMessage", "id": "m", "text": "`a_b` fails." })).await;
    stage(&mut peer, "agentDone").await;
    peer.turn_completed("completed", Value::Null).await;
    stage(&mut peer, "firstAudio").await;
    sounds(&mut peer, &[2000; 24_000]).await;
    says(&mut peer, "assistant", "a b fails.").await;
    stage(&mut peer, "replyDone").await;
    goodbye(&mut peer).await;
    peer
}

pub(crate) async fn goodbye(peer: &mut Peer) {
    peer.expect("thread/realtime/stop", json!({})).await;
    peer.tell("thread/realtime/closed", json!({ "reason": "requested" })).await;
    peer.expect("thread/read", json!({ "thread": thread() })).await;
}

#[tokio::test(start_paused = true)]
async fn a_question_is_answered_in_words_and_in_sound() {
    let ran = run(TalkFormat::People { captions: true }, |peer, _signals| a_usual_talk(peer)).await;
    let report = ran.report.as_ref().unwrap();
    assert_eq!(report.exit, Exit::Done);
    assert_eq!(report.answer.as_deref(), Some("`a_b` fails."));
    assert_eq!(ran.out, "`a_b` fails.\n");
    let (before, after) = ran.progress.split_once("latency").unwrap();
    let expected = "\
in /w, with m of mock, session 01a20a6b-7bc3-7742-aa76-c1d30dfaa5a9
you: Run the tests.
duet: One moment.
 exited 101 in 900ms:
1 failed
duet: a b fails.
";
    assert_eq!(before, expected);
    for stage in ["end of speech", "transcript", "acknowledged", "agent done", "answer complete"] {
        assert!(after.contains(stage), "{stage} in {after}");
    }

    // Ten frames after the question's end, fifty more frames between the two replies.
    let pcm = ran.answer();
    let first = pcm.iter().position(|sample| *sample != 0).unwrap();
    let second = pcm.iter().position(|sample| *sample == 2000).unwrap();
    let ms = |samples: usize| samples / 24;
    assert!((180..=220).contains(&ms(first)), "the acknowledgement at {} ms", ms(first));
    assert!(
        (980..=1020).contains(&ms(second - first)),
        "the answer {} ms later",
        ms(second - first)
    );
    assert_eq!(pcm.iter().filter(|sample| **sample == 1000).count(), 2400);
    assert_eq!(pcm.iter().filter(|sample| **sample == 2000).count(), 24_000);
    assert_eq!(pcm.last(), Some(&2000));
}

/// A repository on a slow disk: the acknowledgement is said long before the turn can start.
#[tokio::test(start_paused = true)]
async fn an_acknowledgement_is_no_answer_while_the_turn_is_prepared() {
    let ran = run(TalkFormat::Json, |mut peer, _signals| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        stage(&mut peer, "speechStopped").await;
        stage(&mut peer, "handedOff").await;
        let active = json!({ "type": "active", "activeFlags": [] });
        peer.tell("thread/status/changed", json!({ "status": active })).await;
        sounds(&mut peer, &[1000; 2400]).await;
        stage(&mut peer, "replyDone").await;
        // Two minutes.
        peer.hear(6_000).await;
        let turn = json!({ "id": "u", "items": [], "status": "inProgress" });
        peer.tell("turn/started", json!({ "turn": turn })).await;
        peer.item_completed(json!({ "type": "agentMessage", "id": "m", "text": "It fails." }))
            .await;
        peer.turn_completed("completed", Value::Null).await;
        sounds(&mut peer, &[2000; 2400]).await;
        stage(&mut peer, "replyDone").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    let report = ran.report.as_ref().unwrap();
    assert_eq!(report.exit, Exit::Done);
    assert_eq!(report.answer.as_deref(), Some("It fails."));
}

/// As for `exec`: the answer is spoken and kept, and the work is not done.
#[tokio::test(start_paused = true)]
async fn an_answer_after_a_command_that_was_cut_short_is_a_failure() {
    let ran = run(TalkFormat::Json, |mut peer, _signals| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        stage(&mut peer, "speechStopped").await;
        stage(&mut peer, "handedOff").await;
        let turn = json!({ "id": "u", "items": [], "status": "inProgress" });
        peer.tell("turn/started", json!({ "turn": turn })).await;
        let command = json!({
            "type": "commandExecution", "id": "c", "command": "cargo test", "cwd": "/w",
            "status": "failed", "commandActions": [], "exitCode": null, "durationMs": 900,
            "aggregatedOutput": "begun\nit took too long",
        });
        peer.item_completed(command).await;
        peer.turn_completed("completed", Value::Null).await;
        sounds(&mut peer, &[1000; 2400]).await;
        stage(&mut peer, "replyDone").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.as_ref().unwrap().exit, Exit::Failed);
    assert!(ran.answer().contains(&1000));
    let error = json!({
        "type": "error",
        "message": "the last command of the agent came to no end of its own: it took too long",
    });
    let events: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.contains(&error), "{}", ran.out);
    assert_eq!(events.last().unwrap()["status"], "failed");
}

/// A voice that counts samples gets a recording as fast as it takes it; one that is made for
/// live sound hears it as it was spoken. Silence is never faster than it lasts.
#[tokio::test(start_paused = true)]
async fn a_recording_is_played_at_the_pace_of_who_listens() {
    for (pace, question_ms) in [(Pace::AsTaken, 0..=0), (Pace::Live, 480..=500)] {
        let dir = tempfile::tempdir().unwrap();
        let ran = run_in(dir, TalkFormat::Json, pace, |mut peer, _signals| async move {
            start(&mut peer).await;
            let started = Instant::now();
            peer.hear(QUESTION_FRAMES).await;
            let took = started.elapsed().as_millis();
            assert!(question_ms.contains(&took), "{pace:?}: the question took {took} ms");
            peer.hear(50).await;
            let took = started.elapsed().as_millis() - took;
            assert!((980..=1_020).contains(&took), "{pace:?}: a second of silence: {took} ms");
            stage(&mut peer, "speechStarted").await;
            stage(&mut peer, "speechStopped").await;
            sounds(&mut peer, &[1000; 2400]).await;
            stage(&mut peer, "replyDone").await;
            goodbye(&mut peer).await;
            peer
        })
        .await;
        assert_eq!(ran.report.unwrap().exit, Exit::Done);
    }
}

/// What the conversation has no room for is not lost: it is asked again.
#[tokio::test(start_paused = true)]
async fn a_conversation_that_is_behind_is_waited_for() {
    let ran = run(TalkFormat::Json, |mut peer, _signals| async move {
        start(&mut peer).await;
        peer.hear(10).await;
        let refused = peer.refuse_sound(-32_001, "seconds behind").await;
        let next = peer.hear(1).await[0].clone();
        assert_eq!(refused, next, "another frame came in its place");
        peer.hear(QUESTION_FRAMES - 11).await;
        stage(&mut peer, "speechStarted").await;
        stage(&mut peer, "speechStopped").await;
        sounds(&mut peer, &[1000; 2400]).await;
        stage(&mut peer, "replyDone").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.unwrap().exit, Exit::Done);
}

#[tokio::test(start_paused = true)]
async fn programs_get_events_with_a_type() {
    let ran = run(TalkFormat::Json, |peer, _signals| a_usual_talk(peer)).await;
    assert_eq!(ran.report.as_ref().unwrap().exit, Exit::Done);
    let events: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "start",
            "user_transcript",
            "handoff",
            "spoken_transcript",
            "item",
            "item",
            "spoken_transcript",
            "latency",
            "answer",
            "end"
        ]
    );
    assert_eq!(events[1], json!({ "type": "user_transcript", "text": "Run the tests." }));
    assert_eq!(events[2], json!({ "type": "handoff", "id": "h", "request": "Run the tests." }));
    assert_eq!(events[4]["status"], "completed");
    assert_eq!(events[4]["item"]["exit_code"], 101);
    assert_eq!(events[8], json!({ "type": "answer", "text": "`a_b` fails." }));
    assert_eq!(events[9]["status"], "done");
    assert_eq!(events[9]["rollout"], "/h/rollout.jsonl");
    assert_eq!(events[9]["answer"], "`a_b` fails.");
}

/// Noise: a voice that counts samples has heard all of it long before half a minute is over.
#[tokio::test(start_paused = true)]
async fn a_file_without_speech_is_named() {
    let started = Instant::now();
    let ran = run(TalkFormat::Json, |mut peer, _signals| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES + 500).await;
        peer
    })
    .await;
    assert!((9..=11).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    let error = ran.report.as_ref().unwrap_err();
    assert!(error.to_string().starts_with("no speech was heard in "), "{error}");
    assert_eq!(error.exit(), Exit::Failed);
    let events: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[1]["type"], "error");
    assert_eq!(events[2]["status"], "failed");
}

/// What a service has taken it may not have heard.
#[tokio::test(start_paused = true)]
async fn a_service_is_waited_for_that_hears_nothing() {
    let started = Instant::now();
    let dir = tempfile::tempdir().unwrap();
    let ran = run_in(dir, TalkFormat::Json, Pace::Live, |mut peer, _signals| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES + 1450).await;
        peer
    })
    .await;
    assert!(ran.report.is_err());
    assert!((29..=31).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

/// A click is none, which the voice has to hear for that; what is shorter nobody has to.
#[tokio::test(start_paused = true)]
async fn a_file_that_is_too_short_is_told_how_short() {
    let dir = tempfile::tempdir().unwrap();
    write_wav(&dir.path().join("question.wav"), &[900; 4800]).unwrap();
    let ran = run_in(dir, TalkFormat::Json, Pace::AsTaken, |mut peer, _signals| async move {
        start(&mut peer).await;
        peer.hear(510).await;
        peer
    })
    .await;
    let error = ran.report.as_ref().unwrap_err().to_string();
    assert!(error.starts_with("no speech was heard in "), "{error}");
    assert!(error.ends_with("question.wav: it lasts 0.20 s"), "{error}");

    let dir = tempfile::tempdir().unwrap();
    write_wav(&dir.path().join("question.wav"), &[900; 1680]).unwrap();
    let nothing = |peer: Peer, _signals| async move { peer };
    let ran = run_in(dir, TalkFormat::Json, Pace::AsTaken, nothing).await;
    let error = ran.report.as_ref().unwrap_err().to_string();
    assert!(error.ends_with("question.wav: it lasts 0.07 s"), "{error}");
}

/// A muted microphone is known at the end of the file, not half a minute later.
#[tokio::test(start_paused = true)]
async fn a_silent_file_is_named_at_once() {
    let dir = tempfile::tempdir().unwrap();
    write_wav(&dir.path().join("question.wav"), &[3; QUESTION_FRAMES * 480]).unwrap();
    let started = Instant::now();
    let ran = run_in(dir, TalkFormat::Json, Pace::AsTaken, |mut peer, _signals| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        peer
    })
    .await;
    let error = ran.report.as_ref().unwrap_err();
    assert!(error.to_string().starts_with("no speech was heard in "), "{error}");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn speech_without_words_is_named_with_its_cause() {
    let ran = run(TalkFormat::Json, |mut peer, _signals| async move {
        start(&mut peer).await;
        stage(&mut peer, "speechStarted").await;
        stage(&mut peer, "speechStopped").await;
        peer.hear(QUESTION_FRAMES).await;
        peer.tell("warning", json!({ "message": "the recogniser broke" })).await;
        stage(&mut peer, "transcribed").await;
        peer.hear(490).await;
        peer
    })
    .await;
    let error = ran.report.as_ref().unwrap_err().to_string();
    assert!(error.starts_with("no words were understood in "), "{error}");
    for part in ["question.wav: the recogniser broke; ", "record it louder"] {
        assert!(error.contains(part), "{part:?} in {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_named_with_its_cause() {
    let ran = run(TalkFormat::Json, |mut peer, _signals| async move {
        start(&mut peer).await;
        stage(&mut peer, "speechStarted").await;
        stage(&mut peer, "speechStopped").await;
        peer.hear(QUESTION_FRAMES).await;
        says(&mut peer, "user", "Run the tests.").await;
        stage(&mut peer, "transcribed").await;
        peer.tell("warning", json!({ "message": "the voice broke" })).await;
        peer.hear(2_990).await;
        peer
    })
    .await;
    let error = ran.report.as_ref().unwrap_err().to_string();
    assert!(error.contains("but no spoken answer came: the voice broke; run the"), "{error}");
}

/// Ten seconds, in which there may be another reply, and not a minute.
#[tokio::test(start_paused = true)]
async fn a_reply_that_fails_is_named_with_its_cause() {
    let started = Instant::now();
    let ran = run(TalkFormat::Json, |mut peer, _signals| async move {
        start(&mut peer).await;
        stage(&mut peer, "speechStarted").await;
        stage(&mut peer, "speechStopped").await;
        peer.hear(QUESTION_FRAMES).await;
        says(&mut peer, "user", "Run the tests.").await;
        stage(&mut peer, "transcribed").await;
        peer.tell("warning", json!({ "message": "the voice broke" })).await;
        stage(&mut peer, "replyBroken").await;
        peer.hear(490).await;
        peer
    })
    .await;
    let error = ran.report.as_ref().unwrap_err().to_string();
    assert!(error.contains("but no spoken answer came: the voice broke; run the"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
}

/// What was answered yesterday is not lost to a question that nobody hears.
#[tokio::test(start_paused = true)]
async fn a_run_that_comes_to_nothing_leaves_the_old_answer() {
    let dir = tempfile::tempdir().unwrap();
    let old = dir.path().join("answer.wav");
    fs::write(&old, "an old answer").unwrap();
    let begun = dir.path().to_owned();
    let ran = run_in(dir, TalkFormat::Json, Pace::AsTaken, |mut peer, _signals| async move {
        start(&mut peer).await;
        assert_eq!(unfinished(&begun), 1);
        peer.hear(QUESTION_FRAMES).await;
        peer.tell("thread/realtime/closed", json!({ "reason": "transport_closed" })).await;
        peer
    })
    .await;
    assert!(ran.report.is_err());
    assert_eq!(fs::read_to_string(&old).unwrap(), "an old answer");
    assert_eq!(unfinished(ran.dir.path()), 0);
}

/// Answers in `dir` that are still being written.
fn unfinished(dir: &Path) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().ends_with(".part")).count()
}

/// A cloned repository may contain links with any name. None of them is written through, and
/// what they name is as it was, also where nothing is.
#[tokio::test(start_paused = true)]
async fn links_that_a_stranger_planted_lead_nowhere() {
    let precious = tempfile::tempdir().unwrap();
    let (keys, none) = (precious.path().join("authorized_keys"), precious.path().join("autostart"));
    for planted in [&keys, &none] {
        fs::write(&keys, "ours").unwrap();
        let dir = tempfile::tempdir().unwrap();
        for name in ["answer.wav", "answer.wav.part"] {
            symlink(planted, dir.path().join(name)).unwrap();
        }
        let ran = run_in(dir, TalkFormat::Json, Pace::AsTaken, |peer, _| a_usual_talk(peer)).await;
        ran.report.as_ref().unwrap();
        assert!(!ran.answer().is_empty());
        assert_eq!(fs::read_to_string(&keys).unwrap(), "ours");
        assert!(!none.exists());
        let place = ran.dir.path().join("answer.wav");
        assert!(fs::symlink_metadata(place).unwrap().is_file());
        assert_eq!(fs::read_link(ran.dir.path().join("answer.wav.part")).unwrap(), *planted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_cannot_be_made_says_why() {
    let ran = run(TalkFormat::People { captions: false }, |mut peer, _signals| async move {
        peer.start_thread().await;
        peer.expect("thread/realtime/start", json!({})).await;
        peer.tell("thread/realtime/error", json!({ "message": "no key for `openai`" })).await;
        peer
    })
    .await;
    let error = ran.report.unwrap_err();
    assert_eq!(error.to_string(), "the conversation failed: no key for `openai`");
}

#[tokio::test(start_paused = true)]
async fn a_closed_conversation_is_no_answer() {
    let ran = run(TalkFormat::People { captions: false }, |mut peer, _signals| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        peer.tell("thread/realtime/closed", json!({ "reason": "transport_closed" })).await;
        peer
    })
    .await;
    assert!(matches!(ran.report, Err(HeadlessError::Conversation { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_signal_stops_the_work_and_an_acknowledgement_is_no_answer() {
    for format in [TalkFormat::People { captions: false }, TalkFormat::Json] {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("answer.wav");
        write_wav(&place, &[7; 100]).unwrap();
        let ran = run_in(dir, format, Pace::AsTaken, |mut peer, signals| async move {
            start(&mut peer).await;
            stage(&mut peer, "speechStarted").await;
            stage(&mut peer, "speechStopped").await;
            let turn = json!({ "id": "u", "items": [], "status": "inProgress" });
            peer.tell("turn/started", json!({ "turn": turn })).await;
            peer.hear(QUESTION_FRAMES + 5).await;
            sounds(&mut peer, &[1000; 2400]).await;
            says(&mut peer, "assistant", "One moment.").await;
            stage(&mut peer, "replyDone").await;
            // Until it has certainly been heard.
            sleep(Duration::from_millis(30)).await;
            peer.hear(1).await;
            signals.send(Signal::Interrupt).await.unwrap();
            let params = peer.expect("turn/interrupt", json!({})).await;
            assert_eq!(params["turnId"], "u");
            peer.turn_completed("interrupted", Value::Null).await;
            goodbye(&mut peer).await;
            peer
        })
        .await;
        let report = ran.report.as_ref().unwrap();
        assert_eq!((report.exit, report.kept, &report.answer), (Exit::Interrupted, false, &None));
        assert_eq!(ran.answer(), [7; 100], "an older answer has made way for a fragment");
        assert_eq!(unfinished(place.parent().unwrap()), 0);
        match format {
            TalkFormat::People { .. } => {
                assert_eq!(ran.out, "");
                assert!(ran.progress.ends_with("\ninterrupted\n"), "{}", ran.progress);
                assert!(!ran.progress.contains("latency"), "{}", ran.progress);
            }
            TalkFormat::Json => {
                let last: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
                let expected = json!({
                    "type": "end", "status": "stopped", "answer": null, "output": null,
                    "rollout": "/h/rollout.jsonl",
                });
                assert_eq!(last, expected);
                assert!(!ran.out.contains("\"latency\""), "{}", ran.out);
            }
        }
    }
}

/// The end of the last conversation is not waited for, and takes nothing back.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_given_before_the_signal_is_kept() {
    let people = TalkFormat::People { captions: false };
    let ran = run(people, |mut peer, signals| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        is_answered(&mut peer, "First?", "One.").await;
        peer.hear(5).await;
        signals.send(Signal::Interrupt).await.unwrap();
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.as_ref().unwrap().exit, Exit::Interrupted);
    assert_eq!(ran.out, "One.\n");
    assert!(ran.progress.contains("you: First?\n"), "{}", ran.progress);
    assert!(!ran.progress.contains("duet: "), "spoken words are captions: {}", ran.progress);
    assert!(ran.answer().iter().any(|sample| *sample != 0));
}

/// Who wants to be gone does not stay for the goodbye.
#[tokio::test(start_paused = true)]
async fn a_second_signal_does_not_wait() {
    let started = Instant::now();
    let ran = run(TalkFormat::Json, |mut peer, signals| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        signals.send(Signal::Terminate).await.unwrap();
        peer.expect("thread/realtime/stop", json!({})).await;
        signals.send(Signal::Terminate).await.unwrap();
        peer
    })
    .await;
    assert_eq!(ran.report.unwrap().exit, Exit::Terminated);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

/// A turn that does not end, whoever is to blame, keeps nobody.
#[tokio::test(start_paused = true)]
async fn an_interrupted_turn_is_not_waited_for_without_end() {
    let started = Instant::now();
    let ran = run(TalkFormat::Json, |mut peer, signals| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        stage(&mut peer, "speechStopped").await;
        stage(&mut peer, "handedOff").await;
        let turn = json!({ "id": "u", "items": [], "status": "inProgress" });
        peer.tell("turn/started", json!({ "turn": turn })).await;
        // Heard, so the turn is known.
        peer.hear(10).await;
        signals.send(Signal::Terminate).await.unwrap();
        peer.expect("turn/interrupt", json!({})).await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.unwrap().exit, Exit::Terminated);
    let took = started.elapsed();
    assert!((7..9).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn mistakes_are_found_before_anything_is_started() {
    let dir = tempfile::tempdir().unwrap();
    let no_wav = dir.path().join("notes.txt");
    fs::write(&no_wav, "hello").unwrap();
    let good = question(dir.path());
    let sound = fs::read(&good).unwrap();
    let (link, twin) = (dir.path().join("link.wav"), dir.path().join("twin.wav"));
    symlink(&good, &link).unwrap();
    fs::hard_link(&good, &twin).unwrap();
    let over = "the answer would be written over the question";
    for (input, output, why) in [
        (good.clone(), good.clone(), over),
        (good.clone(), link, over),
        (twin, good.clone(), over),
        (dir.path().join("none.wav"), dir.path().join("a.wav"), "cannot read "),
        (no_wav, dir.path().join("a.wav"), "is not a WAV file"),
        (good.clone(), dir.path().join("no/such/dir/a.wav"), "cannot write "),
    ] {
        let (mut peer, connection) = Peer::start();
        let (mut console, _out, _progress) = console();
        let (_signals, mut received) = mpsc::channel(1);
        let args = TalkArgs {
            thread: ThreadArgs::default(),
            input: Input::named(input),
            output: Output::named(output),
            format: TalkFormat::People { captions: false },
            pace: Pace::AsTaken,
            manners: Manners::Waits,
        };
        let client = async {
            let server =
                Server::greet(connection, "duet-talk", "0.0.0", talk_capabilities()).await.unwrap();
            talk(server, args, &mut console, &mut received).await
        };
        let (report, ()) = tokio::join!(client, peer.initialize());
        let error = report.unwrap_err();
        assert_eq!(error.exit() == Exit::Misused, why == over);
        assert!(error.to_string().contains(why), "{error}");
        assert!(fs::read(&good).unwrap() == sound, "the question was changed");
    }
}

/// Sound, a second of quiet, sound.
pub(crate) fn two_questions(dir: &Path) {
    let sound = (0..QUESTION_FRAMES * 480).map(|i| (i % 100) as i16 * 100);
    let samples: Vec<i16> =
        sound.clone().chain(std::iter::repeat_n(0, 24_000)).chain(sound).collect();
    write_wav(&dir.join("question.wav"), &samples).unwrap();
}

/// Hears on until a frame sounds; the silent ones before it.
pub(crate) async fn until_sound(peer: &mut Peer) -> usize {
    let mut silent = 0;
    loop {
        let frame = &peer.hear(1).await[0];
        if frame["data"].as_str().unwrap().contains(|c| c != 'A') {
            return silent;
        }
        silent += 1;
    }
}

pub(crate) async fn is_answered(peer: &mut Peer, question: &str, answer: &str) {
    stage(peer, "speechStopped").await;
    says(peer, "user", question).await;
    stage(peer, "transcribed").await;
    peer.hear(100).await;
    stage(peer, "firstAudio").await;
    // Two seconds.
    sounds(peer, &[1000; 48_000]).await;
    says(peer, "assistant", answer).await;
    stage(peer, "replyDone").await;
}

#[tokio::test(start_paused = true)]
async fn the_second_question_waits_until_the_first_is_answered() {
    for pace in [Pace::AsTaken, Pace::Live] {
        let dir = tempfile::tempdir().unwrap();
        two_questions(dir.path());
        let ran =
            run_in(dir, TalkFormat::People { captions: true }, pace, |mut peer, _| async move {
                start(&mut peer).await;
                peer.hear(QUESTION_FRAMES).await;
                stage(&mut peer, "speechStarted").await;
                peer.hear(30).await;
                is_answered(&mut peer, "First?", "One.").await;
                let silent = until_sound(&mut peer).await;
                assert!(100 < silent, "{silent} frames: the answer had not sounded");
                peer.hear(QUESTION_FRAMES - 1).await;
                stage(&mut peer, "speechStarted").await;
                is_answered(&mut peer, "Second?", "Two.").await;
                goodbye(&mut peer).await;
                peer
            })
            .await;
        let report = ran.report.as_ref().unwrap();
        assert_eq!(report.exit, Exit::Done);
        assert_eq!(report.answer.as_deref(), Some("Two."));
        assert_eq!(ran.out, "One.\nTwo.\n");
        let told: Vec<&str> = ran.progress.lines().skip(1).map(|it| &it[..7]).collect();
        let both = ["you: Fi", "duet: O", "latency", "you: Se", "duet: T", "latency", "the spo"];
        assert_eq!(told, both, "{}", ran.progress);
        assert_eq!(ran.answer().iter().filter(|sample| **sample == 1000).count(), 96_000);
    }
}

/// The voice heard no end: somebody thinks.
#[tokio::test(start_paused = true)]
async fn a_pause_in_a_question_is_played_on() {
    let dir = tempfile::tempdir().unwrap();
    two_questions(dir.path());
    let people = TalkFormat::People { captions: false };
    let ran = run_in(dir, people, Pace::AsTaken, |mut peer, _| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        assert_eq!(until_sound(&mut peer).await, 50);
        peer.hear(QUESTION_FRAMES - 1).await;
        is_answered(&mut peer, "First and second?", "Both.").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.unwrap().exit, Exit::Done);
    assert_eq!(ran.out, "Both.\n");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_wait_talks_over_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    two_questions(dir.path());
    let people = TalkFormat::People { captions: false };
    let manners = (Pace::AsTaken, Manners::Interrupts);
    let started = Instant::now();
    let ran = run_with(dir, people, manners, |mut peer, _| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        stage(&mut peer, "speechStopped").await;
        sounds(&mut peer, &[1000; 48_000]).await;
        assert_eq!(until_sound(&mut peer).await, 50);
        assert!(Duration::from_millis(1_400) < started.elapsed(), "as a microphone would");
        playback(&mut peer, "stopped").await;
        stage(&mut peer, "speechStarted").await;
        peer.hear(QUESTION_FRAMES - 1).await;
        is_answered(&mut peer, "Wait.", "Yes?").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.as_ref().unwrap().exit, Exit::Done);
    // A second of the first reply, and two of the second.
    let heard = ran.answer().iter().filter(|sample| **sample == 1000).count();
    assert!((70_000..76_000).contains(&heard), "{heard} samples");
}

/// Nobody says when a live conversation is over.
#[tokio::test(start_paused = true)]
async fn each_answer_is_told_while_the_conversation_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let sound = (0..QUESTION_FRAMES * 480).map(|i| (i % 100) as i16 * 100);
    // Ten seconds.
    let silence = std::iter::repeat_n(0, 240_000);
    let samples: Vec<i16> = sound.clone().chain(silence).chain(sound).collect();
    write_wav(&dir.path().join("question.wav"), &samples).unwrap();
    let manners = (Pace::AsTaken, Manners::Interrupts);
    let ran = run_with(dir, TalkFormat::Json, manners, |mut peer, _| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        is_answered(&mut peer, "First?", "One.").await;
        until_sound(&mut peer).await;
        peer.hear(QUESTION_FRAMES - 1).await;
        stage(&mut peer, "speechStarted").await;
        is_answered(&mut peer, "Second?", "Two.").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.unwrap().exit, Exit::Done);
    let events = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told: Vec<String> =
        events.map(|it| format!("{} {}", it["type"], it["text"]).replace('"', "")).collect();
    let expected = [
        "start null",
        "user_transcript First?",
        "spoken_transcript One.",
        "latency null",
        "answer One.",
        "user_transcript Second?",
        "spoken_transcript Two.",
        "latency null",
        "answer Two.",
        "end null",
    ];
    assert_eq!(told, expected);
}

/// What a recording ends with is no pause: nobody waits twice.
#[tokio::test(start_paused = true)]
async fn quiet_at_the_end_is_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let sound = (0..QUESTION_FRAMES * 480).map(|i| (i % 100) as i16 * 100);
    let samples: Vec<i16> = sound.chain(std::iter::repeat_n(3, 24_000 * 20)).collect();
    write_wav(&dir.path().join("question.wav"), &samples).unwrap();
    let started = Instant::now();
    let people = TalkFormat::People { captions: false };
    let ran = run_in(dir, people, Pace::AsTaken, |mut peer, _| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES + 1000).await;
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        stage(&mut peer, "speechStarted").await;
        is_answered(&mut peer, "First?", "One.").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.unwrap().exit, Exit::Done);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
