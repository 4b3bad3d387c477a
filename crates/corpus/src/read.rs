//! One file in, its documents out.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use contract::{Bytes, Document, DocumentId, Metadata, Permissions, Value};

use crate::fields::Fields;
use crate::format::{self, Format};
use crate::outline::{self, Mark};
use crate::{ReadError, Warning};

/// How files are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The largest file that is read, and the most that a packed file (DOCX, EPUB,
    /// …) may unpack to. 256 MiB if nothing else is said.
    pub max_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
        }
    }
}

/// What was read from one file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Its documents, in the order of the file.
    pub documents: Vec<Document>,
    /// What was odd about it.
    pub warnings: Vec<Warning>,
    /// How to train on it, if the file says so.
    pub training_parameters: Option<TrainingParameters>,
}

/// A knowledge base's wishes for training; what it does not name is `None`.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct TrainingParameters {
    /// The optimiser's step size.
    #[serde(default)]
    pub learning_rate: Option<f64>,
    /// Examples a step.
    #[serde(default)]
    pub batch_size: Option<u32>,
    /// Passes over the data.
    #[serde(default)]
    pub epochs: Option<u32>,
    /// The optimiser's name.
    #[serde(default)]
    pub optimizer: Option<String>,
}

/// What a format's reader is given.
pub(crate) struct Source<'a> {
    /// The file's id, to name it in errors.
    pub(crate) file: &'a str,
    /// Its extension in lower case, without the dot; empty if it has none.
    pub(crate) extension: &'a str,
    /// Its content.
    pub(crate) bytes: Vec<u8>,
    /// How to read it.
    pub(crate) options: &'a ReadOptions,
    /// Where odd things are noted.
    pub(crate) warnings: &'a mut Vec<Warning>,
}

impl Source<'_> {
    /// Returns the error that the file is not what its format promises.
    pub(crate) fn damaged(
        &self,
        format: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ReadError {
        ReadError::Damaged {
            file: self.file.to_owned(),
            format,
            source: source.into(),
        }
    }

    /// Returns the most bytes of text that one file may become where its form
    /// repeats words (the name of a column in every row).
    pub(crate) fn most_text(&self) -> u64 {
        self.options.max_bytes.saturating_mul(4)
    }

    /// Returns the error that the file's text is larger than that.
    pub(crate) fn too_large(&self) -> ReadError {
        ReadError::TooLarge {
            file: self.file.to_owned(),
            limit: Bytes(self.most_text()),
        }
    }

    /// Notes that a record was left out.
    pub(crate) fn skip_record(&mut self, record: impl Into<String>, reason: impl Into<String>) {
        self.warnings.push(Warning::RecordSkipped {
            file: self.file.to_owned(),
            record: record.into(),
            reason: reason.into(),
        });
    }

    /// Notes that a part was left out.
    pub(crate) fn skip_part(&mut self, part: impl Into<String>, reason: impl Into<String>) {
        self.warnings.push(Warning::PartSkipped {
            file: self.file.to_owned(),
            part: part.into(),
            reason: reason.into(),
        });
    }
}

/// A document as its format's reader leaves it.
#[derive(Default)]
pub(crate) struct Draft {
    /// Its own id, where the file holds several.
    pub(crate) record: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) text: String,
    pub(crate) marks: Vec<Mark>,
    pub(crate) fields: Fields,
    pub(crate) embedding: Option<Vec<f32>>,
}

impl Draft {
    /// Notes a metadata text, unless it is blank.
    pub(crate) fn note(&mut self, key: &str, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            self.fields
                .metadata
                .insert(key.to_owned(), Value::Text(text.to_owned()));
        }
    }
}

/// What a format's reader leaves.
#[derive(Default)]
pub(crate) struct Drafts {
    pub(crate) documents: Vec<Draft>,
    pub(crate) training_parameters: Option<TrainingParameters>,
}

impl From<Draft> for Drafts {
    fn from(draft: Draft) -> Self {
        Self {
            documents: vec![draft],
            training_parameters: None,
        }
    }
}

