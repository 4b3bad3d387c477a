//! Questions about real sentences for what is of a kind: an amount, a length of time, a date, a
//! number of things, a name; in the sentence's words, in some of them, or in their like.

use crate::random::Random;
use crate::words::{MONTHS, WEEKDAYS};

/// What a stretch of a sentence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Money,
    Time,
    Measure,
    Share,
    Year,
    Day,
    Clock,
    Count,
    Place,
    Name,
}

/// A stretch of words that answers a question.
struct Value {
    kind: Kind,
    /// Where it begins and ends among the words.
    from: usize,
    to: usize,
    text: String,
    /// What is counted or measured, such as `days`.
    unit: String,
}

const NUMBERS: &[&str] = &[
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "fifteen", "twenty", "thirty", "forty", "fifty", "hundred", "half", "both",
];
const TIMES: &[&str] = &[
    "second", "seconds", "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks",
    "month", "months", "year", "years", "decades", "nights",
];
const MEASURES: &[&str] = &[
    "meters",
    "metres",
    "feet",
    "foot",
    "miles",
    "mile",
    "kilometers",
    "inches",
    "inch",
    "pounds",
    "grams",
    "ounces",
    "kilograms",
    "liters",
    "litres",
    "gallons",
    "cups",
    "degrees",
    "km",
    "kg",
    "mg",
    "ml",
    "cm",
    "watts",
    "calories",
    "points",
    "euros",
    "dollars",
    "cents",
    "pages",
    "acres",
];

/// Words of like meaning: a question uses one where the text uses the other.
const ALIKE: &[(&str, &str)] = &[
    ("buy", "purchase"),
    ("bought", "purchased"),
    ("buys", "purchases"),
    ("begin", "start"),
    ("begins", "starts"),
    ("began", "started"),
    ("big", "large"),
    ("large", "great"),
    ("help", "support"),
    ("helps", "supports"),
    ("many", "numerous"),
    ("get", "receive"),
    ("gets", "receives"),
    ("got", "received"),
    ("need", "require"),
    ("needs", "requires"),
    ("needed", "required"),
    ("show", "display"),
    ("shows", "displays"),
    ("use", "employ"),
    ("uses", "employs"),
    ("used", "employed"),
    ("children", "kids"),
    ("people", "persons"),
    ("doctor", "physician"),
    ("illness", "disease"),
    ("illness", "sickness"),
    ("costs", "is"),
    ("cost", "price"),
    ("end", "finish"),
    ("ends", "finishes"),
    ("ended", "finished"),
    ("make", "create"),
    ("makes", "creates"),
    ("made", "created"),
    ("give", "hand"),
    ("gives", "hands"),
    ("gave", "handed"),
    ("lasts", "takes"),
    ("last", "take"),
    ("often", "frequently"),
    ("usually", "normally"),
    ("fast", "quick"),
    ("quickly", "fast"),
    ("house", "home"),
    ("car", "vehicle"),
    ("money", "cash"),
    ("job", "work"),
    ("send", "post"),
    ("sends", "posts"),
    ("sent", "posted"),
    ("answer", "reply"),
    ("ask", "request"),
    ("asks", "requests"),
    ("choose", "pick"),
    ("chose", "picked"),
    ("change", "alter"),
    ("changes", "alters"),
    ("remove", "delete"),
    ("removes", "deletes"),
    ("file", "document"),
    ("folder", "directory"),
    ("run", "execute"),
    ("runs", "executes"),
    ("set", "put"),
    ("keep", "hold"),
    ("keeps", "holds"),
    ("kept", "held"),
    ("total", "overall"),
    ("whole", "entire"),
    ("about", "around"),
    ("near", "close to"),
    ("under", "below"),
    ("over", "above"),
    ("after", "following"),
    ("before", "prior to"),
    ("allowed", "permitted"),
    ("may", "can"),
    ("must", "has to"),
    ("should", "ought to"),
    ("new", "recent"),
    ("old", "former"),
    ("sick", "ill"),
    ("symptoms", "signs"),
    ("treatment", "therapy"),
    ("treatments", "therapies"),
    ("method", "approach"),
    ("methods", "approaches"),
    ("results", "findings"),
    ("error", "mistake"),
    ("speak", "talk"),
    ("sleep", "rest"),
    ("walk", "go"),
    ("walks", "goes"),
    ("student", "pupil"),
    ("students", "pupils"),
    ("shop", "store"),
    ("store", "shop"),
    ("customers", "buyers"),
    ("customer", "buyer"),
    ("each", "every"),
    ("parcel", "package"),
    ("earns", "makes"),
    ("earn", "make"),
    ("sold", "traded"),
    ("build", "construct"),
];
/// Past forms with what they are made of.
const PAST: &[(&str, &str)] = &[
    ("bought", "buy"),
    ("sold", "sell"),
    ("made", "make"),
    ("had", "have"),
    ("ate", "eat"),
    ("spent", "spend"),
    ("gave", "give"),
    ("took", "take"),
    ("ran", "run"),
    ("got", "get"),
    ("went", "go"),
    ("paid", "pay"),
    ("found", "find"),
    ("saw", "see"),
    ("left", "leave"),
    ("read", "read"),
    ("wrote", "write"),
    ("drove", "drive"),
    ("lost", "lose"),
    ("won", "win"),
    ("grew", "grow"),
    ("began", "begin"),
    ("caught", "catch"),
    ("brought", "bring"),
];
const HELPERS: &[&str] = &[
    "is", "are", "was", "were", "can", "may", "will", "should", "must", "could", "would", "might",
    "has", "have", "had",
];
/// Words that say little of what a sentence is about.
const SMALL: &[&str] = &[
    "the", "a", "an", "of", "to", "in", "on", "at", "for", "and", "or", "is", "are", "was", "were",
    "be", "it", "its", "that", "this", "with", "by", "as", "from", "his", "her", "their", "he",
    "she", "they", "if", "so", "than", "then", "each", "but",
];

