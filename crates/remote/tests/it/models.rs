//! Models on servers: writing, embedding, judging.

use std::ops::ControlFlow;
use std::time::Duration;

use base64::Engine as _;
use contract::{Embed as _, Generate as _, Rerank as _, Share, Template, TextRole, Tokens, render};
use remote::{
    Chat, ChatReply, ChatSettings, Prefixes, RemoteEmbedder, RemoteError, RemoteReranker, Secret,
    ServerOptions,
};
use serde_json::{Value, json};

use crate::options;
use crate::server::{Answer, Server};

fn server(url: &str) -> ServerOptions {
    ServerOptions {
        url: format!("{url}/v1"),
        model: "tiny".into(),
        key: Secret::new("sk-secret"),
        key_variable: Some("TINY_KEY".into()),
        network: options(),
    }
}

fn piece(text: &str) -> String {
    format!(
        "data: {}\n\n",
        json!({ "choices": [{ "delta": { "content": text } }] })
    )
}

const END: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";

/// Asks, and returns the answer and what the sink was given.
fn ask(url: &str) -> (Result<ChatReply, RemoteError>, String) {
    let mut given = String::new();
    let reply = Chat::new(server(url)).unwrap().chat(
        &[("user", "Why?")],
        &ChatSettings {
            max_tokens: Some(9),
            ..ChatSettings::default()
        },
        &mut |piece| {
            given.push_str(piece);
            ControlFlow::Continue(())
        },
    );
    (reply, given)
}

#[test]
fn an_answer_arrives_piece_by_piece() {
    let tiny = Server::start(|_, _| {
        let (one, two) = (piece("Grü"), piece("ße."));
        // Cut where no event ends.
        Some(Answer::events(&[
            &one[..10],
            &one[10..],
            ": alive\n\n",
            &two,
            END,
        ]))
    });
    let (reply, given) = ask(&tiny.url);
    let expect = ChatReply {
        text: "Grüße.".into(),
        finish: Some("stop".into()),
        prompt_tokens: Some(7),
        completion_tokens: Some(2),
    };
    assert_eq!(reply.unwrap(), expect);
    assert_eq!(given, "Grüße.");
    let request = &tiny.requests()[0];
    assert_eq!(request.path, "/v1/chat/completions");
    assert_eq!(request.header("authorization"), Some("Bearer sk-secret"));
    assert_eq!(
        request.json()["messages"],
        json!([{ "role": "user", "content": "Why?" }])
    );
    assert_eq!(request.json()["max_tokens"], 9);
}

#[test]
fn a_server_that_does_not_stream_is_understood() {
    let tiny = Server::start(|_, _| {
        Some(Answer::json(&json!({
            "choices": [{ "message": { "content": "All." }, "finish_reason": "length" }],
            "usage": { "prompt_tokens": 3, "completion_tokens": 1 },
        })))
    });
    let prompt = render(Template::Compact, "Why?", &[]);
    let mut given = Vec::new();
    let written =
        Chat::new(server(&tiny.url))
            .unwrap()
            .generate(&prompt, Tokens(5), &mut |piece| {
                given.push(piece.to_owned());
                ControlFlow::Continue(())
            });
    let written = written.unwrap();
    assert_eq!((&*written.text, written.prompt_tokens), ("All.", Tokens(3)));
    assert_eq!(given, ["All."]);
    assert_eq!(
        tiny.requests()[0].json()["messages"][0]["content"],
        "Question: Why?\nAnswer:"
    );
}

#[test]
fn a_request_is_put_as_the_server_knows_it() {
    let tiny = Server::start(|request, _| {
        let body = request.json();
        let refuse = |message: &str| {
            Answer::new(
                400,
                "application/json",
                json!({ "error": { "message": message } }).to_string(),
            )
        };
        Some(if body.get("stream_options").is_some() {
            refuse("unknown field: stream_options")
        } else if body.get("max_tokens").is_some() {
            refuse("use 'max_completion_tokens' instead")
        } else {
            assert_eq!(body["max_completion_tokens"], 9);
            Answer::events(&[&piece("Yes."), END])
        })
    });
    assert_eq!(ask(&tiny.url).0.unwrap().text, "Yes.");
}

