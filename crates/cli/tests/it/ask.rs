//! Questions and answers.

use std::process::Stdio;

use crate::support::{Folder, assert_screen, handbook};

fn ingested() -> Folder {
    let folder = handbook();
    let output = folder.run(&["ingest"]);
    assert!(output.status.success());
    folder
}

#[test]
fn an_answer_cites_the_document_and_its_lines() {
    let folder = ingested();
    assert_screen!(folder.screen(&["ask", "Is return postage free from Alaska?"]), @r#"
    Return postage is free from every state but Alaska, where it costs $8.95. [1]

    [1] docs/returns.md › Returns › Postage  lines [LINES] · score [SCORE]
    "#);
}

#[test]
fn what_the_documents_do_not_say_is_not_made_up() {
    let folder = ingested();
    assert_screen!(folder.screen(&["ask", "Which wine goes with trout?"]), @"not in the documents");
    assert_screen!(
        folder.screen(&["ask", "Is the postage of wine free from taxes?"]),
        @r#"
    not in the documents
    -- stderr --
    nearest: docs/returns.md › Returns › Postage, lines [LINES]: score [SCORE], below the threshold [SCORE]

    hint: `--threshold [SCORE]` would accept it
    "#
    );
}

#[test]
fn the_json_has_the_promised_names() {
    let folder = ingested();
    let reply = folder.json(&["ask", "--json", "Is return postage free from Alaska?"]);
    assert_eq!(reply["abstained"], false);
    assert!(
        reply["answer"].as_str().unwrap().contains("$8.95"),
        "{reply}"
    );
    let citation = &reply["citations"][0];
    assert_eq!(citation["number"], 1);
    assert_eq!(citation["document"], "docs/returns.md");
    assert!(
        citation["section"].as_str().unwrap().contains("Postage"),
        "{reply}"
    );
    let (start, end) = (&citation["start_line"], &citation["end_line"]);
    assert!(start.as_u64().unwrap() <= end.as_u64().unwrap());
    assert!(citation["text"].as_str().unwrap().contains("Alaska"));
    assert!(citation["score"].as_f64().unwrap() >= 0.7);
    assert!(reply["timings_ms"]["total"].as_f64().unwrap() > 0.0);

    let reply = folder.json(&["ask", "--json", "Which wine goes with trout?"]);
    assert_eq!(reply["abstained"], true);
    assert_eq!(reply["answer"], "not in the documents");
    assert_eq!(reply["citations"], serde_json::json!([]));
}

#[test]
fn cited_lines_are_those_of_the_file() {
    let folder = ingested();
    let reply = folder.json(&["search", "--json", "label older than seven days"]);
    let found = &reply["results"][0];
    let file = folder.path().join(found["document"].as_str().unwrap());
    let file = std::fs::read_to_string(file).unwrap();
    let (start, end) = (
        found["start_line"].as_u64().unwrap() as usize,
        found["end_line"].as_u64().unwrap() as usize,
    );
    let cited: Vec<&str> = file.lines().skip(start - 1).take(end + 1 - start).collect();
    assert_eq!(
        cited.join("\n").trim(),
        found["text"].as_str().unwrap().trim()
    );
}

#[test]
fn a_search_shows_where_and_why() {
    let folder = ingested();
    assert_screen!(folder.screen(&["search", "return postage", "--top-k", "1"]), @r#"
    1  docs/returns.md › Returns › Postage
       lines [LINES] · score [SCORE]
       Anything may be returned within 30 days of delivery. Postage Return postage
       is free from every state but Alaska, where it costs $8.95. The label is
       printed at home, or shown at the counter as a code that is scanned …
    "#);
    assert_screen!(
        folder.screen(&["search", "--explain", "goodwill", "--as", "leads"]),
        @r#"
    1  docs/leads.md › Goodwill
       lines [LINES] · score [SCORE]
       A lead may give goodwill of 75 dollars without asking.
       keyword  [SCORE], rank 1
         goodwill         +[SCORE]  here 4×, in 1 chunk
       vector   [SCORE], rank 1 (+3.3 deviations from the mean)
       fused    [SCORE], 100 % of the question's words are here

    2  docs/returns.md › Returns › Postage
       lines [LINES] · score [SCORE]
       Anything may be returned within 30 days of delivery. Postage Return postage
       is free from every state but Alaska, where it costs $8.95. The label is
       printed at home, or shown at the counter as a code that is scanned …
       keyword  not in the list
       vector   [SCORE], rank 2 (+[SCORE] deviations from the mean)
       fused    [SCORE], 0 % of the question's words are here

    3  docs/rates.csv
       lines [LINES] · score [SCORE]
       destination; price destination: Canada; price: $16 destination: Norway;
       price: $19
       keyword  not in the list
       vector   [SCORE], rank 3 (+[SCORE] deviations from the mean)
       fused    [SCORE], 0 % of the question's words are here

    4  docs/returns-eu.md › Returns in Europe
       lines [LINES] · score [SCORE]
       Anything may be returned within 60 days of delivery.
       keyword  not in the list
       vector   -[SCORE], rank 4 (-[SCORE] deviations from the mean)
       fused    [SCORE], 0 % of the question's words are here
    "#
    );
}

#[test]
fn what_one_may_not_read_is_not_there() {
    let folder = ingested();
    assert_screen!(folder.screen(&["ask", "How much goodwill may a lead give?"]), @"not in the documents");
    assert_screen!(
        folder.screen(&["ask", "How much goodwill may a lead give?", "--as", "interns"]),
        @"not in the documents"
    );
    assert_screen!(
        folder.screen(&[
            "ask",
            "How much goodwill may a lead give?",
            "--as",
            "interns,leads",
            "--threshold",
            "0.5"
        ]),
        @r#"
    A lead may give goodwill of 75 dollars without asking. [1]

    [1] docs/leads.md › Goodwill  lines [LINES] · score [SCORE]
    "#
    );
    assert_screen!(folder.screen(&["documents", "show", "docs/leads.md"]), @r#"
    -- stderr --
    error: there is no document `docs/leads.md`

    hint: did you mean `docs/returns.md`?
    -- exit 1 --
    "#);
}

#[test]
fn a_filter_keeps_documents_out() {
    let folder = ingested();
    let question = "Within how many days of delivery may it be returned?";
    for (filter, expect) in [
        ("jurisdiction = EU", "docs/returns-eu.md"),
        ("jurisdiction = \"US\"", "docs/returns.md"),
        ("not jurisdiction = US", "docs/returns-eu.md"),
    ] {
        let reply = folder.json(&["search", "--json", question, "--filter", filter]);
        assert_eq!(reply["results"][0]["document"], expect, "{filter}");
    }
}

#[test]
fn a_filter_that_makes_no_sense_says_where() {
    let folder = ingested();
    assert_screen!(folder.screen(&["ask", "Returns?", "--filter", "jurisdiction ="]), @r#"
    -- stderr --
    error: the filter `jurisdiction =` is not understood at character 15: expected a value such as "US", 12 or 2024-01-31, found the end

    hint: a filter looks like `jurisdiction = "US" and date >= 2024-01-01`
    -- exit 2 --
    "#);
    assert_screen!(folder.screen(&["ask", "Returns?", "--filter", "jurisdicton = EU"]), @r#"
    -- stderr --
    error: the filter asks for `jurisdicton`, which no document has

    hint: did you mean `jurisdiction`?
    -- exit 1 --
    "#);
}

#[test]
fn a_project_that_was_not_ingested_says_what_to_do() {
    let folder = handbook();
    assert_screen!(folder.screen(&["ask", "Returns?"]), @r#"
    -- stderr --
    error: nothing has been ingested into `[FOLDER]` yet

    hint: run `groundtune ingest` first
    -- exit 1 --
    "#);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = ingested();
    let mut child = folder
        .command(&["search", "returned within days of delivery", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
