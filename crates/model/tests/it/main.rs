//! The tiny models in `tests/data` against the numbers of transformers and
//! sentence-transformers, and what happens to damaged folders.

mod adalora;
mod allocation;
mod bottleneck;
mod chat;
mod cross_encoder;
mod damage;
mod decoder;
mod embedder;
mod encoder_training;
mod export;
mod generator;
mod gguf_encoder;
mod heads;
mod lora;
mod pretrained;
mod tokenizer;
mod training;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Returns the folder of a tiny model.
fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// Returns what `make_golden.py` expects of a tiny model.
fn expected<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&fs_err::read(tiny(name).join("expected.json")).unwrap()).unwrap()
}

/// Copies a tiny model to a folder where it can be damaged.
fn copy(name: &str) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    let mut folders = vec![(tiny(name), to.path().to_path_buf())];
    while let Some((from, to)) = folders.pop() {
        fs_err::create_dir_all(&to).unwrap();
        for entry in fs_err::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push((entry.path(), target));
            } else {
                fs_err::copy(entry.path(), target).unwrap();
            }
        }
    }
    to
}
