//! What the process's environment says about models: where they lie, how the network is
//! reached, which keys there are. The names are those that Hugging Face, pip and curl know.

use std::env;
use std::path::PathBuf;

use groundtune::Environment;
use groundtune::models::{Cache, Secret};

/// Returns what the library is told about the environment.
pub(crate) fn environment() -> Environment {
    let mut environment = Environment::default().with_keys(|name| Secret::new(&text(name)?));
    environment.cache = cache_folder().map(Cache::new);
    environment
}

/// Returns the folder in which Hugging Face keeps models: `HF_HUB_CACHE`, or `hub` in
/// `HF_HOME`, or in `~/.cache/huggingface`.
fn cache_folder() -> Option<PathBuf> {
    folder("HF_HUB_CACHE")
        .or_else(|| folder("HUGGINGFACE_HUB_CACHE"))
        .or_else(|| hugging_face_home().map(|home| home.join("hub")))
}

fn hugging_face_home() -> Option<PathBuf> {
    folder("HF_HOME").or_else(|| {
        let caches =
            folder("XDG_CACHE_HOME").or_else(|| env::home_dir().map(|home| home.join(".cache")))?;
        Some(caches.join("huggingface"))
    })
}

/// Returns the folder that a variable names, `~` being the user's own.
fn folder(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os(name).filter(|value| !value.is_empty())?);
    match path.strip_prefix("~") {
        Ok(below) => Some(env::home_dir()?.join(below)),
        Err(_) => Some(path),
    }
}

/// Returns what a variable says, if it is set, not blank, and text.
fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}
