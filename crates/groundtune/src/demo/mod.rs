//! The demonstration project: a small handbook of a customer-support base.
//!
//! Wrenfield does not exist. The handbook is small enough to be read in ten
//! minutes and has what real ones have: two jurisdictions that say nearly the same,
//! a page that not everyone may read, tables, manuals and a page saved from the
//! web. The questions beside it name the document that answers each, and some that
//! none answers.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The files of the project: where each lies in it, and its text.
///
/// Its `.gitignore` names everything, so that trying it inside a repository leaves
/// nothing untracked there.
pub const FILES: &[(&str, &str)] = &[
    (".gitignore", "*\n"),
    ("groundtune.toml", include_str!("files/groundtune.toml")),
    ("questions.jsonl", include_str!("files/questions.jsonl")),
    ("examples.jsonl", include_str!("files/examples.jsonl")),
    (
        "handbook/about.txt",
        include_str!("files/handbook/about.txt"),
    ),
    ("handbook/faq.json", include_str!("files/handbook/faq.json")),
    (
        "handbook/gift-cards.md",
        include_str!("files/handbook/gift-cards.md"),
    ),
    (
        "handbook/internal/goodwill.md",
        include_str!("files/handbook/internal/goodwill.md"),
    ),
    (
        "handbook/opening-hours.md",
        include_str!("files/handbook/opening-hours.md"),
    ),
    (
        "handbook/payments.html",
        include_str!("files/handbook/payments.html"),
    ),
    (
        "handbook/privacy.md",
        include_str!("files/handbook/privacy.md"),
    ),
    (
        "handbook/products/kettle-k2.md",
        include_str!("files/handbook/products/kettle-k2.md"),
    ),
    (
        "handbook/products/lamp-l3.md",
        include_str!("files/handbook/products/lamp-l3.md"),
    ),
    (
        "handbook/products/radio-r1.txt",
        include_str!("files/handbook/products/radio-r1.txt"),
    ),
    (
        "handbook/returns-eu.md",
        include_str!("files/handbook/returns-eu.md"),
    ),
    (
        "handbook/returns-us.md",
        include_str!("files/handbook/returns-us.md"),
    ),
    (
        "handbook/shipping-rates.csv",
        include_str!("files/handbook/shipping-rates.csv"),
    ),
    (
        "handbook/shipping.md",
        include_str!("files/handbook/shipping.md"),
    ),
    (
        "handbook/technical-support.md",
        include_str!("files/handbook/technical-support.md"),
    ),
    (
        "handbook/warranty-eu.md",
        include_str!("files/handbook/warranty-eu.md"),
    ),
    (
        "handbook/warranty-us.md",
        include_str!("files/handbook/warranty-us.md"),
    ),
];

/// Why the project could not be laid out.
#[derive(Debug, Error)]
pub enum DemoError {
    /// A file of that name says something else.
    #[error("`{}` exists already, with another text, and is left as it is", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("the demonstration could not be laid out")]
    Io(#[from] io::Error),
}

/// Lays the project out in `folder`, which is made if need be.
///
/// Files that are there already with the same text are left alone, so it can be
/// done again. Fails with [`DemoError::Changed`], before anything is written, if one
/// has another text.
pub fn write(folder: &Path) -> Result<(), DemoError> {
    let mut missing = Vec::new();
    for (name, text) in FILES {
        let path = folder.join(name);
        match fs_err::read(&path) {
            Ok(found) if found == text.as_bytes() => {}
            Ok(_) => return Err(DemoError::Changed { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push((path, text)),
            Err(error) => return Err(error.into()),
        }
    }
    for (path, text) in missing {
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::write(&path, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn is_laid_out_twice_and_never_over_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("demo");
        write(&root).unwrap();
        let page = root.join("handbook/returns-us.md");
        fs_err::remove_file(&page).unwrap();
        write(&root).unwrap();
        assert!(page.is_file());
        fs_err::write(&page, "45 days").unwrap();
        assert!(matches!(write(&root), Err(DemoError::Changed { path }) if path == page));
        assert_eq!(fs_err::read_to_string(&page).unwrap(), "45 days");
    }

    #[test]
    fn its_configuration_is_understood() {
        let config: crate::config::Config = include_str!("files/groundtune.toml").parse().unwrap();
        assert_eq!(config.access.len(), 1);
    }

    #[test]
    fn every_question_names_a_file_that_exists() {
        let files: BTreeSet<&str> = FILES.iter().map(|(name, _)| *name).collect();
        let mut unanswerable = 0;
        for line in include_str!("files/questions.jsonl").lines() {
            let question: serde_json::Value = serde_json::from_str(line).unwrap();
            if question["answerable"] == false {
                unanswerable += 1;
                continue;
            }
            let document = question["document"].as_str().unwrap();
            let file = document.split('#').next().unwrap();
            assert!(files.contains(file), "{line}");
        }
        assert_eq!(unanswerable, 8);
    }
}
