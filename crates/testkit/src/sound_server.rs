//! The sound server of a machine, over a real socket. Strict: a client that asks for anything else
//! than the test expects fails it.

use std::ffi::CString;
use std::io::{BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use pulseaudio::protocol::{
    AuthReply, Command, CommandReply, CreatePlaybackStreamReply, CreateRecordStreamReply,
    Descriptor, DescriptorFlags, MAX_VERSION, PlaybackLatency, PulseError, Request, ServerInfo,
    SetClientNameReply, SinkInfo, SourceInfo, read_command_message, read_descriptor,
    write_ack_message, write_command_message, write_descriptor, write_error, write_reply_message,
};
use tempfile::TempDir;

/// Of the one stream of a connection.
pub const SOUND_CHANNEL: u32 = 3;

/// A sound server that the test plays by hand: a built-in microphone (`in`, "Built-in"), a speaker
/// (`out`, "Box"), and what it plays (`out.monitor`).
#[derive(Debug)]
pub struct SoundServer {
    folder: TempDir,
    listener: UnixListener,
}

/// One client, greeted. What it says must be what the test expects.
#[derive(Debug)]
pub struct SoundPeer(BufReader<UnixStream>);

impl SoundServer {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("native")).unwrap();
        Self { folder, listener }
    }

    /// Where clients connect.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("native")
    }

    /// The next client, whose greeting is answered.
    pub fn accept(&self) -> SoundPeer {
        let mut peer = SoundPeer(BufReader::new(self.listener.accept().unwrap().0));
        let (number, greeting) = peer.hear();
        let Command::Auth(greeting) = greeting else { panic!("{greeting:?}") };
        // It hangs up on any other length.
        assert_eq!(greeting.cookie.len(), 256);
        peer.reply(number, &AuthReply { version: MAX_VERSION, use_memfd: false, use_shm: false });
        let (number, name) = peer.hear();
        assert!(matches!(name, Command::SetClientName(_)), "{name:?}");
        peer.reply(number, &SetClientNameReply { client_id: 1 });
        peer
    }
}

impl SoundPeer {
    pub fn hear(&mut self) -> (u32, Command) {
        read_command_message(&mut self.0, MAX_VERSION).unwrap()
    }

    pub fn reply(&mut self, number: u32, reply: &impl CommandReply) {
        write_reply_message(self.0.get_mut(), number, reply, MAX_VERSION).unwrap();
    }

    pub fn say(&mut self, news: &Command) {
        write_command_message(self.0.get_mut(), u32::MAX, news, MAX_VERSION).unwrap();
    }

    /// A built-in microphone, the speaker, and what it plays.
    pub fn tell_devices(&mut self) {
        let (number, asked) = self.hear();
        assert_eq!(asked, Command::GetServerInfo);
        let info = ServerInfo {
            default_sink_name: Some(text("out")),
            default_source_name: Some(text("in")),
            ..ServerInfo::default()
        };
        self.reply(number, &info);
        let (number, asked) = self.hear();
        assert_eq!(asked, Command::GetSourceInfoList);
        let source = |name, description, monitor_of_sink_index| SourceInfo {
            name: text(name),
            description: Some(text(description)),
            monitor_of_sink_index,
            muted: name == "in",
            ..SourceInfo::default()
        };
        let sources =
            vec![source("out.monitor", "Monitor of Box", Some(7)), source("in", "Built-in", None)];
        self.reply(number, &sources);
        let (number, asked) = self.hear();
        assert_eq!(asked, Command::GetSinkInfoList);
        let sink = SinkInfo {
            name: text("out"),
            description: Some(text("Box")),
            ..SinkInfo::new_dummy(7)
        };
        self.reply(number, &vec![sink]);
    }

