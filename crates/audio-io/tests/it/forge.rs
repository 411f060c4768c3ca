//! Makes WAV files byte by byte, honest and dishonest ones.

use std::f64::consts::TAU;

/// A sample format, as its tag and bits in the header say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    U8,
    I16,
    I24,
    I32,
    F32,
    F64,
    Alaw,
    Ulaw,
}

pub(crate) const FORMATS: [Format; 8] = [
    Format::U8,
    Format::I16,
    Format::I24,
    Format::I32,
    Format::F32,
    Format::F64,
    Format::Alaw,
    Format::Ulaw,
];

impl Format {
    pub(crate) fn tag(self) -> u16 {
        match self {
            Self::U8 | Self::I16 | Self::I24 | Self::I32 => 1,
            Self::F32 | Self::F64 => 3,
            Self::Alaw => 6,
            Self::Ulaw => 7,
        }
    }

    pub(crate) fn bits(self) -> u16 {
        match self {
            Self::U8 | Self::Alaw | Self::Ulaw => 8,
            Self::I16 => 16,
            Self::I24 => 24,
            Self::I32 | Self::F32 => 32,
            Self::F64 => 64,
        }
    }

    /// How far a decoded sample may be from the one that was written.
    pub(crate) fn error(self) -> f64 {
        match self {
            Self::U8 => 1.0 / 128.0,
            Self::Alaw | Self::Ulaw => 1.0 / 30.0,
            // PCM16 comes out of the reader, whatever goes in.
            Self::I16 | Self::I24 | Self::I32 | Self::F32 | Self::F64 => 1.0 / 32_000.0,
        }
    }

    fn put(self, sample: f64, to: &mut Vec<u8>) {
        let pcm16 = (sample * 32_767.0).round() as i16;
        match self {
            Self::U8 => to.push((sample * 127.0 + 128.0).round() as u8),
            Self::I16 => to.extend(pcm16.to_le_bytes()),
            Self::I24 => to.extend(&((sample * 8_388_607.0) as i32).to_le_bytes()[..3]),
            Self::I32 => to.extend(((sample * 2_147_483_647.0) as i32).to_le_bytes()),
            Self::F32 => to.extend((sample as f32).to_le_bytes()),
            Self::F64 => to.extend(sample.to_le_bytes()),
            Self::Alaw => to.push(audio_dsp::g711::encode_alaw(pcm16)),
            Self::Ulaw => to.push(audio_dsp::g711::encode_ulaw(pcm16)),
        }
    }
}

/// Half a second of 440 Hz at half of full scale, the same on every channel.
pub(crate) fn tone(format: Format, hz: u32, channels: u16) -> Vec<u8> {
    let mut data = Vec::new();
    for n in 0..hz / 2 {
        let sample = 0.5 * (TAU * 440.0 * f64::from(n) / f64::from(hz)).sin();
        for _ in 0..channels {
            format.put(sample, &mut data);
        }
    }
    wav(&[fmt(format, hz, channels), chunk(b"data", &data)])
}

/// Bytes of some value behind an honest header.
pub(crate) fn noise(format: Format, hz: u32, channels: u16, len: usize) -> Vec<u8> {
    let data: Vec<u8> = (0..len).map(|n| (n * 37 % 251) as u8).collect();
    wav(&[fmt(format, hz, channels), chunk(b"data", &data)])
}

pub(crate) fn fmt(format: Format, hz: u32, channels: u16) -> Vec<u8> {
    fmt_raw(format.tag(), channels, hz, channels.wrapping_mul(format.bits() / 8), format.bits())
}

pub(crate) fn fmt_raw(tag: u16, channels: u16, hz: u32, align: u16, bits: u16) -> Vec<u8> {
    chunk(b"fmt ", &fmt_body(tag, channels, hz, align, bits))
}

pub(crate) fn fmt_body(tag: u16, channels: u16, hz: u32, align: u16, bits: u16) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(tag.to_le_bytes());
    body.extend(channels.to_le_bytes());
    body.extend(hz.to_le_bytes());
    body.extend(hz.wrapping_mul(u32::from(align)).to_le_bytes());
    body.extend(align.to_le_bytes());
    body.extend(bits.to_le_bytes());
    body
}

/// A "format extensible" chunk: the real tag is the head of a GUID.
pub(crate) fn fmt_extensible(format: Format, hz: u32, channels: u16, tail: &[u8; 14]) -> Vec<u8> {
    let align = channels * (format.bits() / 8);
    let mut body = fmt_body(0xFFFE, channels, hz, align, format.bits());
    body.extend(22_u16.to_le_bytes());
    body.extend(format.bits().to_le_bytes());
    body.extend(0_u32.to_le_bytes());
    body.extend(format.tag().to_le_bytes());
    body.extend(tail);
    chunk(b"fmt ", &body)
}

pub(crate) fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    chunk_of_len(name, body.len() as u32, body)
}

/// A chunk that may lie about its length.
pub(crate) fn chunk_of_len(name: &[u8; 4], len: u32, body: &[u8]) -> Vec<u8> {
    let mut chunk = name.to_vec();
    chunk.extend(len.to_le_bytes());
    chunk.extend(body);
    chunk.extend(vec![0; body.len() % 2]);
    chunk
}

pub(crate) fn wav(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut body = b"WAVE".to_vec();
    body.extend(chunks.concat());
    chunk(b"RIFF", &body)
}
