//! An encoder's parts with its head, trained or frozen as the tuning says.
//!
//! What has no numbers yet, as a head that was never trained, is drawn as transformers
//! does: weights from a normal distribution of deviation 0.02, biases zeros.

use tensor::{Layout, Pooling};

use crate::ModelError;
use crate::config::{EncoderConfig, Family};
use crate::encoder_names::HUGGING_FACE;
use crate::heads::{SPAN, SequenceNames, TAGS};
use crate::training::heads::Task;
use crate::training::linear::{Linear, Vector, Weight};
use crate::training::lookup::Table;
use crate::training::low_rank::LowRank;
use crate::training::start::Start;
use crate::training::{LowRankTuning, ParameterTable, Tuning};
use crate::weights::Weights;

/// A norm's weight and bias.
#[derive(Debug)]
pub(super) struct Norm {
    pub(super) weight: Vector,
    pub(super) bias: Vector,
}

/// Queries, keys and values.
#[derive(Debug)]
pub(super) enum QueryKeyValue {
    /// As one product, `D → 3 D`.
    Together(Box<Linear>),
    /// Because some of them are adapted.
    Apart(Box<[Linear; 3]>),
}

#[derive(Debug)]
pub(super) struct Layer {
    pub(super) query_key_value: QueryKeyValue,
    pub(super) attention_out: Linear,
    pub(super) attention_norm: Norm,
    pub(super) up: Linear,
    pub(super) down: Linear,
    pub(super) down_norm: Norm,
}

/// What makes a judgement of the last hidden states.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for a model")]
pub(super) enum Head {
    /// `out(tanh(dense(x)))` of the first token, with something left out before `out`, and
    /// in RoBERTa's also before `dense`.
    Sequence {
        dense: Linear,
        out: Linear,
        drop_first: bool,
    },
    /// `out(x)` of each token, with something left out before.
    Tokens(Linear),
    /// `out(x)` of each token.
    Span(Linear),
    /// The pooled vectors, of unit length.
    Vectors(Pooling),
}

/// All of an encoder that is trained.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) words: Table,
    pub(super) positions: Table,
    pub(super) segments: Table,
    pub(super) first_norm: Norm,
    pub(super) layers: Vec<Layer>,
    pub(super) head: Head,
}

impl Parts {
    /// How the names of the linear parts of a layer end.
    pub(super) const NAMES: [&'static str; 6] = [
        "query",
        "key",
        "value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ];
}

impl Layer {
    /// Returns its linear parts.
    pub(super) fn linears(&self) -> impl Iterator<Item = &Linear> {
        let first: &[Linear] = match &self.query_key_value {
            QueryKeyValue::Together(all) => std::slice::from_ref(&**all),
            QueryKeyValue::Apart(parts) => &**parts,
        };
        first
            .iter()
            .chain([&self.attention_out, &self.up, &self.down])
    }
}

impl Head {
    /// Returns its linear parts.
    pub(super) fn linears(&self) -> impl Iterator<Item = &Linear> {
        let (first, second) = match self {
            Self::Sequence { dense, out, .. } => (Some(dense), Some(out)),
            Self::Tokens(out) | Self::Span(out) => (Some(out), None),
            Self::Vectors(_) => (None, None),
        };
        first.into_iter().chain(second)
    }
}

/// Collects the parts.
pub(super) struct Builder<'a> {
    config: &'a EncoderConfig,
    weights: &'a Weights,
    /// What stands before the names of the encoder's own parts where they are stored, and
    /// where they will be saved.
    stored_prefix: &'static str,
    pub(super) prefix: &'static str,
    low_rank: Option<LowRankTuning<'a>>,
    /// Whether the head is stored, and not drawn.
    head_is_stored: bool,
    pub(super) table: ParameterTable,
    /// The names of the linear parts that are adapted.
    pub(super) adapted: Vec<String>,
    /// Numbers that are neither trained nor mapped.
    pub(super) frozen: usize,
}

const DEVIATION: f32 = 0.02;

impl<'a> Builder<'a> {
    pub(super) fn new(
        config: &'a EncoderConfig,
        weights: &'a Weights,
        task: &Task,
        head_is_stored: bool,
        tuning: &'a Tuning,
    ) -> Self {
        Self {
            config,
            weights,
            stored_prefix: HUGGING_FACE.prefix(weights),
            prefix: match (task, config.family) {
                (Task::Vectors { .. }, _) => "",
                (_, Family::Bert) => "bert.",
                (_, Family::Roberta) => "roberta.",
            },
            low_rank: tuning.low_rank(),
            head_is_stored,
            table: ParameterTable::default(),
            adapted: Vec::new(),
            frozen: 0,
        }
    }

