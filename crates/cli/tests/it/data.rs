//! `data`, on small files of examples: audited, filtered, divided, written otherwise.

use crate::support::{Folder, assert_screen};

/// Sentences that have little in common.
fn text(number: usize) -> String {
    let words = [
        "river", "copper", "violin", "harvest", "engine", "letter", "mountain", "glass",
    ];
    let word = |place: u32| words[number / words.len().pow(place) % words.len()];
    format!(
        "Where did the {} and the {} with item{number} leave the {} yesterday?",
        word(0),
        word(1),
        word(2)
    )
}

fn labelled(text: &str, label: &str) -> String {
    format!("{}\n", serde_json::json!({ "text": text, "label": label }))
}

fn set(numbers: std::ops::Range<usize>) -> String {
    numbers
        .map(|it| labelled(&text(it * 7), ["ask", "tell"][it % 2]))
        .collect()
}

/// A set with one of each defect.
fn defective() -> Folder {
    let folder = Folder::empty();
    let mut train = set(0..60);
    train += &labelled(&text(21), "tell");
    train += &labelled("Only a conflict here", "ask");
    train += &labelled("only a conflict, here", "tell");
    train += &labelled("Mail me at ada@acme.org please", "ask");
    train += "{not json\n{\"text\": 3}\n[]\n";
    folder.write("train.jsonl", &train);
    folder.write("test.jsonl", &(set(0..1) + "{\"text\": \"no label\"}\n"));
    folder
}

