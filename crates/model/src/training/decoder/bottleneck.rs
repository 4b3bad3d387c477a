//! Bottleneck adapters of a decoder: `U f(D x + d) + u` is added behind what they are beside
//! (Houlsby et al. 2019, arXiv:1902.00751; Pfeiffer et al. 2021, arXiv:2005.00247), as
//! AdapterHub's library computes them.
//!
//! Letters: `T` tokens, `D` width, `w` the bottleneck's width.

use tensor::{Activation, Sum};

use crate::training::linear::{Adapters, Backward, Linear, Machine};

/// One bottleneck.
#[derive(Debug)]
pub(super) struct BottleneckPart {
    /// `D → w`
    pub(super) down: Linear,
    pub(super) activation: Activation,
    /// `w → D`
    pub(super) up: Linear,
}

/// Where a layer has bottlenecks.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for a layer")]
pub(super) enum Bottlenecks {
    /// Nowhere.
    None,
    /// Behind attention and behind the feed-forward part, each of what the part gives.
    BehindParts {
        attention: BottleneckPart,
        feed: BottleneckPart,
    },
    /// Behind the layer, of all that comes out of it.
    BehindLayer(BottleneckPart),
}

impl Bottlenecks {
    /// Returns them in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = &BottleneckPart> {
        let (first, second) = match self {
            Self::None => (None, None),
            Self::BehindParts { attention, feed } => (Some(attention), Some(feed)),
            Self::BehindLayer(part) => (None, Some(part)),
        };
        first.into_iter().chain(second)
    }

    /// Returns the one that stands behind attention.
    pub(super) fn of_attention(&self) -> Option<&BottleneckPart> {
        match self {
            Self::BehindParts { attention, .. } => Some(attention),
            Self::None | Self::BehindLayer(_) => None,
        }
    }

    /// Returns the one that stands behind the feed-forward part.
    pub(super) fn of_feed(&self) -> Option<&BottleneckPart> {
        match self {
            Self::BehindParts { feed, .. } => Some(feed),
            Self::None | Self::BehindLayer(_) => None,
        }
    }
}

impl BottleneckPart {
    /// Returns how many numbers of room it needs: before the activation and behind it, or the
    /// gradient there, `(T, w)` each.
    pub(super) fn room(&self, tokens: usize) -> [usize; 3] {
        [tokens * self.down.outputs; 3]
    }

    /// Adds to `output` what it makes of `input`, both `(T, D)`.
    pub(super) fn forward(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        input: &[f32],
        output: &mut [f32],
    ) {
        if machine.adapters == Adapters::Off {
            return;
        }
        let tokens = input.len() / self.down.inputs;
        let mut room = std::mem::take(machine.low);
        let [before, behind, _] = room.carve(self.room(tokens));
        self.inner(machine, values, input, before, behind);
        self.up.forward(machine, values, behind, Sum::Add, output);
        *machine.low = room;
    }

    /// Sets `before` and `behind` to what comes to the activation and what it gives.
    fn inner(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        input: &[f32],
        before: &mut [f32],
        behind: &mut [f32],
    ) {
        self.down
            .forward(machine, values, input, Sum::Replace, before);
        machine
            .kernels
            .activate_rows(machine.team, self.activation, before, behind);
    }

    /// Adds its gradients. `gradient`, `(T, D)`, is that of `input` plus what it makes of it,
    /// and becomes that of `input`.
    pub(super) fn backward(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        gradients: &mut [f32],
        input: &[f32],
        gradient: &mut [f32],
    ) {
        let tokens = input.len() / self.down.inputs;
        let mut room = std::mem::take(machine.low);
        let [before, behind, of_inner] = room.carve(self.room(tokens));
        self.inner(machine, values, input, before, behind);
        let given = Backward {
            input: behind,
            gradient,
            input_gradient: Some((Sum::Replace, &mut *of_inner)),
        };
        self.up.backward(machine, values, gradients, given);
        machine
            .kernels
            .activate_backward(machine.team, self.activation, before, of_inner);
        let given = Backward {
            input,
            gradient: of_inner,
            input_gradient: Some((Sum::Add, gradient)),
        };
        self.down.backward(machine, values, gradients, given);
        *machine.low = room;
    }
}
