use std::path::Path;
use std::time::Duration;

use audio_io::{Timeline, WavReader, write_wav};
use tempfile::TempDir;

const MS: u64 = 24;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Runs of equal samples: what sounds, and for how many milliseconds.
fn story(path: &Path) -> String {
    let heard = WavReader::open(path).unwrap().read_to_end().unwrap();
    let runs = heard.chunk_by(|a, b| a == b);
    let runs = runs.map(|run| format!("{} for {} ms", run[0], run.len() as u64 / MS));
    runs.collect::<Vec<_>>().join(", ")
}

fn sound(value: i16, ms: u64) -> Vec<i16> {
    vec![value; (ms * MS) as usize]
}

#[test]
fn sound_stands_where_it_arrived_and_silence_is_kept() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("answer.wav");
    let mut timeline = Timeline::create(&path).unwrap();
    assert!(timeline.is_empty());
    timeline.play(ms(500), &sound(1, 100)).unwrap();
    timeline.play(ms(2_000), &sound(2, 300)).unwrap();
    assert_eq!(timeline.len(), ms(2_300));
    timeline.finish(ms(3_000)).unwrap();
    assert_eq!(
        story(&path),
        "0 for 500 ms, 1 for 100 ms, 0 for 1400 ms, 2 for 300 ms, 0 for 700 ms"
    );
}

/// A service sends faster than it plays: pieces queue, none is lost, none overlaps.
#[test]
fn a_burst_plays_one_after_the_other() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("answer.wav");
    let mut timeline = Timeline::create(&path).unwrap();
    for piece in 1..=3 {
        timeline.play(ms(100 + 10 * piece as u64), &sound(piece, 200)).unwrap();
    }
    timeline.finish(Duration::ZERO).unwrap();
    assert_eq!(story(&path), "0 for 110 ms, 1 for 200 ms, 2 for 200 ms, 3 for 200 ms");
}

#[test]
fn what_was_stopped_is_never_heard() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("answer.wav");
    let mut timeline = Timeline::create(&path).unwrap();
    timeline.play(ms(0), &sound(1, 5_000)).unwrap();
    timeline.stop(ms(1_200)).unwrap();
    timeline.play(ms(1_500), &sound(2, 100)).unwrap();
    timeline.finish(ms(1_600)).unwrap();
    assert_eq!(story(&path), "1 for 1200 ms, 0 for 300 ms, 2 for 100 ms");
}

#[test]
fn an_error_elsewhere_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("answer.wav");
    let mut timeline = Timeline::create(&path).unwrap();
    timeline.play(ms(10), &sound(1, 100)).unwrap();
    drop(timeline);
    assert_eq!(story(&path), "0 for 10 ms, 1 for 100 ms");
}

/// As after `kill -9`: nobody said goodbye, and all but the last second is there.
#[test]
fn a_kill_loses_a_second_at_most() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("answer.wav");
    let mut timeline = Timeline::create(&path).unwrap();
    for second in 0..10 {
        timeline.play(ms(second * 1_000), &sound(1, 1_000)).unwrap();
    }
    timeline.stop(ms(10_000)).unwrap();
    std::mem::forget(timeline);
    assert_eq!(story(&path), "1 for 10000 ms");
}

/// The machine slept for a day: the file does not hold a day of silence, and what follows
/// stands where it should.
#[test]
fn a_jump_of_the_clock_does_not_fill_the_disk() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("answer.wav");
    let day = 24 * 60 * 60 * 1_000;
    let mut timeline = Timeline::create(&path).unwrap();
    timeline.play(ms(day), &sound(1, 100)).unwrap();
    assert_eq!(timeline.len(), ms(30 * 60 * 1_000 + 100));
    timeline.play(ms(day + 200), &sound(2, 100)).unwrap();
    timeline.finish(ms(day + 400)).unwrap();
    let duration = WavReader::open(&path).unwrap().shape().duration;
    assert_eq!(duration, Some(ms(30 * 60 * 1_000 + 400)));
}

#[test]
fn where_nothing_can_be_written_is_named() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("no/such/answer.wav");
    let message = write_wav(&path, &[1, 2, 3]).unwrap_err().to_string();
    assert!(message.starts_with(&format!("cannot write {}: ", path.display())), "{message}");
    assert!(message.ends_with("may be written to and has space"), "{message}");
}
