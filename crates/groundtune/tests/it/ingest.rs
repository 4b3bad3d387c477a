//! Only what changed is taken, what is gone is removed, and every change is found at
//! the next question of a session that is already open.

use std::ops::ControlFlow;
use std::path::PathBuf;

use groundtune::{Error, IngestEvent, IngestRequest, SearchError, ingest};

use crate::fake::{Folder, ask, found};

const RETURNS: &str = "# Returns\n\nYou may return goods within 30 days.\n";
const SHIPPING: &str = "# Shipping\n\nShipping is free over $50.\n";

#[test]
fn only_what_changed_is_taken() {
    let folder = Folder::new(&[("returns.md", RETURNS), ("shipping.md", SHIPPING)]);
    let first = folder.ingest();
    assert_eq!((first.files, first.documents, first.unchanged), (2, 2, 0));
    let second = folder.ingest();
    assert_eq!(
        (second.files, second.documents, second.unchanged),
        (0, 0, 2)
    );
    assert_eq!(second.sequence, first.sequence);

    folder.write(
        "returns.md",
        "# Returns\n\nYou may return goods within 60 days.\n",
    );
    let third = folder.ingest();
    assert_eq!((third.files, third.documents, third.unchanged), (1, 1, 1));
    let answer = folder
        .session()
        .ask(&ask("return goods within days"))
        .unwrap()
        .answer;
    assert_eq!(answer.text, "You may return goods within 60 days. [1]");
}

#[test]
fn a_touched_file_is_looked_at_but_not_taken_again() {
    let folder = Folder::new(&[("returns.txt", RETURNS)]);
    let first = folder.ingest();
    folder.write("returns.txt", RETURNS);
    let second = folder.ingest();
    assert_eq!((second.files, second.documents), (1, 0));
    assert_eq!(second.sequence, first.sequence);
}

#[test]
fn an_open_session_sees_every_change() {
    let folder = Folder::new(&[("returns.md", RETURNS)]);
    folder.ingest();
    let mut session = folder.session();
    assert_eq!(found(&mut session, &ask("free shipping")), [""; 0]);

    folder.write("shipping.md", SHIPPING);
    folder.ingest();
    assert_eq!(found(&mut session, &ask("free shipping")), ["shipping.md"]);

    folder.write("shipping.md", "# Shipping\n\nParcels leave daily.\n");
    folder.ingest();
    assert_eq!(found(&mut session, &ask("free")), [""; 0]);
    assert_eq!(found(&mut session, &ask("parcels")), ["shipping.md"]);

    std::fs::remove_file(folder.path("shipping.md")).unwrap();
    let summary = folder.ingest();
    assert_eq!(summary.gone, 1);
    assert_eq!(found(&mut session, &ask("parcels")), [""; 0]);
}

#[test]
fn a_path_named_alone_leaves_the_others_as_they_are() {
    let folder = Folder::new(&[("a/one.md", RETURNS), ("b/two.md", SHIPPING)]);
    folder.ingest();
    std::fs::remove_dir_all(folder.path("a")).unwrap();
    std::fs::remove_dir_all(folder.path("b")).unwrap();
    let request = IngestRequest {
        paths: vec![PathBuf::from("b")],
        rebuild: false,
    };
    assert_eq!(folder.ingest_with(&request, None).gone, 1);
    assert_eq!(folder.found("return goods"), ["a/one.md"]);
    assert_eq!(folder.found("free shipping"), [""; 0]);
}

