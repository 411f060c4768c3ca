//! Has the speaker finished, or only paused? Smart Turn listens to the melody and the words of the last
//! eight seconds.

use std::path::Path;

use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::EAR_RATE;
use crate::cores::Cores;
use crate::error::{LoadError, NetError};
use crate::mel::{BANDS, HOP, LogMel};
use crate::net::Net;

/// What the network hears: the last eight seconds.
const HEARD: usize = 8 * EAR_RATE as usize;

/// Keeps the level of pure silence finite.
const VARIANCE_FLOOR: f64 = 1e-7;

#[derive(Debug)]
pub struct EndOfTurn {
    net: Net<1, 1>,
    log_mel: LogMel,
}

impl EndOfTurn {
    /// `file` is Smart Turn v3 for CPUs, ONNX.
    pub fn load(file: &Path, cores: &Cores) -> Result<Self, LoadError> {
        let net = Net::load("end of turn", file, cores, ["input_features"], ["logits"])?;
        let this = Self { net, log_mel: LogMel::new() };
        this.probability(&[]).map_err(|error| LoadError::unsuitable(file, error.reason))?;
        Ok(this)
    }

    /// The probability (0 to 1) that the turn is complete, asked in the pause after it.
    ///
    /// `turn` is the turn so far, 16 kHz, with the pause. Only the last eight seconds count. Above 0.5
    /// the authors call it complete.
    pub fn probability(&self, turn: &[f32]) -> Result<f32, NetError> {
        let mut heard = vec![0.0; HEARD];
        let tail = &turn[turn.len().saturating_sub(HEARD)..];
        // At the end of the window: silence comes before a short turn, never after it.
        heard[HEARD - tail.len()..].copy_from_slice(tail);
        equalise(&mut heard);

        let mel = self.log_mel.of(&heard, 0);
        let mel = NdTensor::from_data([1, BANDS, HEARD / HOP], mel);
        let [complete] = self.net.run([mel.view().into()])?;
        let complete: NdTensor<f32, 2> =
            complete.try_into().map_err(|error| self.net.failure(error))?;
        complete
            .get([0, 0])
            .copied()
            .filter(|complete| complete.is_finite())
            .ok_or_else(|| self.net.failure("it gave no probability"))
    }
}

/// Mean 0 and variance 1, as the network was trained: loudness says nothing.
fn equalise(samples: &mut [f32]) {
    let count = samples.len() as f64;
    let mean = samples.iter().map(|s| f64::from(*s)).sum::<f64>() / count;
    let variance = samples.iter().map(|s| (f64::from(*s) - mean).powi(2)).sum::<f64>() / count;
    let scale = (variance + VARIANCE_FLOOR).sqrt().recip();
    for sample in samples {
        *sample = ((f64::from(*sample) - mean) * scale) as f32;
    }
}
