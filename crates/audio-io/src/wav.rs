//! WAV files in: any rate, any channels, every sample format that recorders write.
//!
//! A file is input from strangers. It is read as a stream, in bounded memory; a header that
//! lies, a file that ends early and plain garbage each end in a sentence, never in a panic.

mod header;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use audio_dsp::{DUET_HZ, Framer, Resampler, downmix, f32_to_pcm16};

use self::header::{Encoding, Header, HeaderError};

/// 20 ms: what a microphone would deliver at a time.
const FRAME: usize = DUET_HZ as usize / 50;

/// Bytes read from the file at a time, at least one sample of each channel.
const READ_BYTES: usize = 16 * 1024;

/// A WAV file as frames of 20 ms, 24 kHz mono PCM16.
#[derive(Debug)]
pub struct WavReader {
    path: PathBuf,
    file: BufReader<File>,
    header: Header,
    data_left: Option<u64>,
    resampler: Resampler,
    framer: Framer<i16>,
    at_end: bool,
}

/// What the file holds, before it is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WavShape {
    pub hz: u32,
    pub channels: u16,
    /// As the header promises; `None` where it does not say (a stream, an unfinished file).
    pub duration: Option<Duration>,
}

/// Why a file gives no sound.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    #[error("cannot read {}: {source}; check the path and that you may read it", path.display())]
    Unreadable { path: PathBuf, source: io::Error },

    #[error(
        "{} is not a WAV file; convert it, for instance with `ffmpeg -i {} out.wav`",
        path.display(),
        path.display()
    )]
    NotWav { path: PathBuf },

    #[error(
        "{} is a WAV file with {what}, which is not understood; convert it, for instance with \
         `ffmpeg -i {} -c:a pcm_s16le out.wav`",
        path.display(),
        path.display()
    )]
    Unsupported { path: PathBuf, what: String },

    #[error(
        "{} is damaged: {what}; record or export it again",
        path.display()
    )]
    Damaged { path: PathBuf, what: String },

    #[error("{} holds no sound: it has no samples; record it again", path.display())]
    Empty { path: PathBuf },
}

impl WavReader {
    pub fn open(path: &Path) -> Result<Self, WavError> {
        let unreadable = |source| WavError::Unreadable { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let header = Header::read(&mut file).map_err(|error| match error {
            HeaderError::Io(source) => unreadable(source),
            HeaderError::NotWav => WavError::NotWav { path: path.to_owned() },
            HeaderError::Unsupported(what) => WavError::Unsupported { path: path.to_owned(), what },
            HeaderError::Damaged(what) => WavError::Damaged { path: path.to_owned(), what },
        })?;
        let resampler = Resampler::new(header.hz, DUET_HZ).map_err(|error| WavError::Damaged {
            path: path.to_owned(),
            what: error.to_string(),
        })?;
        let mut reader = Self {
            path: path.to_owned(),
            file,
            data_left: header.data_len,
            header,
            resampler,
            framer: Framer::new(FRAME),
            at_end: false,
        };
        // Read ahead, so that a file without sound is refused here and not in the middle.
        while reader.framer.waiting() == 0 && !reader.at_end {
            reader.read_more()?;
        }
        if reader.framer.waiting() == 0 {
            return Err(WavError::Empty { path: path.to_owned() });
        }
        Ok(reader)
    }

    pub fn shape(&self) -> WavShape {
        let frame = self.header.frame_bytes() as u64;
        let duration = self.header.data_len.map(|bytes| {
            Duration::from_secs_f64((bytes / frame) as f64 / f64::from(self.header.hz))
        });
        WavShape { hz: self.header.hz, channels: self.header.channels, duration }
    }

    /// The next 20 ms; the last frame may be shorter; `None` at the end.
    ///
    /// A file that ends before its header says it would is heard as far as it goes.
    pub fn next_frame(&mut self) -> Result<Option<Vec<i16>>, WavError> {
        loop {
            if let Some(frame) = self.framer.next_frame() {
                return Ok(Some(frame));
            }
            if self.at_end {
                let rest = self.framer.take_rest();
                return Ok((!rest.is_empty()).then_some(rest));
            }
            self.read_more()?;
        }
    }

    /// Everything that is left.
    pub fn read_to_end(&mut self) -> Result<Vec<i16>, WavError> {
        let mut samples = Vec::new();
        while let Some(frame) = self.next_frame()? {
            samples.extend(frame);
        }
        Ok(samples)
    }

    fn read_more(&mut self) -> Result<(), WavError> {
        let frame = self.header.frame_bytes();
        let wanted = (READ_BYTES / frame).max(1) * frame;
        let wanted = self.data_left.map_or(wanted as u64, |left| left.min(wanted as u64));
        let mut bytes = Vec::new();
        (&mut self.file)
            .take(wanted)
            .read_to_end(&mut bytes)
            .map_err(|source| WavError::Unreadable { path: self.path.clone(), source })?;
        if let Some(left) = &mut self.data_left {
            *left -= bytes.len() as u64;
        }
        let samples = self.header.encoding.decode(&bytes);
        let mono = downmix(&samples, usize::from(self.header.channels));
        let mut resampled = Vec::new();
        self.resampler.push(&mono, &mut resampled);
        if bytes.len() < frame || (bytes.len() as u64) < wanted || self.data_left == Some(0) {
            self.resampler.finish(&mut resampled);
            self.at_end = true;
        }
        self.framer.push(&f32_to_pcm16(&resampled));
        Ok(())
    }
}

/// Writes a whole recording: 24 kHz mono PCM16.
pub fn write_wav(path: &Path, samples: &[i16]) -> Result<(), crate::TimelineError> {
    let mut timeline = crate::Timeline::create(path)?;
    timeline.play(Duration::ZERO, samples)?;
    timeline.finish(Duration::ZERO)
}

impl Encoding {
    /// To -1.0..=1.0, channels still interleaved. A last sample that lacks bytes is dropped.
    fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            // The one unsigned format.
            Self::U8 => bytes.iter().map(|byte| (f32::from(*byte) - 128.0) / 128.0).collect(),
            Self::I16 => samples(bytes, |it: [u8; 2]| f32::from(i16::from_le_bytes(it)) / 32_768.0),
            Self::I24 => samples(bytes, |[a, b, c]: [u8; 3]| {
                (i32::from_le_bytes([0, a, b, c]) >> 8) as f32 / 8_388_608.0
            }),
            Self::I32 => {
                samples(bytes, |it: [u8; 4]| i32::from_le_bytes(it) as f32 / 2_147_483_648.0)
            }
            Self::F32 => samples(bytes, |it: [u8; 4]| sane(f32::from_le_bytes(it))),
            Self::F64 => samples(bytes, |it: [u8; 8]| sane(f64::from_le_bytes(it) as f32)),
            Self::Alaw => g711(bytes, audio_dsp::g711::decode_alaw),
            Self::Ulaw => g711(bytes, audio_dsp::g711::decode_ulaw),
        }
    }
}

fn samples<const N: usize>(bytes: &[u8], decode: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|it| decode(*it)).collect()
}

fn g711(bytes: &[u8], decode: impl Fn(u8) -> i16) -> Vec<f32> {
    bytes.iter().map(|code| f32::from(decode(*code)) / 32_768.0).collect()
}

/// Floats in a file may be anything; one infinity would ring through the whole filter.
fn sane(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}