/// Reads the file at `path`. `id` is its path relative to the project as
/// [`document_id`](crate::document_id) writes it; its documents' ids begin with it.
///
/// The documents' metadata have, beside what the file itself says, `format`,
/// `path` (the id of the file), `bytes`, `modified` (the day, `2024-01-15`, in
/// UTC) and, where it is not UTF-8, `encoding`. A key that the file itself
/// writes wins over these.
pub fn read_file(path: &Path, id: &str, options: &ReadOptions) -> Result<Reading, ReadError> {
    let failed = |source| ReadError::Io {
        file: id.to_owned(),
        source,
    };
    let file = fs_err::File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if about.is_dir() {
        return Err(failed(std::io::Error::new(
            std::io::ErrorKind::IsADirectory,
            format!("`{}` is a folder", path.display()),
        )));
    }
    let mut bytes = Vec::with_capacity(about.len().min(options.max_bytes) as usize);
    file.take(options.max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let name = path.file_name().map(|name| name.to_string_lossy());
    read(
        bytes,
        name.as_deref().unwrap_or(id),
        id,
        options,
        about.modified().ok(),
    )
}

/// Reads `bytes` as a file named `name_hint`, whose extension names the format.
pub fn read_bytes(
    bytes: &[u8],
    name_hint: &str,
    id: &str,
    options: &ReadOptions,
) -> Result<Reading, ReadError> {
    read(bytes.to_vec(), name_hint, id, options, None)
}

fn read(
    bytes: Vec<u8>,
    name: &str,
    id: &str,
    options: &ReadOptions,
    modified: Option<SystemTime>,
) -> Result<Reading, ReadError> {
    let size = bytes.len();
    if size as u64 > options.max_bytes {
        return Err(ReadError::TooLarge {
            file: id.to_owned(),
            limit: Bytes(options.max_bytes),
        });
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ReadError::Empty {
            file: id.to_owned(),
        });
    }
    let extension = Path::new(name)
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let format = Format::of(&extension, name);
    let mut warnings = Vec::new();
    let drafts = format::read(
        format,
        Source {
            file: id,
            extension: &extension,
            bytes,
            options,
            warnings: &mut warnings,
        },
    )?;

    let mut facts = Metadata::new();
    let short_name = format.short_name(&extension);
    facts.insert("format".into(), Value::Text(short_name.to_owned()));
    facts.insert("path".into(), Value::Text(id.to_owned()));
    facts.insert("bytes".into(), Value::Number(size as f64));
    if let Some(modified) = modified {
        facts.insert("modified".into(), Value::Text(day(modified)));
    }
    let mut reading = Reading {
        documents: Vec::with_capacity(drafts.documents.len()),
        warnings,
        training_parameters: drafts.training_parameters,
    };
    if let Some(epochs) = reading.training_parameters.as_ref().and_then(|p| p.epochs)
        && epochs > MANY_EPOCHS
    {
        reading.warnings.push(Warning::ManyEpochs {
            file: id.to_owned(),
            epochs,
        });
    }
    let mut names = HashSet::new();
    for draft in drafts.documents {
        if draft.text.trim().is_empty() {
            if let Some(record) = draft.record {
                reading.warnings.push(Warning::RecordSkipped {
                    file: id.to_owned(),
                    record: format!("`{record}`"),
                    reason: "it has no text".into(),
                });
            }
            continue;
        }
        let document_id = match &draft.record {
            None => id.to_owned(),
            Some(record) => {
                let record = unused(record, id, &mut names, &mut reading.warnings);
                format!("{id}#{record}")
            }
        };
        let mut metadata = facts.clone();
        metadata.extend(draft.fields.metadata);
        let title = draft
            .title
            .map(|title| outline::shorten(&outline::one_line(&title)))
            .filter(|title| !title.is_empty());
        let document = Document {
            id: DocumentId::new(document_id),
            title,
            format: short_name.to_owned(),
            sections: outline::sections(&draft.text, &draft.marks),
            text: draft.text,
            metadata,
            permissions: draft.fields.permissions.unwrap_or(Permissions::Everyone),
            embedding: draft.embedding,
        };
        assert!(
            document.sections_cover_text(),
            "the sections of `{}` cover its text",
            document.id
        );
        reading.documents.push(document);
    }
    if reading.documents.is_empty() && reading.warnings.is_empty() {
        return Err(ReadError::Empty {
            file: id.to_owned(),
        });
    }
    Ok(reading)
}

