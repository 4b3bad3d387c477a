//! O2: facts that are learnt in more wordings are recalled better in another one.
//!
//! Each fact is seen equally often, whether in one wording or in eight, so that it is the
//! wordings and not the repetitions that count.

use std::error::Error;

use super::super::random::Random;
use super::super::reader::{Lesson, lesson};
use super::super::world::{PLACES, name};
use super::lab::{FULL, Figures, Lab, Teaching, right};

/// What comes before and after a thing's name.
const WORDINGS: [[&str; 2]; 9] = [
    ["Where can one find ", "?"],
    ["In which place is ", " kept?"],
    ["Tell me where ", " lies."],
    ["What is the place of ", "?"],
    ["Which place holds ", "?"],
    ["To find ", " one goes where?"],
    ["Where has ", " been put?"],
    ["At what place does ", " stay?"],
    ["Say where ", " is now."],
];
/// How many facts there are, and how often each is seen.
const FACTS: usize = 40;
const SEEN: usize = 24;

pub(super) fn paraphrases(lab: &Lab) -> Result<Figures, Box<dyn Error>> {
    let mut random = lab.random(7);
    let mut wordings = WORDINGS;
    random.shuffle(&mut wordings);
    let [asked_so, learnt_so @ ..] = wordings;
    let facts: Vec<(String, &str)> = (0..FACTS)
        .map(|_| (name(&mut random), random.word(&PLACES)))
        .collect();
    let asked: Vec<Lesson> = facts.iter().map(|it| said(it, asked_so)).collect();
    let mut figures = Figures::new();
    for (count, figure, learnt) in [
        (1, "O2 one wording", "O2 one wording, as learnt"),
        (2, "O2 two wordings", "O2 two wordings, as learnt"),
        (4, "O2 four wordings", "O2 four wordings, as learnt"),
        (8, "O2 eight wordings", "O2 eight wordings, as learnt"),
    ] {
        let lessons = lessons(&facts, &learnt_so, count, &mut random);
        let teaching = Teaching {
            rate: 3e-3,
            epochs: SEEN / count,
            ..FULL
        };
        let model = lab.tune(&format!("wordings-{count}"), teaching, &lessons)?;
        figures.insert(figure, right(&*model, &asked)?);
        figures.insert(
            learnt,
            right(&*model, &lessons[..FACTS.min(lessons.len())])?,
        );
    }
    Ok(figures)
}

/// Makes a lesson of each fact in each of so many wordings, which are drawn for each fact.
fn lessons(
    facts: &[(String, &str)],
    wordings: &[[&str; 2]],
    count: usize,
    random: &mut Random,
) -> Vec<Lesson> {
    let mut wordings = wordings.to_vec();
    let mut lessons = Vec::new();
    for fact in facts {
        random.shuffle(&mut wordings);
        lessons.extend(wordings[..count].iter().map(|wording| said(fact, *wording)));
    }
    lessons
}

fn said((name, place): &(String, &str), [before, after]: [&str; 2]) -> Lesson {
    lesson(&format!("{before}{name}{after}"), &[], place)
}
