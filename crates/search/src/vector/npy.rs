//! Reading matrices from NumPy's `.npy` files, so that vectors made elsewhere can
//! be measured here.
//!
//! Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.
//! Read are matrices of `f2` or `f4` numbers, little-endian, in C order.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use thiserror::Error;

/// A matrix: vectors of one length, one after another.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Numbers in a vector; at least 1.
    pub dimensions: usize,
    /// The numbers of all vectors.
    pub values: Vec<f32>,
}

impl Matrix {
    /// Returns how many vectors there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.dimensions
    }

    /// Returns whether there is no vector.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the vectors in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimensions)
    }
}

/// Why a file's matrix could not be read.
#[derive(Debug, Error)]
pub enum NpyError {
    /// The file could not be read.
    #[error("`{path}` cannot be read", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file is no matrix that can be read.
    #[error("`{path}` is not a matrix of f2 or f4 numbers in NumPy's format: {source}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: FormatError,
    },
}

/// What is wrong with the bytes of a `.npy` file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// The first bytes are not those of the format.
    #[error("it does not begin as such a file does")]
    Magic,
    /// The version of the format is unknown.
    #[error("its format version is {found}, but 1 to 3 can be read")]
    Version {
        /// The version's first number.
        found: u8,
    },
    /// The header cannot be understood.
    #[error("its header has no {key} that can be understood")]
    Header {
        /// The header's key.
        key: &'static str,
    },
    /// The numbers are of a kind that is not read.
    #[error("its numbers are `{found}`, but `<f2` or `<f4` can be read")]
    Numbers {
        /// Their kind, as the header writes it.
        found: String,
    },
    /// The numbers are in column order.
    #[error("its numbers are in Fortran order, but C order can be read")]
    ColumnOrder,
    /// The array has not two dimensions.
    #[error("its shape is ({found}), but a matrix has two sizes, the second not 0")]
    Shape {
        /// The shape, as the header writes it.
        found: String,
    },
    /// There are fewer or more numbers than the shape says.
    #[error("its numbers take {found} bytes, but its shape needs {expected}")]
    Length {
        /// How many bytes of numbers the shape needs.
        expected: usize,
        /// How many there are.
        found: usize,
    },
}

/// Reads the matrix in the file at `path`.
pub fn read(path: &Path) -> Result<Matrix, NpyError> {
    let bytes = fs::read(path).map_err(|source| NpyError::Io {
        path: path.into(),
        source,
    })?;
    parse(&bytes).map_err(|source| NpyError::Format {
        path: path.into(),
        source,
    })
}

/// Reads the matrix in `bytes`. Takes any bytes: this is the reader that is fuzzed.
pub fn parse(bytes: &[u8]) -> Result<Matrix, FormatError> {
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or(FormatError::Magic)?;
    let [major, _minor, rest @ ..] = rest else {
        return Err(FormatError::Magic);
    };
    let (header_len, rest) = match (major, rest) {
        (1, [a, b, rest @ ..]) => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        (2 | 3, [a, b, c, d, rest @ ..]) => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        (1..=3, _) => return Err(FormatError::Header { key: "length" }),
        (found, _) => return Err(FormatError::Version { found: *found }),
    };
    let (header, numbers) = rest
        .split_at_checked(header_len)
        .ok_or(FormatError::Header { key: "length" })?;
    let header = std::str::from_utf8(header).map_err(|_| FormatError::Header { key: "text" })?;

    let kind = value_of(header, "descr")
        .and_then(|value| {
            let quote = value
                .chars()
                .next()
                .filter(|quote| "'\"".contains(*quote))?;
            value[1..].split_once(quote).map(|(kind, _)| kind)
        })
        .ok_or(FormatError::Header { key: "descr" })?;
    let size = match kind {
        "<f2" => 2,
        "<f4" => 4,
        other => {
            return Err(FormatError::Numbers {
                found: other.into(),
            });
        }
    };
    let order = value_of(header, "fortran_order").ok_or(FormatError::Header {
        key: "fortran_order",
    })?;
    if !order.starts_with("False") {
        return Err(FormatError::ColumnOrder);
    }
    let shape = value_of(header, "shape")
        .and_then(|value| value.strip_prefix('(')?.split_once(')'))
        .map(|(shape, _)| shape)
        .ok_or(FormatError::Header { key: "shape" })?;
    let sizes: Option<Vec<usize>> = shape
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty())
        .map(|size| size.parse().ok())
        .collect();
    let Some(&[rows, dimensions @ 1..=usize::MAX]) = sizes.as_deref() else {
        return Err(FormatError::Shape {
            found: shape.into(),
        });
    };
    let expected = rows
        .checked_mul(dimensions)
        .and_then(|count| count.checked_mul(size))
        .ok_or_else(|| FormatError::Shape {
            found: shape.into(),
        })?;
    if numbers.len() != expected {
        return Err(FormatError::Length {
            expected,
            found: numbers.len(),
        });
    }
    let values = if size == 2 {
        numbers
            .chunks_exact(2)
            .map(|bytes| half_to_single(u16::from_le_bytes([bytes[0], bytes[1]])))
            .collect()
    } else {
        numbers
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect()
    };
    Ok(Matrix { dimensions, values })
}

