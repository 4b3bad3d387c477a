//! Looking at a project: what its store holds, and whether all is well with it.

use std::collections::HashSet;
use std::path::Path;

use contract::{Bytes, DocumentId, Permissions};
use search::SearchError;
use search::store::{Change, Sequence, Snapshot, Totals, Writer};
use search::{OpenReport, Searcher};

use crate::{Error, Project};

/// What a project's store holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// How much it holds.
    pub totals: Totals,
    /// The last commit.
    pub sequence: Sequence,
    /// Whose vectors it holds, if any.
    pub embedder: Option<contract::EmbedderId>,
    /// Documents that not everyone may read.
    pub restricted: usize,
    /// Files that gave no document, with the reason.
    pub without_document: Vec<(String, String)>,
    /// The store's length on the disk, derived files included.
    pub disk: Bytes,
    /// What was found out about the derived files.
    pub indexes: OpenReport,
    /// Memory that the indexes take.
    pub memory: Bytes,
}

/// Returns what the store of `project` holds.
pub fn status(project: &Project) -> Result<Status, Error> {
    let folder = project.store_folder();
    let (searcher, indexes) = project.open_searcher()?;
    let snapshot = searcher.snapshot();
    let sequence = snapshot.begin()?;
    let documents = snapshot.documents()?;
    let mut without_document = Vec::new();
    let with: HashSet<&str> = documents.iter().map(|it| it.source.as_str()).collect();
    for source in snapshot.sources()? {
        if !with.contains(source.id.as_str()) {
            let reason = source.notes.last().cloned().unwrap_or_default();
            without_document.push((source.id, reason));
        }
    }
    let status = Status {
        totals: snapshot.totals()?,
        sequence,
        embedder: snapshot.embedder()?,
        restricted: documents
            .iter()
            .filter(|it| it.permissions != Permissions::Everyone)
            .count(),
        without_document,
        disk: Bytes(folder_size(&folder)?),
        memory: Bytes(searcher.memory() as u64),
        indexes,
    };
    snapshot.end()?;
    Ok(status)
}

fn folder_size(folder: &Path) -> Result<u64, Error> {
    let io = |source| Error::Io {
        path: folder.into(),
        source,
    };
    let mut size = 0;
    for entry in fs_err::read_dir(folder).map_err(io)? {
        // A file that is replaced just now is not worth failing for.
        size += entry
            .and_then(|entry| entry.metadata())
            .map_or(0, |about| about.len());
    }
    Ok(size)
}

/// Returns the length of a file, or of all files in a folder.
pub(crate) fn size_of(path: &Path) -> Result<u64, Error> {
    if path.is_dir() {
        return folder_size(path);
    }
    let about = fs_err::metadata(path).map_err(|source| Error::Io {
        path: path.into(),
        source,
    })?;
    Ok(about.len())
}

/// Removes the documents `ids` from the store in one commit. They stay away until
/// their file changes or everything is taken anew.
///
/// Fails, removing nothing, if one of them is not there.
pub fn remove_documents(project: &Project, ids: &[DocumentId]) -> Result<Sequence, Error> {
    let folder = project.store_folder();
    if !folder.exists() {
        return Err(Error::NothingIngested {
            root: project.root.clone(),
        });
    }
    let mut writer = Writer::open(&folder)?;
    let snapshot = Snapshot::open(&folder)?;
    for id in ids {
        if snapshot.document(id)?.is_none() {
            let documents = snapshot.documents()?;
            let known = documents.iter().map(|it| it.id.as_str());
            return Err(Error::no_document(id, known));
        }
    }
    let changes: Vec<Change> = ids
        .iter()
        .map(|id| Change::RemoveDocument { id: id.clone() })
        .collect();
    let sequence = writer.commit(&changes)?;
    let (mut searcher, _) = Searcher::open(&folder, project.index_settings())?;
    searcher.save(&mut writer)?;
    Ok(sequence)
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// What was found.
    pub finding: Finding,
    /// What was seen, in a sentence.
    pub detail: String,
    /// What to do about it, if something is to be done.
    pub hint: Option<String>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// All is well.
    Good,
    /// It works, but should be looked at.
    Warning,
    /// It does not work.
    Bad,
}

