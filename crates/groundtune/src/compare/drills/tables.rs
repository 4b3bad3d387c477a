//! What came of the drills, as tables of the report.

use std::collections::BTreeMap;

use eval::Metric;
use eval::report::Drill as Table;
use eval::statistics::Interval;

use super::{Drills, General, OfTexts, Searched, Tried};
use crate::compare::{Arm, Task, Taught};

/// Returns the tables of the drills that were run, and one of those that were not.
pub(in crate::compare) fn tables(
    drills: &Drills,
    task: Task,
    taught: &BTreeMap<Arm, Vec<Taught>>,
    metric: Metric,
) -> Vec<Table> {
    let mut out = Vec::new();
    let mut missing = Vec::new();
    let mut add = |name: &str, why: &Option<String>, table: &dyn Fn() -> Table| match why {
        None => out.push(table()),
        Some(why) => missing.push((name.to_owned(), vec![why.clone()])),
    };
    let freshness = || freshness(&drills.freshness, task, taught);
    add("freshness", &drills.freshness.not_measured, &freshness);
    let forgetting = || forgetting(drills);
    add("forgetting", &drills.forgetting.not_measured, &forgetting);
    let noise = || noise(&drills.noise, task);
    add("noise", &drills.noise.not_measured, &noise);
    let refusal = || refusal(&drills.refusal);
    add("refusal", &drills.refusal.not_measured, &refusal);
    let format = || format(&drills.format, metric);
    add("format", &drills.format.not_measured, &format);
    let service = || service(&drills.service);
    add("service", &drills.service.not_measured, &service);
    match &drills.growth {
        Some(found) => out.push(growth(found)),
        None => missing.push((
            "growth".into(),
            vec![
                drills
                    .growth_not_measured
                    .clone()
                    .unwrap_or_else(|| "it was left out".into()),
            ],
        )),
    }
    if !missing.is_empty() {
        let mut table = head("Not tried", &["drill", "why"], String::new());
        table.rows = missing;
        out.push(table);
    }
    out
}

