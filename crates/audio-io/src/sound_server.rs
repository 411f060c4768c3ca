//! The sound server of this machine, PulseAudio or PipeWire, over its socket.
//!
//! It owns the devices, mixes, converts every rate and channel count, and moves our sound to
//! another device when one is unplugged. Nothing is linked for it, so that the program starts on
//! machines without sound. Everything here blocks, for a limited time: it is for threads that
//! nobody waits for.

use std::env;
use std::ffi::{CStr, CString, OsString};
use std::fs;
use std::io::{self, BufReader, Cursor, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audio_dsp::DUET_HZ;
use pulseaudio::protocol::{
    AuthParams, AuthReply, ChannelMap, Command, CommandReply, DESCRIPTOR_SIZE, Descriptor,
    DescriptorFlags, MAX_VERSION, Prop, Props, ProtocolError, PulseError, SampleFormat, SampleSpec,
    ServerInfo, SetClientNameReply, SinkInfo, SourceInfo, TagStructReader, encode_descriptor,
    read_descriptor, write_command_message,
};

use crate::device::{Device, DeviceError, DeviceKind, pick};
use crate::loudspeaker::Loudspeaker;
use crate::microphone::Microphone;

/// What a server, a microphone or a speaker may take for anything. They work in hundredths of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Of what lets us in. A server hangs up on any other length, also where it lets in whoever has its
/// user; without a file it is zeros.
const COOKIE_BYTES: usize = 256;

/// What no message comes near: a second of sound is 48 KB.
const LONGEST_MESSAGE: u32 = 4 * 1024 * 1024;

/// Where it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundServer {
    places: Vec<PathBuf>,
    /// Files with what lets us in, where the socket alone does not.
    cookies: Vec<PathBuf>,
    patience: Duration,
}

/// Greeted.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: BufReader<UnixStream>,
    place: PathBuf,
    version: u16,
    sequence: u32,
    patience: Duration,
}

/// What the server sends.
#[derive(Debug)]
pub(crate) enum Message {
    Sound(Vec<u8>),
    Command(Box<Said>),
    /// News that we have no use for.
    Other,
}

/// What is left of a reply is for who asked.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) sequence: u32,
    pub(crate) command: Command,
    pub(crate) rest: Cursor<Vec<u8>>,
}

/// Why nothing more comes.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server has gone.
    Ended,
    /// It is there, and stands still.
    Silent,
    Refused(PulseError),
    Protocol(String),
}

impl SoundServer {
    /// Where this user's session has it.
    pub fn of_environment() -> Self {
        Self::of(|name| env::var_os(name), own_id())
    }

    /// The one with this socket.
    pub fn at(socket: PathBuf) -> Self {
        Self { places: vec![socket], cookies: Vec::new(), patience: PATIENCE }
    }

    /// How long the server and its devices may stand still, instead of five seconds.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>, user: Option<u32>) -> Self {
        let path = |name: &str| variable(name).filter(|it| !it.is_empty()).map(PathBuf::from);
        let servers = variable("PULSE_SERVER").unwrap_or_default();
        let mut places: Vec<PathBuf> =
            servers.to_string_lossy().split_whitespace().filter_map(socket_of).collect();
        // A server that was named and is elsewhere is not replaced by another one.
        if servers.is_empty() {
            places.extend(path("PULSE_RUNTIME_PATH").map(|it| it.join("native")));
            let runtime = path("XDG_RUNTIME_DIR");
            let runtime = runtime.or_else(|| user.map(|id| format!("/run/user/{id}").into()));
            places.extend(runtime.map(|it| it.join("pulse").join("native")));
        }
        let home = path("HOME");
        let in_home = |it: &str| home.as_ref().map(|home| home.join(it));
        let cookies =
            [path("PULSE_COOKIE"), in_home(".config/pulse/cookie"), in_home(".pulse-cookie")];
        Self { places, cookies: cookies.into_iter().flatten().collect(), patience: PATIENCE }
    }

    /// What there is, microphones first.
    pub fn devices(&self) -> Result<Vec<Device>, DeviceError> {
        self.connect()?.devices()
    }

    /// Opened, and not listening yet. Without a name, the default.
    pub fn microphone(&self, name: Option<&str>) -> Result<Microphone, DeviceError> {
        let (connection, device) = self.find(DeviceKind::Microphone, name)?;
        Microphone::open(connection, device)
    }

    /// Opened. Without a name, the default.
    pub fn speaker(&self, name: Option<&str>) -> Result<Loudspeaker, DeviceError> {
        let (connection, device) = self.find(DeviceKind::Speaker, name)?;
        Loudspeaker::open(connection, device)
    }

    fn find(
        &self,
        kind: DeviceKind,
        name: Option<&str>,
    ) -> Result<(Connection, Device), DeviceError> {
        let mut connection = self.connect()?;
        let device = pick(&connection.devices()?, kind, name)?.clone();
        Ok((connection, device))
    }

    fn connect(&self) -> Result<Connection, DeviceError> {
        let mut source = None;
        for place in &self.places {
            match UnixStream::connect(place) {
                Ok(socket) => {
                    let cookie = self.cookies.iter().find_map(|it| fs::read(it).ok());
                    let mut cookie = cookie.unwrap_or_default();
                    cookie.resize(COOKIE_BYTES, 0);
                    return Connection::greet(socket, place, cookie, self.patience)
                        .map_err(|fault| fault.at(place, self.patience));
                }
                Err(error) => source = Some(error),
            }
        }
        Err(DeviceError::NoServer { places: self.places.clone(), source })
    }
}

