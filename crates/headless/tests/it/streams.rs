//! Raw sound through real pipes. Time stands still while a pipe is waited for.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use app_server_protocol::AudioChunk;
use headless::{Exit, HeadlessError, Manners, Pace, Signal, TalkFormat};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::advance;

use crate::peer::Peer;
use crate::talk::{
    QUESTION_FRAMES, goodbye, is_answered, playback, question, run_between, says, sounds, stage,
    start, two_questions, until_sound,
};

const WAITS: (Pace, Manners) = (Pace::AsTaken, Manners::Waits);
const PEOPLE: TalkFormat = TalkFormat::People { captions: false };

fn pipe(dir: &TempDir, name: &str) -> PathBuf {
    let path = dir.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// A player that plays everything.
fn play(pipe: &Path) -> JoinHandle<Vec<i16>> {
    let pipe = pipe.to_owned();
    thread::spawn(move || samples(&fs::read(pipe).unwrap()))
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    assert!(odd.is_empty(), "half a sample");
    pairs.iter().map(|it| i16::from_le_bytes(*it)).collect()
}

/// A recorder that delivers `pcm` in pieces of `bytes`, and is ended.
fn record(pipe: &Path, pcm: &[i16], bytes: usize) -> JoinHandle<()> {
    let (pipe, sound) = (pipe.to_owned(), pcm.iter().flat_map(|it| it.to_le_bytes()));
    let sound: Vec<u8> = sound.collect();
    thread::spawn(move || {
        let mut pipe = File::options().write(true).open(pipe).unwrap();
        sound.chunks(bytes).for_each(|piece| pipe.write_all(piece).unwrap());
    })
}

fn sound(frames: usize) -> Vec<i16> {
    (0..frames * 480).map(|i| (i % 100) as i16 * 100 + 1).collect()
}

fn pcm(frames: &[Value]) -> Vec<i16> {
    let chunks = frames.iter().map(|it| serde_json::from_value::<AudioChunk>(it.clone()).unwrap());
    chunks.flat_map(|it| it.pcm().unwrap()).collect()
}

/// Runs of equal samples that are longer than a frame, in milliseconds.
fn runs(pcm: &[i16]) -> Vec<(i16, usize)> {
    let runs = pcm.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() / 24));
    runs.filter(|(_, ms)| 20 < *ms).collect()
}

#[tokio::test(start_paused = true)]
async fn a_player_gets_the_conversation_in_real_time() {
    let dir = tempfile::tempdir().unwrap();
    let output = pipe(&dir, "sound.pcm");
    let player = play(&output);
    let input = question(dir.path());
    let ran = run_between(dir, (input, output), PEOPLE, WAITS, |mut peer, _signals| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        // Two seconds, and two in which the answer is made.
        peer.hear(100).await;
        is_answered(&mut peer, "First?", "One.").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.unwrap().exit, Exit::Done);
    assert_eq!(ran.out, "One.\n");
    assert!(!ran.progress.contains("the spoken answer is in"), "{}", ran.progress);
    let heard = player.join().unwrap();
    let [(0, before), (1000, answer), (0, after)] = runs(&heard)[..] else {
        panic!("{:?}", runs(&heard))
    };
    assert_eq!(answer, 2_000);
    assert_eq!(heard.iter().filter(|it| **it == 1000).count(), 48_000);
    // Silence is given two frames ahead.
    assert!((4_000..=4_060).contains(&before), "the answer sounds after {before} ms");
    assert!((20..=140).contains(&after), "{after} ms after the answer");
}

