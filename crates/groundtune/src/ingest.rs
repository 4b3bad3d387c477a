//! Journey 0: files → documents → chunks → vectors → one commit after another.
//!
//! Run again, it takes only what changed and removes what is gone. A commit holds
//! whole files; once it is reported, it is on the disk. A kill at any moment loses
//! at most what was not reported yet, and the next run goes on from there.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use contract::{
    Bytes, Chunk, Document, DocumentId, Embed, EmbedderId, Embedding, LineRange, TextRole,
    line_starts, lines_of,
};
use corpus::{ReadError, ReadOptions, WalkOptions};
use rayon::prelude::*;
use search::store::{Change, NewDocument, Sequence, Snapshot, Source, Writer};
use search::{IndexSettings, Searcher};
use xxhash_rust::xxh3::Xxh3;

pub use corpus::STRANGERS_THREAD;

use crate::config::narrow;
use crate::{Error, Project};

/// A commit holds at most this many files …
const FILES_A_COMMIT: usize = 64;
/// … and, unless a single file is larger, at most this many bytes.
const BYTES_A_COMMIT: u64 = 16 << 20;
/// A file changed this shortly before it was read may change again within the same
/// tick of its clock, so its time proves nothing yet.
const CLOCK_TICK: Duration = Duration::from_secs(2);

/// What to ingest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestRequest {
    /// Files and folders; none means those of the configuration.
    pub paths: Vec<PathBuf>,
    /// Whether to forget everything first and take it again.
    pub rebuild: bool,
}

/// Something that happened while ingesting.
#[derive(Clone, Debug, PartialEq)]
pub enum IngestEvent<'a> {
    /// The folders were walked; this is what is to be done.
    Planned {
        /// Files to read.
        files: usize,
        /// Their length.
        bytes: Bytes,
        /// Files that did not change.
        unchanged: usize,
        /// Files that are gone.
        gone: usize,
    },
    /// Some files were read, cut and embedded.
    Read {
        /// How many so far.
        files: usize,
        /// Their length so far.
        bytes: Bytes,
    },
    /// A commit is on the disk. From now on these are found, and nothing undoes it.
    Committed {
        /// The commit.
        sequence: Sequence,
        /// Documents it added or changed.
        documents: &'a [DocumentId],
        /// Documents it removed.
        removed: &'a [DocumentId],
    },
    /// A file gave no document.
    Skipped(&'a Skipped),
    /// A file was read, but something is odd about it.
    Warned(&'a str),
    /// The indexes are being brought up to date and written.
    Indexing,
}

/// A file that gave no document, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: String,
    /// Why, in a sentence.
    pub reason: String,
}

/// What an ingest did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IngestSummary {
    /// Files read.
    pub files: usize,
    /// Files that did not change since the last time.
    pub unchanged: usize,
    /// Files that are gone, and their documents with them.
    pub gone: usize,
    /// Documents added or changed.
    pub documents: usize,
    /// Documents removed: their files are gone, or hold them no more.
    pub removed: usize,
    /// The chunks of those added or changed.
    pub chunks: usize,
    /// Their text.
    pub bytes: Bytes,
    /// Files that gave no document, and why.
    pub skipped: Vec<Skipped>,
    /// What is odd about files that did.
    pub warnings: Vec<String>,
    /// The last commit.
    pub sequence: Sequence,
    /// Documents in the store now.
    pub total_documents: u64,
    /// Chunks in the store now.
    pub total_chunks: u64,
    /// Whether it was stopped before it was done.
    pub interrupted: bool,
    /// From start to end.
    pub elapsed: Duration,
}