#[test]
fn a_server_that_dies_in_its_answer_is_not_asked_again() {
    let deaths: [(&str, Answer); 4] = [
        (
            "the answer has no end",
            Answer::events(&[&piece("Half an"), &piece(" answer")]),
        ),
        (
            "said nothing for 0.5 s",
            Answer::events(&[&piece("Half an"), &piece(" answer"), "", END])
                .after(Duration::from_millis(1)),
        ),
        (
            "but with: {broken",
            Answer::events(&[&piece("Half an"), &piece(" answer"), "data: {broken\n\n"]),
        ),
        (
            "out of memory",
            Answer::events(&[
                &piece("Half an"),
                &piece(" answer"),
                "data: {\"error\":{\"message\":\"out of memory\"}}\n\n",
            ]),
        ),
    ];
    for (cause, answer) in deaths {
        let answer = if cause.contains("nothing") {
            answer.silent_before(2, Duration::from_secs(3))
        } else {
            answer
        };
        let tiny = Server::start(move |_, _| Some(answer.clone()));
        let (reply, given) = ask(&tiny.url);
        let error = reply.unwrap_err();
        assert_eq!(given, "Half an answer");
        assert!(error.to_string().contains("after 14 characters"), "{error}");
        let source = std::error::Error::source(&error).unwrap();
        let said = format!(
            "{source} {:?}",
            std::error::Error::source(source).map(ToString::to_string)
        );
        assert!(said.contains(cause), "{cause}: {said}");
        assert_eq!(tiny.requests().len(), 1, "{cause}");
    }
}

#[test]
fn what_fails_before_the_first_word_is_tried_again() {
    let tiny = Server::start(|_, before| match before {
        0 => None,
        1 => Some(Answer::new(429, "text/plain", "busy").header("Retry-After", "0.01")),
        _ => Some(Answer::events(&[&piece("Fine."), END])),
    });
    assert_eq!(ask(&tiny.url).0.unwrap().text, "Fine.");
    assert_eq!(tiny.requests().len(), 3);

    let tiny =
        Server::start(|_, _| Some(Answer::new(500, "text/html", "<html><h1>Oops</h1></html>")));
    let error = ask(&tiny.url).0.unwrap_err();
    assert_eq!(tiny.requests().len(), 3, "and then given up");
    assert!(error.to_string().ends_with("answered 500: Oops"), "{error}");
}

#[test]
fn what_is_no_answer_is_said_and_the_key_never() {
    for (answer, expect) in [
        (
            Answer::new(
                200,
                "text/html",
                "<html><p>Welcome to the portal</p></html>",
            ),
            "but with: Welcome to the portal",
        ),
        (
            Answer::new(200, "application/json", "{\"choices\":[]}"),
            "did not answer with a chat's answer",
        ),
        (
            Answer::new(200, "application/json", "{\"choi"),
            "did not answer with a chat's answer",
        ),
        (
            Answer::new(401, "application/json", "{}"),
            "does not accept the key",
        ),
        (
            Answer::new(
                404,
                "application/json",
                r#"{"error":{"message":"no model tiny for sk-secret"}}"#,
            ),
            "answered 404: no model tiny for ***",
        ),
    ] {
        let tiny = Server::start(move |_, _| Some(answer.clone()));
        let error = ask(&tiny.url).0.unwrap_err();
        let said = format!("{error} {error:?} {:?}", error.hint());
        assert!(said.contains(expect), "{said}");
        assert!(!said.contains("sk-secret"), "{said}");
        assert_eq!(tiny.requests().len(), 1, "{expect}");
    }
    let tiny = Server::start(|_, _| Some(Answer::new(401, "application/json", "{}")));
    let hint = ask(&tiny.url).0.unwrap_err().hint().unwrap();
    assert!(hint.contains("TINY_KEY"), "{hint}");
    assert!(!format!("{:?}", server("http://x")).contains("sk-secret"));
}