#[tokio::test(start_paused = true)]
async fn who_talks_over_the_answer_silences_the_player() {
    let dir = tempfile::tempdir().unwrap();
    two_questions(dir.path());
    let output = pipe(&dir, "sound.pcm");
    let player = play(&output);
    let input = question(dir.path());
    let manners = (Pace::AsTaken, Manners::Interrupts);
    let ran = run_between(dir, (input, output), TalkFormat::Json, manners, |mut peer, _| async {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        stage(&mut peer, "speechStopped").await;
        // Four seconds, of which one is heard.
        sounds(&mut peer, &[1000; 96_000]).await;
        assert_eq!(until_sound(&mut peer).await, 50);
        playback(&mut peer, "stopped").await;
        stage(&mut peer, "speechStarted").await;
        peer.hear(QUESTION_FRAMES + 100).await;
        stage(&mut peer, "speechStopped").await;
        says(&mut peer, "user", "Wait.").await;
        sounds(&mut peer, &[2000; 4_800]).await;
        says(&mut peer, "assistant", "Yes?").await;
        stage(&mut peer, "replyDone").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.unwrap().exit, Exit::Done);
    let heard = player.join().unwrap();
    let [(0, _), (1000, cut), (0, silent), (2000, 200), (0, _)] = runs(&heard)[..] else {
        panic!("{:?}", runs(&heard))
    };
    assert!((1_000..=1_100).contains(&cut), "{cut} ms of the first reply");
    assert!((2_400..=2_560).contains(&(silent)), "{silent} ms of silence");
    let events = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let silenced: Vec<Value> = events.filter(|it| it["type"] == "silenced").collect();
    let [silenced] = silenced.as_slice() else { panic!("{silenced:?}") };
    assert_eq!(silenced["dropped_ms"].as_u64().unwrap() as usize + cut, 4_000);
    assert!(silenced["after_ms"].is_i64());
}

/// It is silent while somebody says "uh-huh", and is the answer all the same.
#[tokio::test(start_paused = true)]
async fn an_answer_goes_on_behind_what_asks_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    two_questions(dir.path());
    let output = pipe(&dir, "sound.pcm");
    let player = play(&output);
    let input = question(dir.path());
    let manners = (Pace::AsTaken, Manners::Interrupts);
    let ran = run_between(dir, (input, output), TalkFormat::Json, manners, |mut peer, _| async {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        stage(&mut peer, "speechStopped").await;
        says(&mut peer, "user", "Which file?").await;
        stage(&mut peer, "transcribed").await;
        // Four seconds, of which one is heard before.
        stage(&mut peer, "firstAudio").await;
        sounds(&mut peer, &[1000; 96_000]).await;
        says(&mut peer, "assistant", "That one.").await;
        stage(&mut peer, "replyDone").await;
        assert_eq!(until_sound(&mut peer).await, 50);
        playback(&mut peer, "held").await;
        stage(&mut peer, "speechStarted").await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStopped").await;
        playback(&mut peer, "resumed").await;
        says(&mut peer, "user", "Uh-huh.").await;
        stage(&mut peer, "transcribed").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.unwrap().exit, Exit::Done);
    let heard = player.join().unwrap();
    let [(0, _), (1000, before), (0, silent), (1000, after), (0, _)] = runs(&heard)[..] else {
        panic!("{:?}", runs(&heard))
    };
    assert_eq!(before + after, 4_000);
    assert!((1_000..=1_100).contains(&before), "{before} ms before");
    assert!((340..=500).contains(&silent), "{silent} ms of silence");
    let events = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let events: Vec<Value> = events
        .filter(|it| {
            ["silenced", "resumed", "latency", "answer"].contains(&it["type"].as_str().unwrap())
        })
        .collect();
    let [resumed, latency, answer] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(resumed["type"], "resumed");
    // Counted from the end of the question that was answered.
    assert!(latency["answer_ms"].as_i64().unwrap() < 200, "{latency}");
    assert!(latency["speech_stopped_ms"].as_i64().unwrap() < 200, "{latency}");
    assert_eq!(answer["text"], "That one.");
}

/// What is queued behind an acknowledgement sounds when that is over, and counts from there.
#[tokio::test(start_paused = true)]
async fn latency_is_that_of_the_first_sample_that_left() {
    let dir = tempfile::tempdir().unwrap();
    let output = pipe(&dir, "sound.pcm");
    let player = play(&output);
    let input = question(dir.path());
    let ran = run_between(dir, (input, output), PEOPLE, WAITS, |mut peer, _signals| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        stage(&mut peer, "speechStopped").await;
        peer.hear(50).await;
        stage(&mut peer, "firstAudio").await;
        sounds(&mut peer, &[1000; 24_000]).await;
        stage(&mut peer, "agentDone").await;
        stage(&mut peer, "firstAudio").await;
        sounds(&mut peer, &[2000; 24_000]).await;
        stage(&mut peer, "replyDone").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    let latency = ran.report.unwrap().latency;
    let (acknowledged, answer) = (latency.acknowledged_ms.unwrap(), latency.answer_ms.unwrap());
    assert!((980..=1_020).contains(&acknowledged), "{latency}");
    // Sound is given ahead of its time.
    assert!((880..=1_000).contains(&(answer - acknowledged)), "{latency}");
    assert_eq!(player.join().unwrap().iter().filter(|it| **it == 2000).count(), 24_000);
}

/// Nobody knows yet whether the question goes on.
#[tokio::test(start_paused = true)]
async fn latency_of_live_sound_counts_from_the_last_that_sounds() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("question.wav");
    // Ten seconds of silence behind it.
    let said = [sound(QUESTION_FRAMES), vec![0; 240_000]].concat();
    audio_io::write_wav(&input, &said).unwrap();
    let output = pipe(&dir, "sound.pcm");
    let player = play(&output);
    let manners = (Pace::AsTaken, Manners::Interrupts);
    let ran = run_between(dir, (input, output), PEOPLE, manners, |mut peer, _| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        // A second until the voice is sure, and two until it speaks.
        peer.hear(50).await;
        is_answered(&mut peer, "First?", "One.").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    let latency = ran.report.unwrap().latency;
    assert!((2_960..=3_040).contains(&latency.answer_ms.unwrap()), "{latency}");
    player.join().unwrap();
}

/// Nothing is looked ahead for, nothing waited for, and no byte lost where the pieces meet.
#[tokio::test(start_paused = true)]
async fn live_sound_is_passed_on_as_it_comes() {
    for bytes in [333, 960, 6_000] {
        let dir = tempfile::tempdir().unwrap();
        let input = pipe(&dir, "microphone.pcm");
        let said = [sound(QUESTION_FRAMES), vec![0; 24_000], sound(QUESTION_FRAMES)].concat();
        let recorder = record(&input, &said, bytes);
        let ends = (input, dir.path().join("answer.wav"));
        let ran = run_between(dir, ends, PEOPLE, WAITS, |mut peer, _signals| async move {
            start(&mut peer).await;
            let frames = peer.hear(said.len() / 480).await;
            assert!(pcm(frames) == said, "in pieces of {bytes} bytes");
            stage(&mut peer, "speechStarted").await;
            // The end of the recorder is the end of the question.
            assert!(pcm(peer.hear(50).await).iter().all(|it| *it == 0));
            is_answered(&mut peer, "First and second?", "Both.").await;
            goodbye(&mut peer).await;
            peer
        })
        .await;
        assert_eq!(ran.report.unwrap().exit, Exit::Done);
        assert_eq!(ran.out, "Both.\n");
        recorder.join().unwrap();
    }
}

/// A file that is piped in is as patient as its pipe: it is not kept here.
#[tokio::test(start_paused = true)]
async fn live_sound_waits_in_its_pipe() {
    // A pipe, one read, and 200 ms; the frame on its way, and the one that is cut.
    const KEPT: usize = 65_536 + 16_384 + 12 * 960;
    let dir = tempfile::tempdir().unwrap();
    let input = pipe(&dir, "microphone.pcm");
    let written = Arc::new(AtomicUsize::new(0));
    let recorder = {
        let (input, written) = (input.clone(), Arc::clone(&written));
        thread::spawn(move || {
            let mut pipe = File::options().write(true).open(input).unwrap();
            // Twenty seconds.
            for frame in sound(1_000).chunks(480) {
                let bytes: Vec<u8> = frame.iter().flat_map(|it| it.to_le_bytes()).collect();
                pipe.write_all(&bytes).unwrap();
                written.fetch_add(bytes.len(), Ordering::Relaxed);
            }
        })
    };
    let ends = (input, dir.path().join("answer.wav"));
    let ran = run_between(dir, ends, PEOPLE, WAITS, |mut peer, _signals| async move {
        start(&mut peer).await;
        for heard in 1..=1_000 {
            peer.hear(1).await;
            let ahead = written.load(Ordering::Relaxed).saturating_sub(heard * 960);
            assert!(ahead <= KEPT, "{ahead} bytes ahead after {heard} frames");
        }
        stage(&mut peer, "speechStarted").await;
        is_answered(&mut peer, "Long?", "Yes.").await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.unwrap().exit, Exit::Done);
    recorder.join().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_records_nothing_is_named() {
    for said in [Vec::new(), vec![3; 4_800]] {
        let dir = tempfile::tempdir().unwrap();
        let input = pipe(&dir, "microphone.pcm");
        let recorder = record(&input, &said, 960);
        let ends = (input.clone(), dir.path().join("answer.wav"));
        let ran = run_between(dir, ends, PEOPLE, WAITS, |mut peer, _signals| async move {
            start(&mut peer).await;
            peer.hear(said.len() / 480).await;
            peer
        })
        .await;
        let error = ran.report.unwrap_err();
        assert_eq!(error.exit(), Exit::Failed);
        let error = error.to_string();
        assert!(error.starts_with(&format!("no speech was heard in {}", input.display())));
        assert!(error.contains("arecord -t raw -f S16_LE -r 24000 -c 1"), "{error}");
        recorder.join().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_in_a_stream_is_named_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let wav = fs::read(question(dir.path())).unwrap();
    let input = pipe(&dir, "microphone.pcm");
    let recorder = record(&input, &samples(&wav[..960]), 960);
    let ends = (input, dir.path().join("answer.wav"));
    let ran = run_between(dir, ends, PEOPLE, WAITS, |mut peer, _signals| async move {
        start(&mut peer).await;
        peer
    })
    .await;
    let error = ran.report.unwrap_err().to_string();
    assert!(error.contains("begins as a WAV file") && error.contains("ffmpeg"), "{error}");
    recorder.join().unwrap();
}

/// A microphone is never at its end: nobody waits for it.
#[tokio::test(start_paused = true)]
async fn a_signal_does_not_wait_for_the_recorder() {
    let dir = tempfile::tempdir().unwrap();
    let input = pipe(&dir, "microphone.pcm");
    let microphone = {
        let input = input.clone();
        thread::spawn(move || {
            let mut pipe = File::options().write(true).open(input).unwrap();
            pipe.write_all(&[1; 9_600]).unwrap();
            pipe
        })
    };
    let ends = (input, dir.path().join("answer.wav"));
    let ran = run_between(dir, ends, PEOPLE, WAITS, |mut peer, signals| async move {
        start(&mut peer).await;
        peer.hear(10).await;
        signals.send(Signal::Interrupt).await.unwrap();
        goodbye(&mut peer).await;
        peer
    })
    .await;
    assert_eq!(ran.report.unwrap().exit, Exit::Interrupted);
    // Only now.
    drop(microphone.join().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_player_that_is_closed_ends_the_talk_politely() {
    let dir = tempfile::tempdir().unwrap();
    let output = pipe(&dir, "sound.pcm");
    let player = {
        let output = output.clone();
        // Half a second, and it is gone.
        thread::spawn(move || File::open(output).unwrap().read_exact(&mut [0; 24_000]).unwrap())
    };
    let input = question(dir.path());
    let ran = run_between(dir, (input, output), TalkFormat::Json, WAITS, |mut peer, _| async {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        stage(&mut peer, "speechStopped").await;
        stage(&mut peer, "handedOff").await;
        let turn = json!({ "id": "u", "items": [], "status": "inProgress" });
        peer.tell("turn/started", json!({ "turn": turn })).await;
        let params = peer.expect("turn/interrupt", json!({})).await;
        assert_eq!(params["turnId"], "u");
        peer.turn_completed("interrupted", Value::Null).await;
        goodbye(&mut peer).await;
        peer
    })
    .await;
    player.join().unwrap();
    let error = ran.report.unwrap_err();
    assert!(matches!(error, HeadlessError::NobodyListens { .. }), "{error}");
    assert_eq!(error.exit(), Exit::Failed);
    assert!(error.to_string().starts_with("nobody listens any more"), "{error}");
    let last: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["status"]), (&json!("end"), &json!("failed")));
}

/// A player that stands still: its pipe is full, and the conversation goes on to its end.
#[tokio::test(start_paused = true)]
async fn a_player_that_takes_nothing_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let output = pipe(&dir, "sound.pcm");
    // A pipe that is open both ways is opened without waiting for anybody.
    let player = File::options().read(true).write(true).open(&output).unwrap();
    let input = question(dir.path());
    let talk = run_between(dir, (input, output), PEOPLE, WAITS, |mut peer, _signals| async move {
        start(&mut peer).await;
        peer.hear(QUESTION_FRAMES).await;
        stage(&mut peer, "speechStarted").await;
        is_answered(&mut peer, "First?", "One.").await;
        // Ten seconds.
        sounds(&mut peer, &[1000; 240_000]).await;
        stage(&mut peer, "replyDone").await;
        goodbye(&mut peer).await;
        peer
    });
    // Time does not pass by itself while a pipe is written to.
    let two_minutes = async {
        for _frame in 0..6_000 {
            advance(Duration::from_millis(20)).await;
            tokio::task::yield_now().await;
        }
    };
    let ran = tokio::select! {
        ran = talk => ran,
        () = two_minutes => {
            // Whoever is held up ends.
            drop(player);
            panic!("the conversation waits for its player");
        }
    };
    assert_eq!(ran.report.unwrap().exit, Exit::Done);
    assert_eq!(ran.out, "One.\n");
    let told = ran.progress.matches("does not keep up").count();
    assert_eq!(told, 1, "{}", ran.progress);
    drop(player);
}

#[tokio::test(start_paused = true)]
async fn a_pipe_cannot_be_both_ends() {
    let dir = tempfile::tempdir().unwrap();
    let both = pipe(&dir, "both.pcm");
    let ends = (both.clone(), both);
    let ran = run_between(dir, ends, PEOPLE, WAITS, |peer: Peer, _signals| async { peer }).await;
    assert_eq!(ran.report.unwrap_err().exit(), Exit::Misused);
}
