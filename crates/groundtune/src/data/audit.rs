//! What there is to know about examples before a model learns from them.
//!
//! The files are read record by record; of each example no more than its signature and a
//! few numbers stay in memory (about 350 bytes), and a sample of a thousand texts for what
//! only an embedder can tell. Each criterion ends in a [`Finding`]: what was seen, how bad
//! it is, and what to do. [`filter`] writes the set without what should not be learnt.

mod about;
mod finding;
mod sample;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use contract::{Example, Judgement, Labels, Lesson, LessonKind};
use corpus::examples::{
    Alike, Examples, Fault, Located, PersonalKind, ReadExamples, Refusal, Richness, personal,
    repetition, words, written,
};
use model::tokenizer::{Special, TextTokenizer};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::{DataError, FileSummary, keep_inputs, write_lines};

pub use about::{
    Audit, Coherence, Conflicts, Diversity, Duplicates, LabelBalance, Leakage, Lengths, Personal,
    Place, Relevance, Size,
};
pub use finding::{Criterion, Finding, Verdict};

/// The label of a question that has an answer.
const ANSWERABLE: &str = "answerable";
/// Places that a report names of each kind.
const NAMED: usize = 20;
/// A text of which this share is repeated phrases is repetitive.
const REPETITIVE: f64 = 0.3;

/// What is to be audited.
#[derive(Clone, Copy, Default)]
pub struct AuditRequest<'a> {
    /// The files of one set.
    pub files: &'a [PathBuf],
    /// Files of another set, which must have nothing in common with it.
    pub against: &'a [PathBuf],
    /// A folder or file of documents that the examples are to be about.
    pub documents: Option<&'a Path>,
    /// What counts tokens; words are counted without.
    pub tokenizer: Option<&'a TextTokenizer>,
}

/// What the audit knows of each example, in the order of the files.
struct Known {
    file: u32,
    line: u64,
    kind: LessonKind,
    /// Its input, with the passage it is asked of.
    asked: u64,
    /// What is to be answered.
    answer: u64,
    personal: bool,
    repetitive: bool,
}

/// An audit, and what it takes to leave out what it found.
pub struct Audited {
    /// The report.
    pub audit: Audit,
    left_out: Vec<Option<Reason>>,
}

/// Why an example is left out of a filtered set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Reason {
    /// It says the same as an earlier one.
    Duplicate {
        /// Where that stands.
        of: Place,
    },
    /// It says nearly the same as an earlier one.
    NearDuplicate {
        /// Where that stands.
        of: Place,
    },
    /// The other set asks the same.
    Leaked,
    /// The same is answered otherwise elsewhere in the set.
    Conflict,
    /// It has what is likely personal data or a secret.
    Personal,
    /// It repeats itself.
    Repetitive,
}

impl Reason {
    fn criterion(&self) -> Criterion {
        match self {
            Self::Duplicate { .. } | Self::NearDuplicate { .. } => Criterion::Duplicates,
            Self::Leaked => Criterion::Leakage,
            Self::Conflict => Criterion::Conflicts,
            Self::Personal => Criterion::Personal,
            Self::Repetitive => Criterion::Coherence,
        }
    }
}