    /// Finds all parts; `pooling` is for vectors.
    pub(super) fn parts(&mut self, task: &Task, pooling: Pooling) -> Result<Parts, ModelError> {
        let (config, names) = (self.config, &HUGGING_FACE);
        Ok(Parts {
            words: self.table(names.words, config.vocabulary)?,
            positions: self.table(names.positions, config.positions)?,
            segments: self.table(names.segments, config.segments)?,
            first_norm: self.norm(names.first_norm, 0)?,
            layers: (0..config.layers)
                .map(|layer| self.layer(layer))
                .collect::<Result<_, _>>()?,
            head: self.head(task, pooling)?,
        })
    }

    fn layer(&mut self, layer: usize) -> Result<Layer, ModelError> {
        let names = &HUGGING_FACE;
        let (width, inner) = (self.config.width, self.config.inner);
        let query_key_value = match self.low_rank {
            None => QueryKeyValue::Together(Box::new(self.together(layer)?)),
            Some(_) => {
                let [q, k, v] = names.query_key_value;
                let mut part = |name| self.linear(name, layer, [width, width]);
                QueryKeyValue::Apart(Box::new([part(q)?, part(k)?, part(v)?]))
            }
        };
        Ok(Layer {
            query_key_value,
            attention_out: self.linear(names.attention_out, layer, [width, width])?,
            attention_norm: self.norm(names.attention_norm, layer)?,
            up: self.linear(names.up, layer, [width, inner])?,
            down: self.linear(names.down, layer, [inner, width])?,
            down_norm: self.norm(names.down_norm, layer)?,
        })
    }

    /// Trains queries, keys and values as one: their weights lie one behind the other, and
    /// so do their biases.
    fn together(&mut self, layer: usize) -> Result<Linear, ModelError> {
        let width = self.config.width;
        let mut add = |end: &str, shape: &[usize], decays| {
            let ranges = HUGGING_FACE.query_key_value.map(|part| {
                let (name, stored) = self.names(part, layer);
                let stored = Start::Stored(format!("{stored}.{end}"));
                let name = format!("{name}.{end}");
                self.table.add(&name, shape, decays, stored)
            });
            ranges[0].start..ranges[2].end
        };
        let range = add("weight", &[width, width], true);
        let bias = add("bias", &[width], false);
        Ok(Linear {
            inputs: width,
            outputs: 3 * width,
            weight: Weight::Trained {
                range,
                layout: Layout::Rows,
            },
            packed: None,
            bias: Some(Vector::Trained(bias)),
            adapter: None,
        })
    }

    /// Returns what a part of a layer is called where it is saved, and where it is stored.
    fn names(&self, part: &str, layer: usize) -> (String, String) {
        let part = part.replace("{}", &layer.to_string());
        (
            format!("{}{part}", self.prefix),
            format!("{}{part}", self.stored_prefix),
        )
    }

    fn table(&mut self, part: &str, rows: usize) -> Result<Table, ModelError> {
        let (name, stored) = self.names(part, 0);
        let width = self.config.width;
        if self.low_rank.is_some() {
            let matrix = self.weights.matrix(&stored, width, rows, Layout::Rows)?;
            return Ok(Table::Stored(matrix));
        }
        let shape = [rows, width];
        let start = Start::Stored(stored);
        Ok(Table::Trained(self.table.add(&name, &shape, true, start)))
    }

    fn norm(&mut self, part: &str, layer: usize) -> Result<Norm, ModelError> {
        let (name, stored) = self.names(part, layer);
        let old = self.weights.contains(&format!("{stored}.gamma"));
        let (weight, bias) = if old {
            ("gamma", "beta")
        } else {
            ("weight", "bias")
        };
        let width = self.config.width;
        let frozen = self.low_rank.is_some();
        let mut vector = |end: &str, written: &str| {
            self.vector(
                &format!("{name}.{end}"),
                &format!("{stored}.{written}"),
                width,
                frozen,
            )
        };
        Ok(Norm {
            weight: vector("weight", weight)?,
            bias: vector("bias", bias)?,
        })
    }

