//! Decoders: transformers that read a text from left to right and say what comes next.
//!
//! An architecture is one file (`gpt2.rs`, `llama.rs`): its configuration, and its
//! tensors' names as a table. All of them become one description (`config.rs`) and one
//! list of layers (`layer.rs`), and take one road (`forward.rs`, `block.rs`). Weights are
//! used where they lie in their file, mapped into memory; only norms and biases are
//! copied.

mod block;
mod cache;
mod config;
mod export;
mod forward;
mod gpt2;
mod layer;
mod llama;
mod names;
mod project;
mod rope;
mod write;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tensor::{Kernels, Team};

pub use tensor::Precision;

use crate::folder::Folder;
use crate::gguf::{self, Gguf};
use crate::lora::{Adapter, Module, Place};
use crate::weights::{Matrix, Weights};
use crate::{ModelError, built_in};

pub use cache::Cache;
pub use config::{Architecture, AttentionConfig, Biases, DecoderConfig, Feed, Positions};
pub use export::{ExportOptions, GgufFormat, export_gguf};
pub use forward::Workspace;
pub use rope::Rotary;
pub(crate) use rope::{halves, neighbours};
pub use write::Shape;

use cache::{CacheShape, Keeping};
use config::Checks;
use layer::{FeedForward, Layer, Linear, Norm, Parts, QueryKeyValue};
pub(crate) use names::{Names, in_layer, side_by_side};

/// The file that describes a model in a Hugging Face folder.
const CONFIG: &str = "config.json";

/// How a decoder is run.
#[derive(Clone, Debug)]
pub struct DecoderOptions {
    /// Threads to compute on; as many as the machine has processors if not given.
    pub threads: Option<NonZeroUsize>,
    /// How exactly many tokens, as those of a prompt, are multiplied with weights of
    /// `f32`, by processors with tiles. Few tokens are in any case as exactly as can be.
    pub precision: Precision,
}

impl Default for DecoderOptions {
    fn default() -> Self {
        Self {
            threads: None,
            precision: Precision::High,
        }
    }
}

/// A decoder, ready to run.
///
/// One call of [`Decoder::forward`] uses all its threads; of calls at the same time from
/// several threads one has them, the others do with their own. So whoever has several
/// sequences gives them to one call.
#[derive(Debug)]
pub struct Decoder {
    config: DecoderConfig,
    kernels: &'static Kernels,
    team: Team,
    precision: Precision,
    /// Tokens that go through the layers together.
    block: usize,
    names: &'static Names,
    /// `(V, D)`
    embedding: Matrix,
    /// `(positions, D)`
    positions: Option<Matrix>,
    layers: Vec<Layer>,
    final_norm: Norm,
    /// `D → V`; if there is none, the embedding table.
    head: Option<Linear>,
    /// Tells decoders apart, that no adapter is used with another than it was opened for.
    number: u64,
}

/// One sequence's part in a call of [`Decoder::forward`].
#[derive(Debug)]
pub struct Step<'a> {
    /// What comes after the tokens in `cache`.
    pub tokens: &'a [u32],
    /// The sequence so far; the tokens are added to it.
    pub cache: &'a mut Cache,
    /// Adapters, each with its weight: 1 is as it was trained.
    pub adapters: &'a [(&'a Adapter, f32)],
    /// Which tokens' results are wanted.
    pub wanted: Wanted,
}

/// Which tokens' results are wanted of a [`Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// No token's: only the cache is filled.
    None,
    /// The last token's.
    Last,
    /// Every token's.
    All,
}

impl Decoder {
    /// Opens the decoder at `path`: a Hugging Face folder, a GGUF file, or a folder with
    /// one GGUF file.
    ///
    /// # Errors
    /// If its configuration or weights are missing, damaged or not known here.
    pub fn open(path: &Path, options: &DecoderOptions) -> Result<Self, ModelError> {
        let (config, names, weights) = files(path)?;
        Self::of(config, names, &weights, options)
    }

    /// Opens the decoder that is built into the program.
    ///
    /// # Errors
    /// If its threads cannot be started.
    pub fn built_in(options: &DecoderOptions) -> Result<Self, ModelError> {
        let path = Path::new(built_in::NAME);
        let (config, names) = of_config(path, built_in::CONFIG)?;
        let weights = Weights::from_bytes(built_in::WEIGHTS, path)?;
        Self::of(config, names, &weights, options)
    }

