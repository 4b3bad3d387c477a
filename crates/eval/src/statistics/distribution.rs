//! The distributions that tests and intervals are read from.

/// Returns the standard normal distribution function, to about 1e-15 (W. J. Cody's form is not
/// needed: the incomplete gamma function's series and continued fraction reach it).
pub fn normal_cdf(x: f64) -> f64 {
    let tail = 0.5 * upper_gamma_half(0.5 * x * x);
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// Returns the regularised upper incomplete gamma function Q(1/2, x), which is erfc(√x)
/// (Press et al., Numerical Recipes, §6.2).
fn upper_gamma_half(x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (-x + 0.5 * x.ln()).exp() / std::f64::consts::PI.sqrt();
    if x < 1.5 {
        let (mut term, mut sum, mut a) = (2.0, 2.0, 0.5);
        while f64::abs(term) > f64::abs(sum) * 1e-17 {
            a += 1.0;
            term *= x / a;
            sum += term;
        }
        return 1.0 - front * sum;
    }
    let mut b = x + 0.5;
    let mut c = 1e300;
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..500 {
        let n = f64::from(i);
        let an = -n * (n - 0.5);
        b += 2.0;
        d = 1.0 / nonzero(an * d + b);
        c = nonzero(b + an / c);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    front * h
}

fn nonzero(x: f64) -> f64 {
    if x.abs() < 1e-300 { 1e-300 } else { x }
}

/// Returns the value below which a share `p` of the standard normal distribution lies.
///
/// # Panics
/// If `p` is not above 0 and below 1.
pub fn normal_quantile(p: f64) -> f64 {
    assert!(
        p > 0.0 && p < 1.0,
        "a quantile is of a share between 0 and 1"
    );
    invert(p, normal_cdf)
}

/// Returns the value below which a share `p` of Student's distribution lies. Above a million
/// degrees of freedom it is the normal one.
///
/// # Panics
/// If `p` is not above 0 and below 1, or `degrees` not above 0.
pub fn student_quantile(p: f64, degrees: f64) -> f64 {
    assert!(
        p > 0.0 && p < 1.0,
        "a quantile is of a share between 0 and 1"
    );
    assert!(
        degrees > 0.0,
        "there is no distribution without degrees of freedom"
    );
    if degrees > 1e6 {
        return normal_quantile(p);
    }
    invert(p, |t| student_cdf(t, degrees))
}

/// Returns Student's distribution function.
pub fn student_cdf(t: f64, degrees: f64) -> f64 {
    let tail = 0.5 * incomplete_beta(0.5 * degrees, 0.5, degrees / (degrees + t * t));
    if t < 0.0 { tail } else { 1.0 - tail }
}

/// Finds where an ever rising function is `p`, by halving.
fn invert(p: f64, cdf: impl Fn(f64) -> f64) -> f64 {
    // The upper half is exact only near 1; both are found in the lower one.
    if p > 0.5 {
        return -invert(1.0 - p, cdf);
    }
    let mut low = -1.0;
    while cdf(low) > p && low > -1e15 {
        low *= 2.0;
    }
    let mut high = 0.0;
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if cdf(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Returns the regularised incomplete beta function I_x(a, b) (Numerical Recipes, §6.4).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, 1.0 - x) / b
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / nonzero(1.0 + term * d);
            c = nonzero(1.0 + term / c);
            step = d * c;
            h *= step;
        }
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}

/// Returns the logarithm of the gamma function of a number above 0 (Lanczos 1964, with the
/// coefficients of Godfrey for g = 7 and nine terms).
pub(crate) fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        let pi = std::f64::consts::PI;
        return (pi / (pi * x).sin().abs()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    for (place, term) in (1..).zip(TERMS) {
        sum += term / (x + f64::from(place));
    }
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: f64, expect: f64) {
        assert!(
            (found - expect).abs() <= 1e-10 * expect.abs(),
            "{found}, not {expect}"
        );
    }

    // Expected values: `scipy.stats.norm` and `scipy.stats.t` 1.17.1.
    #[test]
    fn distributions_are_those_of_scipy() {
        check(normal_cdf(-5.0), 2.866_515_718_791_933e-7);
        check(normal_cdf(0.3), 0.617_911_422_188_952_6);
        check(normal_quantile(0.975), 1.959_963_984_540_054);
        check(normal_quantile(1e-6), -4.753_424_308_822_899);
        check(student_quantile(0.975, 2.0), 4.302_652_729_749_462);
        check(student_quantile(0.025, 9.5), -2.244_137_461_492_296_6);
        check(student_quantile(0.975, 199.0), 1.971_956_544_251_753_3);
        check(student_quantile(0.975, 9999.0), 1.960_201_263_621_357);
        check(student_cdf(1.3, 4.0), 0.868_274_201_764_388);
        check(ln_gamma(10.5), 13.940_625_219_403_763);
    }
}
