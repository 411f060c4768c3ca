//! Sound between the wire's formats, ours and the nets'.

use std::collections::HashMap;

use audio_dsp::{DUET_HZ, Resampler, SPEECH_HZ, f32_from_pcm16, f32_to_pcm16, g711};
use protocol::ItemId;
use realtime_wire::{Samples, server::AudioFormat, to_bytes};

/// A client's sound as it comes in: bytes of one stream become 24 kHz, and 16 kHz for the ear.
#[derive(Debug)]
pub(crate) struct Inlet {
    format: AudioFormat,
    samples: Samples,
    /// Only for telephone sound.
    to_ours: Option<Resampler>,
    to_ear: Option<Resampler>,
}

impl Inlet {
    pub(crate) fn new(format: AudioFormat) -> Self {
        Self {
            format,
            samples: Samples::default(),
            to_ours: telephone(format).then(|| resampler(g711::G711_HZ, DUET_HZ)).flatten(),
            to_ear: resampler(DUET_HZ, SPEECH_HZ),
        }
    }

    /// What follows is in this format.
    pub(crate) fn set_format(&mut self, format: AudioFormat) {
        if format != self.format {
            // The ear's clock goes on.
            let to_ear = self.to_ear.take();
            *self = Self { to_ear, ..Self::new(format) };
        }
    }

    /// What was appended so far belongs together no more.
    pub(crate) fn reset(&mut self) {
        self.samples.reset();
    }

    /// The sound that is complete with these bytes, at 24 kHz.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<i16> {
        let pcm = match decode_g711(self.format, bytes) {
            Some(pcm) => pcm,
            None => self.samples.push(bytes),
        };
        match &mut self.to_ours {
            Some(resampler) => resample(resampler, &pcm),
            None => pcm,
        }
    }

    /// The same sound for the ear, at 16 kHz. It lags a few milliseconds.
    pub(crate) fn for_the_ear(&mut self, pcm: &[i16]) -> Vec<i16> {
        match &mut self.to_ear {
            Some(resampler) => resample(resampler, pcm),
            None => pcm.to_vec(),
        }
    }
}

/// Our sound as it goes out, one stream for each item.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    /// Of items in a telephone format that are not finished.
    streams: HashMap<ItemId, (AudioFormat, Resampler)>,
}

impl Outlet {
    pub(crate) fn push(&mut self, item: &ItemId, format: AudioFormat, pcm: &[i16]) -> Vec<u8> {
        if !telephone(format) {
            return to_bytes(pcm);
        }
        if !self.streams.contains_key(item)
            && let Some(resampler) = resampler(DUET_HZ, g711::G711_HZ)
        {
            self.streams.insert(item.clone(), (format, resampler));
        }
        match self.streams.get_mut(item) {
            Some((format, resampler)) => encode_g711(*format, &resample(resampler, pcm)),
            None => Vec::new(),
        }
    }

    /// What the item still holds back.
    pub(crate) fn finish(&mut self, item: &ItemId) -> Vec<u8> {
        let Some((format, mut resampler)) = self.streams.remove(item) else { return Vec::new() };
        let mut rest = Vec::new();
        resampler.finish(&mut rest);
        encode_g711(format, &f32_to_pcm16(&rest))
    }
}

/// A whole recording as bytes of this format.
pub(crate) fn to_format(format: AudioFormat, pcm: &[i16]) -> Vec<u8> {
    match telephone(format) {
        true => encode_g711(format, &convert(pcm, DUET_HZ, g711::G711_HZ)),
        false => to_bytes(pcm),
    }
}

/// A whole recording of this format as ours.
pub(crate) fn from_format(format: AudioFormat, bytes: &[u8]) -> Vec<i16> {
    match decode_g711(format, bytes) {
        Some(pcm) => convert(&pcm, g711::G711_HZ, DUET_HZ),
        None => Samples::default().push(bytes),
    }
}