#[test]
fn a_slow_server_is_given_up() {
    let tiny = Server::start(|_, _| {
        let end = Answer::events(&[&piece("late"), END]);
        Some(end.silent_before(0, Duration::from_secs(3)))
    });
    let error = ask(&tiny.url).0.unwrap_err();
    assert!(matches!(error, RemoteError::TimedOut { .. }), "{error:?}");
    assert_eq!(tiny.requests().len(), 1);
}

#[test]
fn a_sink_that_breaks_closes_the_connection() {
    let tiny = Server::start(|_, _| {
        let pieces: Vec<String> = (0..1000).map(|_| piece("word ")).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        Some(Answer::events(&pieces).after(Duration::from_millis(2)))
    });
    let chat = Chat::new(server(&tiny.url)).unwrap();
    let reply = chat.chat(&[("user", "Go on")], &ChatSettings::default(), &mut |_| {
        ControlFlow::Break(())
    });
    let reply = reply.unwrap();
    assert_eq!((&*reply.text, reply.finish), ("word ", None));
    // The server sees it at one of its next pieces.
    for _ in 0..100 {
        if tiny.broken() == 1 {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the connection is still open");
}

fn numbers(texts: &Value) -> Vec<[f32; 2]> {
    texts
        .as_array()
        .unwrap()
        .iter()
        .map(|it| [it.as_str().unwrap().len() as f32, 1.0])
        .collect()
}

#[test]
fn vectors_come_in_the_order_of_their_texts() {
    for base64 in [true, false] {
        let tiny = Server::start(move |request, _| {
            let body = request.json();
            if !base64 && body["encoding_format"] == "base64" {
                return Some(Answer::new(
                    400,
                    "application/json",
                    r#"{"error":"encoding_format: float only"}"#,
                ));
            }
            // The last first: the index says whose it is.
            let data: Vec<Value> = numbers(&body["input"])
                .iter()
                .enumerate()
                .rev()
                .map(|(index, numbers)| {
                    let bytes: Vec<u8> = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
                    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
                    let embedding = if base64 { json!(text) } else { json!(numbers) };
                    json!({ "index": index, "embedding": embedding })
                })
                .collect();
            Some(Answer::json(&json!({ "data": data })))
        });
        let embedder = RemoteEmbedder::open(server(&tiny.url), Prefixes::default()).unwrap();
        assert_eq!(embedder.identity().dimensions, 2);
        let texts: Vec<String> = (0..150).map(|it| "x".repeat(it)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let vectors = embedder.embed(&texts, TextRole::Passage).unwrap();
        assert_eq!(vectors.len(), 150);
        for (text, vector) in texts.iter().zip(&vectors) {
            let slope = vector.values()[0] / vector.values()[1];
            assert!(
                (slope - text.len().max(1) as f32).abs() < 1e-3,
                "{slope} {}",
                text.len()
            );
        }
        let batches = tiny
            .requests()
            .iter()
            .filter(|it| it.json()["input"].as_array().unwrap().len() > 1)
            .count();
        assert_eq!(batches, if base64 { 3 } else { 6 });
    }
}

#[test]
fn a_text_that_is_too_long_is_shortened() {
    let tiny = Server::start(|request, _| {
        let numbers = numbers(&request.json()["input"]);
        if numbers.iter().any(|it| it[0] > 100.0) {
            return Some(Answer::new(
                400,
                "application/json",
                r#"{"error":"more than 100 tokens"}"#,
            ));
        }
        let data: Vec<Value> = numbers
            .iter()
            .enumerate()
            .map(|(index, it)| json!({ "index": index, "embedding": it }))
            .collect();
        Some(Answer::json(&json!({ "data": data })))
    });
    let embedder = RemoteEmbedder::open(server(&tiny.url), Prefixes::default()).unwrap();
    let long = "ü".repeat(300);
    let vectors = embedder
        .embed(&["one", &long, "three"], TextRole::Passage)
        .unwrap();
    let slopes: Vec<f32> = vectors
        .iter()
        .map(|it| (it.values()[0] / it.values()[1]).round())
        .collect();
    assert_eq!(slopes, [3.0, 75.0 - 1.0, 5.0]);
}

#[test]
fn prefixes_stand_before_questions_and_passages() {
    let tiny = Server::start(|_, _| {
        Some(Answer::json(
            &json!({ "data": [{ "index": 0, "embedding": [1, 2] }] }),
        ))
    });
    let prefixes = Prefixes {
        question: "query: ".into(),
        passage: "passage: ".into(),
    };
    let embedder = RemoteEmbedder::open(server(&tiny.url), prefixes).unwrap();
    embedder.embed(&["a"], TextRole::Question).unwrap();
    embedder.embed(&["b"], TextRole::Passage).unwrap();
    let inputs: Vec<Value> = tiny
        .requests()
        .iter()
        .map(|it| it.json()["input"][0].clone())
        .collect();
    assert_eq!(inputs, ["dimensions", "query: a", "passage: b"]);
    assert!(embedder.identity().name.contains("\"query: \""));
}

#[test]
fn wrong_vectors_are_refused() {
    for (answer, expect) in [
        (json!({ "data": [] }), "0 vectors for 2 texts"),
        (
            json!({ "data": [{ "index": 0, "embedding": [1] }, { "index": 0, "embedding": [1] }] }),
            "index 0 twice",
        ),
        (
            json!({ "data": [{ "index": 0, "embedding": [1, 2] }, { "index": 1, "embedding": [1] }] }),
            "has 1 numbers",
        ),
        (
            json!({ "data": [{ "index": 0, "embedding": "!" }, { "index": 1, "embedding": "!" }] }),
            "no base64",
        ),
        (
            json!({ "data": [{ "index": 0, "embedding": [0, 0] }, { "index": 1, "embedding": [0, 0] }] }),
            "all zeros",
        ),
        (json!({ "vectors": 1 }), "did not answer with vectors"),
    ] {
        let tiny = Server::start(move |_, before| {
            let first = json!({ "data": [{ "index": 0, "embedding": [1, 2] }] });
            Some(Answer::json(if before == 0 { &first } else { &answer }))
        });
        let embedder = RemoteEmbedder::open(server(&tiny.url), Prefixes::default()).unwrap();
        let error = embedder.embed(&["a", "b"], TextRole::Question).unwrap_err();
        assert!(
            error.source.to_string().contains(expect),
            "{expect}: {}",
            error.source
        );
    }
}

#[test]
fn passages_are_judged_each_once() {
    for (results, expect) in [
        (
            json!({ "results": [{ "index": 1, "relevance_score": 0.25 }, { "index": 0, "relevance_score": 0.75 }] }),
            Ok([0.75, 0.25]),
        ),
        (
            json!({ "results": [{ "index": 1, "relevance_score": 0.0 }, { "index": 0, "relevance_score": 3.0 }] }),
            Ok([0.952_574_126_822_433_4, 0.5]),
        ),
        (
            json!({ "results": [{ "index": 0, "relevance_score": 1 }] }),
            Err("1 scores for 2 passages"),
        ),
        (
            json!({ "results": [{ "index": 0, "relevance_score": 1 }, { "index": 2, "relevance_score": 1 }] }),
            Err("index 2 twice"),
        ),
        (json!({ "answer": 1 }), Err("did not answer with scores")),
    ] {
        let tiny = Server::start(move |_, _| Some(Answer::json(&results)));
        let reranker = RemoteReranker::new(server(&tiny.url)).unwrap();
        match (reranker.rerank("q", &["a", "b"]), expect) {
            (Ok(found), Ok(expect)) => assert_eq!(found, expect.map(Share::clamped)),
            (Err(error), Err(expect)) => {
                assert!(
                    error.source.to_string().contains(expect),
                    "{}",
                    error.source
                );
            }
            (found, expect) => panic!("{found:?}, expected {expect:?}"),
        }
        let body = tiny.requests()[0].json();
        assert_eq!(
            (&body["query"], &body["documents"]),
            (&json!("q"), &json!(["a", "b"]))
        );
    }
}
