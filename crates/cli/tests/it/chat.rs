//! `chat`, with its lines from a pipe: a tiny model that is told what to write, and a
//! server's.

use serde_json::{Value, json};

use crate::models::writer;
use crate::server::{Answer, Server};
use crate::support::{Folder, MODELS, assert_screen, without_ports};

const LLAMA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../model/tests/data/decoders/llama"
);

#[test]
fn each_line_is_a_turn() {
    let folder = Folder::empty();
    let arguments = ["chat", "--model", LLAMA, "--regex", "yes"];
    assert_screen!(folder.piped(&arguments, "a\n\nb\n/reset\n/system be brief\n/help\nc\n/quit\nd\n"), @r"
    yes
    yes
    yes
    -- stderr --
    The conversation begins anew.
    The conversation begins anew, with what the model is to be.
    warning: there is no `/help`; there are `/reset`, `/system TEXT` and `/quit`
    ");
    // A last line without an end is a turn too.
    assert_screen!(folder.piped(&arguments, "a"), @"yes");
    assert_screen!(folder.piped(&arguments, ""), @"");
}

#[test]
fn a_conversation_that_does_not_fit_ends_with_both_numbers() {
    let folder = Folder::empty();
    let long = "the cat sat on the mat, ".repeat(20);
    let arguments = ["chat", "--model", LLAMA, "--regex", "yes"];
    assert_screen!(folder.piped(&arguments, &format!("a\n{long}\nb\n")), @r"
    yes
    -- stderr --
    error: the prompt has 151 tokens, but the model reads at most 64, with what it writes

    hint: shorten the prompt, or take a model with a longer context
    -- exit 1 --
    ");
}

#[test]
fn a_model_without_a_template_only_goes_on_with_texts() {
    let folder = Folder::empty();
    let model = format!("{MODELS}/decoders/gguf/llama.gguf");
    let tokenizer = format!("{LLAMA}/tokenizer.json");
    let arguments = ["chat", "--model", &model, "--tokenizer", &tokenizer];
    assert_screen!(folder.screen(&arguments), @r"
    -- stderr --
    error: the model has no chat template: it goes on with texts, but knows no conversation

    hint: `groundtune generate` goes on with a text; for a conversation take a model that was made for one (its name often ends in `instruct` or `chat`)
    -- exit 1 --
    ");
}

#[test]
fn a_server_is_told_the_whole_conversation() {
    let server = writer("Yes.");
    let model = format!("{}/v1#tiny", server.url);
    let folder = Folder::empty();
    let arguments = ["chat", "--model", &model, "--system", "be brief"];
    assert_screen!(without_ports(&folder.piped(&arguments, "one?\ntwo?\n")), @r"
    Yes.
    Yes.
    ");
    let requests = server.requests();
    let said = |at: usize| -> Vec<Value> {
        let messages = requests[at].json()["messages"].clone();
        let messages = messages.as_array().unwrap();
        messages.iter().map(|it| it["content"].clone()).collect()
    };
    assert_eq!(said(0), [json!("be brief"), json!("one?")]);
    let all = ["be brief", "one?", "Yes.", "two?"].map(|it| json!(it));
    assert_eq!(said(1), all);
}

#[test]
fn a_server_that_dies_ends_the_conversation() {
    let server = Server::start(|_, _| {
        let piece = json!({ "choices": [{ "delta": { "content": "A cat" } }] });
        Some(Answer::events(&[&format!("data: {piece}\n\n")]))
    });
    let model = format!("{}/v1#tiny", server.url);
    let arguments = ["chat", "--model", &model];
    assert_screen!(without_ports(&Folder::empty().piped(&arguments, "x\ny\n")), @r"
    A cat
    -- stderr --
    error: `localhost` died in the middle of its answer, after 5 characters
      `localhost` broke off
      the answer has no end

    hint: what was shown up to there is all that arrived; ask again
    -- exit 1 --
    ");
}
