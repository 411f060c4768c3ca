//! From what the encoder heard, and the words so far, to the next word.

use crate::asr::layers::{Columns, Dense, HalfDense, LayerNorm, Sight, add, attend, gelu, heads};
use crate::asr::weights::Weights;
use crate::error::LoadError;

pub(crate) struct Decoder {
    /// Also the output: a word is as likely as its embedding is alike.
    embeddings: HalfDense,
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: LayerNorm,
}

struct Layer {
    past_norm: LayerNorm,
    past: HalfDense,
    past_out: HalfDense,
    sound_norm: LayerNorm,
    sound_query: HalfDense,
    /// Keys and values side by side, made once per utterance.
    sound: Dense,
    sound_out: HalfDense,
    thought_norm: LayerNorm,
    widen: HalfDense,
    narrow: HalfDense,
}

/// One utterance being written down: what was heard, and what the layers remember of the words so far.
pub(crate) struct Dictation<'a> {
    decoder: &'a Decoder,
    memories: Vec<Memory>,
    written: usize,
}

struct Memory {
    /// Keys and values of the sound.
    sound: Vec<f32>,
    /// Queries, keys and values of the words so far.
    past: Vec<f32>,
}

impl Decoder {
    pub(crate) fn load(weights: &mut Weights<'_>) -> Result<Self, LoadError> {
        let embeddings = HalfDense::without_bias(weights.matrix("decoder/embeddings/weight")?);
        let positions = weights.matrix("decoder/position_encodings/encodings")?;
        let norm = LayerNorm::load(weights, "decoder/layer_norm")?;
        let layers = (0..weights.layers("decoder"))
            .map(|layer| Layer::load(weights, &format!("decoder/layer_{layer}")))
            .collect::<Result<Vec<_>, _>>()?;
        let this = Self { embeddings, positions: positions.to_f32(), layers, norm };
        let width = this.width();
        let fits = width > 0
            && this.embeddings.inputs() == width
            && positions.columns == width
            && !this.layers.is_empty()
            && this.layers.iter().all(|layer| layer.fits(width));
        if fits {
            Ok(this)
        } else {
            Err(weights.unsuitable("its decoder's parts do not fit together"))
        }
    }

    pub(crate) fn width(&self) -> usize {
        self.norm.width()
    }

    /// How many different tokens there are.
    pub(crate) fn tokens(&self) -> usize {
        self.embeddings.outputs()
    }

    /// Tokens there are positions for.
    pub(crate) fn longest(&self) -> usize {
        self.positions.len() / self.width()
    }

    /// Prepares to write down what the encoder made of an utterance.
    pub(crate) fn listen(&self, heard: &[f32]) -> Dictation<'_> {
        let memories = self
            .layers
            .iter()
            .map(|layer| Memory { sound: layer.sound.apply(heard), past: Vec::new() })
            .collect();
        Dictation { decoder: self, memories, written: 0 }
    }
}

impl Dictation<'_> {
    /// Tokens that still have a position.
    pub(crate) fn room(&self) -> usize {
        self.decoder.longest() - self.written
    }

    /// Reads `tokens` (which must be known ones, at most [`Self::room`] many); gives, for each of the places
    /// `asked` among them, how likely every token is to follow, as unnormalised logarithms.
    pub(crate) fn read(&mut self, tokens: &[u32], asked: &[usize]) -> Vec<f32> {
        let decoder = self.decoder;
        let width = decoder.width();
        let mut x = Vec::with_capacity(tokens.len() * width);
        for token in tokens {
            x.extend(decoder.embeddings.row(*token as usize));
        }
        add(&mut x, &decoder.positions[self.written * width..]);
        for (layer, memory) in decoder.layers.iter().zip(&mut self.memories) {
            layer.apply(&mut x, memory, self.written);
        }
        self.written += tokens.len();

        let asked: Vec<f32> =
            asked.iter().flat_map(|place| &x[place * width..][..width]).copied().collect();
        decoder.embeddings.apply(&decoder.norm.apply(&asked))
    }
}

impl Layer {
    fn load(weights: &mut Weights<'_>, name: &str) -> Result<Self, LoadError> {
        Ok(Self {
            past_norm: LayerNorm::load(weights, &format!("{name}/self_attention/layer_norm"))?,
            past: HalfDense::load(weights, &format!("{name}/self_attention/linear_0"))?,
            past_out: HalfDense::load(weights, &format!("{name}/self_attention/linear_1"))?,
            sound_norm: LayerNorm::load(weights, &format!("{name}/attention/layer_norm"))?,
            sound_query: HalfDense::load(weights, &format!("{name}/attention/linear_0"))?,
            sound: Dense::load(weights, &format!("{name}/attention/linear_1"))?,
            sound_out: HalfDense::load(weights, &format!("{name}/attention/linear_2"))?,
            thought_norm: LayerNorm::load(weights, &format!("{name}/ffn/layer_norm"))?,
            widen: HalfDense::load(weights, &format!("{name}/ffn/linear_0"))?,
            narrow: HalfDense::load(weights, &format!("{name}/ffn/linear_1"))?,
        })
    }

    fn apply(&self, x: &mut [f32], memory: &mut Memory, written: usize) {
        let width = self.past_norm.width();
        let qkv = self.past.apply(&self.past_norm.apply(x));
        memory.past.extend_from_slice(&qkv);
        let past = |first| Columns::new(&memory.past, 3 * width, first);
        let queries = Columns::new(&qkv, 3 * width, 0);
        let said =
            attend(heads(width), queries, past(width), past(2 * width), Sight::Past(written));
        add(x, &self.past_out.apply(&said));

        let queries = self.sound_query.apply(&self.sound_norm.apply(x));
        let sound = |first| Columns::new(&memory.sound, 2 * width, first);
        let queries = Columns::new(&queries, width, 0);
        let heard = attend(heads(width), queries, sound(0), sound(width), Sight::Everything);
        add(x, &self.sound_out.apply(&heard));

        let mut thought = self.widen.apply(&self.thought_norm.apply(x));
        gelu(&mut thought);
        add(x, &self.narrow.apply(&thought));
    }

    fn fits(&self, width: usize) -> bool {
        let square = |dense: &HalfDense| (dense.inputs(), dense.outputs()) == (width, width);
        [&self.past_norm, &self.sound_norm, &self.thought_norm]
            .iter()
            .all(|norm| norm.width() == width)
            && (self.past.inputs(), self.past.outputs()) == (width, 3 * width)
            && (self.sound.inputs(), self.sound.outputs()) == (width, 2 * width)
            && square(&self.past_out)
            && square(&self.sound_query)
            && square(&self.sound_out)
            && self.widen.inputs() == width
            && (self.narrow.inputs(), self.narrow.outputs()) == (self.widen.outputs(), width)
    }
}
