//! Builds a keyword index of a BEIR folder, asks all its questions and prints, one
//! JSON object a line, how long that took and how large it is.
//!
//! ```text
//! cargo run --release --example keyword_bench -- FOLDER [--k1 1.2] [--b 0.75]
//!     [--heading-weight 1] [--language auto] [--rounds 3] [--top 100]
//!     [--run FILE]    write what was found as a TREC run
//!     [--words DIR]   write the words of chunks and questions, for another index
//! ```

#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use contract::ChunkId;
use fs_err as fs;
use search::keyword::{
    IndexedText, KeywordIndex, KeywordQuery, KeywordSettings, Language, LanguageChoice,
    for_each_word, term,
};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a BEIR folder")?);
    let mut settings = KeywordSettings::default();
    let (mut run, mut words, mut rounds, mut top) = (None, None, 3, 100);
    while let Some(flag) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("`{flag}` needs a value"))?;
        match flag.as_str() {
            "--k1" => settings.k1 = value.parse()?,
            "--b" => settings.b = value.parse()?,
            "--heading-weight" => settings.heading_weight = value.parse()?,
            "--language" => settings.language = serde_json::from_value(value.into())?,
            "--rounds" => rounds = value.parse()?,
            "--top" => top = value.parse()?,
            "--run" => run = Some(value),
            "--words" => words = Some(PathBuf::from(value)),
            _ => return Err(format!("unknown flag `{flag}`").into()),
        }
    }
    let documents = read(&folder.join("corpus.jsonl"))?;
    let questions = read(&folder.join("queries.jsonl"))?;

    let start = Instant::now();
    let mut index = KeywordIndex::new(settings);
    for (id, document) in documents.iter().enumerate() {
        let title = &document["title"];
        let chunk = IndexedText {
            title: title.as_str().filter(|title| !title.is_empty()),
            text: document["text"].as_str().unwrap_or(""),
            ..IndexedText::default()
        };
        index.insert(ChunkId(id as u64), &chunk);
    }
    let insert_s = start.elapsed().as_secs_f64();
    let in_memory = index.memory();
    let path = std::env::temp_dir().join(format!("keyword_bench.{}", std::process::id()));
    let start = Instant::now();
    index.save(&path, 1)?;
    let save_s = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let index = KeywordIndex::open(&path, index.settings().clone())?;
    let open_s = start.elapsed().as_secs_f64();
    fs::remove_file(&path)?;
    println!(
        "{}",
        json!({
            "chunks": documents.len(), "insert_s": insert_s, "save_s": save_s, "open_s": open_s,
            "delta_bytes": in_memory, "file_bytes": index.saved_len(),
        })
    );

    let texts = questions
        .iter()
        .map(|question| question["text"].as_str().unwrap_or(""));
    let texts = texts.collect::<Vec<_>>();
    let queries = texts
        .iter()
        .map(|text| index.query(text))
        .collect::<Vec<_>>();
    for (k, cut) in [(10, true), (10, false), (100, true), (100, false)] {
        let mut rates = Vec::new();
        let mut hits = 0;
        for _ in 0..rounds {
            let start = Instant::now();
            for (text, query) in texts.iter().zip(&queries) {
                hits += if cut {
                    index.search(&index.query(text), k, None).len()
                } else {
                    index.search(query, k, None).len()
                };
            }
            rates.push(texts.len() as f64 / start.elapsed().as_secs_f64());
        }
        rates.sort_by(f64::total_cmp);
        println!(
            "{}",
            json!({
                "questions": texts.len(), "k": k, "with_cutting": cut, "per_s_median": rates[rates.len() / 2],
                "per_s_least": rates[0], "per_s_most": rates[rates.len() - 1],
                "hits": hits / rounds,
            })
        );
    }
    if let Some(file) = run {
        let mut out = String::new();
        for (question, text) in questions.iter().zip(&texts) {
            let id = question["_id"].as_str().unwrap_or("");
            let hits = index.search(&index.query(text), top, None);
            for (rank, hit) in hits.iter().enumerate() {
                let document = documents[hit.chunk.0 as usize]["_id"]
                    .as_str()
                    .unwrap_or("");
                let (rank, score) = (rank + 1, hit.score.0);
                writeln!(out, "{id} Q0 {document} {rank} {score} keyword")?;
            }
        }
        fs::write(file, out)?;
    }
    if let Some(folder) = words {
        write_words(&folder, &documents, &texts)?;
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

/// Writes `chunks.txt` and `questions.txt`, a line each with its English terms; of
/// the questions only the content words, each once.
fn write_words(folder: &Path, documents: &[Value], texts: &[&str]) -> Result<(), Box<dyn Error>> {
    let language = Language::English;
    let line = |text: &str, keep: &dyn Fn(&str) -> bool| {
        let mut line = Vec::new();
        for_each_word(text, &mut |word| {
            if keep(word.text) {
                line.push(term(&word, language));
            }
        });
        line
    };
    fs::create_dir_all(folder)?;
    let settings = KeywordSettings {
        language: LanguageChoice::Fixed(language),
        ..KeywordSettings::default()
    };
    let empty = KeywordIndex::new(settings);
    let mut out = String::new();
    for document in documents {
        for field in ["title", "text"] {
            let words = line(document[field].as_str().unwrap_or(""), &|_| true);
            write!(out, "{} ", words.join(" "))?;
        }
        out.push('\n');
    }
    fs::write(folder.join("chunks.txt"), &out)?;
    out.clear();
    for text in texts {
        let query: KeywordQuery = empty.query(text);
        let content = query.content_words().collect::<Vec<_>>();
        let mut words = line(text, &|word| content.contains(&word));
        words.sort_unstable();
        words.dedup();
        writeln!(out, "{}", words.join(" "))?;
    }
    fs::write(folder.join("questions.txt"), &out)?;
    Ok(())
}
