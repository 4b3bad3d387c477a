//! Labelled examples, and what drills do to them.
//!
//! For freshness some labels are passed round: what had the first has the second from now on, and
//! so on, as when categories are cut anew. Whoever looks at the examples follows at once; whoever
//! has learnt them goes on as it was taught, and a name says what it always said.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Instant;

use contract::Evidence;
use eval::Gold;

use super::{Labels, labels};
use crate::compare::encoder::{Encoder as _, Examples, TaughtEncoder};
use crate::compare::evidence::{Findings, Shown, Trial};
use crate::compare::neighbours::{Neighbours, evenly};
use crate::compare::{Arm, CompareError, Freshness};

/// What stands between the labels of an answer that has several.
pub(super) const BETWEEN: &str = ", ";
/// The most labels that change.
const LABELS: usize = 12;

/// A question whose label changes.
struct Fact<'a> {
    asked: &'a Gold,
    before: String,
    after: String,
}

impl Examples for Labels {
    fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    fn trial(
        &self,
        findings: &Findings,
        asked: &[Gold],
        shown: Shown,
    ) -> Result<Trial, CompareError> {
        Ok(self.tried(findings, asked, shown))
    }

    fn only(&self, keep: &dyn Fn(usize) -> bool) -> Result<Box<dyn Examples>, CompareError> {
        let kept = (0..self.labels.len()).filter(|number| keep(*number));
        Ok(Box::new(Self {
            neighbours: self.neighbours.anew(keep)?,
            labels: kept.map(|number| self.labels[number].clone()).collect(),
            shots: self.shots,
            names: self.names.clone(),
            several: self.several,
        }))
    }

    fn tells(&self, found: &Evidence, asked: &Gold) -> bool {
        let right: BTreeSet<&str> = asked.answers.iter().map(|it| it.trim()).collect();
        self.labels_of(found).iter().any(|it| right.contains(it))
    }

    fn contradiction(
        &self,
        found: &Evidence,
        asked: &Gold,
        number: usize,
    ) -> Option<(Evidence, String)> {
        let other = evenly(number, self.names.len().saturating_sub(1))?;
        let copy = self.neighbours.passed_on(found, 1 + other);
        let says = self.labels_of(&copy).join(BETWEEN);
        (!self.tells(&copy, asked)).then_some((copy, says))
    }

    fn is_right(&self, said: &str, asked: &Gold) -> bool {
        if !self.several {
            return asked.answers.iter().any(|it| it.trim() == said);
        }
        let wanted = labels(asked);
        let wanted: BTreeSet<&str> = wanted.iter().map(|it| &**it).collect();
        said.split(BETWEEN).collect::<BTreeSet<&str>>() == wanted
    }

    fn follows(&self, said: &str, instead: &str) -> bool {
        match self.several {
            true => said
                .split(BETWEEN)
                .any(|it| instead.split(BETWEEN).any(|label| label == it)),
            false => said == instead,
        }
    }

    fn pass_round(
        &self,
        contestants: &[(Arm, Option<&TaughtEncoder>)],
        test: &[Gold],
        shown: &Shown,
        tell: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Option<BTreeMap<Arm, Freshness>>, CompareError> {
        let facts = self.facts(test);
        if facts.is_empty() {
            return Ok(None);
        }
        let passed: BTreeMap<&str, &str> =
            facts.iter().map(|it| (&*it.before, &*it.after)).collect();
        let changes = |number: &usize| passed.contains_key(&*self.labels[*number][0]);

        let started = Instant::now();
        let touched: Vec<&str> = (0..self.labels.len())
            .filter(changes)
            .map(|number| self.neighbours.text(number))
            .collect();
        // As when they are read in for the first time.
        self.embed(&touched)?;
        let changed = self.with(|number| {
            let label = &*self.labels[number][0];
            Some(passed.get(label).map_or(label, |after| after).to_owned())
        })?;
        changed.neighbours.find(facts[0].asked)?;
        let update = started.elapsed().as_secs_f64() / facts.len() as f64;
        let left = |number| (!changes(&number)).then(|| self.labels[number][0].clone());
        let removed = self.with(left)?;

        let mut found: BTreeMap<Arm, Freshness> = BTreeMap::new();
        let part = 1.0 / facts.len() as f64;
        let of = 4 * contestants.len() * facts.len();
        let mut done = 0;
        for (round, labels) in [self, &changed, &removed, &changed].into_iter().enumerate() {
            for fact in &facts {
                let near = labels.neighbours.find(fact.asked)?;
                for (arm, taught) in contestants {
                    let evidence = match arm.retrieves() {
                        true => near.shown(shown),
                        false => &[],
                    };
                    let contestant = labels.contestant(*arm, *taught);
                    let said = contestant.answer(fact.asked, evidence, 0.0).said();
                    let says = |label: &str| part * f64::from(u8::from(said == label));
                    let it = found.entry(*arm).or_default();
                    match round {
                        0 => it.before += says(&fact.before),
                        1 => {
                            it.changed_right += says(&fact.after);
                            it.changed_stale += says(&fact.before);
                        }
                        2 => it.removed_stale += says(&fact.before) + says(&fact.after),
                        _ => it.added_right += says(&fact.after),
                    }
                    done += 1;
                    if tell(done, of).is_break() {
                        return Ok(None);
                    }
                }
            }
        }
        for (arm, it) in &mut found {
            it.facts = facts.len();
            let looks = arm.retrieves() || *arm == Arm::FewShot;
            it.update_seconds = looks.then_some(update);
        }
        Ok(Some(found))
    }
}

impl Labels {
    /// Chooses questions of different labels; each label is passed on to the next.
    fn facts<'a>(&self, test: &'a [Gold]) -> Vec<Fact<'a>> {
        let mut chosen: Vec<(&Gold, String)> = Vec::new();
        for asked in test
            .iter()
            .filter(|asked| !self.several && !asked.answers.is_empty())
        {
            let label = labels(asked).swap_remove(0);
            let fresh = chosen.iter().all(|(_, known)| *known != label);
            let known = self.names.iter().any(|name| name.label == label);
            if fresh && known && chosen.len() < LABELS {
                chosen.push((asked, label));
            }
        }
        if chosen.len() < 2 {
            return Vec::new();
        }
        let next = chosen.iter().cycle().skip(1);
        chosen
            .iter()
            .zip(next)
            .map(|((asked, before), (_, after))| Fact {
                asked,
                before: before.clone(),
                after: after.clone(),
            })
            .collect()
    }

    /// Returns the same with another label for each example; one for which there is none is
    /// left out.
    fn with(&self, label: impl Fn(usize) -> Option<String>) -> Result<Self, CompareError> {
        let labels: Vec<Option<String>> = (0..self.labels.len()).map(label).collect();
        Self {
            neighbours: self.neighbours.only(|number| labels[number].is_some())?,
            labels: labels.into_iter().flatten().map(|it| vec![it]).collect(),
            shots: self.shots,
            names: Vec::new(),
            several: self.several,
        }
        .named()
    }
}
