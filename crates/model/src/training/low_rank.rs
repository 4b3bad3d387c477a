//! Low-rank parts beside a frozen weight: LoRA (Hu et al. 2021, arXiv:2106.09685), DoRA
//! (Liu et al. 2024, arXiv:2402.09353) and AdaLoRA (Zhang et al. 2023, arXiv:2303.10512), as
//! PEFT computes them.
//!
//! Letters: `T` tokens, `K` inputs, `N` outputs, `r` rank.
//!
//! A side path: `A x` is `(T, r)` and cheap, so it is computed again in the backward, and
//! nothing as large as the weight is ever made.

use std::ops::Range;

use tensor::training::Dropout;
use tensor::{Factor, Matmul, Precision, Sum};

use super::ParameterTable;
use super::linear::{Adapters, Linear, Machine, Weight};
use super::start::Start;
use super::tuning::{AdaLora, Lora, LowRankTuning};

/// Rows that a thread takes together in the loops between products.
const ROWS: usize = 8;

/// Adds a tensor to the arena, by the end of its name, its shape and how it begins.
type Add<'a> = dyn FnMut(&str, &[usize], Start) -> Range<usize> + 'a;

/// What is trained beside a linear part: `s B A x`, or `s B Λ A x`.
#[derive(Debug)]
pub(crate) struct LowRank {
    pub(crate) rank: usize,
    /// `s`
    pub(crate) scale: f32,
    /// `(r, K)`
    pub(crate) a: Range<usize>,
    /// `(N, r)`
    pub(crate) b: Range<usize>,
    /// The share of `x` that is left out while training.
    pub(crate) dropout: f32,
    /// Tells parts apart, so that each leaves out something else.
    pub(crate) number: u64,
    pub(crate) magnitude: Option<Magnitude>,
    /// `(r)`, the diagonal of `Λ`.
    pub(crate) diagonal: Option<Range<usize>>,
}

/// What DoRA learns of each output's size.
#[derive(Debug)]
pub(crate) struct Magnitude {
    /// `(N)`
    pub(crate) range: Range<usize>,
    /// `(N)`, the squares of the lengths of the weight's rows.
    pub(crate) squares: Vec<f32>,
}

impl LowRank {
    /// Adds to the arena what is trained beside the part called `name` of `inputs` and
    /// `outputs`. `number` tells it from others.
    pub(crate) fn new(
        table: &mut ParameterTable,
        tuning: LowRankTuning<'_>,
        (name, number): (&str, u64),
        weight: &Weight,
        sizes: [usize; 2],
    ) -> Self {
        let mut add = |end: &str, shape: &[usize], start| {
            table.add(&format!("{name}.{end}"), shape, shape.len() > 1, start)
        };
        match tuning {
            LowRankTuning::Lora(lora) => Self::lora(&mut add, lora, number, weight, sizes),
            LowRankTuning::AdaLora(adalora) => Self::adalora(&mut add, adalora, number, sizes),
        }
    }

    /// `A` begins as `torch.nn.Linear` draws it, `B` as zeros, and magnitudes as the lengths
    /// of the frozen weight's rows.
    fn lora(
        add: &mut Add<'_>,
        lora: &Lora,
        number: u64,
        weight: &Weight,
        [inputs, outputs]: [usize; 2],
    ) -> Self {
        let rank = lora.rank;
        let even = Start::Even((inputs as f32).sqrt().recip());
        let a = add("lora_A.weight", &[rank, inputs], even);
        let b = add("lora_B.weight", &[outputs, rank], Start::Zeros);
        let magnitude = lora.dora.then(|| {
            let squares = squares(weight, inputs);
            let lengths = squares.iter().map(|it| it.sqrt()).collect();
            let start = Start::Numbers(lengths);
            Magnitude {
                range: add("lora_magnitude_vector", &[outputs], start),
                squares,
            }
        });
        Self {
            rank,
            scale: lora.factor(),
            a,
            b,
            dropout: lora.dropout,
            number,
            magnitude,
            diagonal: None,
        }
    }

