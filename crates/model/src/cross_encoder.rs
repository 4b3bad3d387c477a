//! An encoder that reads a question and a passage together and says how well the one
//! answers the other.

use std::num::NonZeroUsize;
use std::path::Path;

use contract::{PromiseError, Rerank, Share};
use tensor::{Activation, Kernels, PackedMatrix, Product};

use crate::ModelError;
use crate::bert::{Bert, Precision};
use crate::config::{EncoderConfig, Family};
use crate::folder::Folder;
use crate::runner::Runner;
use crate::sentence::longest_of_tokenizer;
use crate::tokens::Tokenizer;
use crate::weights::Weights;

/// How a cross-encoder is opened. What is not said is as the folder says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrossEncoderOptions {
    /// Threads of its own; without, the caller's pool.
    pub threads: Option<NonZeroUsize>,
    /// Tokens of question and passage together that are read, special ones included.
    pub longest: Option<usize>,
}

/// A cross-encoder from a Hugging Face folder: a sequence classifier of one label, as
/// sentence-transformers' `CrossEncoder` takes them.
///
/// A pair longer than the model reads is cut at the end of its longer text.
pub struct CrossEncoder {
    name: String,
    runner: Runner,
    tokenizer: Tokenizer,
    head: Head,
}

/// From the first token's last hidden state to a logit: `out(tanh(dense(x)))`.
struct Head {
    /// `D → D`
    dense: PackedMatrix,
    /// `D → 1`
    out: PackedMatrix,
}

impl Head {
    /// `BertPooler` and `classifier` of transformers' `BertForSequenceClassification`, or
    /// the same as `RobertaClassificationHead`.
    fn load(bert: &Bert, weights: &Weights) -> Result<Self, ModelError> {
        let width = bert.config().width;
        let (dense, out) = match bert.config().family {
            Family::Bert => (format!("{}pooler.dense", bert.prefix()), "classifier"),
            Family::Roberta => ("classifier.dense".into(), "classifier.out_proj"),
        };
        let linear = |part: &str, outputs: usize| {
            let rows = weights.tensor(&format!("{part}.weight"), &[outputs, width])?;
            let bias = weights.tensor(&format!("{part}.bias"), &[outputs])?;
            Ok::<_, ModelError>(PackedMatrix::of_rows(
                bert.kernels(),
                &rows,
                width,
                Some(&bias),
            ))
        };
        Ok(Self {
            dense: linear(&dense, width)?,
            out: linear(out, 1)?,
        })
    }

    fn logit(&self, first: &[f32]) -> f32 {
        let mut pooled = vec![0.0; first.len()];
        self.dense.multiply(Product {
            input: first,
            residual: None,
            activation: Activation::Tanh,
            output: &mut pooled,
        });
        let mut logit = [0.0];
        self.out.multiply(Product {
            input: &pooled,
            residual: None,
            activation: Activation::Identity,
            output: &mut logit,
        });
        logit[0]
    }
}

impl CrossEncoder {
    /// Opens the model in `folder`.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of a kind of model that is not known; a
    /// classifier with several labels is met by its tensor's shape.
    pub fn open(folder: &Path, options: &CrossEncoderOptions) -> Result<Self, ModelError> {
        let mut folder = Folder::new(folder);
        let config = EncoderConfig::read(&mut folder)?;
        let longest = match options.longest {
            Some(longest) => longest,
            None => longest_of_tokenizer(&mut folder)?
                .unwrap_or(usize::MAX)
                .min(config.longest()),
        };
        let weights = Weights::open(folder.path())?;
        let bert = Bert::load(config, &weights, Kernels::best(), Precision::F32)?;
        let head = Head::load(&bert, &weights)?;
        let tokenizer = Tokenizer::open(&mut folder, &bert, longest)?;
        weights.files().for_each(|file| folder.add(file));
        folder.add(&longest.to_le_bytes());
        Ok(Self {
            name: folder.identity(),
            runner: Runner::new(bert, options.threads)?,
            tokenizer,
            head,
        })
    }

    /// Returns the logit of each of `passages` with `question`: the larger, the better,
    /// without bounds.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn logits(&self, question: &str, passages: &[&str]) -> Result<Vec<f32>, ModelError> {
        let width = self.runner.bert().config().width;
        self.runner.run(
            passages.len(),
            |passage| {
                self.tokenizer
                    .pair(question.trim(), passages[passage].trim())
            },
            |hidden| self.head.logit(&hidden[..width]),
        )
    }
}

impl Rerank for CrossEncoder {
    fn name(&self) -> &str {
        &self.name
    }

    fn rerank(&self, question: &str, passages: &[&str]) -> Result<Vec<Share>, PromiseError> {
        let logits = self
            .logits(question, passages)
            .map_err(|error| PromiseError {
                who: self.name.clone(),
                source: Box::new(error),
            })?;
        Ok(logits
            .into_iter()
            .map(|logit| Share::clamped(1.0 / (1.0 + (-f64::from(logit)).exp())))
            .collect())
    }
}
