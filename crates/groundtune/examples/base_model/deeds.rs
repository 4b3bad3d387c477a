//! Worlds of deeds: who did what, when, where, why and how.

use crate::names::{Name, Value, thing};
use crate::random::Random;
use crate::words::{FILLERS, MANNERS, REASONS, VERBS};
use crate::world::{Ask, Passage, Phrasing, World, fill, paragraph, sentence};

struct Deed {
    who: String,
    verb: (&'static str, &'static str, &'static str),
    what: String,
    place: Option<String>,
    time: Option<String>,
    reason: Option<&'static str>,
    manner: Option<&'static str>,
}

const ACTIVE: &[&str] = &[
    "{s} {d} {o}",
    "{s} {d} {o}",
    "it was {s} who {d} {o}",
    "yesterday's news was that {s} {d} {o}",
    "as far as we know, {s} {d} {o}",
    "in the end {s} {d} {o}",
    "{s}, as planned, {d} {o}",
];
const PASSIVE: &[&str] = &[
    "{o} was {p} by {s}",
    "{o} had been {p} by {s}",
    "it was {o} that was {p} by {s}",
    "by {s}, {o} was {p}",
    "according to the report, {o} was {p} by {s}",
    "in the end {o} was {p} by {s}",
];

/// Makes a world of `count` deeds.
pub(crate) fn deeds(random: &mut Random, phrasing: Phrasing, count: usize) -> World {
    let mut deeds: Vec<Deed> = Vec::new();
    let mut reasons: Vec<&str> = REASONS.to_vec();
    let mut manners: Vec<&str> = MANNERS.to_vec();
    random.shuffle(&mut reasons);
    random.shuffle(&mut manners);
    let people: Vec<String> = (0..count.div_ceil(2) + 1)
        .map(|_| {
            if random.chance(0.8) {
                Name::Person.make(random)
            } else {
                Name::Company.make(random)
            }
        })
        .collect();
    while deeds.len() <= count {
        let verb = *random.pick(VERBS);
        let what = match random.below(5) {
            0 => Name::Product.make(random),
            1 => format!(
                "{} {}",
                random.from(2, 90),
                crate::words::NOUNS[random.below(60)].to_owned() + "s"
            ),
            _ => thing(random),
        };
        let who = random.pick(&people).clone();
        let clash = deeds.iter().any(|it| {
            it.what == what || it.verb.0 == verb.0 && (it.who == who || random.chance(0.7))
        });
        if clash {
            continue;
        }
        deeds.push(Deed {
            who,
            verb,
            what,
            place: random.chance(0.45).then(|| Name::Place.make(random)),
            time: random.chance(0.45).then(|| {
                let kind = *random.pick(&[Value::Date, Value::Weekday, Value::Time, Value::Year]);
                let on = match kind {
                    Value::Year => "in",
                    Value::Time => "at",
                    _ => "on",
                };
                format!("{on} {}", kind.make(random))
            }),
            reason: if random.chance(0.3) {
                reasons.pop()
            } else {
                None
            },
            manner: if random.chance(0.25) {
                manners.pop()
            } else {
                None
            },
        });
    }
    let hidden = deeds.pop().expect("one more than wanted");
    let mut world = World::default();
    let apart = random.chance(0.4);
    let mut sentences = Vec::new();
    for deed in &deeds {
        let passage = if apart { world.passages.len() } else { 0 };
        let said = say(random, phrasing, deed);
        world.asks.extend(
            asks(random, deed)
                .into_iter()
                .map(|(question, answer)| Ask {
                    question,
                    answer,
                    passage,
                }),
        );
        if apart {
            let mut both = vec![said];
            if random.chance(0.4) {
                both.push(random.word(FILLERS).to_owned());
            }
            let text = paragraph(random, &both);
            world.passages.push(Passage {
                title: String::new(),
                text,
            });
        } else {
            sentences.push(said);
            if random.chance(0.12) {
                sentences.push(random.word(FILLERS).to_owned());
            }
        }
    }
    if !apart {
        let text = paragraph(random, &sentences);
        let title = if random.chance(0.3) {
            "Report".into()
        } else {
            String::new()
        };
        world.passages.push(Passage { title, text });
    }
    world.missing.extend(
        asks(random, &hidden)
            .into_iter()
            .map(|(question, _)| question),
    );
    // What is not said of deeds that are told.
    for deed in &deeds {
        let bare = Deed {
            place: None,
            time: None,
            reason: None,
            manner: None,
            who: deed.who.clone(),
            what: deed.what.clone(),
            ..*deed
        };
        if deed.reason.is_none() {
            world
                .missing
                .push(fill("why did {s} {b} {o}?", &places(&bare)));
        }
        if deed.place.is_none() {
            world
                .missing
                .push(fill("where did {s} {b} {o}?", &places(&bare)));
        }
        if deed.time.is_none() {
            world
                .missing
                .push(fill("when was {o} {p}?", &places(&bare)));
        }
    }
    world
}

fn places(deed: &Deed) -> [(char, &str); 5] {
    [
        ('s', &deed.who),
        ('b', deed.verb.0),
        ('d', deed.verb.1),
        ('p', deed.verb.2),
        ('o', &deed.what),
    ]
}

fn say(random: &mut Random, phrasing: Phrasing, deed: &Deed) -> String {
    let active = random.chance(0.6);
    let form = phrasing.pick(random, if active { ACTIVE } else { PASSIVE });
    let mut core = fill(form, &places(deed));
    let mut before = String::new();
    let mut after: Vec<String> = Vec::new();
    after.extend(deed.manner.map(str::to_owned));
    after.extend(deed.place.as_ref().map(|it| format!("in {it}")));
    after.extend(deed.time.clone());
    if after.len() > 1 && random.chance(0.5) {
        after.reverse();
    }
    if !after.is_empty() && random.chance(0.3) {
        before = format!("{}, ", after.remove(0));
    }
    for part in after {
        core += &format!(" {part}");
    }
    if let Some(reason) = deed.reason {
        if random.chance(0.7) {
            core += &format!(" because {reason}");
        } else {
            before = format!("because {reason}, {before}");
        }
    }
    format!("{}.", sentence(&(before + &core)))
}

fn asks(random: &mut Random, deed: &Deed) -> Vec<(String, String)> {
    let mut asks = Vec::new();
    let places = places(deed);
    let mut add = |random: &mut Random, forms: &[&str], answer: &str| {
        let form = random.word(forms);
        asks.push((fill(form, &places), answer.to_owned()));
    };
    add(
        random,
        &[
            "who {d} {o}?",
            "by whom was {o} {p}?",
            "who was it that {d} {o}?",
            "tell me who {d} {o}.",
            "do you know who {d} {o}?",
        ],
        &deed.who,
    );
    add(
        random,
        &[
            "what did {s} {b}?",
            "what was {p} by {s}?",
            "what was it that {s} {d}?",
        ],
        &deed.what,
    );
    if let Some(place) = &deed.place {
        add(
            random,
            &[
                "where did {s} {b} {o}?",
                "where was {o} {p}?",
                "in which place was {o} {p}?",
                "where was it that {s} {d} {o}?",
            ],
            place,
        );
    }
    if let Some(time) = &deed.time {
        add(
            random,
            &[
                "when did {s} {b} {o}?",
                "when was {o} {p}?",
                "at what time was {o} {p}?",
            ],
            time,
        );
    }
    if let Some(reason) = deed.reason {
        add(
            random,
            &[
                "why did {s} {b} {o}?",
                "why was {o} {p}?",
                "for what reason was {o} {p}?",
                "what was the reason that {s} {d} {o}?",
            ],
            &format!("because {reason}"),
        );
    }
    if let Some(manner) = deed.manner {
        add(
            random,
            &[
                "how did {s} {b} {o}?",
                "how was {o} {p}?",
                "in what way was {o} {p}?",
            ],
            manner,
        );
    }
    asks
}