fn head(name: &str, columns: &[&str], says: String) -> Table {
    Table {
        name: name.into(),
        columns: columns.iter().map(|it| (*it).to_owned()).collect(),
        rows: Vec::new(),
        says,
    }
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// Writes a difference in points with where it lies.
fn points(difference: f64, interval: Option<Interval>) -> String {
    let lies = interval.map_or_else(String::new, |it| {
        format!(" ({:+.0} to {:+.0})", 100.0 * it.low, 100.0 * it.high)
    });
    format!("{:+.0} points{lies}", 100.0 * difference)
}

fn rows<F>(tried: &Tried<F>, cells: impl Fn(Arm, &F) -> Vec<String>) -> Vec<(String, Vec<String>)> {
    let each = tried.candidates.iter();
    each.map(|(arm, it)| (arm.to_string(), cells(*arm, it)))
        .collect()
}

fn freshness(
    tried: &Tried<super::Freshness>,
    task: Task,
    taught: &BTreeMap<Arm, Vec<Taught>>,
) -> Table {
    let facts = tried.candidates.values().next().map_or(0, |it| it.facts);
    let (name, says) = match task {
        Task::Write | Task::Find => (
            "Freshness: documents change, disappear and come back",
            format!(
                "{facts} answers were replaced in a copy of the documents by others of the same \
                 form. A candidate that is not given documents would have to be taught again, on \
                 new examples."
            ),
        ),
        Task::Label | Task::Tag => (
            "Freshness: labels change, disappear and come back",
            format!(
                "{facts} labels were passed round among the examples: what had one has the next \
                 from now on. A candidate that does not look at the examples would have to be \
                 taught again; a label's name says what it always said."
            ),
        ),
    };
    let mut table = head(
        name,
        &[
            "right before",
            "right after a change",
            "stale after it",
            "told though removed",
            "right when added",
            "one change takes",
            "first right answer after",
        ],
        says,
    );
    table.rows = rows(tried, |arm, it| {
        let teaching = taught.get(&arm).and_then(|runs| runs.first());
        vec![
            percent(it.before),
            percent(it.changed_right),
            percent(it.changed_stale),
            percent(it.removed_stale),
            percent(it.added_right),
            match (it.update_seconds, teaching) {
                (Some(seconds), _) => format!("{seconds:.2} s"),
                (None, Some(run)) => format!("{:.0} s, taught again", run.seconds),
                (None, None) => "never known".into(),
            },
            it.until_right_seconds
                .map_or_else(|| "–".into(), |it| format!("{it:.2} s")),
        ]
    });
    table
}

fn forgetting(drills: &Drills) -> Table {
    let name = "Forgetting: general text and tasks, before and after tuning";
    let Some(general) = &drills.general else {
        return head(name, &[], String::new());
    };
    let (measures, how): (&[&str], String) = match (general.before.texts, general.halves_by_chance)
    {
        (OfTexts::Written { .. }, _) => (&["bits per byte", "perplexity"], String::new()),
        (OfTexts::Read { .. }, chance) => (
            &["halves found"],
            format!(
                " Halves found: each half of a piece looks for its other half among all others, by \
                 how near their vectors lie, pooled as the base model's are; one over the place at \
                 which it is, the mean ({:.2} by chance). A task is right if its right ending \
                 lies nearest to the beginning.",
                chance.unwrap_or_default()
            ),
        ),
    };
    let change = match general.before.texts {
        OfTexts::Written { .. } => "more than before",
        OfTexts::Read { .. } => "less than before",
    };
    let mut columns = vec![measures[0], change];
    columns.extend(&measures[1..]);
    columns.extend(["tasks right", "lost", "p"]);
    let mut table = head(
        name,
        &columns,
        format!(
            "{} pieces of text ({} bytes) and {} tasks that have nothing to do with the examples. \
             By chance {} of the tasks would be right{}.{how} Of a candidate with several seeds the \
             first is compared; figures of the others stand beside it.",
            general.texts,
            general.bytes,
            general.tasks,
            percent(general.chance),
            if general.before.tasks_right < general.chance + 0.1 {
                ": the base model is hardly better, so there is little that it could forget"
            } else {
                ""
            },
        ),
    );
    let cells = |of: &[General], change: String, lost: [String; 2]| {
        let each = |figure: &dyn Fn(&General) -> String| {
            let all: Vec<String> = of.iter().map(figure).collect();
            all.join(", ")
        };
        let first = each(&|it| match it.texts {
            OfTexts::Written { bits_per_byte, .. } => format!("{bits_per_byte:.3}"),
            OfTexts::Read { halves_found } => format!("{halves_found:.3}"),
        });
        let mut cells = vec![first, change];
        if let OfTexts::Written { .. } = general.before.texts {
            cells.push(each(&|it| match it.texts {
                OfTexts::Written { perplexity, .. } => format!("{perplexity:.1}"),
                OfTexts::Read { .. } => String::new(),
            }));
        }
        cells.push(each(&|it| percent(it.tasks_right)));
        cells.extend(lost);
        cells
    };
    let before = cells(&[general.before], String::new(), Default::default());
    table.rows.push(("the base model".into(), before));
    table.rows.extend(rows(&drills.forgetting, |_, it| {
        let (amount, lies) = it.texts.amount();
        let lies = lies.map_or_else(String::new, |it| {
            format!(" ({:+.3} to {:+.3})", it.low, it.high)
        });
        let lost = [
            points(it.lost, it.lost_interval),
            format!("{:.3}", it.p_value),
        ];
        cells(&it.after, format!("{amount:+.3}{lies}"), lost)
    }));
    table
}

fn noise(tried: &Tried<super::Noise>, task: Task) -> Table {
    let one = tried.any();
    let (among, says) = match task {
        Task::Write | Task::Find => (
            "right among others' passages",
            format!(
                "{} questions whose answer stands in what is found, with as many passages about \
                 something else around it, 3 at least; {} with a passage that says something else \
                 instead, first in every other case and last in the rest. A candidate that is not \
                 given evidence is as it was.",
                one.questions, one.conflicts,
            ),
        ),
        Task::Label | Task::Tag => {
            let (which, with) = match task {
                Task::Tag => ("a name of the same kind", "all names of other kinds"),
                _ => ("a right label", "another label"),
            };
            let says = format!(
                "{} texts of which a neighbour has {which}, with as many examples of other texts \
                 among their neighbours, 3 at least, as near as they lie; {} with a copy of the \
                 nearest such neighbour, with {with}. A candidate that does not look at neighbours \
                 is as it was.",
                one.questions, one.conflicts,
            );
            ("right among others' neighbours", says)
        }
    };
    let mut table = head(
        "Noisy and conflicting retrieval",
        &[
            "right undisturbed",
            among,
            "right unopposed",
            "right though contradicted",
            "misled",
            "refused when contradicted",
        ],
        says,
    );
    table.rows = rows(tried, |_, it| {
        vec![
            percent(it.plain_right),
            percent(it.noisy_right),
            percent(it.unopposed_right),
            percent(it.opposed_right),
            percent(it.opposed_misled),
            percent(it.opposed_refused),
        ]
    });
    table
}

fn refusal(tried: &Tried<super::Refusal>) -> Table {
    let one = tried.any();
    let mut table = head(
        "Refusal: the documents that hold the answer are left out",
        &[
            "refused",
            "made up",
            "right from memory",
            "refused though it was there",
            "precision",
            "recall",
        ],
        format!(
            "{} questions whose documents were left out of what is found, and {} of the \
             examination that have no answer. Precision: the share of the refusals that were right; \
             recall: the share of what was to be refused that was. A candidate that is not given \
             documents does not notice that they are gone.",
            one.left_out, one.unanswerable,
        ),
    );
    table.rows = rows(tried, |_, it| {
        vec![
            percent(it.refused),
            percent(it.made_up),
            percent(it.known),
            percent(it.refused_wrongly),
            it.precision.map_or_else(|| "–".into(), percent),
            percent(it.recall),
        ]
    });
    table
}

fn format(tried: &Tried<super::Formatted>, metric: Metric) -> Table {
    let one = tried.any();
    let of = |form: &str| format!("{} {form}", metric.name());
    let mut table = head(
        "Format consistency: the same in other words",
        &[
            "in form",
            "in form as asked",
            "same answer",
            &of("as asked"),
            &of("careless"),
            &of("polite"),
            &of("pressing"),
            "spread",
        ],
        format!(
            "{} questions as they are, in small letters without a mark at the end, between polite \
             sentences, and with a wish behind them. In form is an answer of {}, as all right \
             answers are; a refusal is none.",
            one.questions, one.wanted,
        ),
    );
    table.rows = rows(tried, |_, it| {
        let mut cells = vec![
            percent(it.in_form),
            percent(it.in_form_as_asked),
            percent(it.same),
        ];
        cells.extend(it.scores.iter().map(|score| format!("{score:.3}")));
        cells.resize(7, "–".into());
        cells.push(format!("{:.3}", it.spread()));
        cells
    });
    table
}

fn service(tried: &Tried<super::Service>) -> Table {
    let mut table = head(
        "Each candidate alone, as it would be run",
        &[
            "memory",
            "disk",
            "ready after",
            "without a network",
            "made of",
        ],
        "Opened afresh with an environment that reaches no network, and asked a few questions. \
         Memory: by how much the program grew. Disk: beside the base model."
            .into(),
    );
    table.rows = rows(tried, |_, it| {
        vec![
            it.memory.map_or_else(|| "–".into(), |it| it.to_string()),
            it.disk.to_string(),
            format!("{:.2} s", it.ready_seconds),
            match &it.offline_failure {
                Some(why) => format!("no: {why}"),
                None => format!("{} of {} answers the same", it.offline_same, it.asked),
            },
            it.parts.join(", "),
        ]
    });
    table
}

fn growth(found: &super::Growth) -> Table {
    let of_examples = |it: &super::Size| matches!(it.searched, Searched::Examples { .. });
    let mut table = match found.sizes.iter().any(of_examples) {
        false => head(
            "Growth: the same questions among more and more documents",
            &[
                "documents",
                "chunks",
                "answer shown",
                "median time to find",
                "time to take all in",
            ],
            format!(
                "{} questions whose answer is found among all documents; the files that hold the \
                 answers are always among them.",
                found.questions
            ),
        ),
        true => head(
            "Growth: the same texts among more and more labelled examples",
            &[
                "labelled examples",
                "what is right is shown",
                "their votes are right",
                "median time to find",
                "time to take all in",
            ],
            format!(
                "{} texts; of each stretch of the examples the same part is searched.",
                found.questions
            ),
        ),
    };
    table.rows = found
        .sizes
        .iter()
        .map(|it| {
            let times = [
                format!("{:.1} ms", 1000.0 * it.find_seconds),
                format!("{:.2} s", it.ingest_seconds),
            ];
            let (name, shown) = match it.searched {
                Searched::Documents { files, chunks } => (
                    format!("{files} files"),
                    [chunks.to_string(), percent(it.found)],
                ),
                Searched::Examples {
                    examples,
                    voted_right,
                } => (
                    format!("{examples} examples"),
                    [percent(it.found), percent(voted_right)],
                ),
            };
            (name, shown.into_iter().chain(times).collect())
        })
        .collect();
    table
}
