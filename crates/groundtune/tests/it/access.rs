//! No search, whatever its filter, index, cache or history, returns a chunk that its
//! reader may not read.

use std::collections::BTreeSet;

use groundtune::Filter;
use proptest::prelude::*;

use crate::fake::{Folder, WordEmbedder, ask_as, found};
use groundtune::IngestRequest;

#[test]
fn rules_and_front_matter_close_and_groups_open() {
    let folder = Folder::with_config(
        "[[access]]\npath = \"hr/**\"\ngroups = [\"hr\", \"board\"]\n",
        &[
            ("hr/pay.md", "# Pay\n\nSalaries rise in May.\n"),
            (
                "hr/bonus.md",
                "---\ngroups: board\n---\n# Bonus\n\nSalaries of the board.\n",
            ),
            ("open.md", "# Open\n\nSalaries are paid monthly.\n"),
        ],
    );
    folder.ingest();
    let mut session = folder.session();
    let mut check = |groups: &[&str], expect: &[&str]| {
        let documents: BTreeSet<String> = found(&mut session, &ask_as("salaries", groups))
            .into_iter()
            .collect();
        assert_eq!(
            documents,
            expect.iter().map(|it| (*it).to_owned()).collect(),
            "{groups:?}"
        );
    };
    check(&[], &["open.md"]);
    check(&["hr"], &["hr/pay.md", "open.md"]);
    check(&["board"], &["hr/bonus.md", "hr/pay.md", "open.md"]);
    check(&["sales"], &["open.md"]);
}

#[test]
fn a_rule_that_is_added_closes_what_was_open() {
    let mut folder = Folder::new(&[("hr/pay.md", "# Pay\n\nSalaries rise in May.\n")]);
    folder.ingest();
    let mut session = folder.session();
    assert_eq!(found(&mut session, &ask_as("salaries", &[])), ["hr/pay.md"]);
    let rules = "[[access]]\npath = \"hr\"\ngroups = [\"hr\"]\n";
    std::fs::write(folder.project.config_path(), rules).unwrap();
    folder.project = groundtune::Project::open(&folder.project.root).unwrap();
    folder.ingest();
    assert_eq!(found(&mut session, &ask_as("salaries", &[])), [""; 0]);
    assert_eq!(
        found(&mut session, &ask_as("salaries", &["hr"])),
        ["hr/pay.md"]
    );
}

#[test]
fn a_key_that_only_others_have_is_not_told() {
    let folder = Folder::new(&[
        ("a.md", "---\ngroups: hr\nsecretkey: 1\n---\nPay.\n"),
        ("b.md", "---\nopenkey: 1\n---\nPay.\n"),
    ]);
    folder.ingest();
    let mut session = folder.session();
    let mut question = ask_as("pay", &[]);
    question.filter = Some(Filter::parse("secretke = 1").unwrap());
    let error = session.search(&question).unwrap_err();
    assert_eq!(
        error.hint().as_deref(),
        Some("`groundtune documents list` shows the keys that documents have")
    );
    question.reader = groundtune::contract::Reader::of(["hr"]);
    let error = session.search(&question).unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("did you mean `secretkey`?"));
}

const GROUPS: [&str; 3] = ["red", "green", "blue"];

/// What is done to the store between questions.
#[derive(Clone, Debug)]
enum Step {
    Write {
        file: usize,
        groups: Vec<usize>,
        year: u32,
    },
    Remove {
        file: usize,
    },
    Ask {
        groups: Vec<usize>,
        since: Option<u32>,
        again: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let groups = || prop::collection::vec(0..GROUPS.len(), 0..3);
    prop_oneof![
        (0..8usize, groups(), 2020..2026u32).prop_map(|(file, groups, year)| Step::Write {
            file,
            groups,
            year
        }),
        (0..8usize).prop_map(|file| Step::Remove { file }),
        (groups(), prop::option::of(2020..2026u32), any::<bool>()).prop_map(
            |(groups, since, again)| Step::Ask {
                groups,
                since,
                again
            }
        ),
        (groups(), prop::option::of(2020..2026u32), any::<bool>()).prop_map(
            |(groups, since, again)| Step::Ask {
                groups,
                since,
                again
            }
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn nobody_finds_what_they_may_not_read(
        steps in prop::collection::vec(step(), 1..14),
        with_vectors in any::<bool>(),
    ) {
        let folder = Folder::new(&[("keep.md", "---\nyear: 2025\n---\nSalary keep.\n")]);
        let embedder = WordEmbedder::new("words");
        let ingest = || {
            folder.ingest_with(&IngestRequest::default(), with_vectors.then_some(&embedder as _))
        };
        ingest();
        let mut session = folder.session();
        if with_vectors {
            session = session.with_embedder(Box::new(WordEmbedder::new("words")));
        }
        // What is true: each file's groups (none: everyone) and year.
        let mut truth: Vec<Option<(Vec<usize>, u32)>> = vec![None; 8];
        for step in steps {
            match step {
                Step::Write { file, groups, year } => {
                    let names: Vec<&str> = groups.iter().map(|it| GROUPS[*it]).collect();
                    let access = if names.is_empty() {
                        String::new()
                    } else {
                        format!("groups: [{}]\n", names.join(", "))
                    };
                    let text = format!("---\nyear: {year}\n{access}---\nThe salary of {file}.\n");
                    folder.write(&format!("f{file}.md"), text);
                    truth[file] = Some((groups, year));
                    ingest();
                }
                Step::Remove { file } => {
                    let _ = std::fs::remove_file(folder.path(&format!("f{file}.md")));
                    truth[file] = None;
                    ingest();
                }
                Step::Ask { groups, since, again } => {
                    let names: Vec<&str> = groups.iter().map(|it| GROUPS[*it]).collect();
                    let mut question = ask_as("salary", &names);
                    question.top_k = Some(20);
                    question.filter = since
                        .map(|year| Filter::parse(&format!("year >= {year}")).unwrap());
                    let may = |(needed, year): &(Vec<usize>, u32)| {
                        (needed.is_empty() || needed.iter().any(|it| groups.contains(it)))
                            && since.is_none_or(|since| *year >= since)
                    };
                    let mut expect: BTreeSet<String> = (0..8)
                        .filter(|file| truth[*file].as_ref().is_some_and(may))
                        .map(|file| format!("f{file}.md"))
                        .collect();
                    expect.insert("keep.md".into());
                    for _ in 0..=usize::from(again) {
                        let found: BTreeSet<String> =
                            found(&mut session, &question).into_iter().collect();
                        prop_assert_eq!(&found, &expect);
                    }
                }
            }
        }
    }
}
