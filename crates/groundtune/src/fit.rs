//! Evidence cut down to what a model has room for.
//!
//! A small model looks back on few tokens, and evidence, question and answer have to fit
//! there together. Answered examples before the question are left out first, the first of them
//! before the others; then what was found last; where even the first piece is too long, its
//! beginning is given. The question is never cut.

use contract::promise::Room;
use contract::{Evidence, Generate, PromiseError, Prompt, Shot, Template, Tokens, render_after};

/// At most this share of what a model looks back on is kept free for the answer: 1 in so
/// many. An answer is shorter than what it rests on.
const ANSWER_SHARE: u64 = 4;

/// What a model is given to answer from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fitted {
    /// What it reads.
    pub(crate) prompt: Prompt,
    /// The evidence in it, in its order; the last text may be a beginning.
    pub(crate) evidence: Vec<Evidence>,
    /// What was left out, if something was.
    pub(crate) cut: Option<EvidenceCut>,
}

/// What a model was not given of the evidence, because it has no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceCut {
    /// How many pieces it was given: the first so many.
    pub given: usize,
    /// Whether the only one given is a beginning.
    pub shortened: bool,
    /// All that the model can look back on.
    pub context: Tokens,
}

/// Makes the prompt of `question` from as much of `evidence`, behind as many of `shots`, as
/// `generator` has room for beside an answer of at most `answer` tokens. Where not even a word
/// of it fits, all of the first piece is in the prompt, and the generator says what is too long.
pub(crate) fn fit(
    generator: &dyn Generate,
    template: Template,
    shots: &[Shot<'_>],
    question: &str,
    evidence: &[Evidence],
    answer: Tokens,
) -> Result<Fitted, PromiseError> {
    for from in 0..shots.len() {
        let prompt = render_after(template, &shots[from..], question, evidence);
        let room = generator.room(&prompt)?;
        if room.is_none_or(|room| is_enough(room, answer)) {
            return Ok(Fitted {
                prompt,
                evidence: evidence.to_vec(),
                cut: None,
            });
        }
    }
    // The prompt, and if it does not fit, into how much.
    let with = |evidence: &[Evidence]| {
        let prompt = render_after(template, &[], question, evidence);
        let room = generator.room(&prompt)?;
        let over = room.filter(|room| !is_enough(*room, answer));
        Ok::<_, PromiseError>((prompt, over.map(|room| room.context)))
    };
    let (prompt, over) = with(evidence)?;
    let (Some(context), Some(first)) = (over, evidence.first()) else {
        return Ok(Fitted {
            prompt,
            evidence: evidence.to_vec(),
            cut: None,
        });
    };
    let fitted = |prompt: Prompt, evidence: Vec<Evidence>, shortened: bool| Fitted {
        prompt,
        cut: Some(EvidenceCut {
            given: evidence.len(),
            shortened,
            context,
        }),
        evidence,
    };
    let pieces = most(evidence.len(), |count| {
        let (prompt, over) = with(&evidence[..count])?;
        Ok::<_, PromiseError>(over.is_none().then_some(prompt))
    })?;
    if let Some((count, prompt)) = pieces {
        return Ok(fitted(prompt, evidence[..count].to_vec(), false));
    }
    let ends = word_ends(&first.text);
    let beginning = |words: usize| Evidence {
        text: first.text[..ends[words - 1]].to_owned(),
        ..first.clone()
    };
    let words = most(ends.len() + 1, |words| {
        let (prompt, over) = with(&[beginning(words)])?;
        Ok::<_, PromiseError>(over.is_none().then_some(prompt))
    })?;
    if let Some((words, prompt)) = words {
        return Ok(fitted(prompt, vec![beginning(words)], true));
    }
    let (prompt, _) = with(std::slice::from_ref(first))?;
    Ok(fitted(prompt, vec![first.clone()], false))
}

/// Returns whether an answer of `answer` tokens, or of a fair share of all, fits behind
/// the prompt.
fn is_enough(room: Room, answer: Tokens) -> bool {
    let answer = answer.0.min(room.context.0 / ANSWER_SHARE);
    room.prompt.0.saturating_add(answer) <= room.context.0
}

/// Returns the greatest number from 1 to below `bound` of which `try_it` returns something,
/// with that; what fits, fits also with less.
fn most<T, E>(
    bound: usize,
    mut try_it: impl FnMut(usize) -> Result<Option<T>, E>,
) -> Result<Option<(usize, T)>, E> {
    let (mut least, mut bound, mut best) = (1, bound, None);
    while least < bound {
        let middle = least + (bound - least) / 2;
        match try_it(middle)? {
            Some(found) => {
                best = Some((middle, found));
                least = middle + 1;
            }
            None => bound = middle,
        }
    }
    Ok(best)
}

/// Returns where each word of `text` ends.
fn word_ends(text: &str) -> Vec<usize> {
    let start = text.as_ptr() as usize;
    text.split_whitespace()
        .map(|word| word.as_ptr() as usize - start + word.len())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use contract::promise::Completion;

    use super::*;

    /// Looks back on so many words, and tells so or not.
    struct Words(Option<u64>);

    impl Generate for Words {
        fn name(&self) -> &str {
            "words"
        }

        fn room(&self, prompt: &Prompt) -> Result<Option<Room>, PromiseError> {
            Ok(self.0.map(|context| Room {
                prompt: Tokens(prompt.as_str().split_whitespace().count() as u64),
                context: Tokens(context),
            }))
        }

        fn generate(
            &self,
            _: &Prompt,
            _: Tokens,
            _: &mut dyn FnMut(&str) -> ControlFlow<()>,
        ) -> Result<Completion, PromiseError> {
            unreachable!("nothing is written here")
        }
    }

    /// Fits three pieces of ten words; `Context:`, `Question: Why?` and `Answer:` are four.
    fn check(context: Option<u64>, answer: u64, expect: &[usize], cut: Option<(usize, bool)>) {
        let pieces = ["a  b c d\ne f g h i j"; 3].map(Evidence::of_text);
        let fitted = fit(
            &Words(context),
            Template::Spaced,
            &[],
            "Why?",
            &pieces,
            Tokens(answer),
        )
        .unwrap();
        let words: Vec<usize> = fitted
            .evidence
            .iter()
            .map(|it| it.text.split_whitespace().count())
            .collect();
        assert_eq!(words, expect, "{context:?}");
        assert_eq!(
            fitted.cut.map(|it| (it.given, it.shortened)),
            cut,
            "{context:?}"
        );
        let again = render_after(Template::Spaced, &[], "Why?", &fitted.evidence);
        assert_eq!(fitted.prompt, again);
    }

    #[test]
    fn examples_are_left_out_before_evidence() {
        let shot = |question| Shot {
            question,
            evidence: &[],
            answer: "So.",
        };
        let shots = [shot("One?"), shot("Two?")];
        let pieces = ["a b c"; 2].map(Evidence::of_text);
        let check = |context, shots_given: usize, pieces_given: usize| {
            let words = Words(Some(context));
            let template = Template::Spaced;
            let fitted = fit(&words, template, &shots, "Why?", &pieces, Tokens(1)).unwrap();
            let given = &shots[shots.len() - shots_given..];
            let expect = render_after(template, given, "Why?", &pieces[..pieces_given]);
            assert_eq!(fitted.prompt, expect, "{context}");
        };
        // The question with both pieces is 10 words, an example 4, the answer 1.
        check(19, 2, 2);
        check(18, 1, 2);
        check(11, 0, 2);
        check(10, 0, 1);
    }

    #[test]
    fn what_fits_is_given_whole() {
        check(None, 8, &[10, 10, 10], None);
        check(Some(42), 8, &[10, 10, 10], None);
    }

    #[test]
    fn what_was_found_last_is_left_out_first() {
        check(Some(41), 8, &[10, 10], Some((2, false)));
        check(Some(31), 7, &[10, 10], Some((2, false)));
        check(Some(30), 7, &[10], Some((1, false)));
    }

    #[test]
    fn an_answer_takes_at_most_a_quarter() {
        check(Some(44), 512, &[10, 10], Some((2, false)));
        check(Some(46), 512, &[10, 10, 10], None);
    }

    #[test]
    fn a_piece_that_is_too_long_is_cut_behind_a_word() {
        check(Some(12), 3, &[5], Some((1, true)));
        check(Some(8), 3, &[2], Some((1, true)));
    }

    #[test]
    fn where_nothing_fits_the_generator_has_the_word() {
        check(Some(4), 3, &[10], Some((1, false)));
    }

    #[test]
    fn words_end_where_blanks_begin() {
        assert_eq!(word_ends(" ab  é\nc"), [3, 7, 9]);
        assert_eq!(word_ends(" \n"), [0; 0]);
    }
}