/// Looks at a set of examples. `progress` is told how many examples have been looked at.
///
/// # Errors
/// If a file cannot be read, or holds no example.
pub fn audit(
    request: &AuditRequest<'_>,
    read: &ReadExamples,
    progress: &mut dyn FnMut(u64),
) -> Result<Audited, DataError> {
    let mut look = Look::default();
    let mut elsewhere = Elsewhere::default();
    for path in request.against {
        let mut records = Examples::open(path, read)?;
        let mut summary = FileSummary {
            path: path.clone(),
            layout: records.layout(),
            examples: 0,
            refused: 0,
        };
        for found in &mut records {
            match found {
                Err(refusal) => {
                    summary.refused += 1;
                    elsewhere.refuse(refusal);
                }
                Ok(Located { example, .. }) => {
                    summary.examples += 1;
                    elsewhere.take(&example.lesson);
                }
            }
        }
        elsewhere.files.push(summary);
    }
    if elsewhere.count == 0 && !request.against.is_empty() {
        return Err(nothing_taken(request.against, elsewhere.first.take()));
    }
    let mut first = None;
    for path in request.files {
        let mut records = Examples::open(path, read)?;
        let mut summary = FileSummary {
            path: path.clone(),
            layout: records.layout(),
            examples: 0,
            refused: 0,
        };
        let file = look.files.len() as u32;
        for found in &mut records {
            match found {
                Err(refusal) => {
                    summary.refused += 1;
                    look.refuse(&refusal);
                    first.get_or_insert(refusal);
                }
                Ok(Located { line, example }) => {
                    summary.examples += 1;
                    look.take(file, line, &example, request.tokenizer)?;
                    if !request.against.is_empty() {
                        elsewhere.alike.push(&example.lesson.input());
                    }
                    progress(look.known.len() as u64);
                }
            }
        }
        look.files.push(summary);
    }
    if look.known.is_empty() {
        return Err(nothing_taken(request.files, first));
    }
    look.refused.append(&mut elsewhere.refused);
    look.refused.truncate(NAMED);
    look.against = std::mem::take(&mut elsewhere.files);
    let relevance = match request.documents {
        Some(folder) => Some(sample::relevance(&look.sample, folder)?),
        None => None,
    };
    let leaks = (!request.against.is_empty()).then(|| elsewhere.leaks(&look));
    Ok(look.finish(leaks, relevance))
}

/// What there is to say of files of which no record was taken.
fn nothing_taken(files: &[PathBuf], first: Option<Refusal>) -> DataError {
    let file = super::name(files.first());
    match first {
        Some(first) => DataError::NothingTaken {
            file,
            first: Box::new(first),
        },
        None => corpus::examples::ExampleError::Empty { file }.into(),
    }
}

/// Writes the examples that are left when those with a [`Reason`] are gone, but for the
/// criteria in `keep`, and beside them the list of what was left out and why. Returns how
/// many were written, and how many were not.
///
/// # Errors
/// If a file cannot be read or written, or what is written would take the place of a file
/// that is read.
pub fn filter(
    request: &AuditRequest<'_>,
    read: &ReadExamples,
    audited: &Audited,
    keep: &[Criterion],
    out: &Path,
) -> Result<(usize, usize), DataError> {
    let read_from = || request.files.iter().chain(request.against);
    keep_inputs([out, &left_out_beside(out)], read_from())?;
    let mut left_out = Vec::new();
    let mut kept = 0;
    let mut failure = None;
    let mut reasons = audited.left_out.iter();
    let mut files = request.files.iter();
    let mut records: Option<(&PathBuf, Examples)> = None;
    let lines = std::iter::from_fn(|| {
        loop {
            let Some((path, open)) = &mut records else {
                let path = files.next()?;
                match Examples::open(path, read) {
                    Ok(open) => records = Some((path, open)),
                    Err(error) => {
                        failure = Some(error);
                        return None;
                    }
                }
                continue;
            };
            match open.next() {
                None => records = None,
                Some(Err(refusal)) => left_out.push(serde_json::json!({
                    "file": path, "line": refusal.line,
                    "why": "refused", "reason": refusal.fault.to_string(),
                })),
                Some(Ok(Located { line, example })) => {
                    let reason = reasons.next().and_then(Option::as_ref);
                    match reason.filter(|reason| !keep.contains(&reason.criterion())) {
                        None => {
                            kept += 1;
                            return Some(written(&example).to_string());
                        }
                        Some(reason) => {
                            let mut entry = serde_json::json!({
                                "file": path, "line": line, "id": example.id,
                            });
                            if let (Some(entry), Ok(serde_json::Value::Object(reason))) =
                                (entry.as_object_mut(), serde_json::to_value(reason))
                            {
                                entry.extend(reason);
                            }
                            left_out.push(entry);
                        }
                    }
                }
            }
        }
    });
    write_lines(out, lines)?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    let count = left_out.len();
    write_lines(
        &left_out_beside(out),
        left_out.iter().map(ToString::to_string),
    )?;
    Ok((kept, count))
}

/// Returns where [`filter`] lists what it left out.
pub fn left_out_beside(out: &Path) -> PathBuf {
    let mut name = out.file_stem().unwrap_or_default().to_owned();
    name.push(".left-out.jsonl");
    out.with_file_name(name)
}

