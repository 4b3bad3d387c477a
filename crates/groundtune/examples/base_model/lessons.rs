//! Conversations about small worlds, in the very prompts that answering uses.

use contract::{Evidence, Template, render};
use serde_json::{Value as Json, json};

use crate::deeds::deeds;
use crate::facts::facts;
use crate::policies::policies;
use crate::random::Random;
use crate::real::Library;
use crate::rules::{conditions, duties, purposes, steps};
use crate::tasks::{greeting, task};
use crate::world::{Phrasing, World, typed};

/// What is said when the text does not say it: the words by which answering knows it.
pub(crate) const REFUSAL: &str = groundtune::NOT_IN_THE_DOCUMENTS;

/// How large worlds are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Several sentences with a question for nearly each, or a text to be said again: copying
    /// is learnt soonest where most of what is learnt is a copy.
    Drill,
    /// One to three sentences.
    Short,
    /// Up to several passages of several sentences.
    Long,
}

impl Size {
    /// The most characters of a context.
    fn characters(self) -> usize {
        match self {
            Self::Drill => 640,
            Self::Short => 320,
            Self::Long => 1500,
        }
    }

    /// The most questions about one text.
    fn turns(self) -> usize {
        match self {
            Self::Drill => 10,
            Self::Short => 4,
            Self::Long => 7,
        }
    }

    /// The share of questions that the text does not answer.
    fn unanswerable(self) -> f64 {
        match self {
            Self::Drill => 0.02,
            Self::Short => 0.06,
            Self::Long => 0.08,
        }
    }
}

/// What a lesson is about, for counting apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Facts,
    Deeds,
    Rules,
    Policies,
    Real,
    Task,
    Echo,
    Nothing,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Deeds => "deeds",
            Self::Rules => "rules",
            Self::Policies => "policies",
            Self::Real => "real text",
            Self::Task => "tasks",
            Self::Echo => "said again",
            Self::Nothing => "nothing given",
        }
    }

    fn drawn(random: &mut Random, size: Size) -> Self {
        if size == Size::Drill && random.chance(0.3) {
            return *random.pick(&[Self::Echo, Self::Echo, Self::Real]);
        }
        match random.below(100) {
            0..26 => Self::Facts,
            26..34 => Self::Deeds,
            34..42 => Self::Rules,
            42..64 => Self::Policies,
            64..92 => Self::Real,
            92..97 => Self::Task,
            _ => Self::Nothing,
        }
    }
}

fn world(
    random: &mut Random,
    phrasing: Phrasing,
    size: Size,
    kind: Kind,
    library: &Library,
) -> World {
    let short = size == Size::Short;
    let count = |random: &mut Random, long: usize| {
        if short {
            random.from(1, 2)
        } else {
            random.from(2, long)
        }
    };
    match kind {
        Kind::Facts => {
            let worlds: &[(usize, usize)] = match size {
                Size::Drill => &[
                    (2, 3),
                    (3, 2),
                    (4, 2),
                    (2, 4),
                    (5, 1),
                    (3, 3),
                    (6, 1),
                    (1, 6),
                ],
                Size::Short => &[(1, 2), (2, 1), (2, 2), (1, 3), (3, 1)],
                Size::Long => &[
                    (1, 5),
                    (2, 3),
                    (2, 5),
                    (3, 3),
                    (4, 2),
                    (5, 2),
                    (3, 4),
                    (6, 1),
                    (4, 3),
                ],
            };
            let (things, most) = *random.pick(worlds);
            facts(random, phrasing, things, most)
        }
        Kind::Deeds => {
            let count = count(random, 7);
            deeds(random, phrasing, count)
        }
        Kind::Rules => {
            let count = count(random, 7);
            match random.below(4) {
                0 => conditions(random, phrasing, count),
                1 => duties(random, phrasing, count),
                2 => purposes(random, phrasing, count),
                _ => steps(random, count.max(3)),
            }
        }
        Kind::Policies => {
            let count = count(random, 8);
            policies(random, phrasing, count)
        }
        Kind::Real | Kind::Task | Kind::Echo | Kind::Nothing => library.world(random, short),
    }
}

fn evidence(title: &str, text: &str) -> Evidence {
    Evidence {
        title: (!title.is_empty()).then(|| title.to_owned()),
        ..Evidence::of_text(text)
    }
}

/// One or more questions with their answers, after one text.
pub(crate) struct Conversation {
    pub(crate) kind: Kind,
    pub(crate) turns: Vec<(String, String)>,
}

impl Conversation {
    pub(crate) fn json(&self) -> Json {
        let turns = self.turns.iter().flat_map(|(asked, said)| {
            [
                json!({ "role": "user", "content": asked }),
                json!({ "role": "assistant", "content": said }),
            ]
        });
        json!({ "messages": turns.collect::<Vec<_>>() })
    }
}

/// Makes a conversation of one question, or of several where `one` is not asked for.
pub(crate) fn conversation(
    random: &mut Random,
    phrasing: Phrasing,
    size: Size,
    one: bool,
    library: &Library,
) -> Conversation {
    let most = if one { 1 } else { size.turns() };
    loop {
        let kind = Kind::drawn(random, size);
        let made = match kind {
            Kind::Task => Some(vec![task(random, phrasing)]),
            Kind::Echo => Some(vec![echo(random, phrasing, library)]),
            Kind::Nothing => nothing(random, phrasing, library),
            _ => about(random, phrasing, size, most, kind, library),
        };
        if let Some(turns) = made {
            return Conversation { kind, turns };
        }
    }
}

