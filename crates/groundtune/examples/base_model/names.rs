//! Made-up names and values, so that nothing can be known by heart: what is asked for stands
//! in the text or nowhere.

use crate::random::Random;
use crate::words::{
    ADJECTIVES, ANIMALS, COLOURS, FIRST_NAMES, FOODS, JOBS, LANGUAGES, MATERIALS, MONTHS, NOUNS,
    SUBJECTS, WEEKDAYS,
};

const ONSETS: &[&str] = &[
    "b", "br", "c", "ch", "cl", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kr", "l", "m",
    "n", "p", "pl", "pr", "qu", "r", "s", "sh", "sk", "st", "t", "th", "tr", "v", "w", "y", "z",
    "", "",
];
const VOWELS: &[&str] = &[
    "a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ea", "ie", "oa", "ou", "y",
];
const CODAS: &[&str] = &[
    "", "", "", "", "n", "r", "l", "s", "m", "t", "nd", "rk", "x", "ss", "ck", "th", "v", "d",
];

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Person,
    Place,
    Company,
    Product,
    Medicine,
    Thing,
    Room,
    Option,
    Course,
    Event,
    Policy,
    Ship,
    Code,
    Dish,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Count,
    Price,
    Date,
    Year,
    Weekday,
    Time,
    Hours,
    Duration,
    Length,
    Weight,
    Percent,
    Temperature,
    Storage,
    Power,
    Speed,
    Dose,
    Colour,
    Material,
    Person,
    Place,
    Company,
    Email,
    Phone,
    Web,
    Version,
    Code,
    Job,
    Food,
    Animal,
    Language,
    Subject,
    Thing,
    Setting,
    Grade,
}

pub(crate) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn syllables(random: &mut Random, count: usize) -> String {
    let mut word = String::new();
    for _ in 0..count {
        word += random.word(ONSETS);
        word += random.word(VOWELS);
        word += random.word(CODAS);
    }
    word
}

/// Returns a made-up word with a capital.
fn made(random: &mut Random) -> String {
    let count = random.from(2, 3);
    capital(&syllables(random, count))
}

fn first_name(random: &mut Random) -> String {
    if random.chance(0.5) {
        random.word(FIRST_NAMES).to_owned()
    } else {
        made(random)
    }
}

fn person(random: &mut Random) -> String {
    let first = first_name(random);
    match random.below(10) {
        0..5 => format!("{first} {}", made(random)),
        5 => format!("Dr {}", made(random)),
        6 => format!(
            "{} {}",
            random.word(&["Ms", "Mr", "Professor"]),
            made(random)
        ),
        _ => first,
    }
}

fn place(random: &mut Random) -> String {
    let name = made(random);
    match random.below(8) {
        0 => format!(
            "{name} {}",
            random.word(&["Street", "Square", "Road", "Hill"])
        ),
        1 => format!(
            "{} {name}",
            random.word(&["Lake", "Port", "North", "New", "Mount"])
        ),
        2 => format!(
            "{name}{}",
            random.word(&["ton", "burg", "ville", "field", "stad"])
        ),
        _ => name,
    }
}

fn company(random: &mut Random) -> String {
    let name = made(random);
    let kind = random.word(&[
        "Works", "Group", "Labs", "Ltd", "Systems", "Foods", "Bank", "Media", "Motors", "Partners",
        "Energy", "Books",
    ]);
    if random.chance(0.7) {
        format!("{name} {kind}")
    } else {
        name
    }
}

pub(crate) fn code(random: &mut Random) -> String {
    let letter = |random: &mut Random| char::from(b'A' + random.below(26) as u8);
    let (a, b) = (letter(random), letter(random));
    match random.below(6) {
        0 => format!("{a}{b}-{}", random.from(10, 9999)),
        1 => format!("{a}{}", random.from(1, 999)),
        2 => format!("{}-{a}{b}", random.from(100, 999)),
        3 => format!("{a}{b}{}{}", letter(random), random.from(10, 99)),
        4 => format!("#{}", random.from(1000, 99999)),
        _ => format!("{}", random.from(1000, 999_999)),
    }
}

fn product(random: &mut Random) -> String {
    match random.below(6) {
        0 => format!("{} {}", made(random), random.from(2, 900)),
        1 => format!("the {} {}", made(random), code(random)),
        2 => format!("the {} {}", made(random), random.word(NOUNS)),
        3 => format!(
            "{} {}",
            made(random),
            random.word(&["Pro", "Mini", "Plus", "Max", "One"])
        ),
        4 => format!("model {}", code(random)),
        _ => made(random),
    }
}

fn medicine(random: &mut Random) -> String {
    let count = random.from(1, 2);
    let stem = syllables(random, count);
    let end = random.word(&[
        "in", "ol", "ax", "ine", "pril", "mab", "idone", "ex", "azole",
    ]);
    let name = format!("{stem}{end}");
    if random.chance(0.6) {
        capital(&name)
    } else {
        name
    }
}