/// What has been seen so far.
#[derive(Default)]
struct Look {
    files: Vec<FileSummary>,
    against: Vec<FileSummary>,
    known: Vec<Known>,
    alike: Alike,
    sample: sample::Sample,
    richness: Richness,
    refused: Vec<String>,
    unanswered: usize,
    size: Size,
    lengths: Vec<u32>,
    kinds: BTreeMap<&'static str, usize>,
    languages: BTreeMap<String, usize>,
    labels: BTreeMap<String, usize>,
    personal: BTreeMap<PersonalKind, usize>,
    repeated: f64,
}

impl Look {
    fn refuse(&mut self, refusal: &Refusal) {
        if self.refused.len() < NAMED {
            self.refused.push(refusal.to_string());
        }
        if matches!(refusal.fault, Fault::Blank { .. } | Fault::NoAnswer) {
            self.unanswered += 1;
        }
    }

    fn take(
        &mut self,
        file: u32,
        line: u64,
        example: &Example,
        tokenizer: Option<&TextTokenizer>,
    ) -> Result<(), DataError> {
        let lesson = &example.lesson;
        let text = whole(lesson);
        let (input, target) = (lesson.input(), lesson.target());
        let words = words(&text).count();
        self.size.examples += 1;
        self.size.words += words as u64;
        self.size.bytes += text.len() as u64;
        let length = match tokenizer {
            Some(tokenizer) => {
                let tokens = tokenizer.encode(&text, Special::Ignore)?.len();
                *self.size.tokens.get_or_insert(0) += tokens as u64;
                tokens
            }
            None => words,
        };
        self.lengths.push(u32::try_from(length).unwrap_or(u32::MAX));
        *self.kinds.entry(lesson.kind().as_str()).or_default() += 1;
        *self.languages.entry(language(&text)).or_default() += 1;
        self.richness.push(&text);
        let found: HashSet<PersonalKind> = personal(&text).into_iter().map(|it| it.0).collect();
        for kind in &found {
            *self.personal.entry(*kind).or_default() += 1;
        }
        let repeated = repetition(learnt(lesson).as_deref().unwrap_or(&text));
        self.repeated += repeated;
        for label in labels(lesson) {
            *self.labels.entry(label.to_owned()).or_default() += 1;
        }
        self.alike.push(&format!("{input}\n{target}"));
        let asked = asked(lesson);
        self.sample
            .take(asked ^ xxh3_64(target.as_bytes()), || text.clone());
        self.known.push(Known {
            file,
            line,
            kind: lesson.kind(),
            asked,
            answer: plain_hash(&target),
            personal: !found.is_empty(),
            repetitive: repeated > REPETITIVE,
        });
        Ok(())
    }

    fn place(&self, of: usize) -> Place {
        let known = &self.known[of];
        Place {
            file: self.files[known.file as usize].path.clone(),
            line: known.line,
        }
    }

