//! The numbers that training changes: one flat arena, its gradients beside it.
//!
//! Whoever updates, clips, saves or resumes sees plain slices and one table, and knows no
//! layer. An optimiser's states are slices of the same length. Tensors follow one another
//! without padding in the order in which they were added, so neighbours may be used as
//! one matrix.

use std::ops::Range;

use tensor::Buffer;

use super::start::Start;
use crate::ModelError;
use crate::weights::Weights;

/// One tensor of the arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What its file calls it.
    pub name: String,
    /// As in its file, row by row.
    pub shape: Vec<usize>,
    /// Where its numbers, and their gradients, lie in the arena.
    pub range: Range<usize>,
    /// Whether weight decay applies: to matrices, and not to biases and norms.
    pub decays: bool,
}

/// All numbers that are trained, and the gradients that were added up since they were
/// last cleared.
#[derive(Debug)]
pub struct Parameters {
    table: Vec<Parameter>,
    count: usize,
    values: Buffer,
    gradients: Buffer,
}

impl Parameters {
    /// Returns the tensors, in the order of the arena.
    pub fn table(&self) -> &[Parameter] {
        &self.table
    }

    /// Returns how many numbers are trained.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the tensor of this name, if it is trained.
    pub fn find(&self, name: &str) -> Option<&Parameter> {
        self.table.iter().find(|it| it.name == name)
    }

    /// Returns all numbers, as [`Parameters::table`] cuts them.
    pub fn values(&self) -> &[f32] {
        &self.values.as_slice()[..self.count]
    }

    /// Returns all numbers, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values.as_mut_slice()[..self.count]
    }

    /// Returns the gradient of each number.
    pub fn gradients(&self) -> &[f32] {
        &self.gradients.as_slice()[..self.count]
    }

    /// Returns the gradient of each number, to be scaled or cleared.
    pub fn gradients_mut(&mut self) -> &mut [f32] {
        &mut self.gradients.as_mut_slice()[..self.count]
    }

    /// Returns the numbers to be changed, and their gradients: what an update takes.
    pub fn update(&mut self) -> (&mut [f32], &mut [f32]) {
        let count = self.count;
        (
            &mut self.values.as_mut_slice()[..count],
            &mut self.gradients.as_mut_slice()[..count],
        )
    }

    /// Returns the numbers, and their gradients to be added to: what a backward takes.
    pub(crate) fn split(&mut self) -> (&[f32], &mut [f32]) {
        let count = self.count;
        (
            &self.values.as_slice()[..count],
            &mut self.gradients.as_mut_slice()[..count],
        )
    }
}

/// The tensors of an arena that is not there yet.
#[derive(Debug, Default)]
pub(crate) struct ParameterTable {
    table: Vec<Parameter>,
    starts: Vec<Start>,
    count: usize,
}

impl ParameterTable {
    /// Adds a tensor behind all others and returns where it will be.
    pub(crate) fn add(
        &mut self,
        name: &str,
        shape: &[usize],
        decays: bool,
        start: Start,
    ) -> Range<usize> {
        let numbers: usize = shape.iter().product();
        let range = self.count..self.count + numbers;
        self.count = range.end;
        self.starts.push(start);
        self.table.push(Parameter {
            name: name.into(),
            shape: shape.to_vec(),
            range: range.clone(),
            decays,
        });
        range
    }

    /// Returns how many numbers it will have.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Makes the arena and sets every tensor to what it begins with: what is stored is in
    /// `weights`, what is drawn follows from `seed`.
    ///
    /// # Errors
    /// If a tensor is not in `weights`, or not as expected.
    pub(crate) fn allocate(
        self,
        weights: Option<&Weights>,
        seed: u64,
    ) -> Result<Parameters, ModelError> {
        let mut values = Buffer::zeros(self.count);
        let numbers = values.as_mut_slice();
        for (place, (parameter, start)) in self.table.iter().zip(&self.starts).enumerate() {
            let numbers = &mut numbers[parameter.range.clone()];
            start.fill(numbers, &parameter.shape, weights, [seed, place as u64])?;
        }
        Ok(Parameters {
            values,
            gradients: Buffer::zeros(self.count),
            table: self.table,
            count: self.count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_follow_one_another() {
        let mut table = ParameterTable::default();
        assert_eq!(table.add("a", &[2, 3], true, Start::Zeros), 0..6);
        assert_eq!(table.add("b", &[5], false, Start::Zeros), 6..11);
        let mut parameters = table.allocate(None, 0).unwrap();
        assert_eq!(parameters.count(), 11);
        assert_eq!(parameters.values().len(), parameters.gradients().len());
        let found = parameters.find("b").unwrap().range.clone();
        parameters.values_mut()[found].fill(1.0);
        assert_eq!(parameters.values().iter().sum::<f32>(), 5.0);
        assert_eq!(parameters.find("c"), None);
    }
}
