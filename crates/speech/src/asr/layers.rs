//! The parts a transformer is made of, over plain slices, row by row.
//!
//! Everything runs on the calling thread's pool: call it inside [`crate::Cores::run`].

use rayon::prelude::*;
use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::ops::{BitOps, Extend, NumOps};
use rten_simd::{Isa, SimdOp, SimdUnaryOp, f16};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView};
use rten_vecmath::{Gelu, Normalize, NormalizeOptions, Softmax, Sum, SumSquareSub};

use crate::asr::weights::{Matrix, Weights};
use crate::error::LoadError;

/// The width of an attention head in every Whisper.
const HEAD: usize = 64;

/// Keeps a constant row from dividing by zero; the value of the training.
const EPSILON: f32 = 1e-5;

/// Output rows of a [`HalfDense`] that one thread takes at a time.
const STRIPE: usize = 64;

/// `x · Wᵀ + b` for many rows at once: the weights are laid out for the processor, in full precision.
pub(crate) struct Dense {
    weights: PackedBMatrix<f32>,
    bias: Vec<f32>,
}

/// `x · Wᵀ + b` for few rows: the weights stay as they are in the file, so half as many bytes are read per
/// word. That, not arithmetic, is what a word costs.
pub(crate) struct HalfDense {
    weights: Matrix,
    bias: Option<Vec<f32>>,
}

pub(crate) struct LayerNorm {
    scale: Vec<f32>,
    bias: Vec<f32>,
}

/// Keys or values: some columns of a matrix that holds more than them.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    data: &'a [f32],
    width: usize,
    first: usize,
}

/// Which keys a query may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    Everything,
    /// Only itself and what came before; this many keys precede the first query.
    Past(usize),
}

impl Dense {
    /// `bias` may be shorter in the file than the output: there is none for the rest.
    pub(crate) fn load(weights: &mut Weights<'_>, name: &str) -> Result<Self, LoadError> {
        let matrix = weights.matrix(&format!("{name}/weight"))?;
        let bias = weights.vector(&format!("{name}/bias"))?;
        if bias.len() != matrix.rows {
            return Err(weights.unsuitable(format!("{name} has a bias of another size")));
        }
        let full = matrix.to_f32();
        let view = NdTensorView::from_data([matrix.rows, matrix.columns], full.as_slice());
        let weights = GemmExecutor::<f32>::default().prepack_b(view.transposed());
        Ok(Self { weights, bias })
    }

    pub(crate) fn inputs(&self) -> usize {
        GemmInputB::Packed(&self.weights).rows()
    }

    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }

    pub(crate) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let rows = x.len() / self.inputs();
        let mut out = vec![0.0; rows * self.bias.len()];
        let options =
            GemmOptions { bias: Some(BiasVector::Row(&self.bias)), ..GemmOptions::default() };
        let x = NdTensorView::from_data([rows, self.inputs()], x);
        GemmExecutor::<f32>::default()
            .gemm(&mut out, GemmInputA::Unpacked(x), GemmInputB::Packed(&self.weights), options)
            .expect("the sizes were checked at loading");
        out
    }
}

impl HalfDense {
    pub(crate) fn load(weights: &mut Weights<'_>, name: &str) -> Result<Self, LoadError> {
        let matrix = weights.matrix(&format!("{name}/weight"))?;
        let bias = weights.vector(&format!("{name}/bias"))?;
        if bias.len() != matrix.rows {
            return Err(weights.unsuitable(format!("{name} has a bias of another size")));
        }
        Ok(Self { weights: matrix, bias: Some(bias) })
    }

    pub(crate) fn without_bias(weights: Matrix) -> Self {
        Self { weights, bias: None }
    }

    pub(crate) fn inputs(&self) -> usize {
        self.weights.columns
    }

    pub(crate) fn outputs(&self) -> usize {
        self.weights.rows
    }