pub(crate) fn thing(random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("the {}", random.word(NOUNS)),
        1 => format!("the {} {}", random.word(COLOURS), random.word(NOUNS)),
        2 => format!("the {} of {}", random.word(NOUNS), person(random)),
        _ => format!("the {} {}", random.word(ADJECTIVES), random.word(NOUNS)),
    }
}

/// Returns a name as programs have it: `max_retry_count`.
pub(crate) fn identifier(random: &mut Random) -> String {
    let between = random.word(&["_", "-", ".", "_"]);
    let count = random.from(1, 3);
    let words: Vec<&str> = (0..count).map(|_| random.word(NOUNS)).collect();
    words.join(between)
}

fn option(random: &mut Random) -> String {
    let name = identifier(random).replace(['_', '.'], "-");
    match random.below(4) {
        0 => format!("`--{name}`"),
        1 => format!("--{name}"),
        2 => format!("`{}`", identifier(random)),
        _ => identifier(random).to_uppercase().replace(['-', '.'], "_"),
    }
}

impl Name {
    pub(crate) fn make(self, random: &mut Random) -> String {
        match self {
            Self::Person => person(random),
            Self::Place => place(random),
            Self::Company => company(random),
            Self::Product => product(random),
            Self::Medicine => medicine(random),
            Self::Thing => thing(random),
            Self::Room => match random.below(3) {
                0 => format!("room {}", random.from(1, 600)),
                1 => format!("the {} room", made(random)),
                _ => format!("the {} hall", random.word(COLOURS)),
            },
            Self::Option => option(random),
            Self::Course => match random.below(3) {
                0 => format!("{} {}", random.word(SUBJECTS), random.from(1, 400)),
                1 => format!("the {} course", random.word(SUBJECTS)),
                _ => format!("Introduction to {}", capital(random.word(SUBJECTS))),
            },
            Self::Event => match random.below(4) {
                0 => format!("the {} festival", made(random)),
                1 => format!("the {} conference", random.word(SUBJECTS)),
                2 => format!("the {} Cup", made(random)),
                _ => format!(
                    "the {} {}",
                    random.word(WEEKDAYS),
                    random.word(&["market", "meeting", "concert", "workshop"])
                ),
            },
            Self::Policy => match random.below(3) {
                0 => format!("the {} policy", random.word(NOUNS)),
                1 => format!("the {} plan", made(random)),
                _ => format!("the {} agreement", random.word(ADJECTIVES)),
            },
            Self::Ship => format!("the {}", made(random)),
            Self::Code => code(random),
            Self::Dish => match random.below(3) {
                0 => format!("{} soup", made(random)),
                1 => format!("the {} {}", random.word(ADJECTIVES), random.word(FOODS)),
                _ => format!("{} with {}", random.word(FOODS), random.word(FOODS)),
            },
        }
    }
}

fn number(random: &mut Random) -> usize {
    match random.below(5) {
        0 => random.from(2, 12),
        1 | 2 => random.from(10, 99),
        3 => random.from(100, 999),
        _ => random.from(1, 99) * 100,
    }
}

