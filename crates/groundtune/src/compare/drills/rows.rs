//! Every row of the sources' five tables, held against what was measured here.
//!
//! A row says how training and retrieval differ. Which figure bears on it, and which way it would
//! have to fall, is written down here, once; `fine-tuned` stands for training and `rag` for
//! retrieval, the others are shown beside them. A claim holds where the figures differ as it says,
//! by more than can be seen or felt; where they hardly differ, that is said.

use std::collections::BTreeMap;

use eval::advice::criteria::{CRITERIA, Criterion};
use eval::compare::CandidateScores;
use eval::metric::squad::normalised;
use eval::report::Drill as Table;
use eval::{Compared, Prediction, Situation};
use serde::Serialize;

use super::tables::percent;
use super::{Drills, Tried};
use crate::compare::{AnswerKind, Arm, Examination, Task, Taught};

/// Amounts that differ by less than this share of the larger are alike.
const ALIKE: f64 = 0.1;
/// Shares that differ by less than this are alike.
const POINTS: f64 = 0.03;

/// A row of the sources' tables with what was measured for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The table.
    pub table: &'static str,
    /// The row.
    pub aspect: &'static str,
    /// What it says of training.
    pub training: &'static str,
    /// What it says of retrieval.
    pub retrieval: &'static str,
    /// What was measured for it.
    pub figure: String,
    /// What it is for each candidate for which it was measured.
    pub measured: BTreeMap<Arm, f64>,
    /// The same, as people read it.
    pub shown: BTreeMap<Arm, String>,
    /// Whether what it says was so here.
    pub held: Held,
    /// Why it cannot be said, if so.
    pub why: Option<String>,
}

/// Whether a claim was so here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// It was.
    Yes,
    /// It was the other way round.
    No,
    /// No difference was seen.
    Even,
    /// It was not measured.
    Open,
}

impl Held {
    fn says(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Even => "no difference",
            Self::Open => "not measured",
        }
    }
}

/// All that rows are measured by.
pub(in crate::compare) struct Measured<'a> {
    pub(in crate::compare) compared: &'a Compared,
    pub(in crate::compare) drills: &'a Drills,
    pub(in crate::compare) taught: &'a BTreeMap<Arm, Vec<Taught>>,
    pub(in crate::compare) answers: &'a BTreeMap<Arm, Vec<Vec<Prediction>>>,
    pub(in crate::compare) examination: &'a Examination,
    /// How questions are answered.
    pub(in crate::compare) task: Task,
    pub(in crate::compare) situation: Situation,
    pub(in crate::compare) shots: usize,
}

/// How a figure is written, and when two of them are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Seconds,
    Usd,
    Share,
    /// The deciding metric: alike is what the comparison cannot tell apart.
    Score,
    /// A difference of the deciding metric.
    Gain,
    Count,
    Bits,
    /// A difference of mean reciprocal ranks.
    Ranks,
}

/// Which way a figure has to fall for the claim to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// Training has more of it.
    TrainingMore,
    /// Retrieval has more of it.
    RetrievalMore,
    /// Both have some.
    Both,
    /// Retrieval has some.
    Retrieval,
    /// Retrieval loses none.
    RetrievalKeeps,
    /// Training has all of it.
    TrainingAll,
}

