//! With a real sound server, which has no hardware: what its speaker plays is our microphone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::f32::consts::TAU;
use std::process::Command;
use std::thread;
use std::time::Duration;

use audio_io::{DeviceError, SoundServer};
use tempfile::TempDir;

struct PulseAudio(TempDir);

impl PulseAudio {
    /// With a speaker that is not as our sound is: `box`, 44.1 kHz, stereo.
    fn start() -> Self {
        let server = Self(tempfile::tempdir().unwrap());
        let socket = server.0.path().join("native").display().to_string();
        // It returns when it can be talked to.
        server.run(&[
            "-n",
            "--daemonize=yes",
            "--exit-idle-time=-1",
            "--disable-shm=yes",
            "-L",
            &format!("module-native-protocol-unix socket={socket} auth-anonymous=1"),
            "-L",
            "module-null-sink sink_name=box rate=44100 channels=2",
        ]);
        server
    }

    fn client(&self) -> SoundServer {
        SoundServer::at(self.0.path().join("native"))
    }

    fn kill(&self) {
        self.run(&["--kill"]);
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) {
        let mut command = Command::new("pulseaudio");
        command.args(arguments).env("HOME", self.0.path()).env("XDG_RUNTIME_DIR", self.0.path());
        let status = command.status().expect("pulseaudio: `./x packages` installs it");
        assert!(status.success(), "pulseaudio {arguments:?}: {status}");
    }
}

impl Drop for PulseAudio {
    fn drop(&mut self) {
        if thread::panicking() {
            self.kill();
        }
    }
}

#[test]
fn what_is_played_is_heard_as_it_was_and_when_it_was_said_to_sound() {
    let server = PulseAudio::start();
    let mut speaker = server.client().speaker(None).unwrap();
    let mut microphone = server.client().microphone(Some("box.monitor")).unwrap();
    let tone = |from: usize| -> Vec<i16> {
        let at = |i: usize| ((from + i) as f32 / 24_000.0 * 440.0 * TAU).sin() * 10_000.0;
        (0..480).map(|i| at(i) as i16).collect()
    };
    // Two seconds are written in real time, since the server takes no more than it plays.
    let plays = thread::spawn(move || {
        for frame in 0..100 {
            speaker.write(&tone(frame * 480)).unwrap();
        }
        let sounds_in = speaker.sounds_in().unwrap();
        speaker.write(&[0; 24_000]).unwrap();
        sounds_in
    });
    let mut heard: Vec<i16> = Vec::new();
    while heard.iter().filter(|it| 5_000 < it.abs()).count() < 24_000 {
        heard.extend(microphone.next_frame().unwrap());
    }
    // On a busy machine it runs dry now and then: gaps do not count, and their edges little. Sound that
    // was taken for one of another rate or channel count is far away.
    let sounding = heard.iter().filter(|it| **it != 0).count() as f32;
    let rises = heard.windows(2).filter(|it| it[0] < 0 && 0 <= it[1]).count() as f32;
    let hz = 24_000.0 * rises / sounding;
    assert!((380.0..500.0).contains(&hz), "{hz}: {rises} rises in {sounding} samples");
    let loudest = heard.iter().map(|it| it.unsigned_abs()).max().unwrap();
    assert!((9_000..11_000).contains(&loudest), "{loudest}");
    let sounds_in = plays.join().unwrap();
    assert!(sounds_in < Duration::from_secs(1), "{sounds_in:?}");
    server.kill();
}

#[test]
fn a_server_that_ends_is_told_on_both_sides() {
    let server = PulseAudio::start();
    let mut speaker = server.client().speaker(Some("box")).unwrap();
    let mut microphone = server.client().microphone(Some("box.monitor")).unwrap();
    speaker.write(&[0; 2_400]).unwrap();
    microphone.next_frame().unwrap();
    server.kill();
    let gone = loop {
        if let Err(gone) = microphone.next_frame() {
            break gone;
        }
    };
    assert!(matches!(gone, DeviceError::Gone { .. }), "{gone}");
    let gone = loop {
        if let Err(gone) = speaker.write(&[0; 480]) {
            break gone;
        }
    };
    assert!(matches!(gone, DeviceError::Gone { .. }), "{gone}");
}

#[test]
fn what_a_speaker_plays_is_no_microphone_by_default() {
    let server = PulseAudio::start();
    let none = server.client().microphone(None).unwrap_err();
    assert!(matches!(none, DeviceError::None { .. }), "{none}");
    server.kill();
}
