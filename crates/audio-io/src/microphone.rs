//! What a microphone hears, as frames of 20 ms.

use std::fmt;

use audio_dsp::{DUET_HZ, Framer, Pcm16Bytes};
use pulseaudio::protocol::stream::{BufferAttr, CorkStreamParams, StreamFlags};
use pulseaudio::protocol::{Command, CreateRecordStreamReply, Props, RecordStreamParams};

use crate::device::{Device, DeviceError};
use crate::sound_server::{Connection, Fault, Message, name_of, our_sound};

/// 20 ms.
const FRAME: usize = DUET_HZ as usize / 50;

/// What may wait in the server while we do not listen: a second. Then it drops.
const LONGEST_WAIT: u32 = DUET_HZ * 2;

pub struct Microphone {
    connection: Connection,
    device: Device,
    channel: u32,
    listens: bool,
    bytes: Pcm16Bytes,
    framer: Framer<i16>,
}

impl Microphone {
    pub(crate) fn open(mut connection: Connection, device: Device) -> Result<Self, DeviceError> {
        let (sample_spec, channel_map) = our_sound();
        let params = RecordStreamParams {
            sample_spec,
            channel_map,
            source_name: name_of(&device),
            buffer_attr: BufferAttr {
                max_length: LONGEST_WAIT,
                fragment_size: FRAME as u32 * 2,
                ..BufferAttr::default()
            },
            flags: StreamFlags { start_corked: true, adjust_latency: true, ..Default::default() },
            props: Props::new(),
            ..RecordStreamParams::default()
        };
        let reply: CreateRecordStreamReply =
            connection
                .ask(&Command::CreateRecordStream(params))
                .map_err(|fault| fault.of(&device, connection.patience()))?;
        Ok(Self {
            connection,
            device,
            channel: reply.channel,
            listens: false,
            bytes: Pcm16Bytes::default(),
            framer: Framer::new(FRAME),
        })
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Blocks until there are 20 ms. It begins to listen when it is called first.
    pub fn next_frame(&mut self) -> Result<Vec<i16>, DeviceError> {
        self.listen().map_err(|fault| fault.of(&self.device, self.connection.patience()))
    }

    fn listen(&mut self) -> Result<Vec<i16>, Fault> {
        if !self.listens {
            let go_on = CorkStreamParams { channel: self.channel, cork: false };
            self.connection.tell(&Command::CorkRecordStream(go_on))?;
            self.listens = true;
        }
        loop {
            if let Some(frame) = self.framer.next_frame() {
                return Ok(frame);
            }
            match self.connection.receive()? {
                Message::Sound(bytes) => self.framer.push(&self.bytes.push(&bytes)),
                Message::Command(said) => match said.command {
                    Command::RecordStreamKilled(_) => return Err(Fault::Ended),
                    _news => {}
                },
                Message::Other => {}
            }
        }
    }
}

impl fmt::Debug for Microphone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Microphone").field("device", &self.device).finish_non_exhaustive()
    }
}
