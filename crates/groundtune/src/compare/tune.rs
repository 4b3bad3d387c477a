//! Retrieval is tuned on the development questions before it is judged: how documents are cut,
//! how the lists become one, whether a reranker helps, how many passages are shown and how good
//! they must be.
//!
//! Not every combination is tried. Ways of cutting come first, by how often the answer is shown;
//! then, with the two best of these, the ways to order; and of each way of cutting that which
//! shows the answer most often is tried with the base model, for many short passages are not to
//! every model what few long ones are. Each try is kept, and not done again.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use contract::Bytes;
use eval::statistics::newcombe;
use eval::{Gold, GoldSet, Prediction};
use serde::{Deserialize, Serialize};

use super::base::{Base, Finder, Task};
use super::evidence::{self, Findings, Named, Shown, Trial, answers_shown};
use super::folder::{self, Lines};
use super::way::{Extent, Lists, Way, chunkers, extent, sources};
use super::{Arm, CompareError, CompareEvent, Comparison, Work};
use crate::models::ModelReference;

/// The most development questions that a way to find is tried on.
const FOUND_FOR: usize = 100;
/// The most development questions that the model is tried on.
const ANSWERED: usize = 40;
/// How many tries the model is tried with.
const WITH_MODEL: usize = 4;
/// How many ways of cutting go on.
const BEST_CHUNKERS: usize = 2;
/// How many other ways of cutting are tried, where few are.
const FEW_CHUNKERS: usize = 2;

/// How much of retrieval is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tries {
    /// Ways of cutting, ways to order, and how much is shown.
    #[default]
    All,
    /// The likeliest of these.
    Few,
    /// Only how much is shown.
    Shown,
}

/// How retrieval is tuned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TuningTerms {
    /// How much is tried. Default: all.
    pub tries: Tries,
    /// Of more documents than this, only a part is cut in other ways to try them; in MiB.
    /// Default: 4.
    pub documents_mib: u64,
}

impl Default for TuningTerms {
    fn default() -> Self {
        Self {
            tries: Tries::All,
            documents_mib: 4,
        }
    }
}

/// A way to find, and how much of it is shown, as it was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Try {
    /// How it is found.
    pub way: Way,
    /// How much is shown, and what that held.
    pub trial: Trial,
    /// The mean score of the answers that the base model gave, where it was asked.
    #[serde(default)]
    pub score: Option<f64>,
}

/// What was chosen of retrieval, and what was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// How evidence is found in the examination.
    pub way: Way,
    /// How much of it is shown.
    pub chosen: Shown,
    /// What was tried on the development questions, the best first.
    pub tries: Vec<Try>,
    /// Why not all was tried, if so.
    #[serde(default)]
    pub notes: Vec<String>,
    /// How often the answer stands in what is shown, where passages are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<Shows>,
}

/// For how many answerable questions an answer stands in what is shown, and of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shows {
    /// Of the development questions.
    pub dev: (u64, u64),
    /// Of those that are examined.
    pub examined: (u64, u64),
}

/// Development questions are of another kind than the examination if the answers to so many fewer
/// of them are found, at least …
const OTHERWISE: f64 = 0.1;
/// … as an interval of this level says.
const SURE: f64 = 0.99;

/// Below this share of answers that are found, retrieval is not what an answer can come from.
const DOUBTFUL: f64 = 0.5;

impl Retrieval {
    /// Returns whether anything was tried on development questions.
    pub fn is_chosen(&self) -> bool {
        let tried = |it: &Try| it.trial.recall.is_some() || it.trial.silence.is_some();
        self.tries.iter().any(tried)
    }

