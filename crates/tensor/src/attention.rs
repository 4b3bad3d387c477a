//! Self-attention of an encoder: every token of a text sees every token of it.
//!
//! Letters: `T` tokens of one text, `D` model width, `H` heads, `D/H` head width.
//!
//! Texts of a batch lie one after another without padding, and each is attended by
//! itself, so there is no mask and no work on padding. Scores are taken for a block of
//! tokens at a time: what is kept is `(block, T)`, never `(T, T)`, let alone for every
//! head and text.

#![expect(
    unsafe_code,
    reason = "one head's part of a row is a pointer and a stride"
)]

use crate::activation::Activation;
use crate::gemm::Call;
use crate::simd::Kernels;

/// The shape of self-attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfAttention {
    /// `H`
    pub heads: usize,
    /// `D/H`
    pub head_width: usize,
}

/// Tokens whose scores are taken together: four tiles of AVX-512, eight of AVX2.
const BLOCK: usize = 48;

/// Returns how many numbers of scratch [`Kernels::self_attention`] needs for texts of
/// at most `tokens` tokens.
pub fn attention_scratch(kernels: &Kernels, shape: SelfAttention, tokens: usize) -> usize {
    let wide = kernels.panel_columns;
    let keys = tokens.next_multiple_of(wide) * shape.head_width;
    let values = tokens * shape.head_width.next_multiple_of(wide);
    let scores = BLOCK * tokens.next_multiple_of(wide);
    // Each part starts at a cache line.
    keys.next_multiple_of(16) + values.next_multiple_of(16) + scores
}

impl Kernels {
    /// Sets `out`, `(T, D)`, to `softmax(Q Kᵀ / √(D/H)) V` head by head (Vaswani et al.
    /// 2017, §3.2), where `qkv` is `(T, 3 D)`: queries, keys and values beside one
    /// another. Panics if the shapes do not fit or `scratch` is shorter than
    /// [`attention_scratch`].
    pub fn self_attention(
        &self,
        shape: SelfAttention,
        qkv: &[f32],
        scratch: &mut [f32],
        out: &mut [f32],
    ) {
        let SelfAttention { heads, head_width } = shape;
        let width = heads * head_width;
        assert!(
            width > 0 && out.len().is_multiple_of(width),
            "the rows are whole"
        );
        let tokens = out.len() / width;
        assert_eq!(
            qkv.len(),
            3 * out.len(),
            "there is q, k and v of every token"
        );
        assert!(
            scratch.len() >= attention_scratch(self, shape, tokens),
            "the scratch is as long as was asked for"
        );
        if tokens == 0 {
            return;
        }
        let wide = self.panel_columns;
        let seats = tokens.next_multiple_of(wide);
        let (keys, scratch) = scratch.split_at_mut((seats * head_width).next_multiple_of(16));
        let value_width = head_width.next_multiple_of(wide);
        let (values, scores) = scratch.split_at_mut((tokens * value_width).next_multiple_of(16));
        let scale = 1.0 / (head_width as f32).sqrt();

        for head in 0..heads {
            let query = qkv[head * head_width..].as_ptr();
            let key = qkv[width + head * head_width..].as_ptr();
            let value = &qkv[2 * width + head * head_width..];
            // Whole panels of values are read where they lie; others are copied out.
            let (value, value_stride) = if head_width.is_multiple_of(wide) {
                (value.as_ptr(), 3 * width)
            } else {
                for (token, row) in values
                    .chunks_exact_mut(value_width)
                    .take(tokens)
                    .enumerate()
                {
                    let from = &value[token * 3 * width..][..head_width];
                    row[..head_width].copy_from_slice(from);
                    row[head_width..].fill(0.0);
                }
                (values.as_ptr(), value_width)
            };
            // SAFETY: row `t` of this head's keys starts `3 width` after row `t − 1` and
            // has `head_width` numbers; the panels are `seats · head_width` numbers.
            unsafe {
                (self.transpose)(key, 3 * width, tokens, head_width, keys.as_mut_ptr());
            }
            for first in (0..tokens).step_by(BLOCK) {
                let rows = BLOCK.min(tokens - first);
                // SAFETY: `rows` queries from `first` on are there, the scores are
                // `BLOCK · seats` numbers, and the panels were just written.
                unsafe {
                    (self.product)(&Call {
                        rows,
                        depth: head_width,
                        columns: tokens,
                        a: query.add(first * 3 * width),
                        a_stride: 3 * width,
                        a_step: 1,
                        b: keys.as_ptr(),
                        b_stride: wide,
                        panel_stride: wide * head_width,
                        bias: std::ptr::null(),
                        residual: std::ptr::null(),
                        out: scores.as_mut_ptr(),
                        out_stride: seats,
                        activation: Activation::Identity,
                    });
                }
                for row in scores.chunks_exact_mut(seats).take(rows) {
                    self.softmax(&mut row[..tokens], scale);
                }
                // SAFETY: the values are `tokens` rows of whole panels, the output
                // has `rows` rows of this head from `first` on.
                unsafe {
                    (self.product)(&Call {
                        rows,
                        depth: tokens,
                        columns: head_width,
                        a: scores.as_ptr(),
                        a_stride: seats,
                        a_step: 1,
                        b: value,
                        b_stride: value_stride,
                        panel_stride: wide,
                        bias: std::ptr::null(),
                        residual: std::ptr::null(),
                        out: out[first * width + head * head_width..].as_mut_ptr(),
                        out_stride: width,
                        activation: Activation::Identity,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::{assert_near, numbers};

    fn plainly(shape: SelfAttention, qkv: &[f32], tokens: usize) -> Vec<f64> {
        let SelfAttention { heads, head_width } = shape;
        let width = heads * head_width;
        let at = |token: usize, part: usize, head: usize, i: usize| {
            f64::from(qkv[token * 3 * width + part * width + head * head_width + i])
        };
        let mut out = vec![0.0; tokens * width];
        for head in 0..heads {
            for t in 0..tokens {
                let scores: Vec<f64> = (0..tokens)
                    .map(|s| {
                        let dot: f64 = (0..head_width)
                            .map(|i| at(t, 0, head, i) * at(s, 1, head, i))
                            .sum();
                        (dot / (head_width as f64).sqrt()).exp()
                    })
                    .collect();
                let sum: f64 = scores.iter().sum();
                for i in 0..head_width {
                    out[t * width + head * head_width + i] = (0..tokens)
                        .map(|s| scores[s] / sum * at(s, 2, head, i))
                        .sum();
                }
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn is_its_formula(
            tokens in 0usize..110,
            heads in 1usize..4,
            head_width in prop::sample::select(vec![1usize, 7, 8, 16, 32, 40, 64]),
            seed in any::<u64>(),
        ) {
            let shape = SelfAttention { heads, head_width };
            let qkv: Vec<f32> = numbers(seed, 3 * tokens * heads * head_width)
                .iter()
                .map(|x| x * 2.0)
                .collect();
            let expect = plainly(shape, &qkv, tokens);
            for version in Kernels::available() {
                let mut scratch = vec![f32::NAN; attention_scratch(version, shape, tokens)];
                let mut out = vec![f32::NAN; tokens * heads * head_width];
                version.self_attention(shape, &qkv, &mut scratch, &mut out);
                assert_near(&out, &expect, 1e-5, version.name);
            }
        }
    }
}
