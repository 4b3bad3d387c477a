//! A product with stored weights, shared among a team.

#![expect(unsafe_code, reason = "threads write to their own parts of an output")]

use super::quantised::quantised_bytes;
use super::vector::{Tokens, Weights};
use super::{Layout, StoredMatrix, panel};
use crate::activation::Activation;
use crate::buffer::Buffer;
use crate::causal::Piece;
use crate::format::Format;
use crate::gemm::Call;
use crate::matmul::Precision;
use crate::simd::Kernels;
use crate::team::{Start, Team};

/// What becomes of the numbers that the output holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sum {
    /// They are replaced.
    #[default]
    Replace,
    /// The product is added to them, before the activation: a residual.
    Add,
}

/// What is computed of an input, and where it goes.
#[derive(Debug)]
pub struct StoredProduct<'a> {
    /// `K → N`
    pub weight: StoredMatrix<'a>,
    /// `(N)`
    pub bias: Option<&'a [f32]>,
    /// What becomes of what `output` holds.
    pub sum: Sum,
    /// Applied to the sum.
    pub activation: Activation,
    /// How exactly many tokens are multiplied with weights of `f32`; few are as exactly
    /// as can be.
    pub precision: Precision,
    /// `(T, N)`
    pub output: &'a mut [f32],
}

/// Memory of [`Kernels::multiply`] and [`Kernels::causal_attention`], kept from one call
/// to the next; it grows only for a larger one than all before.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) panels: Buffer,
    pub(crate) pieces: Vec<Piece>,
}

impl Scratch {
    /// Returns how many numbers it holds.
    pub fn capacity(&self) -> usize {
        self.panels.capacity()
    }
}

/// The most products of one input.
pub(super) const MOST_PRODUCTS: usize = 8;
/// The most formats with a layout of their own for the input.
const MOST_LAYOUTS: usize = 5;
/// So many tokens and fewer are multiplied row by row of the weight, since there is
/// not enough to do to make up for widening it.
const FEW: usize = 8;
/// Bytes of weights in a part of the few tokens' road: enough to make up for taking it,
/// little enough to share evenly.
const PART: usize = 1 << 15;