    fn finish(mut self, leaks: Option<Leaks>, relevance: Option<Relevance>) -> Audited {
        let count = self.known.len();
        let groups = std::mem::take(&mut self.alike).groups();
        let mut left_out: Vec<Option<Reason>> = vec![None; count];

        let mut duplicates = Duplicates::default();
        let mut first: HashMap<(u64, u64), usize> = HashMap::new();
        for (place, group) in groups.iter().enumerate() {
            let known = &self.known[place];
            let of = *first.entry((known.asked, known.answer)).or_insert(place);
            let (exact, of) = match (of == place, *group as usize == place) {
                (false, _) => (true, of),
                (true, false) => (false, *group as usize),
                (true, true) => continue,
            };
            let pair = || (self.place(place), self.place(of));
            let (counter, named) = if exact {
                (&mut duplicates.exact, &mut duplicates.exact_places)
            } else {
                (&mut duplicates.near, &mut duplicates.near_places)
            };
            *counter += 1;
            if named.len() < NAMED {
                named.push(pair());
            }
            let of = self.place(of);
            left_out[place] = Some(if exact {
                Reason::Duplicate { of }
            } else {
                Reason::NearDuplicate { of }
            });
        }

        // The same input with another label. Of prompts, several answers may be right.
        let mut conflicts = Conflicts::default();
        let mut answers: HashMap<u64, Vec<usize>> = HashMap::new();
        for (place, known) in self.known.iter().enumerate() {
            if decided(known.kind) {
                answers.entry(known.asked).or_default().push(place);
            }
        }
        let mut disputed: Vec<Vec<usize>> = answers
            .into_values()
            .filter(|places| {
                let first = self.known[places[0]].answer;
                places
                    .iter()
                    .any(|place| self.known[*place].answer != first)
            })
            .collect();
        disputed.sort();
        for places in disputed {
            conflicts.texts += 1;
            conflicts.examples += places.len();
            if conflicts.places.len() < NAMED {
                conflicts
                    .places
                    .push(places.iter().map(|place| self.place(*place)).collect());
            }
            for place in places {
                left_out[place] = Some(Reason::Conflict);
            }
        }

        let mut personal = Personal {
            kinds: std::mem::take(&mut self.personal),
            ..Personal::default()
        };
        let mut repetitive = 0;
        let mut repetitive_places = Vec::new();
        for (place, known) in self.known.iter().enumerate() {
            if known.repetitive {
                repetitive += 1;
                if repetitive_places.len() < NAMED {
                    repetitive_places.push(self.place(place));
                }
                left_out[place].get_or_insert(Reason::Repetitive);
            }
            if known.personal {
                personal.examples += 1;
                if personal.places.len() < NAMED {
                    personal.places.push(self.place(place));
                }
                left_out[place] = Some(Reason::Personal);
            }
        }
        let leakage = leaks.map(|leaks| {
            let mut leakage = Leakage::default();
            for (place, leak) in leaks.into_iter().enumerate() {
                let Some(exact) = leak else { continue };
                let counter = if exact {
                    &mut leakage.exact
                } else {
                    &mut leakage.near
                };
                *counter += 1;
                if leakage.places.len() < NAMED {
                    leakage.places.push(self.place(place));
                }
                left_out[place] = Some(Reason::Leaked);
            }
            leakage
        });

        let [type_token, distinct_2, distinct_3] = self.richness.shares();
        let likeness = sample::likeness(&self.sample);
        let mut audit = Audit {
            lengths: Lengths::of(&mut self.lengths, self.size.tokens.is_some()),
            files: self.files,
            against: self.against,
            kinds: self.kinds,
            size: self.size,
            refused: self.refused,
            unanswered: self.unanswered,
            duplicates,
            conflicts,
            leakage,
            diversity: Diversity {
                type_token,
                distinct_2,
                distinct_3,
                self_similarity: likeness.between,
            },
            coherence: Coherence {
                repetition: self.repeated / count as f64,
                repetitive,
                repetitive_places,
                neighbours: likeness.neighbours,
            },
            relevance,
            languages: self.languages,
            personal,
            // Not every set of questions has some without an answer.
            labels: match self.labels.len() {
                1 if self.labels.contains_key(ANSWERABLE) => None,
                _ => LabelBalance::of(self.labels),
            },
            findings: Vec::new(),
        };
        audit.findings = finding::findings(&audit);
        Audited { audit, left_out }
    }
}

/// What the other set asks.
#[derive(Default)]
struct Elsewhere {
    files: Vec<FileSummary>,
    refused: Vec<String>,
    first: Option<Refusal>,
    asked: HashSet<u64>,
    count: usize,
    alike: Alike,
}

/// For each example, whether the other set asks the same (`true`) or nearly so.
type Leaks = Vec<Option<bool>>;

impl Elsewhere {
    fn refuse(&mut self, refusal: Refusal) {
        if self.refused.len() < NAMED {
            self.refused.push(refusal.to_string());
        }
        self.first.get_or_insert(refusal);
    }

    fn take(&mut self, lesson: &Lesson) {
        self.asked.insert(asked(lesson));
        self.alike.push(&lesson.input());
        self.count += 1;
    }

    fn leaks(self, look: &Look) -> Leaks {
        let groups = self.alike.groups();
        // A group is named by its first text, and the other set's came first.
        let near = |place: usize| (groups[self.count + place] as usize) < self.count;
        look.known
            .iter()
            .enumerate()
            .map(|(place, known)| match self.asked.contains(&known.asked) {
                true => Some(true),
                false => near(place).then_some(false),
            })
            .collect()
    }
}