/// A text to be said again, or a part of it.
fn echo(random: &mut Random, phrasing: Phrasing, library: &Library) -> (String, String) {
    let kind = *random.pick(&[Kind::Facts, Kind::Deeds, Kind::Rules, Kind::Real]);
    let text = loop {
        let world = world(random, phrasing, Size::Short, kind, library);
        let texts: Vec<&str> = world.passages.iter().map(|it| it.text.trim()).collect();
        let text = texts.join(" ");
        if text.split(' ').nth(5).is_some() && text.len() <= Size::Short.characters() {
            break text;
        }
    };
    let words: Vec<&str> = text.split(' ').collect();
    let from = random.below(words.len().div_ceil(2));
    let (asked, said) = match random.below(4) {
        0 => ("Repeat the text.".to_owned(), text.clone()),
        1 => (
            "Write the context again, word for word.".to_owned(),
            text.clone(),
        ),
        2 => (
            format!(
                "How does the text go on after \"{}\"?",
                words[..=from].join(" ")
            ),
            words[from + 1..].join(" "),
        ),
        _ => {
            let start = from.saturating_sub(2);
            (
                format!(
                    "Say the text from \"{}\" on.",
                    words[start..=from].join(" ")
                ),
                words[start..].join(" "),
            )
        }
    };
    let given = [evidence("", &text)];
    let prompt = render(Template::Spaced, &asked, &given);
    (prompt.as_str().to_owned(), said)
}

/// A question without a text, or none at all.
fn nothing(
    random: &mut Random,
    phrasing: Phrasing,
    library: &Library,
) -> Option<Vec<(String, String)>> {
    if random.chance(0.2) {
        return Some(vec![greeting(random)]);
    }
    let kind = *random.pick(&[Kind::Facts, Kind::Deeds, Kind::Rules, Kind::Real]);
    let world = world(random, phrasing, Size::Short, kind, library);
    if world.asks.is_empty() {
        return None;
    }
    let question = typed(random, &random.clone().pick(&world.asks).question);
    let template = template(random);
    Some(vec![(
        render(template, &question, &[]).as_str().to_owned(),
        REFUSAL.to_owned(),
    )])
}

fn template(random: &mut Random) -> Template {
    match random.below(20) {
        0..9 => Template::Spaced,
        9..16 => Template::Cited,
        16..18 => Template::Compact,
        _ => Template::Grounded,
    }
}

fn about(
    random: &mut Random,
    phrasing: Phrasing,
    size: Size,
    most: usize,
    kind: Kind,
    library: &Library,
) -> Option<Vec<(String, String)>> {
    let world = world(random, phrasing, size, kind, library);
    let mut passages: Vec<(usize, Evidence)> = world
        .passages
        .iter()
        .enumerate()
        .map(|(at, it)| (at, evidence(&it.title, &it.text)))
        .collect();
    if size == Size::Long || random.chance(0.15) {
        for _ in 0..2 {
            if random.chance(0.25) {
                passages.push((usize::MAX, evidence("", &library.aside(random))));
            }
        }
    }
    if size == Size::Long && random.chance(0.25) {
        let kind = *random.pick(&[Kind::Facts, Kind::Deeds, Kind::Rules, Kind::Policies]);
        let other = self::world(random, phrasing, Size::Short, kind, library);
        passages.extend(
            other
                .passages
                .iter()
                .map(|it| (usize::MAX, evidence(&it.title, &it.text))),
        );
    }
    if random.chance(0.7) {
        random.shuffle(&mut passages);
    }
    let characters: usize = passages.iter().map(|(_, it)| it.text.len()).sum();
    if characters > size.characters() || world.asks.is_empty() {
        return None;
    }
    let template = template(random);
    let cited = template == Template::Cited;
    let all: Vec<Evidence> = passages.iter().map(|(_, it)| it.clone()).collect();
    let mut asks: Vec<usize> = (0..world.asks.len()).collect();
    random.shuffle(&mut asks);
    let mut missing: Vec<usize> = (0..world.missing.len()).collect();
    random.shuffle(&mut missing);
    let mut turns = Vec::new();
    // Most of a drill is answers; elsewhere a single question is as usual as several.
    let fewest = if size == Size::Drill {
        most.div_ceil(2)
    } else {
        1
    };
    for turn in 0..random.from(fewest, most) {
        let (question, answer) = match (asks.pop(), missing.pop()) {
            (_, Some(at)) if random.chance(size.unanswerable()) => {
                (&world.missing[at], REFUSAL.to_owned())
            }
            (Some(at), _) => {
                let ask = &world.asks[at];
                let number = passages.iter().position(|(from, _)| *from == ask.passage)?;
                let answer = if cited {
                    format!("{} [{}]", ask.answer, number + 1)
                } else {
                    ask.answer.clone()
                };
                (&ask.question, answer)
            }
            _ => break,
        };
        let question = typed(random, question);
        let given: &[Evidence] = if turn == 0 { &all } else { &[] };
        turns.push((
            render(template, &question, given).as_str().to_owned(),
            answer,
        ));
    }
    (!turns.is_empty()).then_some(turns)
}
