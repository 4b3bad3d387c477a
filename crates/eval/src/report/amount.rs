//! Amounts as people read them: with as many digits as say something.

/// Writes dollars: `$0`, `$0.00041`, `$0.25`, `$12.50`, `$1200`.
pub(super) fn usd(value: f64) -> String {
    format!("${}", significant(value))
}

/// Writes a time: `0.4 ms`, `19 ms`, `1.2 s`, `310 s`.
pub(super) fn seconds(value: f64) -> String {
    match value.abs() {
        short if short < 0.9995 => format!("{} ms", significant(1000.0 * value)),
        _ => format!("{} s", significant(value)),
    }
}

/// Writes two digits that count below 1, two decimals below 100, and whole numbers above; no
/// zeros at the end of decimals but with cents.
fn significant(value: f64) -> String {
    match value.abs() {
        nothing if nothing < 1e-9 => "0".to_owned(),
        whole if whole >= 99.995 => format!("{value:.0}"),
        some if some >= 0.995 => {
            let text = format!("{value:.2}");
            text.strip_suffix(".00").map(str::to_owned).unwrap_or(text)
        }
        small => {
            let digits = (1.0 - small.log10().floor()).clamp(2.0, 12.0) as usize;
            let text = format!("{value:.digits$}");
            match text.trim_end_matches('0') {
                "0." | "-0." => "0".to_owned(),
                text => text.trim_end_matches('.').to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_amounts_keep_what_counts() {
        let check = |value: f64, dollars: &str, time: &str| {
            assert_eq!(
                (usd(value).as_str(), seconds(value).as_str()),
                (dollars, time)
            );
        };
        check(0.0, "$0", "0 ms");
        check(0.000_412, "$0.00041", "0.41 ms");
        check(0.019, "$0.019", "19 ms");
        check(0.25, "$0.25", "250 ms");
        check(1.0, "$1", "1 s");
        check(12.5, "$12.50", "12.50 s");
        check(1234.4, "$1234", "1234 s");
        check(1e-15, "$0", "0 ms");
    }
}