    pub fn open_microphone(&mut self) {
        self.tell_devices();
        let (number, asked) = self.hear();
        let Command::CreateRecordStream(params) = asked else { panic!("{asked:?}") };
        assert_eq!(params.source_name, Some(text("in")));
        assert_eq!((params.sample_spec.sample_rate, params.sample_spec.channels), (24_000, 1));
        assert!(params.flags.start_corked, "nobody listens yet");
        self.reply(
            number,
            &CreateRecordStreamReply { channel: SOUND_CHANNEL, ..Default::default() },
        );
    }

    pub fn begin_to_listen(&mut self) {
        let (number, asked) = self.hear();
        assert!(matches!(asked, Command::CorkRecordStream(it) if !it.cork), "{asked:?}");
        write_ack_message(self.0.get_mut(), number).unwrap();
    }

    pub fn open_speaker(&mut self, requested_bytes: u32) {
        self.tell_devices();
        let (number, asked) = self.hear();
        let Command::CreatePlaybackStream(params) = asked else { panic!("{asked:?}") };
        assert_eq!(params.sink_name, Some(text("out")));
        assert_eq!((params.sample_spec.sample_rate, params.sample_spec.channels), (24_000, 1));
        let reply = CreatePlaybackStreamReply {
            channel: SOUND_CHANNEL,
            requested_bytes,
            ..CreatePlaybackStreamReply::default()
        };
        self.reply(number, &reply);
    }

    pub fn ask_for(&mut self, samples: u32) {
        self.say(&Command::Request(Request { channel: SOUND_CHANNEL, length: samples * 2 }));
    }

    /// One piece for the speaker.
    pub fn hear_sound(&mut self) -> Vec<i16> {
        let head = read_descriptor(&mut self.0).unwrap();
        assert_eq!(head.channel, SOUND_CHANNEL);
        let mut bytes = vec![0; head.length as usize];
        self.0.read_exact(&mut bytes).unwrap();
        samples(&bytes)
    }

    pub fn send_sound(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap();
        let flags = DescriptorFlags::empty();
        let head = Descriptor { length, channel: SOUND_CHANNEL, offset: 0, flags };
        write_descriptor(self.0.get_mut(), &head).unwrap();
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Refuses the last request.
    pub fn refuse(&mut self, number: u32, error: PulseError) {
        write_error(self.0.get_mut(), number, &error).unwrap();
    }

    pub fn answer_latency(&mut self, number: u32, held_bytes: i64, sink: Duration) {
        let answer = PlaybackLatency {
            sink_usec: u64::try_from(sink.as_micros()).unwrap(),
            source_usec: 0,
            playing: true,
            local_time: SystemTime::now(),
            remote_time: SystemTime::now(),
            write_offset: 12_000 + held_bytes,
            read_offset: 12_000,
            underrun_for: 0,
            playing_for: 0,
        };
        self.reply(number, &answer);
    }

    /// Takes whatever is written, as fast as it comes, and says that it sounds `late`; to the
    /// end. `heard` is called with each piece.
    pub fn play_all(&mut self, late: Duration, mut heard: impl FnMut(&[i16])) {
        while let Ok(head) = read_descriptor(&mut self.0) {
            let mut body = vec![0; head.length as usize];
            self.0.read_exact(&mut body).unwrap();
            if head.channel == SOUND_CHANNEL {
                heard(&samples(&body));
                self.ask_for(head.length / 2);
                continue;
            }
            let (number, command) =
                Command::read_tag_prefixed(&mut body.as_slice(), MAX_VERSION).unwrap();
            assert!(matches!(command, Command::GetPlaybackLatency(_)), "{command:?}");
            self.answer_latency(number, 0, late);
        }
    }

    /// Waits until the client hangs up, which is all that it may do.
    pub fn expect_goodbye(&mut self) {
        let said = read_descriptor(&mut self.0);
        assert!(said.is_err(), "{said:?}");
    }
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks(2).map(|it| i16::from_le_bytes([it[0], it[1]])).collect()
}

fn text(text: &str) -> CString {
    CString::new(text).unwrap()
}
