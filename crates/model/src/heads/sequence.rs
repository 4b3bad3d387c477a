//! The head of whole texts: `out(tanh(dense(x)))` of the first token.

use tensor::{Activation, PackedMatrix};

use super::{Opened, applied};
use crate::ModelError;
use crate::config::Family;

/// What the two linear parts are called: `BertPooler` and the classifier of
/// transformers' `BertForSequenceClassification`, or those of
/// `RobertaClassificationHead`, which do the same.
pub(crate) struct SequenceNames {
    /// `D → D`
    pub(crate) dense: String,
    /// `D → L`
    pub(crate) out: &'static str,
}

impl SequenceNames {
    /// Returns the names of a family, of which other tensors begin with `prefix`.
    pub(crate) fn of(family: Family, prefix: &str) -> Self {
        let (dense, out) = match family {
            Family::Bert => (format!("{prefix}pooler.dense"), "classifier"),
            Family::Roberta => ("classifier.dense".into(), "classifier.out_proj"),
        };
        Self { dense, out }
    }
}

/// From the first token's last hidden state to logits.
#[derive(Debug)]
pub(super) struct SequenceHead {
    /// `D → D`
    dense: PackedMatrix,
    /// `D → L`
    out: PackedMatrix,
}

impl SequenceHead {
    pub(super) fn load(opened: &Opened, labels: usize) -> Result<Self, ModelError> {
        let names = SequenceNames::of(opened.bert.config().family, opened.bert.prefix());
        Ok(Self {
            dense: opened.linear(&names.dense, opened.bert.config().width)?,
            out: opened.linear(names.out, labels)?,
        })
    }

    /// Returns the logits of a text whose tokens' last hidden states are `hidden`,
    /// `(T, D)`.
    pub(super) fn logits(&self, hidden: &[f32]) -> Vec<f32> {
        let first = &hidden[..self.dense.inputs()];
        let pooled = applied(&self.dense, Activation::Tanh, first);
        applied(&self.out, Activation::Identity, &pooled)
    }
}