/// Of one entry of `PULSE_SERVER`. Servers on other machines are not ours.
fn socket_of(entry: &str) -> Option<PathBuf> {
    // `{machine}` says on which one the rest is meant.
    let entry = entry.strip_prefix('{').and_then(|it| it.split_once('}')).map_or(entry, |it| it.1);
    let path = entry.strip_prefix("unix:").unwrap_or(entry);
    path.starts_with('/').then(|| PathBuf::from(path))
}

fn own_id() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|it| it.uid())
}

impl Connection {
    fn greet(
        socket: UnixStream,
        place: &Path,
        cookie: Vec<u8>,
        patience: Duration,
    ) -> Result<Self, Fault> {
        socket.set_read_timeout(Some(patience))?;
        socket.set_write_timeout(Some(patience))?;
        let mut connection = Self {
            socket: BufReader::new(socket),
            place: place.to_owned(),
            version: MAX_VERSION,
            sequence: 0,
            patience,
        };
        let greeting =
            AuthParams { version: MAX_VERSION, supports_shm: false, supports_memfd: false, cookie };
        let reply: AuthReply = connection.ask(&Command::Auth(greeting))?;
        connection.version = reply.version.min(MAX_VERSION);
        let mut names = Props::new();
        names.set(Prop::ApplicationName, c"Duet");
        connection.ask::<SetClientNameReply>(&Command::SetClientName(names))?;
        Ok(connection)
    }

    fn devices(&mut self) -> Result<Vec<Device>, DeviceError> {
        let place = self.place.clone();
        let patience = self.patience;
        self.ask_for_devices().map_err(|fault| fault.at(&place, patience))
    }

    fn ask_for_devices(&mut self) -> Result<Vec<Device>, Fault> {
        let server: ServerInfo = self.ask(&Command::GetServerInfo)?;
        let sources: Vec<SourceInfo> = self.ask(&Command::GetSourceInfoList)?;
        let sinks: Vec<SinkInfo> = self.ask(&Command::GetSinkInfoList)?;
        let text = |text: &CStr| text.to_string_lossy().into_owned();
        let device =
            |kind, name: &CString, description: &Option<CString>, default: &Option<CString>| {
                let name = text(name);
                Device {
                    kind,
                    is_default: default.as_deref().map(text).as_ref() == Some(&name),
                    description: description.as_deref().map_or_else(|| name.clone(), text),
                    name,
                    is_muted: false,
                    is_monitor: false,
                }
            };
        let microphones = sources.iter().map(|it| Device {
            is_muted: it.muted,
            is_monitor: it.monitor_of_sink_index.is_some(),
            ..device(DeviceKind::Microphone, &it.name, &it.description, &server.default_source_name)
        });
        let speakers = sinks.iter().map(|it| Device {
            is_muted: it.muted,
            ..device(DeviceKind::Speaker, &it.name, &it.description, &server.default_sink_name)
        });
        Ok(microphones.chain(speakers).collect())
    }

    /// Waits for the answer; what comes before it is dropped.
    pub(crate) fn ask<R: CommandReply>(&mut self, command: &Command) -> Result<R, Fault> {
        let mut answer = self.answer(command)?;
        Ok(TagStructReader::new(&mut answer, self.version).read()?)
    }

    /// As [`Connection::ask`], where the answer only says yes.
    pub(crate) fn tell(&mut self, command: &Command) -> Result<(), Fault> {
        self.answer(command).map(drop)
    }

    fn answer(&mut self, command: &Command) -> Result<Cursor<Vec<u8>>, Fault> {
        let asked = self.send(command)?;
        loop {
            let Message::Command(said) = self.receive()? else { continue };
            let Said { sequence, command, rest } = *said;
            match command {
                Command::Reply if sequence == asked => return Ok(rest),
                Command::Error(error) if sequence == asked => return Err(Fault::Refused(error)),
                _news => {}
            }
        }
    }

    fn send(&mut self, command: &Command) -> Result<u32, Fault> {
        self.sequence += 1;
        write_command(self.socket.get_mut(), self.sequence, command, self.version)?;
        Ok(self.sequence)
    }

