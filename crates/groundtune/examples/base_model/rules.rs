//! Worlds of rules: what to do when, who may and must, what a part is for, step by step.

use crate::names::{Name, capital, identifier};
use crate::random::Random;
use crate::words::{ACTIONS, CONDITIONS, DUTIES, FILLERS, GROUPS, NOUNS, PURPOSES};
use crate::world::{Ask, Passage, Phrasing, World, fill, paragraph, sentence};

/// Returns `count` different entries, in any order.
fn some<'a>(random: &mut Random, all: &[&'a str], count: usize) -> Vec<&'a str> {
    let mut all = all.to_vec();
    random.shuffle(&mut all);
    all.truncate(count);
    all
}

/// Puts sentences into one passage, as prose or as a list.
fn one_passage(random: &mut Random, mut sentences: Vec<String>, title: &str) -> Passage {
    let list = random.chance(0.3);
    if !list && random.chance(0.4) {
        let at = random.below(sentences.len() + 1);
        sentences.insert(at, random.word(FILLERS).to_owned());
    }
    let text = if list {
        let mark = random.word(&["- ", "* ", "• "]);
        sentences.iter().map(|it| format!("{mark}{it}\n")).collect()
    } else {
        paragraph(random, &sentences)
    };
    let title = if random.chance(0.5) {
        title.to_owned()
    } else {
        String::new()
    };
    Passage { title, text }
}

const WHEN: &[&str] = &[
    "if {c}, {d}.",
    "{d} if {c}.",
    "when {c}, {d}.",
    "{d} whenever {c}.",
    "should it happen that {c}, {d}.",
    "in case {c}, please {d}.",
    "as soon as {c}, {d}.",
    "{c}? Then {d}.",
    "if {c}, you should {d}.",
    "if {c}, the first thing to do is to {d}.",
    "what helps when {c} is to {d}.",
    "staff must {d} if {c}.",
    "whenever {c}, we ask you to {d}.",
];
const ASK_WHEN: &[&str] = &[
    "what should I do if {c}?",
    "what do I do when {c}?",
    "what must be done if {c}?",
    "{c}, what now?",
    "what is to be done when {c}?",
    "what happens if {c}?",
    "how should one react if {c}?",
    "what helps if {c}?",
];

/// What to do when something happens.
pub(crate) fn conditions(random: &mut Random, phrasing: Phrasing, count: usize) -> World {
    let conditions = some(random, CONDITIONS, count + 2);
    let actions = some(random, ACTIONS, count);
    let mut world = World::default();
    let mut sentences = Vec::new();
    for (condition, action) in conditions.iter().zip(&actions) {
        let places = [('c', *condition), ('d', *action)];
        sentences.push(sentence(&fill(phrasing.pick(random, WHEN), &places)));
        let (question, answer) = if random.chance(0.8) {
            (fill(phrasing.pick(random, ASK_WHEN), &places), *action)
        } else {
            let forms = &[
                "when should I {d}?",
                "in which case should one {d}?",
                "when must one {d}?",
            ];
            (fill(random.word(forms), &places), *condition)
        };
        let answer = if answer == *condition {
            format!("if {answer}")
        } else {
            answer.to_owned()
        };
        world.asks.push(Ask {
            question,
            answer,
            passage: 0,
        });
    }
    for other in &conditions[count..] {
        world
            .missing
            .push(fill(phrasing.pick(random, ASK_WHEN), &[('c', other)]));
    }
    world
        .passages
        .push(one_passage(random, sentences, "What to do"));
    world
}

/// Who may, must and must not.
pub(crate) fn duties(random: &mut Random, phrasing: Phrasing, count: usize) -> World {
    const SAYS: &[&str] = &[
        "{g} {m} {d}.",
        "as a rule, {g} {m} {d}.",
        "{g} {m} {d}, says the house rule.",
        "from now on {g} {m} {d}.",
        "please note that {g} {m} {d}.",
        "it was agreed that {g} {m} {d}.",
        "on request, {g} {m} {d}.",
    ];
    let groups = some(random, GROUPS, count + 1);
    let duties = some(random, DUTIES, count + 1);
    let mut world = World::default();
    let mut sentences = Vec::new();
    let mut modes = Vec::new();
    for at in 0..=count {
        let mode = random.word(&[
            "must",
            "may",
            "can",
            "have to",
            "must not",
            "are allowed to",
            "should",
        ]);
        modes.push(mode);
        let places = [('g', groups[at]), ('m', mode), ('d', duties[at])];
        let ask = match mode {
            "must not" => ["what must {g} not do?", "who must not {d}?"],
            "have to" => ["what do {g} have to do?", "who has to {d}?"],
            "are allowed to" => ["what are {g} allowed to do?", "who is allowed to {d}?"],
            "must" => ["what must {g} do?", "who must {d}?"],
            "should" => ["what should {g} do?", "who should {d}?"],
            _ => ["what may {g} do?", "who may {d}?"],
        };
        let which = random.below(2);
        let question = fill(ask[which], &places);
        if at == count {
            world.missing.push(question);
            continue;
        }
        sentences.push(sentence(&fill(phrasing.pick(random, SAYS), &places)));
        let answer = [duties[at], groups[at]][which].to_owned();
        world.asks.push(Ask {
            question,
            answer,
            passage: 0,
        });
        if random.chance(0.15) {
            let yes = !matches!(mode, "must not");
            let question = fill("may {g} {d}?", &places);
            world.asks.push(Ask {
                question,
                answer: if yes { "yes" } else { "no" }.into(),
                passage: 0,
            });
        }
    }
    world.passages.push(one_passage(random, sentences, "Rules"));
    world
}

