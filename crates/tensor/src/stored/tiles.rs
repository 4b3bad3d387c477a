//! Products of many tokens on processors that multiply tiles: what such a version brings
//! along, and how a team shares the work.

#![expect(unsafe_code, reason = "threads write to their own parts of an output")]

use super::multiply::{MOST_PRODUCTS, Ready, Task, find};
use super::{Scratch, StoredMatrix, StoredProduct, Sum};
use crate::activation::Activation;
use crate::format::Format;
use crate::matmul::Precision;
use crate::team::{Start, Team};

/// How one kind of processor multiplies tiles.
#[derive(Debug)]
pub(crate) struct Tiles {
    /// Tokens, and outputs, that are taken together.
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Planes of the input and the weight that a product takes.
    pub(crate) planes: fn(Format, Precision) -> [usize; 2],
    /// Bytes of a packed input of so many planes, tokens and inputs.
    pub(crate) input_bytes: fn(usize, usize, usize) -> usize,
    /// Bytes that a thread needs for a part of so many planes, inputs and outputs.
    pub(crate) panel_bytes: fn(usize, usize, usize) -> usize,
    /// Packs sixteen tokens of an input in so many planes, from the given one on.
    pub(crate) pack_input: unsafe fn(usize, &[f32], usize, usize, *mut u8),
    /// Computes some outputs of all tokens.
    pub(crate) part: unsafe fn(&Part<'_>),
}

/// Some outputs of all tokens.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "some of it is for tiles alone")
)]
pub(crate) struct Part<'a> {
    pub(crate) weight: &'a StoredMatrix<'a>,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) tokens: usize,
    /// The packed input, and its planes.
    pub(crate) input: *const u8,
    pub(crate) input_planes: usize,
    /// Planes of the input and the weight that the product takes.
    pub(crate) planes: [usize; 2],
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) add: bool,
    pub(crate) activation: Activation,
    /// `(T, N)`
    pub(crate) output: *mut f32,
    /// This thread's own.
    pub(crate) memory: *mut u8,
}

/// The most outputs of a part: as many as stay in the second-level cache.
const WIDEST_PART: usize = 256;
/// Bytes of a cache line, from which packed inputs begin.
const LINE: usize = 64;
/// Tokens of one tile.
const TILE_TOKENS: usize = 16;

impl Tiles {
    /// Computes products of many tokens, whose shapes were checked.
    pub(super) fn multiply(
        &self,
        team: &Team,
        input: &[f32],
        products: &mut [StoredProduct<'_>],
        scratch: &mut Scratch,
        lent: &mut [f32],
    ) {
        let inputs = products[0].weight.inputs;
        let tokens = input.len() / inputs;
        let mut input_planes = 1;
        let mut tasks = [const { None }; MOST_PRODUCTS];
        let (mut parts, mut memory) = (0, 0);
        for (task, product) in tasks.iter_mut().zip(&mut *products) {
            let weight = product.weight;
            let planes = (self.planes)(weight.format, product.precision);
            input_planes = input_planes.max(planes[0]);
            let outputs = weight
                .outputs
                .div_ceil(2 * team.threads())
                .next_multiple_of(self.columns)
                .clamp(self.columns, WIDEST_PART);
            memory = memory.max((self.panel_bytes)(planes[1], inputs, outputs));
            *task = Some(Task {
                first: parts,
                outputs,
                product: Ready {
                    weight,
                    layout: None,
                    bias: product.bias,
                    sum: product.sum,
                    activation: product.activation,
                    precision: product.precision,
                    output: Start(product.output.as_mut_ptr()),
                },
            });
            parts += weight.outputs.div_ceil(outputs);
        }
        let tasks = &tasks[..products.len()];
        let memory = memory.next_multiple_of(64);
        let packed = (self.input_bytes)(input_planes, tokens, inputs) / 4;
        let fits = packed <= lent.len() && lent.as_ptr().addr().is_multiple_of(LINE);
        let [own, seats] = scratch
            .panels
            .carve([if fits { 0 } else { packed }, memory / 4 * team.threads()]);
        let packed = if fits { lent } else { own };
        let packed = Start(packed.as_mut_ptr().cast::<u8>());
        let seats = Start(seats.as_mut_ptr().cast::<u8>());
        let tiles = tokens.next_multiple_of(self.rows) / TILE_TOKENS;
        team.run(tiles, &|tile, _| {
            // SAFETY: there is place for all tokens, and each sixteen have their own.
            unsafe {
                (self.pack_input)(
                    input_planes,
                    input,
                    inputs,
                    tile * TILE_TOKENS,
                    packed.get(),
                );
            };
        });
        team.run(parts, &|part, seat| {
            let (task, from, to) = find(tasks, part);
            // SAFETY: the shapes were checked, every part has outputs of its own, and
            // every seat memory of its own.
            unsafe {
                (self.part)(&Part {
                    weight: &task.product.weight,
                    from,
                    to,
                    tokens,
                    input: packed.get(),
                    input_planes,
                    planes: (self.planes)(task.product.weight.format, task.product.precision),
                    bias: task.product.bias,
                    add: task.product.sum == Sum::Add,
                    activation: task.product.activation,
                    output: task.product.output.get(),
                    memory: seats.get().add(seat * memory),
                });
            }
        });
    }
}
