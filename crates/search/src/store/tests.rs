use std::path::Path;

use contract::{
    Chunk, ChunkId, Document, DocumentId, EmbedderId, Embedding, LineRange, Metadata, Permissions,
};

use super::*;
use crate::SearchError;

fn source(id: &str) -> Source {
    Source {
        id: id.into(),
        size: 1,
        modified_ns: 2,
        taken_ns: 3,
        fingerprint: [0; 16],
        notes: vec!["a note".into()],
    }
}

/// A document of one chunk a sentence.
fn new(id: &str, sentences: &[&str]) -> NewDocument {
    let text = sentences.concat();
    let mut at = 0;
    let chunks = sentences
        .iter()
        .map(|sentence| {
            let bytes = at..at + sentence.len();
            at = bytes.end;
            Chunk {
                headings: vec!["Top".into()],
                bytes,
                lines: LineRange { start: 1, end: 1 },
            }
        })
        .collect();
    let mut fingerprint = [0; 16];
    fingerprint[..8].copy_from_slice(&xxhash_rust::xxh3::xxh3_64(text.as_bytes()).to_le_bytes());
    let document = Document {
        id: DocumentId::new(id),
        title: Some("Title".into()),
        format: "txt".into(),
        text,
        sections: Vec::new(),
        metadata: Metadata::from([("k".into(), contract::Value::Number(1.0))]),
        permissions: Permissions::Everyone,
        embedding: None,
    };
    NewDocument {
        document,
        chunks,
        vectors: Vec::new(),
        fingerprint,
    }
}

fn put(writer: &mut Writer, id: &str, sentences: &[&str]) -> Sequence {
    let documents = vec![new(id, sentences)];
    writer
        .commit(&[Change::Put {
            source: source(id),
            documents,
        }])
        .unwrap()
}

fn texts(folder: &Path) -> Vec<(u64, String)> {
    let mut texts = Vec::new();
    Snapshot::open(folder)
        .unwrap()
        .added_since(0, |chunk, _| {
            texts.push((chunk.id.0, chunk.text));
            Ok(())
        })
        .unwrap();
    texts
}

#[test]
fn holds_what_was_put_and_replaces_what_changed() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).unwrap();
    assert_eq!(put(&mut writer, "a.md", &["One. ", "Two."]), 1);
    assert_eq!(put(&mut writer, "b.md", &["Three."]), 2);
    assert_eq!(put(&mut writer, "a.md", &["One. ", "2."]), 3);
    assert_eq!(
        texts(dir.path()),
        [(3, "Three.".into()), (4, "One. ".into()), (5, "2.".into())]
    );
    let snapshot = Snapshot::open(dir.path()).unwrap();
    assert_eq!(
        snapshot.text_of(&DocumentId::new("a.md")).unwrap().unwrap(),
        "One. 2."
    );
    assert_eq!(snapshot.removed_since(2).unwrap(), [ChunkId(1), ChunkId(2)]);
    assert_eq!(snapshot.removed_since(3).unwrap(), []);
    assert_eq!(
        snapshot.sources().unwrap(),
        [source("a.md"), source("b.md")]
    );
    assert_eq!(snapshot.check().unwrap(), Vec::<String>::new());
}

#[test]
fn the_same_again_is_no_commit() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).unwrap();
    assert_eq!(put(&mut writer, "a.md", &["One."]), 1);
    assert_eq!(put(&mut writer, "a.md", &["One."]), 1);
    assert_eq!(texts(dir.path()), [(1, "One.".into())]);
}

#[test]
fn a_chunk_number_is_never_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).unwrap();
    put(&mut writer, "a.md", &["One."]);
    writer
        .commit(&[Change::RemoveSource { id: "a.md".into() }])
        .unwrap();
    drop(writer);
    let mut writer = Writer::open(dir.path()).unwrap();
    put(&mut writer, "a.md", &["One."]);
    assert_eq!(texts(dir.path()), [(2, "One.".into())]);
}

