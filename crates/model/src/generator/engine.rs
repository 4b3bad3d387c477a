//! What the scheduling of texts asks of a model: a forward pass over several sequences,
//! their keys and values, and tokens back into text.
//!
//! The decoder with its tokenizer is one; the tests have another, whose logits are a
//! function of all it has read, so that a sequence that lost or doubled a token is seen.

use crate::ModelError;

/// A model, as texts are written with it.
pub(super) trait Engine {
    /// One sequence's keys and values.
    type Cache;
    /// What adapters are applied to a sequence.
    type Adapters: Clone + PartialEq;
    /// A text on its way out of its tokens.
    type Stream;

    /// How many tokens a sequence can have.
    fn context(&self) -> usize;

    /// Whether `token` ends a text.
    fn ends(&self, token: u32) -> bool;

    /// Returns room for `capacity` tokens.
    fn cache(&self, capacity: usize) -> Self::Cache;

    /// Returns how many tokens `cache` has room for.
    fn capacity(cache: &Self::Cache) -> usize;

    /// Forgets all but the first `length` tokens.
    fn truncate(cache: &mut Self::Cache, length: usize);

    /// Takes over the first `length` tokens of `from` into the empty `cache`.
    fn copy_prefix(cache: &mut Self::Cache, from: &Self::Cache, length: usize);

    /// Reads the tokens of every step, and gives for each that wants it the logits of what
    /// comes after its last, `(V)`, with the step's number.
    fn forward(
        &mut self,
        steps: &mut [Step<'_, Self>],
        give: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), ModelError>;

    /// Returns the text that `token` completes.
    fn push(&self, stream: &mut Self::Stream, token: u32) -> Result<String, ModelError>;

    /// Returns what is left of a text that ends here.
    fn finish(&self, stream: &mut Self::Stream) -> String;
}

/// What one sequence has to read.
pub(super) struct Step<'a, E: Engine + ?Sized> {
    /// Tokens that follow those in the cache: one at least.
    pub(super) tokens: &'a [u32],
    pub(super) cache: &'a mut E::Cache,
    pub(super) adapters: &'a E::Adapters,
    /// Whether the logits after the last of them are wanted.
    pub(super) wanted: bool,
}
