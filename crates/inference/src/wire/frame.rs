//! Cuts the byte stream of the host's socket into frames.
//!
//! A frame is a header (JSON) and a payload (bytes: sound, probabilities), each preceded by
//! its length as a little-endian `u32`. Lengths are checked before anything is kept, so a
//! stranger at the socket costs at most one frame of memory.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A model's whole context as JSON, with room to spare: 8192 tokens are about 40 KB of text.
pub(crate) const MAX_HEADER: usize = 1 << 20;
/// Two minutes of 16 kHz PCM16.
pub(crate) const MAX_PAYLOAD: usize = 120 * 16_000 * 2;

const LENGTHS: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) header: Bytes,
    pub(crate) payload: Bytes,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame's {part} has {size} bytes, more than {limit}")]
    TooLarge { part: &'static str, size: usize, limit: usize },
    #[error("a frame's header is not what was expected: {0}")]
    Header(#[from] serde_json::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Frame {
    pub(crate) fn new(header: &impl Serialize, payload: Bytes) -> Result<Self, FrameError> {
        let header = Bytes::from(serde_json::to_vec(header)?);
        check("header", header.len(), MAX_HEADER)?;
        check("payload", payload.len(), MAX_PAYLOAD)?;
        Ok(Self { header, payload })
    }

    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, FrameError> {
        Ok(serde_json::from_slice(&self.header)?)
    }

    pub(crate) fn encode(&self, to: &mut BytesMut) {
        to.reserve(LENGTHS + self.header.len() + self.payload.len());
        // `new` and `decode` bound both lengths far below 4 GiB.
        to.put_u32_le(self.header.len() as u32);
        to.put_u32_le(self.payload.len() as u32);
        to.put_slice(&self.header);
        to.put_slice(&self.payload);
    }

    /// Takes the next whole frame off `from`; `None` when more bytes are needed.
    pub(crate) fn decode(from: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        let Some(mut lengths) = from.get(..LENGTHS) else { return Ok(None) };
        let header = lengths.get_u32_le() as usize;
        let payload = lengths.get_u32_le() as usize;
        check("header", header, MAX_HEADER)?;
        check("payload", payload, MAX_PAYLOAD)?;
        let whole = LENGTHS + header + payload;
        if from.len() < whole {
            from.reserve(whole - from.len());
            return Ok(None);
        }
        from.advance(LENGTHS);
        Ok(Some(Self {
            header: from.split_to(header).freeze(),
            payload: from.split_to(payload).freeze(),
        }))
    }
}

/// Frames for tokio's framed streams.
#[derive(Debug)]
pub(crate) struct FrameCodec;

impl tokio_util::codec::Decoder for FrameCodec {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, from: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        Frame::decode(from)
    }
}

impl tokio_util::codec::Encoder<Frame> for FrameCodec {
    type Error = FrameError;

    fn encode(&mut self, frame: Frame, to: &mut BytesMut) -> Result<(), FrameError> {
        frame.encode(to);
        Ok(())
    }
}

/// PCM16 as the wire carries it: little-endian.
pub(crate) fn pcm_to_bytes(samples: &[i16]) -> Bytes {
    samples.iter().flat_map(|it| it.to_le_bytes()).collect()
}

/// An odd byte at the end is dropped: no sender of ours makes one.
pub(crate) fn pcm_from_bytes(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks().0.iter().map(|it| i16::from_le_bytes(*it)).collect()
}

pub(crate) fn floats_to_bytes(values: &[f32]) -> Bytes {
    values.iter().flat_map(|it| it.to_le_bytes()).collect()
}

pub(crate) fn floats_from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|it| f32::from_le_bytes(*it)).collect()
}

fn check(part: &'static str, size: usize, limit: usize) -> Result<(), FrameError> {
    if size > limit { Err(FrameError::TooLarge { part, size, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(header: &str, payload: &[u8]) -> Frame {
        Frame {
            header: Bytes::copy_from_slice(header.as_bytes()),
            payload: Bytes::copy_from_slice(payload),
        }
    }

    #[test]
    fn frames_survive_any_cut() {
        let frames = [frame("{}", b""), frame(r#"{"a":1}"#, b"\0\x01\x02"), frame("", b"x")];
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|it| it.encode(&mut bytes));
        for cut in 1..bytes.len() {
            let mut seen = Vec::new();
            let mut buffer = BytesMut::new();
            for piece in bytes.chunks(cut) {
                buffer.extend_from_slice(piece);
                while let Some(frame) = Frame::decode(&mut buffer).unwrap() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, frames, "cut every {cut} bytes");
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn lengths_are_refused_before_their_bytes_arrive() {
        for lengths in [[u32::MAX, 0], [0, u32::MAX], [MAX_HEADER as u32 + 1, 0]] {
            let mut bytes = BytesMut::new();
            lengths.iter().for_each(|it| bytes.put_u32_le(*it));
            let error = Frame::decode(&mut bytes).unwrap_err();
            assert!(matches!(error, FrameError::TooLarge { .. }), "{error}");
        }
    }

    /// Whatever bytes come, decoding ends in a frame, a wait or an error.
    #[test]
    fn garbage_is_an_error_or_a_wait() {
        let mut dice = stdx::Dice::new(7);
        for _ in 0..10_000 {
            let size = dice.roll(64) as usize;
            let small = dice.once_in(2);
            let mut bytes: BytesMut = (0..size).map(|_| dice.roll(256) as u8).collect();
            if small && bytes.len() >= LENGTHS {
                // Plausible lengths, so that headers are reached too.
                bytes[1..4].fill(0);
                bytes[5..8].fill(0);
            }
            while let Ok(Some(frame)) = Frame::decode(&mut bytes) {
                assert!(frame.parse::<super::super::Job>().is_err());
            }
        }
    }
}
