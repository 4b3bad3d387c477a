//! Sizes as people write them: `"256 MiB"`, `"1.5 GB"`, or a number of bytes.

use std::fmt;

use contract::Bytes;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    struct Size;

    impl Visitor<'_> for Size {
        type Value = Bytes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a size such as \"256 MiB\"")
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<Bytes, E> {
            u64::try_from(value)
                .map(Bytes)
                .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
            parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_any(Size)
}

/// Returns the size that `text` names, or nothing if it names none.
fn parse(text: &str) -> Option<Bytes> {
    let text = text.trim();
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number.replace('_', "").parse().ok()?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return None,
    };
    Some(Bytes((number * factor as f64) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<u64>) {
        assert_eq!(parse(text), expect.map(Bytes), "{text}");
    }

    #[test]
    fn units_are_read_as_people_write_them() {
        check("256 MiB", Some(256 << 20));
        check("1.5GB", Some(1_500_000_000));
        check(" 10 k ", Some(10 << 10));
        check("1_000", Some(1000));
        check("MiB", None);
        check("-1 MiB", None);
        check("3 parsecs", None);
    }
}