/// A whole recording for the nets.
pub(crate) fn for_the_nets(pcm: &[i16]) -> Vec<i16> {
    convert(pcm, DUET_HZ, SPEECH_HZ)
}

fn convert(pcm: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    let Some(mut resampler) = resampler(from_hz, to_hz) else { return Vec::new() };
    let mut out = Vec::new();
    resampler.push(&f32_from_pcm16(pcm), &mut out);
    resampler.finish(&mut out);
    f32_to_pcm16(&out)
}

fn resample(resampler: &mut Resampler, pcm: &[i16]) -> Vec<i16> {
    let mut out = Vec::new();
    resampler.push(&f32_from_pcm16(pcm), &mut out);
    f32_to_pcm16(&out)
}

/// `None` only for rates that nobody has, and ours are constants.
fn resampler(from_hz: u32, to_hz: u32) -> Option<Resampler> {
    Resampler::new(from_hz, to_hz).ok()
}

fn telephone(format: AudioFormat) -> bool {
    match format {
        AudioFormat::Pcm => false,
        AudioFormat::Pcmu | AudioFormat::Pcma => true,
    }
}

fn decode_g711(format: AudioFormat, bytes: &[u8]) -> Option<Vec<i16>> {
    let decode = match format {
        AudioFormat::Pcm => return None,
        AudioFormat::Pcmu => g711::decode_ulaw,
        AudioFormat::Pcma => g711::decode_alaw,
    };
    Some(bytes.iter().map(|code| decode(*code)).collect())
}

fn encode_g711(format: AudioFormat, pcm: &[i16]) -> Vec<u8> {
    let encode = match format {
        AudioFormat::Pcm => return to_bytes(pcm),
        AudioFormat::Pcmu => g711::encode_ulaw,
        AudioFormat::Pcma => g711::encode_alaw,
    };
    pcm.iter().map(|sample| encode(*sample)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: u32, len: usize) -> Vec<i16> {
        let step = std::f32::consts::TAU * 440.0 / hz as f32;
        (0..len).map(|n| ((n as f32 * step).sin() * 10_000.0) as i16).collect()
    }

    #[test]
    fn the_ear_hears_two_samples_of_three() {
        let mut inlet = Inlet::new(AudioFormat::Pcm);
        let mut heard = 0;
        for piece in tone(24_000, 24_000).chunks(480) {
            let pcm = inlet.push(&to_bytes(piece));
            assert_eq!(pcm, piece);
            heard += inlet.for_the_ear(&pcm).len();
        }
        assert!((15_500..=16_000).contains(&heard), "{heard}");
    }

    #[test]
    fn telephone_sound_comes_in_and_goes_out() {
        for format in [AudioFormat::Pcmu, AudioFormat::Pcma] {
            let spoken = tone(24_000, 24_000);
            let item = ItemId::new("item");
            let mut outlet = Outlet::default();
            let mut bytes: Vec<u8> =
                spoken.chunks(4_800).flat_map(|it| outlet.push(&item, format, it)).collect();
            bytes.extend(outlet.finish(&item));
            assert_eq!(bytes.len(), 8_000, "a byte for each sample at 8 kHz");
            assert_eq!(bytes, to_format(format, &spoken), "pieces make no difference");

            let heard = from_format(format, &bytes);
            assert_eq!(heard.len(), spoken.len());
            let middle = 6_000..18_000;
            let error = heard[middle.clone()].iter().zip(&spoken[middle]);
            let worst = error.map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs()).max();
            assert!(worst < Some(800), "{format:?}: {worst:?}");
        }
    }

    #[test]
    fn a_new_format_begins_anew() {
        let mut inlet = Inlet::new(AudioFormat::Pcm);
        assert!(inlet.push(&[1]).is_empty());
        inlet.set_format(AudioFormat::Pcmu);
        assert!(inlet.push(&[0xFF; 10]).is_empty());
        inlet.set_format(AudioFormat::Pcm);
        assert_eq!(inlet.push(&[2, 0]), [2]);
    }
}
