use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::*;
use crate::format::Format;
use crate::half::{bf16_to_f32, f32_to_bf16};
use crate::sample::numbers;
use crate::stored::{Layout, StoredMatrix};

fn team(threads: usize) -> Team {
    Team::new(NonZeroUsize::new(threads).unwrap()).unwrap()
}

/// How a side of a product lies.
#[derive(Clone, Copy, Debug)]
enum Side {
    F32,
    Bf16,
    Stored(Format, Layout),
}

/// A matrix of `(rows, columns)` as one side of a product, with its numbers.
struct Sample {
    side: Side,
    turned: bool,
    rows: usize,
    columns: usize,
    wide: Vec<f32>,
    brains: Vec<u16>,
    bytes: Vec<u8>,
}

impl Sample {
    fn new(side: Side, turned: bool, rows: usize, columns: usize, seed: u64) -> Self {
        let mut wide = numbers(seed, rows * columns);
        let (mut brains, mut bytes) = (Vec::new(), Vec::new());
        match side {
            Side::F32 => {}
            Side::Bf16 => {
                brains = wide.iter().map(|x| f32_to_bf16(*x)).collect();
                wide = brains.iter().map(|x| bf16_to_f32(*x)).collect();
            }
            Side::Stored(format, _) => {
                bytes = vec![0; format.bytes(wide.len()).unwrap()];
                assert!(format.narrow(&wide, &mut bytes));
                format.widen(&bytes, &mut wide);
            }
        }
        Self {
            side,
            turned,
            rows,
            columns,
            wide,
            brains,
            bytes,
        }
    }

    /// Rows and columns of what lies in memory.
    fn lines(&self) -> (usize, usize) {
        if self.turned {
            (self.columns, self.rows)
        } else {
            (self.rows, self.columns)
        }
    }

    fn factor(&self) -> Factor<'_> {
        let (rows, columns) = self.lines();
        let lying = match self.side {
            Side::F32 => Factor::f32(&self.wide, rows, columns),
            Side::Bf16 => Factor::bf16(&self.brains, rows, columns),
            Side::Stored(format, Layout::Rows) => Factor::stored(StoredMatrix::new(
                format,
                Layout::Rows,
                columns,
                rows,
                &self.bytes,
            )),
            Side::Stored(format, Layout::Columns) => Factor::stored(StoredMatrix::new(
                format,
                Layout::Columns,
                rows,
                columns,
                &self.bytes,
            ))
            .turned(),
        };
        if self.turned { lying.turned() } else { lying }
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        let at = if self.turned {
            column * self.rows + row
        } else {
            row * self.columns + column
        };
        f64::from(self.wide[at])
    }
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![
        4 => Just(Side::F32),
        2 => Just(Side::Bf16),
        1 => Just(Side::Stored(Format::F32, Layout::Columns)),
        1 => Just(Side::Stored(Format::F16, Layout::Rows)),
        1 => Just(Side::Stored(Format::Bf16, Layout::Columns)),
        1 => Just(Side::Stored(Format::Q8_0, Layout::Rows)),
        1 => Just(Side::Stored(Format::Q4_0, Layout::Rows)),
    ]
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 1usize..80,
        2 => prop::sample::select(vec![1usize, 7, 8, 16, 32, 48, 128, 129]),
        1 => 80usize..400,
    ]
}

/// Blocks fill whole lines.
fn fits(side: Side, length: usize) -> usize {
    match side {
        Side::Stored(format, _) => length.next_multiple_of(format.block_numbers()),
        _ => length,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn is_the_sum_of_products(
        (rows, depth, columns) in (length(), length(), length()),
        (left, right) in (side(), side()),
        [left_turned, right_turned, with_bias, add] in any::<[bool; 4]>(),
        precision in precision(),
        threads in 1usize..4,
        seed in any::<u64>(),
    ) {
        // A line of quantised numbers is whole blocks.
        let (mut rows, mut depth, mut columns) = (rows, depth, columns);
        if left_turned { rows = fits(left, rows) } else { depth = fits(left, depth) }
        if right_turned { depth = fits(right, depth) } else { columns = fits(right, columns) }
        if !left_turned { depth = fits(left, depth) }
        let left = Sample::new(left, left_turned, rows, depth, seed);
        let right = Sample::new(right, right_turned, depth, columns, seed ^ 1);
        let (bias, before) = (numbers(seed ^ 2, columns), numbers(seed ^ 3, rows * columns));
        let team = team(threads);
        for version in Kernels::available() {
            let mut out = if add { before.clone() } else { vec![f32::NAN; rows * columns] };
            let mut scratch = Scratch::default();
            version.matmul(&team, Matmul {
                left: left.factor(),
                right: right.factor(),
                bias: with_bias.then_some(&bias[..]),
                sum: if add { Sum::Add } else { Sum::Replace },
                precision,
                out: &mut out,
            }, &mut scratch);
            let packed = version.pack(&team, right.factor(), precision);
            let mut again = if add { before.clone() } else { vec![f32::NAN; rows * columns] };
            version.matmul(&team, Matmul {
                left: left.factor(),
                right: right.factor().with_packed(Some(&packed)),
                bias: with_bias.then_some(&bias[..]),
                sum: if add { Sum::Add } else { Sum::Replace },
                precision,
                out: &mut again,
            }, &mut scratch);
            prop_assert_eq!(bits(&again), bits(&out), "{}: packed before", version.name);
            for row in 0..rows {
                for column in 0..columns {
                    let (mut sum, mut size) = (0.0, 2.0);
                    for k in 0..depth {
                        let product = left.at(row, k) * right.at(k, column);
                        sum += product;
                        size += f64::abs(product);
                    }
                    if with_bias { sum += f64::from(bias[column]) }
                    if add { sum += f64::from(before[row * columns + column]) }
                    let most = size * error(precision);
                    let found = f64::from(out[row * columns + column]);
                    prop_assert!(
                        (found - sum).abs() <= most,
                        "{}: {found} is not {sum} at {row}, {column}", version.name
                    );
                }
            }
        }
    }
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|it| it.to_bits()).collect()
}