#[test]
fn a_snapshot_sees_one_commit_while_another_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).unwrap();
    put(&mut writer, "a.md", &["One."]);
    let snapshot = Snapshot::open(dir.path()).unwrap();
    assert_eq!(snapshot.begin().unwrap(), 1);
    put(&mut writer, "b.md", &["Two."]);
    assert_eq!(snapshot.totals().unwrap().documents, 1);
    snapshot.end().unwrap();
    assert_eq!(snapshot.begin().unwrap(), 2);
    assert_eq!(snapshot.totals().unwrap().documents, 2);
}

#[test]
fn a_second_writer_is_told_who_is_writing() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Writer::open(dir.path()).unwrap();
    match Writer::open(dir.path()) {
        Err(SearchError::Locked { holder, .. }) => assert_eq!(holder, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn vectors_of_another_embedder_are_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).unwrap();
    let embed = |name: &str| {
        let embedder = EmbedderId {
            name: name.into(),
            dimensions: 2,
        };
        Embedding::new(embedder, vec![3.0, 4.0]).unwrap()
    };
    let with_vector = |id: &str, name: &str| {
        let documents = vec![NewDocument {
            vectors: vec![embed(name)],
            ..new(id, &["One."])
        }];
        Change::Put {
            source: source(id),
            documents,
        }
    };
    writer.commit(&[with_vector("a.md", "first")]).unwrap();
    let refused = writer.commit(&[with_vector("b.md", "second")]);
    assert!(
        matches!(refused, Err(SearchError::OtherEmbedder { .. })),
        "{refused:?}"
    );
    let snapshot = Snapshot::open(dir.path()).unwrap();
    assert_eq!(snapshot.totals().unwrap().documents, 1);
    let mut vectors = Vec::new();
    snapshot
        .added_since(0, |_, vector| {
            vectors.push(vector);
            Ok(())
        })
        .unwrap();
    assert_eq!(vectors, [Some(vec![0.6, 0.8])]);

    writer.clear().unwrap();
    assert_eq!(writer.commit(&[with_vector("b.md", "second")]).unwrap(), 3);
}

#[test]
fn a_later_layout_and_a_file_that_is_no_database_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Writer::open(dir.path()).unwrap());
    let path = database_path(dir.path());
    Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    assert!(matches!(
        Snapshot::open(dir.path()),
        Err(SearchError::LaterLayout {
            found: 99,
            known: LAYOUT,
            ..
        })
    ));
    fs_err::write(
        &path,
        "not a database, but long enough to look like one".repeat(100),
    )
    .unwrap();
    assert!(matches!(
        Snapshot::open(dir.path()),
        Err(SearchError::Damaged { .. })
    ));
    assert!(matches!(
        Snapshot::open(&dir.path().join("elsewhere")),
        Err(SearchError::NoStore { .. })
    ));
}

#[test]
fn a_reader_that_is_too_far_behind_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).unwrap();
    let many: Vec<String> = (0..26_000).map(|number| format!("{number} ")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    put(&mut writer, "a.md", &many);
    put(&mut writer, "a.md", &["One."]);
    let snapshot = Snapshot::open(dir.path()).unwrap();
    writer.forget_removals(2).unwrap();
    assert_eq!(
        snapshot.removals_kept_from().unwrap(),
        0,
        "there are few of them"
    );
    put(&mut writer, "a.md", &many);
    put(&mut writer, "a.md", &["Two."]);
    writer.forget_removals(3).unwrap();
    assert_eq!(snapshot.removals_kept_from().unwrap(), 0);
    writer.forget_removals(4).unwrap();
    assert_eq!(snapshot.removals_kept_from().unwrap(), 4);
    assert_eq!(snapshot.removed_since(0).unwrap(), []);
}

#[test]
fn derived_files_of_a_later_time_are_dropped() {
    let dir = tempfile::tempdir().unwrap();
    put(&mut Writer::open(dir.path()).unwrap(), "a.md", &["One."]);
    let kind = crate::derived::Kind { id: 9, version: 1 };
    let (ahead, level) = (dir.path().join("x.derived"), dir.path().join("y.derived"));
    crate::derived::write(&ahead, kind, 2, &[]).unwrap();
    crate::derived::write(&level, kind, 1, &[]).unwrap();
    drop(Writer::open(dir.path()).unwrap());
    assert!(!ahead.exists());
    assert!(level.exists());
}
