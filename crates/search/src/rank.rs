//! From two lists to evidence: fuse, rerank, order, pass the threshold, diversify.

use std::collections::HashSet;

use contract::{ChunkId, Evidence, Share};

use crate::SearchError;
use crate::diversify::maximal_marginal_relevance;
use crate::explain::Explanation;
use crate::fuse::{Rank, RankedList, ScoredList, by_score, reciprocal_rank, weighted_sum};
use crate::keyword::{KeywordIndex, KeywordQuery};
use crate::recipe::Fusion;
use crate::relevance::{Likeness, relevance};
use crate::searcher::{Found, SearchRequest};
use crate::store::{Snapshot, StoredChunk};
use crate::vector::simd::Kernels;
use crate::vector::{Background, VectorIndex};

/// What a standard deviation by which the nearest chunk stands out adds to the vector
/// list's weight. Chosen on questions about health (MedQuAD), research (SciTLDR) and
/// financial reports (TAT-QA), with two embedders; `docs/bench` has the figures.
const A_STANDING: f64 = 0.07;
/// How far the nearest chunk usually stands out.
const USUAL_STANDING: f64 = 4.0;

/// Chunks with their scores in one list, best first. Scores of two lists do not compare.
pub(crate) type Scored = Vec<(ChunkId, f32)>;

/// What the indexes found.
pub(crate) struct Lists {
    pub(crate) keyword: Scored,
    pub(crate) vector: Scored,
    /// How like the question chunks are at large, where that can be said.
    pub(crate) background: Option<Background>,
}

/// All that turning lists into evidence needs.
pub(crate) struct Ranking<'a> {
    pub(crate) request: &'a SearchRequest<'a>,
    pub(crate) query: &'a KeywordQuery,
    pub(crate) lists: &'a Lists,
    pub(crate) keyword: &'a KeywordIndex,
    pub(crate) vectors: Option<&'a VectorIndex>,
    pub(crate) snapshot: &'a Snapshot,
}

/// A chunk on its way to be evidence.
#[derive(Clone, Copy)]
struct Candidate {
    chunk: ChunkId,
    fused: f64,
    /// Its place after fusion.
    place: Rank,
    rerank: Option<Share>,
}

/// How well a chunk bears on the question.
#[derive(Clone, Copy)]
struct Bearing {
    words: Share,
    likeness: Option<Likeness>,
    score: Share,
}