    fn of(
        config: DecoderConfig,
        names: &'static Names,
        weights: &Weights,
        options: &DecoderOptions,
    ) -> Result<Self, ModelError> {
        let parts = Parts::new(weights, names, &config);
        let layers = (0..config.layers())
            .map(|layer| parts.layer(layer))
            .collect::<Result<_, ModelError>>()?;
        let (embedding, positions) = (parts.embedding()?, parts.positions()?);
        let (final_norm, head) = (parts.final_norm()?, parts.head()?);
        static DECODERS: AtomicU64 = AtomicU64::new(0);
        let mut decoder = Self {
            kernels: Kernels::best(),
            team: team(options.threads)?,
            precision: options.precision,
            block: 0,
            names,
            embedding,
            positions,
            layers,
            final_norm,
            head,
            number: DECODERS.fetch_add(1, Ordering::Relaxed),
            config,
        };
        decoder.block = decoder.plan_block();
        Ok(decoder)
    }

    /// Returns its shape.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Returns an empty cache for `capacity` tokens of one sequence, or for as many as
    /// the model can read if these are fewer.
    pub fn cache(&self, capacity: usize) -> Cache {
        Cache::new(self.cache_shape(), capacity.min(self.config.context))
    }

    /// Returns what logits are made with, `(V, D)`.
    fn head_weight(&self) -> &Matrix {
        let head = self.head.as_ref();
        head.map_or(&self.embedding, |head| &head.weight)
    }

    /// Returns how many bytes of weights are read for each token: all but tables that are
    /// only looked up in.
    pub fn bytes_per_token(&self) -> usize {
        let layers = self.layers.iter().flat_map(Layer::matrices);
        let head = self.head_weight();
        layers
            .chain([head])
            .map(|matrix| matrix.view().bytes().len())
            .sum()
    }

    fn cache_shape(&self) -> CacheShape {
        CacheShape {
            layers: self.config.layers(),
            key_heads: self.config.key_heads,
            head_width: self.config.head_width,
            keeping: Keeping::beside(self.layers[0].keys().view().format()),
        }
    }

    /// Returns what transformers calls the layers.
    pub(crate) fn layer_names(&self) -> Vec<String> {
        let names = names_of(self.config.architecture);
        let layers = 0..self.layers.len();
        layers.map(|layer| names.layer(layer)).collect()
    }

    /// Returns the linear part that transformers calls `name`, if there is one.
    pub(crate) fn place(&self, name: &str) -> Option<Place> {
        let names = names_of(self.config.architecture);
        if name == names.head {
            return Some(Place::Head);
        }
        let name = names
            .prefixes
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix))?;
        let (layer, module) = names.module(name)?;
        (layer < self.layers.len()).then_some(Place::Layer(layer, module))
    }

    /// Returns the weight of a linear part. Panics if it is none of those that
    /// [`Decoder::place`] gives.
    pub(crate) fn weight(&self, place: Place) -> &Matrix {
        let (layer, module) = match place {
            Place::Layer(layer, module) => (layer, module),
            Place::Head => {
                let head = self.head.as_ref().map(|head| &head.weight);
                return head.unwrap_or(&self.embedding);
            }
        };
        let layer = &self.layers[layer];
        let linear = match (module, &layer.query_key_value, &layer.feed) {
            (Module::QueryKeyValue, QueryKeyValue::Together(all), _) => all,
            (Module::Query, QueryKeyValue::Apart([q, ..]), _) => q,
            (Module::Key, QueryKeyValue::Apart([_, k, _]), _) => k,
            (Module::Value, QueryKeyValue::Apart([.., v]), _) => v,
            (Module::AttentionOut, ..) => &layer.attention_out,
            (Module::Gate, _, FeedForward::Gated { gate, .. }) => gate,
            (Module::Up, _, FeedForward::Gated { up, .. } | FeedForward::Plain { up, .. }) => up,
            (
                Module::Down,
                _,
                FeedForward::Gated { down, .. } | FeedForward::Plain { down, .. },
            ) => down,
            _ => unreachable!("an architecture's names are those of its layers"),
        };
        &linear.weight
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

/// Opens the files of the decoder at `path`: a Hugging Face folder, a GGUF file, or a folder
/// with one. Returns its shape, what its tensors are called there, and its weights.
pub(crate) fn files(path: &Path) -> Result<(DecoderConfig, &'static Names, Weights), ModelError> {
    Ok(match gguf_at(path)? {
        Some(file) => {
            let gguf = Gguf::open(&file)?;
            let (config, names) = of_gguf(&gguf)?;
            (config, names, Weights::of_gguf(&gguf))
        }
        None => {
            let (config, names) = of_folder(path)?;
            (config, names, Weights::open(path)?)
        }
    })
}

/// Starts the threads.
fn team(threads: Option<NonZeroUsize>) -> Result<Team, ModelError> {
    let count = threads
        .or_else(|| std::thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN);
    Team::new(count).map_err(|source| ModelError::Team {
        count: count.get(),
        source,
    })
}

/// Returns the GGUF file that `path` is or holds, if it is no Hugging Face folder.
pub(crate) fn gguf_at(path: &Path) -> Result<Option<PathBuf>, ModelError> {
    if !path.is_dir() {
        // What is no folder is opened as a file, whose error names it.
        return Ok(Some(path.to_path_buf()));
    }
    if path.join(CONFIG).exists() {
        return Ok(None);
    }
    gguf_in(path)
}

/// Returns the one GGUF file in a folder, or the first of its shards, if there is any.
pub(crate) fn gguf_in(folder: &Path) -> Result<Option<PathBuf>, ModelError> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let file = entry?.path();
        let is_gguf = file
            .extension()
            .is_some_and(|it| it.eq_ignore_ascii_case("gguf"));
        // The other shards are opened with the first.
        if is_gguf && gguf::shard(&file).is_none_or(|number| number == 1) {
            found.push(file);
        }
    }
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => {
            found.sort();
            let name = |file: PathBuf| file.file_name().map(|it| it.to_string_lossy().into());
            Err(ModelError::SeveralGguf {
                folder: folder.to_path_buf(),
                found: found.into_iter().filter_map(name).collect(),
            })
        }
    }
}