    pub(crate) fn receive(&mut self) -> Result<Message, Fault> {
        let head = read_descriptor(&mut self.socket)?;
        if LONGEST_MESSAGE < head.length {
            return Err(Fault::Protocol(format!("a message of {} bytes", head.length)));
        }
        let mut body = vec![0; head.length as usize];
        self.socket.read_exact(&mut body)?;
        if head.channel != u32::MAX {
            return Ok(Message::Sound(body));
        }
        let mut rest = Cursor::new(body);
        match Command::read_tag_prefixed(&mut rest, self.version) {
            Ok((sequence, command)) => {
                Ok(Message::Command(Box::new(Said { sequence, command, rest })))
            }
            // A server may know more than we do.
            Err(ProtocolError::Unimplemented(..)) => Ok(Message::Other),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) fn version(&self) -> u16 {
        self.version
    }

    /// Another end of the same connection, to write to.
    pub(crate) fn writer(&self) -> io::Result<UnixStream> {
        self.socket.get_ref().try_clone()
    }

    /// From now on [`Connection::receive`] waits for as long as it takes.
    pub(crate) fn wait_forever(&self) -> io::Result<()> {
        self.socket.get_ref().set_read_timeout(None)
    }
}

/// In one piece.
pub(crate) fn write_command(
    socket: &mut UnixStream,
    sequence: u32,
    command: &Command,
    version: u16,
) -> Result<(), Fault> {
    let mut bytes = Vec::new();
    write_command_message(&mut bytes, sequence, command, version)?;
    Ok(socket.write_all(&bytes)?)
}

/// Sound for a speaker.
pub(crate) fn write_sound(socket: &mut UnixStream, channel: u32, pcm: &[i16]) -> Result<(), Fault> {
    let length = u32::try_from(pcm.len() * 2).map_err(|_| Fault::Protocol("too long".into()))?;
    let head = Descriptor { length, channel, offset: 0, flags: DescriptorFlags::empty() };
    let mut bytes = vec![0; DESCRIPTOR_SIZE];
    if let Some(place) = bytes.first_chunk_mut::<DESCRIPTOR_SIZE>() {
        encode_descriptor(place, &head);
    }
    bytes.extend(pcm.iter().flat_map(|it| it.to_le_bytes()));
    Ok(socket.write_all(&bytes)?)
}

/// What sound is inside; the server makes it of whatever the device has.
pub(crate) fn our_sound() -> (SampleSpec, ChannelMap) {
    let spec = SampleSpec { format: SampleFormat::S16Le, channels: 1, sample_rate: DUET_HZ };
    (spec, ChannelMap::mono())
}

pub(crate) fn name_of(device: &Device) -> Option<CString> {
    // A name with a zero in it is none that the server could have given.
    CString::new(device.name.as_str()).ok()
}

impl Fault {
    fn at(self, place: &Path, patience: Duration) -> DeviceError {
        let reason = match self {
            Self::Ended => "it has hung up".to_owned(),
            Self::Silent => format!("it has not answered for {patience:?}"),
            Self::Refused(error) => why(error).to_owned(),
            Self::Protocol(reason) => reason,
        };
        DeviceError::Protocol { place: place.to_owned(), reason }
    }

    pub(crate) fn of(self, device: &Device, patience: Duration) -> DeviceError {
        let (kind, name) = (device.kind, device.description.clone());
        match self {
            Self::Ended | Self::Protocol(_) => DeviceError::Gone { kind, name },
            Self::Silent => DeviceError::Stuck { kind, name, patience },
            Self::Refused(PulseError::NoEntity | PulseError::Killed) => {
                DeviceError::Gone { kind, name }
            }
            Self::Refused(error) => DeviceError::Refused { kind, name, reason: why(error) },
        }
    }
}

const fn why(error: PulseError) -> &'static str {
    match error {
        PulseError::AccessDenied | PulseError::AuthKey => "its sound server does not let us in",
        PulseError::Busy => "another program has it for itself",
        PulseError::NotSupported => "it has no such sound as we need",
        PulseError::NoEntity => "it is not there",
        PulseError::Timeout => "it does not answer",
        _other => "its sound server refuses it",
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Silent,
            _other => Self::Ended,
        }
    }
}

impl From<ProtocolError> for Fault {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::Io(error) => error.into(),
            ProtocolError::ServerError(error) => Self::Refused(error),
            other => Self::Protocol(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], places: &[&str]) {
        let variable = |name: &str| {
            variables.iter().find(|it| it.0 == name).map(|(_, value)| OsString::from(value))
        };
        let found = SoundServer::of(variable, Some(7));
        assert_eq!(found.places, places.iter().map(PathBuf::from).collect::<Vec<_>>());
    }

    #[test]
    fn the_server_is_where_the_session_has_it() {
        check(&[], &["/run/user/7/pulse/native"]);
        check(&[("XDG_RUNTIME_DIR", "/run/x")], &["/run/x/pulse/native"]);
        check(
            &[("PULSE_RUNTIME_PATH", "/run/p"), ("XDG_RUNTIME_DIR", "/run/x")],
            &["/run/p/native", "/run/x/pulse/native"],
        );
        let named = |value| [("PULSE_SERVER", value), ("XDG_RUNTIME_DIR", "/run/x")];
        check(&named("unix:/a/s"), &["/a/s"]);
        check(&named("{0123abc}unix:/a/s /b/s"), &["/a/s", "/b/s"]);
        // Another machine's devices are not in front of who speaks.
        check(&named("tcp:host:4713"), &[]);
    }
}
