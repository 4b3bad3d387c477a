//! `compare`, from examples to a report; killed and resumed; and what it says of bad examples.

use std::fmt::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use crate::server::{Answer, Server};
use crate::support::{Folder, names_of};

/// A model that is small enough to be taught five times in a test.
const MODEL: &str = "\
seed = 3
[model]
kind = \"new\"
layers = 1
width = 32
heads = 2
context = 256
tokenizer = { kind = \"trained\", vocabulary = 300 }
[data]
train = [\"documents\"]
dev = false
[steps]
limit = 3
batch = 2
length = 64
";

const CONFIG: &str = "\
[documents]
paths = [\"documents\"]
[models]
generator = \".groundtune/runs/0001/model\"
[compare]
examples = [\"examples.jsonl\"]
seeds = 2
max_tokens = 8
[compare.training]
steps = { epochs = 1 }
";

/// A project with a model of its own, documents, and `count` questions about them.
pub(crate) fn project(count: usize) -> Folder {
    let folder = Folder::project(CONFIG, &[]);
    let mut lines = String::new();
    for number in 0..count {
        let (name, price) = (format!("Item {}", word(number)), 10 + 7 * number);
        let text = format!("# {name}\n\nThe price of {name} is {price} dollars, with postage.\n");
        folder.write(format!("documents/{number}.md"), &text);
        let line = serde_json::json!({
            "id": format!("q{number}"),
            "question": format!("What is the price of {name}?"),
            "answers": [format!("{price} dollars")],
        });
        writeln!(lines, "{line}").unwrap();
    }
    lines.push_str("{\"question\": \"Who is the king of the moon?\", \"answers\": [], \"answerable\": false}\n");
    folder.write("examples.jsonl", &lines);
    folder.write(
        "model.toml",
        &MODEL.replace("[\"documents\"]", "[\"examples.jsonl\"]"),
    );
    folder.run(&["train", "model.toml"]);
    folder.run(&["ingest"]);
    folder
}

/// A name of its own for each number.
fn word(number: usize) -> String {
    let parts = ["ka", "mo", "ri", "tu", "se", "lo", "va"];
    format!(
        "{}{}{}",
        parts[number % 7],
        parts[number / 7 % 7],
        parts[(3 * number + 1) % 7]
    )
}

/// The answers in a comparison's folder, without the times that they took.
fn answers(folder: &Folder, comparison: &str) -> Vec<String> {
    let predictions = folder.path().join(comparison).join("predictions");
    let mut found: Vec<String> = std::fs::read_dir(&predictions)
        .unwrap()
        .flat_map(|file| {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            text.lines()
                .map(|line| {
                    let value: serde_json::Value = serde_json::from_str(line).unwrap();
                    format!("{name} {} {}", value["question"], value["answer"])
                })
                .collect::<Vec<_>>()
        })
        .collect();
    found.sort();
    found
}

#[test]
fn five_candidates_answer_the_same_questions() {
    let folder = project(30);
    let found = folder.json(&["compare", "--json"]);
    let names = names_of(&found);
    assert_eq!(names, ["prompt", "few-shot", "rag", "fine-tuned", "hybrid"]);
    let questions = found["questions"].as_u64().unwrap();
    assert!((9..=15).contains(&questions), "{questions}");
    assert!(!found["verdict"]["statement"].as_str().unwrap().is_empty());
    for candidate in found["candidates"].as_array().unwrap() {
        assert!(
            candidate["metrics"]["f1"]["value"].as_f64().is_some(),
            "{candidate}"
        );
        assert_eq!(candidate["failed"], 0, "{candidate}");
        let taught = ["fine-tuned", "hybrid"].contains(&candidate["name"].as_str().unwrap());
        assert_eq!(candidate["seeds"], if taught { 2 } else { 1 });
    }
    let root = ".groundtune/comparisons/0001";
    for file in ["compare.toml", "report.md", "report.json", "report.html"] {
        assert!(folder.path().join(root).join(file).is_file(), "{file}");
    }
    assert!(!folder.path().join(root).join("scratch").exists());
    assert_eq!(answers(&folder, root).len() as u64, 7 * questions);
    let facts = found["tried"]["freshness"]["candidates"]["rag"]["facts"]
        .as_u64()
        .unwrap();
    assert!(facts > 0, "{}", found["tried"]);
    for (drill, candidate) in [
        ("forgetting", "hybrid"),
        ("noise", "rag"),
        ("refusal", "prompt"),
        ("format", "few-shot"),
        ("service", "fine-tuned"),
    ] {
        let tried = &found["tried"][drill];
        assert!(tried["candidates"][candidate].is_object(), "{tried}");
    }
    let seeds = &found["tried"]["forgetting"]["candidates"]["fine-tuned"]["after"];
    assert_eq!(seeds.as_array().unwrap().len(), 2);
    let alone = &found["tried"]["service"]["candidates"]["rag"];
    assert_eq!(alone["offline_same"], alone["asked"], "{alone}");
    assert!(found["tried"]["growth"]["sizes"].is_array());
    assert_eq!(found["rows"].as_array().unwrap().len(), 33);
    let tries = found["retrieval"]["tries"].as_array().unwrap();
    let chunks = |it: &&serde_json::Value| it["way"]["chunk"].is_object();
    assert!(tries.iter().any(|it| chunks(&it)));
    assert!(tries.iter().filter(|it| it["score"].is_number()).count() >= 2);

    // What is done is not done again, and comes to the same, to the last digit.
    let again = folder.json(&["compare", "--resume", root, "--json"]);
    assert_eq!(again, found);

    // A report needs what is kept, and nothing else.
    std::fs::remove_dir_all(folder.path().join("documents")).unwrap();
    std::fs::remove_dir_all(folder.path().join(".groundtune/runs")).unwrap();
    folder.remove("examples.jsonl");
    let told = folder.json(&["report", "--json"]);
    for key in found.as_object().unwrap().keys() {
        assert_eq!(told[key], found[key], "{key}");
    }
    assert_eq!(told["answers"].as_array().unwrap().len() as u64, questions);
    let kept = std::fs::read_to_string(folder.path().join(root).join("report.html")).unwrap();
    let page = String::from_utf8(folder.run(&["report", "1", "--format", "html"]).stdout).unwrap();
    assert_eq!(page, kept);
    assert!(page.contains("loss on the training examples"));
    let statement = found["verdict"]["statement"].as_str().unwrap();
    let listed = folder.json(&["report", "--list", "--json"]);
    assert_eq!(listed[0]["statement"], statement);
    let shown = folder.screen(&["report", root, "--questions", "1"]);
    for expect in ["Scores", "When it flips", "Freshness", "right: "] {
        assert!(shown.contains(expect), "{expect}: {shown}");
    }
    folder.remove(".groundtune/comparisons/0001/predictions/rag.0.jsonl");
    let shown = folder.screen(&["report"]);
    assert!(shown.contains("`rag` has answered 0 of"), "{shown}");
}

/// Takes out of what a comparison has come to all that is another each time: what took how long, how
/// much memory and money; and what follows from that, or says it in words.
fn without_times(value: &mut serde_json::Value) {
    const OTHERS: [&str; 10] = [
        "seconds", "usd", "memory", "disk", "elapsed", "latency", "flips", "drills", "rows",
        "folder",
    ];
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|name, _| !OTHERS.iter().any(|it| name.contains(it)));
            fields.remove("report");
            fields.remove("run");
            fields.values_mut().for_each(without_times);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// Sees to it that a comparison that was broken off has come to what an unbroken one has.
fn is_the_same(mut broken: serde_json::Value, mut whole: serde_json::Value) {
    without_times(&mut broken);
    without_times(&mut whole);
    for (key, value) in whole.as_object().unwrap() {
        assert_eq!(&broken[key], value, "{key}");
    }
    assert!(whole["tried"]["noise"].is_object(), "{whole}");
}

#[test]
fn a_server_that_dies_is_said_and_the_comparison_goes_on_when_it_is_back() {
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let counted = left.clone();
    let server = Server::start(move |request, _| {
        let left = counted.fetch_update(SeqCst, SeqCst, |it| it.checked_sub(1));
        if left.is_err() {
            // It is not asked again, as it would be where the connection broke.
            return Some(Answer::new(401, "text/plain", "who are you?"));
        }
        let text = request.json()["messages"][0]["content"].to_string();
        let said = text.split(" is ").find_map(|it| it.split_once(" dollars"));
        let said = said.map_or("not in the documents".to_owned(), |(price, _)| {
            format!("{price} dollars")
        });
        Some(Answer::json(&serde_json::json!({
            "choices": [{ "message": { "content": said }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": text.len(), "completion_tokens": 3 },
        })))
    });
    let model = format!("{}/v1#reads", server.url);
    let begin = ["compare", "--json", "--model", &model];
    let whole = project(24);
    let expect = whole.json(&begin);
    let all = usize::MAX - left.load(SeqCst);
    let broken = project(24);
    let root = ".groundtune/comparisons/0001";
    let resume = ["compare", "--resume", root, "--json"];
    // In tuning, in the examination, and in the drills.
    for (number, answers) in [5, all / 4, all / 4, all / 8].into_iter().enumerate() {
        left.store(answers, SeqCst);
        let arguments = if number == 0 { &begin[..] } else { &resume };
        let shown = broken.screen(arguments);
        assert!(shown.contains("does not answer any more"), "{shown}");
        assert!(shown.contains("groundtune compare --resume"), "{shown}");
    }
    left.store(usize::MAX, SeqCst);
    is_the_same(broken.json(&resume), expect);
}

#[test]
fn a_comparison_that_was_killed_goes_on_to_the_same_answers() {
    let whole = project(24);
    let expect = whole.json(&["compare", "--json"]);
    let broken = project(24);
    for milliseconds in [300, 900, 1500, 2500] {
        let root = broken.path().join(".groundtune/comparisons/0001");
        let mut arguments = vec!["compare", "--json"];
        if root.join("compare.toml").is_file() {
            arguments.extend(["--resume", ".groundtune/comparisons/0001"]);
        } else if root.exists() {
            std::fs::remove_dir_all(&root).unwrap();
        }
        let mut child = broken
            .command(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let root = ".groundtune/comparisons/0001";
    let found = broken.json(&["compare", "--resume", root, "--json"]);
    assert_eq!(answers(&broken, root), answers(&whole, root));
    is_the_same(found, expect);
}

#[test]
fn bad_examples_are_said() {
    let folder = project(10);
    let check = |arguments: &[&str], expect: &str| {
        let shown = folder.screen(arguments);
        assert!(shown.contains(expect), "{arguments:?}: {shown}");
    };
    folder.write("empty.jsonl", "");
    check(&["compare", "empty.jsonl"], "empty.jsonl");
    folder.write("texts.jsonl", "{\"text\": \"only a text\"}\n");
    check(&["compare", "texts.jsonl"], "nothing is left to examine");
    check(
        &["compare", "--candidates", "rga"],
        "expected one of prompt, few-shot",
    );
    check(&["compare", "--resume", "documents"], "is no comparison");
    // Ten examples: it goes on, and says what they can show.
    let shown = folder.screen(&["compare", "--candidates", "prompt,rag"]);
    assert!(
        shown.contains("can hardly show a difference, however large"),
        "{shown}"
    );
    let mut lines = std::fs::read_to_string(folder.path().join("examples.jsonl")).unwrap();
    lines.push_str("{\"question\": \"What is new?\", \"answer\": \"this\"}\n");
    folder.write("examples.jsonl", &lines);
    let resume = ["compare", "--resume", ".groundtune/comparisons/0001"];
    check(&resume, "the examples changed since this comparison began");
}
