//! Activations and gates whose input is kept, and their backwards.

#![expect(
    unsafe_code,
    reason = "loops over `Lanes`; threads write to numbers of their own"
)]

use super::{Loop, load, store};
use crate::activation::{self, Activation};
use crate::simd::{Kernels, Lanes, exp};
use crate::team::{Start, Team};

/// Numbers that are a thread's part.
const PART: usize = 1 << 13;

impl Kernels {
    /// Sets `to` to `activation(before)`, number by number. Panics if the lengths differ.
    pub fn activate_rows(
        &self,
        team: &Team,
        activation: Activation,
        before: &[f32],
        to: &mut [f32],
    ) {
        assert_eq!(
            before.len(),
            to.len(),
            "a number comes out for every number"
        );
        self.activation_parts(team, activation, before, None, to);
    }

    /// Sets `to` to `activation(gate) · up`, number by number (Shazeer 2020). Panics if
    /// the lengths differ.
    pub fn gate_rows(
        &self,
        team: &Team,
        activation: Activation,
        gate: &[f32],
        up: &[f32],
        to: &mut [f32],
    ) {
        assert_eq!(gate.len(), up.len(), "every number has its gate");
        assert_eq!(gate.len(), to.len(), "a number comes out for every number");
        self.activation_parts(team, activation, gate, Some(up), to);
    }

    fn activation_parts(
        &self,
        team: &Team,
        activation: Activation,
        before: &[f32],
        up: Option<&[f32]>,
        to: &mut [f32],
    ) {
        team.chunks(to, PART, &|part, to| {
            let range = part * PART..part * PART + to.len();
            // SAFETY: a table is only handed out where the processor has what its
            // functions need.
            unsafe {
                (self.training)(Loop::Activate(Forward {
                    activation,
                    before: &before[range.clone()],
                    up: up.map(|up| &up[range]),
                    to,
                }));
            }
        });
    }

    /// Multiplies `gradient`, that of what came out, by the slope of `activation` at
    /// `before`, what went in. Panics if the lengths differ.
    pub fn activate_backward(
        &self,
        team: &Team,
        activation: Activation,
        before: &[f32],
        gradient: &mut [f32],
    ) {
        assert_eq!(
            before.len(),
            gradient.len(),
            "every number has its gradient"
        );
        team.chunks(gradient, PART, &|part, gradient| {
            let before = &before[part * PART..][..gradient.len()];
            // SAFETY: as above.
            unsafe {
                (self.training)(Loop::ActivateBack(Back {
                    activation,
                    before,
                    gradient,
                }));
            }
        });
    }

    /// Takes `gradient`, that of `activation(gate) · up`, back to both. Panics if the
    /// lengths differ.
    #[expect(clippy::too_many_arguments, reason = "five slices of one length")]
    pub fn gate_backward(
        &self,
        team: &Team,
        activation: Activation,
        gate: &[f32],
        up: &[f32],
        gradient: &[f32],
        gate_gradient: &mut [f32],
        up_gradient: &mut [f32],
    ) {
        let count = gate.len();
        assert!(
            [
                up.len(),
                gradient.len(),
                gate_gradient.len(),
                up_gradient.len()
            ] == [count; 4],
            "every number has its gate and its gradients"
        );
        let (of_gate, of_up) = (
            Start(gate_gradient.as_mut_ptr()),
            Start(up_gradient.as_mut_ptr()),
        );
        team.run(count.div_ceil(PART), &|part, _| {
            let first = part * PART;
            let here = PART.min(count - first);
            let range = first..first + here;
            // SAFETY: each part has numbers of its own.
            unsafe {
                (self.training)(Loop::GateBack(GateBack {
                    activation,
                    gate: &gate[range.clone()],
                    up: &up[range.clone()],
                    gradient: &gradient[range],
                    of_gate: of_gate.cut(first, here),
                    of_up: of_up.cut(first, here),
                }));
            }
        });
    }
}

/// A function with its slope.
trait Curve {
    /// # Safety
    /// As all of [`Lanes`].
    unsafe fn value<L: Lanes>(x: L::V) -> L::V;
    /// Both at `x`.
    ///
    /// # Safety
    /// As all of [`Lanes`].
    unsafe fn value_and_slope<L: Lanes>(x: L::V) -> (L::V, L::V);
}

