//! Holds the arrows of `ARCHITECTURE.md` against every `Cargo.toml`, so that a new
//! one is seen in review.

use std::collections::BTreeSet;
use std::path::Path;

/// Who may know whom; the same list stands in `ARCHITECTURE.md`.
const ARROWS: &[(&str, &[&str])] = &[
    ("contract", &[]),
    ("corpus", &["contract"]),
    ("search", &["contract"]),
    ("eval", &["contract"]),
    ("tensor", &[]),
    ("model", &["contract", "tensor"]),
    ("train", &["model", "tensor"]),
    ("remote", &["contract"]),
    (
        "groundtune",
        &[
            "contract", "corpus", "eval", "model", "remote", "search", "train",
        ],
    ),
    ("cli", &["groundtune"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("two folders up is the root")
}

#[test]
fn the_crates_know_whom_the_architecture_says() {
    let allowed: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let folders: BTreeSet<String> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        folders
            .iter()
            .map(String::as_str)
            .eq(allowed.iter().copied()),
        "{folders:?}"
    );
    for (name, knows) in ARROWS {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
        let known: BTreeSet<&str> = manifest
            .get("dependencies")
            .and_then(|it| it.as_table())
            .into_iter()
            .flat_map(toml::Table::keys)
            .map(String::as_str)
            .filter(|dependency| allowed.contains(dependency))
            .collect();
        assert_eq!(
            known,
            knows.iter().copied().collect(),
            "the arrows of `{name}`"
        );
    }
}

#[test]
fn the_architecture_draws_every_arrow() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (name, knows) in ARROWS {
        let line = match knows {
            [] => format!("| `{name}` | nobody |"),
            knows => format!(
                "| `{name}` | {} |",
                knows
                    .iter()
                    .map(|it| format!("`{it}`"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        assert!(
            text.contains(&line),
            "ARCHITECTURE.md lacks the line {line}"
        );
    }
}

#[test]
fn parts_print_nothing_and_read_no_environment() {
    for part in [
        "contract",
        "corpus",
        "search",
        "eval",
        "tensor",
        "model",
        "train",
        "remote",
        "groundtune",
    ] {
        for file in sources(&root().join("crates").join(part).join("src")) {
            let text = std::fs::read_to_string(&file).unwrap();
            for word in ["println!(", "eprintln!(", "std::env::var", "home_dir("] {
                assert!(!text.contains(word), "{} has `{word}`", file.display());
            }
        }
    }
}

/// The files of a crate, without modules of tests: those may ask for data by a variable.
fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files
}
