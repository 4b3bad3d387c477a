//! Writes a model with adapters merged into it, as transformers reads it.
//!
//! `cargo run --release -p groundtune-model --example merge_adapters -- BASE TO
//! ADAPTER[=WEIGHT]…`

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [base, to, adapters @ ..] = &arguments[..] else {
        return Err("usage: merge_adapters BASE TO ADAPTER[=WEIGHT]…".into());
    };
    let adapters = adapters
        .iter()
        .map(|adapter| match adapter.rsplit_once('=') {
            Some((folder, weight)) => Ok((Path::new(folder), weight.parse()?)),
            None => Ok((Path::new(adapter), 1.0)),
        })
        .collect::<Result<Vec<(&Path, f32)>, std::num::ParseFloatError>>()?;
    model::lora::merge(Path::new(base), &adapters, Path::new(to))?;
    Ok(())
}
