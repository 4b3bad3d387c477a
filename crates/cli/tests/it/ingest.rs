//! Reading documents: what is taken, what is passed over, what a second run does.

use crate::support::{Folder, assert_screen, handbook};

#[test]
fn a_second_run_takes_nothing() {
    let folder = handbook();
    assert_screen!(folder.screen(&["ingest"]), @"Took 4 documents: [N] chunks in 4 documents ([TIME])");
    assert_screen!(folder.screen(&["ingest"]), @"Nothing changed: [N] chunks in 4 documents ([TIME])");
}

#[test]
fn a_change_and_a_deletion_are_seen_by_the_next_question() {
    let folder = handbook();
    folder.run(&["ingest"]);
    folder.write(
        "docs/returns-eu.md",
        "# Returns in Europe\n\nAnything may be returned within 90 days of delivery.\n",
    );
    folder.remove("docs/rates.csv");
    assert_screen!(folder.screen(&["ingest"]), @"Took 1 document, removed 1: [N] chunks in 3 documents ([TIME])");
    let reply = folder.json(&[
        "search",
        "--json",
        "returned within days of delivery in Europe",
    ]);
    assert!(reply.to_string().contains("90 days"), "{reply}");
    assert!(!reply.to_string().contains("60 days"), "{reply}");
    let reply = folder.json(&["search", "--json", "price to Norway"]);
    assert!(!reply.to_string().contains("rates.csv"), "{reply}");
}

#[test]
fn every_commit_is_acknowledged_as_json() {
    let folder = handbook();
    let lines = folder.json_lines(&["ingest", "--json"]);
    let (summary, commits) = lines.split_last().expect("there is a summary");
    let mut documents: Vec<&str> = commits
        .iter()
        .filter(|line| line["event"] == "committed")
        .flat_map(|line| line["documents"].as_array().expect("it is a list"))
        .map(|id| id.as_str().expect("it is text"))
        .collect();
    documents.sort_unstable();
    assert_eq!(
        documents,
        [
            "docs/leads.md",
            "docs/rates.csv",
            "docs/returns-eu.md",
            "docs/returns.md",
        ]
    );
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["documents"], 4);
    assert_eq!(summary["sequence"], commits[commits.len() - 1]["sequence"]);

    let again = folder.json_lines(&["ingest", "--json"]);
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!(again[0]["documents"], 0);
}

#[test]
fn an_empty_folder_is_no_error() {
    let folder = Folder::project("", &[]);
    assert_screen!(folder.screen(&["ingest"]), @r#"
    -- stderr --
    There are no documents to read.

    hint: put files beside `groundtune.toml`, or name their folder in its `paths`; hidden files and what `.gitignore` names are left out
    "#);
}

#[test]
fn a_file_that_cannot_be_read_does_not_stop_the_others() {
    let folder = Folder::project("", &[("good.md", "# Good\n\nRead me.\n"), ("empty.md", "")]);
    std::fs::write(
        folder.path().join("picture.md"),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0",
    )
    .unwrap();
    assert_screen!(folder.screen(&["ingest"]), @r#"
    Took 1 document: 1 chunk in 1 document ([TIME])
    -- stderr --
    warning: `empty.md` is empty; write something into it, or leave it out
    warning: `picture.md` is not text but a PNG picture; leave it out, or convert it to a format that is read
    2 files gave no document; see above.
    "#);
    assert_screen!(folder.screen(&["status"]), @r#"
    project      [FOLDER]
    documents    1  everyone may read each of them
    chunks       1
    vectors      1  all-MiniLM-L6-v2-static-256@903529341fc93aa8 (256 dimensions)
    text         [SIZE]
    on disk      [SIZE]
    in memory    [SIZE]  while answering
    last commit  1

    2 files without a document:
      `empty.md` is empty; write something into it, or leave it out
      `picture.md` is not text but a PNG picture; leave it out, or convert it to a format that is read
    "#);
}

#[test]
fn a_path_that_is_not_there_is_named() {
    let folder = handbook();
    assert_screen!(folder.screen(&["ingest", "dcos"]), @r#"
    -- stderr --
    error: there is no file or folder `[FOLDER]/dcos`; correct the path, or make it
      failed to query resolved metadata `[FOLDER]/dcos`: No such file or directory (os error 2)
    -- exit 1 --
    "#);
}

#[test]
fn paths_are_taken_from_where_one_stands() {
    let folder = handbook();
    let output = folder
        .command(&["ingest", "returns.md", "--json"])
        .current_dir(folder.path().join("docs"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(r#""documents":["docs/returns.md"]"#),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn an_unreadable_folder_is_a_warning() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    let folder = handbook();
    folder.write("closed/secret.md", "# Secret\n");
    let closed = folder.path().join("closed");
    let with_mode = |mode| std::fs::set_permissions(&closed, Permissions::from_mode(mode));
    with_mode(0o000).unwrap();
    if std::fs::read_dir(&closed).is_ok() {
        // The superuser reads everything; there is nothing to see here.
        with_mode(0o755).unwrap();
        return;
    }
    let screen = folder.screen(&["ingest"]);
    with_mode(0o755).unwrap();
    assert!(screen.contains("warning: `closed`: "), "{screen}");
    assert!(screen.contains("Permission denied"), "{screen}");
    assert!(screen.contains("4 documents"), "{screen}");
}

#[cfg(target_os = "linux")]
#[test]
fn names_may_have_blanks_and_bytes_that_are_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let folder = Folder::project("", &[("our rules/first page.md", "# One\n\nFirst.\n")]);
    folder.write(OsStr::from_bytes(b"caf\xe9.md"), "# Two\n\nSecond.\n");
    let lines = folder.json_lines(&["ingest", "--json"]);
    assert_eq!(
        lines[0]["documents"],
        serde_json::json!(["caf%E9.md", "our rules/first page.md"])
    );
    assert_screen!(folder.screen(&["documents", "list"]), @r#"
    caf%E9.md                    [SIZE]  Two
    our rules/first page.md      [SIZE]  One
    -- stderr --
    2 documents; filter by bytes, format, modified, path
    "#);
    assert_screen!(folder.screen(&["documents", "show", "our rules/first page.md"]), @r#"
    # One

    First.
    -- stderr --
    bytes: 14
    format: md
    modified: [DATE]
    path: our rules/first page.md
    "#);
}

#[cfg(unix)]
#[test]
fn a_watch_takes_changes_until_it_is_interrupted() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    let folder = handbook();
    let mut watch = folder
        .command(&["ingest", "--watch", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = || -> serde_json::Value {
        let line = lines.next().expect("the program goes on").unwrap();
        serde_json::from_str(&line).unwrap()
    };
    while next()["event"] != "summary" {}
    folder.write("docs/new.md", "# New\n\nThis page came later.\n");
    let committed = next();
    assert_eq!(committed["documents"], serde_json::json!(["docs/new.md"]));
    // `next` has seen the acknowledgement, so the page is found.
    let reply = folder.json(&["search", "--json", "page that came later"]);
    assert_eq!(reply["results"][0]["document"], "docs/new.md");
    let killed = Command::new("kill")
        .args(["-INT", &watch.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert!(watch.wait().unwrap().success());
}
