//! The generator over a tiny decoder: company, known beginnings and adapters change
//! nothing that they should not.

use std::ops::ControlFlow;

use model::generator::{
    Finish, GenerateError, Generator, GeneratorOptions, Input, Message, Request, Written,
};
use model::{Constraint, Sampling};

use crate::tiny;

fn open(kept: usize) -> Generator {
    let options = GeneratorOptions {
        kept,
        ..GeneratorOptions::default()
    };
    Generator::open(&tiny("decoders/llama"), &options).unwrap()
}

fn request(text: &str, seed: u64) -> Request {
    Request {
        input: Input::Text(text.into()),
        max_tokens: Some(12),
        sampling: Sampling {
            temperature: if seed == 0 { 0.0 } else { 1.0 },
            seed,
            ..Sampling::default()
        },
        ..Request::default()
    }
}

fn write(generator: &Generator, request: &Request) -> Result<Written, GenerateError> {
    generator.write(request, &mut |_| ControlFlow::Continue(()))
}

#[test]
fn company_and_known_beginnings_change_nothing() {
    let texts = ["the cat", "the cat sat on", "a dog", "the cat"];
    let requests: Vec<Request> = (0..).zip(texts).map(|(at, it)| request(it, at)).collect();
    let alone: Vec<Written> = requests
        .iter()
        .map(|it| write(&open(0), it).unwrap())
        .collect();
    let together = open(2);
    for _ in 0..2 {
        let mut shown = vec![String::new(); texts.len()];
        let results = together
            .run(&requests, &mut |at, piece| {
                shown[at].push_str(piece);
                ControlFlow::Continue(())
            })
            .unwrap();
        for ((result, alone), shown) in results.into_iter().zip(&alone).zip(shown) {
            let written = result.unwrap();
            assert_eq!(
                (&written.tokens, &written.text),
                (&alone.tokens, &alone.text)
            );
            assert_eq!(shown, written.text);
        }
    }
}

#[test]
fn a_conversation_is_put_into_the_models_words() {
    let generator = open(1);
    let mut messages = vec![Message::user("hi")];
    let ask = |messages: &[Message]| Request {
        input: Input::Messages(messages.to_vec()),
        max_tokens: Some(4),
        ..Request::default()
    };
    let first = write(&generator, &ask(&messages)).unwrap();
    assert!(first.prompt_tokens > 2, "the template says more than `hi`");
    messages.extend([Message::assistant(first.text), Message::user("and?")]);
    let second = write(&generator, &ask(&messages)).unwrap();
    assert!(
        second.reused_tokens + 1 >= first.prompt_tokens,
        "the first turn is known: {second:?}"
    );
}

#[test]
fn a_constraint_is_followed() {
    let generator = open(0);
    let mut request = request("hi", 5);
    request.constraint = Some(Constraint::Regex("(yes|no), [0-9]{2}".into()));
    let written = write(&generator, &request).unwrap();
    assert_eq!(written.finish, Finish::Stop);
    let number = written
        .text
        .strip_prefix("yes, ")
        .or(written.text.strip_prefix("no, "));
    assert!(
        number.is_some_and(|it| it.len() == 2 && it.parse::<u8>().is_ok()),
        "{written:?}"
    );
}

#[test]
fn likelihoods_are_told_of_each_token() {
    let mut request = request("hi", 0);
    request.likeliest = Some(3);
    let written = write(&open(0), &request).unwrap();
    assert_eq!(written.likelihoods.len(), written.tokens.len());
    for (token, likelihood) in written.tokens.iter().zip(&written.likelihoods) {
        // Greedy: the chosen one is the likeliest.
        assert_eq!(likelihood.chosen.token, *token);
        assert_eq!(likelihood.likeliest[0], likelihood.chosen);
        assert_eq!(likelihood.likeliest.len(), 3);
        assert!(likelihood.chosen.log_probability <= 0.0);
    }
}

#[test]
fn a_prompt_that_does_not_fit_is_an_error_with_both_numbers() {
    let generator = open(0);
    let context = generator.decoder().config().context;
    let long = Request {
        input: Input::Tokens(vec![5; context + 6]),
        ..Request::default()
    };
    let error = write(&generator, &long).unwrap_err().to_string();
    assert!(error.contains(&(context + 6).to_string()), "{error}");
    assert!(error.contains(&context.to_string()), "{error}");
    // What fits is written until the context is full.
    let near = Request {
        input: Input::Tokens(vec![5; context - 3]),
        ..Request::default()
    };
    let written = write(&generator, &near).unwrap();
    assert!(written.tokens.len() <= 3);
}

#[test]
fn what_is_not_known_is_named() {
    let generator = open(0);
    let mut unknown = request("hi", 0);
    unknown.adapters = vec![("polite".into(), 1.0)];
    let error = write(&generator, &unknown).unwrap_err().to_string();
    assert_eq!(error, "there is no adapter `polite`; there is none");
    let foreign = Request {
        input: Input::Tokens(vec![100_000]),
        ..Request::default()
    };
    assert!(matches!(
        write(&generator, &foreign),
        Err(GenerateError::Token { found: 100_000, .. })
    ));
}