    /// `A` and `B` are drawn, and `Λ` begins as zeros.
    fn adalora(
        add: &mut Add<'_>,
        adalora: &AdaLora,
        number: u64,
        [inputs, outputs]: [usize; 2],
    ) -> Self {
        const DEVIATION: f32 = 0.02;
        let rank = adalora.first_rank;
        Self {
            rank,
            scale: adalora.factor(),
            a: add("lora_A", &[rank, inputs], Start::Normal(DEVIATION)),
            diagonal: Some(add("lora_E", &[rank, 1], Start::Zeros)),
            b: add("lora_B", &[outputs, rank], Start::Normal(DEVIATION)),
            dropout: adalora.dropout,
            number,
            magnitude: None,
        }
    }

    /// Returns how many numbers of room it needs beside a part of `inputs` and `outputs`:
    /// `s A x` and its gradient, `(T, r)`; `x` with parts left out and its gradient,
    /// `(T, K)`; `W x + s B A x` and a gradient scaled, `(T, N)`; `A Wᵀ`, `(r, N)`, and
    /// what each output is multiplied by, `(N)`.
    pub(crate) fn room(&self, tokens: usize, inputs: usize, outputs: usize) -> [usize; 8] {
        let low = tokens * self.rank;
        let apart = self.magnitude.is_some();
        let dropped = if self.dropout > 0.0 {
            tokens * inputs
        } else {
            0
        };
        let (whole, overlap, stretch) = match apart {
            true => (tokens * outputs, self.rank * outputs, outputs),
            false => (0, 0, 0),
        };
        [low, low, dropped, dropped, whole, whole, overlap, stretch]
    }

    /// Returns what is left out of `x` in this pass.
    fn left_out(&self, adapters: Adapters) -> Option<Dropout> {
        match adapters {
            Adapters::Training { seed } if self.dropout > 0.0 => {
                Some(Dropout::new(self.dropout, &[seed, self.number]))
            }
            _ => None,
        }
    }

    /// Adds to `output`, `(T, N)`, what it adds to what `linear` makes of `input`,
    /// `(T, K)`.
    pub(crate) fn forward(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        linear: &Linear,
        input: &[f32],
        output: &mut [f32],
    ) {
        if machine.adapters == Adapters::Off {
            return;
        }
        let (inputs, outputs) = (linear.inputs, linear.outputs);
        let tokens = input.len() / inputs;
        let mut room = std::mem::take(machine.low);
        let [low, _, dropped, _, whole, _, overlap, stretch] =
            room.carve(self.room(tokens, inputs, outputs));
        let left_out = self.left_out(machine.adapters);
        let input = see(machine, left_out, input, dropped);
        self.down(machine, values, linear, input, low);
        self.weigh(values, low);
        let b = Factor::f32(&values[self.b.clone()], outputs, self.rank).turned();
        let low = Factor::f32(low, tokens, self.rank);
        if let Some(magnitude) = &self.magnitude {
            let x = Factor::f32(input, tokens, inputs);
            linear.product(machine, values, x, whole);
            each_row(machine, outputs, output, whole, &|y, own| {
                y.iter_mut().zip(own).for_each(|(y, own)| *y -= own);
            });
            machine.product(low, b, None, Sum::Add, whole);
            self.stretch(machine, values, linear, magnitude, overlap, stretch);
            each_row(machine, outputs, output, whole, &|y, own| {
                for ((y, own), stretch) in y.iter_mut().zip(own).zip(&*stretch) {
                    *y += own * stretch;
                }
            });
        } else {
            machine.product(low, b, None, Sum::Add, output);
        }
        *machine.low = room;
    }

