//! Runs an encoder over many texts: in batches, one to a thread.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::ModelError;
use crate::batch::{Batch, plan};
use crate::bert::{Bert, Workspace};
use crate::tokens::Tokens;

/// An encoder with its threads and the memory of their batches.
pub(crate) struct Runner {
    bert: Bert,
    /// Its own threads, or else those it is called on.
    pool: Option<rayon::ThreadPool>,
    idle: Mutex<Vec<Workspace>>,
}

impl Runner {
    pub(crate) fn new(bert: Bert, threads: Option<NonZeroUsize>) -> Result<Self, ModelError> {
        let start = |count: NonZeroUsize| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(count.get())
                .build()
                .map_err(|source| ModelError::Threads {
                    count: count.get(),
                    source,
                })
        };
        Ok(Self {
            bert,
            pool: threads.map(start).transpose()?,
            idle: Mutex::default(),
        })
    }

    pub(crate) fn bert(&self) -> &Bert {
        &self.bert
    }

    /// Returns what `read` makes of each text: `cut` gives the tokens of text `i` of
    /// `count`, and `read` is given their last hidden states, `(T, D)`.
    pub(crate) fn run<R: Send>(
        &self,
        count: usize,
        cut: impl Fn(usize) -> Result<Tokens, ModelError> + Send + Sync,
        read: impl Fn(&[f32]) -> R + Send + Sync,
    ) -> Result<Vec<R>, ModelError> {
        let alone = |text| cut(text).map(|tokens| vec![tokens]);
        let results = self.run_windows(count, alone, read)?;
        Ok(results.into_iter().flatten().collect())
    }

    /// Returns what `read` makes of each window of each text: `cut` gives the windows'
    /// tokens of text `i` of `count`.
    pub(crate) fn run_windows<R: Send>(
        &self,
        count: usize,
        cut: impl Fn(usize) -> Result<Vec<Tokens>, ModelError> + Send + Sync,
        read: impl Fn(&[f32]) -> R + Send + Sync,
    ) -> Result<Vec<Vec<R>>, ModelError> {
        let work = || {
            let texts: Vec<Vec<Tokens>> = (0..count)
                .into_par_iter()
                .map(cut)
                .collect::<Result<_, ModelError>>()?;
            let counts: Vec<usize> = texts.iter().map(Vec::len).collect();
            let windows: Vec<Tokens> = texts.into_iter().flatten().collect();
            let lengths: Vec<usize> = windows.iter().map(|window| window.ids.len()).collect();
            let batches = plan(&lengths, rayon::current_num_threads());
            let mut results: Vec<(usize, R)> = batches
                .into_par_iter()
                .with_max_len(1)
                .flat_map_iter(|batch| self.batch(&windows, batch, &read))
                .collect();
            results.sort_unstable_by_key(|(window, _)| *window);
            let mut results = results.into_iter().map(|(_, result)| result);
            Ok(counts
                .into_iter()
                .map(|count| results.by_ref().take(count).collect())
                .collect())
        };
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    fn batch<R>(
        &self,
        texts: &[Tokens],
        batch: Vec<usize>,
        read: &impl Fn(&[f32]) -> R,
    ) -> Vec<(usize, R)> {
        let width = self.bert.config().width;
        let tokens = Batch::of(batch.iter().map(|text| &texts[*text]));
        let mut workspace = self.take();
        let mut hidden = &*self.bert.forward(&tokens, &mut workspace);
        let results = batch
            .into_iter()
            .map(|text| {
                let (own, rest) = hidden.split_at(texts[text].ids.len() * width);
                hidden = rest;
                (text, read(own))
            })
            .collect();
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(workspace);
        results
    }

    /// Returns a workspace that no other thread uses.
    fn take(&self) -> Workspace {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default()
    }
}
