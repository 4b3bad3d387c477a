//! Measuring retrieval: questions whose right passages are known, asked of this
//! program or answered by a run made elsewhere.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use contract::{
    Chunk, Document, DocumentId, Embed, Embedding, Metadata, Permissions, QuestionId, Reader,
    Rerank, TextRole, line_starts, lines_of,
};
use eval::trec::{self, BeirDocument};
use eval::{Measure, RankingReport, Run, evaluate};
use search::store::{Change, NewDocument, Source, Writer};
use search::{RetrievalRecipe, SearchRequest, Searcher};

use crate::{Error, Project};

/// How deep a ranking is looked at: what `Recall@100` and `MAP` need.
const DEPTH: usize = 1000;
/// How many passages are embedded at a time.
const EMBEDDED: usize = 256;

/// How well a ranking finds what is relevant, and how fast.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrievalReport {
    /// The measures, each as `trec_eval` defines it, on the mean and by question.
    pub ranking: RankingReport,
    /// How it was made, if this program made it.
    pub search: Option<SearchFigures>,
}

/// What making a ranking took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchFigures {
    /// Passages searched.
    pub passages: usize,
    /// Questions asked.
    pub questions: usize,
    /// Storing and indexing the passages.
    pub indexing: Duration,
    /// A question in the middle, to the depth that is measured.
    pub p50: Duration,
    /// A question slower than 95 of 100.
    pub p95: Duration,
}

/// Returns nDCG@10, Recall@100, MRR@10 and MAP.
pub fn measures() -> Vec<Measure> {
    ["ndcg@10", "recall@100", "mrr@10", "map"]
        .map(|name| name.parse().expect("these measures are known"))
        .to_vec()
}

/// Measures a ranking made elsewhere: the TREC run at `run` against the qrels at `qrels`
/// (TREC's four columns, or BEIR's three with a header where the file ends in `.tsv`).
pub fn measure_run(run: &Path, qrels: &Path) -> Result<RetrievalReport, Error> {
    let beir = qrels
        .extension()
        .is_some_and(|extension| extension == "tsv");
    let qrels = if beir {
        trec::read_beir_qrels(qrels)?
    } else {
        trec::read_qrels(qrels)?
    };
    let run = trec::read_run(run)?;
    Ok(RetrievalReport {
        ranking: evaluate(&qrels, &run, &measures()),
        search: None,
    })
}

/// Which lists a measured search is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The words alone.
    Keyword,
    /// The vectors alone.
    Vector,
    /// Both, fused as the project says.
    #[default]
    Hybrid,
}

/// A BEIR set to measure, and how.
#[derive(Clone, Copy)]
pub struct SetRequest<'a> {
    /// The folder: `corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`.
    pub folder: &'a Path,
    /// A folder that may be filled and is emptied after.
    pub scratch: &'a Path,
    /// Which lists.
    pub mode: Mode,
    /// Who makes the vectors; without, there are none.
    pub embedder: Option<&'a dyn Embed>,
    /// Who judges what was found, as deep as the project's recipe says.
    pub reranker: Option<&'a dyn Rerank>,
}