    /// Adds its gradients, and to `input_gradient`, `(T, K)`, what comes through it.
    /// `gradient` is `(T, N)`, of the output.
    ///
    /// With DoRA the length of `W + s B A` counts as a constant (§4.3).
    #[expect(
        clippy::too_many_arguments,
        reason = "what a linear part knows, passed on as it is"
    )]
    pub(crate) fn backward(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        gradients: &mut [f32],
        linear: &Linear,
        input: &[f32],
        gradient: &[f32],
        input_gradient: Option<&mut [f32]>,
    ) {
        let (inputs, outputs, rank) = (linear.inputs, linear.outputs, self.rank);
        let tokens = input.len() / inputs;
        let mut room = std::mem::take(machine.low);
        let [
            low,
            low_gradient,
            dropped,
            dropped_gradient,
            whole,
            scaled,
            overlap,
            stretch,
        ] = room.carve(self.room(tokens, inputs, outputs));
        let left_out = self.left_out(machine.adapters);
        let input = see(machine, left_out, input, dropped);
        let x = Factor::f32(input, tokens, inputs);
        self.down(machine, values, linear, input, low);
        let a = Factor::f32(&values[self.a.clone()], rank, inputs);
        let b = Factor::f32(&values[self.b.clone()], outputs, rank);

        // With DoRA the gradient of what is stretched, else of the output itself.
        let of_output = gradient;
        let mut gradient = gradient;
        if let Some(magnitude) = &self.magnitude {
            let of_magnitude = magnitude.range.clone();
            linear.product(machine, values, x, whole);
            low_gradient.copy_from_slice(low);
            self.weigh(values, low_gradient);
            let low = Factor::f32(low_gradient, tokens, rank);
            machine.product(low, b.turned(), None, Sum::Add, whole);
            self.stretch(machine, values, linear, magnitude, overlap, stretch);
            // Σ dY · (W x + s B A x), over the length, which is magnitude over stretch.
            each_row(machine, outputs, whole, gradient, &|own, dy| {
                own.iter_mut().zip(dy).for_each(|(own, dy)| *own *= dy);
            });
            let sums = &mut overlap[..outputs];
            machine
                .kernels
                .column_sums(machine.team, whole, Sum::Replace, sums);
            for (((to, sum), stretch), size) in gradients[of_magnitude.clone()]
                .iter_mut()
                .zip(&*sums)
                .zip(&*stretch)
                .zip(&values[of_magnitude])
            {
                *to += sum * stretch / size;
            }
            each_row(machine, outputs, scaled, gradient, &|scaled, dy| {
                for ((scaled, dy), stretch) in scaled.iter_mut().zip(dy).zip(&*stretch) {
                    *scaled = dy * stretch;
                }
            });
            gradient = scaled;
        }

        let dy = Factor::f32(gradient, tokens, outputs);
        machine.product(dy, b, None, Sum::Replace, low_gradient);
        if let Some(diagonal) = &self.diagonal {
            // Σ over tokens of s (A x) · (Bᵀ dY), before `Λ` makes numbers 0.
            let of_diagonal = &mut gradients[diagonal.clone()];
            for (low, gradient) in low.chunks_exact(rank).zip(low_gradient.chunks_exact(rank)) {
                for ((to, low), gradient) in of_diagonal.iter_mut().zip(low).zip(gradient) {
                    *to += self.scale * low * gradient;
                }
            }
        }
        self.weigh(values, low);
        let low = Factor::f32(low, tokens, rank);
        let of_b = &mut gradients[self.b.clone()];
        machine.product(dy.turned(), low, None, Sum::Add, of_b);
        self.weigh(values, low_gradient);
        let low_gradient = Factor::f32(low_gradient, tokens, rank);
        let of_a = &mut gradients[self.a.clone()];
        machine.product(low_gradient.turned(), x, None, Sum::Add, of_a);

        if let Some(input_gradient) = input_gradient {
            let to = match left_out {
                Some(_) => &mut *dropped_gradient,
                None => &mut *input_gradient,
            };
            let mut sum = match left_out {
                Some(_) => Sum::Replace,
                None => Sum::Add,
            };
            if self.magnitude.is_some() {
                // The weight's own share, less what the linear part gives already.
                each_row(machine, outputs, whole, of_output, &|own, dy| {
                    for ((own, dy), stretch) in own.iter_mut().zip(dy).zip(&*stretch) {
                        *own = dy * (stretch - 1.0);
                    }
                });
                let own = Factor::f32(whole, tokens, outputs);
                let mut widened = std::mem::take(machine.widened);
                let sizes = [inputs, outputs];
                let weight = linear.weight.factor(machine, values, sizes, &mut widened);
                machine.product(own, weight, None, sum, to);
                *machine.widened = widened;
                sum = Sum::Add;
            }
            machine.product(low_gradient, a, None, sum, to);
            if let Some(left_out) = left_out {
                machine
                    .kernels
                    .drop_out(machine.team, left_out, dropped_gradient);
                let dropped: &[f32] = dropped_gradient;
                each_row(machine, inputs, input_gradient, dropped, &|to, from| {
                    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
                });
            }
        }
        *machine.low = room;
    }

    /// Sets `low`, `(T, r)`, to `A x`.
    fn down(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        linear: &Linear,
        input: &[f32],
        low: &mut [f32],
    ) {
        let tokens = input.len() / linear.inputs;
        let x = Factor::f32(input, tokens, linear.inputs);
        let a = Factor::f32(&values[self.a.clone()], self.rank, linear.inputs);
        machine.product(x, a.turned(), None, Sum::Replace, low);
    }

    /// Multiplies each row of `low`, `(T, r)`, by `s`, or by `s Λ`.
    fn weigh(&self, values: &[f32], low: &mut [f32]) {
        match &self.diagonal {
            None => low.iter_mut().for_each(|it| *it *= self.scale),
            Some(diagonal) => {
                let diagonal = &values[diagonal.clone()];
                for row in low.chunks_exact_mut(self.rank) {
                    for (x, factor) in row.iter_mut().zip(diagonal) {
                        *x *= self.scale * factor;
                    }
                }
            }
        }
    }

    /// Sets `stretch`, `(N)`, to the magnitude over the length of each row of `W + s B A`
    /// (eq. 5): `‖w + s b A‖² = ‖w‖² + 2 s b (A w) + s² b A Aᵀ bᵀ`, by which the sum
    /// itself is never made.
    fn stretch(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        linear: &Linear,
        magnitude: &Magnitude,
        overlap: &mut [f32],
        stretch: &mut [f32],
    ) {
        let (inputs, outputs, rank) = (linear.inputs, linear.outputs, self.rank);
        let (a, b) = (&values[self.a.clone()], &values[self.b.clone()]);
        let mut widened = std::mem::take(machine.widened);
        let sizes = [inputs, outputs];
        let weight = linear.weight.factor(machine, values, sizes, &mut widened);
        let matmul = Matmul {
            left: Factor::f32(a, rank, inputs),
            right: weight.turned(),
            bias: None,
            sum: Sum::Replace,
            precision: Precision::F32,
            out: &mut *overlap,
        };
        machine
            .kernels
            .matmul(machine.team, matmul, machine.scratch);
        *machine.widened = widened;
        let rows: Vec<&[f32]> = a.chunks_exact(inputs).collect();
        let dot =
            |x: &[f32], y: &[f32]| -> f64 { x.iter().zip(y).map(|(x, y)| f64::from(x * y)).sum() };
        let squares: Vec<f64> = rows
            .iter()
            .flat_map(|x| rows.iter().map(|y| dot(x, y)))
            .collect();
        let scale = f64::from(self.scale);
        for (output, stretch) in stretch.iter_mut().enumerate() {
            let b = &b[output * rank..][..rank];
            let mut square = f64::from(magnitude.squares[output]);
            for (i, x) in b.iter().enumerate() {
                let x = scale * f64::from(*x);
                square += 2.0 * x * f64::from(overlap[i * outputs + output]);
                for (j, y) in b.iter().enumerate() {
                    square += x * scale * f64::from(*y) * squares[i * rank + j];
                }
            }
            let size = f64::from(values[magnitude.range.start + output]);
            *stretch = (size / square.max(f64::MIN_POSITIVE).sqrt()) as f32;
        }
    }
}

