//! The formats in which weights lie in files, and the numbers they stand for.
//!
//! The layouts and the arithmetic are those of ggml (`block_q8_0` … in
//! `ggml-common.h`, `dequantize_row_*` and `quantize_row_*_ref` in `ggml-quants.c`), so
//! that files of either side mean the same to the other.

mod block;

use crate::half::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};

pub(crate) use block::{Q4_0, Q4K, Q6K, Q8_0, scale_and_least};

/// How numbers are stored. A row is whole blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of binary32.
    Bf16,
    /// Blocks of 32: a scale in binary16, and 8 bits a number.
    Q8_0,
    /// Blocks of 32: a scale in binary16, and 4 bits a number.
    Q4_0,
    /// Blocks of 256 in eighths, each with its own scale and least number of 6 bits;
    /// 4 bits a number.
    Q4K,
    /// Blocks of 256 in sixteenths, each with its own scale of 8 bits; 6 bits a number.
    Q6K,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 7] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Q8_0,
        Self::Q4_0,
        Self::Q4K,
        Self::Q6K,
    ];

    /// Returns what GGUF files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4K => "Q4_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// Returns how many numbers are stored together.
    pub const fn block_numbers(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q8_0 | Self::Q4_0 => 32,
            Self::Q4K | Self::Q6K => 256,
        }
    }

    /// Returns the bytes of a block.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q8_0 => Q8_0::BYTES,
            Self::Q4_0 => Q4_0::BYTES,
            Self::Q4K => Q4K::BYTES,
            Self::Q6K => Q6K::BYTES,
        }
    }

    /// Returns the bytes of `numbers` numbers, or nothing if these are not whole blocks
    /// or more than can be counted.
    pub fn bytes(self, numbers: usize) -> Option<usize> {
        if !numbers.is_multiple_of(self.block_numbers()) {
            return None;
        }
        (numbers / self.block_numbers()).checked_mul(self.block_bytes())
    }

    /// Sets `numbers` to what `bytes` stand for. Panics if they do not fit.
    pub fn widen(self, bytes: &[u8], numbers: &mut [f32]) {
        assert_eq!(
            self.bytes(numbers.len()),
            Some(bytes.len()),
            "there are as many bytes as the numbers take"
        );
        match self {
            Self::F32 => each(bytes, numbers, |four| f32::from_le_bytes(*four)),
            Self::F16 => each(bytes, numbers, |two| f16_to_f32(u16::from_le_bytes(*two))),
            Self::Bf16 => each(bytes, numbers, |two| bf16_to_f32(u16::from_le_bytes(*two))),
            Self::Q8_0 => blocks(bytes, numbers, Q8_0::widen),
            Self::Q4_0 => blocks(bytes, numbers, Q4_0::widen),
            Self::Q4K => blocks(bytes, numbers, Q4K::widen),
            Self::Q6K => blocks(bytes, numbers, Q6K::widen),
        }
    }

    /// Sets `bytes` to what comes nearest to `numbers`, as ggml's reference does; returns
    /// whether this format can be written: Q4_K and Q6_K are only read. Panics if the
    /// lengths do not fit.
    pub fn narrow(self, numbers: &[f32], bytes: &mut [u8]) -> bool {
        assert_eq!(
            self.bytes(numbers.len()),
            Some(bytes.len()),
            "there are as many bytes as the numbers take"
        );
        match self {
            Self::F32 => put(numbers, bytes, f32::to_le_bytes),
            Self::F16 => put(numbers, bytes, |x| f32_to_f16(x).to_le_bytes()),
            Self::Bf16 => put(numbers, bytes, |x| f32_to_bf16(x).to_le_bytes()),
            Self::Q8_0 => put_blocks(numbers, bytes, Q8_0::narrow),
            Self::Q4_0 => put_blocks(numbers, bytes, Q4_0::narrow),
            Self::Q4K | Self::Q6K => return false,
        }
        true
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

fn each<const BYTES: usize>(
    bytes: &[u8],
    numbers: &mut [f32],
    widen: impl Fn(&[u8; BYTES]) -> f32,
) {
    for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
        *number = widen(bytes);
    }
}

fn blocks<const BYTES: usize, const NUMBERS: usize>(
    bytes: &[u8],
    numbers: &mut [f32],
    widen: impl Fn(&[u8; BYTES], &mut [f32; NUMBERS]),
) {
    for (numbers, bytes) in numbers
        .as_chunks_mut()
        .0
        .iter_mut()
        .zip(bytes.as_chunks().0)
    {
        widen(bytes, numbers);
    }
}

fn put<const BYTES: usize>(numbers: &[f32], bytes: &mut [u8], narrow: impl Fn(f32) -> [u8; BYTES]) {
    for (number, bytes) in numbers.iter().zip(bytes.as_chunks_mut().0) {
        *bytes = narrow(*number);
    }
}

fn put_blocks<const BYTES: usize, const NUMBERS: usize>(
    numbers: &[f32],
    bytes: &mut [u8],
    narrow: impl Fn(&[f32; NUMBERS], &mut [u8; BYTES]),
) {
    for (numbers, bytes) in numbers.as_chunks().0.iter().zip(bytes.as_chunks_mut().0) {
        narrow(numbers, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(bytes: &[u8]) -> Vec<f32> {
        let mut numbers = vec![0.0; bytes.len() / 4];
        Format::F32.widen(bytes, &mut numbers);
        numbers
    }

    /// Compares with ggml; see `make_formats.py`.
    fn check(format: Format, bytes: &[u8], expect: &[u8]) {
        let mut found = vec![0.0; 512];
        format.widen(bytes, &mut found);
        for (at, (found, expect)) in found.iter().zip(numbers(expect)).enumerate() {
            // Products of three are rounded in another order.
            let most = 2.0 * f32::EPSILON * expect.abs().max(0.01);
            assert!(
                (found - expect).abs() <= most,
                "{format} {found} {expect} at {at}"
            );
        }
        let mut narrow = vec![0; bytes.len()];
        let from = numbers(include_bytes!("../tests/data/numbers.f32"));
        if format.narrow(&from, &mut narrow) {
            assert_eq!(narrow, bytes, "{format}");
        }
    }

    macro_rules! check {
        ($format:ident, $name:literal) => {
            check(
                Format::$format,
                include_bytes!(concat!("../tests/data/", $name, ".bytes")),
                include_bytes!(concat!("../tests/data/", $name, ".f32")),
            );
        };
    }

    #[test]
    fn means_what_it_means_to_ggml() {
        check!(F16, "f16");
        check!(Bf16, "bf16");
        check!(Q8_0, "q8_0");
        check!(Q4_0, "q4_0");
        check!(Q4K, "q4_k");
        check!(Q6K, "q6_k");
    }

    #[test]
    fn only_whole_blocks_have_a_size() {
        assert_eq!(Format::Q4K.bytes(512), Some(288));
        assert_eq!(Format::Q4K.bytes(500), None);
        assert_eq!(Format::F32.bytes(usize::MAX), None);
        assert_eq!(Format::Q8_0.bytes(0), Some(0));
    }
}