struct Identity;
struct Gelu;
struct GeluTanh;
struct Relu;
struct Tanh;
struct Silu;

// SAFETY (of every block below): only arithmetic; the caller promises the processor.
impl Curve for Identity {
    #[inline(always)]
    unsafe fn value<L: Lanes>(x: L::V) -> L::V {
        x
    }

    #[inline(always)]
    unsafe fn value_and_slope<L: Lanes>(x: L::V) -> (L::V, L::V) {
        // SAFETY: see above.
        unsafe { (x, L::splat(1.0)) }
    }
}

impl Curve for Gelu {
    #[inline(always)]
    unsafe fn value<L: Lanes>(x: L::V) -> L::V {
        // SAFETY: see above.
        unsafe { activation::gelu::<L>(x) }
    }

    /// `Φ(x) + x φ(x)`.
    #[inline(always)]
    unsafe fn value_and_slope<L: Lanes>(x: L::V) -> (L::V, L::V) {
        // 1 / √(2 π)
        const DENSITY: f32 = 0.398_942_3;
        // SAFETY: see above.
        unsafe {
            let share = activation::normal::<L>(x);
            let power = exp::<L>(L::mul(L::mul(x, x), L::splat(-0.5)));
            let slope = L::mul_add(L::mul(x, L::splat(DENSITY)), power, share);
            (L::mul(x, share), slope)
        }
    }
}

impl Curve for GeluTanh {
    #[inline(always)]
    unsafe fn value<L: Lanes>(x: L::V) -> L::V {
        // SAFETY: see above.
        unsafe { activation::gelu_tanh::<L>(x) }
    }

    /// With `s = σ(2u)` and `u = √(2/π) (x + 0.044715 x³)`: `s + x s (1 − s) 2u'`.
    #[inline(always)]
    unsafe fn value_and_slope<L: Lanes>(x: L::V) -> (L::V, L::V) {
        // 2 √(2/π)
        const SCALE: f32 = 1.595_769;
        // SAFETY: see above.
        unsafe {
            let (one, square) = (L::splat(1.0), L::mul(x, x));
            let cubic = L::mul_add(square, L::splat(0.044_715), one);
            let power = exp::<L>(L::mul(L::mul(x, cubic), L::splat(-SCALE)));
            let share = L::div(one, L::add(power, one));
            let steep = L::mul_add(square, L::splat(SCALE * 3.0 * 0.044_715), L::splat(SCALE));
            let value = L::mul(x, share);
            let rest = L::sub(one, share);
            (value, L::mul_add(L::mul(value, rest), steep, share))
        }
    }
}

impl Curve for Relu {
    #[inline(always)]
    unsafe fn value<L: Lanes>(x: L::V) -> L::V {
        // SAFETY: see above.
        unsafe { L::max(x, L::splat(0.0)) }
    }

    #[inline(always)]
    unsafe fn value_and_slope<L: Lanes>(x: L::V) -> (L::V, L::V) {
        // SAFETY: see above.
        unsafe {
            let zero = L::splat(0.0);
            (L::max(x, zero), L::where_less(zero, x, L::splat(1.0), zero))
        }
    }
}

impl Curve for Tanh {
    #[inline(always)]
    unsafe fn value<L: Lanes>(x: L::V) -> L::V {
        // SAFETY: see above.
        unsafe { activation::tanh::<L>(x) }
    }

    #[inline(always)]
    unsafe fn value_and_slope<L: Lanes>(x: L::V) -> (L::V, L::V) {
        // SAFETY: see above.
        unsafe {
            let value = activation::tanh::<L>(x);
            (value, L::sub(L::splat(1.0), L::mul(value, value)))
        }
    }
}

impl Curve for Silu {
    #[inline(always)]
    unsafe fn value<L: Lanes>(x: L::V) -> L::V {
        // SAFETY: see above.
        unsafe { activation::silu::<L>(x) }
    }

    /// `s + x s (1 − s)` with `s = σ(x)`.
    #[inline(always)]
    unsafe fn value_and_slope<L: Lanes>(x: L::V) -> (L::V, L::V) {
        // SAFETY: see above.
        unsafe {
            let one = L::splat(1.0);
            let power = exp::<L>(L::sub(L::splat(0.0), x));
            let share = L::div(one, L::add(power, one));
            let value = L::mul(x, share);
            (value, L::mul_add(value, L::sub(one, share), share))
        }
    }
}

