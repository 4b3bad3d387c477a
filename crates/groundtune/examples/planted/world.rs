//! Planted worlds: small projects of which it is known beforehand who must win.
//!
//! In all of them made-up things lie in made-up places, and questions ask where. What differs
//! is where the right answer can be had from ([`Kind`]). Examples are of last week and the
//! examination is of today, about other things; so nobody can know an answer by heart unless the
//! world lets it.

use super::random::Random;

/// Where the right answers of a world can be had from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Everything moves each week. The documents say where things are today, the examples where
    /// they were: who learns from them learns not to believe the documents.
    Documents,
    /// A form is answered with the desk that takes such forms, which only examples tell; the
    /// documents are about other things.
    Examples,
    /// The documents say where things are, the examples in which words it is to be said.
    Both,
    /// The model has learnt where things are today. Documents and examples are of last week.
    Model,
    /// It is a matter of chance: the wind blows as it will.
    Nothing,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Documents,
        Self::Examples,
        Self::Both,
        Self::Model,
        Self::Nothing,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Examples => "examples",
            Self::Both => "both",
            Self::Model => "model",
            Self::Nothing => "nothing",
        }
    }

    /// Returns the candidate that must win; nobody where nothing can be learnt.
    pub(crate) fn winner(self) -> Option<&'static str> {
        match self {
            Self::Documents => Some("rag"),
            Self::Examples => Some("fine-tuned"),
            Self::Both => Some("hybrid"),
            Self::Model => Some("prompt"),
            Self::Nothing => None,
        }
    }
}

/// A question with its right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) question: String,
    pub(crate) answer: String,
}

/// A planted world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) kind: Kind,
    /// Documents: the name of each and its text.
    pub(crate) documents: Vec<(String, String)>,
    /// What may be learnt from.
    pub(crate) examples: Vec<Asked>,
    /// What everybody is examined on.
    pub(crate) examination: Vec<Asked>,
    /// What the base model is taught first.
    pub(crate) known: Vec<Asked>,
}

/// How large a world is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) examples: usize,
    pub(crate) examination: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            examples: 100,
            examination: 60,
        }
    }
}

/// Where things lie.
pub(crate) const PLACES: [&str; 40] = [
    "attic",
    "barn",
    "cellar",
    "garage",
    "kitchen",
    "library",
    "garden",
    "office",
    "tower",
    "harbour",
    "chapel",
    "studio",
    "market",
    "museum",
    "school",
    "theatre",
    "station",
    "bakery",
    "forest",
    "castle",
    "valley",
    "island",
    "tunnel",
    "bridge",
    "factory",
    "hospital",
    "orchard",
    "stable",
    "temple",
    "quarry",
    "palace",
    "prison",
    "meadow",
    "gallery",
    "laundry",
    "nursery",
    "pharmacy",
    "brewery",
    "fountain",
    "lighthouse",
];
/// What is brought to a desk.
pub(crate) const FORMS: [&str; 6] = [
    "refund",
    "repair",
    "licence",
    "complaint",
    "invoice",
    "permit",
];
/// Desks.
pub(crate) const DESKS: [&str; 6] = ["red", "blue", "green", "yellow", "purple", "orange"];
/// Where a vane may point.
pub(crate) const WINDS: [&str; 4] = ["north", "east", "south", "west"];
/// Words before and after an answer, where that is how it is to be said.
pub(crate) const BEFORE: [&str; 4] = ["please see", "kindly try", "go to", "look in"];
pub(crate) const AFTER: [&str; 4] = ["today", "over there", "as ever", "at once"];
const SYLLABLES: [&str; 24] = [
    "tol", "mar", "vek", "sin", "dor", "lum", "pra", "gos", "nel", "bir", "fan", "kot", "rud",
    "zem", "hal", "wix", "jor", "pel", "cad", "mun", "tis", "bra", "fle", "gwo",
];

/// Returns a name, which nothing else is likely to have.
pub(crate) fn name(random: &mut Random) -> String {
    let mut name: String = (0..3).map(|_| random.word(&SYLLABLES)).collect();
    name[..1].make_ascii_uppercase();
    name
}

/// Says where a thing is, in no word of [`asks_where`] but its name: what is found for a question is
/// the document that answers it, and no other.
pub(crate) fn says_where(name: &str, place: &str) -> String {
    format!("{name} lies in the {place}.")
}

