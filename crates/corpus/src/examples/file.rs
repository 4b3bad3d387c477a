//! From a file to its records, one after another.
//!
//! JSON lines are read as they are asked for, so that a file of any size takes the memory
//! of its longest line. What has to be read whole (a JSON list, a table, a text) takes
//! its own size once.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _};
use std::ops::Range;
use std::path::Path;

use contract::{Bytes, Example, Lesson, QuestionId};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use super::lesson::{self, Place};
use super::record::{Names, Record, kind};
use super::{ExampleError, Fault, Layout, Passages, ReadExamples, Refusal, question};
use crate::encoding::{decode, signature};
use crate::{ReadOptions, read_file};

/// The most bytes of one line.
const LONGEST_LINE: u64 = 64 << 20;
/// The records that are looked at to tell a layout.
const LOOKED_AT: usize = 64;

/// The examples of one file, read as they are asked for.
pub struct Examples {
    file: String,
    layout: Layout,
    names: Names,
    passages: Passages,
    records: Records,
    /// Records that were looked at to tell the layout.
    seen: VecDeque<Found>,
    /// What the last record held.
    ready: VecDeque<Result<Located, Refusal>>,
}

/// An example, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// The line on which its record begins, from 1.
    pub line: u64,
    /// The example.
    pub example: Example,
}

/// A record as it was found.
struct Found {
    line: u64,
    value: Result<Json, Fault>,
}

enum Records {
    Lines {
        from: Box<dyn std::io::BufRead + Send>,
        line: u64,
        buffer: Vec<u8>,
        done: bool,
    },
    List {
        text: String,
        /// Where each record stands.
        places: std::vec::IntoIter<Range<usize>>,
        /// Bytes, and the line ends among them.
        counted: (usize, u64),
    },
    Rows {
        rows: Box<csv::Reader<std::io::Cursor<Vec<u8>>>>,
        columns: Vec<String>,
        done: bool,
    },
    Texts(std::vec::IntoIter<(u64, Option<String>, String)>),
}

