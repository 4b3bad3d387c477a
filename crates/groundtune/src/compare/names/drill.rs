//! Tagged examples, and what drills do to them.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::OnceLock;

use contract::Evidence;
use eval::Gold;

use super::{Names, Read, kinds, spans, split, tags};
use crate::Error;
use crate::compare::CompareError;
use crate::compare::encoder::Examples;
use crate::compare::evidence::{Findings, Shown, Trial};
use crate::compare::neighbours::{Neighbours, evenly};

impl Examples for Names {
    fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    fn trial(
        &self,
        findings: &Findings,
        asked: &[Gold],
        shown: Shown,
    ) -> Result<Trial, CompareError> {
        self.tried(findings, &Read::new(self, asked)?, shown)
    }

    fn only(&self, keep: &dyn Fn(usize) -> bool) -> Result<Box<dyn Examples>, CompareError> {
        let kept = (0..self.tags.len()).filter(|number| keep(*number));
        let some = Self {
            neighbours: self.neighbours.anew(keep)?,
            encoder: self.encoder.clone(),
            tags: kept.map(|number| self.tags[number].clone()).collect(),
            words: OnceLock::new(),
            kinds: self.kinds.clone(),
            floor: self.floor,
            prototypes: self.prototypes.clone(),
        };
        some.known().map_err(Error::from)?;
        Ok(Box::new(some))
    }

    fn tells(&self, found: &Evidence, asked: &Gold) -> bool {
        !kinds(&tags(asked)).is_disjoint(&self.kinds_of(found))
    }

    /// Every name is of another kind, in the copy as in the answer that follows it.
    fn contradiction(
        &self,
        found: &Evidence,
        asked: &Gold,
        number: usize,
    ) -> Option<(Evidence, String)> {
        let places = 1 + evenly(number, self.kinds.len().saturating_sub(1))?;
        let copy = self.neighbours.passed_on(found, places);
        Some((copy, self.passed_on(&tags(asked), places).join(" ")))
    }

    fn is_right(&self, said: &str, asked: &Gold) -> bool {
        asked
            .answers
            .iter()
            .any(|right| named(said) == named(right))
    }

    /// It does, if any name is of the kind that the contradiction makes it.
    fn follows(&self, said: &str, instead: &str) -> bool {
        !named(said).is_disjoint(&named(instead))
    }
}

/// Returns what an answer's tags name: of what kind, from which word and up to which.
fn named(answer: &str) -> BTreeSet<(String, usize, usize)> {
    let place = |(kind, Range { start, end }): (String, Range<usize>)| (kind, start, end);
    spans(&split(answer)).map(place).collect()
}
