//! Questions with evidence around their own passage, as they are asked when a project
//! answers: RAFT (Zhang et al. 2024, arXiv:2403.10131).
//!
//! What stands beside the passage is found as evidence is, so that it looks right and is not.
//! Where the passage itself is left out, the model learns to say that the answer is not there
//! or, as in the paper, to know it. What chance decides follows from the seed and the
//! question, not from its place among others.

use std::collections::HashSet;

use ::train::{EvidenceRecipe, Without};
use contract::{ChunkId, Evidence, Example, GoldAnswer, Lesson, Reader, Template, render};
use search::keyword::{IndexedText, KeywordIndex, KeywordSettings};
use search::{RetrievalRecipe, SearchRequest, Searcher};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::TrainingError;
use crate::{Error, NOT_IN_THE_DOCUMENTS, Project};

/// How many more are found than are shown: some are the passage itself, or hold the answer.
const MORE: usize = 12;

/// Where evidence is found.
pub(super) struct Pool {
    documents: Documents,
    recipe: EvidenceRecipe,
    template: Template,
    seed: u64,
}

#[expect(clippy::large_enum_variant, reason = "there is one for a recipe")]
enum Documents {
    /// The passages of examples, by their words.
    Passages {
        index: KeywordIndex,
        passages: Vec<String>,
    },
    /// A project's.
    Store {
        searcher: Searcher,
        recipe: RetrievalRecipe,
    },
}

/// Why a question cannot be asked with evidence.
pub(super) const NO_PASSAGE: &str = "it names no passage that holds its answer";

