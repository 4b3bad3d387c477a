//! Adapters: what fine-tuning added to a model, kept apart from it. Most are LoRA (Hu et al.
//! 2021, arXiv:2106.09685); bottlenecks are in `bottleneck.rs`.
//!
//! To a linear part `W x` an adapter adds `s B A x`, with `A` `(r, K)` and `B` `(N, r)`.
//! DoRA (Liu et al. 2024, arXiv:2402.09353) also scales each output. An adapter is opened
//! for one decoder, whose weights stay as they are: each [`Step`](crate::decoder::Step)
//! says which adapters it is read with, and [`merge()`] writes both as one model.

pub(crate) mod bottleneck;
mod merge;
mod peft;
mod write;

use std::path::{Path, PathBuf};

use tensor::{
    Activation, Format, Kernels, Layout, Precision, Scratch, StoredMatrix, StoredProduct, Sum, Team,
};

use bottleneck::LayerBottlenecks;
pub use merge::merge;
pub(crate) use merge::{adapted, copy_others, to_merge};
pub(crate) use peft::Place;
pub(crate) use write::{AdapterTensor, AdapterToWrite, write};

/// An adapter, ready to be used with the decoder it was opened for.
#[derive(Debug)]
pub struct Adapter {
    path: PathBuf,
    /// The file of the decoder it was opened for, and its number.
    base: PathBuf,
    decoder: u64,
    /// What it says it was trained on.
    trained_on: String,
    /// The largest rank of its parts.
    rank: usize,
    layers: Vec<[Option<LowRank>; Module::COUNT]>,
    head: Option<LowRank>,
    /// Of each layer; empty, if it has none.
    bottlenecks: Vec<LayerBottlenecks>,
}

impl Adapter {
    /// Returns its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the bottlenecks of a layer.
    pub(crate) fn bottlenecks(&self, layer: usize) -> Option<&LayerBottlenecks> {
        self.bottlenecks.get(layer)
    }

    /// Returns the largest rank of its parts, or how wide its bottlenecks are.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Returns the file of the decoder it was opened for.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    /// Returns the number of the decoder it was opened for.
    pub(crate) fn decoder(&self) -> u64 {
        self.decoder
    }

    /// Returns what it adds to a linear part of a layer.
    pub(crate) fn part(&self, layer: usize, module: Module) -> Option<&LowRank> {
        self.layers[layer][module as usize].as_ref()
    }

    /// Returns what it adds to a linear part.
    fn at(&self, place: Place) -> Option<&LowRank> {
        match place {
            Place::Layer(layer, module) => self.part(layer, module),
            Place::Head => self.head(),
        }
    }

    /// Returns what it adds to the head.
    pub(crate) fn head(&self) -> Option<&LowRank> {
        self.head.as_ref()
    }
}

/// The linear parts of a layer that an adapter may add to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Module {
    /// Queries, keys and values in one.
    QueryKeyValue,
    Query,
    Key,
    Value,
    AttentionOut,
    Gate,
    Up,
    Down,
}

impl Module {
    const COUNT: usize = Self::Down as usize + 1;
}

/// What is added to a linear part: `B A x`, the scale already in `B`.
#[derive(Debug)]
pub(crate) struct LowRank {
    inputs: usize,
    outputs: usize,
    rank: usize,
    /// `(r, K)`
    a: Vec<f32>,
    /// `(N, r)`
    b: Vec<f32>,
    /// `(N)`: what DoRA multiplies each output by, less 1.
    stretch: Option<Vec<f32>>,
}

/// Where `W input` is, what a linear part itself gives without its bias.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given<'a> {
    /// It and the bias are all that is in the output so far.
    InOutput { bias: Option<&'a [f32]> },
    /// `(T, N)`, if [`LowRank::scales`]: the output is a sum with more.
    Apart(&'a [f32]),
}

/// What a product is computed on.
pub(crate) struct Machine<'a> {
    pub(crate) kernels: &'static Kernels,
    pub(crate) team: &'a Team,
    pub(crate) scratch: &'a mut Scratch,
    /// Room for `(T, r)` numbers.
    pub(crate) low: &'a mut [f32],
}

impl LowRank {
    /// Returns whether it also scales what the part itself gives, and so has to know it.
    pub(crate) fn scales(&self) -> bool {
        self.stretch.is_some()
    }

    /// Adds `weight` times what it adds to `output`, `(T, N)`.
    pub(crate) fn add(
        &self,
        machine: &mut Machine<'_>,
        weight: f32,
        given: Given<'_>,
        input: &[f32],
        output: &mut [f32],
    ) {
        let tokens = input.len() / self.inputs;
        let low = &mut machine.low[..tokens * self.rank];
        let (kernels, team) = (machine.kernels, machine.team);
        fn product<'a>(
            weight: StoredMatrix<'a>,
            sum: Sum,
            output: &'a mut [f32],
        ) -> StoredProduct<'a> {
            StoredProduct {
                weight,
                bias: None,
                sum,
                activation: Activation::Identity,
                precision: Precision::F32,
                output,
            }
        }
        let a = stored(&self.a, self.inputs, self.rank);
        let products = &mut [product(a, Sum::Replace, low)];
        kernels.multiply(team, input, products, machine.scratch);
        low.iter_mut().for_each(|x| *x *= weight);
        if let Some(stretch) = &self.stretch {
            for (number, row) in output.chunks_exact_mut(self.outputs).enumerate() {
                for (at, (x, stretch)) in row.iter_mut().zip(stretch).enumerate() {
                    let own = match given {
                        Given::InOutput { bias } => *x - bias.map_or(0.0, |bias| bias[at]),
                        Given::Apart(product) => product[number * self.outputs + at],
                    };
                    *x += own * weight * stretch;
                }
            }
        }
        let b = stored(&self.b, self.rank, self.outputs);
        let products = &mut [product(b, Sum::Add, output)];
        kernels.multiply(team, low, products, machine.scratch);
    }

    /// Returns what it adds to the weight itself, `(N, K)`, given that, for `weight`.
    fn delta(&self, base: &[f32], weight: f32) -> Vec<f32> {
        let mut delta = vec![0.0; self.outputs * self.inputs];
        for (output, row) in delta.chunks_exact_mut(self.inputs).enumerate() {
            let b = &self.b[output * self.rank..][..self.rank];
            add_rows(row, b, &self.a);
            if let Some(stretch) = &self.stretch {
                let base = &base[output * self.inputs..][..self.inputs];
                for (x, base) in row.iter_mut().zip(base) {
                    *x += stretch[output] * base;
                }
            }
            row.iter_mut().for_each(|x| *x *= weight);
        }
        delta
    }
}

/// Adds `b A` to `row`, `(K)`, where `b` is `(r)` and `a` `(r, K)`.
fn add_rows(row: &mut [f32], b: &[f32], a: &[f32]) {
    for (factor, a) in b.iter().zip(a.chunks_exact(row.len())) {
        for (x, a) in row.iter_mut().zip(a) {
            *x += factor * a;
        }
    }
}

fn stored(numbers: &[f32], inputs: usize, outputs: usize) -> StoredMatrix<'_> {
    let bytes = bytemuck::cast_slice(numbers);
    StoredMatrix::new(Format::F32, Layout::Rows, inputs, outputs, bytes)
}
