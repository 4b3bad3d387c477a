//! Times tantivy on the words that `keyword_bench --words DIR` wrote: an index of one
//! segment in memory, one thread, any of a question's words, the best `k` by BM25.
//!
//! ```text
//! tantivy_bench DIR [ROUNDS]
//! ```

use std::path::PathBuf;
use std::time::Instant;

use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{TextAnalyzer, WhitespaceTokenizer};
use tantivy::{Index, IndexWriter, TantivyDocument, Term};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name the folder")?);
    let rounds = arguments.next().map_or(Ok(3), |rounds| rounds.parse::<usize>())?;
    let chunks = std::fs::read_to_string(folder.join("chunks.txt"))?;
    let questions = std::fs::read_to_string(folder.join("questions.txt"))?;

    let mut schema = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("words")
        .set_index_option(IndexRecordOption::WithFreqs);
    let text = schema.add_text_field("text", TextOptions::default().set_indexing_options(indexing));
    let index = Index::create_in_ram(schema.build());
    index
        .tokenizers()
        .register("words", TextAnalyzer::builder(WhitespaceTokenizer::default()).build());
    let start = Instant::now();
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 1 << 30)?;
    for line in chunks.lines() {
        let mut document = TantivyDocument::default();
        document.add_text(text, line);
        writer.add_document(document)?;
    }
    writer.commit()?;
    let segments = index.searchable_segment_ids()?;
    if segments.len() > 1 {
        writer.merge(&segments).wait()?;
    }
    let build_s = start.elapsed().as_secs_f64();
    let reader = index.reader()?;
    let searcher = reader.searcher();
    println!(
        "{{\"peer\":\"tantivy\",\"chunks\":{},\"segments\":{},\"build_s\":{build_s}}}",
        searcher.num_docs(),
        searcher.segment_readers().len()
    );
    let asked = questions.lines().collect::<Vec<_>>();
    for k in [10, 100] {
        let (mut rates, mut hits) = (Vec::new(), 0);
        for _ in 0..rounds {
            let start = Instant::now();
            for line in &asked {
                let words = line.split_ascii_whitespace().map(|word| {
                    let term = Term::from_field_text(text, word);
                    let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
                    (Occur::Should, Box::new(query) as Box<dyn Query>)
                });
                let query = BooleanQuery::new(words.collect());
                hits += searcher.search(&query, &TopDocs::with_limit(k).order_by_score())?.len();
            }
            rates.push(asked.len() as f64 / start.elapsed().as_secs_f64());
        }
        rates.sort_by(f64::total_cmp);
        println!(
            "{{\"questions\":{},\"k\":{k},\"per_s_median\":{},\"per_s_least\":{},\"per_s_most\":{},\"hits\":{}}}",
            asked.len(), rates[rates.len() / 2], rates[0], rates[rates.len() - 1], hits / rounds
        );
    }
    Ok(())
}
