//! A decoder's parts, trained or frozen as the tuning says, before any memory is taken.

use std::collections::HashMap;
use std::ops::Range;

use tensor::training::Nf4Matrix;
use tensor::{Activation, Factor, Layout, Precision, Team};

use super::bottleneck::{BottleneckPart, Bottlenecks};
use crate::ModelError;
use crate::decoder::{self, DecoderConfig, Feed, Names, in_layer, side_by_side};
use crate::gguf::Gguf;
use crate::lora::bottleneck;
use crate::training::linear::{Linear, Packed, Vector, Weight};
use crate::training::lookup::Table;
use crate::training::low_rank::LowRank;
use crate::training::start::Start;
use crate::training::{
    Bottleneck, BottleneckStyle, LowRankTuning, ParameterTable, Targets, Tuning,
};
use crate::weights::Weights;

/// The norm before a part; its kind is that of the model.
#[derive(Debug)]
pub(super) struct Norm {
    pub(super) weight: Vector,
    pub(super) bias: Option<Vector>,
}

/// Queries, keys and values.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for a layer")]
pub(super) enum QueryKeyValue {
    Together(Linear),
    Apart([Linear; 3]),
}

/// The feed-forward part.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for a layer")]
pub(super) enum FeedForward {
    Plain {
        up: Linear,
        activation: Activation,
        down: Linear,
    },
    Gated {
        gate: Linear,
        up: Linear,
        down: Linear,
    },
}

#[derive(Debug)]
pub(super) struct Layer {
    pub(super) attention_norm: Norm,
    pub(super) query_key_value: QueryKeyValue,
    /// Of one head's queries, and of its keys.
    pub(super) head_norms: Option<[Vector; 2]>,
    pub(super) attention_out: Linear,
    pub(super) feed_norm: Norm,
    pub(super) feed: FeedForward,
    pub(super) bottlenecks: Bottlenecks,
}

impl Layer {
    /// Returns the linear parts of attention, the last its output, and of the
    /// feed-forward part.
    pub(super) fn linears(&self) -> Vec<&Linear> {
        let mut linears: Vec<&Linear> = match &self.query_key_value {
            QueryKeyValue::Together(all) => vec![all],
            QueryKeyValue::Apart(parts) => parts.iter().collect(),
        };
        linears.push(&self.attention_out);
        linears.extend(self.feed_linears());
        linears
    }

    /// Returns the linear parts of the feed-forward part.
    fn feed_linears(&self) -> Vec<&Linear> {
        match &self.feed {
            FeedForward::Plain { up, down, .. } => vec![up, down],
            FeedForward::Gated { gate, up, down } => vec![gate, up, down],
        }
    }

    /// Returns whether anything that comes before the sum of heads is trained.
    pub(super) fn trains_query_key_value(&self) -> bool {
        match &self.query_key_value {
            QueryKeyValue::Together(all) => all.trains(),
            QueryKeyValue::Apart(parts) => parts.iter().any(Linear::trains),
        }
    }

    /// Returns whether anything of attention is trained.
    pub(super) fn trains_attention(&self) -> bool {
        self.trains_query_key_value()
            || self.attention_out.trains()
            || self.bottlenecks.of_attention().is_some()
    }

    /// Returns whether anything of the layer is trained.
    pub(super) fn trains(&self) -> bool {
        self.linears().into_iter().any(Linear::trains) || self.bottlenecks.all().next().is_some()
    }
}

/// All of a decoder.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) embedding: Table,
    pub(super) positions: Option<Table>,
    pub(super) layers: Vec<Layer>,
    pub(super) final_norm: Norm,
    pub(super) head: Linear,
}

impl Parts {
    /// Returns the ends of the names of the linear parts.
    pub(super) fn names(names: &Names) -> Vec<&str> {
        let layer = names.query_key_value.iter().copied();
        let layer = layer.chain([names.attention_out]).chain(names.gate);
        let all = layer.chain([names.up, names.down, names.head]);
        all.map(|name| name.rsplit('.').next().expect("a name has an end"))
            .collect()
    }