/// Brings the store of `project` up to date with its files.
///
/// `events` is told what happens, and stops the journey after the commit at hand
/// when it breaks.
pub fn ingest(
    project: &Project,
    request: &IngestRequest,
    embedder: Option<&dyn Embed>,
    events: &mut dyn FnMut(IngestEvent<'_>) -> ControlFlow<()>,
) -> Result<IngestSummary, Error> {
    let started = Instant::now();
    let folder = project.store_folder();
    let mut writer = Writer::open(&folder)?;
    let mut summary = IngestSummary::default();
    if request.rebuild {
        writer.clear()?;
    }
    let snapshot = Snapshot::open(&folder)?;
    let plan = plan(project, request, embedder, &snapshot, &mut summary)?;
    let mut stopped = events(IngestEvent::Planned {
        files: plan.changed.len(),
        bytes: Bytes(plan.changed.iter().map(|file| file.source.size).sum()),
        unchanged: summary.unchanged,
        gone: plan.gone.len(),
    })
    .is_break();
    for skipped in &summary.skipped {
        stopped |= events(IngestEvent::Skipped(skipped)).is_break();
    }

    if !plan.gone.is_empty() && !stopped {
        summary.gone = plan.gone.len();
        let mut removed = Vec::new();
        for source in &plan.gone {
            let documents = snapshot.fingerprints_of(source)?;
            removed.extend(documents.into_iter().map(|(document, _)| document));
        }
        let changes: Vec<Change> = plan
            .gone
            .into_iter()
            .map(|id| Change::RemoveSource { id })
            .collect();
        let sequence = writer.commit(&changes)?;
        let event = IngestEvent::Committed {
            sequence,
            documents: &[],
            removed: &removed,
        };
        stopped |= events(event).is_break();
        summary.removed += removed.len();
    }

    let kitchen = Kitchen { project, embedder };
    let mut embedder_of_all = snapshot.embedder()?;
    for batch in batches(plan.changed) {
        if stopped {
            break;
        }
        let fingerprints = known_fingerprints(&snapshot, &batch)?;
        let prepared: Vec<Result<Prepared, Error>> = batch
            .into_par_iter()
            .map(|file| kitchen.prepare(file, &fingerprints))
            .collect();
        let mut changes = Vec::with_capacity(prepared.len());
        let mut documents = Vec::new();
        let mut removed: HashSet<DocumentId> = fingerprints.into_keys().collect();
        for prepared in prepared {
            let mut prepared = prepared?;
            prepared.keep_vectors_of_one(&mut embedder_of_all);
            summary.files += 1;
            for warning in prepared.warnings {
                stopped |= events(IngestEvent::Warned(&warning)).is_break();
                summary.warnings.push(warning);
            }
            if let Some(skipped) = prepared.skipped {
                stopped |= events(IngestEvent::Skipped(&skipped)).is_break();
                summary.skipped.push(skipped);
            }
            summary.chunks += prepared.chunks;
            summary.bytes.0 += prepared.bytes;
            documents.extend(prepared.new);
            match &prepared.change {
                Some(Change::Put { documents, .. }) => {
                    documents.iter().for_each(|new| {
                        removed.remove(&new.document.id);
                    });
                }
                // It could not be read, so what it held stays.
                _ => removed.retain(|id| !is_of(id, &prepared.file)),
            }
            changes.extend(prepared.change);
        }
        let mut removed: Vec<DocumentId> = removed.into_iter().collect();
        removed.sort_unstable();
        let sequence = writer.commit(&changes)?;
        summary.documents += documents.len();
        summary.removed += removed.len();
        let event = IngestEvent::Committed {
            sequence,
            documents: &documents,
            removed: &removed,
        };
        stopped |= events(event).is_break();
        let read = IngestEvent::Read {
            files: summary.files,
            bytes: summary.bytes,
        };
        stopped |= events(read).is_break();
    }

    let totals = snapshot.totals()?;
    summary.total_documents = totals.documents;
    summary.total_chunks = totals.chunks;
    summary.sequence = snapshot.begin()?;
    snapshot.end()?;
    summary.interrupted = stopped;
    // Stopped early, the indexes stay as they are: the next question catches up.
    if !stopped {
        // Broken here or not, everything is done.
        let _ = events(IngestEvent::Indexing);
        bring_indexes_up_to_date(&folder, project.index_settings(), &mut writer)?;
    }
    summary.elapsed = started.elapsed();
    Ok(summary)
}

fn bring_indexes_up_to_date(
    folder: &Path,
    settings: IndexSettings,
    writer: &mut Writer,
) -> Result<(), Error> {
    let (mut searcher, report) = Searcher::open(folder, settings)?;
    if report.behind > 0 || !report.is_current {
        searcher.build()?;
        searcher.save(writer)?;
    }
    Ok(())
}

/// What is to be done.
struct Plan {
    changed: Vec<FileToRead>,
    gone: Vec<String>,
}

/// A file to read, and how it will be remembered.
struct FileToRead {
    path: PathBuf,
    source: Source,
}

fn plan(
    project: &Project,
    request: &IngestRequest,
    embedder: Option<&dyn Embed>,
    snapshot: &Snapshot,
    summary: &mut IngestSummary,
) -> Result<Plan, Error> {
    let mut known: HashMap<String, Source> = snapshot
        .sources()?
        .into_iter()
        .map(|source| (source.id.clone(), source))
        .collect();
    let base = std::path::absolute(&project.root).map_err(|source| Error::Io {
        path: project.root.clone(),
        source,
    })?;
    let asked = if request.paths.is_empty() {
        project
            .config
            .documents
            .paths
            .iter()
            .map(PathBuf::from)
            .collect()
    } else {
        request.paths.clone()
    };
    let mut roots = Vec::new();
    let mut scopes = Vec::new();
    for path in asked {
        let path = base.join(path);
        let scope = corpus::document_id(&relative_to(&base, &path));
        // A path that was ingested and is now gone is to be forgotten, not an error.
        if path.exists() || !known.keys().any(|id| is_within(id, &scope)) {
            roots.push(path);
        }
        scopes.push(scope);
    }
    let options = WalkOptions {
        base: base.clone(),
        ..WalkOptions::default()
    };
    let walk = corpus::walk(&roots, &options)?;
    let mut unreadable = Vec::new();
    for skipped in walk.skipped {
        let path = skipped.path.as_deref().map(|path| relative_to(&base, path));
        let id = path.map_or_else(|| "?".into(), |path| corpus::document_id(&path));
        summary.skipped.push(Skipped {
            path: id.clone(),
            reason: skipped.reason.to_string(),
        });
        unreadable.push(id);
    }

    let config_path = base.join(crate::config::FILE_NAME);
    let examined = Examined::of(project);
    let mut seen = HashSet::new();
    let mut changed = Vec::new();
    for file in walk.files {
        let id = corpus::document_id(&relative_to(&base, &file.path));
        if file.path == config_path || !project.config.documents.takes(&id) {
            continue;
        }
        if examined.has(&file) {
            summary.skipped.push(Skipped {
                path: id,
                reason: EXAMINED.into(),
            });
            continue;
        }
        if !seen.insert(id.clone()) {
            continue;
        }
        let source = Source {
            fingerprint: recipe_fingerprint(project, embedder, &id),
            size: file.size,
            modified_ns: file.modified.map_or(0, nanoseconds),
            taken_ns: nanoseconds(SystemTime::now()),
            notes: Vec::new(),
            id,
        };
        match known.remove(&source.id) {
            Some(before) if is_unchanged(&before, &source) => summary.unchanged += 1,
            _ => changed.push(FileToRead {
                path: file.path,
                source,
            }),
        }
    }
    let mut gone: Vec<String> = known
        .into_keys()
        .filter(|id| !seen.contains(id) && scopes.iter().any(|scope| is_within(id, scope)))
        // What cannot be looked into is not gone.
        .filter(|id| !unreadable.iter().any(|folder| is_within(id, folder)))
        .collect();
    gone.sort();
    Ok(Plan { changed, gone })
}

/// Why a file of questions with their answers is left out.
const EXAMINED: &str = "it holds the questions of `[compare]` with their answers, and is left out: \
                        retrieval would find the answers in it";

/// The files of questions that candidates are compared on: among the documents they would give
/// retrieval the answers.
struct Examined {
    /// Where they really lie, with their lengths.
    files: Vec<(PathBuf, u64)>,
}

impl Examined {
    fn of(project: &Project) -> Self {
        let recipe = project.compare_recipe();
        let files = recipe.examples.iter().chain(&recipe.examination);
        let there = |path: &PathBuf| {
            let path = path.canonicalize().ok()?;
            let size = path.metadata().ok()?.len();
            Some((path, size))
        };
        Self {
            files: files.filter_map(there).collect(),
        }
    }

    fn has(&self, file: &corpus::Found) -> bool {
        let alike = |(_, size): &&(PathBuf, u64)| *size == file.size;
        let mut alike = self.files.iter().filter(alike).peekable();
        alike.peek().is_some()
            && file
                .path
                .canonicalize()
                .is_ok_and(|path| alike.any(|(examined, _)| *examined == path))
    }
}

/// Returns `path` as seen from `base`, or as it is if it lies elsewhere. Both are
/// absolute; `..` is taken back by name, so that one place has one id.
fn relative_to(base: &Path, path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
        .strip_prefix(base)
        .map(Path::to_path_buf)
        .unwrap_or(plain)
}

/// Returns whether the source `id` is `scope` or lies in it. The empty scope is the
/// project itself, which does not hold what was taken from elsewhere.
fn is_within(id: &str, scope: &str) -> bool {
    if scope.is_empty() {
        return !id.starts_with('/');
    }
    id.strip_prefix(scope)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_unchanged(before: &Source, now: &Source) -> bool {
    let settled = before.taken_ns - before.modified_ns > CLOCK_TICK.as_nanos() as i64;
    settled
        && before.size == now.size
        && before.modified_ns == now.modified_ns
        && before.fingerprint == now.fingerprint
}

fn nanoseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i64,
        Err(before) => -(before.duration().as_nanos() as i64),
    }
}