#[test]
fn each_defect_is_said_with_its_place_and_what_to_do() {
    let folder = defective();
    assert_screen!(folder.screen(&["data", "audit", "train.jsonl", "--against", "test.jsonl"]), @r"
    `train.jsonl` is `labelled`: 64 examples, 3 refused
    against `test.jsonl` is `labelled`: 1 example, 1 refused

    size        look  64 examples, 808 words
                     a small set is soon learnt by heart: add examples, watch the development loss, or give the examples in the prompt instead of training
    records     look  3 of 67 refused
                     mend the records that are named, or leave them out
    length      good  half have at most 13 words, 95 % at most 13, the longest 13
    duplicates  look  1 exact, 0 near
                     what is said twice counts twice: leave the repetitions out with `--filter`
                     at train.jsonl:61
    conflicts   act  1 text with different labels, in 2 examples
                     decide which label is right, or leave all of them out with `--filter`
                     at train.jsonl:62, 63
    leakage     act  1 of 64 are in the other set too: 1 the same, 0 nearly
                     what is tested must not be learnt: leave it out with `--filter`, or split both together with `groundtune data split`
                     at train.jsonl:1
    diversity   look  different words [SCORE], pairs [SCORE], triples [SCORE], likeness of two examples [SCORE]
                     the examples are much alike: a model may learn their form and little else
    coherence   good  no example repeats itself
    language    good  english 98 %, unknown 2 %
    personal    look  1 with an e-mail address
                     a model can say again what it has learnt: leave such examples out with `--filter`, or replace the data
                     at train.jsonl:64
    labels      good  2 labels, from 32 to 32 examples each
    -- stderr --
    warning: train.jsonl:65: is not JSON: key must be a string at line 1 column 2
    warning: train.jsonl:66: has no `label`; expected `text` and `label`, or `text` and a list of `labels`
    warning: train.jsonl:67: is a list; expected an object with `text` and `label`, or `text` and a list of `labels`
    warning: test.jsonl:2: has no `label`; expected `text` and `label`, or `text` and a list of `labels`
    ");
}

#[test]
fn what_is_left_out_is_listed_and_no_file_that_is_read_is_lost() {
    let folder = defective();
    let filter = |out: &str| {
        let audit = ["data", "audit", "train.jsonl", "--against", "test.jsonl"];
        folder.json(
            &[
                &audit[..],
                &["--filter", out, "--keep", "personal", "--json"],
            ]
            .concat(),
        )
    };
    let report = filter("clean.jsonl");
    assert_eq!(report["filtered"]["examples"], 60);
    assert_eq!(report["filtered"]["left_out"], 7);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("clean.jsonl").lines().count(), 60);
    assert!(read("clean.jsonl").contains("ada@acme.org"));
    assert_screen!(read("clean.left-out.jsonl"), @r#"
    {"file":"train.jsonl","line":1,"id":"train.jsonl:1","why":"leaked"}
    {"file":"train.jsonl","line":61,"id":"train.jsonl:61","why":"duplicate","of":{"file":"train.jsonl","line":4}}
    {"file":"train.jsonl","line":62,"id":"train.jsonl:62","why":"conflict"}
    {"file":"train.jsonl","line":63,"id":"train.jsonl:63","why":"conflict"}
    {"file":"train.jsonl","line":65,"why":"refused","reason":"is not JSON: key must be a string at line 1 column 2"}
    {"file":"train.jsonl","line":66,"why":"refused","reason":"has no `label`; expected `text` and `label`, or `text` and a list of `labels`"}
    {"file":"train.jsonl","line":67,"why":"refused","reason":"is a list; expected an object with `text` and `label`, or `text` and a list of `labels`"}
    "#);
    let before = read("train.jsonl");
    assert_screen!(folder.screen(&["data", "audit", "train.jsonl", "--filter", "./train.jsonl"]), @r"
    -- stderr --
    error: `./train.jsonl` is read here and would be overwritten; write somewhere else
    -- exit 1 --
    ");
    assert_screen!(folder.screen(&["data", "split", "train.jsonl", "--out", "."]), @r"
    -- stderr --
    warning: train.jsonl:65: is not JSON: key must be a string at line 1 column 2
    warning: train.jsonl:66: has no `label`; expected `text` and `label`, or `text` and a list of `labels`
    warning: train.jsonl:67: is a list; expected an object with `text` and `label`, or `text` and a list of `labels`
    error: `./train.jsonl` is read here and would be overwritten; write somewhere else
    -- exit 1 --
    ");
    assert!(read("train.jsonl") == before);
}

#[test]
fn a_set_is_divided_the_same_way_each_time() {
    let folder = Folder::empty();
    folder.write("all.jsonl", &set(0..50));
    assert_screen!(folder.screen(&["data", "split", "all.jsonl", "--out", "first"]), @r"
    train  40 examples      `first/train.jsonl`
    dev    5 examples       `first/dev.jsonl`
    test   5 examples       `first/test.jsonl`
    ");
    folder.screen(&["data", "split", "all.jsonl", "--out", "second"]);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    for side in ["train", "dev", "test"] {
        let [first, second] = ["first", "second"].map(|it| read(&format!("{it}/{side}.jsonl")));
        assert!(first == second, "{side}");
    }
}

#[test]
fn what_cannot_be_written_in_a_layout_is_said() {
    let folder = Folder::empty();
    let lines = [labelled("Where is it?", "ask"), "{\"text\": 3}\n".into()].concat();
    folder.write("a.jsonl", &lines);
    assert_screen!(folder.screen(&["data", "convert", "a.jsonl", "--to", "messages"]), @r#"
    {"id":"a.jsonl:1","messages":[{"role":"user","content":"Where is it?"},{"role":"assistant","content":"ask"}]}
    -- stderr --
    warning: a.jsonl:2: has no `label`; expected `text` and `label`, or `text` and a list of `labels`
    1 example written, 1 not
    "#);
    assert_screen!(folder.screen(&["data", "convert", "a.jsonl", "--to", "preference"]), @r"
    -- stderr --
    warning: a.jsonl:1: a labelled cannot be written as `preference`: there is one answer, and not two
    warning: a.jsonl:2: has no `label`; expected `text` and `label`, or `text` and a list of `labels`
    error: nothing of `a.jsonl` can be written as `preference`

    hint: `docs/data.md` says what each layout holds
    -- exit 1 --
    ");
}

#[test]
fn what_is_no_set_of_examples_is_said() {
    let folder = Folder::empty();
    folder.write("a.jsonl", &set(0..3));
    folder.write("empty.jsonl", "");
    folder.write("binary.jsonl", "\u{0}\u{1}\u{2}ELF\u{0}");
    folder.write("none/picture.png", "");
    let screens: Vec<String> = [
        &["empty.jsonl"][..],
        &["binary.jsonl"],
        &["missing.jsonl"],
        &["a.jsonl", "--format", "messages"],
        &["a.jsonl", "--against", "empty.jsonl"],
        &["a.jsonl", "--documents", "none"],
        &["a.jsonl", "--keep", "size", "--filter", "b.jsonl"],
    ]
    .into_iter()
    .map(|arguments| folder.screen(&[&["data", "audit"], arguments].concat()))
    .collect();
    assert_screen!(screens.join("\n"), @r"
    -- stderr --
    error: `empty.jsonl` has no records
    -- exit 1 --

    -- stderr --
    error: `binary.jsonl` has no JSON object among its first records; line 1 is not JSON: expected value at line 1 column 1; JSON lines have one object a line
    -- exit 1 --

    -- stderr --
    error: `missing.jsonl` could not be read from the disk; check that it is there and that you may read it
      failed to open file `missing.jsonl`: No such file or directory (os error 2)
    -- exit 1 --

    -- stderr --
    error: no record of `a.jsonl` was taken; the first was refused: a.jsonl:1: has no `messages`; expected `messages`, a list of turns with `role` and `content`
    -- exit 1 --

    -- stderr --
    error: `empty.jsonl` has no records
    -- exit 1 --

    -- stderr --
    error: no documents could be read in `none`
      `none/picture.png` is empty; write something into it, or leave it out
    -- exit 1 --

    -- stderr --
    error: invalid value 'size' for '--keep <CRITERION>': nothing is left out by `size`; there are duplicates, conflicts, leakage, coherence, personal

    For more information, try '--help'.
    -- exit 2 --
    ");
}