fn precision() -> impl Strategy<Value = Precision> {
    prop::sample::select(PRECISIONS.to_vec())
}

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::High, Precision::Bf16];

/// What may be lost of a product, as a share of it.
fn error(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 1e-6,
        Precision::High => 3.0 / f64::from(1 << 16),
        Precision::Bf16 => 8e-3,
    }
}

/// More than one block in each direction: against rows and columns taken by themselves.
fn check_blocks(rows: usize, depth: usize, columns: usize, precision: Precision) {
    check([rows, depth, columns], [true, true], precision);
}

fn check([rows, depth, columns]: [usize; 3], turned: [bool; 2], precision: Precision) {
    let team = team(2);
    let left = Sample::new(Side::F32, turned[0], rows, depth, 5);
    let right = Sample::new(Side::F32, turned[1], depth, columns, 6);
    for version in Kernels::available().into_iter().rev().take(2) {
        let mut out = vec![f32::NAN; rows * columns];
        let mut scratch = Scratch::default();
        let matmul = Matmul {
            left: left.factor(),
            right: right.factor(),
            bias: None,
            sum: Sum::Replace,
            precision,
            out: &mut out,
        };
        version.matmul(&team, matmul, &mut scratch);
        let packed = version.pack(&team, right.factor(), precision);
        assert!(packed.bytes() >= version.packed_bytes(&right.factor(), precision));
        let mut again = vec![f32::NAN; rows * columns];
        let matmul = Matmul {
            left: left.factor(),
            right: right.factor().with_packed(Some(&packed)),
            bias: None,
            sum: Sum::Replace,
            precision,
            out: &mut again,
        };
        version.matmul(&team, matmul, &mut scratch);
        assert!(
            bits(&again) == bits(&out),
            "{}: packed before",
            version.name
        );
        for step in 0..2000usize {
            let (row, column) = (step * 7919 % rows, step * 104_729 % columns);
            let sum: f64 = (0..depth)
                .map(|k| left.at(row, k) * right.at(k, column))
                .sum();
            let most = (depth as f64).sqrt() * 2.0 * error(precision);
            let found = f64::from(out[row * columns + column]);
            assert!(
                (found - sum).abs() <= most,
                "{}: {found} is not {sum} at {row}, {column}",
                version.name
            );
        }
    }
}

#[test]
fn many_columns_pass_in_blocks() {
    for precision in PRECISIONS {
        check_blocks(33, 70, 50_257, precision);
    }
}

#[test]
fn many_rows_pass_in_blocks() {
    for precision in PRECISIONS {
        check_blocks(50_257, 40, 17, precision);
    }
}

#[test]
fn a_deep_product_passes_in_blocks() {
    for precision in PRECISIONS {
        check_blocks(130, 9_001, 70, precision);
    }
}

#[test]
fn blocks_pass_in_every_direction() {
    for precision in PRECISIONS {
        check_blocks(1_000, 1_100, 2_100, precision);
    }
}

/// The five products of a low-rank adapter.
#[test]
fn a_thin_product_is_one_too() {
    for precision in PRECISIONS {
        check([300, 700, 8], [false, true], precision);
        check([300, 8, 701], [false, true], precision);
        check([300, 701, 8], [false, false], precision);
        check([701, 300, 8], [true, false], precision);
        check([8, 300, 701], [true, false], precision);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let left = Sample::new(Side::F32, false, 300, 900, 1);
    let right = Sample::new(Side::F32, false, 900, 500, 2);
    for precision in PRECISIONS {
        for version in Kernels::available() {
            let outs = [1, 2, 5].map(|threads| {
                let mut out = vec![0.0; 300 * 500];
                let matmul = Matmul {
                    left: left.factor(),
                    right: right.factor(),
                    bias: None,
                    sum: Sum::Replace,
                    precision,
                    out: &mut out,
                };
                version.matmul(&team(threads), matmul, &mut Scratch::default());
                out
            });
            assert!(outs[0] == outs[1] && outs[0] == outs[2], "{}", version.name);
        }
    }
}

#[test]
fn without_depth_only_the_bias_is_left() {
    let mut out = [1.0; 6];
    let multiply = |sum, out: &mut [f32; 6]| {
        let matmul = Matmul {
            left: Factor::f32(&[], 2, 0),
            right: Factor::f32(&[], 0, 3),
            bias: Some(&[1.0, 2.0, 3.0]),
            sum,
            precision: Precision::F32,
            out,
        };
        Kernels::best().matmul(&team(1), matmul, &mut Scratch::default());
    };
    multiply(Sum::Add, &mut out);
    assert_eq!(out, [2.0, 3.0, 4.0, 2.0, 3.0, 4.0]);
    multiply(Sum::Replace, &mut out);
    assert_eq!(out, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
}