/// Calls a method over `L` and the curve of an activation.
macro_rules! with_curve {
    ($activation:expr, $self:ident.$method:ident::<$lanes:ty>()) => {
        match $activation {
            Activation::Identity => $self.$method::<$lanes, Identity>(),
            Activation::Gelu => $self.$method::<$lanes, Gelu>(),
            Activation::GeluTanh => $self.$method::<$lanes, GeluTanh>(),
            Activation::Relu => $self.$method::<$lanes, Relu>(),
            Activation::Tanh => $self.$method::<$lanes, Tanh>(),
            Activation::Silu => $self.$method::<$lanes, Silu>(),
        }
    };
}

pub(crate) struct Forward<'a> {
    activation: Activation,
    before: &'a [f32],
    up: Option<&'a [f32]>,
    to: &'a mut [f32],
}

impl Forward<'_> {
    /// # Safety
    /// As all of [`Lanes`].
    #[inline(always)]
    pub(super) unsafe fn run<L: Lanes>(self) {
        // SAFETY: as the caller promises.
        unsafe { with_curve!(self.activation, self.of::<L>()) }
    }

    #[inline(always)]
    unsafe fn of<L: Lanes, C: Curve>(self) {
        let count = self.to.len();
        let (before, to) = (self.before.as_ptr(), self.to.as_mut_ptr());
        // SAFETY: all slices are of `count` numbers.
        unsafe {
            match self.up {
                None => {
                    for at in (0..count).step_by(L::COUNT) {
                        let left = count - at;
                        let v = C::value::<L>(load::<L>(before.add(at), left));
                        store::<L>(to.add(at), left, v);
                    }
                }
                Some(up) => {
                    for at in (0..count).step_by(L::COUNT) {
                        let left = count - at;
                        let v = C::value::<L>(load::<L>(before.add(at), left));
                        let v = L::mul(v, load::<L>(up.as_ptr().add(at), left));
                        store::<L>(to.add(at), left, v);
                    }
                }
            }
        }
    }
}

pub(crate) struct Back<'a> {
    activation: Activation,
    before: &'a [f32],
    gradient: &'a mut [f32],
}

impl Back<'_> {
    /// # Safety
    /// As all of [`Lanes`].
    #[inline(always)]
    pub(super) unsafe fn run<L: Lanes>(self) {
        // SAFETY: as the caller promises.
        unsafe { with_curve!(self.activation, self.of::<L>()) }
    }

    #[inline(always)]
    unsafe fn of<L: Lanes, C: Curve>(self) {
        let count = self.gradient.len();
        let (before, gradient) = (self.before.as_ptr(), self.gradient.as_mut_ptr());
        // SAFETY: both slices are of `count` numbers.
        unsafe {
            for at in (0..count).step_by(L::COUNT) {
                let left = count - at;
                let (_, slope) = C::value_and_slope::<L>(load::<L>(before.add(at), left));
                let v = L::mul(load::<L>(gradient.add(at), left), slope);
                store::<L>(gradient.add(at), left, v);
            }
        }
    }
}

pub(crate) struct GateBack<'a> {
    activation: Activation,
    gate: &'a [f32],
    up: &'a [f32],
    gradient: &'a [f32],
    of_gate: &'a mut [f32],
    of_up: &'a mut [f32],
}

