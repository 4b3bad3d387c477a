//! How many texts a second an embedder takes, as one line of JSON.
//!
//! `cargo run --release -p groundtune-model --example embed_bench -- FOLDER TEXTS.json
//! [THREADS] [high|f32|int8] [VECTORS.f32]`, where the texts are a JSON list. With a last argument, the
//! vectors are written there, `(texts, dimensions)` of little-endian `f32`, to compare
//! with another program's.

#![expect(clippy::print_stdout, reason = "its result")]

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use contract::Embed as _;
use model::{Embedder, EmbedderOptions, Precision};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, texts, rest @ ..] = &arguments[..] else {
        return Err(
            "usage: embed_bench FOLDER TEXTS.json [THREADS] [high|f32|int8] [VECTORS.f32]".into(),
        );
    };
    let threads: NonZeroUsize = rest
        .first()
        .map_or(Ok(NonZeroUsize::MIN), |it| it.parse())?;
    let precision = match rest.get(1).map(String::as_str) {
        None | Some("high") => Precision::High,
        Some("f32") => Precision::F32,
        Some("int8") => Precision::Int8,
        Some(other) => return Err(format!("`{other}` is not `high`, `f32` or `int8`").into()),
    };
    let texts: Vec<String> = serde_json::from_slice(&fs_err::read(texts)?)?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();

    let opening = Instant::now();
    let embedder = Embedder::open(
        Path::new(folder),
        &EmbedderOptions {
            threads: Some(threads),
            precision,
            ..Default::default()
        },
    )?;
    let open_ms = opening.elapsed().as_millis();
    embedder.vectors(&texts[..texts.len().min(64)])?;

    let start = Instant::now();
    let vectors = embedder.vectors(&texts)?;
    let texts_per_s = texts.len() as f64 / start.elapsed().as_secs_f64();

    let question = Instant::now();
    let questions = 20.min(texts.len());
    for text in &texts[..questions] {
        embedder.vectors(&[text])?;
    }
    let alone_ms = question.elapsed().as_secs_f64() * 1e3 / questions as f64;
    println!(
        "{}",
        serde_json::json!({
            "model": embedder.identity().name,
            "texts": texts.len(),
            "threads": threads,
            "texts_per_s": (texts_per_s * 10.0).round() / 10.0,
            "open_ms": open_ms,
            "one_text_ms": (alone_ms * 100.0).round() / 100.0,
        })
    );
    if let Some(path) = rest.get(2) {
        let bytes: Vec<u8> = vectors
            .iter()
            .flatten()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        fs_err::write(path, bytes)?;
    }
    Ok(())
}
