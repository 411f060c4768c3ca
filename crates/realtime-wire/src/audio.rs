//! Sound on the wire: base64 of little-endian PCM16, in pieces of any length.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Joins bytes to samples across pieces: a piece may end in the middle of a sample.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples {
    half: Option<u8>,
}

impl Samples {
    /// The samples that are complete with this piece.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<i16> {
        let mut samples = Vec::with_capacity(bytes.len() / 2 + 1);
        let mut rest = bytes;
        if let Some(low) = self.half
            && let Some((&high, tail)) = bytes.split_first()
        {
            samples.push(i16::from_le_bytes([low, high]));
            self.half = None;
            rest = tail;
        }
        let mut pairs = rest.chunks_exact(2);
        samples.extend(pairs.by_ref().map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
        if let [low] = pairs.remainder() {
            self.half = Some(*low);
        }
        samples
    }

    /// Forgets half a sample: what follows belongs to another stream.
    pub fn reset(&mut self) {
        self.half = None;
    }
}

/// The bytes of `pcm`, little-endian.
pub fn to_bytes(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `None` if the text is not base64.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_may_be_cut_anywhere() {
        let pcm = [1_i16, -2, 300, i16::MIN, i16::MAX];
        let bytes = to_bytes(&pcm);
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut samples = Samples::default();
                let mut joined = samples.push(&bytes[..first]);
                joined.extend(samples.push(&bytes[first..second]));
                joined.extend(samples.push(&bytes[second..]));
                assert_eq!(joined, pcm, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn half_a_sample_is_forgotten_with_its_stream() {
        let mut samples = Samples::default();
        assert!(samples.push(&[1]).is_empty());
        samples.reset();
        assert_eq!(samples.push(&[2, 0]), [2]);
    }
}
