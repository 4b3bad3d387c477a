//! Rotary positions, put on and taken off heads that lie in a wider matrix.

#![expect(unsafe_code, reason = "threads write to rows of their own")]

use std::ops::Range;

use super::TrainingScratch;
use crate::rotary::Rotary;
use crate::simd::Kernels;
use crate::team::{Start, Team};

/// Which way heads are turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// By the angles of their positions.
    On,
    /// Back by them, as their gradients are.
    Back,
}

/// The angles of each token.
#[derive(Clone, Copy, Debug)]
pub struct Angles<'a> {
    /// `(T, half)`
    pub cos: &'a [f32],
    /// `(T, half)`
    pub sin: &'a [f32],
}

/// Rows that are a thread's part.
const ROWS: usize = 32;

impl Kernels {
    /// Turns heads `heads` of every row of `rows`, `(T, width)`, by its token's angles, or
    /// back: the pair `(x, y)` becomes `(x cos − y sin, x sin + y cos)` (Su et al. 2021,
    /// §3.2.2), whose transpose is the same with `−sin`. Heads may be those of queries,
    /// keys or both beside one another. Panics if the shapes do not fit.
    #[expect(clippy::too_many_arguments, reason = "rows, where in them, and how")]
    pub fn rotate_rows(
        &self,
        team: &Team,
        rotary: Rotary,
        turn: Turn,
        angles: Angles<'_>,
        rows: &mut [f32],
        heads: Range<usize>,
        scratch: &mut TrainingScratch,
    ) {
        let Rotary {
            head_width, half, ..
        } = rotary;
        let Angles { cos, sin } = angles;
        assert_eq!(cos.len(), sin.len(), "there is a sine for every cosine");
        assert!(
            half > 0 && 2 * half <= head_width && cos.len().is_multiple_of(half),
            "the angles are those of a part of a head"
        );
        let tokens = cos.len() / half;
        let Some(width) = rows.len().checked_div(tokens) else {
            assert!(rows.is_empty(), "there are angles for every row");
            return;
        };
        assert_eq!(rows.len(), tokens * width, "there are angles for every row");
        assert!(heads.end * head_width <= width, "the heads are in the row");
        let sin = match turn {
            Turn::On => sin,
            Turn::Back => {
                let [negative] = scratch.numbers.carve([sin.len()]);
                for (to, sin) in negative.iter_mut().zip(sin) {
                    *to = -sin;
                }
                negative
            }
        };
        let rows = Start(rows.as_mut_ptr());
        team.run(tokens.div_ceil(ROWS), &|part, _| {
            for token in part * ROWS..tokens.min((part + 1) * ROWS) {
                let (cos, sin) = (&cos[token * half..], &sin[token * half..]);
                for head in heads.clone() {
                    // SAFETY: each part has rows of its own, the head is in the row, and
                    // there are `half` angles; a table is only handed out where the
                    // processor has what it needs.
                    unsafe {
                        let head = rows.get().add(token * width + head * head_width);
                        (self.rotate)(rotary.pairs, head, cos.as_ptr(), sin.as_ptr(), half);
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotary::Pairs;
    use crate::sample::{assert_near, numbers};
    use crate::training::check::{team, wide};

    /// Turning on is the existing loop; back is its transpose, so that dot products stay.
    #[test]
    fn back_is_the_transpose() {
        let (tokens, heads, half, rest) = (37, 5, 9, 3);
        let head_width = 2 * half + rest;
        let width = heads * head_width;
        let (rows, others) = (numbers(1, tokens * width), numbers(2, tokens * width));
        let (cos, sin): (Vec<f32>, Vec<f32>) = numbers(3, tokens * half)
            .iter()
            .map(|angle| ((angle * 3.0).cos(), (angle * 3.0).sin()))
            .unzip();
        let angles = Angles {
            cos: &cos,
            sin: &sin,
        };
        let (team, mut scratch) = (team(2), TrainingScratch::default());
        for pairs in [Pairs::Halves, Pairs::Neighbours] {
            let rotary = Rotary {
                pairs,
                head_width,
                half,
            };
            for version in Kernels::available() {
                let mut whole = rows.clone();
                version.rotate(rotary, &mut whole, &cos, &sin);
                let mut some = rows.clone();
                version.rotate_rows(
                    &team,
                    rotary,
                    Turn::On,
                    angles,
                    &mut some,
                    1..4,
                    &mut scratch,
                );
                for (at, (found, turned)) in some.iter().zip(&whole).enumerate() {
                    let inside = (1..4).contains(&(at % width / head_width));
                    assert_eq!(found, if inside { turned } else { &rows[at] });
                }
                let mut back = others.clone();
                version.rotate_rows(
                    &team,
                    rotary,
                    Turn::Back,
                    angles,
                    &mut back,
                    0..heads,
                    &mut scratch,
                );
                let dot = |a: &[f32], b: &[f32]| -> f64 {
                    wide(a).iter().zip(wide(b)).map(|(a, b)| a * b).sum()
                };
                assert!((dot(&whole, &others) - dot(&rows, &back)).abs() < 1e-4);
                version.rotate_rows(
                    &team,
                    rotary,
                    Turn::Back,
                    angles,
                    &mut whole,
                    0..heads,
                    &mut scratch,
                );
                assert_near(&whole, &wide(&rows), 1e-6, version.name);
            }
        }
    }
}
