//! The client's side: commands out, events in, in the dialect of the service.
//!
//! Which dialect it is, is settled when the codec is made. Nothing above it asks again.

mod address;
mod fault;
mod read;
mod v1;
mod v2;

use protocol::{ItemId, RealtimeCommand, RealtimeEvent, RealtimeVersion};
use serde_json::Value;

pub use self::address::{AddressError, Endpoint, Handshake, handshake};

use self::read::Reader;
use crate::audio::{self, Samples};

/// Reads and writes one connection's text frames.
#[derive(Debug)]
pub struct Codec {
    dialect: Dialect,
    sound: Sound,
    ignored: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    V1,
    V2,
}

/// Joins the sound of one item across events.
#[derive(Debug, Default)]
pub(crate) struct Sound {
    item: Option<ItemId>,
    samples: Samples,
}

/// An event that we know, but that lacks what makes it one. The rest of the connection is
/// unharmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the realtime service sent text that is no JSON object with a type")]
    NotAnEvent,
    #[error("the realtime service sent `{kind}` without a usable `{field}`")]
    Field { kind: String, field: &'static str },
    #[error(
        "the realtime service sent sound of {rate} Hz with {channels} channels; \
         only 24000 Hz with 1 channel is understood"
    )]
    SoundShape { rate: u64, channels: u64 },
}

impl Codec {
    pub fn new(version: RealtimeVersion) -> Self {
        let dialect = match version {
            RealtimeVersion::V1 => Dialect::V1,
            RealtimeVersion::V2 => Dialect::V2,
        };
        Self { dialect, sound: Sound::default(), ignored: 0 }
    }

    /// The command as one text frame, or `None` where the dialect has no word for it.
    pub fn encode(&self, command: &RealtimeCommand) -> Option<String> {
        let message = match self.dialect {
            Dialect::V1 => v1::encode(command),
            Dialect::V2 => Some(v2::encode(command)),
        };
        message.map(|it| it.to_string())
    }

    /// Reads one text frame. `None`: an event that means nothing to us; it is counted.
    pub fn decode(&mut self, frame: &str) -> Result<Option<RealtimeEvent>, DecodeError> {
        let Ok(Value::Object(map)) = serde_json::from_str(frame) else {
            return Err(DecodeError::NotAnEvent);
        };
        let Some(kind) = map.get("type").and_then(Value::as_str) else {
            return Err(DecodeError::NotAnEvent);
        };
        let event = Reader { kind, map: &map };
        let event = match self.dialect {
            Dialect::V1 => v1::decode(event, &mut self.sound),
            Dialect::V2 => v2::decode(event, &mut self.sound),
        }?;
        if event.is_none() {
            self.ignored += 1;
        }
        Ok(event)
    }

    /// Events that meant nothing to us so far.
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }
}

impl Sound {
    /// The samples of one delta: base64 of 24 kHz mono PCM16, cut anywhere.
    fn event(
        &mut self,
        event: Reader<'_>,
        field: &'static str,
        data: &str,
        item: Option<ItemId>,
    ) -> Result<Option<RealtimeEvent>, DecodeError> {
        let bytes = audio::from_base64(data).ok_or_else(|| event.lacks(field))?;
        if self.item != item {
            self.item.clone_from(&item);
            self.samples.reset();
        }
        Ok(Some(RealtimeEvent::Audio { item, pcm: self.samples.push(&bytes) }))
    }
}