impl Kernels {
    /// Sets each output to `activation(input · Wᵀ + bias)`, or adds that to it, where
    /// `input` is `(T, K)` and all weights have `K` inputs.
    ///
    /// Products of one input in one call cost less than in several. Panics if the
    /// shapes do not fit, or there are more than eight.
    pub fn multiply(
        &self,
        team: &Team,
        input: &[f32],
        products: &mut [StoredProduct<'_>],
        scratch: &mut Scratch,
    ) {
        self.multiply_within(team, input, products, scratch, &mut []);
    }

    /// As [`Kernels::multiply`], with memory that nobody needs meanwhile: what is large
    /// enough is used instead of more of `scratch`, and holds anything afterwards.
    pub fn multiply_within(
        &self,
        team: &Team,
        input: &[f32],
        products: &mut [StoredProduct<'_>],
        scratch: &mut Scratch,
        lent: &mut [f32],
    ) {
        let Some(first) = products.first() else {
            return;
        };
        let inputs = first.weight.inputs;
        assert!(
            input.len().is_multiple_of(inputs),
            "the input's rows are whole"
        );
        let tokens = input.len() / inputs;
        for product in &*products {
            let outputs = product.weight.outputs;
            assert_eq!(
                product.weight.inputs, inputs,
                "the products share their input"
            );
            assert_eq!(
                product.output.len(),
                tokens * outputs,
                "a row comes out for every row that goes in"
            );
            if let Some(bias) = product.bias {
                assert_eq!(bias.len(), outputs, "there is a bias for every output");
            }
        }
        if tokens == 0 {
            return;
        }
        let few = tokens <= FEW;
        if let Some(tiles) = self.tiles
            && !few
        {
            tiles.multiply(team, input, products, scratch, lent);
            return;
        }
        let mut tasks = [const { None }; MOST_PRODUCTS];
        assert!(
            products.len() <= MOST_PRODUCTS,
            "products come in small groups"
        );
        // The formats that have their own layout of the input.
        let mut layouts: [Option<Format>; MOST_LAYOUTS] = [None; MOST_LAYOUTS];
        let mut parts = 0;
        for (task, product) in tasks.iter_mut().zip(&mut *products) {
            let weight = product.weight;
            let outputs = if few {
                self.few_outputs(&weight, team.threads())
            } else {
                self.panel_columns
            };
            let layout = (few
                && weight.layout == Layout::Rows
                && self.blocks.formats.contains(&weight.format))
            .then(|| {
                let slot = layouts
                    .iter()
                    .position(|it| it.is_none_or(|it| it == weight.format))
                    .expect("there is a slot for each format");
                layouts[slot] = Some(weight.format);
                slot
            });
            *task = Some(Task {
                first: parts,
                outputs,
                product: Ready {
                    weight,
                    layout,
                    bias: product.bias,
                    sum: product.sum,
                    activation: product.activation,
                    precision: product.precision,
                    output: Start(product.output.as_mut_ptr()),
                },
            });
            parts += weight.outputs.div_ceil(outputs);
        }
        let tasks = &tasks[..products.len()];

        let panel = if few {
            0
        } else {
            (inputs * self.panel_columns).next_multiple_of(16)
        };
        let quantised = quantised_bytes(inputs);
        let layouts = layouts.iter().flatten();
        let [panels, laid_out] = scratch.panels.carve([
            panel * team.threads(),
            layouts.clone().count() * tokens * quantised / 4,
        ]);
        let laid_out = laid_out.as_mut_ptr().cast::<u8>();
        for (slot, format) in layouts.enumerate() {
            for token in 0..tokens {
                // SAFETY: there is place for each token in each layout, and `K` inputs.
                unsafe {
                    (self.blocks.quantise)(
                        *format,
                        input.as_ptr().add(token * inputs),
                        inputs,
                        laid_out.add((slot * tokens + token) * quantised),
                    );
                }
            }
        }
        let (panels, laid_out) = (Start(panels.as_mut_ptr()), Start(laid_out));
        team.run(parts, &|part, seat| {
            let (task, from, to) = find(tasks, part);
            // SAFETY: the shapes were checked, every part has outputs of its own, and
            // every seat a panel of its own.
            unsafe {
                if few {
                    let layout = task.product.layout.unwrap_or(0);
                    let quantised = laid_out.get().add(layout * tokens * quantised);
                    self.few(&task.product, input, quantised, from, to);
                } else {
                    let panel = panels.get().add(seat * panel);
                    self.many(&task.product, input, from, to, panel);
                }
            }
        });
    }

    /// Returns how many outputs of `weight` make up a part, where there are few tokens.
    fn few_outputs(&self, weight: &StoredMatrix<'_>, threads: usize) -> usize {
        match weight.layout {
            Layout::Rows => {
                let bytes = weight.bytes.len() / weight.outputs.max(1);
                (PART / bytes.max(1)).max(1).next_multiple_of(16)
            }
            // Narrow parts would be read in small pieces.
            Layout::Columns => {
                let share = weight.outputs.div_ceil(4 * threads);
                share.max(1).next_multiple_of(128)
            }
        }
    }

    /// Computes outputs `from` to `to` for a few tokens, whose inputs also lie in the
    /// weight's layout, if it has one.
    ///
    /// # Safety
    /// The shapes must fit, and nobody else may use those outputs.
    unsafe fn few(
        &self,
        product: &Ready<'_>,
        input: &[f32],
        quantised: *const u8,
        from: usize,
        to: usize,
    ) {
        let weight = &product.weight;
        let add_rows = if product.layout.is_some() {
            self.blocks.add_rows
        } else {
            self.add_rows
        };
        let outputs = weight.outputs;
        let tokens = input.len() / weight.inputs;
        // SAFETY: as the caller promises.
        unsafe {
            for token in 0..tokens {
                let out = product.output.get().add(token * outputs + from);
                let rows = std::slice::from_raw_parts_mut(out, to - from);
                match (product.sum, product.bias) {
                    (Sum::Replace, None) => rows.fill(0.0),
                    (Sum::Replace, Some(bias)) => rows.copy_from_slice(&bias[from..to]),
                    (Sum::Add, None) => {}
                    (Sum::Add, Some(bias)) => {
                        for (number, bias) in rows.iter_mut().zip(&bias[from..to]) {
                            *number += bias;
                        }
                    }
                }
                add_rows(
                    &Weights {
                        bytes: weight.bytes.as_ptr(),
                        format: weight.format,
                        layout: weight.layout,
                        inputs: weight.inputs,
                        outputs,
                        from,
                        to,
                    },
                    &Tokens {
                        input: input.as_ptr().add(token * weight.inputs),
                        quantised: quantised.add(token * quantised_bytes(weight.inputs)),
                        output: out,
                    },
                );
                (self.activate)(product.activation, out, to - from);
            }
        }
    }

    /// Computes outputs `from` to `to`, one panel, for many tokens.
    ///
    /// # Safety
    /// As [`Self::few`]; `panel` must have place for a panel of `K` rows.
    unsafe fn many(
        &self,
        product: &Ready<'_>,
        input: &[f32],
        from: usize,
        to: usize,
        panel: *mut f32,
    ) {
        let weight = &product.weight;
        let (inputs, outputs) = (weight.inputs, weight.outputs);
        let wide = self.panel_columns;
        let mut bias = [0.0; panel::WIDEST];
        if let Some(all) = product.bias {
            bias[..to - from].copy_from_slice(&all[from..to]);
        }
        // SAFETY: as the caller promises; `bias` is as long as the widest panel.
        unsafe {
            match weight.layout {
                Layout::Rows => (self.widen_rows)(
                    weight.format,
                    weight.bytes.as_ptr(),
                    inputs,
                    from,
                    to,
                    panel,
                ),
                Layout::Columns => (self.widen_columns)(
                    weight.format,
                    weight.bytes.as_ptr(),
                    inputs,
                    outputs,
                    from,
                    to,
                    panel,
                ),
            }
            let out = product.output.get().add(from);
            (self.product)(&Call {
                rows: input.len() / inputs,
                depth: inputs,
                columns: to - from,
                a: input.as_ptr(),
                a_stride: inputs,
                a_step: 1,
                b: panel,
                b_stride: wide,
                panel_stride: wide * inputs,
                bias: bias.as_ptr(),
                residual: match product.sum {
                    Sum::Replace => std::ptr::null(),
                    Sum::Add => out,
                },
                out,
                out_stride: outputs,
                activation: product.activation,
            });
        }
    }
}

/// Returns the product that `part` belongs to, and the part's outputs.
pub(super) fn find<'a>(tasks: &'a [Option<Task<'a>>], part: usize) -> (&'a Task<'a>, usize, usize) {
    let which = tasks.partition_point(|task| task.as_ref().is_some_and(|task| task.first <= part));
    let task = tasks[which - 1]
        .as_ref()
        .expect("every product has its task");
    let from = (part - task.first) * task.outputs;
    let to = (from + task.outputs).min(task.product.weight.outputs);
    (task, from, to)
}

/// A product whose parts are computed.
pub(super) struct Task<'a> {
    /// Its first part among those of all products.
    pub(super) first: usize,
    /// Outputs in a part.
    pub(super) outputs: usize,
    pub(super) product: Ready<'a>,
}

/// A product, its output open to all threads.
pub(super) struct Ready<'a> {
    pub(super) weight: StoredMatrix<'a>,
    /// Which of the input's layouts it reads, if it is of blocks.
    pub(super) layout: Option<usize>,
    pub(super) bias: Option<&'a [f32]>,
    pub(super) sum: Sum,
    pub(super) activation: Activation,
    pub(super) precision: Precision,
    pub(super) output: Start<f32>,
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use proptest::prelude::*;