/// Measures the project's retrieval on a BEIR set. A passage of the set is one chunk: the
/// set says what a passage is. `progress` hears how many of how many passages and
/// questions are embedded or asked.
pub fn measure_set(
    project: &Project,
    request: &SetRequest<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<RetrievalReport, Error> {
    let folder = request.folder;
    let qrels = trec::read_beir_qrels(&folder.join("qrels").join("test.tsv"))?;
    let questions = trec::read_beir_questions(&folder.join("queries.jsonl"))?;
    let passages = trec::read_beir_documents(&folder.join("corpus.jsonl"))?;
    let judged: HashSet<&QuestionId> = qrels.iter().map(|(question, _)| question).collect();
    let questions: Vec<_> = questions
        .iter()
        .filter(|question| judged.contains(&question.id))
        .collect();
    let embedder = request.embedder.filter(|_| request.mode != Mode::Keyword);
    let all = passages.len() + questions.len();
    let started = Instant::now();
    let _emptied = Scratch(request.scratch);
    let mut searcher = index(project, &passages, request.scratch, embedder, &mut |done| {
        progress(done, all);
    })?;
    let indexing = started.elapsed();

    let usual = project.retrieval_recipe();
    let recipe = RetrievalRecipe {
        top_k: DEPTH,
        candidates: match request.reranker {
            // What a reranker reads costs more than all else.
            Some(_) => usual.candidates,
            None => DEPTH,
        },
        diversity: None,
        ..usual
    };
    let (reader, mut run, mut times) = (Reader::default(), Run::new(), Vec::new());
    for (number, question) in questions.iter().enumerate() {
        progress(passages.len() + number, all);
        let asked = Instant::now();
        let vector = match embedder {
            Some(embedder) => embedder.embed(&[&question.text], TextRole::Question)?.pop(),
            None => None,
        };
        let reply = searcher.search(&SearchRequest {
            question: match request.mode {
                // Without words there is no keyword list.
                Mode::Vector => "",
                _ => &question.text,
            },
            vector: vector.as_ref(),
            reader: &reader,
            filter: None,
            threshold: None,
            recipe: &recipe,
            reranker: request.reranker,
        })?;
        times.push(asked.elapsed());
        run.ask(question.id.clone());
        for (rank, found) in (1..).zip(&reply.found) {
            // The order is what is measured; `trec_eval` reads it from the scores.
            run.insert(
                question.id.clone(),
                found.evidence.document.as_str(),
                -f64::from(rank),
            );
        }
    }
    run.drop_own_documents();
    times.sort_unstable();
    let at = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        times
            .get(index.min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    Ok(RetrievalReport {
        ranking: evaluate(&qrels, &run, &measures()),
        search: Some(SearchFigures {
            passages: passages.len(),
            questions: times.len(),
            indexing,
            p50: at(0.50),
            p95: at(0.95),
        }),
    })
}

fn index(
    project: &Project,
    passages: &[BeirDocument],
    scratch: &Path,
    embedder: Option<&dyn Embed>,
    progress: &mut dyn FnMut(usize),
) -> Result<Searcher, Error> {
    let mut writer = Writer::open(scratch)?;
    let mut changes = Vec::with_capacity(passages.len());
    let mut vectors = Vec::new();
    if let Some(embedder) = embedder {
        for batch in passages.chunks(EMBEDDED) {
            let texts: Vec<String> = batch
                .iter()
                .map(|it| format!("{}\n{}", it.title, it.text).trim().to_owned())
                .collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            vectors.extend(embedder.embed(&texts, TextRole::Passage)?);
            progress(vectors.len());
        }
    }
    let mut vectors = vectors.into_iter();
    for passage in passages {
        changes.push(Change::Put {
            source: Source {
                id: passage.id.clone(),
                size: 0,
                modified_ns: 0,
                taken_ns: 0,
                fingerprint: [0; 16],
                notes: Vec::new(),
            },
            documents: vec![document(passage, vectors.next().into_iter().collect())],
        });
    }
    writer.commit(&changes)?;
    let (mut searcher, _) = Searcher::open(scratch, project.index_settings())?;
    // Saved and opened again, it is searched in the form in which projects are.
    searcher.save(&mut writer)?;
    Ok(Searcher::open(scratch, project.index_settings())?.0)
}

fn document(passage: &BeirDocument, vectors: Vec<Embedding>) -> NewDocument {
    let text = passage.text.clone();
    let bytes = 0..text.len();
    let chunk = Chunk {
        headings: Vec::new(),
        lines: lines_of(&line_starts(&text), &bytes),
        bytes,
    };
    let title = Some(passage.title.clone()).filter(|title| !title.trim().is_empty());
    NewDocument {
        document: Document {
            id: DocumentId::new(passage.id.clone()),
            title,
            format: "jsonl".into(),
            text,
            sections: Vec::new(),
            metadata: Metadata::new(),
            permissions: Permissions::Everyone,
            embedding: None,
        },
        chunks: vec![chunk],
        vectors,
        fingerprint: [0; 16],
    }
}

/// Empties a folder when it is no longer needed, whatever happened.
struct Scratch<'a>(&'a Path);

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(self.0);
    }
}
