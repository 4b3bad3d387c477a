use contract::{
    GoldAnswer, Judgement, Labels, Lesson, Message, PassageId, QuestionId, Role, ToolCall,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

fn read(name: &str, content: &str, options: &ReadExamples) -> Result<ExampleFile, ExampleError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, content).unwrap();
    read_examples(&path, options)
}

/// The lessons of a file, as JSON.
fn check(name: &str, content: &str, layout: Layout, expect: &[Json]) {
    let file = read(name, content, &ReadExamples::default()).unwrap();
    assert_eq!(file.layout, layout, "{name}: {content}");
    assert!(file.refused.is_empty(), "{:?}", file.refused);
    let lessons: Vec<Json> = file
        .examples
        .iter()
        .map(|example| serde_json::to_value(&example.lesson).unwrap())
        .collect();
    assert_eq!(lessons, expect, "{name}: {content}");
}

fn completion(prompt: &str, completion: &str) -> Json {
    json!({"kind": "completion", "system": null, "prompt": prompt, "completion": completion})
}

fn said(role: &str, content: &str) -> Json {
    json!({"role": role, "content": content, "trained": role == "assistant"})
}

#[test]
fn prompts_with_answers() {
    check(
        "a.jsonl",
        "{\"prompt\":\"Why?\",\"completion\":\"So.\"}\n\n{\"prompt\":\"1\",\"completion\":2,\"system\":\"Be brief\"}\n",
        Layout::Completion,
        &[
            completion("Why?", "So."),
            json!({"kind": "completion", "system": "Be brief", "prompt": "1", "completion": "2"}),
        ],
    );
    check(
        "a.json",
        r#"[{"instruction":"Add.","input":"1, 2","output":"3"},{"instruction":"Go","input":"","output":"Gone"}]"#,
        Layout::Alpaca,
        &[completion("Add.\n\n1, 2", "3"), completion("Go", "Gone")],
    );
    check(
        "a.jsonl",
        r#"{"question":"Why?","answer":"So.","final":"x"}"#,
        Layout::Faq,
        &[completion("Why?", "So.")],
    );
    check(
        "a.jsonl",
        r#"{"mr":"name[Ada]","ref":"She is Ada."}"#,
        Layout::Meaning,
        &[completion("name[Ada]", "She is Ada.")],
    );
    check(
        "a.jsonl",
        r#"{"source":"Long.","summaries":["Short.","Brief."]}"#,
        Layout::Summary,
        &[completion("Long.", "Short."), completion("Long.", "Brief.")],
    );
    check(
        "a.csv",
        "prompt,completion,note\n\"Why, then?\",\"So\nit is.\",x\n",
        Layout::Completion,
        &[completion("Why, then?", "So\nit is.")],
    );
    check(
        "a.tsv",
        "prompt\tcompletion\nWhy, then?\tSo.\n",
        Layout::Completion,
        &[completion("Why, then?", "So.")],
    );
}

#[test]
fn an_intent_becomes_the_json_of_its_slots() {
    check(
        "a.jsonl",
        r#"{"text":"play ü and b and c","intent":"Play","slots":[{"slot":"song","value":"ü","start":5},{"slot":"artist","value":"b","start":11},{"slot":"song","value":"c","start":17}]}"#,
        Layout::Intent,
        &[completion(
            "play ü and b and c",
            r#"{"intent":"Play","slots":{"song":["ü","c"],"artist":"b"}}"#,
        )],
    );
}

#[test]
fn conversations() {
    check(
        "a.jsonl",
        r#"{"messages":[{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"U"}]},{"role":"assistant","content":"A","train":false},{"role":"user","content":"V"},{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]}"#,
        Layout::Messages,
        &[json!({"kind": "conversation", "tools": null, "messages": [
            said("system", "S"),
            said("user", "U"),
            {"role": "assistant", "content": "A", "trained": false},
            said("user", "V"),
            {"role": "assistant", "content": "", "trained": true, "calls": [{"name": "f", "arguments": "{}"}]},
        ]})],
    );
    check(
        "a.jsonl",
        r#"{"conversations":[{"from":"human","value":"U"},{"from":"function_call","value":"{\"name\":\"f\",\"arguments\":{\"x\":1}}"},{"from":"observation","value":"2"},{"from":"gpt","value":"A"}],"tools":"[{\"name\":\"f\"}]"}"#,
        Layout::Sharegpt,
        &[
            json!({"kind": "conversation", "tools": "[{\"name\":\"f\"}]", "messages": [
                said("user", "U"),
                {"role": "assistant", "content": "", "trained": true, "calls": [{"name": "f", "arguments": "{\"x\":1}"}]},
                said("tool", "2"),
                said("assistant", "A"),
            ]}),
        ],
    );
    check(
        "a.jsonl",
        r#"{"instruction":"I","input":"","output":"O","history":[["a","b"]]}"#,
        Layout::Alpaca,
        &[json!({"kind": "conversation", "tools": null, "messages": [
            said("user", "a"), said("assistant", "b"), said("user", "I"), said("assistant", "O"),
        ]})],
    );
}