/// What a row is measured by.
struct Measure {
    what: &'static str,
    unit: Unit,
    of: fn(&Measured<'_>, Arm) -> Option<f64>,
    expect: Expect,
}

const fn measure(
    what: &'static str,
    unit: Unit,
    of: fn(&Measured<'_>, Arm) -> Option<f64>,
    expect: Expect,
) -> Measure {
    Measure {
        what,
        unit,
        of,
        expect,
    }
}

/// Returns what a row is measured by.
fn measure_of(criterion: &Criterion, kind: AnswerKind, task: Task) -> Option<Measure> {
    use Expect::{Both, Retrieval, RetrievalKeeps, RetrievalMore, TrainingAll, TrainingMore};
    use Unit::{Bits, Count, Gain, Ranks, Score, Seconds, Share, Usd};
    let suits_training = matches!(
        kind,
        AnswerKind::Label | AnswerKind::Tags | AnswerKind::Json
    );
    let by_kind = match suits_training {
        true => measure(
            "right answers; they are fixed in form",
            Score,
            score,
            TrainingMore,
        ),
        false => measure("right answers; they are open", Score, score, RetrievalMore),
    };
    let update = measure(
        "seconds for one update",
        Seconds,
        update_seconds,
        TrainingMore,
    );
    let changed = measure(
        "right after the documents changed",
        Share,
        |it, arm| Some(tried(&it.drills.freshness, arm)?.changed_right),
        RetrievalMore,
    );
    let stale = measure(
        "stale answers after a change",
        Share,
        |it, arm| Some(tried(&it.drills.freshness, arm)?.changed_stale),
        TrainingMore,
    );
    let added = |what| {
        measure(
            what,
            Share,
            |it, arm| Some(tried(&it.drills.freshness, arm)?.added_right),
            RetrievalMore,
        )
    };
    let labelled = measure(
        "labelled examples that it needs",
        Count,
        lessons,
        TrainingMore,
    );
    let total = measure(
        "cost of the whole time in US dollars",
        Usd,
        total_usd,
        TrainingMore,
    );
    let median = measure(
        "median time of an answer",
        Seconds,
        |it, arm| Some(scores(it, arm)?.effort.latency?.p50_seconds),
        RetrievalMore,
    );
    let slow = measure(
        "time within which 95 of 100 answers come",
        Seconds,
        |it, arm| Some(scores(it, arm)?.effort.latency?.p95_seconds),
        RetrievalMore,
    );
    let first = measure(
        "teaching before the first answer",
        Seconds,
        |it, arm| scores(it, arm)?.cost.upfront_seconds,
        TrainingMore,
    );
    Some(match (criterion.table, criterion.aspect) {
        (_, "data reliance") => measure(
            "right answers lost with their documents",
            Share,
            |it, arm| {
                let refusal = tried(&it.drills.refusal, arm)?;
                Some(refusal.right_before - refusal.known)
            },
            RetrievalMore,
        ),
        (_, "model update procedure" | "maintenance" | "knowledge updates") => update,
        (_, "adaptability to new data") => added("right about documents that were added"),
        (_, "inference speed") => median,
        ("retrieval against fine-tuning", "latency") => median,
        (_, "latency") => slow,
        (_, "handling changing information" | "up-to-date knowledge") => stale,
        (_, "cost of updates" | "training effort") => measure(
            "cost of one update in US dollars",
            Usd,
            |it, arm| scores(it, arm)?.cost.update_usd,
            TrainingMore,
        ),
        (_, "offline capability") => measure(
            "answers that are the same without a network",
            Share,
            |it, arm| {
                let service = tried(&it.drills.service, arm)?;
                Some(service.offline_same as f64 / service.asked.max(1) as f64)
            },
            TrainingAll,
        ),
        (_, "accuracy on recent information") => added("right about what is new"),
        (_, "knowledge update frequency" | "adaptability") => changed,
        (_, "purpose") => measure("better than the base model alone by", Gain, gain, Both),
        (_, "training required" | "model training") => first,
        (_, "use cases" | "task type") => by_kind,
        (_, "infrastructure complexity") => measure(
            "parts that run",
            Count,
            |it, arm| Some(tried(&it.drills.service, arm)?.parts.len() as f64),
            RetrievalMore,
        ),
        ("retrieval against fine-tuning", "cost") => measure(
            "cost before the first answer in US dollars",
            Usd,
            |it, arm| scores(it, arm)?.cost.upfront_usd,
            TrainingMore,
        ),
        (_, "cost" | "cost and complexity") => total,
        (_, "data dependency" | "data requirement") => labelled,
        (_, "domain adaptation") => measure("right answers", Score, score, TrainingMore),
        (_, "data source") => measure(
            "answers that stand in what was found",
            Share,
            grounded,
            RetrievalMore,
        ),
        (_, "performance") if task == Task::Write => measure(
            "more bits for a byte of general text than before",
            Bits,
            forgotten,
            TrainingMore,
        ),
        (_, "performance") => measure(
            "halves of general texts found less than before, as mean reciprocal rank",
            Ranks,
            forgotten,
            TrainingMore,
        ),
        (_, "model size") => measure(
            "better than the same model without retrieval by",
            Gain,
            gain,
            Retrieval,
        ),
        (_, "performance consistency") => measure(
            "answers in form, whatever the words of the question",
            Share,
            |it, arm| Some(tried(&it.drills.format, arm)?.in_form),
            TrainingMore,
        ),
        (_, "scalability") => measure(
            match task.is_of_documents() {
                true => "answers found of all documents, less those of a quarter",
                false => "right labels found of all examples, less those of a quarter",
            },
            Share,
            |it, arm| {
                let growth = it.drills.growth.as_ref()?;
                arm.retrieves().then(|| growth.change()).flatten()
            },
            RetrievalKeeps,
        ),
        _ => return None,
    })
}

fn tried<F>(tried: &Tried<F>, arm: Arm) -> Option<&F> {
    tried.candidates.get(&arm)
}

fn scores<'a>(of: &Measured<'a>, arm: Arm) -> Option<&'a CandidateScores> {
    let mut all = of.compared.candidates.iter();
    all.find(|it| it.name == arm.as_str())
}

