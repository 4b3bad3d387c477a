//! Matrix products as training needs them: both sides given as they lie, straight or
//! turned, so that a linear layer's forward and its two backwards are one function.
//!
//! Letters: the product of `(M, K)` and `(K, N)` is `(M, N)`.
//!
//! Where weights are multiplied again and again they are packed once
//! ([`PackedMatrix`](crate::PackedMatrix)) or read row by row
//! ([`StoredProduct`](crate::StoredProduct)). In training they change with every step, so
//! both sides are [packed](blocks) on the way, a block at a time, into what the
//! processor multiplies fastest: panels, or tiles of one to three [planes](Precision). What
//! of a model does not change may be packed before, [whole](PackedFactor).
//!
//! Which thread computes a number, and with how many others, does not change it: each is
//! added up in the depth's order, in steps that depend on the shapes alone.

pub(crate) mod blocks;
pub(crate) mod column_sums;
mod factor;
mod packed;
pub(crate) mod panels;
mod thin;

pub use factor::Factor;
pub(crate) use factor::Lines;
pub use packed::PackedFactor;

use crate::simd::Kernels;
use crate::stored::{Scratch, Sum};
use crate::team::Team;

/// How exactly a product is computed. It is always added up in `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// As exactly as `f32` can: numbers are multiplied whole, or as three planes of
    /// bfloat16 each, which hold all their bits.
    #[default]
    F32,
    /// Nearly as `F32`, in half the time, by processors that multiply tiles of bfloat16:
    /// each number is the sum of two of these, 16 bits of its 24, and the product of both
    /// second ones is left out. What is lost of each product is at most 3 · 2⁻¹⁶ of it,
    /// of a sum of many about 2⁻¹⁹ of its size. The others compute as for `F32`. This is
    /// what PyTorch names `high` (`torch.set_float32_matmul_precision`).
    High,
    /// Both sides are rounded to bfloat16, as in mixed-precision training
    /// (Kalamkar et al. 2019, *A Study of BFLOAT16 for Deep Learning Training*), by
    /// processors that multiply such numbers faster. The others compute as for `F32`.
    Bf16,
}

/// What is multiplied, and where it goes.
///
/// With `X` `(T, K)`, a linear layer's weight `W` `(N, K)` and the gradient `dY` `(T, N)`
/// of its output, the layer's three products are
///
/// | | left | right | sum |
/// |---|---|---|---|
/// | `Y = X · Wᵀ + b` | `X` | `W` turned | replace |
/// | `dX = dY · W` | `dY` | `W` | replace or add |
/// | `dW += dYᵀ · X` | `dY` turned | `X` | add |
#[derive(Debug)]
pub struct Matmul<'a> {
    /// `(M, K)`
    pub left: Factor<'a>,
    /// `(K, N)`
    pub right: Factor<'a>,
    /// `(N)`, added to each row.
    pub bias: Option<&'a [f32]>,
    /// What becomes of what `out` holds.
    pub sum: Sum,
    /// How exactly it is computed.
    pub precision: Precision,
    /// `(M, N)`
    pub out: &'a mut [f32],
}

impl Kernels {
    /// Sets `out` to the product and the bias, or adds them to it, shared by the team.
    ///
    /// `scratch` grows to twelve megabytes, however large the matrices. Panics if the
    /// shapes do not fit.
    pub fn matmul(&self, team: &Team, matmul: Matmul<'_>, scratch: &mut Scratch) {
        let (rows, depth) = (matmul.left.rows(), matmul.left.columns());
        let columns = matmul.right.columns();
        assert_eq!(
            matmul.right.rows(),
            depth,
            "the left matrix has a column for each row of the right one"
        );
        assert_eq!(
            Some(matmul.out.len()),
            rows.checked_mul(columns),
            "the output is as large as the product"
        );
        if let Some(bias) = matmul.bias {
            assert_eq!(bias.len(), columns, "there is a bias for every column");
        }
        if rows == 0 || columns == 0 {
            return;
        }
        if depth == 0 {
            blocks::start(matmul);
            return;
        }
        if let Some(matmul) = thin::multiply(self, team, matmul, scratch) {
            blocks::multiply(self.loops(matmul.precision), team, matmul, scratch);
        }
    }
}

#[cfg(test)]
mod tests;