/// Returns all that an example says.
fn whole(lesson: &Lesson) -> String {
    let mut text = match lesson {
        Lesson::Question {
            question,
            context: Some(context),
            ..
        } => format!("{context}\n{question}"),
        other => other.input(),
    };
    match lesson {
        // Of labels and tags nobody wants the words counted.
        Lesson::Labelled { .. }
        | Lesson::Tagged { .. }
        | Lesson::Pair { .. }
        | Lesson::Text { .. } => {}
        Lesson::Preference {
            chosen, rejected, ..
        } => {
            text.push('\n');
            text.push_str(chosen);
            text.push('\n');
            text.push_str(rejected);
        }
        other => {
            text.push('\n');
            text.push_str(&other.target());
        }
    }
    text
}

/// Returns what a model learns to write of an example, if that is not all of it: a
/// prompt, a passage or the worse answer may repeat itself.
fn learnt(lesson: &Lesson) -> Option<Cow<'_, str>> {
    match lesson {
        Lesson::Labelled { .. }
        | Lesson::Tagged { .. }
        | Lesson::Pair { .. }
        | Lesson::Text { .. } => None,
        Lesson::Preference { chosen, .. } => Some(Cow::Borrowed(chosen)),
        other => Some(Cow::Owned(other.target())),
    }
}

/// Returns a number for what is asked, by its words; of another passage it is another.
fn asked(lesson: &Lesson) -> u64 {
    match lesson {
        Lesson::Question {
            question,
            context: Some(context),
            ..
        } => plain_hash(question) ^ plain_hash(context).rotate_left(1),
        other => plain_hash(&other.input()),
    }
}

fn plain_hash(text: &str) -> u64 {
    let mut plain = words(text).collect::<Vec<_>>().join(" ");
    if plain.is_empty() {
        plain = text.to_owned();
    }
    xxh3_64(plain.as_bytes())
}

/// Whether the same input has one right answer.
fn decided(kind: LessonKind) -> bool {
    matches!(
        kind,
        LessonKind::Labelled | LessonKind::Tagged | LessonKind::Pair
    )
}

fn labels(lesson: &Lesson) -> Vec<&str> {
    match lesson {
        Lesson::Labelled { labels, .. } => match labels {
            Labels::One(label) => vec![label],
            Labels::Several(labels) => labels.iter().map(String::as_str).collect(),
        },
        Lesson::Tagged { tags, .. } => {
            // Each entity once, by its kind.
            let kinds = tags.iter().filter_map(|tag| tag.strip_prefix("B-"));
            kinds.collect()
        }
        Lesson::Pair {
            judgement: Judgement::Label(label),
            ..
        } => vec![label],
        Lesson::Question { answers, .. } => {
            vec![if answers.is_empty() {
                "unanswerable"
            } else {
                ANSWERABLE
            }]
        }
        _ => Vec::new(),
    }
}

/// Returns the name of a text's language, of its script where that has no spaces, or
/// `unknown`.
fn language(text: &str) -> String {
    use search::keyword::Language;
    match Language::detect(text) {
        Some(Language::None) => script(text).to_owned(),
        Some(language) => format!("{language:?}").to_lowercase(),
        None => script(text).to_owned(),
    }
}

/// Returns the script of most letters.
fn script(text: &str) -> &'static str {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for letter in text
        .chars()
        .filter(|letter| letter.is_alphabetic())
        .take(1000)
    {
        let script = match letter {
            '\u{3040}'..='\u{30ff}' => "japanese",
            '\u{ac00}'..='\u{d7af}' => "korean",
            '\u{2e80}'..='\u{9fff}' => "chinese",
            '\u{0400}'..='\u{052f}' => "cyrillic",
            '\u{0370}'..='\u{03ff}' => "greek",
            '\u{0590}'..='\u{05ff}' => "hebrew",
            '\u{0600}'..='\u{06ff}' => "arabic",
            '\u{0900}'..='\u{097f}' => "devanagari",
            '\u{0e00}'..='\u{0e7f}' => "thai",
            // Of Latin letters only words tell the language.
            _ => "unknown",
        };
        *counts.entry(script).or_default() += 1;
    }
    // Japanese is written with Chinese signs too.
    if counts.get("japanese").is_some_and(|count| *count >= 3) {
        return "japanese";
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map_or("unknown", |(script, _)| script)
}

#[cfg(test)]
mod tests;
