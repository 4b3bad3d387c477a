//! How AdaLoRA divides ranks (Zhang et al. 2023, arXiv:2303.10512), as PEFT's `RankAllocator`
//! does: numbers that the loss is sensitive to are worth something, and what is worth least
//! loses its place until the budget is kept.
//!
//! Letters: `K` inputs, `N` outputs, `r` rank.

use std::io::{self, Read, Write};
use std::ops::Range;

use super::{AdaLora, Parameter};

/// The ranks of a model's low-rank parts, and what is known of their worth.
#[derive(Debug)]
pub struct RankBudget {
    adalora: AdaLora,
    parts: Vec<Part>,
    /// The mean sensitivity of each number of the arena, and the mean of how much it varies.
    sensitivity: Vec<f32>,
    variation: Vec<f32>,
    /// Which ranks remain for good, once that is decided.
    remaining: Vec<bool>,
}

/// One low-rank part: where its matrices are in the arena.
#[derive(Debug)]
struct Part {
    /// `(r, K)`
    a: Range<usize>,
    /// `(r)`
    diagonal: Range<usize>,
    /// `(N, r)`
    b: Range<usize>,
}

impl Part {
    fn rank(&self) -> usize {
        self.diagonal.len()
    }
}

impl RankBudget {
    /// Returns that of the parts in an arena's `table`, before the first step.
    pub(crate) fn new(adalora: &AdaLora, table: &[Parameter]) -> Self {
        let parts: Vec<Part> = table
            .windows(3)
            .filter(|it| it[1].name.ends_with(".lora_E"))
            .map(|it| Part {
                a: it[0].range.clone(),
                diagonal: it[1].range.clone(),
                b: it[2].range.clone(),
            })
            .collect();
        let numbers = table.last().map_or(0, |it| it.range.end);
        Self {
            adalora: adalora.clone(),
            parts,
            sensitivity: vec![0.0; numbers],
            variation: vec![0.0; numbers],
            remaining: Vec::new(),
        }
    }

    /// Returns the bytes that it takes for an arena of so many numbers.
    pub fn bytes_of(numbers: usize) -> usize {
        2 * numbers * size_of::<f32>()
    }

    /// Adds to `gradients` that of what it counts that `A` and `B` are not orthogonal, the mean
    /// over all of `‖A Aᵀ − I‖` and `‖Bᵀ B − I‖` (eq. 4), and returns it.
    pub fn regularise(&self, values: &[f32], gradients: &mut [f32]) -> f64 {
        let weight = f64::from(self.adalora.orthogonality);
        if weight == 0.0 {
            return 0.0;
        }
        let weight = weight / (2 * self.parts.len().max(1)) as f64;
        let mut sum = 0.0;
        for part in &self.parts {
            let rank = part.rank();
            sum += rows_apart(
                &values[part.a.clone()],
                &mut gradients[part.a.clone()],
                rank,
                weight,
            );
            sum += columns_apart(
                &values[part.b.clone()],
                &mut gradients[part.b.clone()],
                rank,
                weight,
            );
        }
        sum * weight
    }

    /// Takes the gradients of `step`, from 0, each `scale` times what `gradients` says, after
    /// the step was taken; divides ranks anew if it is time, by setting places in `values` to
    /// 0.
    pub fn allocate(&mut self, values: &mut [f32], gradients: &[f32], scale: f32, step: u64) {
        let decided = self.adalora.steps.saturating_sub(self.adalora.end());
        if step < decided {
            self.watch(values, gradients, scale);
            if let Some(budget) = self.budget(step) {
                self.keep(values, budget);
            }
        } else if step == decided {
            self.remaining = self.keep(values, self.adalora.rank * self.parts.len());
        } else {
            let places = self.parts.iter().flat_map(|it| it.diagonal.clone());
            for (place, remains) in places.zip(&self.remaining) {
                if !remains {
                    values[place] = 0.0;
                }
            }
        }
    }

    /// Returns how many ranks there may be after `step`, if they are divided then (§3.3): it
    /// falls from all to what is wanted as a cubic does.
    fn budget(&self, step: u64) -> Option<usize> {
        let (begin, end) = (self.adalora.begin(), self.adalora.end());
        if step <= begin || !step.is_multiple_of(self.adalora.every) {
            return None;
        }
        let left = 1.0 - (step - begin) as f64 / (self.adalora.steps - end - begin) as f64;
        let last = (self.adalora.rank * self.parts.len()) as f64;
        let first: usize = self.parts.iter().map(Part::rank).sum();
        Some(((first as f64 - last) * left.powi(3) + last) as usize)
    }

