//! A project in a temporary folder, and an embedder that needs no model.

use std::ops::ControlFlow;
use std::path::PathBuf;

use contract::{Embed, EmbedderId, Embedding, PromiseError, Reader, TextRole};
use groundtune::{IngestEvent, IngestRequest, IngestSummary, Project, Question, Session, ingest};

pub(crate) struct Folder {
    _dir: tempfile::TempDir,
    pub(crate) project: Project,
}

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self::with_config("", files)
    }

    pub(crate) fn with_config(config: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("groundtune.toml"), config).unwrap();
        let project = Project::open(dir.path()).unwrap();
        let folder = Self { _dir: dir, project };
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.project.root.join(path)
    }

    /// Writes a file whose time is old enough to be trusted at the next look.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        let before = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        std::fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(before)
            .unwrap();
    }

    pub(crate) fn ingest(&self) -> IngestSummary {
        self.ingest_with(&IngestRequest::default(), None)
    }

    pub(crate) fn ingest_with(
        &self,
        request: &IngestRequest,
        embedder: Option<&dyn Embed>,
    ) -> IngestSummary {
        ingest(&self.project, request, embedder, &mut |_: IngestEvent<
            '_,
        >| {
            ControlFlow::Continue(())
        })
        .unwrap()
    }

    pub(crate) fn session(&self) -> Session {
        Session::open(&self.project).unwrap()
    }

    /// The documents that a question finds, best first, each once.
    pub(crate) fn found(&self, question: &str) -> Vec<String> {
        found(&mut self.session(), &ask(question))
    }
}

pub(crate) fn ask(text: &str) -> Question {
    Question {
        text: text.into(),
        ..Question::default()
    }
}

pub(crate) fn ask_as(text: &str, groups: &[&str]) -> Question {
    Question {
        reader: Reader::of(groups.iter().copied()),
        ..ask(text)
    }
}

pub(crate) fn found(session: &mut Session, question: &Question) -> Vec<String> {
    let mut documents: Vec<String> = Vec::new();
    for found in &session.search(question).unwrap().found {
        let id = found.evidence.document.to_string();
        if !documents.contains(&id) {
            documents.push(id);
        }
    }
    documents
}

/// Embeds a text as the sum of a direction for each of its words, and knows a few
/// words that mean the same.
pub(crate) struct WordEmbedder {
    identity: EmbedderId,
}

impl WordEmbedder {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            identity: EmbedderId {
                name: name.into(),
                dimensions: 64,
            },
        }
    }
}

impl Embed for WordEmbedder {
    fn identity(&self) -> &EmbedderId {
        &self.identity
    }

    fn embed(&self, texts: &[&str], _: TextRole) -> Result<Vec<Embedding>, PromiseError> {
        let embed = |text: &&str| {
            let mut values = vec![1e-3_f32; 64];
            for word in text
                .split(|c: char| !c.is_alphanumeric())
                .filter(|it| it.len() > 3)
            {
                let word = match word.to_lowercase().as_str() {
                    "refund" | "money" => "return".to_owned(),
                    other => other.trim_end_matches('s').to_owned(),
                };
                let mut state = xxhash_rust::xxh3::xxh3_64(word.as_bytes());
                for value in &mut values {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    *value += (state >> 40) as f32 / (1 << 24) as f32 - 0.5;
                }
            }
            Embedding::new(self.identity.clone(), values).unwrap()
        };
        Ok(texts.iter().map(embed).collect())
    }
}
