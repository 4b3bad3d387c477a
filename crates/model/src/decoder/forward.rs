//! A call of a decoder: tokens of several sequences in, logits out.
//!
//! All sequences of a call go together, their tokens one after another, in blocks of
//! so many tokens that the weights, read once a block, cost little beside the
//! arithmetic, and so few that memory stays small however long a text is. What one
//! block goes through is in `block.rs`.

use tensor::{Activation, Buffer, Scratch, StoredProduct, Sum};

use super::block::{Block, Room, Span};
use super::layer::Norm;
use super::{Decoder, Step, Wanted};
use crate::ModelError;
use crate::lora::{Given, Machine};

/// Tokens that go through the layers together, at least, and beside weights so large that
/// memory for more is little: each block reads all weights.
const BLOCK: usize = 256;
const LARGE_BLOCK: usize = 512;
/// Bytes of weights to which the memory of a large block is little.
const LARGE: usize = 200 << 20;
/// Rows of one norm that a thread takes together.
const ROWS: usize = 16;

/// The memory of one call, used again for the next; it grows only for a larger batch
/// than all before.
#[derive(Debug, Default)]
pub struct Workspace {
    numbers: Buffer,
    scratch: Scratch,
    spans: Vec<Span>,
}

impl Workspace {
    /// Returns how many numbers it holds.
    pub fn capacity(&self) -> usize {
        self.numbers.capacity() + self.scratch.capacity()
    }
}

