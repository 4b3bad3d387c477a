//! A model hub: the interface that Hugging Face has and its mirrors repeat.
//!
//! One request tells a model's commit, files, sizes and checksums (what
//! huggingface_hub's `model_info(files_metadata=True)` asks for); then the files come
//! one after another. Redirects lead to other servers, which never see the token.

use serde::Deserialize;

use crate::address::{check, escaped, host};
use crate::cache::is_name;
use crate::download::{Checksum, PullEvent, PullSink, stop_on_break};
use crate::http::unexpected;
use crate::pull::RemoteFile;
use crate::select::select;
use crate::{Cache, ModelName, Network, RemoteError, Secret, Snapshot};

/// Hugging Face's own.
pub const HUGGING_FACE: &str = "https://huggingface.co";

/// A model hub.
#[derive(Clone, Debug)]
pub struct Hub {
    /// Where it is; without a slash at the end.
    pub endpoint: String,
    /// Who asks, for models that not everyone may have.
    pub token: Option<Secret>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            endpoint: HUGGING_FACE.into(),
            token: None,
        }
    }
}

/// What the hub says of a model in one revision.
#[derive(Deserialize)]
struct About {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob: Option<String>,
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Hub {
    pub(crate) fn pull(
        &self,
        name: &ModelName,
        cache: &Cache,
        network: &Network,
        sink: &mut PullSink<'_>,
    ) -> Result<Snapshot, RemoteError> {
        let endpoint = self.endpoint.trim_end_matches('/');
        check(endpoint, "the hub", "HF_ENDPOINT")?;
        let token = match &self.token {
            Some(token) => Some(token.bearer().ok_or_else(|| RemoteError::Key {
                host: host(endpoint).into(),
                had_key: true,
                variable: Some("HF_TOKEN".into()),
            })?),
            None => None,
        };
        let revision = name.revision().unwrap_or(crate::cache::MAIN);
        let url = format!(
            "{endpoint}/api/models/{}/revision/{}?blobs=true",
            name.name(),
            escaped(revision).replace('/', "%2F")
        );
        let about = network.retry().persist(
            || self.about(name, &url, network, token.as_deref()),
            |error, pause| stop_on_break(sink(PullEvent::Retrying { error, pause })),
        )?;
        if !is_name(&about.sha) {
            return Err(unexpected(&url, "a commit", &about.sha));
        }
        let paths: Vec<&str> = about
            .siblings
            .iter()
            .map(|file| file.rfilename.as_str())
            // A path that leads elsewhere is no file of the model.
            .filter(|path| path.split('/').all(is_name))
            .collect();
        let chosen = select(name, &paths)?;
        let files: Vec<RemoteFile> = about
            .siblings
            .iter()
            .filter(|file| chosen.contains(&file.rfilename.as_str()))
            .map(|file| RemoteFile {
                path: file.rfilename.clone(),
                url: format!(
                    "{endpoint}/{}/resolve/{}/{}",
                    name.name(),
                    about.sha,
                    escaped(&file.rfilename)
                ),
                size: file.lfs.as_ref().and_then(|it| it.size).or(file.size),
                checksum: file.checksum(),
            })
            .collect();
        cache
            .fetch(name, &about.sha, &files, token.as_deref(), network, sink)
            .map_err(|error| self.refused(name, error))
    }

    fn about(
        &self,
        name: &ModelName,
        url: &str,
        network: &Network,
        token: Option<&str>,
    ) -> Result<About, RemoteError> {
        let reply = network.get(url, &[("Accept", "application/json")], token)?;
        let code = reply.header("x-error-code").unwrap_or_default().to_owned();
        match reply.accepted(self.token.as_ref()) {
            Ok(reply) => reply.json("a model's description"),
            Err(RemoteError::Key { .. } | RemoteError::Status { status: 404, .. }) => {
                Err(match &*code {
                    "GatedRepo" => self.gated(name),
                    "RevisionNotFound" => RemoteError::NoSuchRevision {
                        name: name.clone(),
                        known: Vec::new(),
                    },
                    _ => RemoteError::NoSuchModel {
                        host: host(url).into(),
                        name: name.clone(),
                    },
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Returns what it means that a file of a known model was refused.
    fn refused(&self, name: &ModelName, error: RemoteError) -> RemoteError {
        match error {
            RemoteError::Key { host: found, .. } if found == host(&self.endpoint) => {
                self.gated(name)
            }
            error => error,
        }
    }

    fn gated(&self, name: &ModelName) -> RemoteError {
        RemoteError::Gated {
            name: name.clone(),
            page: format!("{}/{}", self.endpoint.trim_end_matches('/'), name.name()),
        }
    }
}

impl Sibling {
    fn checksum(&self) -> Option<Checksum> {
        let large = self.lfs.as_ref().and_then(|it| it.sha256.as_deref());
        // A large file's `blobId` is that of the small file that points to it.
        let small = self.blob.as_deref().filter(|_| self.lfs.is_none());
        Checksum::of_etag(large.or(small)?)
    }
}