/// Returns a fingerprint of all that decides what becomes of a file besides the file:
/// how it is read and cut, who may read it, and which model embeds it.
fn recipe_fingerprint(project: &Project, embedder: Option<&dyn Embed>, id: &str) -> [u8; 16] {
    let mut hash = Xxh3::new();
    hash.update(env!("CARGO_PKG_VERSION").as_bytes());
    let recipe = format!(
        "{:?} {:?} {:?}",
        project.config.chunk,
        project.config.permissions(id),
        embedder.map(Embed::identity)
    );
    hash.update(recipe.as_bytes());
    hash.digest128().to_le_bytes()
}

fn batches(files: Vec<FileToRead>) -> Vec<Vec<FileToRead>> {
    let mut batches: Vec<Vec<FileToRead>> = Vec::new();
    let mut bytes = 0;
    for file in files {
        let size = file.source.size;
        match batches.last_mut() {
            Some(batch) if batch.len() < FILES_A_COMMIT && bytes + size <= BYTES_A_COMMIT => {
                bytes += size;
                batch.push(file);
            }
            _ => {
                bytes = size;
                batches.push(vec![file]);
            }
        }
    }
    batches
}

type Fingerprints = HashMap<DocumentId, [u8; 16]>;

/// Returns the fingerprints of the documents that the batch's files held so far.
fn known_fingerprints(snapshot: &Snapshot, batch: &[FileToRead]) -> Result<Fingerprints, Error> {
    let mut known = Fingerprints::new();
    for file in batch {
        known.extend(snapshot.fingerprints_of(&file.source.id)?);
    }
    Ok(known)
}

