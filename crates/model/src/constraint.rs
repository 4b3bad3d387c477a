//! Output that follows a JSON schema or a regular expression, whatever the model would
//! rather write.
//!
//! At every place llguidance says which tokens keep the text on a path to an end that the
//! constraint allows; the others get no probability. Where only one text is possible it
//! says so too, and that text is written without asking the model.

use std::error::Error;
use std::sync::Arc;

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{
    INVALID_TOKEN, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie, TokenizerEnv,
};
use llguidance::{JsonCompileOptions, Matcher, ParserFactory};
use serde_json::Value;
use thiserror::Error as ThisError;

/// What the written text must be, as a whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// A JSON value that this schema holds valid. Objects have their keys in the order in
    /// which the schema names them. Between the parts stands at most one blank, or one line
    /// break with at most 16 blanks: a model cannot go on writing nothing.
    JsonSchema(Value),
    /// A text that this regular expression matches from its first to its last character,
    /// with or without `^` and `$`. In the syntax of the `regex` crate, without
    /// look-around and word borders.
    Regex(String),
}

/// Why a constraint cannot be followed.
#[derive(Debug, ThisError)]
pub enum ConstraintError {
    /// A schema is neither an object nor `true`.
    #[error("a JSON schema is an object, found {found}")]
    NoSchema {
        /// What it is.
        found: &'static str,
    },
    /// A schema has a keyword or value that is not supported, or allows nothing.
    #[error("the JSON schema cannot be followed")]
    Schema {
        /// Which part, and why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A regular expression has a syntax error or a part that is not supported.
    #[error("the regular expression `{pattern}` cannot be followed")]
    Regex {
        /// The expression.
        pattern: String,
        /// Which part, and why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A constraint became too large to follow in the middle of a text, or the vocabulary
    /// has no token with which to go on.
    #[error("the constraint could not be followed further")]
    Running {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Cuts a text into tokens.
pub(crate) type Encode = Box<dyn Fn(&str) -> Vec<u32> + Send + Sync>;

/// A model's vocabulary as constraints need it: made once, used by every request.
pub(crate) struct Grammars {
    factory: ParserFactory,
}

impl Grammars {
    /// `words` are the bytes that each token stands for; none for tokens that stand for no
    /// text, and for those that the tokenizer does not know. `ends` are the tokens that end
    /// a text.
    ///
    /// # Errors
    /// If llguidance refuses the vocabulary.
    pub(crate) fn new(
        words: Vec<Option<Vec<u8>>>,
        ends: &[u32],
        encode: Encode,
    ) -> Result<Self, ConstraintError> {
        Self::of(Vocabulary::new(words, ends, encode))
    }

    fn of(vocabulary: Vocabulary) -> Result<Self, ConstraintError> {
        let environment: TokEnv = Arc::new(vocabulary);
        let capabilities = InferenceCapabilities {
            ff_tokens: environment.tokenize_is_canonical(),
            ..InferenceCapabilities::default()
        };
        let slices = SlicedBiasComputer::json_slices();
        let mut factory =
            ParserFactory::new(&environment, capabilities, &slices).map_err(running)?;
        // It would write to stderr.
        factory.quiet();
        *factory.limits_mut() = ParserLimits {
            verbose_errors: false,
            ..ParserLimits::default()
        };
        Ok(Self { factory })
    }

    /// Of a tokenizer that cuts every text into its letters.
    #[cfg(test)]
    pub(crate) fn forcing(words: Vec<Option<Vec<u8>>>, ends: &[u32], encode: Encode) -> Self {
        let mut vocabulary = Vocabulary::new(words, ends, encode);
        vocabulary.is_exact = true;
        Self::of(vocabulary).expect("a plain vocabulary")
    }

    /// Starts to follow `constraint` from an empty text.
    ///
    /// # Errors
    /// If it is not understood, not supported, or allows no text at all.
    pub(crate) fn follow(&self, constraint: &Constraint) -> Result<Follower, ConstraintError> {
        let grammar = match constraint {
            Constraint::JsonSchema(schema) => TopLevelGrammar::from_json_schema(prepared(schema)?),
            Constraint::Regex(pattern) => TopLevelGrammar::from_regex(whole(pattern)),
        };
        let parser = self
            .factory
            .create_parser(grammar)
            .map_err(|error| match constraint {
                Constraint::JsonSchema(_) => ConstraintError::Schema {
                    source: error.into(),
                },
                Constraint::Regex(pattern) => ConstraintError::Regex {
                    pattern: pattern.clone(),
                    source: match syntax_error(&error.to_string()) {
                        Some(reason) => reason.into(),
                        None => error.into(),
                    },
                },
            })?;
        Ok(Follower {
            matcher: Matcher::new(Ok(parser)),
        })
    }
}

/// Returns what is wrong with a regular expression, out of a report that also shows it and
/// the grammar that it became.
fn syntax_error(report: &str) -> Option<String> {
    let (_, error) = report.split_once("regex parse error")?;
    let reason = error.lines().find_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("error: ")
    });
    reason.map(str::to_owned)
}

/// Returns the schema with what we want of its white space, unless it says so itself.
fn prepared(schema: &Value) -> Result<Value, ConstraintError> {
    let mut schema = match schema {
        Value::Bool(true) => Value::Object(serde_json::Map::new()),
        Value::Object(_) => schema.clone(),
        other => {
            return Err(ConstraintError::NoSchema {
                found: match other {
                    Value::Null => "null",
                    Value::Bool(_) => "`false`, which allows nothing",
                    Value::Number(_) => "a number",
                    Value::String(_) => "a string",
                    _ => "a list",
                },
            });
        }
    };
    if schema.get("x-guidance").is_none() {
        JsonCompileOptions {
            whitespace_pattern: Some(r"\x20|\x0a\x20{0,16}".into()),
            ..JsonCompileOptions::default()
        }
        .apply_to(&mut schema);
    }
    Ok(schema)
}

/// Returns a pattern without the anchors at its ends, which mean nothing here: it always
/// matches the whole text.
fn whole(pattern: &str) -> &str {
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    match pattern.strip_suffix('$') {
        Some(before) if (before.len() - before.trim_end_matches('\\').len()) % 2 == 0 => before,
        _ => pattern,
    }
}

/// One text that is being written under a constraint.
pub(crate) struct Follower {
    matcher: Matcher,
}

/// Tokens that may come next, a bit for each.
pub(crate) struct Allowed(SimpleVob);

impl Allowed {
    /// Returns the bits, 32 in a word, lowest first.
    pub(crate) fn words(&self) -> &[u32] {
        self.0.as_slice()
    }
}

impl Follower {
    /// Returns which tokens may come next, among them those that end the text where it may
    /// end.
    pub(crate) fn allowed(&mut self) -> Result<Allowed, ConstraintError> {
        self.matcher.compute_mask().map(Allowed).map_err(running)
    }

    /// Takes the token that was written.
    pub(crate) fn take(&mut self, token: u32) -> Result<(), ConstraintError> {
        self.matcher.consume_token(token).map_err(running)
    }

    /// Returns tokens that must come next, one after another, and takes them: none, where
    /// the model has a choice.
    pub(crate) fn take_forced(&mut self) -> Result<Vec<u32>, ConstraintError> {
        if self.is_over() {
            return Ok(Vec::new());
        }
        let tokens = self.matcher.compute_ff_tokens();
        if !tokens.is_empty() {
            self.matcher.consume_tokens(&tokens).map_err(running)?;
        }
        Ok(tokens)
    }

    /// Returns whether nothing may follow: the text is whole.
    pub(crate) fn is_over(&self) -> bool {
        self.matcher.is_stopped()
    }
}

fn running(source: impl Into<Box<dyn Error + Send + Sync>>) -> ConstraintError {
    ConstraintError::Running {
        source: source.into(),
    }
}

/// Tokens with their bytes, and the tokenizer that cuts forced text as the model is used to.
struct Vocabulary {
    trie: TokTrie,
    encode: Encode,
    /// Whether the tokenizer cuts a text into tokens whose bytes are that text.
    is_exact: bool,
}

impl Vocabulary {
    fn new(words: Vec<Option<Vec<u8>>>, ends: &[u32], encode: Encode) -> Self {
        let info = TokRxInfo::new(words.len() as u32, INVALID_TOKEN);
        let words: Vec<Vec<u8>> = words.into_iter().map(Option::unwrap_or_default).collect();
        let mut trie = TokTrie::from(&info, &words);
        let ends: Vec<u32> = ends
            .iter()
            .copied()
            .filter(|end| (*end as usize) < words.len())
            .collect();
        if !ends.is_empty() {
            trie = trie.with_eos_tokens(&ends);
        }
        let mut vocabulary = Self {
            trie,
            encode,
            is_exact: true,
        };
        // Tokenizers that put a blank before every text do not cut its middle as they
        // would in its place.
        let sample = "{\"name\": [-1.5e3, true, \"caf\u{e9}\"],\n  \"b\":null}";
        vocabulary.is_exact = vocabulary.cut(sample).is_some();
        vocabulary
    }

    /// Returns the tokens of `text`, if their bytes are just that text.
    fn cut(&self, text: &str) -> Option<Vec<u32>> {
        let tokens = (self.encode)(text);
        let known = tokens
            .iter()
            .all(|token| (*token as usize) < self.trie.vocab_size());
        (known && self.trie.decode_raw(&tokens) == text.as_bytes()).then_some(tokens)
    }
}

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<u32> {
        let text = std::str::from_utf8(bytes).ok();
        text.and_then(|text| self.cut(text))
            .unwrap_or_else(|| self.trie.greedy_tokenize(bytes))
    }

    fn tokenize_is_canonical(&self) -> bool {
        self.is_exact
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::sampling::{Sampler, Sampling};

    const END: u32 = 0;
    const SPECIAL: u32 = 1;

    /// Every byte, some longer tokens, one without text and one that ends a text.
    fn words() -> Vec<Option<Vec<u8>>> {
        let longer = [
            "{\"", "\":", "\": ", "name", "\",", "\"}", "true", "fal", "10", "na", "ab", " \"", "é",
        ];
        let bytes = (0..=255).map(|byte| Some(vec![byte]));
        let longer = longer.iter().map(|it| Some(it.as_bytes().to_vec()));
        [None, None]
            .into_iter()
            .chain(bytes)
            .chain(longer)
            .collect()
    }

    /// Cuts text into the longest tokens, as `words` has them.
    fn encode(text: &str) -> Vec<u32> {
        let words = words();
        let mut rest = text.as_bytes();
        let mut tokens = Vec::new();
        while !rest.is_empty() {
            let starts = |at: &usize| {
                let word = words[*at].as_ref();
                word.is_some_and(|word| rest.starts_with(word))
            };
            let longest = (0..words.len())
                .filter(starts)
                .max_by_key(|at| words[*at].as_ref().map_or(0, Vec::len))
                .expect("every byte is a token");
            rest = &rest[words[longest].as_ref().expect("it has bytes").len()..];
            tokens.push(longest as u32);
        }
        tokens
    }

    fn grammars() -> Grammars {
        Grammars::new(words(), &[END], Box::new(encode)).unwrap()
    }

    /// Writes a text with random logits, and returns it with how many of its tokens were
    /// forced; nothing if it does not end within 2,000 tokens.
    fn write(grammars: &Grammars, constraint: &Constraint, seed: u64) -> Option<(String, usize)> {
        let words = words();
        let mut follower = grammars.follow(constraint).unwrap();
        let mut sampler = Sampler::new(
            &Sampling {
                temperature: 3.0,
                seed,
                ..Sampling::default()
            },
            words.len(),
        )
        .unwrap();
        let mut tokens = Vec::new();
        let mut forced = 0;
        while tokens.len() < 2000 {
            let must = follower.take_forced().unwrap();
            forced += must.len();
            tokens.extend(must);
            if follower.is_over() {
                break;
            }
            let allowed = follower.allowed().unwrap();
            let mut logits: Vec<f32> = (0..words.len() as u64)
                .map(|at| {
                    ((at * 7919 + seed + tokens.len() as u64 * 104_729) % 1000) as f32 / 100.0
                })
                .collect();
            let token = sampler.choose(&mut logits, Some(allowed.words())).unwrap();
            follower.take(token).unwrap();
            if token == END {
                break;
            }
            tokens.push(token);
            if follower.is_over() {
                break;
            }
        }
        let bytes: Vec<u8> = tokens
            .iter()
            .flat_map(|token| words[*token as usize].clone().expect("a token with text"))
            .collect();
        (tokens.len() < 2000).then(|| (String::from_utf8(bytes).unwrap(), forced))
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Person {
        name: String,
        age: u8,
        kind: Kind,
        #[serde(default)]
        tags: Vec<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Human,
        Robot,
    }

    fn person() -> Constraint {
        Constraint::JsonSchema(json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 8},
                "age": {"type": "integer", "minimum": 0, "maximum": 120},
                "kind": {"enum": ["human", "robot"]},
                "tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 3},
            },
            "required": ["name", "age", "kind"],
            "additionalProperties": false,
        }))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Whatever the logits, what is written is valid.
        #[test]
        fn what_is_written_follows_the_schema(seed in any::<u32>()) {
            let grammars = grammars();
            let (text, _) = write(&grammars, &person(), u64::from(seed)).expect("it ends");
            let person: Person = serde_json::from_str(&text).expect(&text);
            prop_assert!((1..=8).contains(&person.name.chars().count()), "{}", text);
            prop_assert!(person.age <= 120);
            prop_assert!(matches!(person.kind, Kind::Human | Kind::Robot));
            prop_assert!(person.tags.len() <= 3);
            prop_assert!(person.tags.iter().all(|tag| tag.chars().count() <= 4));
        }

