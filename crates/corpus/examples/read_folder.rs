//! Reads every file below the folders given and prints what became of each:
//! documents, sections and chunks, or the reason why it was refused.
//!
//! `cargo run --release --example read_folder -- [--text | --chunks] FOLDER…`;
//! `--text` prints each document's text too, `--chunks` each chunk.

#![expect(clippy::print_stdout, reason = "an example's answer is what it prints")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use corpus::{Chunker, ReadOptions, WalkOptions, chunk, document_id, read_file, walk};

fn main() -> Result<(), Box<dyn Error>> {
    let mut roots = Vec::new();
    let (mut show_text, mut show_chunks) = (false, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--text" => show_text = true,
            "--chunks" => show_chunks = true,
            _ => roots.push(PathBuf::from(argument)),
        }
    }
    let begin = Instant::now();
    let walk = walk(&roots, &WalkOptions::default())?;
    let (mut files, mut documents, mut chunks, mut bytes) = (0, 0, 0, 0);
    for found in &walk.files {
        let id = document_id(&found.relative);
        let reading = match read_file(&found.path, &id, &ReadOptions::default()) {
            Ok(reading) => reading,
            Err(error) => {
                let cause = error.source().map(|cause| format!(" ({cause})"));
                println!("refused  {error}{}", cause.unwrap_or_default());
                continue;
            }
        };
        for warning in &reading.warnings {
            println!("warning  {warning}");
        }
        files += 1;
        bytes += found.size;
        documents += reading.documents.len();
        let (mut sections_here, mut chunks_here) = (0, 0);
        for document in &reading.documents {
            let cut = chunk(document, &Chunker::default(), None)?;
            sections_here += document.sections.len();
            chunks_here += cut.len();
            if show_text {
                println!(
                    "=== {} {:?} {:?}",
                    document.id, document.title, document.metadata
                );
                println!("{}", document.text);
            }
            if show_chunks {
                for chunk in &cut {
                    println!("--- {} {:?} {:?}", document.id, chunk.lines, chunk.headings);
                    println!("{}", &document.text[chunk.bytes.clone()]);
                }
            }
        }
        chunks += chunks_here;
        println!(
            "read     {id}: {} documents, {sections_here} sections, {chunks_here} chunks",
            reading.documents.len()
        );
    }
    for skipped in &walk.skipped {
        println!("skipped  {}", skipped.reason);
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{files} of {} files, {documents} documents, {chunks} chunks; {:.1} MB in {seconds:.2} s",
        walk.files.len(),
        bytes as f64 / 1e6
    );
    Ok(())
}