impl Examples {
    /// Opens a file of examples and tells its layout, unless `options` name one.
    ///
    /// # Errors
    /// If it cannot be read, or its layout cannot be told.
    pub fn open(path: &Path, options: &ReadExamples) -> Result<Self, ExampleError> {
        let file = options.name.clone().unwrap_or_else(|| {
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        });
        let names = Names::new(options.fields.clone());
        let io = |source| ExampleError::Io {
            file: file.clone(),
            source,
        };
        let mut from = fs_err::File::open(path).map_err(io)?;
        let size = from.metadata().map_err(io)?.len();
        let mut start = Vec::new();
        from.by_ref()
            .take(1 << 12)
            .read_to_end(&mut start)
            .map_err(io)?;
        if let Some(command) = unpack(&start) {
            return Err(ExampleError::Packed { file, command });
        }
        let extension = path
            .extension()
            .map(|extension| extension.to_string_lossy().to_lowercase())
            .unwrap_or_default();
        let whole = |from: fs_err::File| -> Result<Vec<u8>, ExampleError> {
            if size > options.max_bytes {
                return Err(ExampleError::TooLarge {
                    file: file.clone(),
                    limit: Bytes(options.max_bytes),
                });
            }
            let mut bytes = start.clone();
            from.take(options.max_bytes)
                .read_to_end(&mut bytes)
                .map_err(io)?;
            Ok(bytes)
        };
        let text = |from| Ok::<_, ExampleError>(decode(whole(from)?, &file)?.text);
        let begins = start
            .iter()
            .copied()
            .find(|byte| !byte.is_ascii_whitespace() && !b"\xEF\xBB\xBF".contains(byte));
        let by_text = match options.layout {
            Some(layout @ (Layout::Document | Layout::Paragraphs | Layout::Lines)) => Some(layout),
            _ => None,
        };
        let records = match (extension.as_str(), by_text) {
            (_, Some(Layout::Paragraphs)) => Records::Texts(paragraphs(&text(from)?).into_iter()),
            (_, Some(Layout::Lines)) => Records::Texts(lines(&text(from)?).into_iter()),
            ("csv" | "tsv" | "tab", None) => table(&file, &extension, whole(from)?)?,
            ("jsonl" | "ndjson" | "jsonlines", None) => {
                let start = start
                    .strip_prefix(b"\xEF\xBB\xBF")
                    .map(<[u8]>::to_vec)
                    .unwrap_or(start);
                Records::Lines {
                    from: Box::new(BufReader::with_capacity(
                        1 << 16,
                        std::io::Cursor::new(start).chain(from),
                    )),
                    line: 0,
                    buffer: Vec::new(),
                    done: false,
                }
            }
            ("json", None) if begins == Some(b'[') => list(&file, text(from)?)?,
            ("json", None) => {
                let text = text(from)?;
                match object(&file, &text, options, &names)? {
                    Some(records) => records,
                    // JSON lines under the name of JSON.
                    None => Records::Lines {
                        from: Box::new(std::io::Cursor::new(text.into_bytes())),
                        line: 0,
                        buffer: Vec::new(),
                        done: false,
                    },
                }
            }
            _ => {
                drop(from);
                let read = ReadOptions {
                    max_bytes: options.max_bytes,
                };
                let documents = read_file(path, &file, &read)?.documents;
                Records::Texts(
                    documents
                        .into_iter()
                        .map(|document| (1, Some(document.id.to_string()), document.text))
                        .collect::<Vec<_>>()
                        .into_iter(),
                )
            }
        };
        let mut examples = Self {
            layout: Layout::Text,
            file,
            names,
            passages: options.passages.clone(),
            records,
            seen: VecDeque::new(),
            ready: VecDeque::new(),
        };
        examples.layout = examples.tell(options.layout, &extension)?;
        if !matches!(examples.records, Records::Texts(_)) {
            examples.check_names()?;
        }
        Ok(examples)
    }

    /// Returns how the file lays out its examples.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns the file's name, as in ids and refusals.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Tells the layout: the one that was named, or the one of the most of the first
    /// records.
    fn tell(&mut self, named: Option<Layout>, extension: &str) -> Result<Layout, ExampleError> {
        if let Records::Texts(_) = self.records {
            return match named {
                None if extension == "json" => Ok(Layout::KnowledgeBase),
                None => Ok(Layout::Document),
                Some(
                    layout @ (Layout::Document
                    | Layout::Paragraphs
                    | Layout::Lines
                    | Layout::KnowledgeBase),
                ) => Ok(layout),
                Some(layout) => Err(ExampleError::OtherFile {
                    file: self.file.clone(),
                    layout,
                    expected: "for records: JSON lines, JSON or a table",
                }),
            };
        }
        while self.seen.len() < LOOKED_AT {
            match self.next_record() {
                None => break,
                Some(found) => self.seen.push_back(found),
            }
        }
        if self.seen.is_empty() {
            return Err(ExampleError::Empty {
                file: self.file.clone(),
            });
        }
        if let Some(layout) = named {
            if layout == Layout::KnowledgeBase {
                return Err(ExampleError::OtherFile {
                    file: self.file.clone(),
                    layout,
                    expected: "a JSON object with a list of `documents`",
                });
            }
            return Ok(layout);
        }
        let objects = self.seen.iter().filter_map(|found| match &found.value {
            Ok(Json::Object(object)) => Some(object),
            _ => None,
        });
        let mut votes: Vec<(Layout, usize)> = Vec::new();
        for layout in objects
            .clone()
            .filter_map(|object| Layout::of(object, &self.names))
        {
            match votes.iter_mut().find(|(known, _)| *known == layout) {
                Some((_, count)) => *count += 1,
                None => votes.push((layout, 1)),
            }
        }
        // Of as many votes, the layout that came first.
        votes.reverse();
        if let Some((layout, _)) = votes.into_iter().max_by_key(|(_, count)| *count) {
            return Ok(layout);
        }
        if self.seen.iter().all(|found| matches!(found.value, Ok(Json::Object(ref object)) if object.contains_key("paragraphs") && object.contains_key("title"))) {
            return Ok(Layout::Squad);
        }
        if objects.clone().next().is_none()
            && let Some((line, fault)) = self
                .seen
                .iter()
                .find_map(|found| Some((found.line, found.value.as_ref().err()?)))
        {
            return Err(ExampleError::NoObjects {
                file: self.file.clone(),
                line,
                fault: fault.to_string(),
            });
        }
        let keys = objects.clone().next().map(|object| {
            let keys = object.keys().map(|key| format!("`{key}`"));
            keys.collect::<Vec<_>>().join(", ")
        });
        Err(ExampleError::UnknownLayout {
            file: self.file.clone(),
            keys: keys
                .filter(|keys| !keys.is_empty())
                .unwrap_or_else(|| "no fields".into()),
        })
    }