#[test]
fn preferences_in_each_form() {
    let expect = json!({
        "kind": "preference",
        "prompt": [said("user", "P")],
        "chosen": "good",
        "rejected": "bad",
    });
    for record in [
        r#"{"prompt":"P","chosen":"good","rejected":"bad"}"#,
        r#"{"messages":[{"role":"user","content":"P"}],"chosen":"good","rejected":"bad"}"#,
        r#"{"prompt":"P","chosen":[{"role":"assistant","content":"good"}],"rejected":{"role":"assistant","content":"bad"}}"#,
        r#"{"chosen":[{"role":"user","content":"P"},{"role":"assistant","content":"good"}],"rejected":[{"role":"user","content":"P"},{"role":"assistant","content":"bad"}]}"#,
        r#"{"prompt":"P","chosen":[{"role":"user","content":"P"},{"role":"assistant","content":"good"}],"rejected":[{"role":"user","content":"P"},{"role":"assistant","content":"bad"}]}"#,
        r#"{"conversations":[{"from":"human","value":"P"}],"chosen":{"from":"gpt","value":"good"},"rejected":{"from":"gpt","value":"bad"}}"#,
    ] {
        check(
            "a.jsonl",
            record,
            Layout::Preference,
            std::slice::from_ref(&expect),
        );
    }
}

#[test]
fn labels_and_tags() {
    check(
        "a.jsonl",
        "{\"text\":\"T\",\"label\":\"x\"}\n{\"sentence\":\"U\",\"label\":3}\n{\"text\":\"V\",\"labels\":[\"a\",\"b\"]}",
        Layout::Labelled,
        &[
            json!({"kind": "labelled", "text": "T", "labels": {"one": "x"}}),
            json!({"kind": "labelled", "text": "U", "labels": {"one": "3"}}),
            json!({"kind": "labelled", "text": "V", "labels": {"several": ["a", "b"]}}),
        ],
    );
    check(
        "a.jsonl",
        r#"{"tokens":["Ada","runs"],"ner_tags":["B-person","O"]}"#,
        Layout::Tagged,
        &[json!({"kind": "tagged", "tokens": ["Ada", "runs"], "tags": ["B-person", "O"]})],
    );
}

#[test]
fn questions_about_passages() {
    let asked = |answers: Json, context: &str| json!({"kind": "question", "question": "Who?", "context": context, "answers": answers});
    for record in [
        r#"{"question":"Who?","context":"Über Ada.","answers":["Ada"],"answer_start":[5]}"#,
        r#"{"question":"Who?","context":"Über Ada.","answers":[{"text":"Ada","answer_start":5},{"text":"Ada","answer_start":5}]}"#,
        r#"{"question":"Who?","context":"Über Ada.","answers":{"text":["Ada"],"answer_start":[5]},"is_impossible":false}"#,
        r#"{"question":"Who?","contexts":["Über Ada."],"answer":"Ada"}"#,
    ] {
        check(
            "a.jsonl",
            record,
            Layout::Question,
            &[asked(json!([{"text": "Ada", "start": 6}]), "Über Ada.")],
        );
    }
    check(
        "a.jsonl",
        r#"{"question":"Who?","context":"Nobody.","answers":[],"is_impossible":true}"#,
        Layout::Question,
        &[asked(json!([]), "Nobody.")],
    );
    check(
        "train-v2.0.json",
        r#"{"version":"v2.0","data":[{"title":"T","paragraphs":[{"context":"Nobody.","qas":[{"id":"q","question":"Who?","answers":[],"is_impossible":true}]}]}]}"#,
        Layout::Squad,
        &[asked(json!([]), "Nobody.")],
    );
    check(
        "a.jsonl",
        r#"{"doc_id":"d","table":[["","2019"],["Sales","5"]],"paragraphs":["P."],"questions":[{"uid":"u","question":"Who?","answer":5,"scale":"million"}]}"#,
        Layout::TableQuestions,
        &[asked(
            json!([{"text": "5 million", "start": null}]),
            " | 2019\nSales | 5\n\nP.\n",
        )],
    );
}

