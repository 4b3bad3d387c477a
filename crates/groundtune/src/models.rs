//! The models that the configuration names, opened to help.

use contract::{Embed, Rerank};
use model::{CrossEncoder, CrossEncoderOptions, Embedder, EmbedderOptions};

use crate::{Error, Project};

impl Project {
    /// Opens the model that makes vectors, if the configuration names one.
    ///
    /// Fails if its folder is missing, damaged, or of a kind that is not known.
    pub fn open_embedder(&self) -> Result<Option<Box<dyn Embed>>, Error> {
        let Some(folder) = &self.config.models.embedder else {
            return Ok(None);
        };
        let embedder = Embedder::open(&self.root.join(folder), &EmbedderOptions::default())?;
        Ok(Some(Box::new(embedder)))
    }

    /// Opens the cross-encoder that judges what was found, if the configuration names one.
    ///
    /// Fails if its folder is missing, damaged, or of a kind that is not known.
    pub fn open_reranker(&self) -> Result<Option<Box<dyn Rerank>>, Error> {
        let Some(folder) = &self.config.models.reranker else {
            return Ok(None);
        };
        let options = CrossEncoderOptions::default();
        let reranker = CrossEncoder::open(&self.root.join(folder), &options)?;
        Ok(Some(Box::new(reranker)))
    }
}