    use super::*;
    use crate::sample::numbers;

    /// Returns bytes of `format` for `count` numbers, none of which is far from ±1.
    pub(crate) fn stored(format: Format, seed: u64, count: usize) -> Vec<u8> {
        let numbers = numbers(seed, count);
        let mut bytes = vec![0; format.bytes(count).unwrap()];
        if !format.narrow(&numbers, &mut bytes) {
            for (byte, number) in bytes.iter_mut().zip(numbers.iter().cycle()) {
                *byte = (number * 127.0) as i8 as u8;
            }
            let (scales, size): (&[usize], f32) = match format {
                Format::Q4K => (&[0, 2], 1e-3),
                _ => (&[208], 3e-4),
            };
            for (block, number) in bytes.chunks_mut(format.block_bytes()).zip(&numbers) {
                for at in scales {
                    let scale = crate::half::f32_to_f16(number * size);
                    block[*at..][..2].copy_from_slice(&scale.to_le_bytes());
                }
            }
        }
        bytes
    }

    fn blocks_of(format: Format) -> bool {
        format.block_numbers() > 1
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn is_the_sum_of_products(
            tokens in 0usize..30,
            size in 1usize..100,
            shapes in prop::collection::vec((0usize..90, prop::sample::select(Format::ALL.to_vec()), any::<[bool; 3]>()), 1..4),
            threads in 1usize..4,
            precision in prop::sample::select(vec![Precision::F32, Precision::High, Precision::Bf16]),
            seed in any::<u64>(),
        ) {
            let blocks = shapes.iter().map(|(_, format, _)| format.block_numbers()).max().unwrap();
            let inputs = (size * 8).next_multiple_of(blocks) / if blocks == 1 { 8 } else { 1 };
            let input = numbers(seed, tokens * inputs);
            let team = Team::new(NonZeroUsize::new(threads).unwrap()).unwrap();
            let weights: Vec<Vec<u8>> = shapes
                .iter()
                .enumerate()
                .map(|(at, (outputs, format, _))| stored(*format, seed ^ (at as u64 + 9), inputs * outputs))
                .collect();
            let bias = numbers(seed ^ 77, 90);
            let before = numbers(seed ^ 78, 30 * 90);
            // What is expected, and how large the numbers are that add up to it.
            let mut expect: Vec<Vec<(f64, f64)>> = Vec::new();
            let mut products: Vec<(StoredMatrix<'_>, Option<&[f32]>, Sum)> = Vec::new();
            for ((outputs, format, [columns, with_bias, add]), bytes) in shapes.iter().zip(&weights) {
                let layout = if *columns && format.block_numbers() == 1 { Layout::Columns } else { Layout::Rows };
                let weight = StoredMatrix::new(*format, layout, inputs, *outputs, bytes);
                let mut wide = vec![0.0; inputs * outputs];
                format.widen(bytes, &mut wide);
                let mut sums = Vec::new();
                for token in 0..tokens {
                    for output in 0..*outputs {
                        let products = (0..inputs).map(|k| {
                            let at = match layout {
                                Layout::Rows => output * inputs + k,
                                Layout::Columns => k * outputs + output,
                            };
                            f64::from(input[token * inputs + k]) * f64::from(wide[at])
                        });
                        let (mut sum, mut size) = products
                            .fold((0.0, 2.0), |(sum, size), it| (sum + it, size + it.abs()));
                        // 2⁻⁸ of blocks and 2⁻¹⁶ of halves, where tiles multiply them.
                        size *= match (format.block_bytes(), precision) {
                            (4, Precision::F32) => 4e-6,
                            (4, Precision::High) => 5e-5,
                            (2, Precision::F32 | Precision::High) => 2e-5,
                            (2 | 4, Precision::Bf16) => 8e-3,
                            _ => 4e-3,
                        };
                        if blocks_of(*format) && tokens <= FEW {
                            // Inputs of at most 1 are off by at most half of 1/127.
                            let row = &wide[output * inputs..][..inputs];
                            size += row.iter().map(|w| f64::from(w.abs())).sum::<f64>() / 253.0;
                        }
                        if *with_bias {
                            sum += f64::from(bias[output]);
                        }
                        if *add {
                            sum += f64::from(before[token * outputs + output]);
                        }
                        sums.push((sum.max(0.0), size));
                    }
                }
                expect.push(sums);
                products.push((
                    weight,
                    with_bias.then_some(&bias[..*outputs]),
                    if *add { Sum::Add } else { Sum::Replace },
                ));
            }
            let mut lent = Buffer::zeros(1 << 12);
            let lengths = [0, 1 << 12];
            for (version, lent_length) in Kernels::available().into_iter().flat_map(|it| lengths.map(|to| (it, to))) {
                let mut scratch = Scratch::default();
                let mut outputs: Vec<Vec<f32>> = products
                    .iter()
                    .map(|(weight, _, sum)| match sum {
                        Sum::Add => before[..tokens * weight.outputs()].to_vec(),
                        Sum::Replace => vec![f32::NAN; tokens * weight.outputs()],
                    })
                    .collect();
                let mut calls: Vec<StoredProduct<'_>> = products
                    .iter()
                    .zip(&mut outputs)
                    .map(|((weight, bias, sum), output)| StoredProduct {
                        weight: *weight,
                        bias: *bias,
                        sum: *sum,
                        activation: Activation::Relu,
                        precision,
                        output,
                    })
                    .collect();
                let lent = &mut lent.as_mut_slice()[..lent_length];
                version.multiply_within(&team, &input, &mut calls, &mut scratch, lent);
                for ((found, expect), (weight, ..)) in outputs.iter().zip(&expect).zip(&products) {
                    assert_eq!(found.len(), expect.len());
                    for (at, (found, (expect, size))) in found.iter().zip(expect).enumerate() {
                        prop_assert!(
                            (f64::from(*found) - expect).abs() <= *size,
                            "{} by {}: {found} is not {expect} at {at}", weight.format(), version.name
                        );
                    }
                }
            }
        }
    }
}
