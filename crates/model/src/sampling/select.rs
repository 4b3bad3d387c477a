//! What sampling asks of a whole vocabulary: its largest logits and its exponentials.
//!
//! A vocabulary has 50,000 to 250,000 tokens and a handful of them matter, so nothing
//! here sorts it. The loops work on fixed lanes in a fixed order, without fused
//! multiply-adds: a compiler makes vectors of them, and every machine gets the same bits.

use std::cmp::Ordering;

/// Logits whose largest is kept, so that the others need not be looked at.
const BLOCK: usize = 64;
const LANES: usize = 8;

/// Returns the largest logit; minus infinity if there is none. NaN counts as none.
pub(crate) fn largest(logits: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = logits.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (most, logit) in lanes.iter_mut().zip(chunk) {
            *most = if *logit > *most { *logit } else { *most };
        }
    }
    lanes
        .iter()
        .chain(rest)
        .copied()
        .filter(|logit| !logit.is_nan())
        .fold(f32::NEG_INFINITY, f32::max)
}

/// Writes to `found` the tokens of the `count` largest logits, all of them where several
/// share the last place, in the order of their numbers. NaN and minus infinity are never
/// among them.
///
/// A block's largest logit is one of its logits, so at least `count` logits are no less
/// than the `count`-th largest block: all that are less are out, and with them most blocks.
pub(crate) fn top(logits: &[f32], count: usize, blocks: &mut Vec<f32>, found: &mut Vec<u32>) {
    found.clear();
    if count == 0 || logits.is_empty() {
        return;
    }
    blocks.clear();
    blocks.extend(logits.chunks(BLOCK).map(largest));
    let mut bound = f32::NEG_INFINITY;
    if count < blocks.len() {
        let mut ranked = blocks.clone();
        bound = *ranked
            .select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a))
            .1;
    }
    for (block, most) in blocks.iter().enumerate() {
        if *most < bound {
            continue;
        }
        let start = block * BLOCK;
        let end = logits.len().min(start + BLOCK);
        for (at, logit) in logits[start..end].iter().enumerate() {
            if *logit >= bound && *logit > f32::NEG_INFINITY {
                found.push((start + at) as u32);
            }
        }
    }
    if found.len() > count {
        let value = |token: &u32| logits[*token as usize];
        let mut ranked = found.clone();
        let last = *ranked
            .select_nth_unstable_by(count - 1, |a, b| value(b).total_cmp(&value(a)))
            .1;
        let least = value(&last);
        found.retain(|token| value(token) >= least);
    }
}

/// Compares two tokens by weight, heaviest first. Of equal ones the one with the higher
/// number comes first, as at the end of a stable rising order.
pub(crate) fn heavier(weights: &[f32], a: u32, b: u32) -> Ordering {
    weights[b as usize]
        .total_cmp(&weights[a as usize])
        .then(b.cmp(&a))
}

/// Returns `e` to the power of `x`, for `x` of at most 0, to 2 units in the last place; 0
/// below -87 and for NaN.
///
/// Cephes' `expf` (Moshier, `single/expf.c`): `x = n · ln 2 + r`, a polynomial for `r`, and
/// `2^n` by its bits.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// Adding it leaves the nearest whole number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let inside = x >= -87.0;
    let x = if inside { x } else { 0.0 };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * 0.693_359_4;
    let r = r - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 5e-1;
    let value = p * r * r + r + 1.0;
    let whole = rounded.to_bits().wrapping_sub(ROUND.to_bits());
    let power = f32::from_bits(whole.wrapping_add(127) << 23);
    if inside { value * power } else { 0.0 }
}

/// Writes `exp(logit - largest)` of each logit to `weights` and returns their sum.
pub(crate) fn exponentials(logits: &[f32], largest: f32, weights: &mut Vec<f32>) -> f64 {
    weights.resize(logits.len(), 0.0);
    let mut sum = 0.0;
    for (logits, weights) in logits.chunks(BLOCK).zip(weights.chunks_mut(BLOCK)) {
        for (logit, weight) in logits.iter().zip(weights.iter_mut()) {
            *weight = exp(logit - largest);
        }
        let mut lanes = [0f32; LANES];
        let chunks = weights.chunks_exact(LANES);
        let rest: f32 = chunks.remainder().iter().sum();
        for chunk in chunks {
            for (lane, weight) in lanes.iter_mut().zip(chunk) {
                *lane += weight;
            }
        }
        sum += f64::from(lanes.iter().sum::<f32>() + rest);
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn the_largest_are_those_that_sorting_finds(
            // Few values, so that many are equal.
            logits in prop::collection::vec(-20i8..20, 0..3000),
            count in 0usize..200,
        ) {
            let logits: Vec<f32> = logits.iter().map(|it| f32::from(*it)).collect();
            let mut sorted = logits.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let least = (count > 0).then(|| sorted.get(count - 1).or(sorted.last())).flatten();
            let expect: Vec<u32> = (0..logits.len() as u32)
                .filter(|at| least.is_some_and(|least| logits[*at as usize] >= *least))
                .collect();
            let mut found = Vec::new();
            top(&logits, count, &mut Vec::new(), &mut found);
            prop_assert_eq!(found, expect);
            prop_assert_eq!(largest(&logits), sorted.first().copied().unwrap_or(f32::NEG_INFINITY));
        }

        #[test]
        fn exponentials_are_near_and_add_up(logits in prop::collection::vec(-90f32..0.0, 1..700)) {
            let mut weights = Vec::new();
            let sum = exponentials(&logits, 0.0, &mut weights);
            let mut expect = 0.0;
            for (logit, weight) in logits.iter().zip(&weights) {
                let exact = f64::from(*logit).exp();
                if *logit >= -87.0 {
                    prop_assert!((f64::from(*weight) - exact).abs() <= 3e-7 * exact);
                } else {
                    prop_assert_eq!(*weight, 0.0);
                }
                expect += exact;
            }
            prop_assert!((sum - expect).abs() <= 1e-6 * expect + 1e-30);
        }
    }

    #[test]
    fn what_is_no_number_has_no_weight() {
        let logits = [f32::NAN, 1.0, f32::NEG_INFINITY, 2.0, f32::NAN];
        assert_eq!(largest(&logits), 2.0);
        let mut found = Vec::new();
        top(&logits, 9, &mut Vec::new(), &mut found);
        assert_eq!(found, [1, 3]);
        let mut weights = Vec::new();
        exponentials(&logits, 2.0, &mut weights);
        assert_eq!(weights[0], 0.0);
        assert_eq!(weights[2], 0.0);
        assert_eq!(weights[3], 1.0);
    }
}