    /// A row of the weights themselves: an embedding.
    pub(crate) fn row(&self, index: usize) -> impl Iterator<Item = f32> + '_ {
        let columns = self.weights.columns;
        self.weights.data[index * columns..][..columns].iter().map(|value| value.to_f32())
    }

    pub(crate) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let (outputs, columns) = (self.weights.rows, self.weights.columns);
        let rows = x.len() / columns;
        // Output by output, so that each thread writes one piece.
        let mut across = vec![0.0; outputs * rows];
        across
            .par_chunks_mut(STRIPE * rows)
            .zip(self.weights.data.par_chunks(STRIPE * columns))
            .for_each(|(out, weights)| HalfProduct { weights, columns, x, out }.dispatch());
        let mut out = if rows == 1 { across } else { transpose(&across, outputs, rows) };
        if let Some(bias) = &self.bias {
            for row in out.chunks_exact_mut(outputs) {
                for (value, bias) in row.iter_mut().zip(bias) {
                    *value += bias;
                }
            }
        }
        out
    }
}

impl LayerNorm {
    pub(crate) fn load(weights: &mut Weights<'_>, name: &str) -> Result<Self, LoadError> {
        let scale = weights.vector(&format!("{name}/gamma"))?;
        let bias = weights.vector(&format!("{name}/beta"))?;
        if scale.len() != bias.len() {
            return Err(weights.unsuitable(format!("{name} has two sizes")));
        }
        Ok(Self { scale, bias })
    }

    pub(crate) fn width(&self) -> usize {
        self.scale.len()
    }

    pub(crate) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let width = self.scale.len();
        let mut out = x.to_vec();
        out.par_chunks_mut(width).for_each(|row| {
            let mean = Sum::new(row).dispatch() / width as f32;
            let variance = SumSquareSub::new(row, mean).dispatch() / width as f32;
            let options = NormalizeOptions {
                pre_scale_bias: mean,
                scale: (variance + EPSILON).sqrt().recip(),
                element_scale: Some(&self.scale),
                bias: 0.0,
                element_bias: Some(&self.bias),
            };
            Normalize::new_mut(row, options).dispatch();
        });
        out
    }
}

impl<'a> Columns<'a> {
    pub(crate) fn new(data: &'a [f32], width: usize, first: usize) -> Self {
        Self { data, width, first }
    }

    fn rows(self) -> usize {
        self.data.len() / self.width
    }

    fn head(self, head: usize) -> NdTensorView<'a, f32, 2> {
        let first = self.first + head * HEAD;
        NdTensorView::from_data([self.rows(), self.width], self.data)
            .slice((.., first..first + HEAD))
    }
}

/// Each query's mean of the values, weighted by how well their keys match it; head by head.
///
/// The result has the queries' rows, `heads` * 64 columns.
pub(crate) fn attend(
    heads: usize,
    queries: Columns<'_>,
    keys: Columns<'_>,
    values: Columns<'_>,
    sight: Sight,
) -> Vec<f32> {
    let (rows, seen) = (queries.rows(), keys.rows());
    let by_head: Vec<Vec<f32>> = (0..heads)
        .into_par_iter()
        .map(|head| {
            let gemm = GemmExecutor::<f32>::default();
            let mut match_ = vec![0.0; rows * seen];
            let scaled =
                GemmOptions { alpha: (HEAD as f32).sqrt().recip(), ..GemmOptions::default() };
            gemm.gemm(
                &mut match_,
                GemmInputA::Unpacked(queries.head(head)),
                GemmInputB::Unpacked(keys.head(head).transposed()),
                scaled,
            )
            .expect("queries and keys have one head's width");
            for (query, row) in match_.chunks_exact_mut(seen).enumerate() {
                if let Sight::Past(before) = sight {
                    row[(before + query + 1).min(seen)..].fill(f32::NEG_INFINITY);
                }
                Softmax::new_mut(row).dispatch();
            }
            let mut mean = vec![0.0; rows * HEAD];
            gemm.gemm(
                &mut mean,
                GemmInputA::Unpacked(NdTensorView::from_data([rows, seen], match_.as_slice())),
                GemmInputB::Unpacked(values.head(head)),
                GemmOptions::default(),
            )
            .expect("there are as many values as keys");
            mean
        })
        .collect();

    let mut out = vec![0.0; rows * heads * HEAD];
    for (row, merged) in out.chunks_exact_mut(heads * HEAD).enumerate() {
        for (slot, mean) in merged.chunks_exact_mut(HEAD).zip(&by_head) {
            slot.copy_from_slice(&mean[row * HEAD..][..HEAD]);
        }
    }
    out
}