#[test]
fn pairs_and_contrasts() {
    check(
        "a.jsonl",
        "{\"sentence1\":\"a\",\"sentence2\":\"b\",\"score\":4.5}\n{\"premise\":\"a\",\"hypothesis\":\"b\",\"label\":\"neutral\"}",
        Layout::Pair,
        &[
            json!({"kind": "pair", "first": "a", "second": "b", "judgement": {"score": 4.5}}),
            json!({"kind": "pair", "first": "a", "second": "b", "judgement": {"label": "neutral"}}),
        ],
    );
    check(
        "a.jsonl",
        r#"{"query":"q","pos":["p","r"],"neg":["n"]}"#,
        Layout::Contrast,
        &[
            json!({"kind": "contrast", "query": "q", "positive": "p", "negatives": ["n"]}),
            json!({"kind": "contrast", "query": "q", "positive": "r", "negatives": ["n"]}),
        ],
    );
}

#[test]
fn texts() {
    let text = |text: &str| json!({"kind": "text", "text": text});
    check(
        "a.jsonl",
        "{\"text\":\"T\",\"path\":\"x\"}",
        Layout::Text,
        &[text("T")],
    );
    check(
        "a.txt",
        "One.\n\nTwo.\n",
        Layout::Document,
        &[text("One.\n\nTwo.\n")],
    );
    check(
        "kb.json",
        r#"{"documents":[{"id":"d","content":"C","metadata":{"domain":"law"}}],"training_parameters":{"epochs":100}}"#,
        Layout::KnowledgeBase,
        &[text("C")],
    );
    for (layout, expect) in [
        (
            Layout::Paragraphs,
            vec![("a.txt:2", "One\nline."), ("a.txt:5", "Two.")],
        ),
        (
            Layout::Lines,
            vec![
                ("a.txt:2", "One"),
                ("a.txt:3", "line."),
                ("a.txt:5", "Two."),
            ],
        ),
    ] {
        let options = ReadExamples {
            layout: Some(layout),
            ..ReadExamples::default()
        };
        let file = read("a.txt", "\nOne\nline.\n \nTwo.", &options).unwrap();
        let found: Vec<(String, String)> = file
            .examples
            .iter()
            .map(|example| (example.id.to_string(), example.lesson.input()))
            .collect();
        let found: Vec<(&str, &str)> = found.iter().map(|(id, text)| (&**id, &**text)).collect();
        assert_eq!(found, expect);
    }
}

#[test]
fn who_an_example_is_and_what_it_was_made_from() {
    let file = read(
        "a.jsonl",
        "\n{\"question\":\"Q\",\"answers\":[\"A\"],\"passage_id\":\"p7\"}\n{\"id\":12,\"question\":\"R\",\"answers\":[]}\n",
        &ReadExamples::default(),
    )
    .unwrap();
    assert_eq!(file.lines, [2, 3]);
    assert_eq!(file.examples[0].id.as_str(), "a.jsonl:2");
    assert_eq!(file.examples[0].passage, Some(PassageId("p7".into())));
    assert_eq!(file.examples[1].id.as_str(), "12");
    assert_eq!(file.examples[1].passage, None);
}

#[test]
fn a_passage_that_is_only_named_is_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("corpus.jsonl");
    fs_err::write(
        &path,
        "{\"_id\":\"p7\",\"title\":\"T\",\"text\":\"Ada was here.\"}\n",
    )
    .unwrap();
    let options = ReadExamples {
        passages: Passages::open(&path).unwrap().0,
        ..ReadExamples::default()
    };
    let record = r#"{"question":"Who?","answers":["Ada"],"answer_start":[0],"passage_id":"p7"}"#;
    let file = read("a.jsonl", record, &options).unwrap();
    assert_eq!(
        file.examples[0].lesson,
        Lesson::Question {
            question: "Who?".into(),
            context: Some("Ada was here.".into()),
            answers: vec![GoldAnswer {
                text: "Ada".into(),
                start: Some(0)
            }],
        }
    );
}

