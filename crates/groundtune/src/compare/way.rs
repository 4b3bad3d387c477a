//! A way to find evidence: how documents are cut, how the two lists become one, and whether a
//! reranker has its say; and the project that finds so.
//!
//! Documents that are cut otherwise have a store of their own in the comparison's folder, made of
//! the same files by the same journey. The project's store is never touched.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

use corpus::Chunker;
use search::store::{Snapshot, Source};
use serde::{Deserialize, Serialize};

use super::folder::Folder;
use crate::config::Fusion;
use crate::ingest::{IngestRequest, ingest};
use crate::models::{Environment, ModelReference};
use crate::{Error, Project};

/// How the list of words and the list of vectors become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lists {
    /// As the project says.
    #[default]
    AsConfigured,
    /// Words alone.
    Words,
    /// Vectors alone.
    Vectors,
    /// By score, vectors counting half as much as usual.
    MoreWords,
    /// By score, vectors counting twice as much as usual.
    MoreVectors,
    /// By their ranks.
    Ranks,
}

impl Lists {
    /// All but the project's own.
    pub(super) const OTHERS: [Self; 5] = [
        Self::Words,
        Self::Vectors,
        Self::MoreWords,
        Self::MoreVectors,
        Self::Ranks,
    ];

    fn says(self) -> &'static str {
        match self {
            Self::AsConfigured => "the project's fusion",
            Self::Words => "words alone",
            Self::Vectors => "vectors alone",
            Self::MoreWords => "vectors count half",
            Self::MoreVectors => "vectors count double",
            Self::Ranks => "fused by rank",
        }
    }
}

/// A way to find evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// How documents are cut, if otherwise than the project does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk: Option<Chunker>,
    /// How the lists become one.
    pub lists: Lists,
    /// Whether the project's reranker is left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_reranker: bool,
}

impl std::fmt::Display for Way {
    /// Writes it in one line: `sentences of at most 60 words, words alone`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.chunk {
            None => f.write_str("the project's chunks")?,
            Some(Chunker::Section { max_words, .. }) => {
                write!(f, "sections of at most {max_words} words")?;
            }
            Some(Chunker::Sentence { max_words }) => {
                write!(f, "sentences, {max_words} words at most")?;
            }
            Some(Chunker::Fixed { words, overlap }) => {
                write!(f, "{words} words, {overlap} of them again")?;
            }
            Some(Chunker::Topic { max_words, .. }) => {
                write!(f, "topics of at most {max_words} words")?;
            }
            Some(Chunker::Code { max_words, .. }) => {
                write!(f, "items of at most {max_words} words")?;
            }
        }
        write!(f, ", {}", self.lists.says())?;
        match self.without_reranker {
            true => f.write_str(", not reranked"),
            false => Ok(()),
        }
    }
}

/// How documents may be cut otherwise, the likeliest to help first.
pub(super) fn chunkers() -> [Chunker; 6] {
    [
        Chunker::Sentence { max_words: 60 },
        Chunker::Fixed {
            words: 200,
            overlap: 40,
        },
        Chunker::Section {
            max_words: 120,
            min_words: 20,
        },
        Chunker::Section {
            max_words: 400,
            min_words: 80,
        },
        Chunker::Sentence { max_words: 120 },
        Chunker::Fixed {
            words: 100,
            overlap: 20,
        },
    ]
}

/// Which documents are searched.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Extent {
    /// All of them.
    All,
    /// Those of these files, so that ways of cutting are tried in reasonable time.
    Some(Vec<PathBuf>),
}

impl Way {
    /// Returns the project that finds this way, without making sure of its store.
    pub(super) fn project(&self, project: &Project, folder: &Folder, extent: &Extent) -> Project {
        let mut like = project.clone();
        let factor = like.config.models.embedder.vector_factor();
        let retrieval = &mut like.config.retrieval;
        let score = |times: f64| Fusion::Score {
            vector: Some(times * factor),
        };
        retrieval.fusion = match self.lists {
            Lists::AsConfigured => retrieval.fusion,
            Lists::Words => score(0.0),
            Lists::Vectors => Fusion::Rrf {
                rrf_k: 60.0,
                keyword: 0.0,
                vector: 1.0,
            },
            Lists::MoreWords => score(0.5),
            Lists::MoreVectors => score(2.0),
            Lists::Ranks => Fusion::rrf(),
        };
        if self.without_reranker {
            like.config.models.reranker = ModelReference::None;
        }
        if let Some(chunk) = &self.chunk {
            like.config.chunk = chunk.clone();
        }
        match (&self.chunk, extent) {
            (None, Extent::All) => like,
            (chunk, extent) => {
                let name = name_of(chunk.as_ref());
                let part = match extent {
                    Extent::All => name,
                    Extent::Some(_) => format!("{name}-part"),
                };
                like.with_state(folder.stores().join(part))
            }
        }
    }