    /// Returns a vector that is stored.
    fn vector(
        &mut self,
        name: &str,
        stored: &str,
        length: usize,
        frozen: bool,
    ) -> Result<Vector, ModelError> {
        if frozen {
            self.frozen += length;
            return Ok(Vector::Frozen(self.weights.tensor(stored, &[length])?));
        }
        let start = Start::Stored(stored.into());
        Ok(Vector::Trained(self.table.add(
            name,
            &[length],
            false,
            start,
        )))
    }

    /// Returns a linear part of the encoder itself.
    fn linear(
        &mut self,
        part: &str,
        layer: usize,
        sizes: [usize; 2],
    ) -> Result<Linear, ModelError> {
        let (name, stored) = self.names(part, layer);
        match self.low_rank {
            Some(low_rank) => self.adapted(low_rank, &name, &stored, sizes),
            None => Ok(self.trained(&name, Some(&stored), sizes)),
        }
    }

    /// Returns a frozen linear part, with a low-rank one beside it if it is named.
    fn adapted(
        &mut self,
        low_rank: LowRankTuning<'_>,
        name: &str,
        stored: &str,
        [inputs, outputs]: [usize; 2],
    ) -> Result<Linear, ModelError> {
        let weight = format!("{stored}.weight");
        let matrix = self
            .weights
            .matrix(&weight, inputs, outputs, Layout::Rows)?;
        let weight = Weight::Stored(matrix);
        let bias = self.vector("", &format!("{stored}.bias"), outputs, true)?;
        let adapter = low_rank.targets().has(name).then(|| {
            let number = self.adapted.len() as u64;
            self.adapted.push(name.into());
            let place = (name, number);
            LowRank::new(&mut self.table, low_rank, place, &weight, [inputs, outputs])
        });
        Ok(Linear {
            inputs,
            outputs,
            weight,
            packed: None,
            bias: Some(bias),
            adapter,
        })
    }

    /// Returns a linear part that is trained whole; drawn, if it is not stored.
    fn trained(
        &mut self,
        name: &str,
        stored: Option<&str>,
        [inputs, outputs]: [usize; 2],
    ) -> Linear {
        let start = |end: &str, drawn| match stored {
            Some(stored) => Start::Stored(format!("{stored}.{end}")),
            None => drawn,
        };
        let weight = format!("{name}.weight");
        let from = start("weight", Start::Normal(DEVIATION));
        let range = self.table.add(&weight, &[outputs, inputs], true, from);
        let bias = format!("{name}.bias");
        let bias = self
            .table
            .add(&bias, &[outputs], false, start("bias", Start::Zeros));
        Linear {
            inputs,
            outputs,
            weight: Weight::Trained {
                range,
                layout: Layout::Rows,
            },
            packed: None,
            bias: Some(Vector::Trained(bias)),
            adapter: None,
        }
    }

    /// Returns the head, which is always trained whole, but for BERT's pooler beside
    /// adapters, as PEFT has it.
    fn head(&mut self, task: &Task, pooling: Pooling) -> Result<Head, ModelError> {
        let width = self.config.width;
        let outputs = task.outputs();
        let of_head = |part: &'static str| self.head_is_stored.then_some(part);
        Ok(match task {
            Task::Vectors { .. } => Head::Vectors(pooling),
            Task::Tags { .. } => {
                let stored = of_head(TAGS);
                Head::Tokens(self.trained(TAGS, stored, [width, outputs]))
            }
            Task::Spans => {
                let stored = of_head(SPAN);
                Head::Span(self.trained(SPAN, stored, [width, outputs]))
            }
            Task::Classes { .. } | Task::Labels { .. } | Task::Scores => {
                let names = SequenceNames::of(self.config.family, self.prefix);
                let stored = SequenceNames::of(self.config.family, self.stored_prefix);
                let out = of_head(stored.out);
                let has = |name: &str| self.weights.contains(&format!("{name}.weight"));
                let pooler = match self.config.family {
                    Family::Bert => has(&stored.dense),
                    Family::Roberta => self.head_is_stored,
                };
                let sizes = [width, width];
                let dense = match self.low_rank {
                    Some(low_rank) if pooler && self.config.family == Family::Bert => {
                        self.adapted(low_rank, &names.dense, &stored.dense, sizes)?
                    }
                    _ => {
                        let stored = pooler.then_some(&*stored.dense);
                        self.trained(&names.dense, stored, sizes)
                    }
                };
                Head::Sequence {
                    dense,
                    out: self.trained(names.out, out, [width, outputs]),
                    drop_first: self.config.family == Family::Roberta,
                }
            }
        })
    }
}
