//! AdamW over the arena, with the gradient cut to a length.
//!
//! Neighbouring tensors for which weight decay holds alike are one part, so that a step is a
//! few long calls; in 8 bits each tensor is one, so that none shares a scale with another.
//! Where ranks are divided, that is part of the step.

use std::io::{self, Read, Write};
use std::ops::Range;

use model::training::RankBudget;
use tensor::training::{AdamW, EightBitMoments};
use tensor::{Kernels, Team};

use crate::learner::Arena;
use crate::recipe::{Optimiser, States};

/// What AdamW remembers of the gradients, and how many steps it has taken.
pub(crate) struct Update {
    kernels: &'static Kernels,
    optimiser: Optimiser,
    step: u64,
    parts: Vec<Part>,
    budget: Option<RankBudget>,
}

/// Numbers for which the same holds.
struct Part {
    range: Range<usize>,
    decays: bool,
    moments: Moments,
}

enum Moments {
    F32 { first: Vec<f32>, second: Vec<f32> },
    Int8(EightBitMoments),
}

/// Returns the gradient's length, the same for any number of threads.
pub(crate) fn length(team: &Team, gradients: &[f32]) -> f64 {
    Kernels::best().squared_norm(team, gradients).sqrt()
}

impl Update {
    /// Returns one for the numbers of `arena` that has taken no step yet; it divides ranks by
    /// `budget`.
    pub(crate) fn new(
        optimiser: &Optimiser,
        arena: &Arena<'_>,
        budget: Option<RankBudget>,
    ) -> Self {
        let moments = |count| match optimiser.states {
            States::F32 => Moments::F32 {
                first: vec![0.0; count],
                second: vec![0.0; count],
            },
            States::Int8 => Moments::Int8(EightBitMoments::zeros(count)),
        };
        let part = |(range, decays): (Range<usize>, bool)| Part {
            moments: moments(range.len()),
            range,
            decays,
        };
        Self {
            kernels: Kernels::best(),
            optimiser: *optimiser,
            step: 0,
            parts: match optimiser.states {
                States::F32 => alike(&arena.tensors).map(part).collect(),
                States::Int8 => arena.tensors.iter().cloned().map(part).collect(),
            },
            budget,
        }
    }

    /// Adds to the gradients those of what the tuning wants beside a small loss.
    pub(crate) fn regularise(&self, arena: &mut Arena<'_>) {
        if let Some(budget) = &self.budget {
            budget.regularise(arena.values, arena.gradients);
        }
    }

    /// Takes a step at learning rate `rate` with the gradients of `arena`, whose length is
    /// `length`.
    pub(crate) fn apply(&mut self, team: &Team, arena: &mut Arena<'_>, rate: f64, length: f64) {
        self.step += 1;
        let scale = scale(self.optimiser.clip, length) as f32;
        for part in &mut self.parts {
            let step = AdamW {
                learning_rate: rate,
                betas: (self.optimiser.beta1, self.optimiser.beta2),
                epsilon: self.optimiser.epsilon,
                weight_decay: if part.decays {
                    self.optimiser.weight_decay
                } else {
                    0.0
                },
                step: self.step,
            };
            let gradients = &arena.gradients[part.range.clone()];
            let values = &mut arena.values[part.range.clone()];
            match &mut part.moments {
                Moments::F32 { first, second } => {
                    self.kernels
                        .adamw(team, &step, scale, gradients, first, second, values);
                }
                Moments::Int8(moments) => {
                    self.kernels
                        .adamw_in_8_bits(team, &step, scale, gradients, moments, values);
                }
            }
        }
        if let Some(budget) = &mut self.budget {
            budget.allocate(arena.values, arena.gradients, scale, self.step - 1);
        }
    }