/// Returns what follows `key` in the header, which is a Python dictionary.
fn value_of<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    ["'", "\""].iter().find_map(|quote| {
        let (_, rest) = header.split_once(&format!("{quote}{key}{quote}"))?;
        Some(rest.trim_start().strip_prefix(':')?.trim_start())
    })
}

/// Returns the number that IEEE 754's 16 bits stand for; `f32` has them all.
fn half_to_single(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10 & 0x1f);
    let fraction = u32::from(bits & 0x3ff);
    match exponent {
        // Subnormal: the fraction counts in steps of 2⁻²⁴.
        0 => f32::from_bits(sign | (fraction as f32 * 2f32.powi(-24)).to_bits()),
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(header: &str, numbers: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(numbers);
        bytes
    }

    fn header(kind: &str, order: &str, shape: &str) -> String {
        format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}   \n")
    }

    #[test]
    fn reads_matrices_of_both_kinds() {
        let singles: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0]
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let matrix = parse(&file(&header("<f4", "False", "(2, 2)"), &singles)).unwrap();
        assert_eq!(matrix.rows().collect::<Vec<_>>(), [[1.0, 2.0], [3.0, 4.0]]);

        let halves: Vec<u8> = [0x3c00u16, 0xc000, 0x3555, 0x0001, 0x8000, 0x7bff]
            .iter()
            .flat_map(|bits| bits.to_le_bytes())
            .collect();
        let matrix = parse(&file(&header("<f2", "False", "(2, 3)"), &halves)).unwrap();
        assert_eq!(
            matrix.values,
            [1.0, -2.0, 0.333_251_95, 5.960_464_5e-8, -0.0, 65504.0]
        );
        assert_eq!((matrix.len(), matrix.dimensions), (2, 3));
        assert!(half_to_single(0x7e00).is_nan());
    }

    fn check(header: &str, numbers: &[u8], expect: FormatError) {
        assert_eq!(parse(&file(header, numbers)), Err(expect));
    }

    #[test]
    fn says_what_is_wrong() {
        check(
            &header("<f8", "False", "(1, 1)"),
            &[0; 8],
            FormatError::Numbers {
                found: "<f8".into(),
            },
        );
        check(
            &header("<f4", "True", "(1, 1)"),
            &[0; 4],
            FormatError::ColumnOrder,
        );
        for shape in ["4", "4,", "2, 2, 1", "2, 0", "a, b", ""] {
            check(
                &header("<f4", "False", &format!("({shape})")),
                &[0; 16],
                FormatError::Shape {
                    found: shape.into(),
                },
            );
        }
        check(
            &header("<f4", "False", "(2, 2)"),
            &[0; 15],
            FormatError::Length {
                expected: 16,
                found: 15,
            },
        );
        check("{}", &[], FormatError::Header { key: "descr" });
        assert_eq!(parse(b"PNG"), Err(FormatError::Magic));
        assert_eq!(
            parse(b"\x93NUMPY\x09\x00"),
            Err(FormatError::Version { found: 9 })
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            at in 0usize..80,
            with in prop::collection::vec(any::<u8>(), 0..20),
            cut in 0usize..120,
        ) {
            let mut bytes = file(&header("<f2", "False", "(4, 4)"), &[0; 32]);
            let end = (at + with.len()).min(bytes.len());
            bytes.splice(at.min(end)..end, with);
            bytes.truncate(cut);
            let _ = parse(&bytes);
        }
    }
}
