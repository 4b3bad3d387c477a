//! The models that are here: listed, described, fetched and removed.

use std::path::{Path, PathBuf};

use contract::Bytes;
use model::{ModelDescription, ModelError, describe};
use remote::{Cache, ModelName, Network, PullSink, RemoteError, Snapshot};

use super::{Environment, ModelPlace, ModelReference, ModelUse, ResolveError};
use crate::Error;

/// A model of the cache.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelListing {
    /// Its name, with the branch, tag or version that leads to it.
    pub name: ModelName,
    /// The commit that it is.
    pub commit: String,
    /// Where it lies.
    pub folder: PathBuf,
    /// What its files take.
    pub size: Bytes,
    /// What it is; or what is wrong with its files.
    pub description: Result<ModelDescription, String>,
}

impl Environment {
    /// Returns every model of the cache, by name.
    ///
    /// # Errors
    /// If the cache cannot be read. A model that cannot be read is listed as such.
    pub fn models(&self) -> Result<Vec<ModelListing>, Error> {
        self.the_cache()?
            .snapshots()?
            .into_iter()
            .map(|snapshot| {
                let size = snapshot.files()?.iter().map(|(_, size)| size).sum();
                let described = describe(&snapshot.folder).or_else(|error| match error {
                    // What it is for is the same whichever of them is meant.
                    ModelError::SeveralGguf { folder, found } => describe(&folder.join(&found[0])),
                    error => Err(error),
                });
                Ok(ModelListing {
                    description: described.map_err(|error| error.to_string()),
                    name: snapshot.name,
                    commit: snapshot.commit,
                    folder: snapshot.folder,
                    size: Bytes(size),
                })
            })
            .collect()
    }

    /// Returns where the model is that `reference` names, and what it is. Paths are
    /// relative to `base`.
    ///
    /// # Errors
    /// If it is not here, not a model of files, or damaged.
    pub fn describe(
        &self,
        reference: &ModelReference,
        base: &Path,
    ) -> Result<Option<(PathBuf, ModelDescription)>, Error> {
        let place = self.resolve(reference, ModelUse::Generator, base);
        Ok(match place {
            Ok(ModelPlace::Local(path))
            // It says what it is also where its base is not here.
            | Err(ResolveError::AdapterBase { adapter: path, .. }) => {
                let description = describe(&path)?;
                Some((path, description))
            }
            Ok(ModelPlace::Tuned(tuned)) => {
                let path = tuned.adapter.unwrap_or(tuned.model);
                let description = describe(&path)?;
                Some((path, description))
            }
            Ok(ModelPlace::BuiltIn) => {
                let description = model::built_in::description()?;
                Some((PathBuf::from("in the program"), description))
            }
            Ok(ModelPlace::Nowhere | ModelPlace::Server(_)) => None,
            Err(error) => return Err(error.into()),
        })
    }

    /// Fetches `name` into the cache; what is there already is not fetched again.
    ///
    /// # Errors
    /// If it cannot be had; what was fetched up to then is used next time.
    pub fn pull(&self, name: &ModelName, sink: &mut PullSink<'_>) -> Result<Snapshot, Error> {
        let cache = self.the_cache()?;
        // What is there is there, also with the network off.
        if self.network.offline
            && let Some(snapshot) = cache.find(name)?
        {
            return Ok(snapshot);
        }
        let network = Network::new(self.network.clone())?;
        let pulled = cache.pull(name, &self.sources, &network, sink);
        Ok(pulled.map_err(|error| match error {
            // Not a server is missing, but what it would have given.
            RemoteError::Offline { .. } => RemoteError::Offline {
                wanted: name.to_string(),
            },
            error => error,
        })?)
    }

    /// Takes the model `name` out of the cache: the revision it names, or `main`.
    /// Returns what that frees.
    ///
    /// # Errors
    /// If it is not there or cannot be removed.
    pub fn remove(&self, name: &ModelName) -> Result<Bytes, Error> {
        let cache = self.the_cache()?;
        let Some(snapshot) = cache.find(name)? else {
            return Err(Error::NotInCache {
                name: name.clone(),
                cache: cache.folder().to_path_buf(),
            });
        };
        Ok(Bytes(cache.remove(&snapshot)?))
    }

    fn the_cache(&self) -> Result<&Cache, Error> {
        self.cache.as_ref().ok_or_else(|| {
            Error::Remote(RemoteError::Setting {
                what: "the cache of models".into(),
                source: "there is no home folder; name a folder with `HF_HOME`".into(),
            })
        })
    }
}
