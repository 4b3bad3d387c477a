//! Vectors that know which model made them.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The model that made an embedding. Vectors of two models do not compare.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EmbedderId {
    /// The model's name with its revision, prefixes and pooling: all that changes the vector.
    pub name: String,
    /// How many numbers one embedding has.
    pub dimensions: usize,
}

impl fmt::Display for EmbedderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} dimensions)", self.name, self.dimensions)
    }
}

/// A vector of unit length, made by the model it names.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    embedder: EmbedderId,
    values: Vec<f32>,
}

/// Why numbers are not an embedding.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EmbeddingError {
    /// The vector has another length than its model makes.
    #[error("the vector has {found} numbers, but {embedder} makes {}", embedder.dimensions)]
    Dimensions {
        /// The model.
        embedder: EmbedderId,
        /// The vector's length.
        found: usize,
    },
    /// The vector has no direction.
    #[error("the vector of {embedder} is all zeros or has a number that is not finite")]
    NoDirection {
        /// The model.
        embedder: EmbedderId,
    },
}

impl Embedding {
    /// Normalises `values` to unit length and signs them with `embedder`.
    ///
    /// Fails if their count is not the model's, or if they have no direction
    /// (all zeros, or a number that is not finite).
    pub fn new(embedder: EmbedderId, mut values: Vec<f32>) -> Result<Self, EmbeddingError> {
        if values.len() != embedder.dimensions {
            return Err(EmbeddingError::Dimensions {
                embedder,
                found: values.len(),
            });
        }
        let length = values
            .iter()
            .map(|value| f64::from(*value).powi(2))
            .sum::<f64>()
            .sqrt();
        if !length.is_finite() || length == 0.0 {
            return Err(EmbeddingError::NoDirection { embedder });
        }
        for value in &mut values {
            *value = (f64::from(*value) / length) as f32;
        }
        Ok(Self { embedder, values })
    }

    /// Returns the model that made it.
    pub fn embedder(&self) -> &EmbedderId {
        &self.embedder
    }

    /// Returns its numbers; the sum of their squares is 1.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedder() -> EmbedderId {
        EmbedderId {
            name: "test".into(),
            dimensions: 2,
        }
    }

    #[test]
    fn is_of_unit_length() {
        let embedding = Embedding::new(embedder(), vec![3.0, 4.0]).unwrap();
        assert_eq!(embedding.values(), [0.6, 0.8]);
    }

    #[test]
    fn refuses_what_has_no_direction_or_another_length() {
        for values in [
            vec![0.0, 0.0],
            vec![f32::NAN, 1.0],
            vec![f32::INFINITY, 1.0],
        ] {
            assert!(matches!(
                Embedding::new(embedder(), values),
                Err(EmbeddingError::NoDirection { .. })
            ));
        }
        assert!(matches!(
            Embedding::new(embedder(), vec![1.0]),
            Err(EmbeddingError::Dimensions { found: 1, .. })
        ));
    }
}