    /// Returns the bytes of the weights that are not trained, and how many numbers of one
    /// are widened at a time.
    pub(super) fn frozen(&self, frozen_as: FrozenAs<'_>) -> (usize, usize) {
        let tables = [Some(&self.embedding), self.positions.as_ref()];
        let tables = tables.into_iter().flatten().map(Table::frozen_bytes);
        let head = match (&self.embedding, &self.head.weight) {
            (Table::Stored(table), Weight::Stored(head))
                if table.view().bytes().as_ptr() == head.view().bytes().as_ptr() =>
            {
                0
            }
            (_, head) => head.frozen_bytes(),
        };
        let mut bytes = head + tables.sum::<usize>();
        let mut widened = 0;
        for linear in self.layers.iter().flat_map(Layer::linears) {
            let numbers = linear.inputs * linear.outputs;
            match frozen_as {
                FrozenAs::Stored | FrozenAs::Packed(..) => bytes += linear.weight.frozen_bytes(),
                FrozenAs::Nf4 | FrozenAs::PlannedNf4 => {
                    bytes += Nf4Matrix::bytes_of(numbers);
                    widened = widened.max(numbers);
                }
            }
        }
        (bytes, widened)
    }

    /// Returns how many bytes more the weights that are not trained take once they are packed:
    /// where they lie in their file they are not read any more, but for a table that is looked
    /// up in.
    pub(super) fn packed(&self, precision: Precision) -> usize {
        let linears = self.layers.iter().flat_map(Layer::linears);
        let layers = linears.map(|linear| {
            let packed = linear.weight.packed_bytes(precision);
            packed.saturating_sub(linear.weight.frozen_bytes())
        });
        layers.sum::<usize>() + self.head.weight.packed_bytes(precision)
    }
}

/// How the frozen weights of layers lie in memory.
#[derive(Clone, Copy)]
pub(super) enum FrozenAs<'a> {
    /// As in their file.
    Stored,
    /// As products read them, and the head's too: packed by the team.
    Packed(&'a Team, Precision),
    /// In 4 bits.
    Nf4,
    /// In 4 bits later on: for now they are only planned.
    PlannedNf4,
}

/// Collects the parts.
pub(super) struct Builder<'a> {
    config: &'a DecoderConfig,
    /// What the parts are called by transformers.
    names: &'static Names,
    /// What they are called in the file, where that is something else.
    stored_names: HashMap<String, String>,
    /// How the layers' linear parts lie in the file.
    stored_layout: Layout,
    /// Where the numbers come from; if there is nothing, they are drawn.
    weights: Option<&'a Weights>,
    /// What stands before all names but the head's, in the file.
    stored_prefix: &'static str,
    tuning: &'a Tuning,
    frozen_as: FrozenAs<'a>,
    pub(super) table: ParameterTable,
    /// The names of the linear parts that are adapted.
    pub(super) adapted: Vec<String>,
    /// Numbers that are neither trained nor mapped.
    pub(super) frozen: usize,
}

/// How the numbers of a model from scratch are drawn: GPT-2's (Radford et al. 2019, §2.3),
/// where what goes into the residual stream is smaller the more layers add to it.
const DEVIATION: f32 = 0.02;

impl<'a> Builder<'a> {
    pub(super) fn new(
        config: &'a DecoderConfig,
        stored: &'static Names,
        weights: Option<&'a Weights>,
        tuning: &'a Tuning,
        frozen_as: FrozenAs<'a>,
    ) -> Self {
        let names = decoder::names_of(config.architecture);
        let stored_names = match std::ptr::eq(names, stored) {
            true => HashMap::new(),
            false => side_by_side(names, stored, config.layers())
                .into_iter()
                .map(|part| (part.from, part.to))
                .collect(),
        };
        let stored_prefix = stored.prefixes.iter().find(|prefix| {
            let embedding = format!("{prefix}{}.weight", stored.embedding);
            weights.is_some_and(|it| it.contains(&embedding))
        });
        Self {
            config,
            names,
            stored_names,
            stored_layout: stored.layout,
            weights,
            stored_prefix: stored_prefix.unwrap_or(&stored.prefixes[0]),
            frozen_as,
            tuning,
            table: ParameterTable::default(),
            adapted: Vec::new(),
            frozen: 0,
        }
    }

    /// Returns whether the model's own numbers stay as they are.
    fn freezes(&self) -> bool {
        *self.tuning != Tuning::Full
    }

