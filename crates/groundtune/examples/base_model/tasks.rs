//! Tasks that are no questions: labels, JSON, words of a list; and what is said when
//! nothing is given.

use crate::names::{Name, Value, capital, thing};
use crate::random::Random;
use crate::topics::TOPICS;
use crate::words::{
    ANIMALS, BLAME, COLOURS, FOODS, JOBS, MATERIALS, NEITHER, NOUNS, PRAISE, SUBJECTS,
};
use crate::world::{Phrasing, fill, sentence};

/// Returns a prompt and what is to be said.
pub(crate) fn task(random: &mut Random, phrasing: Phrasing) -> (String, String) {
    match random.below(9) {
        0 | 1 => mood(random),
        2 => about(random),
        3..6 => json(random, phrasing),
        6 | 7 => list(random),
        _ => copy(random),
    }
}

fn mood(random: &mut Random) -> (String, String) {
    let sets = [
        ["positive", "negative", "neutral"],
        ["good", "bad", "neither"],
        ["praise", "complaint", "other"],
        ["1", "0", "2"],
    ];
    let labels = random.pick(&sets);
    let at = random.below(3);
    let word = random.word([PRAISE, BLAME, NEITHER][at]);
    let what = thing(random);
    let text = fill(
        random.word(&[
            "{e} was {w}.",
            "I find {e} {w}.",
            "my friends call {e} {w}.",
            "{w}, that is all I can say about {e}.",
            "we bought {e} last month; it is {w}.",
            "honestly, {e} is {w}.",
            "everything about {e} is {w}.",
        ]),
        &[('e', &what), ('w', word)],
    );
    let mut shown = labels.to_vec();
    random.shuffle(&mut shown);
    let text = sentence(&text);
    let prompt = match random.below(3) {
        0 => format!(
            "Is this text {}, {} or {}?\n\nText: {text}\n\nLabel:",
            shown[0], shown[1], shown[2]
        ),
        1 => format!(
            "Classify the text as {}, {} or {}.\n\n{text}\n\nAnswer:",
            shown[0], shown[1], shown[2]
        ),
        _ => format!("Labels: {}\n\nText: {text}\n\nLabel:", shown.join(", ")),
    };
    let prompt = if labels[0] == "1" {
        prompt.replacen("Labels: ", "Labels (1 good, 0 bad, 2 neither): ", 1)
    } else {
        prompt
    };
    (prompt, labels[at].to_owned())
}

fn about(random: &mut Random) -> (String, String) {
    let kinds: &[(&str, &[&str])] = &[
        ("animals", ANIMALS),
        ("food", FOODS),
        ("work", JOBS),
        ("colours", COLOURS),
        ("materials", MATERIALS),
        ("science", SUBJECTS),
    ];
    let mut kinds = kinds.to_vec();
    random.shuffle(&mut kinds);
    kinds.truncate(random.from(2, 4));
    let (label, words) = *random.pick(&kinds);
    let text = fill(
        random.word(&[
            "we talked about {x} and {y}.",
            "nothing is like {x}, she said.",
            "the book on {x} was lost.",
            "{x}, {y} and more of that kind.",
            "who would have thought of {x}?",
            "today I saw {x} for the first time.",
        ]),
        &[('x', random.word(words)), ('y', random.word(words))],
    );
    let labels: Vec<&str> = kinds.iter().map(|it| it.0).collect();
    (
        format!(
            "Choose the subject: {}.\n\nText: {}\n\nSubject:",
            labels.join(", "),
            sentence(&text)
        ),
        label.to_owned(),
    )
}

