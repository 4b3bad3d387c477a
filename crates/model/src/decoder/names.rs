//! What an architecture's tensors are called: one table for safetensors, one for GGUF.

use tensor::Layout;

use crate::ModelError;
use crate::gguf::{Gguf, Value};
use crate::lora::{Module, Place};

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
    /// Returns what transformers calls a layer.
    pub(crate) fn layer(&self, layer: usize) -> String {
        let norm = in_layer(self.attention_norm, layer);
        let (layer, _) = norm.rsplit_once('.').expect("a norm is in a layer");
        format!("{}{layer}", self.prefixes[0])
    }

    /// Returns the layer and the linear part that are called `name`, which is without what
    /// stands before all names.
    pub(crate) fn module(&self, name: &str) -> Option<(usize, Module)> {
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

/// A part of a decoder, as two tables call it, without what may stand before.
pub(crate) struct NamedPart {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Which linear part it is, where it is one of a layer's, or the head.
    pub(crate) place: Option<Place>,
}

/// Returns the names of all parts of a decoder of so many layers in two tables that are of
/// the same architecture; the head is the last.
pub(crate) fn side_by_side(from: &Names, to: &Names, layers: usize) -> Vec<NamedPart> {
    let mut parts = Vec::new();
    let mut add = |from: Option<&str>, to: Option<&str>, at: Option<usize>, place| {
        let name = |part: &str| at.map_or_else(|| part.to_owned(), |layer| in_layer(part, layer));
        if let (Some(from), Some(to)) = (from, to) {
            let (from, to) = (name(from), name(to));
            parts.push(NamedPart { from, to, place });
        }
    };
    add(Some(from.embedding), Some(to.embedding), None, None);
    add(from.positions, to.positions, None, None);
    let together = [Module::QueryKeyValue];
    let apart = [Module::Query, Module::Key, Module::Value];
    let modules = match from.query_key_value {
        [_] => &together[..],
        _ => &apart,
    };
    for layer in 0..layers {
        let linear = |module| Some(Place::Layer(layer, module));
        let at = Some(layer);
        add(Some(from.attention_norm), Some(to.attention_norm), at, None);
        let both = from.query_key_value.iter().zip(to.query_key_value);
        for ((from, to), module) in both.zip(modules) {
            add(Some(from), Some(to), at, linear(*module));
        }
        for side in 0..2 {
            let norm = |names: &Names| names.head_norms.map(|it| it[side]);
            add(norm(from), norm(to), at, None);
        }
        let out = linear(Module::AttentionOut);
        add(Some(from.attention_out), Some(to.attention_out), at, out);
        add(Some(from.feed_norm), Some(to.feed_norm), at, None);
        add(from.gate, to.gate, at, linear(Module::Gate));
        add(Some(from.up), Some(to.up), at, linear(Module::Up));
        add(Some(from.down), Some(to.down), at, linear(Module::Down));
    }
    add(Some(from.final_norm), Some(to.final_norm), None, None);
    add(Some(from.head), Some(to.head), None, Some(Place::Head));
    parts
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
