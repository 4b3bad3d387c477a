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
    /// `D → D`; a GGUF file may be without.
    dense: Option<PackedMatrix>,
    /// `D → L`
    out: PackedMatrix,
}

impl SequenceHead {
    pub(super) fn load(opened: &Opened, labels: usize) -> Result<Self, ModelError> {
        let config = opened.bert.config();
        let (dense, out) = match opened.names.classifier {
            Some([dense, out]) => {
                let has = |part: &str| opened.weights.contains(&format!("{part}.weight"));
                match (has(dense), has(out)) {
                    (true, false) => (None, dense),
                    (with_dense, _) => (with_dense.then(|| dense.to_owned()), out),
                }
            }
            None => {
                let prefix = opened.names.prefix(&opened.weights);
                let names = SequenceNames::of(config.family, prefix);
                (Some(names.dense), names.out)
            }
        };
        Ok(Self {
            dense: dense
                .map(|dense| opened.linear(&dense, config.width))
                .transpose()?,
            out: opened.linear(out, labels)?,
        })
    }

    /// Returns the logits of a text whose tokens' last hidden states are `hidden`,
    /// `(T, D)`.
    pub(super) fn logits(&self, hidden: &[f32]) -> Vec<f32> {
        let first = &hidden[..self.out.inputs()];
        match &self.dense {
            None => applied(&self.out, Activation::Identity, first),
            Some(dense) => {
                let pooled = applied(dense, Activation::Tanh, first);
                applied(&self.out, Activation::Identity, &pooled)
            }
        }
    }
}