fn bare(word: &str) -> &str {
    word.trim_matches(|it: char| !it.is_alphanumeric() && it != '$' && it != '%')
}

/// Returns whether `word` names a month. "May" is a word of its own too often.
fn is_month(word: &str) -> bool {
    word != "May" && MONTHS.contains(&word)
}

/// Returns whether `word` names a weekday, one or many.
fn is_weekday(word: &str) -> bool {
    WEEKDAYS.contains(&word.strip_suffix('s').unwrap_or(word))
}

fn is_number(word: &str) -> bool {
    let digits = word.trim_start_matches('$');
    !digits.is_empty()
        && digits.starts_with(|it: char| it.is_ascii_digit())
        && digits
            .chars()
            .all(|it| it.is_ascii_digit() || [',', '.', '/', '-', ':'].contains(&it))
}

/// Returns the values of a sentence, from its beginning.
fn values(words: &[&str]) -> Vec<Value> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let word = bare(words[at]);
        let whole = words[at].ends_with(|it: char| it.is_alphanumeric() || it == '%');
        let next = words
            .get(at + 1)
            .filter(|_| whole)
            .map_or("", |it| bare(it));
        let before = at.checked_sub(1).map_or("", |it| words[it]);
        let counted = is_number(word) || NUMBERS.contains(&word.to_lowercase().as_str());
        let (kind, length) = if word.starts_with('$') && is_number(word) {
            (Kind::Money, 1)
        } else if word.ends_with('%') && is_number(word.trim_end_matches('%')) {
            (Kind::Share, 1)
        } else if counted && (next == "percent" || next == "%") {
            (Kind::Share, 2)
        } else if counted && ["euros", "dollars", "cents"].contains(&next) {
            (Kind::Money, 2)
        } else if counted && ["a.m", "p.m", "am", "pm", "o'clock"].contains(&next) {
            (Kind::Clock, 2)
        } else if counted && TIMES.contains(&next) {
            (Kind::Time, 2)
        } else if counted && MEASURES.contains(&next) {
            (Kind::Measure, 2)
        } else if is_number(word) && is_month(next) || is_month(word) && is_number(next) {
            (Kind::Day, 2)
        } else if is_weekday(word) || is_month(word) {
            (Kind::Day, 1)
        } else if word.len() == 4
            && word
                .parse::<u32>()
                .is_ok_and(|it| (1500..2100).contains(&it))
            && ["in", "In", "since", "until", "by", "from", "of"].contains(&before)
        {
            (Kind::Year, 1)
        } else if counted
            && next.len() > 3
            && next.ends_with('s')
            && next.bytes().all(|it| it.is_ascii_lowercase())
        {
            (Kind::Count, 1)
        } else if at > 0 && word.starts_with(|it: char| it.is_ascii_uppercase()) && word.len() > 2 {
            let mut end = at + 1;
            let mut open = whole;
            while open
                && end < words.len()
                && bare(words[end]).starts_with(|it: char| it.is_ascii_uppercase())
            {
                open = words[end].ends_with(|it: char| it.is_alphanumeric());
                end += 1;
            }
            let place = ["in", "at", "from", "near", "to"].contains(&before) && end == at + 1;
            (if place { Kind::Place } else { Kind::Name }, end - at)
        } else {
            at += 1;
            continue;
        };
        let to = at + length;
        let mut text = words[at..to].join(" ");
        text = text
            .trim_end_matches([',', ';', ':', ')', '?', '!', '"'])
            .trim_start_matches(['(', '"'])
            .to_owned();
        let unit = if kind == Kind::Count || length == 2 {
            next
        } else {
            ""
        };
        all.push(Value {
            kind,
            from: at,
            to: if kind == Kind::Count { at + 2 } else { to },
            text,
            unit: unit.to_owned(),
        });
        at = to;
    }
    all
}

