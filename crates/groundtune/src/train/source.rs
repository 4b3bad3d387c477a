//! The model that learns: one that is there, or a new one with its vocabulary.

use std::path::{Path, PathBuf};

use ::train::{
    Architecture, ModelSource, NewModel, Precision, Recipe, Team, TokenizerSource, Tuning,
};
use model::EncoderTokenizer;
use model::decoder::{DecoderConfig, Shape};
use model::tokenizer::{TextTokenizer, Vocabulary, VocabularyRecipe};
use model::training::{
    Checkpointing, DecoderTraining, DropoutShares, EncoderTraining, MemoryPlan, Task,
    TrainingOptions,
};

use super::TrainingError;
use super::lessons::Files;
use crate::data::DataError;
use crate::models::{Environment, ModelPlace, ModelReference, ModelUse};

/// Why a decoder's vocabulary is there.
const DECODER: &str = "an objective for decoders opens their vocabulary";

/// Why an encoder's folder is there.
const ENCODER: &str = "an objective for encoders has a model that is there";

/// Where a run keeps a new model's vocabulary.
const TOKENIZER: &str = "tokenizer";

/// A model that is to learn, with its vocabulary.
#[derive(Debug)]
pub(super) struct Source {
    kind: Kind,
    /// A decoder's vocabulary; an encoder's is in its folder.
    tokenizer: Option<TextTokenizer>,
    /// A vocabulary that was learnt for this run and is not on the disk yet.
    learnt: Option<Vocabulary>,
    /// Files that lie beside its weights when it is saved.
    companions: Vec<PathBuf>,
    /// The steps of the run, once they are known.
    steps: u64,
}

#[derive(Debug)]
enum Kind {
    Base { folder: PathBuf, identity: String },
    New(DecoderConfig),
}

impl Source {
    /// Finds the model that `recipe` names, or plans a new one; `run` is one that goes on, and
    /// `models` the folder into which the model that is built in is unpacked.
    pub(super) fn open(
        recipe: &Recipe,
        environment: &Environment,
        files: &Files,
        run: Option<&Path>,
        models: &Path,
    ) -> Result<Self, TrainingError> {
        match &recipe.model {
            ModelSource::Base { path, tokenizer } => {
                let folder = find(path, environment, models)?;
                let opened = match (recipe.objective.is_for_encoders(), tokenizer) {
                    (true, Some(_)) => {
                        return Err(TrainingError::VocabularyElsewhere {
                            objective: recipe.objective.name(),
                        });
                    }
                    (true, None) => None,
                    (false, tokenizer) => {
                        let path = tokenizer.as_ref().unwrap_or(&folder);
                        Some(TextTokenizer::open_beside(path)?)
                    }
                };
                let identity = model::describe(&folder)
                    .ok()
                    .and_then(|it| it.architecture)
                    .unwrap_or_default();
                Ok(Self {
                    kind: Kind::Base {
                        identity: format!("{identity} {}", fingerprint(&folder)?),
                        folder,
                    },
                    tokenizer: opened,
                    learnt: None,
                    companions: tokenizer.iter().cloned().collect(),
                    steps: 0,
                })
            }
            ModelSource::New(_) if recipe.objective.is_for_encoders() => {
                Err(TrainingError::NoEncoder {
                    objective: recipe.objective.name(),
                })
            }
            ModelSource::New(shape) => Self::new(shape, recipe, files, run),
        }
    }

    fn new(
        shape: &NewModel,
        recipe: &Recipe,
        files: &Files,
        run: Option<&Path>,
    ) -> Result<Self, TrainingError> {
        let kept = run.map(|run| run.join(TOKENIZER)).filter(|it| it.exists());
        let (tokenizer, learnt, from) = match (&shape.tokenizer, kept) {
            (_, Some(kept)) => (TextTokenizer::open(&kept)?, None, Some(kept)),
            (TokenizerSource::Path { path }, None) => {
                (TextTokenizer::open(path)?, None, Some(path.clone()))
            }
            (TokenizerSource::Trained { vocabulary }, None) => {
                let wanted = VocabularyRecipe {
                    size: *vocabulary,
                    conversations: files.converse(),
                    ..VocabularyRecipe::default()
                };
                let learnt = Vocabulary::learn(files.texts(), &wanted)?;
                (learnt.tokenizer()?, Some(learnt), None)
            }
        };
        let companions = from.map_or_else(Vec::new, |from| companions(&from));
        let context = shape.context.max(recipe.steps.length);
        let shape_of = |inner| Shape {
            vocabulary: tokenizer.vocabulary(),
            context,
            width: shape.width,
            layers: shape.layers,
            heads: shape.heads,
            key_heads: shape.key_value_heads.unwrap_or(shape.heads),
            inner: shape.feed.unwrap_or(inner),
        };
        let config = match shape.architecture {
            Architecture::Gpt2 => DecoderConfig::gpt2(shape_of(4 * shape.width))?,
            // Shazeer 2020, §3: a gated feed has three products instead of two.
            Architecture::Llama => {
                DecoderConfig::llama(shape_of((8 * shape.width).div_ceil(3).next_multiple_of(32)))?
            }
        };
        Ok(Self {
            kind: Kind::New(config),
            tokenizer: Some(tokenizer),
            learnt,
            companions,
            steps: 0,
        })
    }

