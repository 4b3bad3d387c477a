//! Holds answers against evidence as `ask` holds what a model writes, and prints how much
//! of each sentence is supported: what `docs/bench/scripts/grounding.py` judges.
//!
//! ```text
//! cargo run --release --example grounding -- CORPUS.jsonl < CASES.jsonl
//! ```
//!
//! A line of the corpus has `text`, a case `question`, `answer` (which cites `[1]`) and
//! `evidence`. A line of the output is the list of the answer's sentences, each with its
//! `support` and whether that is enough.

#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::error::Error;
use std::io::BufRead as _;

use contract::{ChunkId, DocumentId, Evidence, LineRange, Share};
use search::keyword::{IndexedText, KeywordIndex, KeywordSettings};
use search::{Grounding, Unsupported};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = std::env::args().nth(1).ok_or("name a corpus")?;
    let corpus = fs_err::read_to_string(corpus)?;
    let mut index = KeywordIndex::new(KeywordSettings::default());
    for (id, line) in (0..).zip(corpus.lines()) {
        let document: Value = serde_json::from_str(line)?;
        let chunk = IndexedText {
            text: document["text"].as_str().unwrap_or(""),
            ..IndexedText::default()
        };
        index.insert(ChunkId(id), &chunk);
    }
    for line in std::io::stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line?)?;
        let text = |key: &str| case[key].as_str().unwrap_or("").to_owned();
        let evidence = [Evidence {
            chunk: ChunkId(0),
            document: DocumentId::new("evidence"),
            title: None,
            headings: Vec::new(),
            bytes: 0..text("evidence").len(),
            lines: LineRange { start: 1, end: 1 },
            text: text("evidence"),
            score: Share::ONE,
        }];
        let refusal = "not in the documents";
        let question = text("question");
        let mut grounding =
            Grounding::new(&index, &question, &evidence, refusal, Unsupported::Mark);
        grounding.take(&text("answer"));
        let (_, grounded) = grounding.finish();
        let sentences = grounded.sentences.iter();
        let sentences = sentences.map(|it| json!({"support": it.support, "enough": it.supported}));
        println!("{}", Value::Array(sentences.collect()));
    }
    Ok(())
}