    /// Writes all that [`Update::read`] needs.
    pub(crate) fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(&self.step.to_le_bytes())?;
        let mut bytes = Vec::new();
        for part in &self.parts {
            match &part.moments {
                Moments::F32 { first, second } => {
                    to.write_all(bytemuck::cast_slice(first))?;
                    to.write_all(bytemuck::cast_slice(second))?;
                }
                Moments::Int8(moments) => {
                    bytes.clear();
                    moments.save(&mut bytes);
                    to.write_all(&bytes)?;
                }
            }
        }
        match &self.budget {
            Some(budget) => budget.write(to),
            None => Ok(()),
        }
    }

    /// Reads what one for the same numbers has written.
    pub(crate) fn read(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let mut step = [0; 8];
        from.read_exact(&mut step)?;
        self.step = u64::from_le_bytes(step);
        for part in &mut self.parts {
            match &mut part.moments {
                Moments::F32 { first, second } => {
                    from.read_exact(bytemuck::cast_slice_mut(first))?;
                    from.read_exact(bytemuck::cast_slice_mut(second))?;
                }
                Moments::Int8(moments) => {
                    let mut bytes = vec![0; moments.bytes()];
                    from.read_exact(&mut bytes)?;
                    *moments = EightBitMoments::restore(part.range.len(), &bytes)
                        .ok_or_else(|| io::Error::other("holds a scale that is none"))?;
                }
            }
        }
        match &mut self.budget {
            Some(budget) => budget.read(from),
            None => Ok(()),
        }
    }
}

/// Returns what a gradient of `length` is multiplied with to be no longer than `clip`, as
/// `torch.nn.utils.clip_grad_norm_` has it; a `clip` of 0 is none.
fn scale(clip: f64, length: f64) -> f64 {
    if clip == 0.0 {
        return 1.0;
    }
    (clip / (length + 1e-6)).min(1.0)
}

/// Returns neighbours for which weight decay holds alike as one.
fn alike(tensors: &[(Range<usize>, bool)]) -> impl Iterator<Item = (Range<usize>, bool)> {
    tensors
        .chunk_by(|one, next| one.1 == next.1)
        .map(|together| {
            let (first, last) = (&together[0], &together[together.len() - 1]);
            (first.0.start..last.0.end, first.1)
        })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn only_a_long_gradient_is_cut() {
        assert_eq!(scale(1.0, 0.5), 1.0);
        assert_eq!(scale(0.0, 9.0), 1.0);
        assert!((scale(1.0, 4.0) - 0.25).abs() < 1e-6);
    }

    #[test]
    fn neighbours_are_taken_together() {
        let tensors = [(0..2, true), (2..5, true), (5..6, false), (6..9, true)];
        let found: Vec<_> = alike(&tensors).collect();
        assert_eq!(found, [(0..5, true), (5..6, false), (6..9, true)]);
    }

    /// Numbers in two tensors of which only the first decays.
    struct Two {
        values: Vec<f32>,
        gradients: Vec<f32>,
        first: usize,
    }

    impl Two {
        fn arena(&mut self) -> Arena<'_> {
            let all = self.values.len();
            Arena {
                values: &mut self.values,
                gradients: &mut self.gradients,
                tensors: vec![(0..self.first, true), (self.first..all, false)],
            }
        }
    }

    #[test]
    fn only_what_decays_decays() {
        let team = Team::new(NonZeroUsize::MIN).unwrap();
        let optimiser = Optimiser {
            weight_decay: 0.5,
            ..Optimiser::default()
        };
        let mut two = Two {
            values: vec![1.0; 2],
            gradients: vec![0.0; 2],
            first: 1,
        };
        let mut update = Update::new(&optimiser, &two.arena(), None);
        update.apply(&team, &mut two.arena(), 0.1, 0.0);
        assert_eq!(two.values, [0.95, 1.0]);
    }

    #[test]
    fn what_was_remembered_is_read_again() {
        let team = Team::new(NonZeroUsize::MIN).unwrap();
        for states in [States::F32, States::Int8] {
            let optimiser = Optimiser {
                states,
                ..Optimiser::default()
            };
            let steps = |saved: bool| {
                let mut two = Two {
                    values: vec![1.0; 300],
                    gradients: (0..300u16).map(|at| f32::from(at) / 300.0 - 0.4).collect(),
                    first: 257,
                };
                let mut update = Update::new(&optimiser, &two.arena(), None);
                for _ in 0..3 {
                    update.apply(&team, &mut two.arena(), 0.01, 1.0);
                    if saved {
                        let mut bytes = Vec::new();
                        update.write(&mut bytes).unwrap();
                        update = Update::new(&optimiser, &two.arena(), None);
                        update.read(&mut &bytes[..]).unwrap();
                    }
                }
                two.values
            };
            assert_eq!(steps(true), steps(false), "{states:?}");
        }
    }
}
