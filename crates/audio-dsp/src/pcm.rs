//! Sample formats and channels.

/// PCM16 as -1.0..1.0.
pub fn f32_from_pcm16(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect()
}

/// Rounds to the nearest step. Louder than full scale is clipped, not wrapped; what is not a
/// number becomes silence.
pub fn f32_to_pcm16(samples: &[f32]) -> Vec<i16> {
    // `as` saturates, and takes NaN to 0.
    samples.iter().map(|sample| (sample * 32_768.0).round() as i16).collect()
}

/// The mean of the channels of interleaved frames. A last frame that lacks channels is
/// dropped; 0 channels are no sound.
///
/// The mean, not the sum: it cannot clip. A voice on one of two channels comes out 6 dB
/// quieter, which speech nets do not mind.
pub fn downmix(interleaved: &[f32], channels: usize) -> Vec<f32> {
    match channels {
        0 => Vec::new(),
        1 => interleaved.to_vec(),
        _ => interleaved
            .chunks_exact(channels)
            .map(|frame| frame.iter().sum::<f32>() / channels as f32)
            .collect(),
    }
}

/// Little-endian PCM16 that arrives in pieces of any length, also odd ones: half a sample
/// waits for its other half.
#[derive(Debug, Clone, Default)]
pub struct Pcm16Bytes {
    half: Option<u8>,
}

impl Pcm16Bytes {
    pub fn push(&mut self, bytes: &[u8]) -> Vec<i16> {
        let mut samples = Vec::with_capacity(bytes.len() / 2 + 1);
        let mut bytes = bytes;
        if let (Some(low), [high, rest @ ..]) = (self.half, bytes) {
            samples.push(i16::from_le_bytes([low, *high]));
            self.half = None;
            bytes = rest;
        }
        let (pairs, rest) = bytes.as_chunks::<2>();
        samples.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        if let [low] = rest {
            self.half = Some(*low);
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pcm16_value_survives_the_round_trip() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        assert_eq!(f32_to_pcm16(&f32_from_pcm16(&all)), all);
    }

    #[test]
    fn too_loud_is_clipped() {
        let loud = [1.0, 1.5, -1.0, -7.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        assert_eq!(f32_to_pcm16(&loud), [32_767, 32_767, -32_768, -32_768, 32_767, -32_768, 0]);
    }

    #[test]
    fn channels_are_averaged() {
        assert_eq!(downmix(&[0.5, -0.5, 1.0, 0.0, 0.25], 2), [0.0, 0.5]);
        assert_eq!(downmix(&[0.1, 0.2], 1), [0.1, 0.2]);
        assert!(downmix(&[0.1, 0.2], 0).is_empty());
    }

    #[test]
    fn halves_of_samples_meet() {
        let samples: Vec<i16> = (-300..300).map(|n| n * 109).collect();
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        for piece in [1, 2, 3, 5, 7, 64, 4_000] {
            let mut stream = Pcm16Bytes::default();
            let heard: Vec<i16> = bytes.chunks(piece).flat_map(|it| stream.push(it)).collect();
            assert_eq!(heard, samples, "in pieces of {piece}");
            assert!(stream.push(&[]).is_empty());
        }
    }
}