/// Returns the square of the length of each row of a frozen weight, `(N, K)`.
fn squares(weight: &Weight, inputs: usize) -> Vec<f32> {
    let rows = match weight {
        Weight::Trained { .. } => unreachable!("only frozen weights are adapted"),
        Weight::Stored(matrix) => matrix.numbers(),
        Weight::Nf4(matrix) => matrix.numbers(),
    };
    rows.chunks_exact(inputs)
        .map(|row| row.iter().map(|x| f64::from(x * x)).sum::<f64>() as f32)
        .collect()
}

/// Returns `input`, or, in `room`, what is seen of it.
fn see<'a>(
    machine: &Machine<'_>,
    left_out: Option<Dropout>,
    input: &'a [f32],
    room: &'a mut [f32],
) -> &'a [f32] {
    let Some(left_out) = left_out else {
        return input;
    };
    room.copy_from_slice(input);
    machine.kernels.drop_out(machine.team, left_out, room);
    room
}

/// Calls `task` for each row of `to` and `from`, both of `width`.
fn each_row(
    machine: &Machine<'_>,
    width: usize,
    to: &mut [f32],
    from: &[f32],
    task: &(dyn Fn(&mut [f32], &[f32]) + Sync),
) {
    let chunk = ROWS * width;
    machine.team.chunks(to, chunk, &|part, to| {
        let from = &from[part * chunk..][..to.len()];
        for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(width)) {
            task(to, from);
        }
    });
}