#[test]
fn a_document_removed_by_hand_stays_away_until_its_file_changes() {
    let folder = Folder::new(&[("returns.md", RETURNS), ("shipping.md", SHIPPING)]);
    folder.ingest();
    let id = groundtune::contract::DocumentId::new("returns.md");
    groundtune::remove_documents(&folder.project, std::slice::from_ref(&id)).unwrap();
    assert_eq!(folder.found("return goods"), [""; 0]);
    folder.ingest();
    assert_eq!(folder.found("return goods"), [""; 0]);
    folder.write(
        "returns.md",
        "# Returns\n\nReturn goods whenever you like.\n",
    );
    folder.ingest();
    assert_eq!(folder.found("return goods"), ["returns.md"]);
    match groundtune::remove_documents(
        &folder.project,
        &[groundtune::contract::DocumentId::new("retuns.md")],
    ) {
        Err(Error::NoDocument { nearest, .. }) => {
            assert_eq!(nearest.as_deref(), Some("returns.md"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_is_refused_is_named_and_the_rest_goes_on() {
    let folder = Folder::new(&[("returns.md", RETURNS), ("empty.md", " \n")]);
    folder.write("picture.md", [0_u8, 159, 146, 150, 0, 1, 2, 3]);
    let summary = folder.ingest();
    assert_eq!(summary.documents, 1);
    let skipped: Vec<&str> = summary.skipped.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(skipped, ["empty.md", "picture.md"]);
    let status = groundtune::status(&folder.project).unwrap();
    assert_eq!(status.without_document.len(), 2);
    assert_eq!(folder.ingest().unchanged, 3);
}

#[test]
fn the_questions_of_a_comparison_are_no_documents() {
    let asked = r#"{"question": "How long may I return goods?", "answer": "30 days"}"#;
    let mut folder = Folder::new(&[("returns.md", RETURNS), ("questions.jsonl", asked)]);
    assert_eq!(folder.ingest().total_documents, 2);
    // Named as such after it was taken, it is forgotten.
    folder.project.config.compare.examples = vec!["questions.jsonl".into()];
    let summary = folder.ingest();
    assert_eq!((summary.gone, summary.total_documents), (1, 1));
    let skipped: Vec<&str> = summary.skipped.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(skipped, ["questions.jsonl"]);
    assert!(summary.skipped[0].reason.contains("[compare]"));
    assert_eq!(
        found(&mut folder.session(), &ask("return goods")),
        ["returns.md"]
    );
}

#[test]
fn every_commit_is_told_with_what_it_holds() {
    let folder = Folder::new(&[("returns.md", RETURNS), ("shipping.md", SHIPPING)]);
    let mut told = Vec::new();
    ingest(
        &folder.project,
        &IngestRequest::default(),
        None,
        &mut |event| {
            if let IngestEvent::Committed { documents, .. } = event {
                told.extend(documents.iter().map(ToString::to_string));
            }
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(told, ["returns.md", "shipping.md"]);
}

#[test]
fn stopping_keeps_what_was_committed_and_the_next_run_goes_on() {
    let folder = Folder::new(&[]);
    for number in 0..200 {
        folder.write(
            &format!("{number:03}.md"),
            format!("# Page {number}\n\nword{number}\n"),
        );
    }
    let summary = ingest(
        &folder.project,
        &IngestRequest::default(),
        None,
        &mut |event| match event {
            IngestEvent::Committed { .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        },
    )
    .unwrap();
    assert!(summary.interrupted);
    assert!(
        summary.documents > 0 && summary.documents < 200,
        "{}",
        summary.documents
    );
    assert_eq!(folder.found("word0"), ["000.md"]);
    let rest = folder.ingest();
    assert_eq!(rest.documents + summary.documents, 200);
    assert_eq!(rest.unchanged, summary.documents);
}

#[test]
fn two_at_once_are_told_apart() {
    let folder = Folder::new(&[("returns.md", RETURNS)]);
    let mut inner = None;
    ingest(
        &folder.project,
        &IngestRequest::default(),
        None,
        &mut |_| {
            if inner.is_none() {
                let again = ingest(
                    &folder.project,
                    &IngestRequest::default(),
                    None,
                    &mut |_| ControlFlow::Continue(()),
                );
                inner = Some(again);
            }
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    let error = inner.unwrap().unwrap_err();
    assert!(
        matches!(error, Error::Search(SearchError::Locked { .. })),
        "{error:?}"
    );
    assert!(error.hint().is_some());
}

#[test]
fn damaged_and_missing_derived_files_are_built_again() {
    let folder = Folder::new(&[("returns.md", RETURNS), ("shipping.md", SHIPPING)]);
    folder.ingest();
    let keyword = folder.project.store_folder().join("keyword.derived");
    let whole = std::fs::read(&keyword).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 4;
    for sick in [&whole[..whole.len() / 3], &flipped, b"".as_slice()] {
        std::fs::write(&keyword, sick).unwrap();
        let mut session = folder.session();
        assert_eq!(session.report.rebuilt.len(), 1, "{:?}", session.report);
        assert_eq!(found(&mut session, &ask("free shipping")), ["shipping.md"]);
    }
    std::fs::remove_file(&keyword).unwrap();
    assert_eq!(folder.found("free shipping"), ["shipping.md"]);
    folder.ingest();
    assert!(
        folder.session().report.is_current,
        "an ingest writes them again"
    );
}

#[test]
fn a_store_put_back_from_a_copy_is_searched_as_it_is() {
    let folder = Folder::new(&[("returns.md", RETURNS)]);
    folder.ingest();
    let database = folder.project.store_folder().join("groundtune.db");
    let copy = std::fs::read(&database).unwrap();
    folder.write("shipping.md", SHIPPING);
    folder.ingest();
    std::fs::write(&database, copy).unwrap();
    let mut session = folder.session();
    assert_eq!(found(&mut session, &ask("free shipping")), [""; 0]);
    assert_eq!(found(&mut session, &ask("return goods")), ["returns.md"]);

    // As many commits as before, but other ones.
    std::fs::remove_file(folder.path("shipping.md")).unwrap();
    folder.write("lamps.md", "# Lamps\n\nLamps glow.\n");
    folder.ingest();
    assert_eq!(folder.found("free shipping"), [""; 0]);
    assert_eq!(folder.found("lamps"), ["lamps.md"]);
}

#[test]
fn names_of_every_kind_and_a_link_that_leads_back() {
    let folder = Folder::new(&[("with space/ä b.md", RETURNS)]);
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let name = std::ffi::OsStr::from_bytes(b"caf\xE9.md");
        std::fs::write(folder.project.root.join(name), SHIPPING).unwrap();
        std::os::unix::fs::symlink(&folder.project.root, folder.path("with space/loop")).unwrap();
    }
    let summary = folder.ingest();
    assert_eq!(folder.found("return goods"), ["with space/ä b.md"]);
    #[cfg(unix)]
    {
        assert_eq!(folder.found("free shipping"), ["caf%E9.md"]);
        assert_eq!(summary.skipped.len(), 1, "{:?}", summary.skipped);
    }
    assert_eq!(folder.ingest().documents, 0);
}

#[test]
fn the_same_text_in_two_files_is_two_documents() {
    let folder = Folder::new(&[("a.md", RETURNS), ("b.md", RETURNS)]);
    assert_eq!(folder.ingest().documents, 2);
    assert_eq!(folder.found("return goods"), ["a.md", "b.md"]);
}

#[test]
fn nothing_ingested_is_said() {
    let folder = Folder::new(&[]);
    let error = groundtune::Session::open(&folder.project).err().unwrap();
    assert!(matches!(error, Error::NothingIngested { .. }), "{error:?}");
}

#[test]
fn what_lies_outside_stays_until_it_is_asked_for_again() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("lamps.md"), "# Lamps\n\nLamps glow.\n").unwrap();
    let folder = Folder::new(&[("returns.md", RETURNS), ("sub/x.md", SHIPPING)]);
    folder.ingest();
    // The same place, by a roundabout way.
    let name = outside.path().file_name().unwrap();
    let path = outside.path().join("..").join(name);
    let request = IngestRequest {
        paths: vec![path],
        rebuild: false,
    };
    assert_eq!(folder.ingest_with(&request, None).documents, 1);
    let expect = outside.path().join("lamps.md").to_str().unwrap().to_owned();
    assert_eq!(folder.found("lamps"), std::slice::from_ref(&expect));
    assert_eq!(folder.ingest().gone, 0);
    assert_eq!(folder.found("lamps"), [expect]);
    std::fs::remove_file(outside.path().join("lamps.md")).unwrap();
    assert_eq!(folder.ingest_with(&request, None).gone, 1);
    assert_eq!(folder.found("lamps"), [""; 0]);
    let request = IngestRequest {
        paths: vec![PathBuf::from("sub/../sub")],
        rebuild: false,
    };
    assert_eq!(folder.ingest_with(&request, None).unchanged, 1);
}