    /// Finds all parts.
    pub(super) fn parts(&mut self) -> Result<Parts, ModelError> {
        let (config, names) = (self.config, self.names);
        let width = config.width;
        let embedding = self.table_of(names.embedding, config.vocabulary)?;
        let positions = names
            .positions
            .map(|name| self.table_of(name, config.context))
            .transpose()?;
        let layers = (0..config.layers())
            .map(|layer| self.layer(layer))
            .collect::<Result<_, _>>()?;
        let final_norm = self.norm(names.final_norm, 0)?;
        let head = self.head(&embedding, width)?;
        Ok(Parts {
            embedding,
            positions,
            layers,
            final_norm,
            head,
        })
    }

    fn layer(&mut self, layer: usize) -> Result<Layer, ModelError> {
        let (config, names) = (self.config, self.names);
        let (width, inner) = (config.width, config.inner);
        let (queries, keys) = (config.query_width(), config.key_width());
        let biases = config.biases;
        let residual = DEVIATION / (2.0 * config.layers() as f32).sqrt();
        let attention_norm = self.norm(names.attention_norm, layer)?;
        let mut linear = |part: &str, inputs, outputs, bias, deviation| {
            let name = in_layer(part, layer);
            self.linear(&name, [inputs, outputs], bias, deviation)
        };
        let bias = biases.query_key_value;
        let query_key_value = match names.query_key_value {
            [q, k, v] => QueryKeyValue::Apart([
                linear(q, width, queries, bias, DEVIATION)?,
                linear(k, width, keys, bias, DEVIATION)?,
                linear(v, width, keys, bias, DEVIATION)?,
            ]),
            together => {
                let outputs = queries + 2 * keys;
                QueryKeyValue::Together(linear(together[0], width, outputs, bias, DEVIATION)?)
            }
        };
        let out = names.attention_out;
        let attention_out = linear(out, queries, width, biases.attention_out, residual)?;
        let head_norms = match names.head_norms.filter(|_| config.head_norms) {
            Some([of_queries, of_keys]) => Some([
                self.weight_of_norm(of_queries, layer, config.head_width)?,
                self.weight_of_norm(of_keys, layer, config.head_width)?,
            ]),
            None => None,
        };
        let feed_norm = self.norm(names.feed_norm, layer)?;
        let mut linear = |part: &str, inputs, outputs, deviation| {
            let name = in_layer(part, layer);
            self.linear(&name, [inputs, outputs], biases.feed, deviation)
        };
        let feed = match (config.feed, names.gate) {
            (Feed::Plain(activation), _) => FeedForward::Plain {
                up: linear(names.up, width, inner, DEVIATION)?,
                activation,
                down: linear(names.down, inner, width, residual)?,
            },
            (Feed::Gated, gate) => FeedForward::Gated {
                gate: linear(
                    gate.expect("a gated part has a gate's name"),
                    width,
                    inner,
                    DEVIATION,
                )?,
                up: linear(names.up, width, inner, DEVIATION)?,
                down: linear(names.down, inner, width, residual)?,
            },
        };
        let bottlenecks = self.bottlenecks(layer);
        Ok(Layer {
            bottlenecks,
            attention_norm,
            query_key_value,
            head_norms,
            attention_out,
            feed_norm,
            feed,
        })
    }

    /// Adds the bottlenecks of a layer, as the tuning says.
    fn bottlenecks(&mut self, layer: usize) -> Bottlenecks {
        let Tuning::Bottleneck(tuning) = self.tuning else {
            return Bottlenecks::None;
        };
        let mut part = |place| self.bottleneck(tuning, layer, place);
        match tuning.style {
            BottleneckStyle::Houlsby => Bottlenecks::BehindParts {
                attention: part(bottleneck::ATTENTION),
                feed: part(bottleneck::OUTPUT),
            },
            BottleneckStyle::Pfeiffer => Bottlenecks::BehindLayer(part(bottleneck::OUTPUT)),
        }
    }

    /// Adds one: drawn as `torch.nn.Linear` is, but for what comes out, which begins as zeros.
    fn bottleneck(&mut self, tuning: &Bottleneck, layer: usize, place: &str) -> BottleneckPart {
        let width = self.config.width;
        let inner = tuning.width(width);
        let in_layer = self.names.layer(layer);
        let mut linear = |end: &str, [inputs, outputs]: [usize; 2], start| {
            let name = bottleneck::name(&in_layer, place, end);
            let mut add = |end: &str, shape: &[usize], start| {
                let name = format!("{name}.{end}");
                self.table.add(&name, shape, shape.len() > 1, start)
            };
            let range = add("weight", &[outputs, inputs], start);
            let bias = add("bias", &[outputs], Start::Zeros);
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
        };
        let even = Start::Even((width as f32).sqrt().recip());
        BottleneckPart {
            down: linear(bottleneck::DOWN, [width, inner], even),
            activation: tuning.activation().kernel(),
            up: linear(bottleneck::UP, [inner, width], Start::Zeros),
        }
    }

