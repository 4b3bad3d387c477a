//! An encoder that says what a text is about, of what tone it is, or whatever else it
//! was taught to tell apart.

use std::path::Path;

use tensor::Kernels;

use super::sequence::SequenceHead;
use super::{HeadOptions, Labels, Opened, largest};
use crate::ModelError;
use crate::runner::Runner;
use crate::tokens::EncoderTokenizer;

/// A classifier of texts from a Hugging Face folder: a `BertForSequenceClassification`,
/// or what does the same in its family.
///
/// A text longer than the model reads is cut at its end.
pub struct Classifier {
    name: String,
    runner: Runner,
    tokenizer: EncoderTokenizer,
    head: SequenceHead,
    labels: Labels,
}

impl Classifier {
    /// Opens the model in `folder`.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of a kind of model that is not known, or the
    /// head does not fit the labels that `config.json` names.
    pub fn open(folder: &Path, options: &HeadOptions) -> Result<Self, ModelError> {
        let opened = Opened::open(folder, options.longest)?;
        let head = SequenceHead::load(&opened, opened.labels.names.len())?;
        Ok(Self {
            head,
            name: opened.name.clone(),
            labels: opened.labels.clone(),
            runner: Runner::new(opened.bert, options.threads)?,
            tokenizer: opened.tokenizer,
        })
    }

    /// Returns the model's name with the fingerprint of its files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what its labels are called, in the order of its outputs.
    pub fn labels(&self) -> &[String] {
        &self.labels.names
    }

    /// Returns whether several labels may hold for one text.
    pub fn several(&self) -> bool {
        self.labels.several
    }

    /// Returns for each text the logit of every label.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn logits(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.runner.run(
            texts.len(),
            |text| self.tokenizer.text(texts[text]),
            |hidden| self.head.logits(hidden),
        )
    }

    /// Returns for each text the probability of every label, 0 to 1: together 1 where
    /// one of them holds, else each by itself.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn probabilities(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut logits = self.logits(texts)?;
        for row in &mut logits {
            if self.labels.several {
                row.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
            } else {
                Kernels::best().softmax(row, 1.0);
            }
        }
        Ok(logits)
    }

    /// Returns for each text the numbers of the labels that hold: the likeliest, or
    /// where several may hold all that are as likely as not.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn classify(&self, texts: &[&str]) -> Result<Vec<Vec<usize>>, ModelError> {
        let logits = self.logits(texts)?;
        let hold = |row: Vec<f32>| match self.labels.several {
            true => (0..row.len()).filter(|label| row[*label] >= 0.0).collect(),
            false => vec![largest(&row)],
        };
        Ok(logits.into_iter().map(hold).collect())
    }
}
