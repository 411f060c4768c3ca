//! What a speaker plays, and when it sounds.
//!
//! The server asks for as much as it wants to have; a thread of ours counts that, and writing
//! waits for it, as it waits for the reader of a pipe.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use audio_dsp::{DUET_HZ, SOUND_AHEAD_MS};
use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{
    Command, CreatePlaybackStreamReply, LatencyParams, PlaybackLatency, PlaybackStreamParams,
    Props, Request, TagStructReader,
};

use crate::device::{Device, DeviceError};
use crate::sound_server::{
    Connection, Fault, Message, Said, name_of, our_sound, write_command, write_sound,
};

/// Bytes of a millisecond.
const MS: u32 = DUET_HZ * 2 / 1000;

/// What the server is to have: as far as sound is given ahead. All of it sounds although
/// somebody speaks.
const HELD: u32 = SOUND_AHEAD_MS * MS;

/// What the server waits for before it plays, at first and after it ran dry: as far as silence is
/// given ahead, or it would run dry at once.
const AT_FIRST: u32 = 40 * MS;

/// How often it is asked when what was written sounds.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// The number of that question; those before were counted from 1.
const QUESTION: u32 = 1 << 16;

#[derive(Debug)]
pub struct Loudspeaker {
    device: Device,
    channel: u32,
    socket: UnixStream,
    version: u16,
    patience: Duration,
    /// Samples that were written.
    written: u64,
    /// When the server may be asked again when they sound.
    ask_at: Instant,
    flow: Arc<Flow>,
    reader: Option<JoinHandle<()>>,
}

/// Between who writes and the thread that hears the server. Nobody holds the lock for longer than
/// a few additions.
#[derive(Debug, Default)]
struct Flow {
    news: Mutex<News>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct News {
    /// Samples that the server waits for.
    wanted: u64,
    /// Samples that had been written when the server was asked about the time, until it answers.
    asked: Option<u64>,
    measured: Option<Measured>,
    fault: Option<Fault>,
}

/// What the server said of the time.
#[derive(Debug, Clone, Copy)]
struct Measured {
    at: Instant,
    /// Samples that had been written.
    written: u64,
    /// From then on until the last of them sounds.
    sounds_in: Duration,
}

impl Loudspeaker {
    pub(crate) fn open(mut connection: Connection, device: Device) -> Result<Self, DeviceError> {
        let patience = connection.patience();
        Self::begin(&mut connection, &device)
            .and_then(|reply| Self::serve(connection, device.clone(), &reply))
            .map_err(|fault| fault.of(&device, patience))
    }

    fn begin(
        connection: &mut Connection,
        device: &Device,
    ) -> Result<CreatePlaybackStreamReply, Fault> {
        let (sample_spec, channel_map) = our_sound();
        connection.ask(&Command::CreatePlaybackStream(PlaybackStreamParams {
            sample_spec,
            channel_map,
            sink_name: name_of(device),
            buffer_attr: BufferAttr {
                target_length: HELD,
                pre_buffering: AT_FIRST,
                minimum_request_length: 10 * MS,
                ..BufferAttr::default()
            },
            flags: StreamFlags { adjust_latency: true, ..StreamFlags::default() },
            props: Props::new(),
            ..PlaybackStreamParams::default()
        }))
    }

