//! A model that judges passages, behind the interface that Cohere and Jina have:
//! `POST /rerank` with `query` and `documents`, answered by `results` with `index` and
//! `relevance_score`.

use contract::{PromiseError, Rerank, Share};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::unexpected;
use crate::server::Server;
use crate::{RemoteError, ServerOptions};

/// At most so many passages go in one request.
const MOST_PASSAGES: usize = 256;

/// A model on a server that judges.
pub struct RemoteReranker {
    server: Server,
    name: String,
}

#[derive(Deserialize)]
struct Written {
    #[serde(alias = "data")]
    results: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    index: usize,
    #[serde(alias = "score")]
    relevance_score: f64,
}

impl RemoteReranker {
    /// Prepares to ask; nothing is sent yet.
    ///
    /// # Errors
    /// If a proxy or a certificate cannot be used.
    pub fn new(options: ServerOptions) -> Result<Self, RemoteError> {
        let server = Server::new(options)?;
        let name = server.name();
        Ok(Self { server, name })
    }

    /// Returns the server's score of each passage, in their order.
    ///
    /// # Errors
    /// If the server cannot be reached, refuses, or does not judge each passage once.
    pub fn scores(&self, question: &str, passages: &[&str]) -> Result<Vec<f64>, RemoteError> {
        let mut all = Vec::with_capacity(passages.len());
        for batch in passages.chunks(MOST_PASSAGES) {
            let body = json!({
                "model": self.server.model(),
                "query": question,
                "documents": batch,
                "top_n": batch.len(),
                "return_documents": false,
            });
            let scores = self
                .server
                .ask("rerank", &body, "application/json", &mut |reply| {
                    let url = reply.url.clone();
                    let value: Value = reply.json("scores")?;
                    let text = value.to_string();
                    let written: Written = serde_json::from_value(value)
                        .map_err(|_| unexpected(&url, "scores", &text))?;
                    in_order(&url, &written.results, batch.len())
                })?;
            all.extend(scores);
        }
        Ok(all)
    }
}

fn in_order(url: &str, results: &[One], count: usize) -> Result<Vec<f64>, RemoteError> {
    let wrong = |found: String| unexpected(url, "one score for each passage", &found);
    if results.len() != count {
        return Err(wrong(format!(
            "{} scores for {count} passages",
            results.len()
        )));
    }
    let mut scores = vec![f64::NAN; count];
    for one in results {
        match scores.get_mut(one.index) {
            Some(score) if score.is_nan() && one.relevance_score.is_finite() => {
                *score = one.relevance_score;
            }
            _ => {
                return Err(wrong(format!(
                    "index {} twice or beyond the end",
                    one.index
                )));
            }
        }
    }
    Ok(scores)
}

impl Rerank for RemoteReranker {
    fn name(&self) -> &str {
        &self.name
    }

    /// Servers give scores from 0 to 1; where one gives logits instead, all of an answer
    /// go through the logistic function.
    fn rerank(&self, question: &str, passages: &[&str]) -> Result<Vec<Share>, PromiseError> {
        let scores = self
            .scores(question, passages)
            .map_err(|error| PromiseError {
                who: self.name.clone(),
                source: Box::new(error),
            })?;
        let are_shares = scores.iter().all(|score| (0.0..=1.0).contains(score));
        Ok(scores
            .into_iter()
            .map(|score| {
                Share::clamped(if are_shares {
                    score
                } else {
                    1.0 / (1.0 + (-score).exp())
                })
            })
            .collect())
    }
}