/// Returns the words that a question for `value` may begin with.
fn asking(random: &mut Random, value: &Value) -> String {
    let unit = &value.unit;
    let forms: &[&str] = match value.kind {
        Kind::Money => &[
            "How much",
            "How much",
            "How much money",
            "What amount",
            "For how much",
            "What sum",
        ],
        Kind::Time => &[
            "How long",
            "How many {u}",
            "How many {u}",
            "For how long",
            "How much time",
            "Within how many {u}",
            "After how many {u}",
        ],
        Kind::Measure => &[
            "How many {u}",
            "How many {u}",
            "How much",
            "What number of {u}",
        ],
        Kind::Share => &[
            "What percentage",
            "How many percent",
            "What share",
            "Which percentage",
        ],
        Kind::Year => &["When", "In which year", "In what year", "Since when"],
        Kind::Day => &["When", "On which day", "On what date", "By when"],
        Kind::Clock => &["When", "At what time", "From when", "Until when"],
        Kind::Count => &[
            "How many {u}",
            "How many {u}",
            "How many {u}",
            "What number of {u}",
        ],
        Kind::Place => &["Where", "In which place", "Where", "In what place"],
        Kind::Name => &["Who", "What", "Which", "What", "Whose"],
    };
    random.word(forms).replace("{u}", unit)
}

/// Returns `words` with some of them in other words, and now and then without the small ones.
fn told(random: &mut Random, words: &[&str]) -> String {
    let fewer = random.chance(0.12);
    let mut all: Vec<String> = Vec::new();
    for word in words {
        let plain = word.trim_matches(['"', '(', ')', ';', ':', ',']);
        if plain.is_empty() || fewer && SMALL.contains(&plain) {
            continue;
        }
        let like = ALIKE
            .iter()
            .find_map(|(one, other)| match plain {
                it if it == *one => Some(*other),
                it if it == *other => Some(*one),
                _ => None,
            })
            .filter(|_| random.chance(0.4));
        all.push(like.unwrap_or(plain).to_owned());
    }
    all.join(" ")
}

