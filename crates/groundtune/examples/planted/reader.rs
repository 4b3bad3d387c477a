//! What the worlds' base model learns before any of them: to say where a thing lies when a text
//! says so, and that no text says it; and to guess where it cannot be known. Its
//! examples are of other names than any world's, for names are drawn.

use contract::{Evidence, Prompt, Template, render};
use serde_json::json;

use super::random::Random;
use super::world::{
    Asked, FORMS, PLACES, WINDS, another, asks_chance, asks_desk, asks_where, name, says_where,
};

/// A question with what is given to read, and what is right to say.
#[derive(Clone, Debug)]
pub(crate) struct Lesson {
    question: String,
    texts: Vec<String>,
    pub(crate) completion: String,
}

pub(crate) fn lesson(question: &str, texts: &[String], completion: &str) -> Lesson {
    Lesson {
        question: question.to_owned(),
        texts: texts.to_vec(),
        completion: completion.to_owned(),
    }
}

/// Makes a lesson of reading.
pub(crate) fn reading(random: &mut Random) -> Lesson {
    let asked = name(random);
    let place = random.word(&PLACES);
    let mut texts = vec![says_where(&asked, place)];
    if random.chance(0.3) {
        for _ in 0..random.from(1, 2) {
            let place = another(random, place);
            texts.push(says_where(&name(random), place));
        }
        random.shuffle(&mut texts);
    }
    lesson(&asks_where(&asked), &texts, place)
}

/// Makes a lesson: mostly of reading.
pub(crate) fn any(random: &mut Random) -> Lesson {
    let asked = name(random);
    let other = says_where(&name(random), random.word(&PLACES));
    match random.below(20) {
        0..14 => reading(random),
        14 => lesson(&asks_where(&asked), &[], groundtune::NOT_IN_THE_DOCUMENTS),
        15 => {
            let form = random.word(&FORMS);
            lesson(
                &asks_desk(&asked, form),
                &[],
                groundtune::NOT_IN_THE_DOCUMENTS,
            )
        }
        16 => lesson(
            &asks_where(&asked),
            &[other],
            groundtune::NOT_IN_THE_DOCUMENTS,
        ),
        _ => {
            let own = says_where(&asked, random.word(&PLACES));
            let texts = match random.below(3) {
                0 => vec![],
                1 => vec![own],
                _ => vec![own, other],
            };
            lesson(&asks_chance(&asked), &texts, random.word(&WINDS))
        }
    }
}

/// Makes a lesson of what a world's model knows.
pub(crate) fn knowing(asked: &Asked) -> Lesson {
    lesson(&asked.question, &[], &asked.answer)
}

impl Lesson {
    /// Returns it as a model is asked.
    pub(crate) fn prompt(&self) -> Prompt {
        let evidence: Vec<Evidence> = self.texts.iter().map(Evidence::of_text).collect();
        render(Template::Spaced, &self.question, &evidence)
    }

    /// Returns it as a line of a file to learn from.
    pub(crate) fn line(&self) -> String {
        let prompt = self.prompt();
        json!({ "prompt": prompt.as_str(), "completion": self.completion }).to_string()
    }
}