    /// Tells it how many steps it learns.
    pub(super) fn is_for(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// Returns what of the model is trained, in this run.
    fn tuning(&self, recipe: &Recipe) -> Tuning {
        let mut tuning = recipe.tuning.clone();
        tuning.is_for(recipe.seed, self.steps);
        tuning
    }

    /// Returns a decoder's vocabulary.
    pub(super) fn tokenizer(&self) -> &TextTokenizer {
        self.tokenizer.as_ref().expect(DECODER)
    }

    pub(super) fn into_tokenizer(self) -> TextTokenizer {
        self.tokenizer.expect(DECODER)
    }

    /// Returns an encoder's vocabulary, which cuts texts to `length` tokens.
    pub(super) fn encoder_tokenizer(
        &self,
        length: usize,
    ) -> Result<EncoderTokenizer, TrainingError> {
        let folder = self.folder().expect(ENCODER);
        let opened = EncoderTokenizer::of_folder(folder, Some(length));
        Ok(opened.map_err(DataError::from)?)
    }

    /// Returns the base's folder.
    pub(super) fn folder(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Base { folder, .. } => Some(folder),
            Kind::New(_) => None,
        }
    }

    /// Returns what tells the model from others.
    pub(super) fn identity(&self) -> String {
        match &self.kind {
            Kind::Base { identity, .. } => identity.clone(),
            Kind::New(config) => format!(
                "{:?} {} × {} × {}, {} tokens",
                config.architecture,
                config.layers(),
                config.width,
                config.heads,
                config.vocabulary
            ),
        }
    }

    /// Returns the shape of the decoder that learns.
    pub(super) fn decoder(&self) -> Result<DecoderConfig, TrainingError> {
        Ok(match &self.kind {
            Kind::Base { folder, .. } => DecoderConfig::at(folder)?,
            Kind::New(config) => config.clone(),
        })
    }

    /// Returns the most tokens that the model reads.
    pub(super) fn context(&self) -> Result<usize, TrainingError> {
        Ok(match &self.kind {
            Kind::Base { folder, .. } => {
                let context = model::describe(folder)?.context;
                context.map_or(usize::MAX, |it| it.try_into().unwrap_or(usize::MAX))
            }
            Kind::New(config) => config.context,
        })
    }

    /// Keeps in a run's folder what the run needs to go on.
    pub(super) fn keep(&mut self, run: &Path) -> Result<(), TrainingError> {
        if let Some(learnt) = &self.learnt {
            let folder = run.join(TOKENIZER);
            learnt.save(&folder)?;
            self.companions = companions(&folder);
        }
        Ok(())
    }

    /// Returns the files that lie beside its weights when it is saved.
    pub(super) fn companions(&self) -> Vec<PathBuf> {
        self.companions.clone()
    }

    /// Returns the memory that training takes, without taking it; `task` is an encoder's.
    pub(super) fn plan(
        &self,
        recipe: &Recipe,
        task: Option<&Task>,
        options: &TrainingOptions,
    ) -> Result<MemoryPlan, TrainingError> {
        if let Some(task) = task {
            let folder = self.folder().expect(ENCODER);
            return Ok(EncoderTraining::plan(
                folder,
                task,
                &self.tuning(recipe),
                options,
            )?);
        }
        Ok(match &self.kind {
            Kind::Base { folder, .. } => {
                DecoderTraining::plan(folder, &self.tuning(recipe), options)?
            }
            Kind::New(config) => DecoderTraining::plan_of(config, options)?,
        })
    }

    /// Opens an encoder to learn `task`.
    pub(super) fn encoder(
        &self,
        recipe: &Recipe,
        task: &Task,
        options: &TrainingOptions,
    ) -> Result<EncoderTraining, TrainingError> {
        let (folder, tuning) = (self.folder().expect(ENCODER), self.tuning(recipe));
        let seed = recipe.seed;
        Ok(EncoderTraining::open(folder, task, &tuning, options, seed)?)
    }