fn score(of: &Measured<'_>, arm: Arm) -> Option<f64> {
    let metric = of.compared.plan.metric.name();
    Some(scores(of, arm)?.metrics.get(metric)?.value)
}

fn gain(of: &Measured<'_>, arm: Arm) -> Option<f64> {
    let more = score(of, arm)? - score(of, Arm::Prompt)?;
    Some(match of.compared.plan.metric.more_is_better() {
        true => more,
        false => -more,
    })
}

fn update_seconds(of: &Measured<'_>, arm: Arm) -> Option<f64> {
    scores(of, arm)?.cost.update_seconds
}

fn total_usd(of: &Measured<'_>, arm: Arm) -> Option<f64> {
    let cost = scores(of, arm)?.cost;
    let situation = of.situation;
    let monthly = situation.questions / 1000.0 * cost.thousand_questions_usd?
        + situation.updates * cost.update_usd.unwrap_or(0.0);
    Some(cost.upfront_usd.unwrap_or(0.0) + situation.months * monthly)
}

fn lessons(of: &Measured<'_>, arm: Arm) -> Option<f64> {
    scores(of, arm)?;
    Some(match arm {
        arm if arm.learns() => of.examination.train.len() as f64,
        Arm::FewShot => of.shots as f64,
        Arm::Routed => of.examination.dev.len() as f64,
        _ => 0.0,
    })
}

fn forgotten(of: &Measured<'_>, arm: Arm) -> Option<f64> {
    if of.taught.contains_key(&arm) {
        return Some(tried(&of.drills.forgetting, arm)?.texts.amount().0);
    }
    // Its weights are those of the base model.
    scores(of, arm).map(|_| 0.0)
}

/// Returns the share of the answers that stand word for word in the evidence that was given.
fn grounded(of: &Measured<'_>, arm: Arm) -> Option<f64> {
    if matches!(of.examination.kind(), AnswerKind::Label | AnswerKind::Tags) {
        // A label is told of a text, and stands in none.
        return None;
    }
    let first = of.answers.get(&arm)?.first()?;
    let answered = || {
        first
            .iter()
            .filter(|it| !it.refused && it.failure.is_none())
    };
    answered().next()?;
    Some(super::share(answered(), |it| {
        let said = format!(" {} ", normalised(&it.said()));
        let mut given = it.evidence.iter();
        !said.trim().is_empty()
            && given.any(|it| format!(" {} ", normalised(&it.text)).contains(&said))
    }))
}

/// Returns every row, with what was measured for it.
pub(in crate::compare) fn rows(of: &Measured<'_>) -> Vec<Row> {
    let kind = of.examination.kind();
    CRITERIA
        .iter()
        .map(|criterion| {
            let measure = measure_of(criterion, kind, of.task);
            let measured: BTreeMap<Arm, f64> = match &measure {
                Some(measure) => of
                    .answers
                    .keys()
                    .filter_map(|arm| Some((*arm, (measure.of)(of, *arm)?)))
                    .collect(),
                None => BTreeMap::new(),
            };
            let (held, why) = match &measure {
                Some(measure) => held(of, measure, &measured),
                None => (Held::Open, None),
            };
            let unit = measure.as_ref().map_or(Unit::Count, |it| it.unit);
            let shown = measured.iter().map(|(arm, it)| (*arm, write(unit, *it)));
            Row {
                table: criterion.table,
                aspect: criterion.aspect,
                training: criterion.training,
                retrieval: criterion.retrieval,
                figure: measure.map_or_else(String::new, |it| it.what.to_owned()),
                shown: shown.collect(),
                measured,
                held,
                why,
            }
        })
        .collect()
}

/// Says whether a claim was so, or why that cannot be said.
fn held(
    of: &Measured<'_>,
    measure: &Measure,
    measured: &BTreeMap<Arm, f64>,
) -> (Held, Option<String>) {
    let training = measured.get(&Arm::FineTuned).copied();
    let retrieval = measured.get(&Arm::Rag).copied();
    let missing = |arm: Arm| {
        let why = format!("there is no such figure of `{arm}`");
        (Held::Open, Some(why))
    };
    let sides = || match (training, retrieval) {
        (Some(training), Some(retrieval)) => Ok((training, retrieval)),
        (None, _) => Err(missing(Arm::FineTuned)),
        (_, None) => Err(missing(Arm::Rag)),
    };
    let some = |value: f64| match value {
        value if value >= of.compared.plan.smallest_difference => Held::Yes,
        value if value <= -of.compared.plan.smallest_difference => Held::No,
        _ => Held::Even,
    };
    let found = match measure.expect {
        Expect::TrainingMore => match sides() {
            Err(open) => return open,
            Ok((training, retrieval)) => {
                more(of, measure.unit, training, retrieval, Arm::FineTuned)
            }
        },
        Expect::RetrievalMore => match sides() {
            Err(open) => return open,
            Ok((training, retrieval)) => more(of, measure.unit, retrieval, training, Arm::Rag),
        },
        Expect::Both => match sides() {
            Err(open) => return open,
            Ok((training, retrieval)) => some(training.min(retrieval)),
        },
        Expect::Retrieval => match retrieval {
            None => return missing(Arm::Rag),
            Some(retrieval) => some(retrieval),
        },
        Expect::RetrievalKeeps => match retrieval {
            None => return missing(Arm::Rag),
            Some(lost) if lost < -POINTS => Held::No,
            Some(_) => Held::Yes,
        },
        Expect::TrainingAll => match training {
            None => return missing(Arm::FineTuned),
            Some(all) if all < 1.0 => Held::No,
            Some(_) => Held::Yes,
        },
    };
    (found, None)
}

