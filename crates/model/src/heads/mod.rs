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

pub use classifier::Classifier;
pub use cross_encoder::{CrossEncoder, CrossEncoderOptions};
pub use labels::{TaggedSpan, tagged_spans};
pub use reader::{Reader, ReaderOptions, Reading};
pub use token_classifier::{Entity, TokenClassifier};

pub(crate) use labels::Labels;

use std::num::NonZeroUsize;
use std::path::Path;

use tensor::{Activation, Kernels, PackedMatrix, Product};

use crate::ModelError;
use crate::bert::{Bert, Precision};
use crate::config::EncoderConfig;
use crate::folder::Folder;
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
    /// Of `config.json`.
    labels: Labels,
}

impl Opened {
    fn open(folder: &Path, longest: Option<usize>) -> Result<Self, ModelError> {
        let mut folder = Folder::new(folder);
        let config = EncoderConfig::read(&mut folder)?;
        let labels = Labels::read(&mut folder)?;
        let weights = Weights::open(folder.path())?;
        let tokenizer = EncoderTokenizer::open_for(&mut folder, &config, longest)?;
        let bert = Bert::load(config, &weights, Kernels::best(), Precision::F32)?;
        weights.files().for_each(|file| folder.add(file));
        folder.add(&tokenizer.longest().to_le_bytes());
        Ok(Self {
            name: folder.identity(),
            bert,
            weights,
            tokenizer,
            labels,
        })
    }

    /// Returns the linear part `name`, from the encoder's width to `outputs`.
    fn linear(&self, name: &str, outputs: usize) -> Result<PackedMatrix, ModelError> {
        let width = self.bert.config().width;
        let rows = self
            .weights
            .tensor(&format!("{name}.weight"), &[outputs, width])?;
        let bias = self.weights.tensor(&format!("{name}.bias"), &[outputs])?;
        let kernels = self.bert.kernels();
        Ok(PackedMatrix::of_rows(kernels, &rows, width, Some(&bias)))
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
