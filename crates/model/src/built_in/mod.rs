//! The decoder that is built into the program: what demo, tests and comparisons run on where
//! no other model is there.
//!
//! It was pretrained by `groundtune train` with the recipes in `docs/base-model`, where its
//! card says what it can and what it cannot do. Nothing is unpacked to write with it; what
//! trains it wants a folder, which [`unpack`] makes.

use std::path::Path;

use crate::decoder::{Decoder, DecoderOptions};
use crate::weights::Weights;
use crate::{ModelDescription, ModelError, ModelKind};

/// What it is called.
pub const NAME: &str = "built-in";

pub(crate) static CONFIG: &[u8] = include_bytes!("config.json");
pub(crate) static WEIGHTS: &[u8] = include_bytes!("model.safetensors");
pub(crate) static TOKENIZER: &[u8] = include_bytes!("tokenizer.json");
pub(crate) static TOKENIZER_CONFIG: &[u8] = include_bytes!("tokenizer_config.json");

/// Its files, as a Hugging Face folder has them.
static FILES: [(&str, &[u8]); 4] = [
    ("config.json", CONFIG),
    ("model.safetensors", WEIGHTS),
    ("tokenizer.json", TOKENIZER),
    ("tokenizer_config.json", TOKENIZER_CONFIG),
];

/// Returns what its files take, in bytes.
pub fn size() -> u64 {
    FILES.iter().map(|(_, bytes)| bytes.len() as u64).sum()
}

/// Returns what it is, as [`describe`](crate::describe()) says it of models in files.
///
/// # Errors
/// If there is no memory for it.
pub fn description() -> Result<ModelDescription, ModelError> {
    let weights = Weights::from_bytes(WEIGHTS, Path::new(NAME))?;
    let parameters = weights
        .shapes()
        .map(|(_, shape)| shape.iter().product::<usize>());
    let parameters: usize = parameters.sum();
    let decoder = Decoder::built_in(&DecoderOptions {
        threads: std::num::NonZeroUsize::new(1),
        ..DecoderOptions::default()
    })?;
    let config = decoder.config();
    Ok(ModelDescription {
        kind: Some(ModelKind::Decoder),
        architecture: Some("llama".into()),
        parameters: Some(parameters as u64),
        vocabulary: Some(config.vocabulary as u64),
        context: Some(config.context as u64),
        format: Some("BF16".into()),
        licence: Some("MIT OR Apache-2.0".into()),
        chat_template: true,
        base: None,
    })
}

/// Writes its files into `folder`, which is made if it is not there. A file that is there with
/// the same content stays as it is.
///
/// # Errors
/// If they cannot be written.
pub fn unpack(folder: &Path) -> Result<(), ModelError> {
    fs_err::create_dir_all(folder)?;
    for (name, bytes) in FILES {
        let path = folder.join(name);
        if fs_err::read(&path).is_ok_and(|found| found == bytes) {
            continue;
        }
        // Written beside and renamed: another program never sees half a file.
        let part = folder.join(format!(".{name}.{}.part", std::process::id()));
        fs_err::write(&part, bytes)?;
        fs_err::rename(&part, &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::{Generator, GeneratorOptions, Input, Message, Request};

    /// The most that it may take, for it lies in the repository and in the program.
    const MOST: u64 = 8_000_000;

    fn generator() -> Generator {
        Generator::built_in(&GeneratorOptions::default()).unwrap()
    }

    fn answer(generator: &Generator, prompt: &str) -> String {
        let request = Request {
            input: Input::Messages(vec![Message::user(prompt)]),
            max_tokens: Some(32),
            ..Request::default()
        };
        let mut sink = |_: &str| std::ops::ControlFlow::Continue(());
        generator.write(&request, &mut sink).unwrap().text
    }

    #[test]
    fn it_is_small() {
        assert!(size() <= MOST, "{} bytes", size());
        let description = description().unwrap();
        assert_eq!(description.kind, Some(ModelKind::Decoder));
        assert!(description.parameters.is_some_and(|it| it * 2 < MOST));
    }

    #[test]
    fn unpacked_it_is_the_same_model() {
        let room = tempfile::tempdir().unwrap();
        let folder = room.path().join("models/built-in");
        unpack(&folder).unwrap();
        unpack(&folder).unwrap();
        let again = Generator::open(&folder, &GeneratorOptions::default()).unwrap();
        let prompt = "Context: The lamp is red.\n\nQuestion: What colour is the lamp?\n\nAnswer:";
        assert_eq!(answer(&again, prompt), answer(&generator(), prompt));
        let described = crate::describe(&folder).unwrap();
        let description = description().unwrap();
        assert_eq!(described.parameters, description.parameters);
        assert_eq!(described.context, description.context);
        assert_eq!(described.format, description.format);
    }
}
