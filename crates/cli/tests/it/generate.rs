//! `generate`, with a tiny model that writes nonsense unless it is told what to write, and
//! with a server's.

use serde_json::{Value, json};

use crate::models::writer;
use crate::server::{Answer, Server};
use crate::support::{Folder, MODELS, assert_screen, handbook, without_ports};

const LLAMA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../model/tests/data/decoders/llama"
);

/// Runs `generate` with the tiny model.
fn screen(folder: &Folder, arguments: &[&str]) -> String {
    folder.screen(&[&["generate", "--model", LLAMA], arguments].concat())
}

fn lines(shown: &str) -> Vec<Value> {
    shown
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_prompt_comes_as_words_from_a_file_or_from_a_pipe() {
    let folder = Folder::empty();
    folder.write("prompt.txt", "the cat\n");
    let json = ["--json", "--max-tokens", "6"];
    let words = screen(&folder, &[&json[..], &["the", "cat"]].concat());
    let file = screen(&folder, &[&json[..], &["--file", "prompt.txt"]].concat());
    let arguments = [&["generate", "--model", LLAMA], &json[..]].concat();
    assert_eq!(
        (&file, &folder.piped(&arguments, "the cat\n")),
        (&words, &words)
    );
    let reply = &lines(&words)[0];
    assert_eq!(reply["index"], 0);
    assert_eq!(reply["finish"], "length");
    assert_eq!(reply["tokens"].as_array().unwrap().len(), 6);
    assert_eq!(reply["completion_tokens"], 6);
    assert!(reply["prompt_tokens"].as_u64().unwrap() > 2);
}

#[test]
fn a_text_is_what_it_must_be() {
    let folder = Folder::empty();
    folder.write("schema.json", r#"{"enum": ["a mat"]}"#);
    assert_screen!(screen(&folder, &["--regex", "the cat sat on the mat", "what?"]), @"the cat sat on the mat");
    assert_screen!(screen(&folder, &["--json-schema", "schema.json", "where?"]), @r#""a mat""#);
    assert_screen!(screen(&folder, &["--regex", "red, green, blue", "--stop", ", blue", "colours?"]), @"red, green");
    assert_screen!(screen(&folder, &["--regex", "a{30}", "--max-tokens", "8", "x"]), @r"
    aaaaaaaa
    -- stderr --
    The text was cut after 8 tokens; `--max-tokens` allows more.
    ");
    assert_screen!(screen(&folder, &["--regex", "(a", "x"]), @r"
    -- stderr --
    error: the regular expression `(a` cannot be followed
      unclosed group
    -- exit 1 --
    ");
    folder.write("schema.json", r#"{"type": "objekt"}"#);
    assert_screen!(screen(&folder, &["--json-schema", "schema.json", "x"]), @r"
    -- stderr --
    error: the JSON schema cannot be followed
      Invalid type: objekt
    -- exit 1 --
    ");
    assert_screen!(screen(&folder, &["--json-schema", "none.json", "x"]), @r"
    -- stderr --
    error: `none.json` cannot be read: No such file or directory (os error 2)
    -- exit 1 --
    ");
}

#[test]
fn several_prompts_are_several_texts() {
    let folder = Folder::empty();
    folder.write("prompts.txt", "one\n\ntwo\n");
    let arguments = ["--file", "prompts.txt", "--lines", "--regex", "yes"];
    assert_screen!(screen(&folder, &arguments), @r"
    yes

    yes
    ");
    let shown = screen(&folder, &[&arguments[..], &["--json"]].concat());
    let found: Vec<Value> = lines(&shown)
        .iter()
        .map(|it| json!([it["index"], it["text"], it["finish"]]))
        .collect();
    assert_eq!(
        found,
        [json!([0, "yes", "stop"]), json!([1, "yes", "stop"])]
    );
}

#[test]
fn every_token_tells_how_likely_it_was() {
    let folder = Folder::empty();
    let arguments = ["--regex", "ab", "--json", "--logprobs", "2", "x"];
    let reply = &lines(&screen(&folder, &arguments))[0];
    let likelihoods = reply["logprobs"].as_array().unwrap();
    assert_eq!(likelihoods.len(), reply["tokens"].as_array().unwrap().len());
    for (likelihood, token) in likelihoods.iter().zip(reply["tokens"].as_array().unwrap()) {
        assert_eq!(likelihood["token"], *token);
        let top: Vec<f64> = likelihood["top"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["logprob"].as_f64().unwrap())
            .collect();
        assert_eq!(top.len(), 2);
        assert!(top[0] >= top[1] && top[0] <= 0.0);
        assert!(likelihood["logprob"].as_f64().unwrap() <= top[0]);
    }
}

#[test]
fn an_adapter_changes_what_is_likely() {
    let folder = Folder::empty();
    let logprob = |more: &[&str]| {
        let arguments = ["--regex", "a", "--json", "--logprobs", "0", "x"];
        let shown = screen(&folder, &[more, &arguments].concat());
        lines(&shown)[0]["logprobs"][0]["logprob"].as_f64().unwrap()
    };
    let lora = format!("{MODELS}/decoders/lora");
    let (plain, with) = (logprob(&[]), logprob(&["--adapter", &lora]));
    assert_ne!(plain, with);
    assert_eq!(logprob(&["--adapter", &format!("{lora}:0")]), plain);
    let other = format!("{MODELS}/decoders/lora-gpt2");
    assert_screen!(screen(&folder, &["--adapter", &other, "x"]), @r"
    -- stderr --
    error: the adapter cannot be opened
      the adapter `[MODELS]/decoders/lora-gpt2`, trained on `gpt2`, does not fit `[MODELS]/decoders/llama/config.json`: it has a part `transformer.h.0.attn.c_attn`, and the model has none of that name

    hint: an adapter is a folder as PEFT writes it, for the very model that it is used with
    -- exit 1 --
    ");
    assert_screen!(screen(&folder, &["--adapter", "nowhere", "x"]), @r"
    -- stderr --
    error: the adapter cannot be opened
      `nowhere` has no `adapter_config.json`; it is no adapter in PEFT's format

    hint: an adapter is a folder as PEFT writes it, for the very model that it is used with
    -- exit 1 --
    ");
    assert_screen!(screen(&folder, &["--adapter", "nowhere:much", "x"]), @r"
    -- stderr --
    error: `much` is not an adapter's weight: expected a number, in `nowhere:much`
    -- exit 2 --
    ");
}

#[test]
fn a_prompt_that_does_not_fit_names_both_numbers() {
    let folder = Folder::empty();
    let long = "the cat sat on the mat, ".repeat(20);
    assert_screen!(screen(&folder, &[&long]), @r"
    -- stderr --
    error: the prompt has 144 tokens, but the model reads at most 64, with what it writes

    hint: shorten the prompt, or take a model with a longer context
    -- exit 1 --
    ");
    // One that leaves a little room is cut where the room ends.
    let shown = screen(&folder, &["--regex", "a{60}", "the cat"]);
    assert!(shown.contains("the model reads no more at once"), "{shown}");
}

#[test]
fn what_is_missing_is_said() {
    let folder = Folder::empty();
    assert_screen!(folder.screen(&["generate", "x"]), @r#"
    -- stderr --
    error: no generator is named

    hint: name one with `--model`, or in `groundtune.toml`: `[models] generator = "FOLDER"`
    -- exit 1 --
    "#);
    assert_screen!(folder.screen(&["generate", "x", "--model", "./nowhere"]), @r"
    -- stderr --
    error: there is no model `[FOLDER]/nowhere`

    hint: a model is a folder, a `.gguf` file, or a name such as `org/name`; `groundtune models list` shows those that were pulled; `--model` or `[models]` names it
    -- exit 1 --
    ");
    let bert = format!("{MODELS}/bert");
    assert_screen!(folder.screen(&["generate", "x", "--model", &bert]), @r"
    -- stderr --
    error: the model cannot be opened
      `model_type` in `[MODELS]/bert/config.json` is `bert`, expected `gpt2`, `llama`, `mistral`, `qwen2` or `qwen3`

    hint: `groundtune embed --model` makes vectors with it
    -- exit 1 --
    ");
    let bare = format!("{MODELS}/decoders/gguf/llama.gguf");
    assert_screen!(folder.screen(&["generate", "x", "--model", &bare]), @r"
    -- stderr --
    error: the model cannot be opened
      `tokenizer.ggml.tokens` in `[MODELS]/decoders/gguf/llama.gguf` is missing, expected the model's vocabulary

    hint: name the model's vocabulary with `--tokenizer PATH`
    -- exit 1 --
    ");
    assert_screen!(screen(&folder, &[]), @r"
    -- stderr --
    error: there is no prompt: give it as an argument, with `--file`, or pipe it in
    -- exit 2 --
    ");
    assert_screen!(screen(&folder, &["--file", "nowhere"]), @r"
    -- stderr --
    error: `nowhere` cannot be read: No such file or directory (os error 2)
    -- exit 1 --
    ");
    assert_screen!(screen(&folder, &["--temprature", "1", "x"]), @r"
    -- stderr --
    error: unexpected argument '--temprature' found

      tip: a similar argument exists: '--temperature'

    Usage: groundtune generate --model <MODEL> --temperature <NUMBER> [PROMPT]...

    For more information, try '--help'.
    -- exit 2 --
    ");
    assert_screen!(screen(&folder, &["--temperature", "-1", "x"]), @r"
    -- stderr --
    error: temperature is -1, expected 0 or more
    -- exit 2 --
    ");
    assert_screen!(screen(&folder, &["--logprobs", "1", "x"]), @r"
    -- stderr --
    error: the following required arguments were not provided:
      --json

    Usage: groundtune generate --json --model <MODEL> --logprobs <COUNT> <PROMPT>...

    For more information, try '--help'.
    -- exit 2 --
    ");
    let system = [
        "generate",
        "x",
        "--system",
        "y",
        "--model",
        &bare,
        "--tokenizer",
    ];
    let tokenizer = format!("{LLAMA}/tokenizer.json");
    assert_screen!(folder.screen(&[&system[..], &[&tokenizer]].concat()), @r"
    -- stderr --
    error: `--system` needs a model with a chat template, and this one has none
    -- exit 1 --
    ");
}

/// Runs `generate` with the model of `server`.
fn ask(server: &Server, arguments: &[&str]) -> String {
    let model = format!("{}/v1#tiny", server.url);
    let all = [&["generate", "--model", &model], arguments].concat();
    without_ports(&Folder::empty().screen(&all))
}

#[test]
fn a_server_writes() {
    let server = writer("A cat sat.");
    assert_screen!(ask(&server, &["--system", "be brief", "what sat?"]), @"A cat sat.");
    let shown = ask(
        &server,
        &[
            "--json",
            "--stop",
            "!",
            "--max-tokens",
            "9",
            "--seed",
            "3",
            "x",
        ],
    );
    assert_eq!(
        lines(&shown),
        [json!({
            "index": 0, "text": "A cat sat.", "tokens": [], "finish": "stop",
            "prompt_tokens": 99, "completion_tokens": 9
        })]
    );
    let requests = server.requests();
    assert_eq!(
        requests[0].json()["messages"],
        json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": "what sat?"}])
    );
    let asked = requests[1].json();
    assert_eq!((&asked["stop"], &asked["seed"]), (&json!(["!"]), &json!(3)));
    assert_screen!(ask(&server, &["--regex", "a", "x"]), @r"
    -- stderr --
    error: a regular expression cannot be given to a server

    hint: leave it out, or take a model on this machine
    -- exit 1 --
    ");
    assert_eq!(server.requests().len(), 2, "it is not asked for less");
}

#[test]
fn a_server_that_dies_says_how_much_arrived() {
    let server = Server::start(|_, _| {
        let piece = json!({ "choices": [{ "delta": { "content": "A cat" } }] });
        Some(Answer::events(&[&format!("data: {piece}\n\n")]))
    });
    assert_screen!(ask(&server, &["x"]), @r"
    A cat
    -- stderr --
    error: `localhost` died in the middle of its answer, after 5 characters
      `localhost` broke off
      the answer has no end

    hint: what was shown up to there is all that arrived; ask again
    -- exit 1 --
    ");
    assert_screen!(ask(&server, &["--json", "x"]), @r#"
    {"index":0,"error":"`localhost` died in the middle of its answer, after 5 characters: `localhost` broke off: the answer has no end"}
    -- stderr --
    error: `localhost` died in the middle of its answer, after 5 characters
      `localhost` broke off
      the answer has no end

    hint: what was shown up to there is all that arrived; ask again
    -- exit 1 --
    "#);
}

#[test]
fn evidence_that_a_model_cannot_read_at_once_says_what_to_do() {
    let folder = handbook();
    folder.write("groundtune.toml", "[retrieval]\ntop_k = 2\n");
    assert!(folder.run(&["ingest"]).status.success());
    let question = "Is return postage free from Alaska?";
    let shown = folder.screen(&["ask", question, "--model", LLAMA]);
    assert!(
        shown.contains("tokens, but the model reads at most 64"),
        "{shown}"
    );
    assert!(
        shown.contains("hint: give the model less to read: a smaller `--top-k`"),
        "{shown}"
    );
}