/// A file made ready to be committed.
struct Prepared {
    file: String,
    change: Option<Change>,
    /// The documents that are new or changed.
    new: Vec<DocumentId>,
    chunks: usize,
    bytes: u64,
    skipped: Option<Skipped>,
    warnings: Vec<String>,
}

impl Prepared {
    /// Drops vectors that came with documents and are of another length than those of
    /// the store, or than the first that came: one index compares all of them. With an
    /// embedder at work there are none, and its own are refused by the store.
    fn keep_vectors_of_one(&mut self, embedder_of_all: &mut Option<EmbedderId>) {
        let Some(Change::Put { documents, .. }) = &mut self.change else {
            return;
        };
        for new in documents {
            let Some(given) = new.vectors.first().map(Embedding::embedder) else {
                continue;
            };
            let stored = embedder_of_all.get_or_insert_with(|| given.clone());
            if stored != given && given.name == GIVEN {
                self.warnings.push(format!(
                    "`{}`: its vector has {} numbers, the store holds vectors of {stored}; \
                     it is found by its words only",
                    new.document.id, given.dimensions
                ));
                new.vectors.clear();
            }
        }
    }
}

/// What every file is prepared with.
struct Kitchen<'a> {
    project: &'a Project,
    embedder: Option<&'a dyn Embed>,
}