    /// Opens a decoder to learn, what does not change of it packed by `packed_by`.
    pub(super) fn training(
        &self,
        recipe: &Recipe,
        options: &TrainingOptions,
        packed_by: Option<&Team>,
    ) -> Result<DecoderTraining, TrainingError> {
        let tuning = self.tuning(recipe);
        Ok(match (&self.kind, packed_by) {
            (Kind::Base { folder, .. }, Some(team)) => {
                DecoderTraining::open_packed(folder, &tuning, options, team)?
            }
            (Kind::Base { folder, .. }, None) => DecoderTraining::open(folder, &tuning, options)?,
            (Kind::New(config), _) => DecoderTraining::initialise(config, recipe.seed, options)?,
        })
    }
}

/// Returns what a recipe's techniques are to the model, for batches of up to `tokens` tokens.
pub(super) fn options(recipe: &Recipe, tokens: usize) -> TrainingOptions {
    TrainingOptions {
        tokens,
        precision: match recipe.technique.precision {
            Precision::F32 => model::training::Precision::F32,
            Precision::High => model::training::Precision::High,
            Precision::Bf16 => model::training::Precision::Bf16,
        },
        checkpointing: if recipe.technique.checkpointing {
            Checkpointing::EachLayer
        } else {
            Checkpointing::None
        },
        dropout: DropoutShares {
            embedding: recipe.technique.dropout,
            residual: recipe.technique.dropout,
            attention: recipe.technique.dropout,
        },
    }
}

/// Returns the folder of the model that is called `name`.
fn find(name: &str, environment: &Environment, models: &Path) -> Result<PathBuf, TrainingError> {
    let not = || TrainingError::NotTrainable { found: name.into() };
    let reference: ModelReference = name.parse().map_err(|_| not())?;
    match environment.resolve(&reference, ModelUse::Generator, Path::new(""))? {
        // A run's model learns on.
        ModelPlace::Local(path) if path.is_dir() || is_gguf(&path) => Ok(path),
        ModelPlace::Tuned(tuned) => match tuned.adapter {
            Some(adapter) => Err(TrainingError::OnlyAdapter { adapter }),
            None => Ok(tuned.model),
        },
        ModelPlace::BuiltIn => {
            let folder = models.join(model::built_in::NAME);
            model::built_in::unpack(&folder)?;
            // An adapter names its base, from wherever it is used.
            Ok(fs_err::canonicalize(folder)?)
        }
        _ => Err(not()),
    }
}

/// Returns whether `path` is named as a GGUF file.
fn is_gguf(path: &Path) -> bool {
    let end = path.extension();
    end.is_some_and(|it| it.eq_ignore_ascii_case("gguf"))
}

/// Returns a fingerprint of a model's files: their names and lengths, and the beginning and
/// end of each. A model of gigabytes is not read twice for it.
fn fingerprint(folder: &Path) -> Result<String, TrainingError> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    const EDGE: u64 = 1 << 16;
    let mut files: Vec<PathBuf> = match folder.is_dir() {
        true => fs_err::read_dir(folder)?
            .map(|entry| entry.map(|it| it.path()))
            .collect::<Result<_, _>>()?,
        false => vec![folder.to_owned()],
    };
    files.retain(|path| {
        let is_weights = path.extension().is_some_and(|it| it == "safetensors");
        is_weights || is_gguf(path) || path.ends_with("config.json")
    });
    files.sort_unstable();
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for path in files {
        let mut file = fs_err::File::open(&path)?;
        let length = file.metadata()?.len();
        hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update(&length.to_le_bytes());
        let mut bytes = Vec::new();
        (&mut file).take(EDGE).read_to_end(&mut bytes)?;
        file.seek(SeekFrom::Start(length.saturating_sub(EDGE)))?;
        file.take(EDGE).read_to_end(&mut bytes)?;
        hash.update(&bytes);
    }
    Ok(format!("{:016x}", hash.digest()))
}

/// Files of a vocabulary, as Hugging Face folders have them.
const VOCABULARY: &[&str] = &[
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
];

/// Returns the vocabulary's files in a folder, or the file itself.
fn companions(from: &Path) -> Vec<PathBuf> {
    if from.is_file() {
        return vec![from.to_owned()];
    }
    let files = VOCABULARY.iter().map(|name| from.join(name));
    files.filter(|path| path.is_file()).collect()
}
