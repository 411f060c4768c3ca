//! Is somebody speaking? Silero's recurrent network, a probability per 32 ms.

use std::path::Path;
use std::sync::Arc;

use rten::ValueOrView;
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use crate::EAR_RATE;
use crate::cores::Cores;
use crate::error::{LoadError, NetError};
use crate::net::Net;

/// Samples per frame: 32 ms. The network was trained on exactly this length.
pub const VAD_FRAME: usize = 512;

/// The end of the previous frame that the network sees before each frame.
const CONTEXT: usize = 64;

/// The recurrent state: two layers of 128.
const STATE: [usize; 3] = [2, 1, 128];

/// Music and long silence leave the recurrent state deaf to the speech after them, so it starts afresh
/// about every two seconds (63 frames) of quiet. Fresh state hesitates for a moment: never during speech.
const RENEW_AFTER: u32 = 63;
/// This many clearly quiet frames in a row make it safe to renew.
const QUIET_FRAMES: u32 = 5;
const QUIET: f32 = 0.1;

/// The network. Streams share its weights.
#[derive(Debug, Clone)]
pub struct Vad(Arc<Net<3, 2>>);

/// One stream of sound as the network hears it.
#[derive(Debug)]
pub struct VadStream {
    vad: Vad,
    state: NdTensor<f32, 3>,
    /// Context and frame, as the network takes them.
    window: [f32; CONTEXT + VAD_FRAME],
    frames: u32,
    quiet: u32,
}

impl Vad {
    /// `file` is Silero v6 for 16 kHz, ONNX.
    pub fn load(file: &Path, cores: &Cores) -> Result<Self, LoadError> {
        let net = Net::load(
            "voice activity",
            file,
            cores,
            ["input", "state", "sr"],
            ["output", "stateN"],
        )?;
        let vad = Self(Arc::new(net));
        // A wrong model shows here, not in the middle of a conversation.
        vad.stream()
            .hear(&[0.0; VAD_FRAME])
            .map_err(|error| LoadError::unsuitable(file, error.reason))?;
        Ok(vad)
    }

    /// A stream that has heard nothing yet.
    pub fn stream(&self) -> VadStream {
        VadStream {
            vad: self.clone(),
            state: NdTensor::zeros(STATE),
            window: [0.0; CONTEXT + VAD_FRAME],
            frames: 0,
            quiet: 0,
        }
    }
}

impl VadStream {
    /// The probability (0 to 1) that this frame, which follows the last one given, holds speech.
    pub fn hear(&mut self, frame: &[f32; VAD_FRAME]) -> Result<f32, NetError> {
        let net = &self.vad.0;
        self.window.copy_within(VAD_FRAME.., 0);
        for (slot, sample) in self.window[CONTEXT..].iter_mut().zip(frame) {
            // What is no number would stay in the state for ever.
            *slot = if sample.is_finite() { *sample } else { 0.0 };
        }
        let window = NdTensor::from_data([1, CONTEXT + VAD_FRAME], self.window.to_vec());
        let rate = Tensor::from(EAR_RATE.cast_signed());

        let [speech, state] = net.run([
            ValueOrView::from(window.view()),
            self.state.view().into(),
            rate.view().into(),
        ])?;
        let speech: NdTensor<f32, 2> = speech.try_into().map_err(|error| net.failure(error))?;
        self.state = state.try_into().map_err(|error| net.failure(error))?;
        let speech = speech
            .get([0, 0])
            .copied()
            .filter(|speech| speech.is_finite())
            .ok_or_else(|| net.failure("it gave no probability"))?;
        self.renew_in_quiet(speech);
        Ok(speech)
    }

    /// Forgets what was heard, as between two recordings.
    pub fn reset(&mut self) {
        *self = self.vad.stream();
    }

    fn renew_in_quiet(&mut self, speech: f32) {
        self.frames += 1;
        self.quiet = if speech < QUIET { self.quiet + 1 } else { 0 };
        if self.frames >= RENEW_AFTER && self.quiet >= QUIET_FRAMES {
            self.reset();
        }
    }
}