impl Kitchen<'_> {
    fn prepare(&self, file: FileToRead, known: &Fingerprints) -> Result<Prepared, Error> {
        let FileToRead { path, mut source } = file;
        let id = source.id.clone();
        let options = ReadOptions {
            max_bytes: self.project.config.documents.max_file_size.0,
        };
        let mut prepared = Prepared {
            file: id.clone(),
            change: None,
            new: Vec::new(),
            chunks: 0,
            bytes: 0,
            skipped: None,
            warnings: Vec::new(),
        };
        let reading = match corpus::read_file(&path, &id, &options) {
            Ok(reading) => reading,
            Err(error) => {
                let reason = sentence(&error);
                prepared.skipped = Some(Skipped {
                    path: id,
                    reason: reason.clone(),
                });
                // What cannot be read today may be readable tomorrow: what is known of
                // it stays. What is refused for what it holds is not a document any more.
                if !matches!(error, ReadError::Io { .. }) {
                    source.notes = vec![reason];
                    prepared.change = Some(Change::Put {
                        source,
                        documents: Vec::new(),
                    });
                }
                return Ok(prepared);
            }
        };
        prepared.warnings = reading.warnings.iter().map(ToString::to_string).collect();
        if reading.documents.is_empty() {
            let reason = match prepared.warnings.as_slice() {
                [only] => only.clone(),
                _ => "it holds no document".into(),
            };
            prepared.warnings.retain(|warning| *warning != reason);
            prepared.skipped = Some(Skipped {
                path: id.clone(),
                reason,
            });
        }
        let mut documents = Vec::with_capacity(reading.documents.len());
        let brings = reading.documents.iter().any(|it| it.embedding.is_some());
        if brings && self.embedder.is_some() {
            prepared.warnings.push(format!(
                "`{id}`: the vectors that it brings are not used, since `[models] embedder` \
                 makes others; `embedder = \"none\"` takes them"
            ));
        }
        for document in reading.documents {
            let new = self.cook(document, &id, known, &mut prepared)?;
            documents.push(new);
        }
        source.notes = prepared
            .warnings
            .iter()
            .cloned()
            .chain(
                prepared
                    .skipped
                    .iter()
                    .map(|skipped| skipped.reason.clone()),
            )
            .collect();
        prepared.change = Some(Change::Put { source, documents });
        Ok(prepared)
    }

    /// Cuts and embeds one document, unless the store has it already just so.
    fn cook(
        &self,
        mut document: Document,
        file: &str,
        known: &Fingerprints,
        prepared: &mut Prepared,
    ) -> Result<NewDocument, Error> {
        let rules = self.project.config.permissions(file);
        document.permissions = narrow(document.permissions, rules);
        let fingerprint = self.fingerprint(&document);
        if known.get(&document.id) == Some(&fingerprint) {
            // The store compares fingerprints and keeps what it has.
            return Ok(NewDocument {
                document,
                chunks: Vec::new(),
                vectors: Vec::new(),
                fingerprint,
            });
        }
        let (chunks, vectors) = match (&self.embedder, document.embedding.take()) {
            (None, Some(numbers)) => {
                let chunk = whole(&document);
                let vectors = Self::given_vector(&document, numbers, &mut prepared.warnings);
                (vec![chunk], vectors)
            }
            (embedder, _) => {
                let chunks = corpus::chunk(&document, &self.project.config.chunk, *embedder)
                    .map_err(|source| Error::Chunk {
                        document: document.id.clone(),
                        source,
                    })?;
                let vectors = self.embed(&document, &chunks)?;
                (chunks, vectors)
            }
        };
        prepared.new.push(document.id.clone());
        prepared.chunks += chunks.len();
        prepared.bytes += document.text.len() as u64;
        Ok(NewDocument {
            document,
            chunks,
            vectors,
            fingerprint,
        })
    }

    fn embed(&self, document: &Document, chunks: &[Chunk]) -> Result<Vec<Embedding>, Error> {
        let Some(embedder) = self.embedder else {
            return Ok(Vec::new());
        };
        let texts: Vec<String> = chunks
            .iter()
            .map(|chunk| {
                let text = &document.text[chunk.bytes.clone()];
                let above: Vec<&str> = document
                    .title
                    .iter()
                    .chain(&chunk.headings)
                    .map(String::as_str)
                    .filter(|heading| !text.contains(*heading))
                    .collect();
                if above.is_empty() {
                    text.into()
                } else {
                    format!("{}\n{text}", above.join(" › "))
                }
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let vectors = embedder.embed(&texts, TextRole::Passage)?;
        assert_eq!(
            vectors.len(),
            chunks.len(),
            "an embedder gives one vector a text"
        );
        Ok(vectors)
    }

    /// Signs a vector that came with its document; one that is none is left out with a
    /// warning, and the document is found by its words.
    fn given_vector(
        document: &Document,
        numbers: Vec<f32>,
        warnings: &mut Vec<String>,
    ) -> Vec<Embedding> {
        let embedder = given_embedder(numbers.len());
        match Embedding::new(embedder, numbers) {
            Ok(vector) => vec![vector],
            Err(error) => {
                let id = &document.id;
                warnings.push(format!("`{id}`: {error}; it is found by its words only"));
                Vec::new()
            }
        }
    }

    fn fingerprint(&self, document: &Document) -> [u8; 16] {
        let mut hash = Xxh3::new();
        let about = format!(
            "{:?} {:?} {:?} {:?} {:?} {:?}",
            document.title,
            document.metadata,
            document.permissions,
            document.embedding,
            self.project.config.chunk,
            self.embedder.map(Embed::identity),
        );
        hash.update(env!("CARGO_PKG_VERSION").as_bytes());
        hash.update(about.as_bytes());
        hash.update(document.text.as_bytes());
        hash.digest128().to_le_bytes()
    }
}

/// The name under which vectors that come with their documents are kept.
const GIVEN: &str = "given with the documents";

/// Returns who made vectors of `dimensions` numbers that come with their documents.
pub(crate) fn given_embedder(dimensions: usize) -> EmbedderId {
    EmbedderId {
        name: "given with the documents".into(),
        dimensions,
    }
}

/// Returns whether the document `id` is `file` or a record in it.
fn is_of(id: &DocumentId, file: &str) -> bool {
    id.as_str()
        .strip_prefix(file)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
}

/// Returns all of a document as one chunk.
fn whole(document: &Document) -> Chunk {
    let bytes = 0..document.text.len();
    let lines: LineRange = lines_of(&line_starts(&document.text), &bytes);
    Chunk {
        headings: Vec::new(),
        bytes,
        lines,
    }
}

/// Returns an error with its causes in one line.
pub(crate) fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Ingests again and again, whenever something changed, until `events` breaks.
///
/// Looks at the files once a second; where there are so many that looking takes
/// long, more seldom, so that it never takes more than a twentieth of the time.
pub fn watch(
    project: &Project,
    request: &IngestRequest,
    embedder: Option<&dyn Embed>,
    events: &mut dyn FnMut(WatchEvent<'_>) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut request = request.clone();
    loop {
        let started = Instant::now();
        let summary = ingest(project, &request, embedder, &mut |event| {
            events(WatchEvent::Ingest(event))
        })?;
        request.rebuild = false;
        if events(WatchEvent::Done(&summary)).is_break() || summary.interrupted {
            return Ok(());
        }
        // Only a round that found nothing tells how long looking takes.
        let looked = match summary.files + summary.gone {
            0 => started.elapsed(),
            _ => Duration::ZERO,
        };
        let pause = (looked * 20).max(Duration::from_secs(1));
        let until = Instant::now() + pause;
        while Instant::now() < until {
            if events(WatchEvent::Waiting).is_break() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Something that happened while watching.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent<'a> {
    /// Something of the round at hand.
    Ingest(IngestEvent<'a>),
    /// A round is done.
    Done(&'a IngestSummary),
    /// Nothing to do; asked often, so that breaking stops at once.
    Waiting,
}
