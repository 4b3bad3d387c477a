//! A decoder as one GGUF file, for llama.cpp and all that is built on it.
//!
//! Names, orders of rows and metadata are those that llama.cpp reads
//! (`convert_hf_to_gguf.py`, `llama-model.cpp`). Linear parts and tables are written in the
//! format that is wanted; norms, biases and learned positions always as F32. Where 4 bits
//! are wanted, what gives the logits has 8. A part whose rows are no whole blocks is
//! written as F16.

use std::fmt;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::Value as Json;
use tensor::{Activation, Format, Layout, Pairs};

use super::config::{Architecture, DecoderConfig, Feed, Positions};
use super::names::{Names, side_by_side};
use super::rope::neighbours;
use super::{CONFIG, Decoder, DecoderOptions, gguf_at, gguf_names_of, llama};
use crate::ModelError;
use crate::gguf::{Gguf, Metadata, TensorToWrite, write};
use crate::lora::{self, Adapter, Module, Place};
use crate::tokenizer::TextTokenizer;
use crate::weights::Weights;

/// Numbers that are widened at a time.
const PIECE: usize = 1 << 20;

/// In what the numbers of a GGUF file are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GgufFormat {
    /// IEEE 754 binary32: as they are.
    F32,
    /// IEEE 754 binary16.
    #[default]
    F16,
    /// The upper half of binary32.
    Bf16,
    /// 8 bits, and a scale for each 32 numbers.
    Q8_0,
    /// 4 bits, and a scale for each 32 numbers.
    Q4_0,
}

impl GgufFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::Bf16, Self::Q8_0, Self::Q4_0];

    /// Returns what it is called: `q8_0`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
        }
    }

    pub(crate) fn stored(self) -> Format {
        match self {
            Self::F32 => Format::F32,
            Self::F16 => Format::F16,
            Self::Bf16 => Format::Bf16,
            Self::Q8_0 => Format::Q8_0,
            Self::Q4_0 => Format::Q4_0,
        }
    }

    /// Returns the number of the file's type, `llama_ftype`.
    pub(crate) fn file_type(self) -> usize {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q8_0 => 7,
            Self::Bf16 => 32,
        }
    }
}

impl fmt::Display for GgufFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for GgufFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|it| it.name() == text);
        found.ok_or_else(|| "expected f32, f16, bf16, q8_0 or q4_0".into())
    }
}

/// What a GGUF file is to hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExportOptions {
    /// In what numbers are stored.
    pub format: GgufFormat,
    /// The model's vocabulary, if it is not beside its weights.
    pub tokenizer: Option<PathBuf>,
    /// Folders of adapters that are merged into the weights, each with its weight: 1 is as
    /// it was trained.
    pub adapters: Vec<(PathBuf, f32)>,
}

/// Writes the decoder at `model`, a Hugging Face folder or a GGUF file, with its vocabulary
/// to the GGUF file `to`. It is there whole or not at all.
///
/// # Errors
/// If the model is none of the decoders that are known, has something that these files
/// cannot say, an adapter does not fit, or the file cannot be written.
pub fn export_gguf(model: &Path, options: &ExportOptions, to: &Path) -> Result<(), ModelError> {
    let one = DecoderOptions {
        threads: Some(NonZeroUsize::MIN),
        ..DecoderOptions::default()
    };
    let decoder = Decoder::open(model, &one)?;
    let adapters: Vec<(&Path, f32)> = options
        .adapters
        .iter()
        .map(|(folder, weight)| (folder.as_path(), *weight))
        .collect();
    let from = match gguf_at(model)? {
        Some(file) => Origin::Gguf(Gguf::open(&file)?),
        None => Origin::Folder(model),
    };
    let export = Export {
        adapters: lora::to_merge(&decoder, &adapters)?,
        weights: match &from {
            Origin::Gguf(file) => Weights::of_gguf(file),
            Origin::Folder(folder) => Weights::open(folder)?,
        },
        decoder: &decoder,
        options,
    };
    let metadata = export.metadata(&from)?;
    let tensors = export.tensors()?;
    let plan: Vec<TensorToWrite> = tensors.iter().map(|it| it.to_write.clone()).collect();
    write(to, &metadata, &plan, |number, file| {
        export.numbers(&tensors[number], file)
    })
}

/// Where a model comes from.
enum Origin<'a> {
    Folder(&'a Path),
    Gguf(Gguf),
}

/// A decoder that is written.
struct Export<'a> {
    decoder: &'a Decoder,
    weights: Weights,
    adapters: Vec<(Adapter, f32)>,
    options: &'a ExportOptions,
}

