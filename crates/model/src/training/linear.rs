//! Linear parts, trained or frozen, and their backward.
//!
//! Letters: `T` tokens, `K` inputs and `N` outputs.

use std::ops::Range;

use tensor::training::{Nf4Matrix, TrainingScratch};
use tensor::{
    Buffer, Factor, Kernels, Layout, Matmul, PackedFactor, Precision, Scratch, Sum, Team,
};

use super::Pass;
use super::low_rank::LowRank;
use crate::weights::Matrix;

/// What everything in a pass is computed on.
pub(crate) struct Machine<'a> {
    pub(crate) kernels: &'static Kernels,
    pub(crate) team: &'a Team,
    pub(crate) precision: Precision,
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) training: &'a mut TrainingScratch,
    /// What adapters compute in between.
    pub(crate) low: &'a mut Buffer,
    /// Where weights in 4 bits are widened; as large as the largest.
    pub(crate) widened: &'a mut Buffer,
    /// How adapters take part.
    pub(crate) adapters: Adapters,
}

/// What products and kernels need in between, planned once and used again.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    scratch: Scratch,
    training: TrainingScratch,
    low: Buffer,
    widened: Buffer,
}

/// What products and kernels need at most beside what is planned, in bytes.
pub(crate) const KERNELS: usize = 12 << 20;

impl Tools {
    /// Takes memory for so many numbers of adapters, and of widened weights.
    pub(crate) fn new(low: usize, widened: usize) -> Self {
        Self {
            low: Buffer::zeros(low),
            widened: Buffer::zeros(widened),
            ..Self::default()
        }
    }

    /// Returns what a pass is computed on.
    pub(crate) fn machine<'a>(
        &'a mut self,
        kernels: &'static Kernels,
        team: &'a Team,
        precision: Precision,
        adapters: Adapters,
    ) -> Machine<'a> {
        Machine {
            kernels,
            team,
            precision,
            scratch: &mut self.scratch,
            training: &mut self.training,
            low: &mut self.low,
            widened: &mut self.widened,
            adapters,
        }
    }
}

/// How adapters take part in a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapters {
    /// Not at all.
    Off,
    /// As they are.
    On,
    /// And what they leave out at random follows from the seed.
    Training { seed: u64 },
}

impl Adapters {
    /// Returns how they take part in `pass`.
    pub(crate) fn of(pass: Pass) -> Self {
        match pass {
            Pass::Train { seed } => Self::Training { seed },
            Pass::Evaluate => Self::On,
            Pass::WithoutAdapter => Self::Off,
        }
    }
}

impl Machine<'_> {
    /// Sets `out`, `(M, N)`, to `left · right`, or adds it.
    pub(crate) fn product(
        &mut self,
        left: Factor<'_>,
        right: Factor<'_>,
        bias: Option<&[f32]>,
        sum: Sum,
        out: &mut [f32],
    ) {
        let matmul = Matmul {
            left,
            right,
            bias,
            sum,
            precision: self.precision,
            out,
        };
        self.kernels.matmul(self.team, matmul, self.scratch);
    }
}

/// `x · Wᵀ + bias`, and what an adapter adds.
#[derive(Debug)]
pub(crate) struct Linear {
    /// `K`
    pub(crate) inputs: usize,
    /// `N`
    pub(crate) outputs: usize,
    pub(crate) weight: Weight,
    /// The weight as its products read it, if it is not trained and was packed.
    pub(crate) packed: Option<Box<Packed>>,
    pub(crate) bias: Option<Bias>,
    pub(crate) adapter: Option<LowRank>,
}

/// A weight that is not trained, packed once for all its products.
#[derive(Debug)]
pub(crate) struct Packed {
    /// `Wᵀ`, `(K, N)`
    forward: PackedFactor,
    /// `W`, `(N, K)`
    backward: PackedFactor,
}

impl Packed {
    /// Packs `weight`, `(N, K)`.
    pub(crate) fn new(team: &Team, weight: Factor<'_>, precision: Precision) -> Self {
        let kernels = Kernels::best();
        Self {
            forward: kernels.pack(team, weight.turned(), precision),
            backward: kernels.pack(team, weight, precision),
        }
    }

    /// Returns the bytes that `weight` takes packed.
    fn bytes_of(weight: Factor<'_>, precision: Precision) -> usize {
        let kernels = Kernels::best();
        let bytes = |it: &Factor<'_>| kernels.packed_bytes(it, precision);
        bytes(&weight.turned()) + bytes(&weight)
    }
}

/// Where a weight is.
#[derive(Debug)]
pub(crate) enum Weight {
    /// In the arena, and it is trained.
    Trained { range: Range<usize>, layout: Layout },
    /// In its file.
    Stored(Matrix),
    /// In 4 bits; widened for each product.
    Nf4(Box<Nf4Matrix>),
}

/// Where a bias, or a norm's weight, is.
#[derive(Clone, Debug)]
pub(crate) enum Vector {
    /// In the arena, and it is trained.
    Trained(Range<usize>),
    /// In memory.
    Frozen(Vec<f32>),
}

/// A linear part's bias, `(N)`.
pub(crate) type Bias = Vector;

impl Vector {
    /// Returns its numbers.
    pub(crate) fn numbers<'a>(&'a self, values: &'a [f32]) -> &'a [f32] {
        match self {
            Self::Trained(range) => &values[range.clone()],
            Self::Frozen(numbers) => numbers,
        }
    }

    /// Returns where its gradient is added, if it is trained.
    pub(crate) fn gradient<'a>(&self, gradients: &'a mut [f32]) -> Option<&'a mut [f32]> {
        match self {
            Self::Trained(range) => Some(&mut gradients[range.clone()]),
            Self::Frozen(_) => None,
        }
    }
}