impl Pool {
    /// Opens the documents that `recipe` names: the passages of `examples`, or a project's.
    pub(super) fn open<'a>(
        recipe: &EvidenceRecipe,
        seed: u64,
        examples: impl Iterator<Item = &'a Example>,
    ) -> Result<Self, TrainingError> {
        let template = match &recipe.template {
            None => Template::Cited,
            Some(name) => toml::Value::String(name.clone())
                .try_into()
                .ok()
                .filter(|it| *it != Template::Creative)
                .ok_or_else(|| TrainingError::UnknownTemplate {
                    found: name.clone(),
                })?,
        };
        let documents = match &recipe.project {
            None => {
                let mut passages = Vec::new();
                let mut known = HashSet::new();
                for example in examples {
                    if let Lesson::Question {
                        context: Some(context),
                        ..
                    } = &example.lesson
                        && known.insert(context)
                    {
                        passages.push(context.clone());
                    }
                }
                let mut index = KeywordIndex::new(KeywordSettings::default());
                for (number, text) in (0..).zip(&passages) {
                    index.insert(
                        ChunkId(number),
                        &IndexedText {
                            text,
                            ..IndexedText::default()
                        },
                    );
                }
                Documents::Passages { index, passages }
            }
            Some(folder) => {
                let unread = |source: Error| TrainingError::Evidence {
                    source: Box::new(source),
                };
                let project = Project::open(folder).map_err(|error| unread(error.into()))?;
                let (searcher, _) = project.open_searcher().map_err(unread)?;
                Documents::Store {
                    searcher,
                    recipe: project.retrieval_recipe(),
                }
            }
        };
        Ok(Self {
            documents,
            recipe: recipe.clone(),
            template,
            seed,
        })
    }

    /// Returns `example` as it is asked with evidence; or why it cannot be. What is no
    /// question stays as it is.
    pub(super) fn ask(
        &mut self,
        example: Example,
    ) -> Result<Result<Example, String>, TrainingError> {
        let Lesson::Question {
            question,
            context,
            answers,
        } = &example.lesson
        else {
            return Ok(Ok(example));
        };
        let Some(passage) = context else {
            return Ok(Err(format!("{}: {NO_PASSAGE}", example.id)));
        };
        let mut chance = Chance {
            seed: self.seed,
            who: example.id.to_string(),
            drawn: 0,
        };
        let has_gold = chance.share() < self.recipe.gold;
        let (gold, mut others) = self.find(question, passage, answers)?;
        let wanted = self.recipe.distractors;
        self.fill(&mut others, &gold, answers, &mut chance);
        others.truncate(wanted);
        let mut evidence = others;
        let mut place = None;
        if has_gold {
            let at = chance.below(evidence.len() + 1);
            evidence.insert(at, gold);
            place = Some(at);
        }
        // What is not asked for by its rank is not learnt by its rank.
        for at in (1..evidence.len()).rev() {
            let other = chance.below(at + 1);
            evidence.swap(at, other);
            place = place.map(|it| match it {
                it if it == at => other,
                it if it == other => at,
                it => it,
            });
        }
        let knows = has_gold || self.recipe.without == Without::Answer;
        let completion = match answers.first().filter(|_| knows) {
            None => NOT_IN_THE_DOCUMENTS.to_owned(),
            Some(answer) => match place.filter(|_| self.template == Template::Cited) {
                Some(place) => format!("{} [{}]", answer.text.trim(), place + 1),
                None => answer.text.clone(),
            },
        };
        let prompt = render(self.template, question, &evidence);
        Ok(Ok(Example {
            lesson: Lesson::Completion {
                system: None,
                prompt: prompt.as_str().to_owned(),
                completion,
            },
            ..example
        }))
    }

    /// Returns the passage as evidence, and what else is found for the question, the best
    /// first, that neither is the passage nor holds an answer.
    fn find(
        &mut self,
        question: &str,
        passage: &str,
        answers: &[GoldAnswer],
    ) -> Result<(Evidence, Vec<Evidence>), TrainingError> {
        let most = self.recipe.distractors + MORE;
        let mut found: Vec<Evidence> = match &mut self.documents {
            Documents::Passages { index, passages } => {
                let hits = index.search(&index.query(question), most, None);
                let texts = hits.iter().map(|hit| &passages[hit.chunk.0 as usize]);
                texts.map(Evidence::of_text).collect()
            }
            Documents::Store { searcher, recipe } => {
                let reply = searcher.search(&SearchRequest {
                    question,
                    vector: None,
                    reader: &Reader::default(),
                    filter: None,
                    threshold: None,
                    recipe: &RetrievalRecipe {
                        top_k: most,
                        candidates: most.max(recipe.candidates),
                        ..recipe.clone()
                    },
                    reranker: None,
                });
                let reply = reply.map_err(|error| TrainingError::Evidence {
                    source: Box::new(error.into()),
                })?;
                reply.found.iter().map(|it| it.evidence.clone()).collect()
            }
        };
        let is_gold = |text: &str| {
            let (text, passage) = (text.trim(), passage.trim());
            text.contains(passage)
                || passage.contains(text) && answers.first().is_none_or(|it| holds(text, it))
        };
        // As a chunk it has its document's title; where it is none of them, none has one.
        let gold = match found.iter().position(|it| is_gold(&it.text)) {
            Some(at) => found.remove(at),
            None => {
                for it in &mut found {
                    (it.title, it.headings) = (None, Vec::new());
                }
                Evidence::of_text(passage)
            }
        };
        found.retain(|it| misleads(&it.text, &gold.text, answers));
        Ok((gold, found))
    }

    /// Adds passages that chance names, where too few were found.
    fn fill(
        &self,
        others: &mut Vec<Evidence>,
        gold: &Evidence,
        answers: &[GoldAnswer],
        chance: &mut Chance,
    ) {
        let Documents::Passages { passages, .. } = &self.documents else {
            return;
        };
        let first = chance.below(passages.len().max(1));
        for at in 0..passages.len() {
            if others.len() >= self.recipe.distractors {
                return;
            }
            let text = &passages[(first + at) % passages.len()];
            let is_new = others.iter().all(|it| it.text != *text);
            if is_new && misleads(text, &gold.text, answers) {
                others.push(Evidence::of_text(text));
            }
        }
    }
}

/// Returns whether a text is another one than `gold` and holds none of the answers.
fn misleads(text: &str, gold: &str, answers: &[GoldAnswer]) -> bool {
    let (text, gold) = (text.trim(), gold.trim());
    !text.contains(gold) && !gold.contains(text) && !answers.iter().any(|it| holds(text, it))
}

/// Returns whether an answer stands in a text, in whatever letters.
fn holds(text: &str, answer: &GoldAnswer) -> bool {
    text.to_lowercase()
        .contains(&answer.text.trim().to_lowercase())
}

/// What chance says of a question.
struct Chance {
    seed: u64,
    who: String,
    drawn: u64,
}

impl Chance {
    fn next(&mut self) -> u64 {
        self.drawn += 1;
        let seed = self.seed ^ self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        xxh3_64_with_seed(self.who.as_bytes(), seed)
    }

    /// Returns a number from 0 to less than 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns a number below `count`.
    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::QuestionId;

    const PASSAGES: [&str; 5] = [
        "The red bus goes to the harbour every ten minutes.",
        "The blue bus goes to the hill every hour.",
        "A ticket for the bus costs two coins.",
        "The museum is closed on Mondays.",
        "The harbour has a lighthouse with a green lamp.",
    ];

    fn example(number: usize, question: &str, passage: usize, answer: Option<&str>) -> Example {
        Example {
            id: QuestionId::new(format!("set.jsonl:{number}")),
            passage: None,
            document: None,
            lesson: Lesson::Question {
                question: question.into(),
                context: Some(PASSAGES[passage].into()),
                answers: answer
                    .map(|text| GoldAnswer {
                        text: text.into(),
                        start: None,
                    })
                    .into_iter()
                    .collect(),
            },
        }
    }

