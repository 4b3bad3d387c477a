//! An encoder's passes: tables, layers and head, on and back.

use tensor::{Kernels, Sum, Team};

use super::build::Parts;
use super::head;
use super::layer::{Around, Place, Shape};
use super::memory::{Memory, Widths};
use crate::ModelError;
use crate::bert::Batch;
use crate::config::EncoderConfig;
use crate::training::heads::{HeadTargets, Losses};
use crate::training::lookup::Table;
use crate::training::{Pass, TrainingOptions};

/// What of an encoder does not change while it is trained.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) kernels: &'static Kernels,
    pub(super) config: EncoderConfig,
    pub(super) options: TrainingOptions,
    pub(super) parts: Parts,
    /// The lowest layer of which anything is trained.
    pub(super) lowest: usize,
    /// What cosines are multiplied by.
    pub(super) scale: f32,
}

impl Model {
    fn shape(&self) -> Shape {
        Shape {
            widths: Widths::of(&self.config),
            activation: self.config.activation,
            epsilon: self.config.epsilon,
            dropout: self.options.dropout,
        }
    }

    fn around<'a>(&self, values: &'a [f32], batch: &'a Batch, pass: Pass) -> head::Around<'a> {
        head::Around {
            pass,
            lengths: &batch.lengths,
            values,
            width: self.config.width,
            dropout: self.options.dropout.residual,
            layers: self.config.layers,
        }
    }

    fn check(&self, batch: &Batch) -> Result<(), ModelError> {
        let config = &self.config;
        let tokens = batch.ids.len();
        let lengths = batch.lengths.iter().sum();
        if lengths != tokens || batch.segments.len() != tokens || batch.lengths.contains(&0) {
            return Err(ModelError::BatchLengths { tokens, lengths });
        }
        if tokens > self.options.tokens {
            return Err(ModelError::BatchTooLarge {
                found: tokens,
                room: self.options.tokens,
            });
        }
        let longest = config.longest();
        if let Some(found) = batch.lengths.iter().find(|it| **it > longest) {
            return Err(ModelError::SequenceTooLong {
                model: config.path.clone(),
                found: *found,
                context: longest,
            });
        }
        for (ids, known) in [
            (&batch.ids, config.vocabulary),
            (&batch.segments, config.segments),
        ] {
            if let Some(found) = ids.iter().find(|id| **id as usize >= known) {
                return Err(ModelError::UnknownToken {
                    model: config.path.clone(),
                    found: *found,
                    known,
                });
            }
        }
        Ok(())
    }

