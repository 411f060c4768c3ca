//! Devices of a sound server that the test plays by hand, over a real socket.

use std::thread;
use std::time::Duration;

use audio_io::{Device, DeviceError, DeviceKind, SoundServer};
use pulseaudio::protocol::{Command, PulseError};
use testkit::{SOUND_CHANNEL, SoundPeer};

/// `peer` plays the server while `client` uses it.
fn with<T: Send>(
    peer: impl FnOnce(&mut SoundPeer) + Send,
    client: impl FnOnce(SoundServer) -> T + Send,
) -> T {
    let server = testkit::SoundServer::start();
    thread::scope(|scope| {
        let client = scope.spawn(|| client(SoundServer::at(server.socket())));
        peer(&mut server.accept());
        client.join().unwrap()
    })
}

#[test]
fn devices_are_told_with_what_people_call_them() {
    let devices = with(SoundPeer::tell_devices, |server| server.devices()).unwrap();
    let device = |kind, name: &str, description: &str| Device {
        kind,
        name: name.to_owned(),
        description: description.to_owned(),
        is_default: name != "out.monitor",
        is_muted: name == "in",
        is_monitor: name == "out.monitor",
    };
    let expected = [
        device(DeviceKind::Microphone, "out.monitor", "Monitor of Box"),
        device(DeviceKind::Microphone, "in", "Built-in"),
        device(DeviceKind::Speaker, "out", "Box"),
    ];
    assert_eq!(devices, expected);
}

#[test]
fn a_microphone_is_heard_in_frames_until_it_is_unplugged() {
    let pcm: Vec<i16> = (0..1_000).collect();
    let (frames, end) = with(
        |peer| {
            peer.open_microphone();
            peer.begin_to_listen();
            let bytes: Vec<u8> = pcm.iter().flat_map(|it| it.to_le_bytes()).collect();
            // A server cuts where it likes, and tells of other things between.
            peer.send_sound(&bytes[..333]);
            peer.say(&Command::Started(SOUND_CHANNEL));
            peer.send_sound(&bytes[333..]);
            peer.say(&Command::RecordStreamKilled(SOUND_CHANNEL));
            // The server itself goes on.
            peer.expect_goodbye();
        },
        |server| {
            let mut microphone = server.microphone(None).unwrap();
            assert_eq!(microphone.device().description, "Built-in");
            let frames = [(); 2].map(|()| microphone.next_frame().unwrap());
            (frames, microphone.next_frame().unwrap_err())
        },
    );
    assert_eq!(frames.concat(), pcm[..960]);
    let expected = "the microphone Built-in is gone: it was unplugged, or its sound server ended; \
                    run the command again to use another";
    assert_eq!(end.to_string(), expected);
}

#[test]
fn a_microphone_that_stands_still_is_no_hang() {
    let end = with(
        |peer| {
            peer.open_microphone();
            peer.begin_to_listen();
            // It says nothing more; the client hangs up.
            peer.expect_goodbye();
        },
        |server| {
            let server = server.with_patience(Duration::from_millis(50));
            server.microphone(Some("built-in")).unwrap().next_frame().unwrap_err()
        },
    );
    let expected = "the microphone Built-in has stood still for 50ms: see `duet talk \
                    --list-devices`, and name another";
    assert_eq!(end.to_string(), expected);
}

#[test]
fn a_device_that_another_program_has_is_refused_in_words() {
    let refused = with(
        |peer| {
            peer.tell_devices();
            let (number, _) = peer.hear();
            peer.refuse(number, PulseError::Busy);
        },
        |server| server.speaker(None).unwrap_err(),
    );
    let expected = "the speaker Box cannot be used: another program has it for itself";
    assert_eq!(refused.to_string(), expected);
}

#[test]
fn a_speaker_is_given_as_much_as_it_asks_for_and_says_when_it_sounds() {
    let pcm: Vec<i16> = (0..600).collect();
    let sounds_in = with(
        |peer| {
            peer.open_speaker(200 * 2);
            assert_eq!(peer.hear_sound(), pcm[..200]);
            peer.ask_for(50);
            assert_eq!(peer.hear_sound(), pcm[200..250]);
            peer.ask_for(1_000);
            assert_eq!(peer.hear_sound(), pcm[250..]);
            let (number, asked) = peer.hear();
            assert!(matches!(asked, Command::GetPlaybackLatency(_)), "{asked:?}");
            // Half of a second has not been played.
            peer.answer_latency(number, 24_000, Duration::from_secs(100));
            assert_eq!(peer.hear_sound(), vec![7; 650]);
            peer.ask_for(1_440_000);
            assert_eq!(peer.hear_sound().len(), 1_439_350);
        },
        |server| {
            let mut speaker = server.speaker(None).unwrap();
            assert_eq!(speaker.sounds_in(), None);
            speaker.write(&pcm).unwrap();
            // A minute more, which waits for what is asked for behind the answer.
            speaker.write(&vec![7; 1_440_000]).unwrap();
            speaker.sounds_in().unwrap()
        },
    );
    // Less the time that has passed since.
    let expected = Duration::from_millis(160_500);
    assert!(
        sounds_in <= expected && expected < sounds_in + Duration::from_secs(30),
        "{sounds_in:?}"
    );
}

#[test]
fn a_speaker_that_goes_is_told_to_who_writes() {
    let gone = |end: fn(&mut SoundPeer)| {
        with(
            |peer| {
                peer.open_speaker(0);
                end(peer);
            },
            |server| server.speaker(None).unwrap().write(&[7; 100]).unwrap_err(),
        )
    };
    let unplugged = gone(|peer| {
        peer.say(&Command::PlaybackStreamKilled(SOUND_CHANNEL));
        peer.expect_goodbye();
    });
    let server_ended = gone(|_| ());
    for end in [unplugged, server_ended] {
        assert!(matches!(end, DeviceError::Gone { kind: DeviceKind::Speaker, .. }), "{end}");
    }
}

#[test]
fn a_speaker_that_takes_nothing_is_no_hang() {
    let end = with(
        |peer| {
            peer.open_speaker(0);
            peer.expect_goodbye();
        },
        |server| {
            let server = server.with_patience(Duration::from_millis(50));
            server.speaker(None).unwrap().write(&[7; 100]).unwrap_err()
        },
    );
    assert!(matches!(end, DeviceError::Stuck { kind: DeviceKind::Speaker, .. }), "{end}");
}

#[test]
fn a_machine_without_a_sound_server_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = SoundServer::at(folder.path().join("native")).microphone(None).unwrap_err();
    let expected = format!(
        "no microphone and no speaker can be reached: no sound server (PulseAudio or PipeWire) \
         answers at {}/native; start one, or give the sound through pipes (`duet talk --help`)",
        folder.path().display()
    );
    assert_eq!(error.to_string(), expected);
}
