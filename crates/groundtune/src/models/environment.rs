//! What the library is told about the surroundings in which it looks for models.

use std::fmt;
use std::sync::Arc;

use remote::{Cache, NetworkOptions, Secret, Sources};

use super::TunedModels;

/// Returns the secret in the environment variable of a name.
type Keys = Arc<dyn Fn(&str) -> Option<Secret> + Send + Sync>;

/// Where models lie and which keys there are. The library reads no environment: whoever
/// calls it says what of it counts.
#[derive(Clone, Default)]
pub struct Environment {
    /// The cache of downloaded models, if there is a place for one.
    pub cache: Option<Cache>,
    /// How the network is reached.
    pub network: NetworkOptions,
    /// Where models are fetched from.
    pub sources: Sources,
    /// The tuned models that are known by name, if there is a place for them.
    pub tuned: Option<TunedModels>,
    /// Returns the secret that an environment variable of this name holds.
    keys: Option<Keys>,
}

impl Environment {
    /// Returns it with the models of `cache`.
    pub fn with_cache(mut self, cache: Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Returns it with the tuned models of `tuned`.
    pub fn with_tuned(mut self, tuned: TunedModels) -> Self {
        self.tuned = Some(tuned);
        self
    }

    /// Returns it with `keys`, which is asked for the secret in a named variable.
    pub fn with_keys(
        mut self,
        keys: impl Fn(&str) -> Option<Secret> + Send + Sync + 'static,
    ) -> Self {
        self.keys = Some(Arc::new(keys));
        self
    }

    /// Returns the secret that the variable `name` holds.
    pub fn key(&self, name: &str) -> Option<Secret> {
        self.keys.as_ref().and_then(|keys| keys(name))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("cache", &self.cache)
            .field("network", &self.network)
            .field("sources", &self.sources)
            .field("tuned", &self.tuned)
            .finish_non_exhaustive()
    }
}