    /// Takes `batch` through layers and head, and returns what the head gives.
    pub(super) fn run<'a>(
        &self,
        memory: &'a mut Memory,
        team: &'a Team,
        values: &[f32],
        batch: &Batch,
        pass: Pass,
    ) -> Result<&'a [f32], ModelError> {
        self.check(batch)?;
        self.embed(memory, team, values, batch, pass);
        for number in 0..self.parts.layers.len() {
            memory.keep(number, batch.ids.len());
            self.layer(memory, team, values, batch, pass, number);
        }
        let around = self.around(values, batch, pass);
        let (mut machine, desk) = memory
            .working
            .machine(self.kernels, team, &self.options, pass);
        let hidden = &desk.stream[..batch.ids.len() * self.config.width];
        let head = &self.parts.head;
        Ok(head.forward(&mut machine, &around, hidden, desk.head))
    }

    /// Takes the stream through layer `number`.
    fn layer(
        &self,
        memory: &mut Memory,
        team: &Team,
        values: &[f32],
        batch: &Batch,
        pass: Pass,
        number: usize,
    ) {
        let tokens = batch.ids.len();
        let (mut room, working) = memory.room(number, tokens);
        let (mut machine, desk) = working.machine(self.kernels, team, &self.options, pass);
        let around = Around {
            shape: &self.shape(),
            pass,
            number,
            lengths: &batch.lengths,
            values,
        };
        let stream = &mut desk.stream[..tokens * self.config.width];
        self.parts.layers[number].forward(&mut machine, &around, &mut room, desk.temporary, stream);
    }

    /// Returns the loss of what [`Model::run`] gave, and with `gradients` adds to them.
    #[expect(
        clippy::too_many_arguments,
        reason = "a batch with its targets, and what it is computed with"
    )]
    pub(super) fn loss(
        &self,
        memory: &mut Memory,
        team: &Team,
        values: &[f32],
        batch: &Batch,
        pass: Pass,
        targets: HeadTargets<'_>,
        weight: f32,
        gradients: Option<&mut [f32]>,
    ) -> f64 {
        let numbers = batch.ids.len() * self.config.width;
        let around = self.around(values, batch, pass);
        let losses = Losses {
            lengths: &batch.lengths,
            targets,
            weight,
            scale: self.scale,
        };
        let (mut machine, desk) = memory
            .working
            .machine(self.kernels, team, &self.options, pass);
        let hidden = &desk.stream[..numbers];
        let head = &self.parts.head;
        let Some(gradients) = gradients else {
            return head.loss(&mut machine, &around, &losses, hidden, desk.head, None);
        };
        let gradient = &mut desk.gradient[..numbers];
        let backward = Some((&mut *gradients, gradient));
        let loss = head.loss(&mut machine, &around, &losses, hidden, desk.head, backward);
        self.backward(memory, team, values, gradients, batch, pass);
        loss
    }

    /// Takes the gradient of the last hidden states back through the layers.
    fn backward(
        &self,
        memory: &mut Memory,
        team: &Team,
        values: &[f32],
        gradients: &mut [f32],
        batch: &Batch,
        pass: Pass,
    ) {
        let tokens = batch.ids.len();
        let numbers = tokens * self.config.width;
        let tables = matches!(self.parts.words, Table::Trained(_));
        for number in (self.lowest..self.parts.layers.len()).rev() {
            if !memory.recall(number, tokens) {
                self.layer(memory, team, values, batch, pass, number);
            }
            let (mut room, working) = memory.room(number, tokens);
            let (mut machine, desk) = working.machine(self.kernels, team, &self.options, pass);
            let around = Around {
                shape: &self.shape(),
                pass,
                number,
                lengths: &batch.lengths,
                values,
            };
            self.parts.layers[number].backward(
                &mut machine,
                &around,
                gradients,
                &mut room,
                desk.temporary,
                &mut desk.gradient[..numbers],
                tables || number > self.lowest,
            );
        }
        if tables {
            self.embed_backward(memory, team, values, gradients, batch, pass);
        }
    }

    /// Sets the stream to the sum of what each token, its position and its segment stand
    /// for, normalised.
    fn embed(&self, memory: &mut Memory, team: &Team, values: &[f32], batch: &Batch, pass: Pass) {
        let working = &mut memory.working;
        let first = self.config.first_position;
        working.positions.clear();
        working.positions.extend(
            batch
                .lengths
                .iter()
                .flat_map(|length| (first..first + length).map(|at| at as u32)),
        );
        let tokens = batch.ids.len();
        let embedded = &mut working.embedded[..tokens * self.config.width];
        let parts = &self.parts;
        for (table, ids, sum) in [
            (&parts.words, &batch.ids, Sum::Replace),
            (&parts.positions, &working.positions, Sum::Add),
            (&parts.segments, &batch.segments, Sum::Add),
        ] {
            table.gather(self.kernels, team, values, ids, sum, embedded);
        }
        let stream = &mut working.stream[..tokens * self.config.width];
        self.kernels.norm_rows(
            team,
            parts.first_norm.rows(values, self.config.epsilon),
            embedded,
            &mut working.embedded_statistics[..tokens * tensor::training::NORM_STATISTICS],
            stream,
        );
        let share = self.options.dropout.embedding;
        if let Some(dropout) = Place::Embedding.dropout(pass, 0, share) {
            self.kernels.drop_out(team, dropout, stream);
        }
    }

    /// Adds the gradients of the tables and their norm.
    fn embed_backward(
        &self,
        memory: &mut Memory,
        team: &Team,
        values: &[f32],
        gradients: &mut [f32],
        batch: &Batch,
        pass: Pass,
    ) {
        let tokens = batch.ids.len();
        let numbers = tokens * self.config.width;
        let (mut machine, desk) = memory
            .working
            .machine(self.kernels, team, &self.options, pass);
        let gradient = &mut desk.gradient[..numbers];
        let share = self.options.dropout.embedding;
        if let Some(dropout) = Place::Embedding.dropout(pass, 0, share) {
            self.kernels.drop_out(team, dropout, gradient);
        }
        // The hidden states are not needed any more.
        let sum = &mut desk.stream[..numbers];
        let norm = [
            &desk.embedded[..numbers],
            &desk.embedded_statistics[..tokens * tensor::training::NORM_STATISTICS],
            gradient,
        ];
        let epsilon = self.config.epsilon;
        self.parts
            .first_norm
            .backward(&mut machine, values, gradients, epsilon, norm, sum);
        for (table, ids) in [
            (&self.parts.words, &batch.ids),
            (&self.parts.positions, desk.positions),
            (&self.parts.segments, &batch.segments),
        ] {
            table.scatter(self.kernels, team, gradients, ids, sum);
        }
    }
}

impl Parts {
    /// Returns the bytes of the weights that are not trained.
    pub(super) fn frozen_bytes(&self) -> usize {
        let tables = [&self.words, &self.positions, &self.segments];
        let linears = self.layers.iter().flat_map(|layer| layer.linears());
        let weights = linears.chain(self.head.linears());
        tables.map(Table::frozen_bytes).iter().sum::<usize>()
            + weights.map(|it| it.weight.frozen_bytes()).sum::<usize>()
    }
}