    fn serve(
        mut connection: Connection,
        device: Device,
        reply: &CreatePlaybackStreamReply,
    ) -> Result<Self, Fault> {
        let news = News { wanted: u64::from(reply.requested_bytes / 2), ..News::default() };
        let flow = Arc::new(Flow { news: Mutex::new(news), came: Condvar::new() });
        connection.wait_forever()?;
        let (socket, version) = (connection.writer()?, connection.version());
        let patience = connection.patience();
        let hears = Arc::clone(&flow);
        let reader = thread::Builder::new().name("speaker".to_owned()).spawn(move || {
            loop {
                if let Err(fault) = hears.hear(&mut connection) {
                    hears.news().fault = Some(fault);
                    hears.came.notify_all();
                    return;
                }
            }
        })?;
        Ok(Self {
            device,
            channel: reply.channel,
            socket,
            version,
            patience,
            written: 0,
            ask_at: Instant::now(),
            flow,
            reader: Some(reader),
        })
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Blocks until the server has taken it, which it does about as fast as it plays.
    pub fn write(&mut self, pcm: &[i16]) -> Result<(), DeviceError> {
        self.give(pcm).map_err(|fault| fault.of(&self.device, self.patience))
    }

    /// When the last sample that was written will sound, from now on; zero where it has. `None`
    /// until the server has said anything about that.
    pub fn sounds_in(&self) -> Option<Duration> {
        let Measured { at, written, sounds_in } = self.flow.news().measured?;
        let since = length(self.written - written);
        Some((sounds_in + since).saturating_sub(at.elapsed()))
    }

    fn give(&mut self, pcm: &[i16]) -> Result<(), Fault> {
        let mut left = pcm;
        while !left.is_empty() {
            let count = left.len().min(self.flow.take(left.len(), self.patience)?);
            write_sound(&mut self.socket, self.channel, &left[..count])?;
            self.written += count as u64;
            left = &left[count..];
        }
        if self.ask_at <= Instant::now() && self.flow.asks(self.written) {
            self.ask_at = Instant::now() + ASK_EVERY;
            let question = LatencyParams { channel: self.channel, now: SystemTime::now() };
            let question = Command::GetPlaybackLatency(question);
            write_command(&mut self.socket, QUESTION, &question, self.version)?;
        }
        Ok(())
    }
}

impl Drop for Loudspeaker {
    fn drop(&mut self) {
        // It may have gone before us.
        self.socket.shutdown(Shutdown::Both).ok();
        if let Some(reader) = self.reader.take() {
            // Its panic was printed.
            drop(reader.join());
        }
    }
}

impl Flow {
    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the server wants something, and promises it at most so many samples.
    fn take(&self, most: usize, patience: Duration) -> Result<usize, Fault> {
        let waits = |news: &mut News| news.wanted == 0 && news.fault.is_none();
        let waited = self.came.wait_timeout_while(self.news(), patience, waits);
        let (mut news, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(fault) = news.fault.take() {
            // For whoever writes next.
            news.fault = Some(Fault::Ended);
            return Err(fault);
        }
        if timeout.timed_out() {
            return Err(Fault::Silent);
        }
        let count = usize::try_from(news.wanted).unwrap_or(most).min(most);
        news.wanted -= count as u64;
        Ok(count)
    }

    /// Whether nothing was asked yet that was not answered.
    fn asks(&self, written: u64) -> bool {
        let mut news = self.news();
        let asks = news.asked.is_none();
        if asks {
            news.asked = Some(written);
        }
        asks
    }

    fn hear(&self, connection: &mut Connection) -> Result<(), Fault> {
        let Message::Command(said) = connection.receive()? else { return Ok(()) };
        let Said { sequence, command, mut rest } = *said;
        match command {
            Command::Request(Request { channel: _, length }) => {
                self.news().wanted += u64::from(length / 2);
                self.came.notify_all();
            }
            Command::PlaybackStreamKilled(_) => return Err(Fault::Ended),
            Command::Reply if sequence == QUESTION => {
                let answer: PlaybackLatency =
                    TagStructReader::new(&mut rest, connection.version()).read()?;
                let mut news = self.news();
                if let Some(written) = news.asked.take() {
                    let (at, sounds_in) = (Instant::now(), sounds_in(&answer));
                    news.measured = Some(Measured { at, written, sounds_in });
                }
            }
            // It moves us to another device by itself, and tells of much else.
            _other => {}
        }
        Ok(())
    }
}

/// From the server's counting: what it has of ours, and what lies between it and the air.
fn sounds_in(answer: &PlaybackLatency) -> Duration {
    let held = answer.write_offset.saturating_sub(answer.read_offset).max(0);
    length(held.unsigned_abs() / 2) + Duration::from_micros(answer.sink_usec)
}

fn length(samples: u64) -> Duration {
    Duration::from_nanos(samples.saturating_mul(1_000_000_000) / u64::from(DUET_HZ))
}