    fn examples() -> Vec<Example> {
        vec![
            example(1, "Where does the red bus go?", 0, Some("to the harbour")),
            example(2, "How often does the blue bus go?", 1, Some("every hour")),
            example(3, "What does a ticket cost?", 2, Some("two coins")),
            example(4, "When is the museum closed?", 3, Some("on Mondays")),
            example(5, "Who keeps the lighthouse?", 4, None),
        ]
    }

    fn recipe(more: &str) -> EvidenceRecipe {
        toml::from_str(more).unwrap()
    }

    fn asked(recipe: &EvidenceRecipe, seed: u64) -> Vec<(String, String)> {
        let examples = examples();
        let mut pool = Pool::open(recipe, seed, examples.iter()).unwrap();
        let asked = examples
            .into_iter()
            .map(|it| pool.ask(it).unwrap().unwrap());
        asked
            .map(|it| match it.lesson {
                Lesson::Completion {
                    prompt, completion, ..
                } => (prompt, completion),
                _ => panic!("a question is asked"),
            })
            .collect()
    }

    #[test]
    fn a_passage_stands_among_others_and_is_cited() {
        let mut places = HashSet::new();
        for seed in 0..20 {
            for ((prompt, completion), example) in
                asked(&recipe("gold = 1.0"), seed).iter().zip(examples())
            {
                let Lesson::Question {
                    question,
                    context,
                    answers,
                } = example.lesson
                else {
                    unreachable!()
                };
                let context = context.unwrap();
                assert_eq!(prompt.matches("\n[").count(), 4, "{prompt}");
                assert!(
                    prompt.contains(&context) && prompt.contains(&question),
                    "{prompt}"
                );
                let Some(answer) = answers.first() else {
                    assert_eq!(completion, NOT_IN_THE_DOCUMENTS);
                    continue;
                };
                let place = PASSAGES.len();
                let cited = (1..=place).find(|it| prompt.contains(&format!("[{it}]\n{context}")));
                assert_eq!(*completion, format!("{} [{}]", answer.text, cited.unwrap()));
                // Nothing else answers it.
                assert_eq!(
                    prompt
                        .to_lowercase()
                        .matches(&answer.text.to_lowercase())
                        .count(),
                    1
                );
                places.insert(cited);
            }
        }
        assert_eq!(places.len(), 4, "it may stand anywhere");
    }

    #[test]
    fn what_is_found_is_shown_before_what_is_not() {
        let (prompt, _) = &asked(&recipe("gold = 1.0\ndistractors = 1"), 3)[1];
        // The other bus, and not the museum.
        assert!(
            prompt.contains("red bus") || prompt.contains("ticket"),
            "{prompt}"
        );
    }

    #[test]
    fn without_its_passage_a_question_is_not_answered() {
        for (without, expect) in [("abstain", NOT_IN_THE_DOCUMENTS), ("answer", "two coins")] {
            let recipe = recipe(&format!("gold = 0.0\nwithout = \"{without}\""));
            let (prompt, completion) = &asked(&recipe, 1)[2];
            assert!(!prompt.contains(PASSAGES[2]), "{prompt}");
            assert_eq!(completion, expect);
        }
    }

    #[test]
    fn a_seed_gives_the_same_prompts_and_a_share_of_passages() {
        let recipe = recipe("template = \"spaced\"\ndistractors = 2");
        assert_eq!(asked(&recipe, 7), asked(&recipe, 7));
        let mut with = 0;
        for seed in 0..100 {
            let all = asked(&recipe, seed);
            with += all.iter().filter(|it| it.1 != NOT_IN_THE_DOCUMENTS).count();
        }
        // 0.8 of four questions that have an answer.
        assert!((290..=350).contains(&with), "{with}");
        assert!(asked(&recipe, 7)[0].0.starts_with("Context: "));
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        let mut lone = example(1, "Why?", 0, Some("x"));
        if let Lesson::Question { context, .. } = &mut lone.lesson {
            *context = None;
        }
        let mut pool = Pool::open(&recipe(""), 0, std::iter::once(&lone)).unwrap();
        let why = pool.ask(lone).unwrap().unwrap_err();
        assert_eq!(
            why,
            "set.jsonl:1: it names no passage that holds its answer"
        );
        let unknown = recipe("template = \"nothing\"");
        let error = Pool::open(&unknown, 0, std::iter::empty())
            .map(|_| ())
            .unwrap_err();
        assert!(error.to_string().contains("`nothing`"), "{error}");
    }
}