    /// Returns the names of a part in the model and in its file.
    fn names_of(&self, part: &str) -> (String, String) {
        (
            format!("{}{part}", self.names.prefixes[0]),
            format!("{}{}", self.stored_prefix, self.stored_part(part)),
        )
    }

    /// Returns what a part is called in the file.
    fn stored_part<'n>(&'n self, part: &'n str) -> &'n str {
        self.stored_names.get(part).map_or(part, String::as_str)
    }

    /// Adds a tensor to the arena.
    fn train(
        &mut self,
        (name, stored): (&str, String),
        shape: &[usize],
        decays: bool,
        drawn: Start,
    ) -> Range<usize> {
        let start = match self.weights {
            Some(_) => Start::Stored(stored),
            None => drawn,
        };
        self.table.add(name, shape, decays, start)
    }

    /// Returns the weights that are frozen.
    fn stored(&self) -> &'a Weights {
        self.weights
            .expect("only what is stored somewhere is frozen")
    }

    fn table_of(&mut self, part: &str, rows: usize) -> Result<Table, ModelError> {
        let (name, stored) = self.names_of(part);
        let (name, stored) = (format!("{name}.weight"), format!("{stored}.weight"));
        let width = self.config.width;
        if self.freezes() {
            let matrix = self.stored().matrix(&stored, width, rows, Layout::Rows)?;
            return Ok(Table::Stored(matrix));
        }
        let drawn = Start::Normal(DEVIATION);
        Ok(Table::Trained(self.train(
            (&name, stored),
            &[rows, width],
            true,
            drawn,
        )))
    }

    /// Returns a norm's weight or another vector.
    fn vector(
        &mut self,
        part: &str,
        end: &str,
        length: usize,
        drawn: Start,
    ) -> Result<Vector, ModelError> {
        let (name, stored) = self.names_of(part);
        let (name, stored) = (format!("{name}.{end}"), format!("{stored}.{end}"));
        if self.freezes() {
            self.frozen += length;
            return Ok(Vector::Frozen(self.stored().tensor(&stored, &[length])?));
        }
        Ok(Vector::Trained(self.train(
            (&name, stored),
            &[length],
            false,
            drawn,
        )))
    }

    fn weight_of_norm(
        &mut self,
        part: &str,
        layer: usize,
        width: usize,
    ) -> Result<Vector, ModelError> {
        self.vector(&in_layer(part, layer), "weight", width, Start::Ones)
    }

    fn norm(&mut self, part: &str, layer: usize) -> Result<Norm, ModelError> {
        let width = self.config.width;
        let weight = self.weight_of_norm(part, layer, width)?;
        let bias = match self.config.feed {
            Feed::Gated => None,
            Feed::Plain(_) => {
                let name = in_layer(part, layer);
                Some(self.vector(&name, "bias", width, Start::Zeros)?)
            }
        };
        Ok(Norm { weight, bias })
    }

    fn linear(
        &mut self,
        part: &str,
        [inputs, outputs]: [usize; 2],
        bias: bool,
        deviation: f32,
    ) -> Result<Linear, ModelError> {
        let (name, stored) = self.names_of(part);
        let layout = self.stored_layout;
        let stored = format!("{stored}.weight");
        let packed = self.packed(&stored, [inputs, outputs], layout)?;
        let weight = if self.freezes() {
            let matrix = self.stored().matrix(&stored, inputs, outputs, layout)?;
            match self.frozen_as {
                FrozenAs::Nf4 => {
                    // Through a mapping of its own, with which the file's pages are let go.
                    let own = self.mapped_anew()?;
                    let rows = own.matrix(&stored, inputs, outputs, layout)?.numbers();
                    Weight::Nf4(Box::new(Nf4Matrix::of_rows(&rows, inputs)))
                }
                FrozenAs::Stored | FrozenAs::Packed(..) | FrozenAs::PlannedNf4 => {
                    Weight::Stored(matrix)
                }
            }
        } else {
            let shape = match layout {
                Layout::Rows => [outputs, inputs],
                Layout::Columns => [inputs, outputs],
            };
            let drawn = Start::Normal(deviation);
            let own = format!("{name}.weight");
            let range = self.train((&own, stored), &shape, true, drawn);
            Weight::Trained { range, layout }
        };
        let bias = bias
            .then(|| self.vector(part, "bias", outputs, Start::Zeros))
            .transpose()?;
        let adapter = self
            .tuning
            .low_rank()
            .filter(|it| it.targets().has(&name))
            .map(|it| self.adapter(it, &name, &weight, [inputs, outputs]));
        Ok(Linear {
            inputs,
            outputs,
            weight,
            packed,
            bias,
            adapter,
        })
    }

    /// Returns a frozen weight as products read it, if it is to be packed.
    fn packed(
        &self,
        stored: &str,
        [inputs, outputs]: [usize; 2],
        layout: Layout,
    ) -> Result<Option<Box<Packed>>, ModelError> {
        let FrozenAs::Packed(team, precision) = self.frozen_as else {
            return Ok(None);
        };
        // As weights in 4 bits: the file's pages are let go.
        let own = self.mapped_anew()?;
        let matrix = own.matrix(stored, inputs, outputs, layout)?;
        let factor = Factor::stored(matrix.view());
        Ok(Some(Box::new(Packed::new(team, factor, precision))))
    }

    /// Maps the model's files once more.
    fn mapped_anew(&self) -> Result<Weights, ModelError> {
        let path = &self.config.path;
        if path.extension().is_some_and(|it| it == "json") {
            let folder = path.parent();
            return Weights::open(folder.expect("a configuration lies in a folder"));
        }
        Ok(Weights::of_gguf(&Gguf::open(path)?))
    }

    /// Adds a low-rank part.
    fn adapter(
        &mut self,
        tuning: LowRankTuning<'_>,
        name: &str,
        weight: &Weight,
        sizes: [usize; 2],
    ) -> LowRank {
        let number = self.adapted.len() as u64;
        self.adapted.push(name.into());
        LowRank::new(&mut self.table, tuning, (name, number), weight, sizes)
    }

    /// Returns what gives the logits: a matrix of its own, or the embedding table.
    fn head(&mut self, embedding: &Table, width: usize) -> Result<Linear, ModelError> {
        let (name, tokens) = (self.names.head, self.config.vocabulary);
        let stored = self.stored_part(name).to_owned();
        let weight_name = format!("{stored}.weight");
        let layout = Layout::Rows;
        let weight = match (embedding, self.config.tied) {
            (Table::Trained(range), true) => Weight::Trained {
                range: range.clone(),
                layout,
            },
            (Table::Stored(matrix), true) => Weight::Stored(matrix.clone()),
            (Table::Trained(_), false) => {
                let drawn = Start::Normal(DEVIATION);
                let own = format!("{name}.weight");
                let names = (&*own, weight_name.clone());
                let range = self.train(names, &[tokens, width], true, drawn);
                Weight::Trained { range, layout }
            }
            (Table::Stored(_), false) => {
                let matrix = self.stored().matrix(&weight_name, width, tokens, layout)?;
                Weight::Stored(matrix)
            }
        };
        let packed = match self.config.tied {
            true => {
                let (_, table) = self.names_of(self.names.embedding);
                self.packed(&format!("{table}.weight"), [width, tokens], layout)?
            }
            false => self.packed(&weight_name, [width, tokens], layout)?,
        };
        let bias_name = format!("{stored}.bias");
        let has_bias = self.weights.is_some_and(|it| it.contains(&bias_name));
        let bias = match (has_bias && !self.config.tied, self.freezes()) {
            (false, _) => None,
            (true, true) => Some(Vector::Frozen(self.stored().tensor(&bias_name, &[tokens])?)),
            (true, false) => {
                let own = format!("{name}.bias");
                let names = (&*own, bias_name.clone());
                Some(Vector::Trained(self.train(
                    names,
                    &[tokens],
                    false,
                    Start::Zeros,
                )))
            }
        };
        let adapter = self
            .tuning
            .low_rank()
            .filter(|it| matches!(it.targets(), Targets::Named(_)) && it.targets().has(name))
            .map(|it| self.adapter(it, name, &weight, [width, tokens]));
        Ok(Linear {
            inputs: width,
            outputs: tokens,
            weight,
            packed,
            bias,
            adapter,
        })
    }
}