/// Returns a question in somewhat other words.
pub(crate) fn reworded(random: &mut Random, question: &str) -> String {
    let (body, end) = match question.strip_suffix('?') {
        Some(body) => (body, "?"),
        None => (question, ""),
    };
    let words: Vec<&str> = body.split(' ').collect();
    told(random, &words) + end
}

/// Returns a beginning that does not stand at one: small, unless it is a name.
fn small(words: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
    if let Some(first) = all.first_mut() {
        let lower = first.to_lowercase();
        if SMALL.contains(&lower.as_str())
            || !first.ends_with(|it: char| it.is_ascii_alphabetic())
            || lower.len() < 4
        {
            *first = lower;
        }
    }
    all
}

/// Returns the verb of `words` that a question turns around: where it stands, the word that
/// goes before the subject, and what stays in its place.
fn turned(words: &[&str]) -> Option<(usize, String, String)> {
    for (at, word) in words.iter().enumerate().skip(1).take(7) {
        if HELPERS.contains(word) {
            return Some((at, (*word).to_owned(), String::new()));
        }
        if let Some((_, base)) = PAST.iter().find(|(past, _)| past == word) {
            return Some((at, "did".to_owned(), (*base).to_owned()));
        }
        if word.len() > 4 && word.ends_with("ed") {
            let stem = &word[..word.len() - 2];
            return Some((at, "did".to_owned(), stem.to_owned()));
        }
    }
    None
}

/// Returns questions for the values of a sentence, with the values.
pub(crate) fn typed_questions(random: &mut Random, words: &[&str]) -> Vec<(String, String)> {
    let mut asked = Vec::new();
    for value in values(words) {
        if value.text.len() < 2 && !matches!(value.kind, Kind::Count) {
            continue;
        }
        let mut left = small(&words[..value.from]);
        // "within 30 days" is asked for without "within".
        while left.last().is_some_and(|it| {
            SMALL.contains(&it.as_str())
                || ["within", "about", "only", "over", "up"].contains(&it.as_str())
        }) {
            left.pop();
        }
        let left: Vec<&str> = left.iter().map(String::as_str).collect();
        let mut right = &words[value.to.min(words.len())..];
        if let Some(end) = right.iter().position(|it| it.ends_with([',', ';', ':'])) {
            right = &right[..=end];
        }
        if random.chance(0.4) {
            right = &right[..right.len().min(random.from(0, 4))];
        }
        if left.len() + right.len() < 2 {
            continue;
        }
        let left = &left[left.len().saturating_sub(random.from(5, 12))..];
        let asking = asking(random, &value);
        let question = match (random.below(10), turned(left)) {
            (0..6, Some((at, helper, base))) => {
                let (subject, rest) = (&left[..at], &left[at + 1..]);
                let rest = format!("{base} {} {}", told(random, rest), told(random, right));
                format!("{asking} {helper} {} {rest}", told(random, subject))
            }
            (9, _) => {
                let all: Vec<&str> = left.iter().chain(right).copied().collect();
                let mut heavy: Vec<&str> = all
                    .iter()
                    .copied()
                    .filter(|it| it.len() > 3 && !SMALL.contains(it))
                    .collect();
                while heavy.len() > 4 {
                    let out = random.below(heavy.len());
                    heavy.remove(out);
                }
                if heavy.len() < 2 {
                    continue;
                }
                format!("{asking}, {}", told(random, &heavy))
            }
            _ => format!("{asking} {} {}", told(random, left), told(random, right)),
        };
        let question = question.split_whitespace().collect::<Vec<_>>().join(" ");
        asked.push((
            format!("{}?", question.trim_end_matches(['.', '?', ','])),
            value.text,
        ));
    }
    asked
}
