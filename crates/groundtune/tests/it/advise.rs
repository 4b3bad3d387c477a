//! The example projects, each with its answers and the advice they lead to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use groundtune::advise::{Recommendation, advise, read_answers};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples")
}

/// The rows of the table in `docs/examples/README.md`: project, and what is recommended.
fn table() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(examples().join("README.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| [`")?.split('`');
        let project = cells.next()?.to_owned();
        let recommended = cells.nth(1)?.to_owned();
        Some((project, recommended))
    });
    rows.collect()
}

#[test]
fn each_example_project_is_advised_as_its_table_says() {
    let table = table();
    assert!(table.len() >= 40, "{}", table.len());
    let mut other = Vec::new();
    for (project, expect) in &table {
        let answers = read_answers(&examples().join(project).join("answers.toml")).unwrap();
        let advice = advise(&answers, None);
        if advice.recommendation.word() != expect || !advice.feasible {
            let scales: Vec<_> = advice.scales.iter().map(|it| it.pans.tips()).collect();
            let found = advice.recommendation.word();
            other.push(format!(
                "{project}: {found}, not {expect}; {scales:?} {:?}",
                advice.limits
            ));
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}

#[test]
fn every_folder_of_examples_stands_in_the_table_and_each_recommendation_has_one() {
    let table = table();
    let named: BTreeSet<&str> = table.iter().map(|it| it.0.as_str()).collect();
    let folders = std::fs::read_dir(examples()).unwrap();
    let folders: BTreeSet<String> = folders
        .map(|it| it.unwrap())
        .filter(|it| it.path().is_dir())
        .map(|it| it.file_name().into_string().unwrap())
        .collect();
    assert!(
        folders.iter().map(String::as_str).eq(named.iter().copied()),
        "{folders:?}"
    );
    for way in Recommendation::ALL {
        assert!(table.iter().any(|it| it.1 == way.word()), "{}", way.word());
    }
}

#[test]
fn what_is_recommended_does_not_hang_on_a_single_point() {
    // Of answers that nobody gave, none alone may turn a retrieval project into one that
    // trains without retrieval: but for "it runs in a device", which leaves no choice.
    for (project, expect) in table() {
        if expect != "rag" {
            continue;
        }
        let answers = read_answers(&examples().join(&project).join("answers.toml")).unwrap();
        for flip in advise(&answers, None).flips.iter().filter(|it| it.unknown) {
            let away = !flip.recommendation.retrieves() && flip.recommendation.trains();
            assert!(!away || flip.answer == "runs_on", "{project}: {flip:?}");
        }
    }
}