#[test]
fn fields_may_have_other_names() {
    let mut options = ReadExamples::default();
    for (ours, theirs) in [
        ("prompt", "ask"),
        ("completion", "tell"),
        ("passage", "page"),
    ] {
        options.fields.insert(ours.into(), theirs.into());
    }
    let record = r#"{"ask":"Why?","tell":"So.","page":3,"prompt":"not this"}"#;
    let file = read("a.jsonl", record, &options).unwrap();
    assert_eq!(file.layout, Layout::Completion);
    assert_eq!(file.examples[0].lesson.input(), "Why?");
    assert_eq!(file.examples[0].passage, Some(PassageId("3".into())));
    options.fields.insert("compltion".into(), "tell".into());
    let error = read("a.jsonl", record, &options).unwrap_err();
    says(
        &error,
        "`compltion` is no field of `completion`, which has `prompt`, `completion`, `system`, `passage`",
    );
}

fn says(error: &ExampleError, expect: &str) {
    assert_eq!(error.to_string(), expect);
}

/// The refusals of a file's records, as they are shown.
fn refused(content: &str, layout: Layout, expect: &[&str]) {
    let options = ReadExamples {
        layout: Some(layout),
        ..ReadExamples::default()
    };
    let file = read("a.jsonl", content, &options).unwrap();
    let refused: Vec<String> = file.refused.iter().map(ToString::to_string).collect();
    assert_eq!(refused, expect, "{content}");
}

#[test]
fn a_bad_record_is_named_with_what_was_expected() {
    refused(
        "{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"prompt\":\"a\"}\n[1]\n{\"prompt\":\"a\"\n{\"prompt\":\"a\",\"completion\":\" \"}\n{\"prompt\":{},\"completion\":\"b\"}",
        Layout::Completion,
        &[
            "a.jsonl:2: has no `completion`; expected `prompt` and `completion`",
            "a.jsonl:3: is a list; expected an object with `prompt` and `completion`",
            "a.jsonl:4: is not JSON: EOF while parsing an object at line 1 column 13",
            "a.jsonl:5: `completion` is empty",
            "a.jsonl:6: `prompt` is an object; expected text",
        ],
    );
    refused(
        r#"{"messages":[{"role":"king","content":"x"}]}
{"messages":[{"role":"user","content":"x"}]}
{"messages":"x"}
{"messages":[{"role":"user","content":""},{"role":"assistant","content":"x"}]}"#,
        Layout::Messages,
        &[
            "a.jsonl:1: turn 1 is of `king`; expected system, user, assistant or tool",
            "a.jsonl:2: has no turn of the assistant, so there is nothing to learn",
            "a.jsonl:3: `messages` is a text; expected a list of turns",
            "a.jsonl:4: `messages[0].content` is empty",
        ],
    );
    refused(
        r#"{"prompt":"P","chosen":"x","rejected":"x"}
{"prompt":[{"role":"assistant","content":"P"}],"chosen":"x","rejected":"y"}
{"chosen":"x","rejected":"y"}"#,
        Layout::Preference,
        &[
            "a.jsonl:1: `chosen` and `rejected` are the same, so there is nothing to prefer",
            "a.jsonl:2: ends the prompt with the assistant's turn; expected what `chosen` and `rejected` answer",
            "a.jsonl:3: has no `prompt`; expected `prompt`, `chosen` and `rejected`",
        ],
    );
    refused(
        r#"{"tokens":["a","b"],"tags":["O"]}"#,
        Layout::Tagged,
        &["a.jsonl:1: has 2 words and 1 tags; expected one tag for each word"],
    );
    refused(
        r#"{"question":"Who?","context":"Ada.","answers":["Bob"],"answer_start":[0]}
{"question":"Who?","context":"Ada.","answers":["Ada"],"is_impossible":true}"#,
        Layout::Question,
        &[
            "a.jsonl:1: the answer `Bob` does not stand in the context at 0",
            "a.jsonl:2: says that it is unanswerable, and has 1 answers",
        ],
    );
    refused(
        r#"{"text1":"a","text2":"b","score":"high"}"#,
        Layout::Pair,
        &["a.jsonl:1: `score` is `high`; expected a number"],
    );
}

