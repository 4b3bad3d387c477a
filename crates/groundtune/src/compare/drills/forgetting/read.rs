//! What an encoder makes of general text and tasks.
//!
//! It does not say how likely a text is. What it is generally good for is that what belongs
//! together lies together: each piece of text is cut in two, and each half looks for its other half
//! among all others (mean reciprocal rank: Voorhees 1999, *The TREC-8 Question Answering Track
//! Report*, §3); the ending of a task is right if it lies nearer to the beginning than the others.
//! Vectors are pooled as the base model's are, whatever head was taught.

use std::cmp::Ordering;
use std::path::Path;

use model::{Embedder, EmbedderOptions, LongText};

use super::material::Material;
use super::{EachText, OfModel};
use crate::Error;
use crate::compare::CompareError;
use crate::compare::base::folder_of;
use crate::compare::drills::Ground;
use crate::compare::neighbours::cosine;
use crate::models::ModelReference;

/// How encoders are opened that are to be compared with the base model.
pub(super) struct Encoders {
    options: EmbedderOptions,
}

impl Encoders {
    /// Looks how the base model is pooled.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(super) fn of(ground: &Ground<'_>) -> Result<Self, CompareError> {
        let options = EmbedderOptions {
            long: LongText::Windows,
            ..EmbedderOptions::default()
        };
        let root = &ground.project.root;
        let base = folder_of(ground.reference, root, ground.environment)?;
        let base = Embedder::open(&base, &options).map_err(Error::from)?;
        Ok(Self {
            options: EmbedderOptions {
                pooling: Some(base.pooling()),
                ..options
            },
        })
    }

    /// Gives the material to an encoder, which may have a head.
    ///
    /// # Errors
    /// If it cannot be opened, or fails.
    pub(super) fn given_to(
        &self,
        ground: &Ground<'_>,
        reference: &ModelReference,
        material: &Material,
    ) -> Result<OfModel, CompareError> {
        let folder = folder_of(reference, &ground.project.root, ground.environment)?;
        Ok(self.read(&folder, material)?)
    }

    fn read(&self, folder: &Path, material: &Material) -> Result<OfModel, Error> {
        let embedder = Embedder::open(folder, &self.options)?;
        let halves: Vec<&str> = material.texts.iter().flat_map(|it| halves(it)).collect();
        let texts = ranks(&embedder.vectors(&halves)?);
        let mut tasks = Vec::with_capacity(material.tasks.len());
        for task in &material.tasks {
            let endings = task.endings.iter().map(|it| it.trim());
            let texts: Vec<&str> = std::iter::once(&*task.text).chain(endings).collect();
            let vectors = embedder.vectors(&texts)?;
            tasks.push(nearest(&vectors[0], &vectors[1..]) == Some(task.right));
        }
        Ok(OfModel {
            texts: EachText::Read(texts),
            tasks,
        })
    }
}

/// Cuts a text in two, at the white space that is nearest to its middle.
fn halves(text: &str) -> [&str; 2] {
    let middle = text.len() / 2;
    let spaces = text.match_indices(char::is_whitespace);
    let nearest = spaces.min_by_key(|(at, _)| at.abs_diff(middle));
    let at = nearest.map_or_else(|| text.floor_char_boundary(middle), |(at, _)| at);
    let (first, second) = text.split_at(at);
    [first.trim(), second.trim()]
}

/// Returns of each text the mean of one over the places at which its halves find one another
/// among all others; `halves` are their vectors, two of each text, one behind the other. Halves
/// that lie equally near are all before the one that is looked for.
fn ranks(halves: &[Vec<f32>]) -> Vec<f64> {
    let found = |from: usize, wanted: usize| {
        let near = cosine(&halves[from], &halves[wanted]);
        let before = (0..halves.len())
            .filter(|other| ![from, wanted].contains(other))
            .filter(|other| cosine(&halves[from], &halves[*other]) >= near);
        1.0 / (1 + before.count()) as f64
    };
    let texts = 0..halves.len() / 2;
    texts
        .map(|text| (found(2 * text, 2 * text + 1) + found(2 * text + 1, 2 * text)) / 2.0)
        .collect()
}

/// Returns what [`ranks`] are by chance: the mean of one over each place.
pub(super) fn by_chance(texts: usize) -> f64 {
    let others = (2 * texts).saturating_sub(1);
    let each = (1..=others).map(|place| 1.0 / place as f64);
    each.sum::<f64>() / others.max(1) as f64
}

/// Returns which of `endings` lies nearest to `text`, the first of equals.
fn nearest(text: &[f32], endings: &[Vec<f32>]) -> Option<usize> {
    let near = |at: &usize| cosine(text, &endings[*at]);
    (0..endings.len()).reduce(|best, other| match near(&other).total_cmp(&near(&best)) {
        Ordering::Greater => other,
        Ordering::Equal | Ordering::Less => best,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::drills::forgetting::material::Choice;

    #[test]
    fn a_text_has_two_halves() {
        let check = |text: &str, expect: [&str; 2]| assert_eq!(halves(text), expect);
        check("one two three", ["one two", "three"]);
        check("a bbbbbbbbbb", ["a", "bbbbbbbbbb"]);
        check("ääää", ["ää", "ää"]);
        check("", ["", ""]);
    }

    #[test]
    fn halves_find_one_another() {
        let (right, up) = (vec![1.0, 0.0], vec![0.0, 1.0]);
        let apart = [right.clone(), right.clone(), up.clone(), up.clone()];
        assert_eq!(ranks(&apart), [1.0, 1.0]);
        // Each other half lies nearer than the one that is looked for.
        let crossed = [right.clone(), up.clone(), right.clone(), up];
        assert_eq!(ranks(&crossed), [1.0 / 3.0; 2]);
        // Whoever sees no difference finds nothing.
        let alike = [right.clone(), right.clone(), right.clone(), right];
        assert_eq!(ranks(&alike), [1.0 / 3.0; 2]);
        assert!((by_chance(2) - (1.0 + 0.5 + 1.0 / 3.0) / 3.0).abs() < 1e-12);
        assert_eq!(by_chance(1), 1.0);
    }

    #[test]
    fn an_ending_is_right_that_lies_nearest() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/data/bert");
        let encoders = Encoders {
            options: EmbedderOptions::default(),
        };
        let choice = |right: usize| Choice {
            text: "the cat sat".into(),
            endings: vec![" seven eight".into(), " the cat sat".into()],
            right,
        };
        let material = Material {
            texts: vec!["one two one two".into(), "the mat the mat".into()],
            tasks: vec![choice(1), choice(0)],
        };
        let found = encoders.read(Path::new(folder), &material).unwrap();
        assert_eq!(found.texts, EachText::Read(vec![1.0, 1.0]));
        assert_eq!(found.tasks, [true, false]);
    }
}