    /// Makes sure that every field with another name is one of the layout.
    fn check_names(&self) -> Result<(), ExampleError> {
        let known = self.layout.fields();
        for field in self.names.given() {
            if !known.contains(&field) && field != "passage" {
                let known = known.iter().chain(&["passage"]);
                return Err(ExampleError::UnknownField {
                    field: field.to_owned(),
                    layout: self.layout,
                    known: known
                        .map(|field| format!("`{field}`"))
                        .collect::<Vec<_>>()
                        .join(", "),
                });
            }
        }
        Ok(())
    }

    fn next_record(&mut self) -> Option<Found> {
        match &mut self.records {
            Records::Lines {
                from,
                line,
                buffer,
                done,
            } => next_line(from, line, buffer, done),
            Records::List {
                text,
                places,
                counted,
            } => {
                let place = places.next()?;
                let between = &text.as_bytes()[counted.0..place.start];
                counted.1 += memchr_count(between);
                counted.0 = place.start;
                Some(Found {
                    line: counted.1 + 1,
                    value: serde_json::from_str(&text[place]).map_err(Fault::NotJson),
                })
            }
            Records::Rows {
                rows,
                columns,
                done,
            } => next_row(rows, columns, done),
            Records::Texts(_) => None,
        }
    }

    fn refusal(&self, line: u64, fault: Fault) -> Refusal {
        Refusal {
            file: self.file.clone(),
            line,
            fault,
        }
    }

    /// Reads what is in a record.
    fn take(&mut self, found: Found) {
        let line = found.line;
        let results = match found.value {
            Err(fault) => vec![Err(fault)],
            Ok(article @ Json::Object(_)) if self.layout == Layout::Squad => {
                question::article(&self.file, line, &article)
            }
            Ok(Json::Object(map)) => {
                let record = Record {
                    map,
                    names: &self.names,
                    layout: self.layout,
                };
                let place = Place {
                    file: &self.file,
                    line,
                };
                lesson::examples(&record, &place, &self.passages)
            }
            Ok(other) => vec![Err(Fault::NotObject {
                found: kind(&other),
                expected: self.layout.expected().to_owned(),
            })],
        };
        for result in results {
            let result = match result {
                Ok(example) => Ok(Located { line, example }),
                Err(fault) => Err(self.refusal(line, fault)),
            };
            self.ready.push_back(result);
        }
    }
}

impl Iterator for Examples {
    type Item = Result<Located, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            if let Records::Texts(texts) = &mut self.records {
                let (line, id, text) = texts.next()?;
                let id = id.unwrap_or_else(|| format!("{}:{line}", self.file));
                return Some(Ok(Located {
                    line,
                    example: Example {
                        id: QuestionId::new(id),
                        passage: None,
                        document: None,
                        lesson: Lesson::Text { text },
                    },
                }));
            }
            let found = match self.seen.pop_front() {
                Some(found) => found,
                None => self.next_record()?,
            };
            self.take(found);
        }
    }
}