impl GateBack<'_> {
    /// # Safety
    /// As all of [`Lanes`].
    #[inline(always)]
    pub(super) unsafe fn run<L: Lanes>(self) {
        // SAFETY: as the caller promises.
        unsafe { with_curve!(self.activation, self.of::<L>()) }
    }

    #[inline(always)]
    unsafe fn of<L: Lanes, C: Curve>(self) {
        let count = self.gate.len();
        let (gate, up, gradient) = (self.gate.as_ptr(), self.up.as_ptr(), self.gradient.as_ptr());
        let (of_gate, of_up) = (self.of_gate.as_mut_ptr(), self.of_up.as_mut_ptr());
        // SAFETY: all slices are of `count` numbers.
        unsafe {
            for at in (0..count).step_by(L::COUNT) {
                let left = count - at;
                let (value, slope) = C::value_and_slope::<L>(load::<L>(gate.add(at), left));
                let dy = load::<L>(gradient.add(at), left);
                let up = load::<L>(up.add(at), left);
                store::<L>(of_gate.add(at), left, L::mul(L::mul(dy, up), slope));
                store::<L>(of_up.add(at), left, L::mul(dy, value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{assert_near, numbers};
    use crate::training::check::team;

    const ALL: [Activation; 6] = [
        Activation::Identity,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::Tanh,
        Activation::Silu,
    ];

    /// The slope in `f64`, by formulas that share nothing with the loops.
    fn slope(activation: Activation, x: f64) -> f64 {
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        match activation {
            Activation::Identity => 1.0,
            Activation::Gelu => {
                // The normal distribution by Simpson's rule.
                let density = |z: f64| (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
                let steps = 2_000;
                let h = x / f64::from(steps);
                let sum: f64 = (0..steps)
                    .map(|i| {
                        let z = f64::from(i) * h;
                        h / 6.0 * (density(z) + 4.0 * density(z + h / 2.0) + density(z + h))
                    })
                    .sum();
                0.5 + sum + x * density(x)
            }
            Activation::GeluTanh => {
                let root = (2.0 / std::f64::consts::PI).sqrt();
                let t = (root * (x + 0.044_715 * x.powi(3))).tanh();
                0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * root * (1.0 + 3.0 * 0.044_715 * x * x)
            }
            Activation::Relu => f64::from(x > 0.0),
            Activation::Tanh => 1.0 / x.cosh().powi(2),
            Activation::Silu => logistic(x) * (1.0 + x * (1.0 - logistic(x))),
        }
    }

    #[test]
    fn each_gradient_is_its_slope() {
        let before: Vec<f32> = (-9_001..=9_000).map(|i| i as f32 / 1_000.0).collect();
        let gradient = numbers(5, before.len());
        let team = team(2);
        for activation in ALL {
            let expect: Vec<f64> = before
                .iter()
                .zip(&gradient)
                .map(|(x, g)| slope(activation, f64::from(*x)) * f64::from(*g))
                .collect();
            for version in Kernels::available() {
                let mut found = gradient.clone();
                version.activate_backward(&team, activation, &before, &mut found);
                assert_near(
                    &found,
                    &expect,
                    3e-6,
                    &format!("{activation:?} by {}", version.name),
                );
            }
        }
    }

    #[test]
    fn a_gate_goes_back_to_both() {
        let count = 2 * PART + 77;
        let gate: Vec<f32> = numbers(1, count).iter().map(|x| x * 6.0).collect();
        let (up, gradient) = (numbers(2, count), numbers(3, count));
        let team = team(2);
        for activation in ALL {
            for version in Kernels::available() {
                let mut value = gate.clone();
                version.activate(activation, &mut value);
                let by_hand = |of: &dyn Fn(usize) -> f64| (0..count).map(of).collect::<Vec<f64>>();
                let what = format!("{activation:?} by {}", version.name);
                let mut out = vec![f32::NAN; count];
                version.activate_rows(&team, activation, &gate, &mut out);
                assert_near(&out, &by_hand(&|i| f64::from(value[i])), 1e-6, &what);
                version.gate_rows(&team, activation, &gate, &up, &mut out);
                let expect = by_hand(&|i| f64::from(value[i]) * f64::from(up[i]));
                assert_near(&out, &expect, 1e-6, &what);
                let (mut of_gate, mut of_up) = (vec![f32::NAN; count], vec![f32::NAN; count]);
                version.gate_backward(
                    &team,
                    activation,
                    &gate,
                    &up,
                    &gradient,
                    &mut of_gate,
                    &mut of_up,
                );
                let expect = by_hand(&|i| f64::from(value[i]) * f64::from(gradient[i]));
                assert_near(&of_up, &expect, 3e-6, &what);
                let mut expect = gradient.clone();
                version.activate_backward(&team, activation, &gate, &mut expect);
                let expect = by_hand(&|i| f64::from(expect[i]) * f64::from(up[i]));
                assert_near(&of_gate, &expect, 1e-6, &what);
            }
        }
    }
}