    /// Says so where the answers to the development questions are found far less often than those
    /// to the questions that are examined: then they are older than the documents, or of another
    /// kind, and what was chosen on them was chosen badly.
    pub fn staleness(&self) -> Option<String> {
        let shows = self.shows?;
        if shows.dev.1 == 0 || shows.examined.1 == 0 {
            return None;
        }
        let more = newcombe(shows.examined, shows.dev, SURE);
        let share = |(found, of): (u64, u64)| 100.0 * found as f64 / of as f64;
        (more.low > OTHERWISE).then(|| {
            format!(
                "the answers to {:.0} in 100 development questions stand in what is found for them, \
                 and to {:.0} in 100 of those that are examined: the development questions are of \
                 another kind, or the documents have changed since. Retrieval was tuned, and \
                 learning was watched, on answers that are not right any more; newer examples \
                 would tell better",
                share(shows.dev),
                share(shows.examined),
            )
        })
    }

    /// Says so where hardly any answer stands in what is shown: then either the documents do not
    /// say it, or it is not found.
    pub fn doubt(&self) -> Option<String> {
        let is_chosen = |it: &&Try| it.way == self.way && it.trial.shown == self.chosen;
        let recall = self.tries.iter().find(is_chosen)?.trial.recall?;
        (recall < DOUBTFUL).then(|| {
            format!(
                "the answers to {:.0} in 100 development questions stand in what is found for them; \
                 those to the others are not in the documents (then only examples can tell them), \
                 or not found",
                100.0 * recall
            )
        })
    }
}

/// What a way found of the development questions: a line of what is kept.
#[derive(Serialize, Deserialize)]
struct OfWay {
    way: Way,
    trials: Vec<Trial>,
}

