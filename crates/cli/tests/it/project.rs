//! Looking at a project: its documents, its state, its health.

use crate::support::{Folder, assert_screen, handbook};

fn ingested() -> Folder {
    let folder = handbook();
    let output = folder.run(&["ingest"]);
    assert!(output.status.success());
    folder
}

#[test]
fn the_documents_one_may_read_are_listed() {
    let folder = ingested();
    assert_screen!(folder.screen(&["documents", "list"]), @r#"
    docs/rates.csv          [SIZE]
    docs/returns-eu.md     [SIZE]  Returns in Europe
    docs/returns.md        [SIZE]  Returns
    -- stderr --
    3 documents; filter by bytes, format, jurisdiction, modified, path
    "#);
    assert_screen!(
        folder.screen(&["documents", "list", "--as", "leads", "--filter", "not jurisdiction = EU"]),
        @r#"
    docs/leads.md        [SIZE]  Goodwill  (leads)
    docs/rates.csv       [SIZE]
    docs/returns.md     [SIZE]  Returns
    -- stderr --
    3 documents; filter by bytes, format, jurisdiction, modified, path
    "#
    );
    let list = folder.json(&["documents", "list", "--json"]);
    assert_eq!(list["documents"][0]["document"], "docs/rates.csv");
    assert_eq!(list["documents"][1]["metadata"]["jurisdiction"], "EU");
    assert_eq!(list["documents"][1]["groups"], serde_json::Value::Null);
}

#[test]
fn a_document_is_taken_out_and_stays_out() {
    let folder = ingested();
    assert_screen!(folder.screen(&["documents", "rm", "docs/retuns.md"]), @r#"
    -- stderr --
    error: there is no document `docs/retuns.md`

    hint: did you mean `docs/returns.md`?
    -- exit 1 --
    "#);
    assert_screen!(folder.screen(&["documents", "rm", "docs/returns.md"]), @"Took out 1 document in commit 2; the files are as they were.");
    let reply = folder.json(&["search", "--json", "return postage Alaska"]);
    assert!(!reply.to_string().contains("docs/returns.md"), "{reply}");
    assert!(folder.path().join("docs/returns.md").is_file());
}

#[test]
fn the_doctor_finds_a_damaged_index() {
    let folder = ingested();
    let health = folder.json(&["doctor", "--json"]);
    assert_eq!(health["bad"], 0, "{health}");
    let store = folder.path().join(".groundtune/store");
    let mut damaged = 0;
    for entry in std::fs::read_dir(&store).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("keyword") {
            std::fs::write(&path, b"not an index").unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 0, "the keyword index lies in the store's folder");
    let health = folder.json(&["doctor", "--json"]);
    let indexes = health["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == "indexes")
        .unwrap();
    assert_eq!(indexes["finding"], "warning", "{health}");
    // Questions are answered all the same, and the next ingest mends it.
    let reply = folder.json(&["search", "--json", "return postage Alaska"]);
    assert_eq!(reply["results"][0]["document"], "docs/returns.md");
    folder.run(&["ingest"]);
    let health = folder.json(&["doctor", "--json"]);
    let checks = health["checks"].as_array().unwrap();
    assert!(checks.iter().all(|it| it["finding"] == "good"), "{health}");
}

#[test]
fn a_damaged_store_is_told_from_a_missing_one() {
    let folder = ingested();
    let store = folder.path().join(".groundtune/store");
    for entry in std::fs::read_dir(&store).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|it| it == "sqlite" || it == "db")
        {
            std::fs::write(&path, b"this is no database at all, and never was one").unwrap();
        }
    }
    assert_screen!(folder.screen(&["ask", "Is return postage free?"]), @r#"
    -- stderr --
    error: the database `[FOLDER]/.groundtune/store/groundtune.db` is damaged
      file is not a database
      Error code 26: file is not a database

    hint: move `.groundtune/store` away and run `groundtune ingest`: the documents themselves are untouched
    -- exit 1 --
    "#);
}

#[test]
fn an_access_rule_closes_a_folder() {
    let folder = Folder::project(
        "[[access]]\npath = \"hr\"\ngroups = [\"hr\"]\n",
        &[("hr/pay/2026.md", "# Pay\n\nWages rise by three percent.\n")],
    );
    folder.run(&["ingest"]);
    let question = ["search", "--json", "wages rise percent"];
    assert_eq!(folder.json(&question)["results"], serde_json::json!([]));
    let asked_as = [&question[..], &["--as", "hr"]].concat();
    assert_eq!(
        folder.json(&asked_as)["results"][0]["document"],
        "hr/pay/2026.md"
    );
}

#[test]
fn retrieval_is_measured_on_a_set() {
    let folder = Folder::empty();
    folder.write(
        "set/corpus.jsonl",
        "{\"_id\":\"a\",\"title\":\"Kettle\",\"text\":\"Descale it with citric acid.\"}\n\
         {\"_id\":\"b\",\"title\":\"Radio\",\"text\":\"Hold the key for two seconds.\"}\n",
    );
    folder.write(
        "set/queries.jsonl",
        "{\"_id\":\"1\",\"text\":\"citric acid for the kettle\"}\n\
         {\"_id\":\"2\",\"text\":\"how long is the radio's key held\"}\n",
    );
    folder.write(
        "set/qrels/test.tsv",
        "query-id\tcorpus-id\tscore\n1\ta\t1\n2\tb\t1\n",
    );
    assert_screen!(folder.screen(&["eval", "retrieval", "set"]), @r#"
    ndcg@10      [SCORE]
    recall@100   [SCORE]
    mrr@10       [SCORE]
    map          [SCORE]

    the mean over 2 judged questions
    2 passages indexed in [TIME]; a question takes [TIME], 95 of 100 take less than [TIME]
    "#);
    let report = folder.json(&["eval", "retrieval", "set", "--json"]);
    assert_eq!(report["mean"]["ndcg@10"], 1.0);
    assert_eq!(report["search"]["passages"], 2);

    folder.write("found.run", "1 Q0 b 1 2.0 x\n1 Q0 a 2 1.0 x\n");
    folder.write("right.qrels", "1 0 a 1\n2 0 b 1\n");
    assert_screen!(
        folder.screen(&["eval", "retrieval", "--run", "found.run", "--qrels", "right.qrels"]),
        @r#"
    ndcg@10      [SCORE]
    recall@100   [SCORE]
    mrr@10       [SCORE]
    map          [SCORE]

    the mean over 2 judged questions; 1 without a result count 0
    "#
    );
    let report = folder.json(&[
        "eval",
        "retrieval",
        "--run",
        "found.run",
        "--qrels",
        "right.qrels",
        "--json",
    ]);
    assert_eq!(report["mean"]["map"], 0.25);
    assert_eq!(report["mean_of_found"]["map"], 0.5);
}

/// Writes `count` vectors of 64 numbers in NumPy's format.
fn write_vectors(folder: &Folder, name: &str, count: u32) {
    let header = format!(
        "{:<117}\n",
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, 64), }}")
    );
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    let mut state = 1u32;
    for _ in 0..count * 64 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let number = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
        bytes.extend(number.to_le_bytes());
    }
    std::fs::write(folder.path().join(name), bytes).unwrap();
}

#[test]
fn the_ways_to_search_vectors_are_compared() {
    let folder = Folder::empty();
    write_vectors(&folder, "vectors.npy", 400);
    let report = folder.json(&["index", "bench", "--vectors", "vectors.npy", "--json"]);
    assert_eq!(report["vectors"], 400);
    let names: Vec<&str> = report["indexes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["exact", "int8", "binary", "hnsw", "ivf", "pq"]);
    assert_eq!(report["indexes"][0]["recall_at_10"], 1.0);

    write_vectors(&folder, "few.npy", 5);
    assert_screen!(folder.screen(&["index", "bench", "--vectors", "few.npy"]), @r#"
    -- stderr --
    error: there are 5 vectors; a comparison of indexes needs at least 100

    hint: give vectors with `--vectors FILE.npy`, or ingest documents that bring their `embedding`
    -- exit 1 --
    "#);
    let project = handbook();
    project.run(&["ingest"]);
    assert_screen!(project.screen(&["index", "bench"]), @r#"
    -- stderr --
    error: there are 4 vectors; a comparison of indexes needs at least 100

    hint: give vectors with `--vectors FILE.npy`, or ingest documents that bring their `embedding`
    -- exit 1 --
    "#);
}