        #[test]
        fn what_is_written_matches_the_expression(seed in any::<u32>()) {
            let grammars = grammars();
            let date = Constraint::Regex("^(19|20)[0-9]{2}-(0[1-9]|1[0-2])$".into());
            let (text, _) = write(&grammars, &date, u64::from(seed)).expect("it ends");
            prop_assert_eq!(text.len(), 7);
            prop_assert!(text.starts_with("19") || text.starts_with("20"));
            prop_assert!((1900..2100).contains(&text[..4].parse::<u32>().unwrap()));
            prop_assert!((1..=12).contains(&text[5..].parse::<u32>().unwrap()));
        }
    }

    #[test]
    fn text_without_a_choice_is_forced() {
        let schema = Constraint::JsonSchema(json!({
            "type": "object",
            "properties": {"name": {"const": "name"}},
            "required": ["name"],
            "additionalProperties": false,
            "x-guidance": {"whitespace_flexible": false},
        }));
        let (text, forced) = write(&grammars(), &schema, 1).unwrap();
        assert_eq!(text, "{\"name\":\"name\"}");
        assert!(forced > 4, "{forced}");
    }

    #[test]
    fn a_tokenizer_that_adds_a_blank_forces_nothing() {
        let blank = |text: &str| encode(&format!(" {text}"));
        let grammars = Grammars::new(words(), &[END], Box::new(blank)).unwrap();
        let (text, forced) = write(&grammars, &Constraint::Regex("abcabc".into()), 1).unwrap();
        assert_eq!((text.as_str(), forced), ("abcabc", 0));
    }

    #[test]
    fn a_text_may_end_only_where_it_is_whole() {
        let mut follower = grammars().follow(&Constraint::Regex("ab+".into())).unwrap();
        let may = |allowed: &Allowed, token: u32| {
            allowed.words()[token as usize / 32] >> (token % 32) & 1 == 1
        };
        let letter = |letter: u8| u32::from(letter) + 2;
        follower.take(letter(b'a')).unwrap();
        let allowed = follower.allowed().unwrap();
        assert!(may(&allowed, letter(b'b')) && !may(&allowed, END) && !may(&allowed, SPECIAL));
        follower.take(letter(b'b')).unwrap();
        let allowed = follower.allowed().unwrap();
        assert!(may(&allowed, letter(b'b')) && may(&allowed, END));
        follower.take(END).unwrap();
        assert!(follower.is_over());
    }

    #[test]
    fn a_model_without_an_end_ends_where_nothing_may_follow() {
        let grammars = Grammars::new(words(), &[], Box::new(encode)).unwrap();
        let (text, _) = write(&grammars, &Constraint::Regex("[ab]{5}".into()), 3).unwrap();
        assert_eq!(text.len(), 5);
    }

    fn refused(constraint: &Constraint) -> String {
        let error = grammars().follow(constraint).err().expect("it is refused");
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        let check = |constraint: Constraint, parts: &[&str]| {
            let text = refused(&constraint);
            for part in parts {
                assert!(text.contains(part), "`{part}` in {text}");
            }
        };
        let schema = |value| Constraint::JsonSchema(value);
        check(
            schema(json!([])),
            &["a JSON schema is an object, found a list"],
        );
        check(schema(json!(false)), &["allows nothing"]);
        check(
            schema(json!({"type": "array", "uniqueItems": true})),
            &["the JSON schema cannot be followed", "uniqueItems"],
        );
        check(schema(json!({"$ref": "#/nowhere"})), &["nowhere"]);
        check(
            schema(json!({"type": "string", "minLength": 5, "maxLength": 2})),
            &["the JSON schema cannot be followed"],
        );
        check(
            Constraint::Regex("a(".into()),
            &[
                "the regular expression `a(` cannot be followed",
                "unclosed group",
            ],
        );
        check(Constraint::Regex("a(?=b)".into()), &["a(?=b)", "look"]);
    }

    #[test]
    fn anchors_at_the_ends_mean_nothing() {
        assert_eq!(whole("^a$"), "a");
        assert_eq!(whole(r"a\$"), r"a\$");
        assert_eq!(whole(r"a\\$"), r"a\\");
    }
}
