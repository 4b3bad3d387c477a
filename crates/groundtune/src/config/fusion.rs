//! How two rankings become one, as it is written in the configuration.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// How the keyword and the vector ranking become one.
///
/// Written as a name alone (`fusion = "score"`) or with its numbers
/// (`fusion = { method = "rrf", rrf_k = 60, keyword = 1, vector = 2 }`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fusion {
    /// By score: each ranking on its own scale from 0 to 1, the vector ranking weighing
    /// the more the further its nearest chunk stands out.
    Score {
        /// How much the vector ranking counts; 0 or more. Default: by the kind of the
        /// embedder.
        vector: Option<f64>,
    },
    /// Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): each ranking
    /// adds `weight / (rrf_k + rank)`, ranks from 1.
    Rrf {
        /// How little the first places stand out; 0 or more. Default: 60.
        rrf_k: f64,
        /// The keyword ranking's weight; 0 or more. Default: 1.
        keyword: f64,
        /// The vector ranking's weight; 0 or more. Default: 1.
        vector: f64,
    },
    /// A weighted sum of two scores, each normalised to 0–1 first.
    Weighted {
        /// The weight of the similarity; 0 or more. Default: 0.7.
        similarity: f64,
        /// The weight of the reranker's score; 0 or more. Default: 0.3.
        rerank: f64,
    },
}

impl Fusion {
    /// Returns fusion by score with its default numbers.
    pub fn score() -> Self {
        Self::Score { vector: None }
    }

    /// Returns reciprocal rank fusion with its default numbers.
    pub fn rrf() -> Self {
        Self::Rrf {
            rrf_k: 60.0,
            keyword: 1.0,
            vector: 1.0,
        }
    }

    /// Returns the weighted sum with its default numbers.
    pub fn weighted() -> Self {
        Self::Weighted {
            similarity: 0.7,
            rerank: 0.3,
        }
    }
}

impl Default for Fusion {
    fn default() -> Self {
        Self::score()
    }
}

/// The name of a method.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    #[default]
    Score,
    Rrf,
    Weighted,
}

/// The table, before it is known which numbers belong to its method.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    method: Method,
    rrf_k: Option<f64>,
    keyword: Option<f64>,
    vector: Option<f64>,
    similarity: Option<f64>,
    rerank: Option<f64>,
}

impl Table {
    fn into_fusion<E: Error>(self) -> Result<Fusion, E> {
        let number = |name: &str, written: Option<f64>, default: f64| {
            let value = written.unwrap_or(default);
            if value.is_finite() && value >= 0.0 {
                Ok(value)
            } else {
                Err(E::custom(format_args!(
                    "`{name}` = {value} is out of range: it must be 0 or more"
                )))
            }
        };
        let strangers = match self.method {
            Method::Score => [
                ("rrf_k", self.rrf_k),
                ("keyword", self.keyword),
                ("similarity", self.similarity),
                ("rerank", self.rerank),
            ]
            .to_vec(),
            Method::Rrf => [("similarity", self.similarity), ("rerank", self.rerank)].to_vec(),
            Method::Weighted => [
                ("rrf_k", self.rrf_k),
                ("keyword", self.keyword),
                ("vector", self.vector),
            ]
            .to_vec(),
        };
        if let Some((name, _)) = strangers.iter().find(|(_, value)| value.is_some()) {
            let method = match self.method {
                Method::Score => "score",
                Method::Rrf => "rrf",
                Method::Weighted => "weighted",
            };
            return Err(E::custom(format_args!(
                "`{name}` has no meaning for the method \"{method}\""
            )));
        }
        Ok(match self.method {
            Method::Score => Fusion::Score {
                vector: match self.vector {
                    Some(_) => Some(number("vector", self.vector, 1.0)?),
                    None => None,
                },
            },
            Method::Rrf => Fusion::Rrf {
                rrf_k: number("rrf_k", self.rrf_k, 60.0)?,
                keyword: number("keyword", self.keyword, 1.0)?,
                vector: number("vector", self.vector, 1.0)?,
            },
            Method::Weighted => Fusion::Weighted {
                similarity: number("similarity", self.similarity, 0.7)?,
                rerank: number("rerank", self.rerank, 0.3)?,
            },
        })
    }
}

impl<'de> Deserialize<'de> for Fusion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Fusion;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"score\", \"rrf\", \"weighted\" or a table with `method`")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Fusion, E> {
                Ok(match Method::deserialize(StrDeserializer::new(name))? {
                    Method::Score => Fusion::score(),
                    Method::Rrf => Fusion::rrf(),
                    Method::Weighted => Fusion::weighted(),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Fusion, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map))?.into_fusion()
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}
