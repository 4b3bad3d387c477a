//! Functions applied number by number between two matrix products.

#![expect(unsafe_code, reason = "loops over `Lanes`")]

use crate::simd::{Kernels, Lanes, exp};

/// A function applied to every number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Leaves the number as it is.
    #[default]
    Identity,
    /// `x Φ(x)` with the normal distribution's Φ (Hendrycks and Gimpel 2016), within
    /// 1.5 · 10⁻⁶; the `gelu` of Hugging Face.
    Gelu,
    /// The same by `x σ(2 √(2/π) (x + 0.044715 x³))` (their §2), the `gelu_new` and
    /// `gelu_pytorch_tanh` of Hugging Face.
    GeluTanh,
    /// The positive part.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// `x σ(x)` with the logistic σ (Elfwing et al. 2017), also called swish.
    Silu,
}

impl Kernels {
    /// Applies `activation` to every one of `numbers`.
    pub fn activate(&self, activation: Activation, numbers: &mut [f32]) {
        // SAFETY: the pointer is good for the slice's length, and a table is only
        // handed out where the processor has what its functions need.
        unsafe { (self.activate)(activation, numbers.as_mut_ptr(), numbers.len()) }
    }

    /// Sets every number of `gate` to `activation(gate) · up`: with
    /// [`Activation::Silu`] SwiGLU, with a GELU GEGLU (Shazeer 2020). Panics if the
    /// lengths differ.
    pub fn gate(&self, activation: Activation, gate: &mut [f32], up: &[f32]) {
        assert_eq!(gate.len(), up.len(), "every number has its gate");
        // SAFETY: both pointers are good for the length, and a table is only handed
        // out where the processor has what its functions need.
        unsafe { (self.gate)(activation, gate.as_mut_ptr(), up.as_ptr(), gate.len()) }
    }
}

/// Sets each of `count` numbers to the given function of it. A macro, because a
/// closure would be compiled without the processor's features and not inlined.
macro_rules! each {
    ($lanes:ty, $at:ident, $count:ident, $of:expr) => {{
        let mut done = 0;
        while done + <$lanes>::COUNT <= $count {
            <$lanes>::store($at.add(done), $of(<$lanes>::load($at.add(done))));
            done += <$lanes>::COUNT;
        }
        if done < $count {
            let v = <$lanes>::load_part($at.add(done), $count - done, 0.0);
            <$lanes>::store_part($at.add(done), $count - done, $of(v));
        }
    }};
}

/// # Safety
/// `at` must be good for `count` numbers; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn run<L: Lanes>(activation: Activation, at: *mut f32, count: usize) {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        match activation {
            Activation::Identity => {}
            Activation::Gelu => each!(L, at, count, gelu::<L>),
            Activation::GeluTanh => each!(L, at, count, gelu_tanh::<L>),
            Activation::Relu => each!(L, at, count, relu::<L>),
            Activation::Tanh => each!(L, at, count, tanh::<L>),
            Activation::Silu => each!(L, at, count, silu::<L>),
        }
    }
}

/// Numbers that are activated and multiplied while they are near: 4 KiB.
const NEAR: usize = 1024;

/// # Safety
/// Both must be good for `count` numbers; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn gate<L: Lanes>(
    activation: Activation,
    gate: *mut f32,
    up: *const f32,
    count: usize,
) {
    let mut done = 0;
    while done < count {
        let here = NEAR.min(count - done);
        // SAFETY: the caller's promise, passed on; at most `here` numbers are touched.
        unsafe {
            let (gate, up) = (gate.add(done), up.add(done));
            run::<L>(activation, gate, here);
            let whole = here - here % L::COUNT;
            for at in (0..whole).step_by(L::COUNT) {
                L::store(
                    gate.add(at),
                    L::mul(L::load(gate.add(at)), L::load(up.add(at))),
                );
            }
            if whole < here {
                let rest = here - whole;
                let a = L::load_part(gate.add(whole), rest, 0.0);
                let b = L::load_part(up.add(whole), rest, 0.0);
                L::store_part(gate.add(whole), rest, L::mul(a, b));
            }
        }
        done += here;
    }
}

/// # Safety
/// As all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn silu<L: Lanes>(x: L::V) -> L::V {
    // SAFETY: only arithmetic.
    unsafe {
        let power = exp::<L>(L::sub(L::splat(0.0), x));
        L::div(x, L::add(power, L::splat(1.0)))
    }
}

/// # Safety
/// As all of [`Lanes`].
#[inline(always)]
unsafe fn relu<L: Lanes>(x: L::V) -> L::V {
    // SAFETY: only arithmetic.
    unsafe { L::max(x, L::splat(0.0)) }
}

/// # Safety
/// As all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn gelu<L: Lanes>(x: L::V) -> L::V {
    // SAFETY: only arithmetic.
    unsafe {
        let square = L::mul(x, x);
        let near = L::mul(x, near_normal::<L>(x, square));
        let far = L::max(x, L::splat(0.0));
        L::where_less(square, L::splat(25.0), near, far)
    }
}

/// The normal distribution's `Φ`.
///
/// # Safety
/// As all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn normal<L: Lanes>(x: L::V) -> L::V {
    // SAFETY: only arithmetic.
    unsafe {
        let square = L::mul(x, x);
        let near = near_normal::<L>(x, square);
        let zero = L::splat(0.0);
        let far = L::where_less(zero, x, L::splat(1.0), zero);
        L::where_less(square, L::splat(25.0), near, far)
    }
}