impl std::fmt::Debug for Examples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Examples")
            .field("file", &self.file)
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

fn memchr_count(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Returns what unpacks the file, if it begins like a packed one.
fn unpack(start: &[u8]) -> Option<&'static str> {
    Some(match signature(start)? {
        "a zstd archive" => "zstd -d",
        "a gzip archive" => "gunzip",
        "a bzip2 archive" => "bunzip2",
        _ => return None,
    })
}

fn next_line(
    from: &mut Box<dyn std::io::BufRead + Send>,
    line: &mut u64,
    buffer: &mut Vec<u8>,
    done: &mut bool,
) -> Option<Found> {
    while !*done {
        buffer.clear();
        *line += 1;
        let mut limited = from.by_ref().take(LONGEST_LINE + 1);
        let fault = match limited.read_until(b'\n', buffer) {
            Ok(0) => return None,
            Ok(read) if read as u64 > LONGEST_LINE && buffer.last() != Some(&b'\n') => {
                *done = from.skip_until(b'\n').is_err();
                Some(Fault::TooLong {
                    limit: Bytes(LONGEST_LINE),
                })
            }
            Ok(_) => None,
            Err(error) => {
                *done = true;
                Some(Fault::NotJson(serde_json::Error::io(error)))
            }
        };
        if let Some(fault) = fault {
            return Some(Found {
                line: *line,
                value: Err(fault),
            });
        }
        let content = buffer.trim_ascii();
        if content.is_empty() {
            continue;
        }
        let value = match std::str::from_utf8(content) {
            Err(_) => Err(Fault::NotText),
            Ok(text) => serde_json::from_str(text).map_err(Fault::NotJson),
        };
        return Some(Found { line: *line, value });
    }
    None
}

fn next_row(
    rows: &mut csv::Reader<std::io::Cursor<Vec<u8>>>,
    columns: &[String],
    done: &mut bool,
) -> Option<Found> {
    if *done {
        return None;
    }
    let mut row = csv::StringRecord::new();
    let line = rows.position().line();
    match rows.read_record(&mut row) {
        Ok(false) => None,
        Ok(true) => {
            let cells = columns
                .iter()
                .zip(row.iter())
                .filter(|(_, cell)| !cell.is_empty())
                .map(|(column, cell)| (column.clone(), Json::String(cell.to_owned())));
            Some(Found {
                line: row.position().map_or(line, csv::Position::line),
                value: Ok(Json::Object(cells.collect())),
            })
        }
        Err(error) => {
            *done = error.is_io_error();
            Some(Found {
                line,
                value: Err(Fault::NotRow(error)),
            })
        }
    }
}

/// Opens a table whose first row names the columns.
fn table(file: &str, extension: &str, bytes: Vec<u8>) -> Result<Records, ExampleError> {
    let text = decode(bytes, file)?.text;
    let delimiter = match extension {
        "csv" => crate::format::delimiter(&text),
        _ => b'\t',
    };
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(std::io::Cursor::new(text.into_bytes()));
    let mut first = csv::StringRecord::new();
    let any = rows
        .read_record(&mut first)
        .map_err(|source| ExampleError::Damaged {
            file: file.to_owned(),
            expected: "a table",
            source: source.into(),
        })?;
    if !any {
        return Err(ExampleError::Empty {
            file: file.to_owned(),
        });
    }
    Ok(Records::Rows {
        rows: Box::new(rows),
        columns: first.iter().map(|name| name.trim().to_owned()).collect(),
        done: false,
    })
}

/// Opens a JSON list of records.
fn list(file: &str, text: String) -> Result<Records, ExampleError> {
    let records: Vec<&RawValue> =
        serde_json::from_str(&text).map_err(|source| damaged(file, source))?;
    let places = places(&text, &records);
    Ok(Records::List {
        text,
        places: places.into_iter(),
        counted: (0, 0),
    })
}

