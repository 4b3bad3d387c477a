//! Times hybrid search over a whole store: `hybrid_bench TEXTS VECTORS [REPEATS]`.
//!
//! `TEXTS` is a folder with `corpus.jsonl` and `queries.jsonl` (BEIR layout), `VECTORS`
//! one with `minilm_50k.f16.npy` and `queries_1k.f16.npy`. Text and vector of a row do
//! not belong together, which does not matter to the clock. Prints a JSON object a line.

#![expect(clippy::print_stdout, reason = "an example's output is what it is for")]

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use contract::{
    Chunk, Document, DocumentId, EmbedderId, Embedding, LineRange, Metadata, Permissions, Reader,
    Value,
};
use search::store::{Change, NewDocument, Source, Writer};
use search::vector::{Method, npy};
use search::{Filter, IndexSettings, RetrievalRecipe, SearchRequest, Searcher};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [texts, vectors, rest @ ..] = arguments.as_slice() else {
        return Err("usage: hybrid_bench TEXTS VECTORS [REPEATS]".into());
    };
    let repeats: usize = rest.first().map_or(Ok(3), |it| it.parse())?;
    let (texts, vectors) = (Path::new(texts), Path::new(vectors));
    let embedder = EmbedderId {
        name: "all-MiniLM-L6-v2".into(),
        dimensions: 384,
    };
    let embed = |row: &[f32]| Embedding::new(embedder.clone(), row.to_vec());

    let rows = npy::read(&vectors.join("minilm_50k.f16.npy"))?;
    let passages = texts_of(&texts.join("corpus.jsonl"))?;
    let folder = std::env::temp_dir().join(format!("hybrid-bench-{}", std::process::id()));
    let mut writer = Writer::open(&folder)?;
    let started = Instant::now();
    let mut changes = Vec::new();
    for (number, (text, row)) in passages.iter().zip(rows.rows()).enumerate() {
        changes.push(put(number, text, embed(row)?));
        if changes.len() == 1000 {
            writer.commit(&changes)?;
            changes.clear();
        }
    }
    writer.commit(&changes)?;
    let stored = started.elapsed();

    for with_graph in [false, true] {
        let settings = IndexSettings::default();
        let method = with_graph.then_some(Method::Graph);
        let started = Instant::now();
        let (mut searcher, _) = Searcher::open(
            &folder,
            IndexSettings {
                method,
                ..settings.clone()
            },
        )?;
        searcher.build()?;
        searcher.save(&mut writer)?;
        let indexed = started.elapsed();
        let started = Instant::now();
        let (mut searcher, _) = Searcher::open(&folder, settings)?;
        let opened = started.elapsed();
        println!(
            "{{\"graph\": {with_graph}, \"chunks\": {}, \"store_s\": {:.2}, \"index_s\": {:.2}, \"open_ms\": {:.1}}}",
            searcher.keyword().len(),
            stored.as_secs_f64(),
            indexed.as_secs_f64(),
            opened.as_secs_f64() * 1e3,
        );
        let questions = texts_of(&texts.join("queries.jsonl"))?;
        let question_rows = npy::read(&vectors.join("queries_1k.f16.npy"))?;
        let embeddings = question_rows
            .rows()
            .map(embed)
            .collect::<Result<Vec<_>, _>>()?;
        let tenth = Filter::parse("tenth = 1")?;
        for (name, use_words, use_vectors, filter) in [
            ("keyword", true, false, None),
            ("vector", false, true, None),
            ("hybrid", true, true, None),
            ("hybrid, filter of 10 %", true, true, Some(&tenth)),
        ] {
            let mut times = Vec::new();
            for _ in 0..repeats {
                for (question, vector) in questions.iter().cycle().zip(&embeddings) {
                    let started = Instant::now();
                    let reply = searcher.search(&SearchRequest {
                        question: if use_words { question } else { "" },
                        vector: use_vectors.then_some(vector),
                        reader: &Reader::default(),
                        filter,
                        threshold: None,
                        recipe: &RetrievalRecipe::default(),
                        reranker: None,
                    })?;
                    times.push(started.elapsed());
                    assert!(reply.found.len() <= 5);
                }
            }
            report(name, with_graph, &mut times);
        }
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn report(name: &str, with_graph: bool, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{{\"search\": \"{name}\", \"graph\": {with_graph}, \"questions\": {}, \"p50_ms\": {:.3}, \"p95_ms\": {:.3}, \"p99_ms\": {:.3}}}",
        times.len(),
        at(0.5),
        at(0.95),
        at(0.99),
    );
}

fn texts_of(path: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut texts = Vec::new();
    for line in BufReader::new(std::fs::File::open(path)?).lines() {
        let record: serde_json::Value = serde_json::from_str(&line?)?;
        texts.push(record["text"].as_str().unwrap_or_default().to_owned());
    }
    Ok(texts)
}

fn put(number: usize, text: &str, vector: Embedding) -> Change {
    let id = format!("{number}");
    let tenth = Value::Number(f64::from(u8::from(number.is_multiple_of(10))));
    Change::Put {
        source: Source {
            id: id.clone(),
            size: 0,
            modified_ns: 0,
            taken_ns: 0,
            fingerprint: [0; 16],
            notes: Vec::new(),
        },
        documents: vec![NewDocument {
            document: Document {
                id: DocumentId::new(id),
                title: None,
                format: "jsonl".into(),
                text: text.into(),
                sections: Vec::new(),
                metadata: Metadata::from([("tenth".into(), tenth)]),
                permissions: Permissions::Everyone,
                embedding: None,
            },
            chunks: vec![Chunk {
                headings: Vec::new(),
                bytes: 0..text.len(),
                lines: LineRange { start: 1, end: 1 },
            }],
            vectors: vec![vector],
            fingerprint: [0; 16],
        }],
    }
}