/// Reads `config.json` in `folder`.
pub(crate) fn of_folder(folder: &Path) -> Result<(DecoderConfig, &'static Names), ModelError> {
    let mut files = Folder::new(folder);
    let bytes = files
        .bytes(CONFIG)?
        .ok_or_else(|| ModelError::FileMissing {
            folder: folder.to_path_buf(),
            file: CONFIG,
            hint: None,
        })?;
    of_config(&folder.join(CONFIG), &bytes)
}

/// Reads the bytes of the `config.json` at `path`.
fn of_config(path: &Path, bytes: &[u8]) -> Result<(DecoderConfig, &'static Names), ModelError> {
    #[derive(serde::Deserialize)]
    struct Kind {
        model_type: String,
        quantization_config: Option<serde_json::Value>,
    }
    fn read<'a, T: serde::Deserialize<'a>>(path: &Path, bytes: &'a [u8]) -> Result<T, ModelError> {
        serde_json::from_slice(bytes).map_err(|source| ModelError::Json {
            path: path.to_path_buf(),
            source,
        })
    }
    let kind: Kind = read(path, bytes)?;
    let checks = Checks { path };
    if let Some(quantised) = kind.quantization_config {
        let method = quantised
            .get("quant_method")
            .and_then(serde_json::Value::as_str)
            .unwrap_or("something")
            .to_owned();
        let expected = "weights as they were trained, or a GGUF file";
        return Err(checks.wrong("quantization_config", expected, &method));
    }
    let architecture = match &*kind.model_type {
        "gpt2" => {
            let written: gpt2::Written = read(path, bytes)?;
            return Ok((written.config(&checks)?, &gpt2::HUGGING_FACE));
        }
        "llama" => Architecture::Llama,
        "mistral" => Architecture::Mistral,
        "qwen2" => Architecture::Qwen2,
        "qwen3" => Architecture::Qwen3,
        other => {
            let known = "`gpt2`, `llama`, `mistral`, `qwen2` or `qwen3`";
            return Err(checks.wrong("model_type", known, &other));
        }
    };
    let written: llama::Written = read(path, bytes)?;
    Ok((written.config(architecture, &checks)?, &llama::HUGGING_FACE))
}

/// Returns what an architecture's tensors are called in safetensors.
pub(crate) fn names_of(architecture: Architecture) -> &'static Names {
    match architecture {
        Architecture::Gpt2 => &gpt2::HUGGING_FACE,
        _ => &llama::HUGGING_FACE,
    }
}

/// Returns what an architecture's tensors are called in GGUF.
pub(crate) fn gguf_names_of(architecture: Architecture) -> &'static Names {
    match architecture {
        Architecture::Gpt2 => &gpt2::GGUF,
        _ => &llama::GGUF,
    }
}

/// Reads the metadata of a GGUF file.
fn of_gguf(gguf: &Gguf) -> Result<(DecoderConfig, &'static Names), ModelError> {
    const KEY: &str = "general.architecture";
    match gguf.text(KEY)?.unwrap_or("nothing") {
        "gpt2" => Ok((gpt2::of_gguf(gguf)?, &gpt2::GGUF)),
        known @ ("llama" | "qwen2" | "qwen3") => Ok((llama::of_gguf(gguf, known)?, &llama::GGUF)),
        other => Err(ModelError::Gguf {
            path: gguf.path().to_path_buf(),
            what: KEY.into(),
            expected: "`gpt2`, `llama`, `qwen2` or `qwen3`".into(),
            found: format!("`{other}`"),
        }),
    }
}