/// What is known of a linear part's input, `(T, K)`, when its gradients are computed,
/// and where its own goes.
pub(crate) struct Backward<'a> {
    /// `(T, K)`, as it was in the forward. Empty if [`Linear::needs_input`] says no.
    pub(crate) input: &'a [f32],
    /// `(T, N)`, of the output.
    pub(crate) gradient: &'a [f32],
    /// `(T, K)`: set to the input's gradient, or that is added, if somebody needs it.
    pub(crate) input_gradient: Option<(Sum, &'a mut [f32])>,
}

impl Weight {
    /// Returns it as `(N, K)`, in `widened` if it lies in 4 bits.
    pub(crate) fn factor<'a>(
        &'a self,
        machine: &Machine<'_>,
        values: &'a [f32],
        [inputs, outputs]: [usize; 2],
        widened: &'a mut Buffer,
    ) -> Factor<'a> {
        match self {
            Self::Trained { range, layout } => {
                let numbers = &values[range.clone()];
                match layout {
                    Layout::Rows => Factor::f32(numbers, outputs, inputs),
                    Layout::Columns => Factor::f32(numbers, inputs, outputs).turned(),
                }
            }
            Self::Stored(matrix) => Factor::stored(matrix.view()),
            Self::Nf4(matrix) => {
                let [rows] = widened.carve([inputs * outputs]);
                machine.kernels.widen_nf4(machine.team, matrix, rows);
                Factor::f32(rows, outputs, inputs)
            }
        }
    }

    /// Returns the bytes of it that are not trained.
    pub(crate) fn frozen_bytes(&self) -> usize {
        match self {
            Self::Trained { .. } => 0,
            Self::Stored(matrix) => matrix.view().bytes().len(),
            Self::Nf4(matrix) => matrix.bytes(),
        }
    }

    /// Returns the bytes that it takes packed, if it can be.
    pub(crate) fn packed_bytes(&self, precision: Precision) -> usize {
        match self {
            Self::Trained { .. } | Self::Nf4(_) => 0,
            Self::Stored(matrix) => Packed::bytes_of(Factor::stored(matrix.view()), precision),
        }
    }
}

impl Linear {
    /// Returns whether anything of it is trained.
    pub(crate) fn trains(&self) -> bool {
        matches!(self.weight, Weight::Trained { .. })
            || matches!(self.bias, Some(Vector::Trained(_)))
            || self.adapter.is_some()
    }

    /// Returns whether its backward needs what went into it.
    pub(crate) fn needs_input(&self) -> bool {
        matches!(self.weight, Weight::Trained { .. }) || self.adapter.is_some()
    }

    /// Returns the right side of its forward.
    fn forwards<'a>(&'a self, weight: Factor<'a>) -> Factor<'a> {
        let packed = self.packed.as_ref().map(|it| &it.forward);
        weight.turned().with_packed(packed)
    }

    /// Sets `output`, `(T, N)`, to what it makes of `input`, `(T, K)`, or adds that.
    pub(crate) fn forward(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        input: &[f32],
        sum: Sum,
        output: &mut [f32],
    ) {
        let tokens = input.len() / self.inputs;
        let mut widened = std::mem::take(machine.widened);
        let sizes = [self.inputs, self.outputs];
        let weight = self.weight.factor(machine, values, sizes, &mut widened);
        let bias = self.bias.as_ref().map(|bias| bias.numbers(values));
        let x = Factor::f32(input, tokens, self.inputs);
        machine.product(x, self.forwards(weight), bias, sum, output);
        *machine.widened = widened;
        if let Some(adapter) = &self.adapter {
            adapter.forward(machine, values, self, input, output);
        }
    }

    /// Sets `output`, `(T, N)`, to `input · Wᵀ` alone, of `(T, K)`.
    pub(super) fn product(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        input: Factor<'_>,
        output: &mut [f32],
    ) {
        let mut widened = std::mem::take(machine.widened);
        let sizes = [self.inputs, self.outputs];
        let weight = self.weight.factor(machine, values, sizes, &mut widened);
        machine.product(input, self.forwards(weight), None, Sum::Replace, output);
        *machine.widened = widened;
    }

    /// Adds the gradients of what is trained, and gives the input's if it is asked for.
    pub(crate) fn backward(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        gradients: &mut [f32],
        backward: Backward<'_>,
    ) {
        let Backward {
            input,
            gradient,
            mut input_gradient,
        } = backward;
        let tokens = gradient.len() / self.outputs;
        let dy = Factor::f32(gradient, tokens, self.outputs);
        if let Some(bias) = self.bias.as_ref().and_then(|it| it.gradient(gradients)) {
            machine
                .kernels
                .column_sums(machine.team, gradient, Sum::Add, bias);
        }
        if let Weight::Trained { range, layout } = &self.weight {
            let x = Factor::f32(input, tokens, self.inputs);
            let out = &mut gradients[range.clone()];
            match layout {
                Layout::Rows => machine.product(dy.turned(), x, None, Sum::Add, out),
                Layout::Columns => machine.product(x.turned(), dy, None, Sum::Add, out),
            }
        }
        if let Some((sum, dx)) = &mut input_gradient {
            let mut widened = std::mem::take(machine.widened);
            let sizes = [self.inputs, self.outputs];
            let weight = self.weight.factor(machine, values, sizes, &mut widened);
            let packed = self.packed.as_ref().map(|it| &it.backward);
            machine.product(dy, weight.with_packed(packed), None, *sum, dx);
            *machine.widened = widened;
        }
        if let Some(adapter) = &self.adapter {
            let dx = input_gradient.map(|(_, dx)| dx);
            adapter.backward(machine, values, gradients, self, input, gradient, dx);
        }
    }
}
