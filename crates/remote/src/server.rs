//! A server that runs models, and the requests that all its kinds of model share.

use serde_json::Value;

use crate::address::host;
use crate::http::Reply;
use crate::{Network, NetworkOptions, RemoteError, Secret};

/// A model on a server, and how it is reached.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where the server's interface begins: `http://localhost:8000/v1`.
    pub url: String,
    /// What the server calls the model.
    pub model: String,
    /// The server's key, if it wants one.
    pub key: Option<Secret>,
    /// The environment variable the key is from, to be named in errors.
    pub key_variable: Option<String>,
    /// Proxies, time limits, and when to try again.
    pub network: NetworkOptions,
}

/// A server, ready to be asked.
pub(crate) struct Server {
    network: Network,
    url: String,
    model: String,
    key: Option<Secret>,
    key_variable: Option<String>,
}

impl Server {
    pub(crate) fn new(options: ServerOptions) -> Result<Self, RemoteError> {
        Ok(Self {
            network: Network::new(options.network)?,
            url: options.url.trim_end_matches('/').to_owned(),
            model: options.model,
            key: options.key,
            key_variable: options.key_variable,
        })
    }

    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn host(&self) -> &str {
        host(&self.url)
    }

    /// Returns the name under which the model is known here: `qwen3 at localhost:8000`.
    pub(crate) fn name(&self) -> String {
        format!("{} at {}", self.model, self.host())
    }

    /// Sends `body` to `path`, again where that may help, until `take` has made something
    /// of the answer. What `take` fails with is tried again too, if it is of that kind:
    /// it must not have shown anything to anybody then.
    pub(crate) fn ask<T>(
        &self,
        path: &str,
        body: &Value,
        accept: &str,
        take: &mut dyn FnMut(Reply) -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        let url = format!("{}/{path}", self.url);
        let body = body.to_string();
        let retry = self.network.retry();
        let asked = retry.persist(
            || {
                self.network
                    .post(&url, body.as_bytes(), accept, self.key.as_ref())
                    .and_then(|reply| reply.accepted(self.key.as_ref()))
                    .and_then(&mut *take)
            },
            |_, _| Ok(()),
        );
        asked.map_err(|error| match error {
            RemoteError::Key { host, had_key, .. } => RemoteError::Key {
                host,
                had_key,
                variable: self.key_variable.clone(),
            },
            other => other,
        })
    }
}