/// How many heads a network of this width has.
pub(crate) fn heads(width: usize) -> usize {
    width / HEAD
}

pub(crate) fn gelu(x: &mut [f32]) {
    x.par_chunks_mut(1 << 14).for_each(|part| {
        Gelu {}.map_mut(part);
    });
}

pub(crate) fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

pub(crate) fn transpose(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let view = NdTensorView::from_data([rows, columns], x);
    let turned: NdTensor<f32, 2> = view.transposed().to_tensor();
    turned.into_data()
}

/// Half-precision rows times full-precision rows. `out` has, for each row of weights, a number per row of `x`.
struct HalfProduct<'a> {
    weights: &'a [f16],
    columns: usize,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl SimdOp for HalfProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Self { weights, columns, x, out } = self;
        let rows = x.len() / columns;
        if rows == 1 {
            for (weights, out) in weights.chunks_exact(columns).zip(out) {
                *out = half_dot(isa, weights, x);
            }
            return;
        }
        let mut full = vec![0.0; columns];
        for (weights, out) in weights.chunks_exact(columns).zip(out.chunks_exact_mut(rows)) {
            widen(isa, weights, &mut full);
            for (out, x) in out.iter_mut().zip(x.chunks_exact(columns)) {
                *out = dot(isa, &full, x);
            }
        }
    }
}

#[inline(always)]
fn half_dot<I: Isa>(isa: I, weights: &[f16], x: &[f32]) -> f32 {
    let (half, full) = (isa.f16(), isa.f32());
    let lanes = full.len();
    let mut sums = [full.zero(); 4];
    let mut blocks = weights.chunks_exact(4 * lanes);
    let mut x_blocks = x.chunks_exact(4 * lanes);
    for (weights, x) in blocks.by_ref().zip(x_blocks.by_ref()) {
        let [a, b] = half.load_many::<2>(weights);
        let x = full.load_many::<4>(x);
        sums[0] = full.mul_add(half.extend_low(a), x[0], sums[0]);
        sums[1] = full.mul_add(half.extend_high(a), x[1], sums[1]);
        sums[2] = full.mul_add(half.extend_low(b), x[2], sums[2]);
        sums[3] = full.mul_add(half.extend_high(b), x[3], sums[3]);
    }
    let rest: f32 =
        blocks.remainder().iter().zip(x_blocks.remainder()).map(|(w, x)| w.to_f32() * x).sum();
    full.sum(full.add(full.add(sums[0], sums[1]), full.add(sums[2], sums[3]))) + rest
}

#[inline(always)]
fn dot<I: Isa>(isa: I, a: &[f32], b: &[f32]) -> f32 {
    let full = isa.f32();
    let mut sums = [full.zero(); 4];
    let mut a_blocks = a.chunks_exact(4 * full.len());
    let mut b_blocks = b.chunks_exact(4 * full.len());
    for (a, b) in a_blocks.by_ref().zip(b_blocks.by_ref()) {
        let (a, b) = (full.load_many::<4>(a), full.load_many::<4>(b));
        for i in 0..4 {
            sums[i] = full.mul_add(a[i], b[i], sums[i]);
        }
    }
    let rest: f32 = a_blocks.remainder().iter().zip(b_blocks.remainder()).map(|(a, b)| a * b).sum();
    full.sum(full.add(full.add(sums[0], sums[1]), full.add(sums[2], sums[3]))) + rest
}

#[inline(always)]
fn widen<I: Isa>(isa: I, from: &[f16], to: &mut [f32]) {
    let (half, full) = (isa.f16(), isa.f32());
    let lanes = full.len();
    let mut from_blocks = from.chunks_exact(2 * lanes);
    let mut to_blocks = to.chunks_exact_mut(2 * lanes);
    for (from, to) in from_blocks.by_ref().zip(to_blocks.by_ref()) {
        let value = half.load(from);
        full.store(half.extend_low(value), &mut to[..lanes]);
        full.store(half.extend_high(value), &mut to[lanes..]);
    }
    for (from, to) in from_blocks.remainder().iter().zip(to_blocks.into_remainder()) {
        *to = from.to_f32();
    }
}