impl Ranking<'_> {
    /// Returns the evidence, best first, and the best of what was passed over because
    /// it is below the threshold.
    pub(crate) fn evidence(&self) -> Result<(Vec<Found>, Option<Found>), SearchError> {
        let recipe = self.request.recipe;
        let mut candidates = self.fuse();
        self.rerank(&mut candidates)?;
        self.order(&mut candidates);

        // How a chunk bears on the question is looked up in its order, until there are
        // enough: it costs more than its place in a list.
        let enough = match recipe.diversity {
            Some(_) => recipe.candidates.max(recipe.top_k),
            None => recipe.top_k,
        };
        let mut judged = Vec::with_capacity(enough.min(candidates.len()));
        let mut nearest: Option<(Candidate, Bearing)> = None;
        for candidate in candidates {
            if judged.len() == enough {
                break;
            }
            let bearing = self.bearing(&candidate);
            if self
                .request
                .threshold
                .is_none_or(|least| bearing.score >= least)
            {
                judged.push((candidate, bearing));
            } else if nearest.is_none_or(|(_, best)| bearing.score > best.score) {
                nearest = Some((candidate, bearing));
            }
        }
        if let Some(lambda) = recipe.diversity {
            judged = self.diversify(&judged, lambda)?;
        }
        let found = (1..)
            .zip(judged)
            .map(|(rank, (candidate, bearing))| self.found(&candidate, &bearing, Rank(rank)))
            .collect::<Result<_, _>>()?;
        let nearest = nearest.map(|(candidate, bearing)| {
            let place = candidate.place;
            self.found(&candidate, &bearing, place)
        });
        Ok((found, nearest.transpose()?))
    }

    fn fuse(&self) -> Vec<Candidate> {
        let fused = match self.request.recipe.fusion {
            Fusion::Score { vector } => self.fuse_scores(vector),
            Fusion::ReciprocalRank { k, keyword, vector } => self.fuse_ranks(k, keyword, vector),
            // The weighted sum orders the union of both lists by itself.
            Fusion::Weighted { .. } => self.fuse_ranks(60.0, 1.0, 1.0),
        };
        (1..)
            .zip(fused)
            .map(|(place, (chunk, fused))| Candidate {
                chunk,
                fused,
                place: Rank(place),
                rerank: None,
            })
            .collect()
    }

    fn fuse_ranks(&self, k: f64, keyword: f64, vector: f64) -> Vec<(ChunkId, f64)> {
        let chunks = |list: &Scored| list.iter().map(|(chunk, _)| *chunk).collect::<Vec<_>>();
        let (words, vectors) = (chunks(&self.lists.keyword), chunks(&self.lists.vector));
        let lists = [
            RankedList {
                chunks: &words,
                weight: keyword,
            },
            RankedList {
                chunks: &vectors,
                weight: vector,
            },
        ];
        reciprocal_rank(&lists, k)
    }

    fn fuse_scores(&self, factor: f64) -> Vec<(ChunkId, f64)> {
        let (words, vectors) = (&self.lists.keyword, &self.lists.vector);
        // Distances grow with what is further away.
        let sign = match (vectors.first(), vectors.last()) {
            (Some((_, first)), Some((_, last))) if first < last => -1.0,
            _ => 1.0,
        };
        let scores = |list: &Scored, sign: f64| -> Vec<(ChunkId, f64)> {
            let scored = |(chunk, score): &(ChunkId, f32)| (*chunk, sign * f64::from(*score));
            list.iter().map(scored).collect()
        };
        let (words, vectors) = (scores(words, 1.0), scores(vectors, sign));
        let least = vectors.last().map_or(0.0, |(_, score)| *score);
        let nothing = match self.lists.background {
            // Of a likeness, that of any chunk; a distance knows no such thing.
            Some(background) if sign > 0.0 => least.min(background.mean),
            _ => least,
        };
        let weight = match vectors.first() {
            Some((nearest, _)) if factor > 0.0 => {
                let standing = self.likeness(*nearest).and_then(|it| it.standing);
                let standing = standing.unwrap_or(USUAL_STANDING);
                (factor * A_STANDING * standing).clamp(0.1, 0.9)
            }
            _ => 0.0,
        };
        by_score(&[
            ScoredList {
                scores: &words,
                // A chunk that has none of the words scores 0.
                nothing: 0.0,
                weight: 1.0 - weight,
            },
            ScoredList {
                scores: &vectors,
                nothing,
                weight,
            },
        ])
    }

    fn rerank(&self, candidates: &mut Vec<Candidate>) -> Result<(), SearchError> {
        let Some(reranker) = self.request.reranker else {
            return Ok(());
        };
        candidates.truncate(
            self.request
                .recipe
                .candidates
                .max(self.request.recipe.top_k),
        );
        let passages = candidates
            .iter()
            .map(|candidate| Ok(passage(&self.stored(candidate.chunk)?)))
            .collect::<Result<Vec<String>, SearchError>>()?;
        let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
        let scores = reranker.rerank(self.request.question, &passages)?;
        assert_eq!(
            scores.len(),
            candidates.len(),
            "a reranker gives one score a passage"
        );
        for (candidate, score) in candidates.iter_mut().zip(scores) {
            candidate.rerank = Some(score);
        }
        Ok(())
    }

    fn order(&self, candidates: &mut [Candidate]) {
        match self.request.recipe.fusion {
            // Without a reranker they are in this order already; the sort keeps it.
            Fusion::Score { .. } | Fusion::ReciprocalRank { .. } => candidates.sort_by(|a, b| {
                b.rerank
                    .partial_cmp(&a.rerank)
                    .expect("a share is never NaN")
            }),
            Fusion::Weighted { similarity, rerank } => {
                for candidate in candidates.iter_mut() {
                    let Bearing {
                        words, likeness, ..
                    } = self.bearing(candidate);
                    let alike = relevance(words, likeness, None).get();
                    let judged = candidate.rerank.map_or(0.0, Share::get);
                    candidate.fused = weighted_sum(&[(alike, similarity), (judged, rerank)]);
                }
                candidates.sort_by(|a, b| b.fused.total_cmp(&a.fused));
            }
        }
    }

    fn bearing(&self, candidate: &Candidate) -> Bearing {
        let words = self.keyword.relevance(self.query, candidate.chunk);
        let likeness = self.likeness(candidate.chunk);
        Bearing {
            words,
            likeness,
            score: relevance(words, likeness, candidate.rerank),
        }
    }

    fn likeness(&self, chunk: ChunkId) -> Option<Likeness> {
        let (question, vectors) = self.request.vector.zip(self.vectors)?;
        let alike = self
            .lists
            .background
            .zip(vectors.vector(chunk))
            .map(|(background, vector)| {
                background.standing(f64::from(Kernels::best().dot(question.values(), vector)))
            });
        Some(Likeness {
            similarity: cosine(question.values(), vectors.vector(chunk)?),
            standing: alike,
        })
    }

    fn diversify(
        &self,
        judged: &[(Candidate, Bearing)],
        lambda: Share,
    ) -> Result<Vec<(Candidate, Bearing)>, SearchError> {
        let mut words: Vec<HashSet<String>> = Vec::with_capacity(judged.len());
        let mut vectors = Vec::with_capacity(judged.len());
        for (candidate, _) in judged {
            let chunk = self.stored(candidate.chunk)?;
            words.push(self.keyword.terms_of(self.query, &chunk.text));
            vectors.push(
                self.vectors
                    .and_then(|vectors| vectors.vector(candidate.chunk)),
            );
        }
        let likeness = |a: usize, b: usize| match (vectors[a], vectors[b]) {
            (Some(a), Some(b)) => cosine(a, b).get(),
            _ => {
                let shared = words[a].intersection(&words[b]).count();
                let all = words[a].len() + words[b].len() - shared;
                if all == 0 {
                    0.0
                } else {
                    shared as f64 / all as f64
                }
            }
        };
        // Fused scores are on no scale that likeness could be held against, so places
        // in their order stand for them.
        let count = judged.len().max(1) as f64;
        let relevance: Vec<f64> = (0..judged.len())
            .map(|place| 1.0 - place as f64 / count)
            .collect();
        let top_k = self.request.recipe.top_k;
        let order = maximal_marginal_relevance(&relevance, likeness, lambda.get(), top_k);
        Ok(order.into_iter().map(|index| judged[index]).collect())
    }

    fn found(
        &self,
        candidate: &Candidate,
        bearing: &Bearing,
        rank: Rank,
    ) -> Result<Found, SearchError> {
        let place = |list: &Scored| {
            let at = list
                .iter()
                .position(|(chunk, _)| *chunk == candidate.chunk)?;
            Some((list[at].1, Rank(at as u32 + 1)))
        };
        let chunk = self.stored(candidate.chunk)?;
        Ok(Found {
            explanation: Explanation {
                terms: self.keyword.explain(self.query, chunk.id),
                keyword: place(&self.lists.keyword),
                vector: place(&self.lists.vector),
                similarity: bearing.likeness.map(|it| it.similarity),
                standing: bearing.likeness.and_then(|it| it.standing),
                fused: candidate.fused,
                rerank: candidate.rerank,
                coverage: Share::clamped(f64::from(self.keyword.coverage(self.query, chunk.id))),
                words: bearing.words,
                moved_from: (candidate.place != rank).then_some(candidate.place),
            },
            evidence: Evidence {
                chunk: chunk.id,
                document: chunk.document,
                title: chunk.title,
                headings: chunk.headings,
                bytes: chunk.bytes,
                lines: chunk.lines,
                text: chunk.text,
                score: bearing.score,
            },
        })
    }

    fn stored(&self, chunk: ChunkId) -> Result<StoredChunk, SearchError> {
        let stored = self.snapshot.chunk(chunk)?;
        Ok(stored.expect("an index that has caught up with the store names only chunks in it"))
    }
}

/// Returns the cosine of two vectors of unit length, as a share: opposite is 0 too.
fn cosine(a: &[f32], b: &[f32]) -> Share {
    Share::clamped(f64::from(Kernels::best().dot(a, b)))
}

/// What a reranker reads: the chunk under its heading.
fn passage(chunk: &StoredChunk) -> String {
    match chunk.headings.last() {
        Some(heading) if !chunk.text.contains(heading.as_str()) => {
            format!("{heading}\n{}", chunk.text)
        }
        _ => chunk.text.clone(),
    }
}