pub(crate) fn asks_where(name: &str) -> String {
    format!("Where can one find {name}?")
}

pub(crate) fn asks_desk(name: &str, form: &str) -> String {
    format!("Which desk takes the {form} of {name}?")
}

pub(crate) fn asks_chance(name: &str) -> String {
    format!("Which way does the vane of {name} point?")
}

/// Returns another place than `place`.
pub(crate) fn another(random: &mut Random, place: &str) -> &'static str {
    loop {
        let other = random.word(&PLACES);
        if other != place {
            return other;
        }
    }
}

impl World {
    /// Makes the world of `seed`.
    pub(crate) fn new(kind: Kind, seed: u64, size: Size) -> Self {
        let mut random = Random::new(seed.wrapping_mul(5).wrapping_add(kind as u64));
        let mut names: Vec<String> = Vec::new();
        while names.len() < size.examples + size.examination {
            let name = name(&mut random);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut world = Self {
            kind,
            documents: Vec::new(),
            examples: Vec::new(),
            examination: Vec::new(),
            known: Vec::new(),
        };
        let before = random.word(&BEFORE);
        let after = random.word(&AFTER);
        let mut desks = DESKS;
        random.shuffle(&mut desks);
        for (number, name) in names.iter().enumerate() {
            let is_example = number < size.examples;
            let today = random.word(&PLACES);
            let last_week = another(&mut random, today);
            let form = number % FORMS.len();
            let (question, answer) = match kind {
                Kind::Documents | Kind::Model => {
                    let answer = if is_example { last_week } else { today };
                    (asks_where(name), answer.to_owned())
                }
                Kind::Both => (asks_where(name), format!("{before} the {today} {after}")),
                Kind::Examples => (asks_desk(name, FORMS[form]), desks[form].to_owned()),
                Kind::Nothing => {
                    let wind = random.word(&WINDS);
                    (asks_chance(name), wind.to_owned())
                }
            };
            let asked = Asked { question, answer };
            match is_example {
                true => world.examples.push(asked),
                false => world.examination.push(asked),
            }
            let said = match kind {
                Kind::Model => last_week,
                _ => today,
            };
            let subject = match kind {
                // Of somebody nobody asks for.
                Kind::Examples => self::name(&mut random),
                _ => name.clone(),
            };
            let file = format!("{}.md", subject.to_lowercase());
            world.documents.push((file, says_where(&subject, said)));
            if kind == Kind::Model {
                world.known.push(Asked {
                    question: asks_where(name),
                    answer: today.to_owned(),
                });
            }
        }
        world
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_world_and_another_another() {
        for kind in Kind::ALL {
            let world = |seed| World::new(kind, seed, Size::default());
            assert_eq!(world(3), world(3));
            assert_ne!(world(3).examination, world(4).examination);
        }
    }

    #[test]
    fn answers_are_where_the_kind_says() {
        for kind in Kind::ALL {
            let world = World::new(kind, 1, Size::default());
            let place = |asked: &Asked| {
                let is_said = |place: &&&str| asked.answer.split(' ').any(|word| word == **place);
                PLACES
                    .iter()
                    .find(is_said)
                    .map_or(asked.answer.as_str(), |it| it)
                    .to_owned()
            };
            let documents = |asked: &Asked| {
                let mut words = asked.question.trim_end_matches('?').split(' ');
                let name = words.find(|word| {
                    world
                        .documents
                        .iter()
                        .any(|(_, text)| text.starts_with(*word))
                });
                name.is_some_and(|name| {
                    let text = says_where(name, &place(asked));
                    world.documents.iter().any(|(_, said)| *said == text)
                })
            };
            let share = |set: &[Asked], of: &dyn Fn(&Asked) -> bool| {
                set.iter().filter(|it| of(it)).count() as f64 / set.len() as f64
            };
            let (examples, examination) = match kind {
                Kind::Documents => (0.0, 1.0),
                Kind::Both => (1.0, 1.0),
                Kind::Examples | Kind::Nothing => (0.0, 0.0),
                Kind::Model => (1.0, 0.0),
            };
            assert_eq!(share(&world.examples, &documents), examples, "{kind:?}");
            assert_eq!(
                share(&world.examination, &documents),
                examination,
                "{kind:?}"
            );
            let known = share(&world.examination, &|asked| world.known.contains(asked));
            assert_eq!(known, f64::from(u8::from(kind == Kind::Model)), "{kind:?}");
        }
    }
}
