//! What stands on an encoder: heads that make judgements of its hidden states.
//!
//! A head is a linear part or two. Those of whole texts ([`CrossEncoder`],
//! [`Classifier`]) read the first token, those of tokens ([`TokenClassifier`],
//! [`Reader`]) each of them. Names and shapes are those of Hugging Face transformers, so
//! that models trained there are read here and the other way round.

mod classifier;
mod cross_encoder;
mod labels;
mod reader;
mod sequence;
mod token_classifier;
mod word_encoder;

pub use classifier::Classifier;
pub use cross_encoder::{CrossEncoder, CrossEncoderOptions};
pub use labels::{TaggedSpan, tagged_spans};
pub use reader::{Reader, ReaderOptions, Reading, best_answer};
pub use token_classifier::{Entity, TokenClassifier};
pub use word_encoder::WordEncoder;

pub(crate) use labels::Labels;
pub(crate) use reader::{SPAN, THRESHOLD};
pub(crate) use sequence::SequenceNames;
pub(crate) use token_classifier::TAGS;

use std::num::NonZeroUsize;
use std::path::Path;

use tensor::{Activation, PackedMatrix, Product};

use crate::ModelError;
use crate::bert::{Bert, Precision};
use crate::encoder_files::EncoderFiles;
use crate::encoder_names::Names;
use crate::tokens::EncoderTokenizer;
use crate::weights::Weights;

/// How a model with a head is opened. What is not said is as the folder says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadOptions {
    /// Threads of its own; without, the caller's pool.
    pub threads: Option<NonZeroUsize>,
    /// Tokens that are read at once, special ones included.
    pub longest: Option<usize>,
}

/// An encoder whose head is opened next.
struct Opened {
    name: String,
    bert: Bert,
    weights: Weights,
    tokenizer: EncoderTokenizer,
    labels: Labels,
    names: &'static Names,
}

impl Opened {
    fn open(path: &Path, longest: Option<usize>) -> Result<Self, ModelError> {
        let mut files = EncoderFiles::open(path)?;
        let labels = files.labels()?;
        let longest = match longest {
            Some(longest) => longest,
            None => files
                .longest()?
                .unwrap_or(usize::MAX)
                .min(files.config.longest()),
        };
        let tokenizer = files.tokenizer(longest)?;
        let bert = files.bert(Precision::default())?;
        let names = files.names;
        let (mut folder, weights) = files.into_fingerprint();
        folder.add(&longest.to_le_bytes());
        Ok(Self {
            name: folder.identity(),
            bert,
            weights,
            tokenizer,
            labels,
            names,
        })
    }

    /// Returns the linear part `name`, from the encoder's width to `outputs`.
    fn linear(&self, name: &str, outputs: usize) -> Result<PackedMatrix, ModelError> {
        let width = self.bert.config().width;
        let rows = self
            .weights
            .tensor(&format!("{name}.weight"), &[outputs, width])?;
        let bias = self.weights.tensor(&format!("{name}.bias"), &[outputs])?;
        let (kernels, bias) = (self.bert.kernels(), Some(&bias[..]));
        let precision = tensor::Precision::default();
        Ok(PackedMatrix::of_rows(
            kernels, precision, &rows, width, bias,
        ))
    }
}

/// Returns `activation(input · W + bias)`, a row for each of `input`.
fn applied(linear: &PackedMatrix, activation: Activation, input: &[f32]) -> Vec<f32> {
    let mut output = vec![0.0; input.len() / linear.inputs() * linear.outputs()];
    linear.multiply(Product {
        input,
        residual: None,
        activation,
        output: &mut output,
    });
    output
}

/// Returns where the largest number is, the first of equals.
fn largest(numbers: &[f32]) -> usize {
    let mut best = 0;
    for (at, number) in numbers.iter().enumerate() {
        if *number > numbers[best] {
            best = at;
        }
    }
    best
}
