//! Whether a question is answered from the documents, or by the model alone.
//!
//! A question of fact needs evidence; a poem needs none, and is worse for it. What a question
//! looks like ([`Form`]) and how well the documents bear on it decide: by a rule
//! ([`by_rule`]), or by a [`Router`] that was taught on questions of which both answers were
//! judged.

mod logistic;
mod router;

use contract::Share;
use serde::{Deserialize, Serialize};

pub use logistic::{Logistic, LogisticError, Observation, fit};
pub use router::{Asked, Judged, Router, Taught};

/// Where the answer to a question comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// From the documents.
    Retrieval,
    /// From the model alone.
    Alone,
}

impl Route {
    /// Returns it in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retrieval => "retrieval",
            Self::Alone => "the model alone",
        }
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a question looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// It asks for a fact: it begins with a question word, or asks whether something is so.
    Fact,
    /// It wants something to be made: a poem, a slogan, ideas.
    Creation,
    /// Neither can be seen.
    Unclear,
}

/// Words with which a question of fact begins: English, German, French, Spanish.
const ASK: &[&str] = &[
    "who", "whom", "whose", "what", "when", "where", "which", "why", "how", "is", "are", "was",
    "were", "do", "does", "did", "can", "could", "may", "must", "should", "will", "has", "have",
    "wer", "wem", "wen", "wessen", "was", "wann", "wo", "woher", "wohin", "welche", "welcher",
    "welches", "warum", "wieso", "wie", "wieviel", "ist", "sind", "darf", "kann", "muss", "qui",
    "que", "quoi", "quand", "où", "quel", "quelle", "quels", "quelles", "pourquoi", "comment",
    "combien", "quién", "qué", "cuándo", "dónde", "cuál", "cuáles", "cómo", "cuánto", "cuántos",
];

/// Words with which a wish for something made begins, whatever is to be made.
const MAKE: &[&str] = &[
    "compose",
    "invent",
    "imagine",
    "brainstorm",
    "improvise",
    "rhyme",
    "dichte",
    "erfinde",
    "reime",
    "imagine",
    "invente",
    "imagina",
    "inventa",
];

/// Words with which a wish begins that is one for something made if a word of [`WORKS`] follows.
const WISH: &[&str] = &[
    "write", "create", "draft", "generate", "make", "give", "tell", "sing", "suggest", "craft",
    "pen", "produce", "come", "please", "schreibe", "schreib", "erzähle", "erzähl", "mache",
    "entwirf", "écris", "raconte", "crée", "rédige", "escribe", "cuenta", "crea",
];

/// What is made and not found.
const WORKS: &[&str] = &[
    "poem",
    "poems",
    "haiku",
    "limerick",
    "verse",
    "verses",
    "sonnet",
    "ballad",
    "story",
    "stories",
    "tale",
    "fable",
    "novel",
    "song",
    "songs",
    "lyrics",
    "rap",
    "joke",
    "jokes",
    "pun",
    "slogan",
    "slogans",
    "tagline",
    "taglines",
    "jingle",
    "headline",
    "headlines",
    "caption",
    "script",
    "dialogue",
    "screenplay",
    "monologue",
    "toast",
    "riddle",
    "ideas",
    "names",
    "greeting",
    "advert",
    "advertisement",
    "blurb",
    "gedicht",
    "gedichte",
    "geschichte",
    "märchen",
    "lied",
    "witz",
    "spruch",
    "reim",
    "ideen",
    "namen",
    "poème",
    "histoire",
    "conte",
    "chanson",
    "blague",
    "idées",
    "poema",
    "cuento",
    "historia",
    "canción",
    "chiste",
    "eslogan",
];

/// Returns the words of a text in small letters.
fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

impl Form {
    /// Returns the form of a question.
    pub fn of(question: &str) -> Self {
        let words = words(question);
        let Some(first) = words.first() else {
            return Self::Unclear;
        };
        let is = |list: &[&str], word: &String| list.contains(&word.as_str());
        // `Can you write a poem?` is a wish, `What is a haiku?` a question.
        let wished = words.iter().take(4).any(|word| is(WISH, word));
        let works = words.iter().any(|word| is(WORKS, word));
        let asks_kindly = ["can", "could", "will", "kannst", "peux", "puedes"];
        if is(MAKE, first) || works && wished && (is(WISH, first) || is(&asks_kindly, first)) {
            Self::Creation
        } else if is(ASK, first) || question.trim_end().ends_with('?') {
            Self::Fact
        } else {
            Self::Unclear
        }
    }

    /// Returns it in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fact => "a question of fact",
            Self::Creation => "a wish for something made",
            Self::Unclear => "neither a question nor a wish for something made",
        }
    }
}

/// Decides by the question's form, and where that does not tell, by whether the `best` score
/// of what was found reaches the `threshold`.
///
/// A question of fact goes to the documents even if they say nothing of it: "not in the
/// documents" is the better answer then.
pub fn by_rule(question: &str, best: Option<Share>, threshold: Share) -> Route {
    match Form::of(question) {
        Form::Fact => Route::Retrieval,
        Form::Creation => Route::Alone,
        Form::Unclear => match best {
            Some(best) if best >= threshold => Route::Retrieval,
            _ => Route::Alone,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_told_from_what_is_to_be_made() {
        let check = |question: &str, expect: Form| {
            assert_eq!(Form::of(question), expect, "{question}");
        };
        check("What are the latest FDA drug approvals?", Form::Fact);
        check("Write a poem about artificial intelligence", Form::Creation);
        check("What is a haiku?", Form::Fact);
        check("Could you write a slogan for spring?", Form::Creation);
        check("Brainstorm about tea", Form::Creation);
        check("Write down the return period", Form::Unclear);
        check("The return period is how long?", Form::Fact);
        check("Schreibe ein Gedicht über den Herbst", Form::Creation);
        check("return policy", Form::Unclear);
        check("", Form::Unclear);
    }

    #[test]
    fn evidence_decides_where_the_form_does_not() {
        let share = |value: f64| Some(Share::clamped(value));
        let threshold = Share::clamped(0.7);
        let check = |question: &str, best: Option<Share>, expect: Route| {
            assert_eq!(by_rule(question, best, threshold), expect, "{question}");
        };
        check("return policy", share(0.7), Route::Retrieval);
        check("return policy", share(0.69), Route::Alone);
        check("thank you", None, Route::Alone);
        check("Who is the king of the moon?", None, Route::Retrieval);
        check("Write a poem about returns", share(0.99), Route::Alone);
    }
}