/// Says whether `this` is more than `that`; of the metric, whether `arm` is better.
fn more(of: &Measured<'_>, unit: Unit, this: f64, that: f64, arm: Arm) -> Held {
    if unit == Unit::Score {
        let sides = [Arm::FineTuned.as_str(), Arm::Rag.as_str()];
        let mut differences = of.compared.differences.iter();
        let difference = differences
            .find(|it| sides.contains(&it.better.as_str()) && sides.contains(&it.worse.as_str()));
        return match difference {
            Some(it) if it.p_corrected >= of.compared.plan.alpha => Held::Even,
            Some(it) if it.better == arm.as_str() => Held::Yes,
            Some(_) => Held::No,
            None => Held::Open,
        };
    }
    let nearly = match unit {
        Unit::Share | Unit::Ranks => POINTS,
        Unit::Bits => 0.01,
        _ => ALIKE * this.abs().max(that.abs()),
    };
    match this - that {
        more if more > nearly => Held::Yes,
        more if more < -nearly => Held::No,
        _ => Held::Even,
    }
}

fn write(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Seconds if value < 1.0 => format!("{:.0} ms", 1000.0 * value),
        Unit::Seconds => format!("{value:.1} s"),
        Unit::Usd if value != 0.0 && value < 0.0001 => format!("${value:.1e}"),
        Unit::Usd if value != 0.0 && value < 0.01 => format!("${value:.5}"),
        Unit::Usd => format!("${value:.2}"),
        Unit::Share => percent(value),
        Unit::Score => format!("{value:.3}"),
        Unit::Gain | Unit::Bits | Unit::Ranks => format!("{value:+.3}"),
        Unit::Count => format!("{value:.0}"),
    }
}

/// Returns all rows as one table of the report.
pub(in crate::compare) fn table(rows: &[Row]) -> Table {
    let mut arms: Vec<Arm> = rows
        .iter()
        .flat_map(|it| it.shown.keys().copied())
        .collect();
    arms.sort_unstable();
    arms.dedup();
    let mut columns = vec![
        "what is said".to_owned(),
        "of training".to_owned(),
        "of retrieval".to_owned(),
        "measured here".to_owned(),
    ];
    columns.extend(arms.iter().map(ToString::to_string));
    columns.push("so here".to_owned());
    let counts = |held| rows.iter().filter(|it| it.held == held).count();
    Table {
        name: "What is said of training and retrieval, and what was so here".into(),
        columns,
        rows: rows
            .iter()
            .map(|row| {
                let mut cells = vec![
                    row.training.to_owned(),
                    row.retrieval.to_owned(),
                    row.figure.clone(),
                ];
                let figure = |arm: &Arm| row.shown.get(arm).cloned().unwrap_or_else(|| "–".into());
                cells.extend(arms.iter().map(figure));
                cells.push(match &row.why {
                    Some(why) => format!("{}: {why}", row.held.says()),
                    None => row.held.says().to_owned(),
                });
                (format!("{} ({})", row.aspect, row.table), cells)
            })
            .collect(),
        says: format!(
            "The {} rows of five published tables. `fine-tuned` stands for training, `rag` for \
             retrieval: {} rows were so here, {} the other way round, of {} no difference was seen, \
             and {} were not measured.",
            rows.len(),
            counts(Held::Yes),
            counts(Held::No),
            counts(Held::Even),
            counts(Held::Open),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_measure() {
        for (kind, task) in [
            (AnswerKind::Label, Task::Write),
            (AnswerKind::Label, Task::Label),
            (AnswerKind::Short, Task::Find),
        ] {
            for criterion in CRITERIA {
                let measure = measure_of(criterion, kind, task);
                assert!(
                    measure.is_some(),
                    "{}: {}",
                    criterion.table,
                    criterion.aspect
                );
            }
        }
    }
}