fn json(random: &mut Random, phrasing: Phrasing) -> (String, String) {
    let topic = random.pick(TOPICS);
    let mut columns: Vec<usize> = (0..topic.attributes.len()).collect();
    random.shuffle(&mut columns);
    columns.truncate(random.from(1, 3));
    let name = topic.name.make(random);
    let mut sentences = Vec::new();
    let mut fields = vec![("name".to_owned(), format!("\"{name}\""))];
    for column in columns {
        let attribute = &topic.attributes[column];
        let value = attribute.value.make(random);
        let noun = attribute.nouns[0];
        let key = noun.replace(' ', "_");
        if random.chance(0.1) {
            fields.push((key, "null".into()));
            continue;
        }
        let form = if random.chance(0.6) {
            phrasing.pick(random, attribute.says)
        } else {
            "the {n} of {e} is {v}."
        };
        sentences.push(sentence(&fill(
            form,
            &[('e', &name), ('v', &value), ('n', noun)],
        )));
        fields.push((key, format!("\"{value}\"")));
    }
    let keys: Vec<&str> = fields.iter().map(|it| it.0.as_str()).collect();
    let keys = keys.join(", ");
    let text = if sentences.is_empty() {
        format!("{} was mentioned.", capital(&name))
    } else {
        sentences.join(" ")
    };
    let prompt = match random.below(3) {
        0 => format!("Write {keys} as JSON.\n\nText: {text}\n\nJSON:"),
        1 => format!("{text}\n\nExtract as JSON: {keys}\n\nJSON:"),
        _ => format!("Text: {text}\n\nGive a JSON object with the keys {keys}.\n\nAnswer:"),
    };
    let body: Vec<String> = fields
        .iter()
        .map(|(key, value)| format!("\"{key}\": {value}"))
        .collect();
    (prompt, format!("{{{}}}", body.join(", ")))
}

fn list(random: &mut Random) -> (String, String) {
    let count = random.from(3, 6);
    let mut items: Vec<String> = Vec::new();
    while items.len() < count {
        let item = match random.below(3) {
            0 => random.word(NOUNS).to_owned(),
            1 => Name::Person.make(random),
            _ => Value::Code.make(random),
        };
        if !items.contains(&item) {
            items.push(item);
        }
    }
    let shown = items.join(", ");
    let at = random.below(count);
    let (ask, answer) = match random.below(5) {
        0 => ("Write the first item.".to_owned(), items[0].clone()),
        1 => ("Write the last item.".to_owned(), items[count - 1].clone()),
        2 => (format!("Write item {}.", at + 1), items[at].clone()),
        3 => ("Write each item on a line.".to_owned(), items.join("\n")),
        _ => ("How many items are there?".to_owned(), count.to_string()),
    };
    (format!("{ask}\n\nList: {shown}\n\nAnswer:"), answer)
}

fn copy(random: &mut Random) -> (String, String) {
    let text = sentence(&fill(
        random.word(&[
            "{e} belongs to {p}.",
            "{p} is looking for {e}.",
            "ask {p} about {e}.",
        ]),
        &[('e', &thing(random)), ('p', &Name::Person.make(random))],
    ));
    match random.below(3) {
        0 => (format!("Repeat the text.\n\nText: {text}\n\nAnswer:"), text),
        1 => (
            format!("Write in capitals.\n\nText: {text}\n\nAnswer:"),
            text.to_uppercase(),
        ),
        _ => (
            format!("Write in small letters.\n\nText: {text}\n\nAnswer:"),
            text.to_lowercase(),
        ),
    }
}

const GREETINGS: &[(&str, &str)] = &[
    ("Hello", "Hello. Ask me about a text."),
    ("Hi!", "Hello. Ask me about a text."),
    ("Good morning", "Good morning. Ask me about a text."),
    (
        "Who are you?",
        "I am the small model of groundtune. I answer from the text that I am given.",
    ),
    (
        "What are you?",
        "I am the small model of groundtune. I answer from the text that I am given.",
    ),
    (
        "What can you do?",
        "I read a text and answer questions about it.",
    ),
    (
        "How do you work?",
        "I read a text and answer questions about it.",
    ),
    ("Thank you", "You are welcome."),
    ("Thanks!", "You are welcome."),
    ("Bye", "Goodbye."),
];

/// Returns what is said to somebody who asks about nothing.
pub(crate) fn greeting(random: &mut Random) -> (String, String) {
    let (said, answer) = random.pick(GREETINGS);
    ((*said).to_owned(), (*answer).to_owned())
}
