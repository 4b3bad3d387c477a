//! What a model that writes makes of general text and tasks.
//!
//! Of text it is the bits that it needs for a byte, which compares models of any vocabulary. A
//! task is a beginning with several endings; the model is right if the right one is likeliest to
//! it, per byte, as lm-evaluation-harness measures `acc_norm`.

use contract::{Example, Lesson, QuestionId};
use model::generator::{Generator, GeneratorOptions};
use model::tokenizer::Special;
use model::training::IGNORE;

use super::material::Material;
use super::{EachText, OfModel};
use crate::compare::CompareError;
use crate::compare::drills::Ground;
use crate::generate::Writer;
use crate::models::{LONGEST, ModelReference, of_texts};

/// Gives the material to a model; nothing, if it is on a server.
///
/// # Errors
/// If the model cannot be opened, or fails.
pub(super) fn given_to(
    ground: &Ground<'_>,
    reference: &ModelReference,
    material: &Material,
) -> Result<Option<OfModel>, CompareError> {
    let options = GeneratorOptions::default();
    let root = &ground.project.root;
    let writer = Writer::open(reference, root, ground.environment, &options)?;
    let Writer::Here { generator, .. } = writer else {
        return Ok(None);
    };
    let texts: Vec<Example> = (1..)
        .zip(&material.texts)
        .map(|(number, text)| Example {
            id: QuestionId::new(format!("general {number}")),
            passage: None,
            document: None,
            lesson: Lesson::Text { text: text.clone() },
        })
        .collect();
    let texts = of_texts(&generator, &texts)?.of_each.into_iter();
    let texts = texts.flatten().map(|it| {
        let bits = it.loss / std::f64::consts::LN_2;
        (bits, it.bytes, it.units)
    });
    let mut found = OfModel {
        texts: EachText::Written(texts.collect()),
        tasks: Vec::new(),
    };
    for task in &material.tasks {
        let mut likely = Vec::with_capacity(task.endings.len());
        for ending in &task.endings {
            let loss = of_ending(&generator, &task.text, ending)?;
            likely.push(-loss / ending.len().max(1) as f64);
        }
        let best = (0..likely.len()).max_by(|a, b| likely[*a].total_cmp(&likely[*b]));
        found.tasks.push(best == Some(task.right));
    }
    Ok(Some(found))
}

/// Returns the negative log-probability of `ending` behind `text`, in nats: of the tokens of
/// both together that are not those of `text` alone.
fn of_ending(generator: &Generator, text: &str, ending: &str) -> Result<f64, CompareError> {
    let tokens = |text: &str| {
        let ids = generator.tokenizer().encode(text, Special::Surround);
        ids.map_err(crate::Error::from)
    };
    let before = tokens(text)?;
    let mut ids = tokens(&format!("{text}{ending}"))?;
    ids.truncate(generator.decoder().config().context.min(LONGEST));
    let same = before.iter().zip(&ids).take_while(|(a, b)| a == b).count();
    // Something has to stand before what is to be said.
    let from = same.max(1);
    let targets: Vec<u32> = (0..ids.len())
        .map(|at| match ids.get(at + 1) {
            Some(next) if at + 1 >= from => *next,
            _ => IGNORE,
        })
        .collect();
    let loss = generator.loss(&ids, &targets).map_err(crate::Error::from)?;
    Ok(loss.sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likelier_ending_is_chosen_by_the_model() {
        let generator = Generator::built_in(&GeneratorOptions::default()).unwrap();
        let text = "One, two, three,";
        // The likelihood of an ending is that of the whole less that of the text.
        let both = of_ending(&generator, text, " four, five").unwrap();
        let first = of_ending(&generator, text, " four,").unwrap();
        let second = of_ending(&generator, "One, two, three, four,", " five").unwrap();
        assert!(
            (both - first - second).abs() < 1e-3,
            "{both} {first} {second}"
        );
    }
}