/// Within ±5, `Φ(x) − ½ = x R(x²)`: a polynomial of degree 13 in `2 x²/25 − 1`, fitted
/// so that `x²` times its largest error is least (Lawson's weights on 4,000 Chebyshev
/// points). Beyond, `Φ` is 0 or 1.
///
/// # Safety
/// As all of [`Lanes`].
#[inline(always)]
unsafe fn near_normal<L: Lanes>(x: L::V, square: L::V) -> L::V {
    const R: [f32; 14] = [
        -0.000_209_015_95,
        0.000_672_560_4,
        -0.000_958_953_34,
        0.001_540_659_2,
        -0.003_469_267_6,
        0.006_603_582_3,
        -0.010_716_439,
        0.016_308_887,
        -0.023_392_25,
        0.031_462_274,
        -0.040_428_106,
        0.051_518_966,
        -0.070_296_764,
        0.141_363_8,
    ];
    // SAFETY: only arithmetic.
    unsafe {
        let u = L::mul_add(square, L::splat(2.0 / 25.0), L::splat(-1.0));
        let mut r = L::splat(R[0]);
        for coefficient in &R[1..] {
            r = L::mul_add(r, u, L::splat(*coefficient));
        }
        L::mul_add(x, r, L::splat(0.5))
    }
}

/// # Safety
/// As all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn gelu_tanh<L: Lanes>(x: L::V) -> L::V {
    // −2 √(2/π)
    const SCALE: f32 = -1.595_769;
    // SAFETY: only arithmetic.
    unsafe {
        let cubic = L::mul_add(L::mul(x, x), L::splat(0.044_715), L::splat(1.0));
        let power = exp::<L>(L::mul(L::mul(x, cubic), L::splat(SCALE)));
        L::div(x, L::add(power, L::splat(1.0)))
    }
}

/// # Safety
/// As all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn tanh<L: Lanes>(x: L::V) -> L::V {
    // SAFETY: only arithmetic.
    unsafe {
        // 1 − 2 / (e²ˣ + 1), which loses digits near 0; there x − x³/3 + 2x⁵/15.
        let power = exp::<L>(L::add(x, x));
        let far = L::sub(
            L::splat(1.0),
            L::div(L::splat(2.0), L::add(power, L::splat(1.0))),
        );
        let square = L::mul(x, x);
        let series = L::mul_add(square, L::splat(2.0 / 15.0), L::splat(-1.0 / 3.0));
        let near = L::mul_add(L::mul(x, square), series, x);
        L::where_less(square, L::splat(0.01), near, far)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::assert_near;

    /// `erf` by its Maclaurin series, or by its continued fraction beyond 3
    /// (Abramowitz and Stegun 1964, 7.1.5 and 7.1.14).
    fn erf(z: f64) -> f64 {
        if z.abs() > 3.0 {
            let mut fraction = 0.0;
            for k in (1..60).rev() {
                fraction = f64::from(k) / 2.0 / (z.abs() + fraction);
            }
            let rest = (-z * z).exp() / (z.abs() + fraction) / std::f64::consts::PI.sqrt();
            return z.signum() * (1.0 - rest);
        }
        let (mut term, mut sum) = (z, z);
        for n in 1..80 {
            term *= -z * z / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    fn check(activation: Activation, of: impl Fn(f64) -> f64) {
        let mut numbers: Vec<f32> = (-9_001..=9_000).map(|i| i as f32 / 700.0).collect();
        numbers.extend([-1e30, -200.0, -0.0, 1e-30, 200.0, 1e30]);
        let expect: Vec<f64> = numbers.iter().map(|x| of(f64::from(*x))).collect();
        for version in Kernels::available() {
            let mut found = numbers.clone();
            version.activate(activation, &mut found);
            let what = format!("{activation:?} by {}", version.name);
            let (odd, usual) = (found.len() - 6, found.len());
            assert_near(&found[..odd], &expect[..odd], 1.6e-6, &what);
            for at in odd..usual {
                let error = (f64::from(found[at]) - expect[at]).abs();
                assert!(error <= 1e-6 * expect[at].abs().max(1.0), "{what} at {at}");
            }
        }
    }

    #[test]
    fn each_is_its_formula() {
        check(Activation::Identity, |x| x);
        check(Activation::Gelu, |x| x * 0.5 * (1.0 + erf(x / 2f64.sqrt())));
        check(Activation::GeluTanh, |x| {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            x * 0.5 * (1.0 + inner.tanh())
        });
        check(Activation::Relu, |x| x.max(0.0));
        check(Activation::Tanh, f64::tanh);
        check(Activation::Silu, |x| x / (1.0 + (-x).exp()));
    }

    #[test]
    fn a_gate_is_a_product() {
        let gate: Vec<f32> = (0..2_051).map(|i| i as f32 / 200.0 - 5.0).collect();
        let up: Vec<f32> = (0..2_051)
            .map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0)
            .collect();
        let expect: Vec<f64> = gate
            .iter()
            .zip(&up)
            .map(|(x, up)| f64::from(*x) / (1.0 + (-f64::from(*x)).exp()) * f64::from(*up))
            .collect();
        for version in Kernels::available() {
            let mut found = gate.clone();
            version.gate(Activation::Silu, &mut found, &up);
            assert_near(&found, &expect, 3e-6, version.name);
        }
    }
}
