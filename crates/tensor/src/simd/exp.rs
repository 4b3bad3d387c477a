//! The exponential of several numbers at once.

use super::Lanes;

/// Returns `eᵛ`, within two units in the last place of `f32` for −87 ≤ v ≤ 88;
/// smaller numbers give about 10⁻³⁸, larger ones about 10³⁸.
///
/// `v = n ln 2 + r` with `|r| ≤ ln 2 / 2`, `eʳ` by its Taylor series to `r⁷` (the
/// rest is below 6 · 10⁻⁹), `ln 2` in two parts as in Cody and Waite (1980).
///
/// # Safety
/// As all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn exp<L: Lanes>(v: L::V) -> L::V {
    const SERIES: [f32; 8] = [
        1.0 / 5040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ];
    // SAFETY: only arithmetic; the caller promises the processor.
    unsafe {
        let v = L::max(L::min(v, L::splat(88.0)), L::splat(-87.0));
        let n = L::round(L::mul(v, L::splat(std::f32::consts::LOG2_E)));
        // 355/512, exact in nine bits, and ln 2 − 355/512.
        let r = L::mul_add(n, L::splat(-0.693_359_4), v);
        let r = L::mul_add(n, L::splat(2.121_944_4e-4), r);
        let mut sum = L::splat(SERIES[0]);
        for coefficient in &SERIES[1..] {
            sum = L::mul_add(sum, r, L::splat(*coefficient));
        }
        L::mul(sum, L::power_of_two(n))
    }
}
