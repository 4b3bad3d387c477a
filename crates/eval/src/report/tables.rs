//! The tables of a report, whatever it is written as: Markdown, HTML and the terminal show the
//! same cells.

use super::Report;
use super::amount::{seconds, usd};
use super::{Drill, Flips};
use crate::compare::CandidateScores;
use crate::metric::Metric;
use crate::verdict::figure;

/// Rows of text under their heads. A row has as many cells as there are heads, or fewer.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// What stands above the columns.
    pub heads: Vec<String>,
    /// The rows, the first cell of each saying whose it is.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    fn new(heads: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self {
            heads: heads.iter().map(|it| (*it).to_owned()).collect(),
            rows,
        }
    }
}

/// Returns each candidate's scores with their intervals, the deciding metric first; where some were
/// trained with several seeds, what each seed came to by that metric.
pub fn scores(report: &Report) -> Table {
    let metrics = metrics(report);
    let mut heads = vec!["candidate"];
    heads.extend(metrics.iter().map(|it| it.name()));
    let cell = |candidate: &CandidateScores, metric: &Metric| {
        let score = candidate.metrics.get(metric.name());
        score.map_or("–".to_owned(), |score| {
            let figure = |value| figure(*metric, value, 0.01);
            let (low, high) = (score.interval.low, score.interval.high);
            format!(
                "{} ({} to {})",
                figure(score.value),
                figure(low),
                figure(high)
            )
        })
    };
    let decides = report.compared.plan.metric;
    let of_each = |candidate: &CandidateScores| -> Vec<String> {
        let score = candidate.metrics.get(decides.name());
        let each = score.map_or(&[][..], |it| &it.by_seed);
        each.iter().map(|it| figure(decides, *it, 0.01)).collect()
    };
    let candidates = &report.compared.candidates;
    let several = candidates.iter().any(|it| of_each(it).len() > 1);
    let last = format!("{} of each seed", decides.name());
    if several {
        heads.push(&last);
    }
    let rows = candidates.iter().map(|candidate| {
        let mut row = vec![candidate.name.clone()];
        row.extend(metrics.iter().map(|metric| cell(candidate, metric)));
        if several {
            row.push(match of_each(candidate).as_slice() {
                [] | [_] => "–".to_owned(),
                each => each.join(", "),
            });
        }
        row
    });
    Table::new(&heads, rows.collect())
}

/// Returns how each two candidates differ by the deciding metric; no rows of one candidate.
pub fn differences(report: &Report) -> Table {
    let plan = &report.compared.plan;
    let interval = format!("{:.0} % interval", 100.0 * (1.0 - plan.alpha));
    let heads = [
        "better",
        "than",
        "by",
        &interval,
        "p",
        "p corrected",
        "test",
    ];
    let rows = report.compared.differences.iter().map(|it| {
        let figure = |value: f64| figure(plan.metric, value, plan.smallest_difference);
        vec![
            it.better.clone(),
            it.worse.clone(),
            figure(it.difference),
            format!(
                "{} to {}",
                figure(it.interval.low),
                figure(it.interval.high)
            ),
            format!("{:.4}", it.p_value),
            format!("{:.4}", it.p_corrected),
            it.test.to_owned(),
        ]
    });
    Table::new(&heads, rows.collect())
}

/// Returns what each candidate takes: time, tokens, memory, money.
pub fn effort(report: &Report) -> Table {
    let heads = [
        "candidate",
        "seeds",
        "median",
        "p95",
        "tokens read",
        "tokens written",
        "peak memory",
        "before",
        "1000 questions",
        "an update",
        "fresh after",
        "refused",
        "failed",
    ];
    let rows = report.compared.candidates.iter().map(|it| {
        let latency = it.effort.latency;
        let memory = it.effort.peak_memory_bytes;
        vec![
            it.name.clone(),
            it.seeds.to_string(),
            amount(latency.map(|it| it.p50_seconds), seconds),
            amount(latency.map(|it| it.p95_seconds), seconds),
            or_dash(it.effort.prompt_tokens, 0),
            or_dash(it.effort.completion_tokens, 0),
            memory.map_or("–".to_owned(), |bytes| contract::Bytes(bytes).to_string()),
            amount(it.cost.upfront_usd, usd),
            amount(it.cost.thousand_questions_usd, usd),
            amount(it.cost.update_usd, usd),
            amount(it.cost.update_seconds, seconds),
            it.refused.to_string(),
            it.failed.to_string(),
        ]
    });
    Table::new(&heads, rows.collect())
}

/// Returns the candidates by their utility.
pub fn ranking(flips: &Flips) -> Table {
    let heads = [
        "candidate",
        "utility",
        "first among weights near these",
        "among all weights",
    ];
    let rows = flips.ranking.iter().map(|it| {
        vec![
            it.name.clone(),
            format!("{:.3}", it.utility),
            format!("{:.0} %", 100.0 * it.first_share),
            format!("{:.0} %", 100.0 * it.first_share_of_all),
        ]
    });
    Table::new(&heads, rows.collect())
}

/// Says when another candidate would be the better choice, a sentence each.
pub fn remarks(flips: &Flips) -> Vec<String> {
    let mut said: Vec<String> = flips.flips.iter().map(|it| it.statement.clone()).collect();
    said.extend(flips.break_even.iter().map(|it| it.statement.clone()));
    let without = |it: &crate::flips::LeftOut| {
        format!("without {}, `{}` comes first", it.criterion, it.winner)
    };
    said.extend(flips.left_out.iter().map(without));
    if !flips.unknown.is_empty() {
        let unknown = flips.unknown.join(", ");
        said.push(format!("not known, and counted as the worst: {unknown}"));
    }
    said
}

/// Returns a drill's table.
pub fn drill(drill: &Drill) -> Table {
    let rows = drill.rows.iter().map(|(name, cells)| {
        let mut row = vec![name.clone()];
        row.extend(cells.iter().cloned());
        row
    });
    Table::new(&drill.heads(), rows.collect())
}

/// Returns the deciding metric's signature.
pub(super) fn signature(report: &Report) -> &str {
    let metric = report.compared.plan.metric.name();
    let candidates = &report.compared.candidates;
    let score = candidates.iter().find_map(|it| it.metrics.get(metric));
    score.map_or("", |score| score.signature.as_str())
}

/// Returns the metrics that any candidate has, the deciding one first.
fn metrics(report: &Report) -> Vec<Metric> {
    let plan = &report.compared.plan;
    let mut found = vec![plan.metric];
    for metric in &plan.also {
        let has = |it: &CandidateScores| it.metrics.contains_key(metric.name());
        if !found.contains(metric) && report.compared.candidates.iter().any(has) {
            found.push(*metric);
        }
    }
    found
}

/// Returns a figure that may be missing.
pub(super) fn or_dash(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
}

/// Returns an amount that may be missing.
fn amount(value: Option<f64>, written: fn(f64) -> String) -> String {
    value.map_or("–".to_owned(), written)
}