/// More passes over a data set than this are worth a warning.
const MANY_EPOCHS: u32 = 20;

/// Returns `record`, or `record-2`, `record-3`, … if it was used in this file.
fn unused(
    record: &str,
    file: &str,
    names: &mut HashSet<String>,
    warnings: &mut Vec<Warning>,
) -> String {
    if names.insert(record.to_owned()) {
        return record.to_owned();
    }
    let renamed = (2..)
        .map(|number| format!("{record}-{number}"))
        .find(|name| !names.contains(name))
        .expect("there are more numbers than records");
    names.insert(renamed.clone());
    warnings.push(Warning::DuplicateId {
        file: file.to_owned(),
        record: record.to_owned(),
        renamed: renamed.clone(),
    });
    renamed
}

/// Returns the day of `time` in UTC as `2024-01-15`.
///
/// Days to civil date after Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`.
pub fn day(time: SystemTime) -> String {
    let days = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (after.as_secs() / 86_400) as i64,
        Err(before) => -(before.duration().as_secs().div_ceil(86_400) as i64),
    } + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_day_is_written_in_iso_order() {
        for (seconds, expect) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_705_276_799, "2024-01-14"),
            (1_705_276_800, "2024-01-15"),
        ] {
            assert_eq!(day(UNIX_EPOCH + Duration::from_secs(seconds)), expect);
        }
        assert_eq!(day(UNIX_EPOCH - Duration::from_secs(1)), "1969-12-31");
    }

    fn read_text(name: &str, text: &str) -> Result<Reading, ReadError> {
        read_bytes(text.as_bytes(), name, name, &ReadOptions::default())
    }

    #[test]
    fn a_file_knows_its_facts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note.txt");
        std::fs::write(&path, "Hello.\n").unwrap();
        let reading = read_file(&path, "docs/note.txt", &ReadOptions::default()).unwrap();
        let document = &reading.documents[0];
        assert_eq!(document.id.as_str(), "docs/note.txt");
        assert_eq!(document.metadata["bytes"], Value::Number(7.0));
        assert_eq!(
            document.metadata["path"],
            Value::Text("docs/note.txt".into())
        );
        assert!(document.metadata.contains_key("modified"));
        assert!(!document.metadata.contains_key("encoding"));
    }

    #[test]
    fn a_missing_file_and_a_folder_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("nowhere.md"), folder.path().to_owned()] {
            let error = read_file(&path, "x.md", &ReadOptions::default()).unwrap_err();
            assert!(matches!(error, ReadError::Io { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_too_large_or_empty_is_refused() {
        let options = ReadOptions { max_bytes: 4 };
        assert!(matches!(
            read_bytes(b"12345", "a.txt", "a.txt", &options),
            Err(ReadError::TooLarge { .. })
        ));
        assert!(matches!(
            read_text("a.txt", " \n"),
            Err(ReadError::Empty { .. })
        ));
        for (name, text) in [
            ("a.json", "[]"),
            ("a.json", r#"{"documents": []}"#),
            ("a.html", "<p>"),
        ] {
            assert!(matches!(
                read_text(name, text),
                Err(ReadError::Empty { .. })
            ));
        }
    }

    #[test]
    fn binaries_and_archives_are_refused_whatever_their_name() {
        for name in ["a.txt", "a.md", "a.rs", "a"] {
            let found = read_bytes(b"\x7fELF\0\0", name, name, &ReadOptions::default());
            assert!(matches!(found, Err(ReadError::Binary { .. })));
        }
        for name in ["a.gz", "a.png", "a.doc"] {
            assert!(matches!(
                read_text(name, "anything"),
                Err(ReadError::Unsupported { .. })
            ));
        }
    }
}