/// Returns a number as texts have it.
fn written(random: &mut Random, number: usize) -> String {
    const WORDS: &[&str] = &[
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    if number <= 12 && random.chance(0.4) {
        return WORDS[number].to_owned();
    }
    if number >= 1000 && random.chance(0.6) {
        return format!("{},{:03}", number / 1000, number % 1000);
    }
    number.to_string()
}

fn counted(random: &mut Random, units: &[&str]) -> String {
    let number = number(random);
    let unit = random.word(units);
    if random.chance(0.15) {
        return format!("{}.{} {unit}", number % 100, random.from(1, 9));
    }
    format!("{} {unit}", written(random, number))
}

fn time(random: &mut Random) -> String {
    let minutes = random.word(&["00", "15", "30", "45", "10"]);
    match random.below(5) {
        0 => format!(
            "{} {}",
            random.from(1, 12),
            random.word(&["am", "pm", "o'clock"])
        ),
        1 => format!(
            "{}:{minutes} {}",
            random.from(1, 12),
            random.word(&["am", "pm"])
        ),
        2 if random.chance(0.3) => random.word(&["noon", "midnight"]).to_owned(),
        _ => format!("{}:{minutes}", random.from(6, 23)),
    }
}

fn year(random: &mut Random) -> usize {
    random.from(1880, 2029)
}

fn date(random: &mut Random) -> String {
    let (day, month, year) = (random.from(1, 28), random.below(12), year(random));
    let name = MONTHS[month];
    match random.below(6) {
        0 => format!("{day} {name} {year}"),
        1 => format!("{name} {day}, {year}"),
        2 => format!("{year}-{:02}-{day:02}", month + 1),
        3 => format!("{name} {year}"),
        4 => format!("{name} {day}"),
        _ => format!("{day} {name}"),
    }
}

impl Value {
    pub(crate) fn make(self, random: &mut Random) -> String {
        match self {
            Self::Count => {
                let number = number(random);
                written(random, number)
            }
            Self::Price => {
                let number = number(random);
                let digits = number.to_string();
                match random.below(7) {
                    0 => format!("${digits}"),
                    1 => format!("{} euros", written(random, number)),
                    2 => format!("€{digits}"),
                    3 => format!("${}.{:02}", number % 100, random.from(5, 99)),
                    4 => format!("{} dollars", written(random, number)),
                    5 => format!("£{digits}"),
                    _ => format!("{} francs", written(random, number)),
                }
            }
            Self::Date => date(random),
            Self::Year => year(random).to_string(),
            Self::Weekday => random.word(WEEKDAYS).to_owned(),
            Self::Time => time(random),
            Self::Hours => match random.below(3) {
                0 => format!("{} to {}", time(random), time(random)),
                1 => format!("{} until {}", random.word(WEEKDAYS), random.word(WEEKDAYS)),
                _ => format!(
                    "{} to {} on {}",
                    time(random),
                    time(random),
                    random.word(WEEKDAYS)
                ),
            },
            Self::Duration => counted(
                random,
                &[
                    "days", "weeks", "hours", "minutes", "months", "years", "seconds",
                ],
            ),
            Self::Length => counted(random, &["metres", "cm", "km", "miles", "feet", "mm"]),
            Self::Weight => counted(random, &["kg", "grams", "tons", "pounds"]),
            Self::Percent => {
                let number = random.from(1, 99);
                match random.below(3) {
                    0 => format!("{number} percent"),
                    1 => format!("{number}.{}%", random.from(1, 9)),
                    _ => format!("{number}%"),
                }
            }
            Self::Temperature => format!(
                "{} {}",
                random.from(1, 400),
                random.word(&["°C", "degrees", "°F"])
            ),
            Self::Storage => counted(random, &["MB", "GB", "KB", "TB"]),
            Self::Power => counted(random, &["watts", "kW", "volts", "W"]),
            Self::Speed => counted(random, &["km/h", "mph", "knots"]),
            Self::Dose => format!(
                "{} {}",
                counted(random, &["mg", "ml", "tablets", "drops"]),
                random.word(&[
                    "a day",
                    "twice a day",
                    "every morning",
                    "once a week",
                    "at night",
                    "with meals"
                ])
            ),
            Self::Colour => random.word(COLOURS).to_owned(),
            Self::Material => random.word(MATERIALS).to_owned(),
            Self::Person => person(random),
            Self::Place => place(random),
            Self::Company => company(random),
            Self::Email => {
                let name = made(random).to_lowercase();
                format!(
                    "{}@{name}.{}",
                    random.word(NOUNS),
                    random.word(&["com", "org", "net", "example"])
                )
            }
            Self::Phone => format!(
                "{} {} {}",
                random.from(10, 999),
                random.from(100, 999),
                random.from(1000, 9999)
            ),
            Self::Web => {
                let name = made(random).to_lowercase();
                let top = random.word(&["com", "org", "net"]);
                if random.chance(0.5) {
                    format!("www.{name}.{top}")
                } else {
                    format!("https://{name}.{top}/{}", random.word(NOUNS))
                }
            }
            Self::Version => format!(
                "{}.{}.{}",
                random.below(12),
                random.below(30),
                random.below(10)
            ),
            Self::Code => code(random),
            Self::Job => random.word(JOBS).to_owned(),
            Self::Food => random.word(FOODS).to_owned(),
            Self::Animal => random.word(ANIMALS).to_owned(),
            Self::Language => random.word(LANGUAGES).to_owned(),
            Self::Subject => random.word(SUBJECTS).to_owned(),
            Self::Thing => thing(random),
            Self::Setting => match random.below(6) {
                0 => random
                    .word(&["true", "false", "on", "off", "never", "always", "auto"])
                    .to_owned(),
                1 => format!("`{}`", number(random)),
                2 => format!(
                    "{}{}",
                    number(random),
                    random.word(&["s", "ms", "MB", "%", " seconds"])
                ),
                3 => format!("`{}`", identifier(random)),
                4 => format!("`/{}/{}`", random.word(NOUNS), random.word(NOUNS)),
                _ => number(random).to_string(),
            },
            Self::Grade => random
                .word(&[
                    "A",
                    "B",
                    "C",
                    "gold",
                    "silver",
                    "bronze",
                    "high",
                    "low",
                    "medium",
                    "excellent",
                    "poor",
                    "first class",
                    "second class",
                ])
                .to_owned(),
        }
    }
}
