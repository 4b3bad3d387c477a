//! What the program says to a command line or a project it does not understand.

use crate::support::{Folder, assert_screen};

#[test]
fn the_help_names_every_command() {
    let folder = Folder::empty();
    assert_screen!(folder.screen(&["--help"]), @r#"
    Answers from your documents, and teaches models on your examples, offline

    Usage: groundtune [OPTIONS] <COMMAND>

    Commands:
      demo       Shows what groundtune does, on a small handbook that it brings along
      advise     Advises: a better prompt, retrieval, fine-tuning, or both; why, and what it takes
      init       Makes a project: writes a `groundtune.toml` that names every setting
      ingest     Reads the documents: takes what is new or changed, forgets what is gone
      ask        Answers a question from the documents, and cites them
      search     Finds the chunks that bear on a question, best first
      status     Says what the project holds, and which files gave no document
      documents  Lists the documents, shows one, or takes some out of the store
      embed      Turns texts into vectors, one for each line
      rerank     Orders passages by how well they answer a question, best first
      label      Labels texts, or the words of them, with an encoder that was taught to
      doctor     Checks the store, the indexes, the files and the access rules
      eval       Measures how good something is, by definitions that others use too
      index      Measures the index of vectors
      models     Fetches models, lists, shows, exports or removes them, and keeps versions of tuned ones
      generate   Writes a text with a language model
      chat       Talks with a language model, turn by turn
      compare    Finds out which wins on your questions: prompting, retrieval, fine-tuning, or both
      report     Shows again what a comparison came to, or writes its report again
      data       Looks at examples before a model learns from them: audits, splits, converts
      train      Teaches a model: from nothing, on texts, on answers, or on preferences
      tokenizer  Learns a vocabulary from texts, shows one, or cuts texts with it
      distill    Makes a small, fast embedder that agrees with a large one

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Everywhere:
          --project <DIR>  The project's folder [default: the nearest one upwards with a
                           `groundtune.toml`]
          --color <WHEN>   When to use color [default: auto] [possible values: auto, always, never]
      -v, --verbose        Says more: where the time went, and every warning

    Try `groundtune demo` first: it needs no documents of your own and no network.
    "#);
}

#[test]
fn a_misspelt_command_or_flag_names_the_nearest() {
    let folder = Folder::empty();
    assert_screen!(folder.screen(&["serch", "x"]), @r#"
    -- stderr --
    error: unrecognized subcommand 'serch'

      tip: a similar subcommand exists: 'search'

    Usage: groundtune [OPTIONS] <COMMAND>

    For more information, try '--help'.
    -- exit 2 --
    "#);
    assert_screen!(folder.screen(&["ask", "x", "--treshold", "0.5"]), @r#"
    -- stderr --
    error: unexpected argument '--treshold' found

      tip: a similar argument exists: '--threshold'

    Usage: groundtune ask --threshold <SHARE> <QUESTION>...

    For more information, try '--help'.
    -- exit 2 --
    "#);
}

#[test]
fn a_number_out_of_range_says_the_range() {
    let folder = Folder::empty();
    assert_screen!(folder.screen(&["ask", "x", "--threshold", "7"]), @r#"
    -- stderr --
    error: invalid value '7' for '--threshold <SHARE>': it must be a number from 0 to 1

    For more information, try '--help'.
    -- exit 2 --
    "#);
    assert_screen!(folder.screen(&["ask", "x", "--top-k", "0"]), @r#"
    -- stderr --
    error: invalid value '0' for '--top-k <COUNT>': 0 is not in 1..=10000

    For more information, try '--help'.
    -- exit 2 --
    "#);
}

#[test]
fn a_question_must_say_something() {
    let folder = Folder::empty();
    assert_screen!(folder.screen(&["ask", "  "]), @r#"
    -- stderr --
    error: the question is empty
    -- exit 2 --
    "#);
}

#[test]
fn a_missing_project_says_how_to_make_one() {
    let folder = Folder::empty();
    assert_screen!(folder.screen(&["ask", "Why?"]), @r#"
    -- stderr --
    error: there is no `groundtune.toml` in `[FOLDER]` or in a folder above it

    hint: make a project here with `groundtune init`, or name one with `--project DIR`
    -- exit 1 --
    "#);
    assert_screen!(folder.screen(&["status", "--project", "."]), @r#"
    -- stderr --
    error: `.` is not a project: it has no `groundtune.toml`

    hint: make it one with `groundtune init "."`
    -- exit 1 --
    "#);
}

#[test]
fn an_unknown_key_names_the_nearest_and_its_line() {
    let folder = Folder::project("[retrieval]\ntop_k = 3\ntreshold = 0.5\n", &[]);
    assert_screen!(folder.screen(&["status"]), @r#"
    -- stderr --
    error: `[FOLDER]/groundtune.toml`, line 3: unknown key `treshold` in `[retrieval]`

    hint: did you mean `threshold`? Known here: `top_k`, `threshold`, `fusion`, `mmr`, `cache`
    -- exit 1 --
    "#);
}

#[test]
fn color_is_used_only_where_it_is_wanted() {
    let folder = Folder::empty();
    let plain = folder.run(&["status"]).stderr;
    assert!(!plain.contains(&0x1b));
    let painted = folder.run(&["status", "--color", "always"]).stderr;
    assert!(painted.starts_with(b"\x1b[1;31merror:\x1b[0m"));
}
