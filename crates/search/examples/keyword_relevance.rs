//! Asks a BEIR folder's questions of its keyword index and prints, one JSON object a
//! line, how far the first hit covers each: what `keyword_relevance.py` judges.
//!
//! ```text
//! cargo run --release --example keyword_relevance -- FOLDER [--words]
//! ```
//!
//! With `--words`, each word's weight, count and score in the first hit as well.

#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::error::Error;
use std::path::{Path, PathBuf};

use contract::ChunkId;
use fs_err as fs;
use search::keyword::{IndexedText, KeywordIndex, KeywordSettings};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a BEIR folder")?);
    let with_words = arguments.next().as_deref() == Some("--words");
    let documents = read(&folder.join("corpus.jsonl"))?;
    let mut index = KeywordIndex::new(KeywordSettings::default());
    for (id, document) in documents.iter().enumerate() {
        let headings = document["headings"].as_array().into_iter().flatten();
        let headings = headings.filter_map(Value::as_str).map(str::to_owned);
        let headings = headings.collect::<Vec<_>>();
        let chunk = IndexedText {
            title: document["title"].as_str().filter(|title| !title.is_empty()),
            headings: &headings,
            text: document["text"].as_str().unwrap_or(""),
            ..IndexedText::default()
        };
        index.insert(ChunkId(id as u64), &chunk);
    }
    for question in read(&folder.join("queries.jsonl"))? {
        let query = index.query(question["text"].as_str().unwrap_or(""));
        let hits = index.search(&query, 10, None);
        let coverages = hits.iter().map(|hit| index.coverage(&query, hit.chunk));
        let coverages = coverages.collect::<Vec<_>>();
        let relevances = hits.iter().map(|hit| index.relevance(&query, hit.chunk));
        let relevances = relevances.collect::<Vec<_>>();
        let mut line = json!({
            "_id": question["_id"], "coverages": coverages, "relevances": relevances,
        });
        if with_words && let Some(hit) = hits.first() {
            line["score"] = json!(hit.score);
            line["document"] = documents[hit.chunk.0 as usize]["_id"].clone();
            line["words"] = json!(index.explain(&query, hit.chunk));
        }
        println!("{line}");
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    Ok(text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?)
}