/// Looks at everything that could be wrong with `project`. Reads the whole store.
pub fn doctor(project: &Project) -> Result<Vec<Check>, Error> {
    let mut checks = vec![Check {
        name: "processor",
        finding: Finding::Good,
        detail: format!(
            "vectors are compared with {}",
            search::vector::simd::Kernels::best().name
        ),
        hint: None,
    }];
    let folder = project.store_folder();
    let snapshot = match Snapshot::open(&folder) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            let missing = matches!(error, SearchError::NoStore { .. });
            let error = Error::from(error);
            checks.push(Check {
                name: "store",
                finding: if missing {
                    Finding::Warning
                } else {
                    Finding::Bad
                },
                detail: if missing {
                    "nothing has been ingested yet".into()
                } else {
                    chain(&error)
                },
                hint: error.hint(),
            });
            return Ok(checks);
        }
    };
    checks.push(check_store(&snapshot));
    checks.push(check_indexes(project));
    checks.push(check_sources(&snapshot)?);
    checks.push(check_readers(&snapshot)?);
    checks.push(check_writer(&folder));
    Ok(checks)
}

fn check_store(snapshot: &Snapshot) -> Check {
    let looked = snapshot.check().map_err(Error::from).and_then(|wrong| {
        let totals = snapshot.totals()?;
        Ok((wrong, totals))
    });
    let (finding, detail, hint) = match looked {
        Ok((wrong, totals)) if wrong.is_empty() => (
            Finding::Good,
            format!(
                "{} documents, {} chunks, every page checked",
                totals.documents, totals.chunks
            ),
            None,
        ),
        Ok((wrong, _)) => (
            Finding::Bad,
            wrong.join("; "),
            Some(
                "run `groundtune ingest --rebuild`: the documents themselves are untouched".into(),
            ),
        ),
        Err(error) => (Finding::Bad, chain(&error), error.hint()),
    };
    Check {
        name: "store",
        finding,
        detail,
        hint,
    }
}

fn check_indexes(project: &Project) -> Check {
    let rebuild = Some("run `groundtune ingest`: it writes them anew".to_owned());
    let (finding, detail, hint) =
        match Searcher::open(&project.store_folder(), project.index_settings()) {
            Ok((_, report)) if !report.rebuilt.is_empty() => {
                (Finding::Warning, report.rebuilt.join("; "), rebuild)
            }
            Ok((_, report)) if report.behind > 0 => (
                Finding::Warning,
                format!(
                    "{} commits behind; every question catches up first",
                    report.behind
                ),
                rebuild,
            ),
            Ok((_, report)) if !report.is_current => (
                Finding::Warning,
                "not written yet; every question builds them".into(),
                rebuild,
            ),
            Ok(_) => (Finding::Good, "up to date, checksums match".into(), None),
            Err(error) => {
                let error = Error::from(error);
                (Finding::Bad, chain(&error), error.hint())
            }
        };
    Check {
        name: "indexes",
        finding,
        detail,
        hint,
    }
}

fn check_sources(snapshot: &Snapshot) -> Result<Check, Error> {
    let sources = snapshot.sources()?;
    let odd: Vec<&str> = sources
        .iter()
        .filter(|it| !it.notes.is_empty())
        .map(|it| it.id.as_str())
        .collect();
    Ok(Check {
        name: "files",
        finding: if odd.is_empty() {
            Finding::Good
        } else {
            Finding::Warning
        },
        detail: match odd.as_slice() {
            [] => format!("{} files, each read without a warning", sources.len()),
            [first, ..] => format!(
                "{} of {} files were refused or read with a warning, `{first}` among them",
                odd.len(),
                sources.len()
            ),
        },
        hint: (!odd.is_empty())
            .then(|| "`groundtune status` names those without a document".into()),
    })
}

fn check_readers(snapshot: &Snapshot) -> Result<Check, Error> {
    let nobody = snapshot
        .permissions()?
        .iter()
        .any(|it| matches!(it, Permissions::Groups(groups) if groups.is_empty()));
    Ok(Check {
        name: "access",
        finding: if nobody {
            Finding::Warning
        } else {
            Finding::Good
        },
        detail: if nobody {
            "some documents may be read by nobody".into()
        } else {
            "every document has a reader".into()
        },
        hint: nobody.then(|| {
            "look for `[[access]]` rules that share no group, and for `groups: []` in documents"
                .into()
        }),
    })
}

fn check_writer(folder: &Path) -> Check {
    let (finding, detail, hint) = match Writer::open(folder) {
        Ok(_) => (Finding::Good, "the store can be written".to_owned(), None),
        Err(error) => {
            let error = Error::from(error);
            (Finding::Warning, chain(&error), error.hint())
        }
    };
    Check {
        name: "writing",
        finding,
        detail,
        hint,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    crate::ingest::sentence(error)
}
