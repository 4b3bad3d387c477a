//! Tables that are looked up in: of words, places and kinds of text. Trained like all else, or left
//! where they lie in their file.

use std::ops::Range;

use tensor::{Kernels, Sum, Team};

use crate::weights::Matrix;

/// A table, `(N, D)`.
#[derive(Debug)]
pub(super) enum Table {
    /// Where it lies among the numbers that are trained.
    Trained(Range<usize>),
    /// As it is stored.
    Stored(Matrix),
}

impl Table {
    /// Sets `to`, `(T, D)`, to the rows of `ids`, or adds them.
    pub(super) fn gather(
        &self,
        kernels: &Kernels,
        team: &Team,
        values: &[f32],
        ids: &[u32],
        sum: Sum,
        to: &mut [f32],
    ) {
        match self {
            Self::Trained(range) => {
                kernels.gather_rows(team, &values[range.clone()], ids, sum, to);
            }
            Self::Stored(matrix) => {
                let table = matrix.view();
                let width = matrix.inputs();
                team.chunks(to, width, &|token, to| {
                    let id = ids[token] as usize;
                    if sum == Sum::Replace {
                        return table.row(id, to);
                    }
                    let mut row = vec![0.0; width];
                    table.row(id, &mut row);
                    to.iter_mut().zip(&row).for_each(|(to, from)| *to += from);
                });
            }
        }
    }

    /// Adds `gradient`, `(T, D)`, to the rows of `ids`, if they are trained.
    pub(super) fn scatter(
        &self,
        kernels: &Kernels,
        team: &Team,
        gradients: &mut [f32],
        ids: &[u32],
        gradient: &[f32],
    ) {
        if let Self::Trained(range) = self {
            kernels.scatter_rows(team, ids, gradient, &mut gradients[range.clone()]);
        }
    }

    /// Returns the bytes of a table that is not trained.
    pub(super) fn frozen_bytes(&self) -> usize {
        match self {
            Self::Trained(_) => 0,
            Self::Stored(matrix) => matrix.view().bytes().len(),
        }
    }
}
