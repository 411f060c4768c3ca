//! From log-mel frames to a row of numbers per 20 ms.

use std::ops::ControlFlow;

use crate::asr::layers::{Columns, Dense, LayerNorm, Sight, add, attend, gelu, heads};
use crate::asr::weights::Weights;
use crate::cores::Cores;
use crate::error::LoadError;
use crate::mel::BANDS;

/// The taps of both convolutions.
const TAPS: usize = 3;

pub(crate) struct Encoder {
    first: Dense,
    second: Dense,
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: LayerNorm,
}

struct Layer {
    attention_norm: LayerNorm,
    /// Queries, keys and values side by side.
    attention: Dense,
    attention_out: Dense,
    thought_norm: LayerNorm,
    widen: Dense,
    narrow: Dense,
}

impl Encoder {
    pub(crate) fn load(weights: &mut Weights<'_>) -> Result<Self, LoadError> {
        let first = Dense::load(weights, "encoder/conv1")?;
        let second = Dense::load(weights, "encoder/conv2")?;
        let positions = weights.matrix("encoder/position_encodings/encodings")?;
        let norm = LayerNorm::load(weights, "encoder/layer_norm")?;
        let layers = (0..weights.layers("encoder"))
            .map(|layer| Layer::load(weights, &format!("encoder/layer_{layer}")))
            .collect::<Result<Vec<_>, _>>()?;
        let this = Self { first, second, positions: positions.to_f32(), layers, norm };
        if !this.fits() || positions.columns != this.width() {
            return Err(weights.unsuitable("its encoder's parts do not fit together"));
        }
        Ok(this)
    }

    pub(crate) fn width(&self) -> usize {
        self.norm.width()
    }

    /// Rows of output there are positions for: 30 s.
    pub(crate) fn longest(&self) -> usize {
        self.positions.len() / self.width()
    }

    /// `mel` is [`BANDS`] rows of frames, an even number of them, at most twice [`Self::longest`].
    pub(crate) fn encode(
        &self,
        mel: &[f32],
        cores: &Cores,
        checkpoint: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> ControlFlow<(), Vec<f32>> {
        let mut x = cores.run(|| self.convolve(mel));
        for layer in &self.layers {
            checkpoint()?;
            cores.run(|| layer.apply(&mut x));
        }
        ControlFlow::Continue(cores.run(|| self.norm.apply(&x)))
    }

    fn convolve(&self, mel: &[f32]) -> Vec<f32> {
        let frames = mel.len() / BANDS;
        let mut x = self
            .first
            .apply(&neighbours(frames, BANDS, 1, |band, frame| mel[band * frames + frame]));
        gelu(&mut x);
        let width = self.first.outputs();
        let mut x = self
            .second
            .apply(&neighbours(frames, width, 2, |column, frame| x[frame * width + column]));
        gelu(&mut x);
        add(&mut x, &self.positions);
        x
    }

    fn fits(&self) -> bool {
        let width = self.width();
        width > 0
            && self.first.inputs() == BANDS * TAPS
            && self.second.inputs() == self.first.outputs() * TAPS
            && self.second.outputs() == width
            && !self.layers.is_empty()
            && self.layers.iter().all(|layer| layer.fits(width))
    }
}

impl Layer {
    fn load(weights: &mut Weights<'_>, name: &str) -> Result<Self, LoadError> {
        Ok(Self {
            attention_norm: LayerNorm::load(weights, &format!("{name}/self_attention/layer_norm"))?,
            attention: Dense::load(weights, &format!("{name}/self_attention/linear_0"))?,
            attention_out: Dense::load(weights, &format!("{name}/self_attention/linear_1"))?,
            thought_norm: LayerNorm::load(weights, &format!("{name}/ffn/layer_norm"))?,
            widen: Dense::load(weights, &format!("{name}/ffn/linear_0"))?,
            narrow: Dense::load(weights, &format!("{name}/ffn/linear_1"))?,
        })
    }

    fn apply(&self, x: &mut [f32]) {
        let width = self.attention_norm.width();
        let qkv = self.attention.apply(&self.attention_norm.apply(x));
        let part = |first| Columns::new(&qkv, 3 * width, first);
        let heard = attend(heads(width), part(0), part(width), part(2 * width), Sight::Everything);
        add(x, &self.attention_out.apply(&heard));

        let mut thought = self.widen.apply(&self.thought_norm.apply(x));
        gelu(&mut thought);
        add(x, &self.narrow.apply(&thought));
    }

    fn fits(&self, width: usize) -> bool {
        self.attention_norm.width() == width
            && self.thought_norm.width() == width
            && (self.attention.inputs(), self.attention.outputs()) == (width, 3 * width)
            && (self.attention_out.inputs(), self.attention_out.outputs()) == (width, width)
            && self.widen.inputs() == width
            && (self.narrow.inputs(), self.narrow.outputs()) == (self.widen.outputs(), width)
    }
}

/// Every `stride`-th frame with the frame before and after it, channel by channel, so that a convolution is a
/// matrix product. Beyond the ends there is nothing.
fn neighbours(
    frames: usize,
    channels: usize,
    stride: usize,
    at: impl Fn(usize, usize) -> f32,
) -> Vec<f32> {
    let rows = frames.div_ceil(stride);
    let mut out = vec![0.0; rows * channels * TAPS];
    for (row, out) in out.chunks_exact_mut(channels * TAPS).enumerate() {
        for tap in 0..TAPS {
            let Some(frame) = (row * stride + tap).checked_sub(1).filter(|frame| *frame < frames)
            else {
                continue;
            };
            for channel in 0..channels {
                out[channel * TAPS + tap] = at(channel, frame);
            }
        }
    }
    out
}