/// What is told of each answer; may break.
type Tell<'a> = &'a mut dyn FnMut(CompareEvent<'_>) -> ControlFlow<()>;

impl Comparison<'_> {
    /// Tunes retrieval, unless that was done. Nothing, if `tell` breaks.
    ///
    /// # Errors
    /// If documents cannot be cut or searched.
    pub(super) fn tune(&self, tell: Tell<'_>) -> Result<Option<Retrieval>, CompareError> {
        let path = self.folder.retrieval();
        let retrieval = match folder::read_json(&path)? {
            Some(retrieval) => retrieval,
            None => {
                let Some(retrieval) = self.choose(tell)? else {
                    return Ok(None);
                };
                folder::write_json(&path, &retrieval)?;
                self.tidy(&retrieval.way)?;
                retrieval
            }
        };
        let told = tell(CompareEvent::Tuned(&retrieval));
        Ok(told.is_continue().then_some(retrieval))
    }

    /// Says in `retrieval`, and in what is kept of it, how often the answers stand in what was
    /// found.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn look_at(
        &self,
        retrieval: Retrieval,
        findings: &Findings,
    ) -> Result<Retrieval, CompareError> {
        let retrieves = self.contestants().iter().any(|(arm, _)| arm.retrieves());
        if !retrieves || !self.base.task().is_of_documents() {
            return Ok(retrieval);
        }
        let count = |asked: &[Gold]| answers_shown(findings, asked, &retrieval.chosen);
        let shows = Shows {
            dev: count(&self.examination.dev),
            examined: count(&self.examination.test),
        };
        if retrieval.shows == Some(shows) {
            return Ok(retrieval);
        }
        let retrieval = Retrieval {
            shows: Some(shows),
            ..retrieval
        };
        folder::write_json(&self.folder.retrieval(), &retrieval)?;
        Ok(retrieval)
    }

    /// Removes the stores that are no longer needed.
    fn tidy(&self, way: &Way) -> Result<(), CompareError> {
        let kept = way.project(self.project, &self.folder, &Extent::All);
        let stores = self.folder.stores();
        if !stores.is_dir() {
            return Ok(());
        }
        for entry in fs_err::read_dir(&stores)? {
            let path = entry?.path();
            if !kept.store_folder().starts_with(&path) {
                fs_err::remove_dir_all(&path)?;
            }
        }
        Ok(())
    }

    fn choose(&self, tell: Tell<'_>) -> Result<Option<Retrieval>, CompareError> {
        let mut notes = Vec::new();
        let retrieves = self.contestants().iter().any(|(arm, _)| arm.retrieves());
        let dev = &self.examination.dev;
        let dev = &dev[..dev.len().min(FOUND_FOR)];
        let mut tries: Vec<Try> = match retrieves && !dev.is_empty() {
            true => match self.found(dev, &mut notes, tell)? {
                Some(tries) => tries,
                None => return Ok(None),
            },
            // There is nothing to choose by.
            false => vec![self.untried()],
        };
        tries.sort_by(|a, b| {
            let better = b.trial.merit().total_cmp(&a.trial.merit());
            let rank = |it: &Try| it.trial.rank.unwrap_or(0.0);
            better.then(rank(b).total_cmp(&rank(a)))
        });
        let asked = |(arm, _): &(Arm, u64)| matches!(arm, Arm::Rag | Arm::Routed);
        let rag = self.contestants().iter().any(asked);
        if rag && !dev.is_empty() && self.answer(&mut tries, tell)?.is_break() {
            return Ok(None);
        }
        let more = self.protocol.plan.metric.more_is_better();
        let best = tries.iter().reduce(|best, other| {
            let better = match (best.score, other.score) {
                (Some(best), Some(other)) => more == (other > best) && other != best,
                _ => false,
            };
            if better { other } else { best }
        });
        let best = best.expect("some numbers of passages are tried");
        Ok(Some(Retrieval {
            way: best.way.clone(),
            chosen: best.trial.shown,
            tries,
            notes,
            shows: None,
        }))
    }

    /// Returns the project's own way, which nobody tried.
    fn untried(&self) -> Try {
        let retrieval = &self.project.config.retrieval;
        Try {
            way: Way::default(),
            trial: Trial::untried(Shown {
                top_k: retrieval.top_k,
                threshold: retrieval.threshold,
            }),
            score: None,
        }
    }

    /// Tries ways to find, in stages.
    fn found(
        &self,
        dev: &[Gold],
        notes: &mut Vec<String>,
        tell: Tell<'_>,
    ) -> Result<Option<Vec<Try>>, CompareError> {
        let (mut lines, mut known) = Lines::open::<OfWay>(&self.folder.ways())?;
        // The nearest labelled examples are found one way.
        let tries = match self.base.task() {
            Task::Write | Task::Find => self.recipe().retrieval.tries,
            Task::Label | Task::Tag => Tries::Shown,
        };
        let models = &self.project.config.models;
        let cut = match tries {
            Tries::All => chunkers().len(),
            Tries::Few => FEW_CHUNKERS,
            Tries::Shown => 0,
        };
        let others = chunkers()
            .into_iter()
            .filter(|it| *it != self.project.config.chunk)
            .take(cut);
        let others: Vec<Chunk> = match &models.embedder {
            ModelReference::Server(_) if cut > 0 => {
                notes.push(
                    "other ways of cutting were not tried: all documents would be sent to the \
                     embedder's server for each"
                        .into(),
                );
                Vec::new()
            }
            _ => others.map(Some).collect(),
        };
        let lists: &[Lists] = match (tries, &models.embedder) {
            (Tries::Shown, _) | (_, ModelReference::None) => &[],
            (Tries::Few, _) => &Lists::OTHERS[..2],
            (Tries::All, _) => &Lists::OTHERS,
        };
        let reranked = models.reranker != ModelReference::None && tries != Tries::Shown;
        let orders = lists.len() + usize::from(reranked) * (1 + lists.len());
        let chunks = 1 + others.len();
        let of = chunks + BEST_CHUNKERS.min(chunks) * orders;
        let mut done = 0;
        let mut tell = || {
            done += 1;
            let what = Work::Trying;
            tell(CompareEvent::Progress { what, done, of })
        };

        // What is cut otherwise is compared with what is not on the same documents.
        let extent = match others.is_empty() {
            true => Extent::All,
            false => self.extent(dev, notes)?,
        };
        let named = match self.base.task().is_of_documents() {
            true => Named::of(self.project, dev, &self.examination.documents)?,
            false => None,
        };
        let mut ways: Vec<OfWay> = Vec::new();
        let mut try_way = |way: Way, ways: &mut Vec<OfWay>| -> Result<bool, CompareError> {
            let found = match known.iter().position(|it| it.way == way) {
                Some(place) => known.swap_remove(place),
                None => {
                    let found = self.of_way(way, dev, named.as_ref(), &extent)?;
                    lines.add(&found)?;
                    found
                }
            };
            ways.push(found);
            Ok(tell().is_continue())
        };
        for chunk in std::iter::once(None).chain(others) {
            let way = Way {
                chunk,
                ..Way::default()
            };
            if !try_way(way, &mut ways)? {
                return Ok(None);
            }
        }
        ways.sort_by(|a, b| better(b, a));
        let best: Vec<Chunk> = ways
            .iter()
            .take(BEST_CHUNKERS)
            .map(|it| it.way.chunk.clone())
            .collect();
        for chunk in best {
            let all = std::iter::once(&Lists::AsConfigured).chain(lists);
            for without_reranker in [false, true] {
                for lists in all.clone() {
                    let is_known = *lists == Lists::AsConfigured && !without_reranker;
                    if is_known || without_reranker && !reranked {
                        continue;
                    }
                    let way = Way {
                        chunk: chunk.clone(),
                        lists: *lists,
                        without_reranker,
                    };
                    if !try_way(way, &mut ways)? {
                        return Ok(None);
                    }
                }
            }
        }
        let tries = ways.into_iter().flat_map(|it| {
            let way = it.way;
            it.trials.into_iter().map(move |trial| Try {
                way: way.clone(),
                trial,
                score: None,
            })
        });
        Ok(Some(tries.collect()))
    }

    /// Returns which documents ways of cutting are tried on.
    fn extent(&self, dev: &[Gold], notes: &mut Vec<String>) -> Result<Extent, CompareError> {
        let sources = sources(self.project)?;
        let most = Bytes(self.recipe().retrieval.documents_mib << 20);
        let mut wanted = BTreeSet::new();
        if sources.iter().map(|it| it.size).sum::<u64>() > most.0 {
            // The documents that are found now stay among those that are searched.
            let mut finder = self.finder(self.project)?;
            for asked in dev {
                let found = finder.find(asked)?.evidence;
                wanted.extend(found.iter().map(|it| {
                    let id = it.document.as_str();
                    id.split('#').next().unwrap_or(id).to_owned()
                }));
            }
        }
        let extent = extent(self.project, &sources, &wanted, most.0);
        if let Extent::Some(files) = &extent {
            notes.push(format!(
                "ways of cutting were tried on {} of {} files, {most} of text",
                files.len(),
                sources.len(),
            ));
        }
        Ok(extent)
    }

    /// Finds evidence for the development questions one way.
    fn of_way(
        &self,
        way: Way,
        dev: &[Gold],
        named: Option<&Named>,
        extent: &Extent,
    ) -> Result<OfWay, CompareError> {
        let mut finder = self.finder_of(&way, extent)?;
        let mut findings = Findings::default();
        for asked in dev {
            findings.add(finder.find(asked)?);
        }
        let mut trials = match &self.base {
            Base::Writer(_) => evidence::trials(&findings, dev),
            Base::Encoder(encoder) => encoder.trials(&findings, dev)?,
        };
        if let Some(named) = named {
            named.mark(&findings, &mut trials);
        }
        Ok(OfWay { way, trials })
    }

    /// Returns what finds evidence one way.
    fn finder_of(&self, way: &Way, extent: &Extent) -> Result<Finder<'_>, CompareError> {
        match self.base.task().is_of_documents() {
            false => self.finder(self.project),
            true => {
                let made = way.made(self.project, &self.folder, extent, self.environment)?;
                self.finder(&made)
            }
        }
    }

    /// Has the base model answer with the best tries.
    fn answer(&self, tries: &mut [Try], tell: Tell<'_>) -> Result<ControlFlow<()>, CompareError> {
        let dev = &self.examination.dev;
        let gold = GoldSet::new(dev[..dev.len().min(ANSWERED)].iter().cloned());
        let chosen = for_model(tries);
        let of = chosen.len() * gold.questions().len();
        let mut done = 0;
        for place in chosen {
            let it = &mut tries[place];
            let mut finder = self.finder_of(&it.way, &Extent::All)?;
            let contestant = self.contestant(Arm::Rag, None, &[]);
            let mut answers = Vec::with_capacity(gold.questions().len());
            for asked in gold.questions() {
                let found = finder.find(asked)?;
                answers.push(contestant.answer(asked, found.shown(&it.trial.shown), 0.0));
                done += 1;
                let what = Work::Tuning;
                if tell(CompareEvent::Progress { what, done, of }).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            let answers: Vec<Option<&Prediction>> = answers.iter().map(Some).collect();
            it.score = self.protocol.plan.metric.score(&gold, &answers).value();
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Returns which of `tries`, the best first, the base model is tried with: the best of each way
/// of cutting, then the best of the others.
fn for_model(tries: &[Try]) -> Vec<usize> {
    let mut cut: Vec<&Chunk> = Vec::new();
    let (mut firsts, others): (Vec<usize>, Vec<usize>) = (0..tries.len()).partition(|at| {
        let chunk = &tries[*at].way.chunk;
        let is_first = !cut.contains(&chunk);
        if is_first {
            cut.push(chunk);
        }
        is_first
    });
    firsts.extend(others);
    firsts.truncate(WITH_MODEL);
    firsts
}

/// How documents are cut, if otherwise than the project does.
type Chunk = Option<corpus::Chunker>;

/// Orders ways by the merit of their best number of passages, then by how early the answer comes.
fn better(a: &OfWay, b: &OfWay) -> std::cmp::Ordering {
    let merit = |it: &OfWay| it.trials.first().map_or(0.0, Trial::merit);
    let rank = |it: &OfWay| it.trials.first().and_then(|it| it.rank).unwrap_or(0.0);
    merit(a)
        .total_cmp(&merit(b))
        .then(rank(a).total_cmp(&rank(b)))
}

#[cfg(test)]
mod tests {
    use contract::Share;

    use super::*;

    #[test]
    fn development_questions_older_than_the_documents_are_seen() {
        let check = |dev: (u64, u64), examined: (u64, u64), expect: bool| {
            let retrieval = Retrieval {
                way: Way::default(),
                chosen: Shown {
                    top_k: 1,
                    threshold: Share::ZERO,
                },
                tries: Vec::new(),
                notes: Vec::new(),
                shows: Some(Shows { dev, examined }),
            };
            assert_eq!(
                retrieval.staleness().is_some(),
                expect,
                "{dev:?} {examined:?}"
            );
        };
        check((5, 40), (38, 40), true);
        check((30, 40), (38, 40), false);
        check((0, 3), (3, 3), false);
        check((38, 40), (5, 40), false);
        check((0, 0), (38, 40), false);
        check((5, 40), (0, 0), false);
    }

    #[test]
    fn the_model_is_tried_with_every_way_of_cutting() {
        let of = |max_words: usize, top_k: usize| Try {
            way: Way {
                chunk: Some(corpus::Chunker::Sentence { max_words }),
                ..Way::default()
            },
            trial: Trial::untried(Shown {
                top_k,
                threshold: Share::ZERO,
            }),
            score: None,
        };
        let check = |tries: &[Try], expect: &[usize]| assert_eq!(for_model(tries), expect);
        let long = [
            of(200, 5),
            of(200, 3),
            of(200, 8),
            of(60, 5),
            of(60, 3),
            of(30, 8),
        ];
        check(&long, &[0, 3, 5, 1]);
        check(&long[..2], &[0, 1]);
        check(&[], &[]);
        let many: Vec<Try> = (1..10).map(|words| of(10 * words, 5)).collect();
        check(&many, &[0, 1, 2, 3]);
    }
}