/// A tensor of the file, and where its numbers come from.
struct Tensor {
    to_write: TensorToWrite,
    /// Its name where it comes from.
    stored: String,
    /// The linear part that it is the weight of.
    place: Option<Place>,
    /// Rows of this many heads are brought into another order.
    turned: Option<usize>,
}

/// A part of the model: what it is called on both sides.
struct Part {
    from: String,
    to: String,
    place: Option<Place>,
    /// The width of a row of its weight, where that is no vector.
    inputs: Option<usize>,
}

impl Export<'_> {
    fn config(&self) -> &DecoderConfig {
        &self.decoder.config
    }

    fn cannot(&self, key: &'static str, expected: &str, found: &str) -> ModelError {
        ModelError::Setting {
            path: self.config().path.clone(),
            key,
            expected: format!("{expected}, which GGUF files can say"),
            found: found.into(),
        }
    }

    /// Returns what the file says beside its numbers.
    fn metadata(&self, from: &Origin<'_>) -> Result<Metadata, ModelError> {
        let mut metadata = Metadata::default();
        match from {
            Origin::Gguf(file) => {
                // Places of parts of files that were several are of no use in one.
                metadata.copy(file, |key| !key.starts_with("split."));
                if let Some(path) = &self.options.tokenizer {
                    let tokenizer = TextTokenizer::open(path)?;
                    tokenizer.to_gguf(&mut metadata, self.config().vocabulary)?;
                }
            }
            Origin::Folder(folder) => {
                self.shape(&mut metadata, folder)?;
                let path = self.options.tokenizer.as_deref().unwrap_or(folder);
                let tokenizer = TextTokenizer::open(path)?;
                tokenizer.to_gguf(&mut metadata, self.config().vocabulary)?;
            }
        }
        metadata.size("general.file_type", self.options.format.file_type());
        metadata.size("general.quantization_version", 2);
        Ok(metadata)
    }

    /// Returns what llama.cpp calls the architecture.
    fn architecture(&self) -> &'static str {
        match self.config().architecture {
            Architecture::Gpt2 => "gpt2",
            // The same tensors; the window is of no concern to it.
            Architecture::Llama | Architecture::Mistral => "llama",
            Architecture::Qwen2 => "qwen2",
            Architecture::Qwen3 => "qwen3",
        }
    }

    /// Describes the model in a Hugging Face folder.
    fn shape(&self, metadata: &mut Metadata, folder: &Path) -> Result<(), ModelError> {
        let config = self.config();
        let architecture = self.architecture();
        let key = |name: &str| format!("{architecture}.{name}");
        let name = fs_err::canonicalize(folder)?;
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        metadata.text("general.architecture", architecture);
        metadata.text("general.type", "model");
        metadata.text("general.name", &name);
        metadata.size(&key("vocab_size"), config.vocabulary);
        metadata.size(&key("context_length"), config.context);
        metadata.size(&key("embedding_length"), config.width);
        metadata.size(&key("block_count"), config.layers());
        metadata.size(&key("feed_forward_length"), config.inner);
        metadata.size(&key("attention.head_count"), config.heads);
        metadata.size(&key("attention.head_count_kv"), config.key_heads);
        let usual = (config.head_width as f32).sqrt().recip();
        if config.attention.iter().any(|it| it.scale != usual) {
            let expected = "attention divided by the root of a head's width";
            return Err(self.cannot("scale_attn_weights", expected, "another scale"));
        }
        match (&config.positions, config.feed) {
            (Positions::Learned, Feed::Plain(Activation::GeluTanh)) => {
                metadata.number(&key("attention.layer_norm_epsilon"), config.epsilon);
            }
            (Positions::Rotary(_), Feed::Gated) => {
                metadata.number(&key("attention.layer_norm_rms_epsilon"), config.epsilon);
                metadata.size(&key("attention.key_length"), config.head_width);
                metadata.size(&key("attention.value_length"), config.head_width);
                metadata.size(&key("rope.dimension_count"), config.head_width);
                self.rotation(metadata, folder)?;
            }
            (_, Feed::Plain(other)) => {
                let found = format!("{other:?}");
                return Err(self.cannot("activation_function", "`gelu_new`", &found));
            }
            (Positions::Learned, Feed::Gated) => unreachable!("no architecture is so"),
        }
        let mut windows = config.attention.iter().map(|it| it.window);
        let window = windows.next().flatten();
        if let Some(window) = window {
            metadata.size(&key("attention.sliding_window"), window);
        }
        if windows.any(|other| other != window) {
            let found = "others in other layers";
            return Err(self.cannot("sliding_window", "one window for all layers", found));
        }
        Ok(())
    }

    /// Describes how queries and keys are rotated.
    fn rotation(&self, metadata: &mut Metadata, folder: &Path) -> Result<(), ModelError> {
        let path = folder.join(CONFIG);
        let written: Json = serde_json::from_slice(&fs_err::read(&path)?)
            .map_err(|source| ModelError::Json { path, source })?;
        let key = |name: &str| format!("{}.{name}", self.architecture());
        let tables = [written.get("rope_scaling"), written.get("rope_parameters")];
        let scaling = tables.into_iter().flatten().find(|it| it.is_object());
        let number = |name: &str| scaling?.get(name)?.as_f64();
        let theta = number("rope_theta").or(written.get("rope_theta").and_then(Json::as_f64));
        metadata.number(&key("rope.freq_base"), theta.unwrap_or(10_000.0) as f32);
        let kind = scaling
            .and_then(|it| it.get("rope_type").or(it.get("type"))?.as_str())
            .unwrap_or("default");
        let factor = number("factor").unwrap_or(1.0) as f32;
        match kind {
            "default" => {}
            "linear" => {
                metadata.text(&key("rope.scaling.type"), "linear");
                metadata.number(&key("rope.scaling.factor"), factor);
            }
            // Its factors are a tensor.
            "llama3" if self.architecture() == "llama" => {}
            "yarn" => {
                let more = [
                    "attention_factor",
                    "beta_fast",
                    "beta_slow",
                    "mscale",
                    "truncate",
                ];
                if let Some(more) = more.into_iter().find(|it| {
                    scaling
                        .and_then(|table| table.get(it))
                        .is_some_and(|it| !it.is_null())
                }) {
                    return Err(self.cannot("rope_scaling", "YaRN as it is usual", more));
                }
                metadata.text(&key("rope.scaling.type"), "yarn");
                metadata.number(&key("rope.scaling.factor"), factor);
                let original = number("original_max_position_embeddings");
                let original = original.map_or(self.config().context, |it| it as usize);
                metadata.size(&key("rope.scaling.original_context_length"), original);
            }
            other => {
                let found = format!("`{other}`");
                return Err(self.cannot("rope_scaling", "`linear`, `llama3` or `yarn`", &found));
            }
        }
        Ok(())
    }

    /// Returns what frequencies are divided by, if the file says it with a tensor: Llama 3's
    /// way to read longer texts.
    fn frequency_factors(&self) -> Option<Vec<f32>> {
        let stored = llama::FREQUENCY_FACTORS;
        if let Some(&[count]) = self.weights.shape(stored) {
            return self.weights.tensor(stored, &[count]).ok();
        }
        let folder = self.config().path.parent()?;
        let written: Json =
            serde_json::from_slice(&fs_err::read(folder.join(CONFIG)).ok()?).ok()?;
        let tables = [written.get("rope_scaling"), written.get("rope_parameters")];
        let scaling = tables.into_iter().flatten().find(|it| it.is_object())?;
        if scaling.get("rope_type").or(scaling.get("type"))? != "llama3" {
            return None;
        }
        let theta = scaling.get("rope_theta").or(written.get("rope_theta"));
        let theta = theta.and_then(Json::as_f64).unwrap_or(10_000.0);
        let Positions::Rotary(rotary) = &self.config().positions else {
            return None;
        };
        let width = self.config().head_width as f64;
        let factor = |(pair, frequency): (usize, &f32)| {
            (theta.powf(-2.0 * pair as f64 / width) / f64::from(*frequency)) as f32
        };
        Some(rotary.frequencies.iter().enumerate().map(factor).collect())
    }

    /// Returns the model's parts.
    fn parts(&self) -> Vec<Part> {
        let config = self.config();
        let from: &Names = self.decoder.names;
        let to = gguf_names_of(config.architecture);
        let embedding = format!("{}.weight", from.embedding);
        let prefixes = from.prefixes.iter();
        let prefix = prefixes
            .copied()
            .find(|prefix| self.weights.contains(&format!("{prefix}{embedding}")))
            .unwrap_or_default();
        let mut parts = side_by_side(from, to, config.layers());
        // A head that is the embedding table is not written twice.
        parts.retain(|part| part.place != Some(Place::Head) || !config.tied);
        parts
            .into_iter()
            .map(|part| Part {
                inputs: match part.place {
                    Some(Place::Layer(_, Module::AttentionOut)) => Some(config.query_width()),
                    Some(Place::Layer(_, Module::Down)) => Some(config.inner),
                    Some(_) => Some(config.width),
                    None => {
                        let table =
                            part.from == from.embedding || Some(&*part.from) == from.positions;
                        table.then_some(config.width)
                    }
                },
                from: match part.place {
                    Some(Place::Head) => part.from,
                    _ => format!("{prefix}{}", part.from),
                },
                to: part.to,
                place: part.place,
            })
            .collect()
    }

    /// Plans the file's tensors.
    fn tensors(&self) -> Result<Vec<Tensor>, ModelError> {
        let mut tensors = Vec::new();
        let config = self.config();
        if self.weights.contains("lm_head.bias") && !config.tied {
            return Err(self.cannot("lm_head.bias", "a head without a bias", "a bias"));
        }
        let halves =
            matches!(&config.positions, Positions::Rotary(it) if it.pairs == Pairs::Halves);
        let turns = halves && self.architecture() == "llama";
        for part in self.parts() {
            let turned = match part.place {
                Some(Place::Layer(_, Module::Query)) if turns => Some(config.heads),
                Some(Place::Layer(_, Module::Key)) if turns => Some(config.key_heads),
                _ => None,
            };
            for end in ["weight", "bias"] {
                let stored = format!("{}.{end}", part.from);
                let Some(shape) = self.weights.shape(&stored) else {
                    continue;
                };
                let numbers: usize = shape.iter().product();
                let inputs = part.inputs.filter(|_| end == "weight");
                let place = part.place.filter(|_| end == "weight");
                tensors.push(Tensor {
                    to_write: TensorToWrite {
                        name: format!("{}.{end}", part.to),
                        format: self.format(inputs, &part.to, place),
                        shape: match inputs {
                            Some(inputs) => vec![numbers / inputs, inputs],
                            None => vec![numbers],
                        },
                    },
                    stored,
                    place,
                    turned,
                });
            }
        }
        if let Some(factors) = self.frequency_factors() {
            tensors.push(Tensor {
                to_write: TensorToWrite {
                    name: llama::FREQUENCY_FACTORS.into(),
                    format: Format::F32,
                    shape: vec![factors.len()],
                },
                stored: llama::FREQUENCY_FACTORS.into(),
                place: None,
                turned: None,
            });
        }
        Ok(tensors)
    }

    /// Returns in what a tensor is stored whose rows have `inputs` numbers.
    fn format(&self, inputs: Option<usize>, name: &str, place: Option<Place>) -> Format {
        let is_table = place.is_none();
        let Some(inputs) = inputs.filter(|_| !name.contains("position")) else {
            return Format::F32;
        };
        let gives_logits = place == Some(Place::Head) || is_table && self.config().tied;
        let wanted = match self.options.format.stored() {
            Format::Q4_0 if gives_logits => Format::Q8_0,
            other => other,
        };
        if inputs.is_multiple_of(wanted.block_numbers()) {
            wanted
        } else {
            Format::F16
        }
    }

    /// Writes the numbers of a tensor.
    fn numbers(&self, tensor: &Tensor, file: &mut dyn Write) -> io::Result<()> {
        let format = tensor.to_write.format;
        let mut put = |numbers: &[f32]| {
            let length = format.bytes(numbers.len());
            let mut bytes = vec![0; length.expect("its rows are whole blocks")];
            let written = format.narrow(numbers, &mut bytes);
            assert!(written, "these formats can be written");
            file.write_all(&bytes)
        };
        if tensor.stored == llama::FREQUENCY_FACTORS {
            let factors = self.frequency_factors();
            return put(&factors.expect("they were there a moment ago"));
        }
        let shape = &tensor.to_write.shape;
        let sum = tensor
            .place
            .and_then(|place| lora::adapted(self.decoder, place, &self.adapters));
        let whole = match (sum, tensor.place) {
            (Some(sum), _) => Some(sum),
            (None, Some(place)) => {
                let matrix = self.decoder.weight(place);
                let apart = matrix.view().layout() == Layout::Columns || tensor.turned.is_some();
                apart.then(|| matrix.numbers())
            }
            (None, None) => None,
        };
        let width = shape.get(1).copied().unwrap_or(1);
        let rows = (PIECE / width).max(1) * width;
        if let Some(numbers) = whole.or_else(|| {
            let vector = shape.len() == 1;
            vector.then(|| self.weights.tensor(&tensor.stored, shape).ok())?
        }) {
            let numbers = match tensor.turned {
                Some(heads) => neighbours(&numbers, heads, width),
                None => numbers,
            };
            return numbers.chunks(rows).try_for_each(put);
        }
        let raw = self.weights.raw(&tensor.stored);
        let from = Format::ALL
            .into_iter()
            .find(|it| it.name() == raw.dtype)
            .expect("the decoder was opened with it");
        let row = from.bytes(rows).expect("rows are whole blocks");
        let mut numbers = vec![0.0; rows];
        for bytes in raw.bytes.chunks(row) {
            let count = bytes.len() / from.block_bytes() * from.block_numbers();
            from.widen(bytes, &mut numbers[..count]);
            put(&numbers[..count])?;
        }
        Ok(())
    }
}