/// What parts and settings are for.
pub(crate) fn purposes(random: &mut Random, phrasing: Phrasing, count: usize) -> World {
    const SAYS: &[&str] = &[
        "{e} {p}.",
        "{e} is the one that {p}.",
        "there is also {e}, which {p}.",
        "use {e}: it {p}.",
        "{e}: {p}.",
        "what {e} does: it {p}.",
        "{e} – {p}.",
        "the purpose of {e} is simple: it {p}.",
        "with {e} you have something that {p}.",
    ];
    const ASK: &[&str] = &[
        "what does {e} do?",
        "what is {e} for?",
        "what is the purpose of {e}?",
        "what is the effect of {e}?",
        "explain {e}.",
        "why would I use {e}?",
        "what is the use of {e}?",
    ];
    const ASK_WHICH: &[&str] = &[
        "which of them {p}?",
        "what {p}?",
        "which one {p}?",
        "I look for something that {p}.",
        "is there anything that {p}?",
    ];
    let purposes = some(random, PURPOSES, count + 1);
    let program = random.chance(0.6);
    let mut names: Vec<String> = Vec::new();
    while names.len() <= count {
        let name = if program {
            Name::Option.make(random)
        } else {
            let kind = *random.pick(&[Name::Product, Name::Medicine, Name::Thing]);
            kind.make(random)
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut world = World::default();
    let mut sentences = Vec::new();
    for at in 0..=count {
        let places = [('e', names[at].as_str()), ('p', purposes[at])];
        let asks_name = random.chance(0.4);
        let form = phrasing.pick(random, if asks_name { ASK_WHICH } else { ASK });
        let question = fill(form, &places);
        if at == count {
            world.missing.push(question);
            continue;
        }
        let mut said = sentence(&fill(phrasing.pick(random, SAYS), &places));
        if program && random.chance(0.4) {
            let value = crate::names::Value::Setting.make(random);
            said += &fill(
                random.word(&[
                    " The default is {v}.",
                    " Default: {v}.",
                    " It is {v} unless set.",
                    " (default {v})",
                ]),
                &[('v', &value)],
            );
            if random.chance(0.5) {
                let question = fill(
                    random.word(&[
                        "what is the default of {e}?",
                        "what is {e} unless set?",
                        "what does {e} default to?",
                    ]),
                    &places,
                );
                world.asks.push(Ask {
                    question,
                    answer: value,
                    passage: 0,
                });
            }
        }
        sentences.push(said);
        let answer = if asks_name {
            names[at].clone()
        } else {
            purposes[at].to_owned()
        };
        world.asks.push(Ask {
            question,
            answer,
            passage: 0,
        });
    }
    world.passages.push(one_passage(
        random,
        sentences,
        if program { "Options" } else { "Parts" },
    ));
    world
}

/// Steps in their order.
pub(crate) fn steps(random: &mut Random, count: usize) -> World {
    let steps = some(random, ACTIONS, count + 1);
    let (steps, other) = (&steps[..count], steps[count]);
    let task = format!(
        "{} the {}",
        random.word(&["replace", "clean", "install", "prepare", "test", "set up"]),
        random.word(NOUNS)
    );
    let mut world = World::default();
    let mut text = sentence(&fill(
        random.word(&[
            "how to {t}:",
            "to {t}, follow these steps.",
            "steps to {t}:",
            "this is how you {t}.",
        ]),
        &[('t', &task)],
    ));
    if random.chance(0.6) {
        text.push('\n');
        for (number, step) in (1..).zip(steps) {
            let mark = format!("{number}{}", random.word(&[".", ".", ")"]));
            text += &format!("{mark} {}.\n", capital(step));
        }
    } else {
        for (number, step) in steps.iter().enumerate() {
            let word = match number {
                0 => "First,",
                it if it + 1 == count => "Finally,",
                _ => random.word(&["Then", "After that,", "Next,", "Now"]),
            };
            text += &format!(" {word} {step}.");
        }
    }
    let mut add = |question: String, answer: &str| {
        world.asks.push(Ask {
            question,
            answer: answer.to_owned(),
            passage: 0,
        });
    };
    add(
        fill(
            random.word(&[
                "what is the first step to {t}?",
                "how do I begin to {t}?",
                "what do I do first to {t}?",
            ]),
            &[('t', &task)],
        ),
        steps[0],
    );
    add(
        fill(
            random.word(&["what is the last step to {t}?", "what do I do last to {t}?"]),
            &[('t', &task)],
        ),
        steps[count - 1],
    );
    let at = random.below(count - 1);
    add(
        fill(
            random.word(&[
                "what comes after you {s}?",
                "what do I do after I {s}?",
                "what follows once you {s}?",
            ]),
            &[('s', steps[at])],
        ),
        steps[at + 1],
    );
    add(
        fill(
            random.word(&["what do I do before I {s}?", "what comes before you {s}?"]),
            &[('s', steps[at + 1])],
        ),
        steps[at],
    );
    if random.chance(0.5) {
        let number = random.below(count);
        add(
            format!("what is step {} to {task}?", number + 1),
            steps[number],
        );
    }
    world
        .missing
        .push(fill("what do I do after I {s}?", &[('s', other)]));
    world.missing.push(format!(
        "what is the first step to {} the {}?",
        random.word(&["sell", "paint", "rent"]),
        identifier(random).replace(['_', '-', '.'], " ")
    ));
    world.passages.push(Passage {
        title: if random.chance(0.4) {
            sentence(&task)
        } else {
            String::new()
        },
        text,
    });
    world
}