/// Returns where the records stand in the text that they were read from.
fn places(text: &str, records: &[&RawValue]) -> Vec<Range<usize>> {
    let begin = text.as_ptr() as usize;
    records
        .iter()
        .map(|record| {
            let record = record.get();
            let start = record.as_ptr() as usize - begin;
            start..start + record.len()
        })
        .collect()
}

fn damaged(file: &str, source: serde_json::Error) -> ExampleError {
    ExampleError::Damaged {
        file: file.to_owned(),
        expected: "JSON",
        source: source.into(),
    }
}

/// Opens a JSON object: a knowledge base, SQuAD's file, the object of a list (`data`,
/// `examples`, `rows`, …), one record. `None` if it is several objects, one a line.
fn object(
    file: &str,
    text: &str,
    options: &ReadExamples,
    names: &Names,
) -> Result<Option<Records>, ExampleError> {
    let mut several = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    match several.next() {
        None => {
            return Err(ExampleError::Empty {
                file: file.to_owned(),
            });
        }
        Some(Err(source)) => return Err(damaged(file, source)),
        Some(Ok(_)) if several.next().is_some() => return Ok(None),
        Some(Ok(_)) => {}
    }
    let fields: Map<String, Json> = match serde_json::from_str(text) {
        Ok(fields) => fields,
        Err(source) => return Err(damaged(file, source)),
    };
    let is_records = |value: &Json| {
        value
            .as_array()
            .is_some_and(|list| list.iter().all(Json::is_object))
    };
    if fields.get("documents").is_some_and(is_records)
        && options
            .layout
            .is_none_or(|layout| layout == Layout::KnowledgeBase)
    {
        let read = ReadOptions {
            max_bytes: options.max_bytes,
        };
        let documents = crate::read_bytes(text.as_bytes(), "documents.json", file, &read)?;
        let texts: Vec<_> = documents
            .documents
            .into_iter()
            .map(|document| (1, Some(document.id.to_string()), document.text))
            .collect();
        return Ok(Some(Records::Texts(texts.into_iter())));
    }
    if Layout::of(&fields, names).is_none() {
        let inner = ["data", "examples", "rows", "records", "train"];
        let list = inner
            .into_iter()
            .find(|key| fields.get(*key).is_some_and(is_records));
        if let Some(key) = list {
            let fields: std::collections::HashMap<&str, &RawValue> =
                serde_json::from_str(text).map_err(|source| damaged(file, source))?;
            let records: Vec<&RawValue> =
                serde_json::from_str(fields[key].get()).map_err(|source| damaged(file, source))?;
            let places = places(text, &records);
            return Ok(Some(Records::List {
                text: text.to_owned(),
                places: places.into_iter(),
                counted: (0, 0),
            }));
        }
    }
    let start = text.len() - text.trim_start().len();
    Ok(Some(Records::List {
        text: text.to_owned(),
        places: std::iter::once(start..text.len())
            .collect::<Vec<_>>()
            .into_iter(),
        counted: (0, 0),
    }))
}

/// Returns the texts that blank lines divide, and the line of each.
fn paragraphs(text: &str) -> Vec<(u64, Option<String>, String)> {
    let mut found = Vec::new();
    let mut paragraph = String::new();
    let mut begin = 0;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            if !paragraph.is_empty() {
                found.push((begin, None, std::mem::take(&mut paragraph)));
            }
            continue;
        }
        if paragraph.is_empty() {
            begin = number;
        } else {
            paragraph.push('\n');
        }
        paragraph.push_str(line);
    }
    if !paragraph.is_empty() {
        found.push((begin, None, paragraph));
    }
    found
}

fn lines(text: &str) -> Vec<(u64, Option<String>, String)> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| (number, None, line.to_owned()))
        .collect()
}
