//! The linear parts of a layer, and what adapters add to them.

use tensor::{Activation, Scratch, StoredProduct, Sum};

use super::block::Span;
use super::layer::Linear;
use super::{Decoder, Step};
use crate::lora::{Given, Machine, Module};

/// Computes a layer's linear parts for a block.
pub(super) struct Projection<'a, 's> {
    pub(super) decoder: &'a Decoder,
    pub(super) steps: &'a [Step<'s>],
    pub(super) spans: &'a [Span],
    pub(super) layer: usize,
    pub(super) scratch: &'a mut Scratch,
    /// `(T, rank)`
    pub(super) low: &'a mut [f32],
}

impl Projection<'_, '_> {
    /// Sets each of `outputs`, `(T, N)`, to `activation` of what a part makes of `input`,
    /// `(T, K)`, which they share.
    pub(super) fn set<const PARTS: usize>(
        &mut self,
        input: &[f32],
        parts: [(Module, &Linear); PARTS],
        mut outputs: [&mut [f32]; PARTS],
        activation: Activation,
    ) {
        let adapted = self.steps.iter().any(|step| !step.adapters.is_empty());
        let mut free = outputs.iter_mut();
        let mut products: [StoredProduct<'_>; PARTS] = std::array::from_fn(|at| {
            let output = free.next().expect("there is an output for every part");
            let mut product = parts[at].1.product(self.decoder, Sum::Replace, output);
            if !adapted {
                product.activation = activation;
            }
            product
        });
        self.multiply(input, &mut products);
        if !adapted {
            return;
        }
        for ((module, linear), output) in parts.into_iter().zip(outputs) {
            self.adapt(module, linear, input, output, None);
            self.decoder.kernels.activate(activation, output);
        }
    }

    /// Adds to `output`, `(T, N)`, what a part makes of `input`, `(T, K)`. There is room
    /// for the same in `spare`, and nobody needs what is in `lent`.
    pub(super) fn add(
        &mut self,
        input: &[f32],
        (module, linear): (Module, &Linear),
        output: &mut [f32],
        spare: &mut [f32],
        lent: &mut [f32],
    ) {
        let product = linear.product(self.decoder, Sum::Add, output);
        let (kernels, team) = (self.decoder.kernels, &self.decoder.team);
        kernels.multiply_within(team, input, &mut [product], self.scratch, lent);
        self.adapt(module, linear, input, output, Some(spare));
    }

    /// Adds to a part's output what the steps' adapters add to it. If that is a sum with
    /// more, there is `spare` room for what the part alone gives.
    fn adapt(
        &mut self,
        module: Module,
        linear: &Linear,
        input: &[f32],
        output: &mut [f32],
        mut spare: Option<&mut [f32]>,
    ) {
        let weight = linear.weight.view();
        let (inputs, outputs) = (weight.inputs(), weight.outputs());
        for span in self.spans {
            let last = span.row + span.tokens;
            for (adapter, strength) in self.steps[span.step].adapters {
                let Some(low_rank) = adapter.part(self.layer, module) else {
                    continue;
                };
                let input = &input[span.row * inputs..last * inputs];
                let output = &mut output[span.row * outputs..last * outputs];
                let given = match &mut spare {
                    None => Given::InOutput {
                        bias: linear.bias.as_deref(),
                    },
                    Some(_) if !low_rank.scales() => Given::Apart(&[]),
                    Some(spare) => {
                        let alone = &mut spare[..output.len()];
                        let mut product = linear.product(self.decoder, Sum::Replace, alone);
                        product.bias = None;
                        self.multiply(input, &mut [product]);
                        Given::Apart(&spare[..output.len()])
                    }
                };
                let mut machine = Machine {
                    kernels: self.decoder.kernels,
                    team: &self.decoder.team,
                    scratch: &mut *self.scratch,
                    low: &mut *self.low,
                };
                low_rank.add(&mut machine, *strength, given, input, output);
            }
        }
    }

    fn multiply(&mut self, input: &[f32], products: &mut [StoredProduct<'_>]) {
        let decoder = self.decoder;
        decoder
            .kernels
            .multiply(&decoder.team, input, products, self.scratch);
    }
}

impl Linear {
    fn product<'a>(
        &'a self,
        decoder: &Decoder,
        sum: Sum,
        output: &'a mut [f32],
    ) -> StoredProduct<'a> {
        StoredProduct {
            weight: self.weight.view(),
            bias: self.bias.as_deref(),
            sum,
            activation: Activation::Identity,
            precision: decoder.precision,
            output,
        }
    }
}