    /// Takes the sensitivity of each number, `|w ∂L/∂w|`, into the means (eqs. 9 and 10).
    fn watch(&mut self, values: &[f32], gradients: &[f32], scale: f32) {
        let (beta1, beta2) = (self.adalora.beta1, self.adalora.beta2);
        let means = self.sensitivity.iter_mut().zip(&mut self.variation);
        for ((sensitivity, variation), (value, gradient)) in means.zip(values.iter().zip(gradients))
        {
            let now = (value * (gradient * scale)).abs();
            *sensitivity = beta1 * *sensitivity + (1.0 - beta1) * now;
            *variation = beta2 * *variation + (1.0 - beta2) * (now - *sensitivity).abs();
        }
    }

    /// Takes away the places in `values` that are worth least, so that `budget` remain, and
    /// returns which do; what is worth the same as the last that goes, goes too.
    fn keep(&self, values: &mut [f32], budget: usize) -> Vec<bool> {
        let worth: Vec<f32> = self.parts.iter().flat_map(|it| self.worth(it)).collect();
        let Some(last) = worth
            .len()
            .checked_sub(budget)
            .and_then(|it| it.checked_sub(1))
        else {
            return vec![true; worth.len()];
        };
        let threshold = *worth.clone().select_nth_unstable_by(last, f32::total_cmp).1;
        let remaining: Vec<bool> = worth.iter().map(|it| *it > threshold).collect();
        let places = self.parts.iter().flat_map(|it| it.diagonal.clone());
        for (place, remains) in places.zip(&remaining) {
            if !remains {
                values[place] = 0.0;
            }
        }
        remaining
    }

    /// Returns what each rank of a part is worth: the score of its place, and the mean of those
    /// of its row and of its column (eqs. 7 and 8).
    fn worth(&self, part: &Part) -> Vec<f32> {
        let rank = part.rank();
        let score = |at: usize| self.sensitivity[at] * self.variation[at];
        let (inputs, outputs) = (part.a.len() / rank, part.b.len() / rank);
        let each = (0..rank).map(|it| {
            let row = part.a.start + it * inputs;
            let row: f32 = (row..row + inputs).map(score).sum();
            let column = (0..outputs).map(|output| part.b.start + output * rank + it);
            let column: f32 = column.map(score).sum();
            score(part.diagonal.start + it) + (row / inputs as f32 + column / outputs as f32)
        });
        each.collect()
    }

    /// Writes all that [`RankBudget::read`] needs.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(bytemuck::cast_slice(&self.sensitivity))?;
        to.write_all(bytemuck::cast_slice(&self.variation))?;
        let remaining: Vec<u8> = self.remaining.iter().map(|it| u8::from(*it)).collect();
        to.write_all(&[u8::from(!remaining.is_empty())])?;
        to.write_all(&remaining)
    }

    /// Reads what one of the same parts has written.
    ///
    /// # Errors
    /// If there is less than that.
    pub fn read(&mut self, from: &mut dyn Read) -> io::Result<()> {
        from.read_exact(bytemuck::cast_slice_mut(&mut self.sensitivity))?;
        from.read_exact(bytemuck::cast_slice_mut(&mut self.variation))?;
        let mut decided = [0];
        from.read_exact(&mut decided)?;
        let ranks = match decided {
            [0] => 0,
            _ => self.parts.iter().map(Part::rank).sum(),
        };
        let mut remaining = vec![0; ranks];
        from.read_exact(&mut remaining)?;
        self.remaining = remaining.iter().map(|it| *it != 0).collect();
        Ok(())
    }
}

/// Returns `‖A Aᵀ − I‖` (Frobenius) of `a`, `(r, K)`, and adds `weight` times its gradient.
fn rows_apart(a: &[f32], gradient: &mut [f32], rank: usize, weight: f64) -> f64 {
    let inputs = a.len() / rank;
    let rows: Vec<&[f32]> = a.chunks_exact(inputs).collect();
    let mut products = vec![0.0; rank * rank];
    for i in 0..rank {
        for j in 0..=i {
            let product = dot(rows[i], rows[j]);
            products[i * rank + j] = product;
            products[j * rank + i] = product;
        }
    }
    let length = less_one(&mut products, rank);
    if length > 0.0 {
        // ∂‖M‖ = ⟨M, ∂M⟩ / ‖M‖ with ∂M = ∂A Aᵀ + A ∂Aᵀ, and M is symmetric.
        let factor = 2.0 * weight / length;
        for (to, products) in gradient
            .chunks_exact_mut(inputs)
            .zip(products.chunks_exact(rank))
        {
            for (row, product) in rows.iter().zip(products) {
                add(to, row, (factor * f64::from(*product)) as f32);
            }
        }
    }
    length
}