    /// Returns the project that finds this way, its store made or brought up to date.
    ///
    /// # Errors
    /// If the store cannot be made.
    pub(super) fn made(
        &self,
        project: &Project,
        folder: &Folder,
        extent: &Extent,
        environment: &Environment,
    ) -> Result<Project, Error> {
        let like = self.project(project, folder, extent);
        if like.store_folder() == project.store_folder() {
            return Ok(like);
        }
        let paths = match extent {
            Extent::All => files(project, &sources(project)?),
            Extent::Some(paths) => paths.clone(),
        };
        let request = IngestRequest {
            paths,
            rebuild: false,
        };
        let embedder = like.open_embedder(environment)?;
        ingest(&like, &request, embedder.as_deref(), &mut |_| {
            ControlFlow::Continue(())
        })?;
        Ok(like)
    }
}

/// Returns a name for the folder of a store.
fn name_of(chunk: Option<&Chunker>) -> String {
    match chunk {
        None => "own".into(),
        Some(Chunker::Section {
            max_words,
            min_words,
        }) => format!("section-{max_words}-{min_words}"),
        Some(Chunker::Sentence { max_words }) => format!("sentence-{max_words}"),
        Some(Chunker::Fixed { words, overlap }) => format!("fixed-{words}-{overlap}"),
        Some(Chunker::Topic {
            max_words,
            min_words,
            window,
        }) => format!("topic-{max_words}-{min_words}-{window}"),
        Some(Chunker::Code {
            max_words,
            min_words,
        }) => format!("code-{max_words}-{min_words}"),
    }
}

/// Returns the files that a project's store holds.
pub(super) fn sources(project: &Project) -> Result<Vec<Source>, Error> {
    Ok(Snapshot::open(&project.store_folder())?.sources()?)
}

/// Returns where files are, of those that are still there.
pub(super) fn files(project: &Project, sources: &[Source]) -> Vec<PathBuf> {
    let paths = sources.iter().map(|source| PathBuf::from(&source.id));
    paths
        .filter(|path| project.root.join(path).is_file())
        .collect()
}

/// Returns which documents ways of cutting are tried on: all, if they are at most `most` bytes;
/// else those that `wanted` names, and of the others as many as there is room for, taken evenly.
pub(super) fn extent(
    project: &Project,
    sources: &[Source],
    wanted: &BTreeSet<String>,
    most: u64,
) -> Extent {
    let size = |of: &[&Source]| of.iter().map(|it| it.size).sum::<u64>();
    let all: Vec<&Source> = sources.iter().collect();
    if size(&all) <= most {
        return Extent::All;
    }
    let (named, others): (Vec<&Source>, Vec<&Source>) =
        all.into_iter().partition(|it| wanted.contains(&it.id));
    let mut room = most;
    let mut chosen: Vec<Source> = Vec::new();
    let mut take = |source: &Source| {
        if source.size <= room {
            room -= source.size;
            chosen.push(source.clone());
        }
    };
    named.into_iter().for_each(&mut take);
    // Every so many of the others, then those between: as even as the room allows.
    let step = (others.len() / 16).max(1);
    for first in 0..step {
        others
            .iter()
            .skip(first)
            .step_by(step)
            .for_each(|it| take(it));
    }
    chosen.sort_by(|a, b| a.id.cmp(&b.id));
    match files(project, &chosen) {
        // One file holds more than that: it cannot be taken in part.
        none if none.is_empty() => Extent::All,
        some => Extent::Some(some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(id: &str, size: u64) -> Source {
        Source {
            id: id.into(),
            size,
            modified_ns: 0,
            taken_ns: 0,
            fingerprint: [0; 16],
            notes: Vec::new(),
        }
    }

    #[test]
    fn ways_of_cutting_are_tried_on_what_there_is_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::with(folder.path().to_owned(), crate::Config::default());
        let sources: Vec<Source> = ["a", "b", "c", "d"].map(|id| source(id, 10)).into();
        for source in &sources {
            fs_err::write(folder.path().join(&source.id), "text").unwrap();
        }
        let check = |most: u64, expect: Option<&[&str]>| {
            let wanted = BTreeSet::from(["c".to_owned()]);
            let found = match extent(&project, &sources, &wanted, most) {
                Extent::All => None,
                Extent::Some(paths) => Some(paths),
            };
            let expect: Option<Vec<PathBuf>> =
                expect.map(|it| it.iter().map(PathBuf::from).collect());
            assert_eq!(found, expect, "{most}");
        };
        check(40, None);
        check(39, Some(&["a", "b", "c"]));
        check(15, Some(&["c"]));
        check(5, None);
    }

    #[test]
    fn the_projects_own_way_is_its_own_store() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::with(folder.path().to_owned(), crate::Config::default());
        let kept = Folder::create(&folder.path().join("comparisons")).unwrap();
        let own = Way::default().project(&project, &kept, &Extent::All);
        assert_eq!(own, project);
        let part = Way::default().project(&project, &kept, &Extent::Some(Vec::new()));
        assert!(part.store_folder().starts_with(kept.path()));
        let other = Way {
            chunk: Some(Chunker::Sentence { max_words: 60 }),
            ..Way::default()
        };
        let other = other.project(&project, &kept, &Extent::All);
        assert!(other.store_folder().starts_with(kept.path()));
        assert_eq!(other.root, project.root);
    }
}