#[test]
fn what_no_layout_fits_is_refused_whole() {
    let error = read(
        "a.jsonl",
        "{\"colour\":1,\"size\":2}",
        &ReadExamples::default(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("`colour`, `size`"), "{error}");
    let error = read("a.jsonl", "\n\n", &ReadExamples::default()).unwrap_err();
    says(&error, "`a.jsonl` has no records");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl.zst");
    fs_err::write(&path, b"\x28\xB5\x2F\xFD\x00\x00").unwrap();
    let error = read_examples(&path, &ReadExamples::default()).unwrap_err();
    says(
        &error,
        "`a.jsonl.zst` is packed; unpack it first with `zstd -d`",
    );
}

#[test]
fn a_list_of_records_knows_their_lines() {
    let file = read(
        "a.json",
        "{\n \"data\": [\n  {\"text\": \"a\"},\n\n  {\"text\": 5,\n   \"x\": 1}, {}\n]}",
        &ReadExamples::default(),
    )
    .unwrap();
    assert_eq!(file.lines, [3, 5]);
    assert_eq!(file.refused[0].line, 6);
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Zäöü\n\"\\\\{}🙂]{1,12}".prop_map(|text| format!("x{text}"))
}

fn turn() -> impl Strategy<Value = Message> {
    let role = prop_oneof![
        Just(Role::System),
        Just(Role::User),
        Just(Role::Assistant),
        Just(Role::Tool)
    ];
    (role, text(), any::<bool>(), any::<bool>()).prop_map(|(role, content, trained, calls)| {
        let assistant = role == Role::Assistant;
        let call = ToolCall {
            name: "f".into(),
            arguments: "{\"x\":1}".into(),
        };
        Message {
            role,
            content,
            calls: if assistant && calls {
                vec![call]
            } else {
                Vec::new()
            },
            trained: assistant && trained,
        }
    })
}

fn lesson() -> impl Strategy<Value = Lesson> {
    let conversation =
        (prop::collection::vec(turn(), 0..4), text()).prop_map(|(mut messages, last)| {
            messages.push(Message::new(Role::Assistant, last));
            Lesson::Conversation {
                messages,
                tools: Some("[{\"name\":\"f\"}]".into()),
            }
        });
    prop_oneof![
        text().prop_map(|text| Lesson::Text { text }),
        (prop::option::of(text()), text(), text()).prop_map(|(system, prompt, completion)| {
            Lesson::Completion {
                system,
                prompt,
                completion,
            }
        }),
        conversation,
        (text(), text()).prop_map(|(ask, said)| Lesson::Preference {
            prompt: vec![Message::new(Role::User, ask)],
            rejected: format!("{said} not"),
            chosen: said,
        }),
        (text(), prop::collection::vec(text(), 0..3)).prop_map(|(text, labels)| Lesson::Labelled {
            text,
            labels: Labels::Several(labels),
        }),
        prop::collection::vec((text(), text()), 1..4).prop_map(|both| {
            let (tokens, tags) = both.into_iter().unzip();
            Lesson::Tagged { tokens, tags }
        }),
        (text(), text(), text(), any::<bool>()).prop_map(|(question, before, answer, any)| {
            let context = format!("{before} {answer}");
            let answers = any.then(|| GoldAnswer {
                start: Some(before.len() + 1),
                text: answer,
            });
            Lesson::Question {
                question,
                context: Some(context),
                answers: answers.into_iter().collect(),
            }
        }),
        (text(), text(), -9.0_f32..9.0).prop_map(|(first, second, score)| Lesson::Pair {
            first,
            second,
            judgement: Judgement::Score(score),
        }),
        (text(), text(), prop::collection::vec(text(), 0..3)).prop_map(
            |(query, positive, negatives)| Lesson::Contrast {
                query,
                positive,
                negatives
            }
        ),
    ]
}

#[test]
fn a_document_is_named_and_parts_nothing() {
    let check = |line: &str, passage: Option<&str>, document: Option<&str>| {
        let file = read("a.jsonl", line, &ReadExamples::default()).unwrap();
        let [example] = &file.examples[..] else {
            panic!("{file:?}");
        };
        let found = example.passage.as_ref().map(|it| it.0.as_str());
        assert_eq!((found, example.document.as_deref()), (passage, document));
        let again = read(
            "a.jsonl",
            &written(example).to_string(),
            &ReadExamples::default(),
        );
        assert_eq!(again.unwrap().examples[0].document, example.document);
    };
    let asked = r#"{"question":"Q","answers":["A"],"document":"a/b.md"}"#;
    check(asked, None, Some("a/b.md"));
    let both = r#"{"question":"Q","answers":["A"],"document":"b","passage_id":"p7"}"#;
    check(both, Some("p7"), Some("b"));
    check(
        r#"{"document":"A long text.","summary":"It is long."}"#,
        Some("a.jsonl:1"),
        None,
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(lesson in lesson(), passage in prop::option::of("[a-z]{3}")) {
        let example = Example {
            id: QuestionId::new("one"),
            passage: passage.map(PassageId),
            document: None,
            lesson,
        };
        let line = written(&example).to_string();
        let file = read("a.jsonl", &line, &ReadExamples::default()).unwrap();
        prop_assert!(file.refused.is_empty(), "{:?}", file.refused);
        prop_assert_eq!(file.examples, [example]);
    }

    /// Whatever a line holds, it is read or refused.
    #[test]
    fn strangers_records_do_no_harm(
        keys in prop::collection::vec(prop::sample::select(vec![
            "messages", "conversations", "prompt", "completion", "chosen", "rejected", "text", "label",
            "labels", "tokens", "tags", "question", "answers", "context", "answer_start", "table",
            "questions", "paragraphs", "slots", "intent", "query", "positive", "history", "instruction",
            "output", "data", "documents", "tools",
        ]), 0..5),
        values in prop::collection::vec(prop::sample::select(vec![
            "null", "1", "\"x\"", "[]", "{}", "[{}]", "[[]]", "[[\"a\",\"b\"]]", "[\"\"]",
            "[{\"role\":\"user\"}]", "[{\"from\":\"gpt\",\"value\":{}}]", "[{\"text\":\"x\",\"answer_start\":99}]",
            "{\"text\":[\"x\"],\"answer_start\":[18446744073709551615]}", "[{\"question\":\"q\",\"answer\":[]}]",
        ]), 5),
        layout in prop::option::of(prop::sample::select(Layout::ALL.to_vec())),
        name in prop::sample::select(vec!["a.jsonl", "a.json", "a.csv"]),
    ) {
        let fields: Vec<String> = keys.iter().zip(&values).map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let content = format!("{{{}}}", fields.join(","));
        let options = ReadExamples { layout, ..ReadExamples::default() };
        match read(name, &content, &options) {
            Ok(file) => {
                for example in &file.examples {
                    // It can be looked at in every way.
                    let _ = (example.lesson.input(), example.lesson.target(), written(example));
                }
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

/// Each data set is read whole, in the layout it is in, none of its records refused.
#[test]
#[ignore = "needs GROUNDTUNE_DATA, a folder of public data sets"]
fn public_data_sets_are_read_whole() {
    let folder = std::env::var_os("GROUNDTUNE_DATA").expect("GROUNDTUNE_DATA names the folder");
    for (file, layout, count) in [
        ("ft/banking77/train.jsonl", Layout::Labelled, 10_003),
        ("ft/e2e/train.jsonl", Layout::Meaning, 3844),
        ("ft/gsm8k/train.jsonl", Layout::Faq, 7473),
        ("ft/scitldr/dev.jsonl", Layout::Summary, 1451),
        ("ft/snips/train.jsonl", Layout::Intent, 13_066),
        ("ft/wnut17_ner/train.jsonl", Layout::Tagged, 3394),
        ("instruct/glaive_toolcall.jsonl", Layout::Sharegpt, 300),
        ("instruct/self_instruct_seed.jsonl", Layout::Alpaca, 175),
        ("lm/c4_demo.jsonl", Layout::Text, 300),
        ("lm/tinyshakespeare.txt", Layout::Document, 1),
        ("preference/dpo_en_demo.jsonl", Layout::Preference, 300),
        ("qa/medquad_faq.jsonl", Layout::Faq, 3660),
        ("qa/pubmedqa_train.jsonl", Layout::Question, 500),
        ("qa/squad2_dev_half.jsonl", Layout::Question, 6078),
        ("qa/tatqa_dev.jsonl", Layout::TableQuestions, 1668),
        ("qa/uv_docs_qa.jsonl", Layout::Question, 49),
    ] {
        let path = Path::new(&folder).join(file);
        let read = read_examples(&path, &ReadExamples::default()).unwrap();
        assert_eq!(
            (read.layout, read.examples.len()),
            (layout, count),
            "{file}"
        );
        assert!(read.refused.is_empty(), "{file}: {}", read.refused[0]);
    }
}