impl Decoder {
    /// Reads the steps' tokens and returns the logits that are wanted, rows of `V` in
    /// the order of the steps. Allocates nothing, once `workspace` has seen a batch as
    /// large.
    ///
    /// # Errors
    /// If a token is not in the vocabulary, a cache has no room for the tokens, or an
    /// adapter or a cache is of another model. Nothing is read then.
    pub fn forward<'w>(
        &self,
        workspace: &'w mut Workspace,
        steps: &mut [Step<'_>],
    ) -> Result<&'w [f32], ModelError> {
        self.read(workspace, steps, true)
    }

    /// As [`Decoder::forward`], but returns the last hidden states, rows of `D`: what
    /// the head makes logits of.
    ///
    /// # Errors
    /// As [`Decoder::forward`].
    pub fn hidden<'w>(
        &self,
        workspace: &'w mut Workspace,
        steps: &mut [Step<'_>],
    ) -> Result<&'w [f32], ModelError> {
        self.read(workspace, steps, false)
    }

    fn read<'w>(
        &self,
        workspace: &'w mut Workspace,
        steps: &mut [Step<'_>],
        with_head: bool,
    ) -> Result<&'w [f32], ModelError> {
        for step in &*steps {
            self.check(step)?;
        }
        let config = &self.config;
        let total: usize = steps.iter().map(|step| step.tokens.len()).sum();
        let wanted: usize = steps.iter().map(Step::rows).sum();
        let most = total.min(self.block);
        let rank = steps
            .iter()
            .flat_map(|step| step.adapters)
            .map(|(adapter, _)| adapter.rank())
            .max()
            .unwrap_or(0);
        let Workspace {
            numbers,
            scratch,
            spans,
        } = workspace;
        let logits = if with_head { config.vocabulary } else { 0 };
        let [l0, l1, l2, l3, l4] = Room::lengths(self, most);
        let low = most.max(wanted) * rank;
        let (kept, logits) = (wanted * config.width, wanted * logits);
        let [x, y, within, cosines, sines, low, kept, logits] =
            numbers.carve([l0, l1, l2, l3, l4, low, kept, logits]);
        let mut room = Room {
            x,
            y,
            within,
            cosines,
            sines,
        };
        let (mut done, mut rows) = (0, 0);
        let mut next = (0, 0);
        while done < total {
            let tokens = plan(self.block, spans, steps, &mut next);
            let mut block = Block {
                decoder: self,
                steps: &mut *steps,
                spans,
                room: room.first(self, tokens),
                scratch: &mut *scratch,
                low: &mut *low,
            };
            block.read();
            for span in &*spans {
                let step = &mut steps[span.step];
                step.cache.grow(span.tokens);
                let skipped = match step.wanted {
                    Wanted::None => span.tokens,
                    Wanted::Last if span.from + span.tokens < step.tokens.len() => span.tokens,
                    Wanted::Last => span.tokens - 1,
                    Wanted::All => 0,
                };
                let last = span.row + span.tokens;
                let from = &room.x[(span.row + skipped) * config.width..last * config.width];
                kept[rows * config.width..][..from.len()].copy_from_slice(from);
                rows += span.tokens - skipped;
            }
            done += tokens;
        }
        assert_eq!(rows, wanted, "every wanted row was kept");
        self.normalize_in_place(&self.final_norm, kept);
        if !with_head {
            return Ok(kept);
        }
        let mut machine = Machine {
            kernels: self.kernels,
            team: &self.team,
            scratch,
            low,
        };
        self.answer(steps, kept, logits, &mut machine);
        Ok(logits)
    }

    /// Returns how many tokens are to go through the layers together.
    pub(super) fn plan_block(&self) -> usize {
        if self.bytes_per_token() < LARGE {
            BLOCK
        } else {
            LARGE_BLOCK
        }
    }

    /// Sets `logits`, `(rows, V)`, to what the head and the steps' adapters make of the
    /// last hidden states, `(rows, D)`.
    fn answer(
        &self,
        steps: &[Step<'_>],
        hidden: &[f32],
        logits: &mut [f32],
        machine: &mut Machine<'_>,
    ) {
        let bias = self.head.as_ref().and_then(|head| head.bias.as_deref());
        let product = StoredProduct {
            weight: self.head_weight().view(),
            bias,
            sum: Sum::Replace,
            activation: Activation::Identity,
            precision: self.precision,
            output: &mut *logits,
        };
        self.kernels
            .multiply(&self.team, hidden, &mut [product], machine.scratch);
        let (width, vocabulary) = (self.config.width, self.config.vocabulary);
        let mut row = 0;
        for step in steps {
            let rows = row..row + step.rows();
            row = rows.end;
            for (adapter, weight) in step.adapters {
                if let Some(part) = adapter.head() {
                    let input = &hidden[rows.start * width..rows.end * width];
                    let output = &mut logits[rows.start * vocabulary..rows.end * vocabulary];
                    part.add(machine, *weight, Given::InOutput { bias }, input, output);
                }
            }
        }
    }

    /// Refuses a step that can not be read.
    fn check(&self, step: &Step<'_>) -> Result<(), ModelError> {
        let model = || self.config.path.clone();
        if step.cache.shape() != self.cache_shape() {
            return Err(ModelError::CacheOfAnother { model: model() });
        }
        if step.tokens.len() > step.cache.room() {
            return Err(ModelError::ContextFull {
                model: model(),
                found: step.cache.len() + step.tokens.len(),
                room: step.cache.capacity(),
                context: self.config.context,
            });
        }
        let known = self.config.vocabulary;
        if let Some(token) = step.tokens.iter().find(|token| **token as usize >= known) {
            return Err(ModelError::UnknownToken {
                model: model(),
                found: *token,
                known,
            });
        }
        for (adapter, _) in step.adapters {
            if adapter.decoder() != self.number {
                return Err(ModelError::AdapterOfAnother {
                    adapter: adapter.path().to_path_buf(),
                    base: adapter.base().to_path_buf(),
                    model: model(),
                });
            }
        }
        Ok(())
    }

    /// Sets `to` to the rows of `from`, normalised.
    pub(super) fn normalize(&self, norm: &Norm, from: &[f32], to: &mut [f32]) {
        let chunk = ROWS * self.config.width;
        let run = |from: &[f32], to: &mut [f32]| match norm {
            Norm::Layer(norm) => {
                to.copy_from_slice(from);
                self.kernels.layer_norm(norm, to);
            }
            Norm::Rms(norm) => self.kernels.rms_norm(norm, from, to),
        };
        if to.len() <= chunk {
            return run(from, to);
        }
        self.team.chunks(to, chunk, &|at, to| {
            run(&from[at * chunk..][..to.len()], to);
        });
    }

    fn normalize_in_place(&self, norm: &Norm, rows: &mut [f32]) {
        match norm {
            Norm::Layer(norm) => self.kernels.layer_norm(norm, rows),
            Norm::Rms(norm) => self.kernels.rms_norm_in_place(norm, rows),
        }
    }
}

impl Step<'_> {
    /// Returns how many tokens' results are wanted.
    fn rows(&self) -> usize {
        match self.wanted {
            Wanted::None => 0,
            Wanted::Last => self.tokens.len().min(1),
            Wanted::All => self.tokens.len(),
        }
    }
}

/// Sets `spans` to the next block of so many: tokens from `next` (a step and one of its tokens) on.
/// Returns how many they are.
fn plan(
    block: usize,
    spans: &mut Vec<Span>,
    steps: &[Step<'_>],
    next: &mut (usize, usize),
) -> usize {
    spans.clear();
    let mut row = 0;
    while let Some(step) = steps.get(next.0) {
        let left = step.tokens.len() - next.1;
        let tokens = left.min(block - row);
        if tokens > 0 {
            spans.push(Span {
                step: next.0,
                from: next.1,
                tokens,
                row,
                // Earlier blocks are already in the cache.
                position: step.cache.len(),
            });
        }
        row += tokens;
        next.1 += tokens;
        if tokens < left {
            break;
        }
        *next = (next.0 + 1, 0);
    }
    row
}
