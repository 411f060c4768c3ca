//! The network that speaks: phonemes to spectra.

use std::path::Path;

use rten::{Value, ValueOrView};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::cores::Cores;
use crate::error::{LoadError, NetError};
use crate::net::Net;
use crate::tts::vocoder::{Spectra, Vocoder};

/// Stands at both ends of what the network reads.
const EDGE: i32 = 0;

/// Kokoro's alphabet: what English needs of it.
const ALPHABET: [(char, i32); 68] = [
    (';', 1),
    (':', 2),
    (',', 3),
    ('.', 4),
    ('!', 5),
    ('?', 6),
    ('—', 9),
    ('…', 10),
    ('"', 11),
    ('(', 12),
    (')', 13),
    ('“', 14),
    ('”', 15),
    (' ', 16),
    ('A', 24),
    ('I', 25),
    ('O', 31),
    ('Q', 33),
    ('S', 35),
    ('T', 36),
    ('W', 39),
    ('Y', 41),
    ('ᵊ', 42),
    ('a', 43),
    ('b', 44),
    ('d', 46),
    ('e', 47),
    ('f', 48),
    ('h', 50),
    ('i', 51),
    ('j', 52),
    ('k', 53),
    ('l', 54),
    ('m', 55),
    ('n', 56),
    ('o', 57),
    ('p', 58),
    ('r', 60),
    ('s', 61),
    ('t', 62),
    ('u', 63),
    ('v', 64),
    ('w', 65),
    ('x', 66),
    ('y', 67),
    ('z', 68),
    ('ɑ', 69),
    ('ɐ', 70),
    ('ɒ', 71),
    ('æ', 72),
    ('ɔ', 76),
    ('ð', 81),
    ('ʤ', 82),
    ('ə', 83),
    ('ɛ', 86),
    ('ɜ', 87),
    ('ɡ', 92),
    ('ɪ', 102),
    ('ŋ', 112),
    ('θ', 119),
    ('ɹ', 123),
    ('ʃ', 131),
    ('ʧ', 133),
    ('ʊ', 135),
    ('ʌ', 138),
    ('ʒ', 147),
    ('ˈ', 156),
    ('ˌ', 157),
];
const BARRED_I: (char, i32) = ('ᵻ', 177);

#[derive(Debug)]
pub(super) struct Voice {
    net: Net<2, 6>,
    vocoder: Vocoder,
    cores: Cores,
}

impl Voice {
    pub(super) fn load(file: &Path, cores: &Cores) -> Result<Self, LoadError> {
        let outputs = ["lh", "theta", "ln", "lr", "phi", "f0"];
        let net = Net::load("voice", file, cores, ["ids", "speed"], outputs)?;
        let this = Self { net, vocoder: Vocoder::new(), cores: cores.clone() };
        this.sound("həlˈO.", 1.0).map_err(|error| LoadError::unsuitable(file, error.reason))?;
        Ok(this)
    }

    /// 24 kHz. Characters outside the alphabet are left out.
    pub(super) fn sound(&self, phonemes: &str, speed: f32) -> Result<Vec<f32>, NetError> {
        let mut ids = vec![EDGE];
        ids.extend(phonemes.chars().filter_map(id));
        ids.push(EDGE);
        if ids.len() < 3 {
            return Ok(Vec::new());
        }
        let ids = NdTensor::from_data([1, ids.len()], ids);
        let speed = NdTensor::from_data([1], vec![speed]);
        let [harmonics, turn, noise, rest, rest_phase, pitch] =
            self.net.run([ValueOrView::from(ids.view()), speed.view().into()])?;
        let spectra = Spectra {
            harmonics: self.tensor(harmonics)?,
            turn: self.tensor(turn)?,
            noise: self.tensor(noise)?,
            rest: self.tensor(rest)?,
            rest_phase: self.tensor(rest_phase)?,
            pitch: self.tensor(pitch)?,
        };
        if !spectra.fits() {
            return Err(self.net.failure("its spectra do not fit together"));
        }
        Ok(self.cores.run(|| self.vocoder.sound(&spectra)))
    }

    fn tensor<const N: usize>(&self, value: Value) -> Result<NdTensor<f32, N>, NetError> {
        value.try_into().map_err(|error| self.net.failure(error))
    }
}

fn id(phoneme: char) -> Option<i32> {
    ALPHABET.iter().chain([&BARRED_I]).find(|(known, _)| *known == phoneme).map(|(_, id)| *id)
}
