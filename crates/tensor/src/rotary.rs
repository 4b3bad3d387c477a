//! Rotary positions: pairs of a head's numbers turned by angles that grow with the
//! position.

#![expect(unsafe_code, reason = "loops over `Lanes`")]

use crate::simd::{Kernels, Lanes};

/// Which numbers of a head are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pairs {
    /// Number `i` and number `i + half`: Hugging Face's Llama, GPT-NeoX.
    Halves,
    /// Numbers `2 i` and `2 i + 1`: the paper, Meta's Llama, Llama in GGUF.
    Neighbours,
}

/// How heads are turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotary {
    /// Which numbers are turned together.
    pub pairs: Pairs,
    /// The numbers of a head.
    pub head_width: usize,
    /// The pairs of a head that are turned, at most half its width; numbers from
    /// `2 half` on stay.
    pub half: usize,
}

impl Kernels {
    /// Turns every head of `rows`, `(T, heads · head width)`: the pair `(x, y)` number
    /// `i` of token `t` becomes `(x cos − y sin, x sin + y cos)` of angle `(t, i)` (Su et
    /// al. 2021, §3.2.2). `cos` and `sin` are `(T, half)`. Panics if the shapes do not
    /// fit.
    pub fn rotate(&self, rotary: Rotary, rows: &mut [f32], cos: &[f32], sin: &[f32]) {
        let Rotary {
            pairs,
            head_width: width,
            half,
        } = rotary;
        assert_eq!(cos.len(), sin.len(), "there is a sine for every cosine");
        assert!(
            half > 0 && 2 * half <= width && cos.len().is_multiple_of(half),
            "the angles are those of a part of a head"
        );
        let tokens = cos.len() / half;
        if tokens == 0 {
            assert!(rows.is_empty(), "there is an angle for every row");
            return;
        }
        assert!(
            rows.len().is_multiple_of(tokens * width),
            "the rows are whole heads"
        );
        let length = rows.len() / tokens;
        if length == 0 {
            return;
        }
        for ((row, cos), sin) in rows
            .chunks_exact_mut(length)
            .zip(cos.chunks_exact(half))
            .zip(sin.chunks_exact(half))
        {
            for head in row.chunks_exact_mut(width) {
                // SAFETY: a head is at least `2 half` numbers, and the angles `half`; a
                // table is only handed out where the processor has what it needs.
                unsafe {
                    (self.rotate)(pairs, head.as_mut_ptr(), cos.as_ptr(), sin.as_ptr(), half);
                };
            }
        }
    }
}

/// # Safety
/// `head` must be good for `2 half` numbers, `cos` and `sin` for `half`; else as all of
/// [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn run<L: Lanes>(
    pairs: Pairs,
    head: *mut f32,
    cos: *const f32,
    sin: *const f32,
    half: usize,
) {
    // SAFETY: as the caller promises.
    unsafe {
        match pairs {
            Pairs::Halves => {
                let whole = half - half % L::COUNT;
                for at in (0..whole).step_by(L::COUNT) {
                    let (x, y) = (L::load(head.add(at)), L::load(head.add(half + at)));
                    let (cos, sin) = (L::load(cos.add(at)), L::load(sin.add(at)));
                    L::store(head.add(at), L::sub(L::mul(x, cos), L::mul(y, sin)));
                    L::store(head.add(half + at), L::mul_add(x, sin, L::mul(y, cos)));
                }
                for at in whole..half {
                    turn(
                        head.add(at),
                        head.add(half + at),
                        *cos.add(at),
                        *sin.add(at),
                    );
                }
            }
            Pairs::Neighbours => {
                for at in 0..half {
                    turn(
                        head.add(2 * at),
                        head.add(2 * at + 1),
                        *cos.add(at),
                        *sin.add(at),
                    );
                }
            }
        }
    }
}

/// # Safety
/// Both must be good to read and write.
#[inline(always)]
unsafe fn turn(x: *mut f32, y: *mut f32, cos: f32, sin: f32) {
    // SAFETY: as the caller promises.
    unsafe {
        let (from_x, from_y) = (*x, *y);
        *x = from_x * cos - from_y * sin;
        *y = from_x * sin + from_y * cos;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::{assert_near, numbers};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn is_its_formula(
            tokens in 0usize..5,
            heads in 1usize..4,
            half in 1usize..40,
            rest in 0usize..5,
            seed in any::<u64>(),
        ) {
            let width = 2 * half + rest;
            let rows = numbers(seed, tokens * heads * width);
            let angles = numbers(seed ^ 1, tokens * half);
            let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|a| ((a * 3.0).cos(), (a * 3.0).sin())).unzip();
            for pairs in [Pairs::Halves, Pairs::Neighbours] {
                let mut expect: Vec<f64> = rows.iter().copied().map(f64::from).collect();
                for (row, head) in expect.chunks_mut(width).enumerate() {
                    for i in 0..half {
                        let (x, y) = match pairs {
                            Pairs::Halves => (i, half + i),
                            Pairs::Neighbours => (2 * i, 2 * i + 1),
                        };
                        let at = row / heads * half + i;
                        let (cos, sin) = (f64::from(cos[at]), f64::from(sin[at]));
                        (head[x], head[y]) = (head[x] * cos - head[y] * sin, head[x] * sin + head[y] * cos);
                    }
                }
                for version in Kernels::available() {
                    let mut found = rows.clone();
                    let rotary = Rotary { pairs, head_width: width, half };
                    version.rotate(rotary, &mut found, &cos, &sin);
                    assert_near(&found, &expect, 1e-6, version.name);
                }
            }
        }
    }
}