/// Returns `‖Bᵀ B − I‖` of `b`, `(N, r)`, and adds `weight` times its gradient.
fn columns_apart(b: &[f32], gradient: &mut [f32], rank: usize, weight: f64) -> f64 {
    let mut products = vec![0.0; rank * rank];
    for row in b.chunks_exact(rank) {
        for (to, factor) in products.chunks_exact_mut(rank).zip(row) {
            add(to, row, *factor);
        }
    }
    let length = less_one(&mut products, rank);
    if length > 0.0 {
        let factor = 2.0 * weight / length;
        for (to, row) in gradient.chunks_exact_mut(rank).zip(b.chunks_exact(rank)) {
            for (x, products) in row.iter().zip(products.chunks_exact(rank)) {
                add(to, products, (factor * f64::from(*x)) as f32);
            }
        }
    }
    length
}

/// Takes the identity off `products`, `(r, r)`, and returns the length of what is left.
fn less_one(products: &mut [f32], rank: usize) -> f64 {
    for at in 0..rank {
        products[at * rank + at] -= 1.0;
    }
    let squares: f64 = products.iter().map(|x| f64::from(*x).powi(2)).sum();
    squares.sqrt()
}

/// Adds `factor` times `row` to `to`.
fn add(to: &mut [f32], row: &[f32], factor: f32) {
    to.iter_mut().zip(row).for_each(|(to, x)| *to += factor * x);
}

/// Returns `Σ x y`, in as many sums as a processor adds at once.
fn dot(x: &[f32], y: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (x, y) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest = x.remainder().iter().zip(y.remainder());
    let rest: f32 = rest.map(|(x, y)| x * y).sum();
    for (x, y) in x.zip(y) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::ParameterTable;
    use crate::training::start::Start;

    fn adalora() -> AdaLora {
        AdaLora {
            rank: 1,
            first_rank: 2,
            first_steps: Some(2),
            last_steps: Some(3),
            every: 2,
            steps: 10,
            ..AdaLora::default()
        }
    }

    /// One part of rank 2, of 2 inputs and 3 outputs.
    fn budget() -> RankBudget {
        let mut table = ParameterTable::default();
        table.add("x.lora_A", &[2, 2], true, Start::Zeros);
        table.add("x.lora_E", &[2, 1], true, Start::Zeros);
        table.add("x.lora_B", &[3, 2], true, Start::Zeros);
        let parameters = table.allocate(None, 0).unwrap();
        RankBudget::new(&adalora(), parameters.table())
    }

    #[test]
    fn the_budget_falls_from_all_to_what_is_wanted() {
        let mut budget = budget();
        (budget.adalora.rank, budget.adalora.first_rank) = (0, 2);
        let found: Vec<_> = (0..7).map(|step| budget.budget(step)).collect();
        // 2 (1 − 2/5)³ = 0.43 and 2 (1 − 4/5)³ = 0.016: whole ranks only.
        assert_eq!(found, [None, None, None, None, Some(0), None, Some(0)]);
    }

    #[test]
    fn what_is_worth_least_goes_and_stays_away() {
        let mut budget = budget();
        let gradients = [1.0; 12];
        // The second rank's row, place and column are larger.
        let mut values = [1.0, 1.0, 2.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0];
        for step in 0..10 {
            budget.allocate(&mut values, &gradients, 1.0, step);
            if step > 2 && step % 2 == 0 || step >= 7 {
                assert_eq!(values[4..6], [0.0, 2.0], "{step}");
            }
            values[4] = if values[4] == 0.0 { 0.5 } else { values[4] };
        }
        assert_eq!(budget.remaining, [false, true]);
    }

    #[test]
    fn what_was_written_is_read() {
        let mut budget = budget();
        let (mut values, gradients) = ([0.5; 12], [0.1; 12]);
        for step in 0..9 {
            budget.allocate(&mut values, &gradients, 1.0, step);
            let mut bytes = Vec::new();
            budget.write(&mut bytes).unwrap();
            let mut read = self::budget();
            read.read(&mut &bytes[..]).unwrap();
            assert_eq!(format!("{read:?}"), format!("{budget:?}"), "{step}");
        }
    }

    #[test]
    fn the_gradient_of_what_is_not_orthogonal_is_a_difference() {
        let budget = budget();
        let values: [f32; 12] = std::array::from_fn(|at| ((at * 7 % 5) as f32 - 1.7) * 0.4);
        let mut gradients = [0.0; 12];
        budget.regularise(&values, &mut gradients);
        for at in 0..12 {
            let side = |by: f32| {
                let mut values = values;
                values[at] += by;
                budget.regularise(&values, &mut [0.0; 12])
            };
            let expect = ((side(1e-2) - side(-1e-2)) / 2e-2) as f32;
            assert!(
                (gradients[at] - expect).abs() < 2e-3,
                "{at}: {} {expect}",
                gradients[at]
            );
        }
    }
}
