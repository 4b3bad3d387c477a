//! What an architecture's tensors are called: one table for safetensors, one for GGUF.

use tensor::Layout;

use crate::ModelError;
use crate::gguf::{Gguf, Value};
use crate::lora::Module;

/// The names of a decoder's parts; `{}` is the number of the layer. A linear part and a
/// norm have `.weight` and perhaps `.bias`.
#[derive(Debug)]
pub(crate) struct Names {
    /// What may stand before all names but the head's, the most usual first.
    pub(crate) prefixes: &'static [&'static str],
    /// How the layers' linear parts lie.
    pub(crate) layout: Layout,
    /// `(V, D)`
    pub(crate) embedding: &'static str,
    /// `(positions, D)`
    pub(crate) positions: Option<&'static str>,
    pub(crate) final_norm: &'static str,
    /// `D → V`, always by rows.
    pub(crate) head: &'static str,
    pub(crate) attention_norm: &'static str,
    /// All in one, or each for itself.
    pub(crate) query_key_value: &'static [&'static str],
    /// Of queries and keys.
    pub(crate) head_norms: Option<[&'static str; 2]>,
    pub(crate) attention_out: &'static str,
    pub(crate) feed_norm: &'static str,
    pub(crate) gate: Option<&'static str>,
    pub(crate) up: &'static str,
    pub(crate) down: &'static str,
}

impl Names {
    /// Returns the layer and the linear part that are called `name`, which is without what
    /// stands before all names.
    pub(super) fn module(&self, name: &str) -> Option<(usize, Module)> {
        let parts = [
            (Some(self.attention_out), Module::AttentionOut),
            (self.gate, Module::Gate),
            (Some(self.up), Module::Up),
            (Some(self.down), Module::Down),
        ];
        let together = [(self.query_key_value[0], Module::QueryKeyValue)];
        let apart = [Module::Query, Module::Key, Module::Value];
        let first: Vec<(&str, Module)> = match self.query_key_value {
            [_] => together.to_vec(),
            names => names.iter().copied().zip(apart).collect(),
        };
        let parts = parts
            .into_iter()
            .filter_map(|(name, module)| Some((name?, module)));
        first.into_iter().chain(parts).find_map(|(part, module)| {
            let (before, after) = part.split_once("{}")?;
            let layer = name.strip_prefix(before)?.strip_suffix(after)?;
            Some((layer.parse().ok()?, module))
        })
    }
}

/// Returns the name of `part` in layer number `layer`.
pub(crate) fn in_layer(part: &str, layer: usize) -> String {
    part.replace("{}", &layer.to_string())
}

/// Returns the size that a GGUF file's metadata must have under `key` of `architecture`.
pub(super) fn needed(gguf: &Gguf, architecture: &str, key: &str) -> Result<usize, ModelError> {
    let key = format!("{architecture}.{key}");
    size(gguf, &key)?.ok_or_else(|| ModelError::Gguf {
        path: gguf.path().to_path_buf(),
        what: key,
        expected: "a number".into(),
        found: "nothing".into(),
    })
}

/// Returns the size under `key`, if there is one: a number, or a list of the same number
/// for every layer.
pub(super) fn size(gguf: &Gguf, key: &str) -> Result<Option<usize>, ModelError> {
    let wrong = |expected: &str, found: String| ModelError::Gguf {
        path: gguf.path().to_path_buf(),
        what: key.into(),
        expected: expected.into(),
        found,
    };
    let number = if let Some(Value::List(_)) = gguf.value(key) {
        let numbers = gguf.integers(key)?.unwrap_or_default();
        match numbers.first() {
            Some(first) if numbers.iter().all(|it| it == first) => {
                Some(u64::try_from(*first).unwrap_or(u64::MAX))
            }
            _ => return Err(wrong("the same for every layer", "others".into())),
        }
    } else {
        gguf.integer(key)?
    };
    number
        .map(|number| {
            usize::try_from(number).map_err(|_| wrong("a smaller number", number.to_string()))
        })
        .transpose()
}

/// Returns how many tokens the embedding table of a GGUF file has.
pub(super) fn vocabulary(gguf: &Gguf, names: &Names) -> Result<usize, ModelError> {
    let tensor = format!("{}.weight", names.embedding);
    match gguf.tensor(&tensor).map(|tensor| &tensor.shape[..]) {
        Some([tokens, _]) => Ok(*tokens),
        Some(shape) => Err(ModelError::TensorShape {
            path: gguf.path().to_path_buf(),
            tensor,
            expected: vec![0, 0],
            found: shape.to_vec(),
        }),
        None => Err(ModelError::TensorMissing {
            path: gguf.path().to_path_buf(),
            tensor,
        }),
    }
}
