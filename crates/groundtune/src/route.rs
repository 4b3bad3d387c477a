//! Where answers come from: the documents, or the model alone; and the router that a
//! comparison taught and the project keeps.

use std::path::{Path, PathBuf};

use contract::Share;
use search::route::{Asked, Form, Router, by_rule};
use serde::{Deserialize, Serialize};

use crate::{Error, Project};

pub use search::route::{Route, Taught as RouterTaught};

/// How it is decided where an answer comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Routing {
    /// Every question is answered from the documents.
    #[default]
    Always,
    /// None is: the model answers alone.
    Never,
    /// By what the question looks like, and where that does not tell, by how well the
    /// documents bear on it.
    Rule,
    /// By the router that `groundtune compare` taught on the development questions.
    Trained,
}

impl Routing {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Always, Self::Never, Self::Rule, Self::Trained];

    /// Returns its name, as in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Rule => "rule",
            Self::Trained => "trained",
        }
    }
}

/// The way that a question took, and why.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RouteTaken {
    /// Where the answer comes from.
    pub route: Route,
    /// How that was decided.
    pub by: Routing,
    /// What the question looks like.
    pub form: Form,
    /// The best score of what is found for it, where that was looked at.
    pub best: Option<Share>,
    /// How likely evidence helps, 0 to 1, where a router was taught.
    pub probability: Option<f64>,
}

impl std::fmt::Display for RouteTaken {
    /// Says the way and why, in one line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.route)?;
        let best = self.best.map_or(0.0, Share::get);
        match (self.by, self.probability) {
            (Routing::Always | Routing::Never, _) => write!(f, ", as it was said"),
            (Routing::Trained, Some(probability)) => write!(
                f,
                ", by the trained router: evidence helps with a chance of {probability:.2}"
            ),
            _ if self.form == Form::Unclear => write!(
                f,
                ", by rule: {}, and the best passage scores {best:.2}",
                self.form.as_str()
            ),
            _ => write!(f, ", by rule: {}", self.form.as_str()),
        }
    }
}

/// What decides in a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crossroads {
    pub(crate) by: Routing,
    router: Option<Router>,
}

impl Crossroads {
    /// # Errors
    /// If a trained router is wanted and there is none, or it was taught with the vectors of
    /// another embedder than `embedder`.
    pub(crate) fn open(
        project: &Project,
        by: Routing,
        embedder: Option<&str>,
    ) -> Result<Self, Error> {
        let mut router = None;
        if by == Routing::Trained {
            let path = router_file(project);
            let found = read(&path)?.ok_or_else(|| Error::NoRouter { path: path.clone() })?;
            if found.embedder.as_deref() != embedder {
                return Err(Error::RouterEmbedder {
                    path,
                    taught: found.embedder,
                });
            }
            router = Some(found);
        }
        Ok(Self { by, router })
    }

    /// Returns whether what is found has to be looked at before it is decided.
    pub(crate) fn looks(&self) -> bool {
        matches!(self.by, Routing::Rule | Routing::Trained)
    }

    /// Decides by the question, the scores of what is found for it, and its vector.
    pub(crate) fn decide(
        &self,
        question: &str,
        scores: &[f64],
        vector: Option<&[f32]>,
        threshold: Share,
    ) -> RouteTaken {
        let best = scores.first().map(|score| Share::clamped(*score));
        let mut taken = RouteTaken {
            route: Route::Retrieval,
            by: self.by,
            form: Form::of(question),
            best: best.filter(|_| self.looks()),
            probability: None,
        };
        match (self.by, &self.router) {
            (Routing::Never, _) => taken.route = Route::Alone,
            (Routing::Rule, _) => taken.route = by_rule(question, best, threshold),
            (Routing::Trained, Some(router)) => {
                let asked = Asked {
                    question,
                    scores,
                    vector,
                };
                taken.probability = Some(router.probability(&asked));
                taken.route = router.route(&asked);
            }
            _ => {}
        }
        taken
    }
}

/// Returns where the project keeps its router.
pub fn router_file(project: &Project) -> PathBuf {
    project.state_folder().join("router.json")
}

fn read(path: &Path) -> Result<Option<Router>, Error> {
    let io = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    match fs_err::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| io(error.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_said_with_its_reason() {
        let check = |by: Routing, question: &str, scores: &[f64], expect: &str| {
            let crossroads = Crossroads { by, router: None };
            let taken = crossroads.decide(question, scores, None, Share::clamped(0.7));
            assert_eq!(taken.to_string(), expect);
        };
        check(Routing::Always, "Hello", &[], "retrieval, as it was said");
        check(
            Routing::Never,
            "Who?",
            &[0.9],
            "the model alone, as it was said",
        );
        check(
            Routing::Rule,
            "Write a poem about returns",
            &[0.9],
            "the model alone, by rule: a wish for something made",
        );
        check(
            Routing::Rule,
            "Returns",
            &[0.75],
            "retrieval, by rule: neither a question nor a wish for something made, and the best \
             passage scores 0.75",
        );
    }

    #[test]
    fn without_a_router_nothing_is_guessed() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::init(folder.path()).unwrap();
        let open = || Crossroads::open(&project, Routing::Trained, Some("e"));
        assert!(matches!(open(), Err(Error::NoRouter { .. })));
        fs_err::create_dir_all(project.state_folder()).unwrap();
        let router = Router::teach(&[], Some("another".into()));
        let text = serde_json::to_string(&router).unwrap();
        fs_err::write(router_file(&project), text).unwrap();
        assert!(matches!(open(), Err(Error::RouterEmbedder { .. })));
        fs_err::write(router_file(&project), "{").unwrap();
        assert!(matches!(open(), Err(Error::Io { .. })));
    }
}
