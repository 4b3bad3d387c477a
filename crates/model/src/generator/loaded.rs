//! A decoder with its tokenizer, as the scheduling of texts sees them.

use super::engine::{Engine, Step};
use crate::ModelError;
use crate::decoder::{self, Cache, Decoder, Wanted, Workspace};
use crate::lora::Adapter;
use crate::tokenizer::{TextTokenizer, TokenStream};

/// Which of the generator's adapters are applied, and how strongly.
pub(super) type Applied = Vec<(usize, f32)>;

/// A decoder with its tokenizer and the memory of its passes.
pub(super) struct Loaded<'g> {
    pub(super) decoder: &'g Decoder,
    pub(super) tokenizer: &'g TextTokenizer,
    pub(super) adapters: &'g [(String, Adapter)],
    pub(super) workspace: &'g mut Workspace,
}

impl<'g> Engine for Loaded<'g> {
    type Cache = Cache;
    type Adapters = Applied;
    type Stream = TokenStream<'g>;

    fn context(&self) -> usize {
        self.decoder.config().context
    }

    fn ends(&self, token: u32) -> bool {
        self.tokenizer.ends().contains(&token)
    }

    fn cache(&self, capacity: usize) -> Cache {
        self.decoder.cache(capacity)
    }

    fn capacity(cache: &Cache) -> usize {
        cache.capacity()
    }

    fn truncate(cache: &mut Cache, length: usize) {
        cache.truncate(length);
    }

    fn copy_prefix(cache: &mut Cache, from: &Cache, length: usize) {
        cache.copy_prefix(from, length);
    }

    fn forward(
        &mut self,
        steps: &mut [Step<'_, Self>],
        give: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), ModelError> {
        let of_step = |step: &Step<'_, Self>| -> Vec<(&'g Adapter, f32)> {
            let adapter = |(at, weight): &(usize, f32)| (&self.adapters[*at].1, *weight);
            step.adapters.iter().map(adapter).collect()
        };
        let adapters: Vec<_> = steps.iter().map(of_step).collect();
        let wanted: Vec<bool> = steps.iter().map(|step| step.wanted).collect();
        let mut passes: Vec<decoder::Step<'_>> = steps
            .iter_mut()
            .zip(&adapters)
            .map(|(step, adapters)| decoder::Step {
                tokens: step.tokens,
                cache: step.cache,
                adapters,
                wanted: if step.wanted {
                    Wanted::Last
                } else {
                    Wanted::None
                },
            })
            .collect();
        let logits = self.decoder.forward(self.workspace, &mut passes)?;
        let mut rows = logits.chunks_exact(self.decoder.config().vocabulary);
        for (at, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted) {
            give(at, rows.next().expect("a row for each that wants it"));
        }
        Ok(())
    }

    fn push(&self, stream: &mut TokenStream<'g>, token: u32) -> Result<String, ModelError> {
        stream.push(token)
    }

    fn finish(&self, stream: &mut TokenStream<'g>) -> String {
        stream.finish()
    }
}
