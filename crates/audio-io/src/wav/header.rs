//! The chunks before the samples (RIFF, and RF64 for files above 4 GiB).

use std::io::{self, Read};

/// What has to be known to read the samples that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) encoding: Encoding,
    /// Never 0.
    pub(super) channels: u16,
    pub(super) hz: u32,
    /// Bytes of samples; `None`: up to the end of the file.
    pub(super) data_len: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    U8,
    I16,
    I24,
    I32,
    F32,
    F64,
    Alaw,
    Ulaw,
}

#[derive(Debug)]
pub(super) enum HeaderError {
    Io(io::Error),
    NotWav,
    Unsupported(String),
    Damaged(String),
}

/// The part of a `fmt ` chunk that is read; what follows is for codecs we do not have.
const FMT_BYTES: u64 = 40;

/// The rest of the GUID whose first two bytes are a format tag (`KSDATAFORMAT_SUBTYPE_...`).
const SUBTYPE_TAIL: [u8; 14] =
    [0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71];

const UNKNOWN_LEN: u32 = u32::MAX;

impl Header {
    /// Reads up to the first byte of the samples.
    pub(super) fn read(file: &mut impl Read) -> Result<Self, HeaderError> {
        let (magic, riff_len) = chunk_head(file)?.ok_or(HeaderError::NotWav)?;
        let mut form = [0; 4];
        if !fill(file, &mut form)? || &form != b"WAVE" || !matches!(&magic, b"RIFF" | b"RF64") {
            return Err(HeaderError::NotWav);
        }
        let mut format = None;
        let mut long_data_len = None;
        // As the RIFF length counts: what follows it.
        let mut header_len = 4;
        while let Some((name, len)) = chunk_head(file)? {
            header_len += 8;
            match &name {
                b"fmt " => {
                    let body = body(file, len, FMT_BYTES)?;
                    format = Some(Format::parse(&body)?);
                }
                b"ds64" => {
                    // The lengths that 32 bits cannot say: of the file, then of the samples.
                    let body = body(file, len, 16)?;
                    long_data_len = body.get(8..16).and_then(|it| it.try_into().ok());
                }
                b"data" => {
                    let Some(Format { encoding, channels, hz }) = format else {
                        return Err(HeaderError::Damaged("its samples have no format".into()));
                    };
                    let data_len = match (len, long_data_len) {
                        (UNKNOWN_LEN, Some(bytes)) => Some(u64::from_le_bytes(bytes)),
                        (UNKNOWN_LEN, None) => None,
                        // A recorder that was killed leaves the lengths that it would have
                        // written last: as 0, or as of a file without any samples.
                        (0, _) if u64::from(riff_len) <= header_len => None,
                        (len, _) => Some(u64::from(len)),
                    };
                    return Ok(Self { encoding, channels, hz, data_len });
                }
                _ => skip(file, padded(len))?,
            }
            header_len += padded(len);
        }
        Err(HeaderError::Damaged("it ends before its samples".into()))
    }

    /// Bytes of one sample of every channel; never 0.
    pub(super) fn frame_bytes(&self) -> usize {
        usize::from(self.channels) * self.encoding.bytes()
    }
}

impl Encoding {
    fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::Alaw | Self::Ulaw => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn of(tag: u16, bytes: u16) -> Result<Self, HeaderError> {
        let what = match (tag, bytes) {
            (1, 1) => return Ok(Self::U8),
            (1, 2) => return Ok(Self::I16),
            (1, 3) => return Ok(Self::I24),
            (1, 4) => return Ok(Self::I32),
            (3, 4) => return Ok(Self::F32),
            (3, 8) => return Ok(Self::F64),
            (6, 1) => return Ok(Self::Alaw),
            (7, 1) => return Ok(Self::Ulaw),
            (1, _) => format!("whole numbers of {bytes} bytes"),
            (3, _) => format!("floating numbers of {bytes} bytes"),
            (2 | 0x11, _) => "ADPCM compression".to_owned(),
            (0x50 | 0x55, _) => "MPEG compression".to_owned(),
            (tag, _) => format!("sample format {tag:#06x}"),
        };
        Err(HeaderError::Unsupported(what))
    }
}

struct Format {
    encoding: Encoding,
    channels: u16,
    hz: u32,
}

impl Format {
    fn parse(body: &[u8]) -> Result<Self, HeaderError> {
        let short = || HeaderError::Damaged("its format is cut short".into());
        let u16_at = |at: usize| -> Option<u16> {
            Some(u16::from_le_bytes(body.get(at..at + 2)?.try_into().ok()?))
        };
        let hz = body.get(4..8).and_then(|it| it.try_into().ok()).map(u32::from_le_bytes);
        let (Some(tag), Some(channels), Some(hz), Some(align), Some(bits)) =
            (u16_at(0), u16_at(2), hz, u16_at(12), u16_at(14))
        else {
            return Err(short());
        };
        let tag = match tag {
            // "Extensible": the tag hides at the head of a GUID.
            0xFFFE => match (u16_at(24), body.get(26..40)) {
                (Some(tag), Some(tail)) if tail == SUBTYPE_TAIL => tag,
                (Some(_), Some(_)) => {
                    return Err(HeaderError::Unsupported("a vendor's own sample format".into()));
                }
                _ => return Err(short()),
            },
            tag => tag,
        };
        if channels == 0 {
            return Err(HeaderError::Damaged("it has no channels".into()));
        }
        // Samples of, say, 20 bits stand at the top of the whole bytes that hold them, and
        // sometimes of more bytes than they need; then the frame's length tells.
        let needed = bits.div_ceil(8);
        let bytes = match align / channels {
            bytes if align % channels == 0 && needed < bytes => bytes,
            _ => needed,
        };
        Ok(Self { encoding: Encoding::of(tag, bytes)?, channels, hz })
    }
}

/// Name and length of the next chunk; `None` where the file ends.
fn chunk_head(file: &mut impl Read) -> Result<Option<([u8; 4], u32)>, HeaderError> {
    let mut head = [0; 8];
    if !fill(file, &mut head)? {
        return Ok(None);
    }
    let [a, b, c, d, len @ ..] = head;
    Ok(Some(([a, b, c, d], u32::from_le_bytes(len))))
}

/// Up to `most` bytes of a chunk; the rest of it is skipped.
fn body(file: &mut impl Read, len: u32, most: u64) -> Result<Vec<u8>, HeaderError> {
    let mut body = Vec::new();
    file.take(u64::from(len).min(most)).read_to_end(&mut body).map_err(HeaderError::Io)?;
    skip(file, padded(len).saturating_sub(body.len() as u64))?;
    Ok(body)
}

/// Bytes that the body of a chunk takes in the file.
fn padded(len: u32) -> u64 {
    u64::from(len) + u64::from(len % 2)
}

fn skip(file: &mut impl Read, bytes: u64) -> Result<(), HeaderError> {
    io::copy(&mut file.take(bytes), &mut io::sink()).map_err(HeaderError::Io)?;
    Ok(())
}

/// False where the file ends first.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> Result<bool, HeaderError> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(HeaderError::Io(error)),
    }
}
