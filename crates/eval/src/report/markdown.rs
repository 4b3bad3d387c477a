//! The report as Markdown.

use std::fmt::Write as _;

use super::Report;
use super::amount::{seconds, usd};
use crate::metric::Metric;
use crate::verdict::figure;

/// Writes the report as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    write(report, &mut out).expect("writing to a string does not fail");
    out
}

fn write(report: &Report, out: &mut String) -> std::fmt::Result {
    let compared = &report.compared;
    let metric = compared.plan.metric;
    writeln!(out, "# {}\n", cell(&report.title))?;
    writeln!(out, "**{}**\n", compared.verdict.statement)?;
    for line in &report.made {
        writeln!(out, "- {}", cell(line))?;
    }
    writeln!(
        out,
        "- {} questions in {} clusters; decided by {} ({}), differences from {} on matter, \
         α = {}, seed {}\n",
        compared.questions,
        compared.clusters,
        metric,
        signature(report),
        compared.plan.smallest_difference,
        compared.plan.alpha,
        compared.plan.seed,
    )?;
    if !report.warnings.is_empty() {
        writeln!(out, "## Before believing it\n")?;
        for warning in &report.warnings {
            writeln!(out, "- {}", cell(warning))?;
        }
        writeln!(out)?;
    }
    scores(report, out)?;
    differences(report, out)?;
    effort(report, out)?;
    flips(report, out)?;
    causes(report, out)?;
    drills(report, out)?;
    questions(report, out)
}

/// Returns the deciding metric's signature.
pub(super) fn signature(report: &Report) -> &str {
    let metric = report.compared.plan.metric.name();
    let candidates = &report.compared.candidates;
    let score = candidates.iter().find_map(|it| it.metrics.get(metric));
    score.map_or("", |score| score.signature.as_str())
}

/// Returns the metrics that any candidate has, the deciding one first.
pub(super) fn metrics(report: &Report) -> Vec<Metric> {
    let plan = &report.compared.plan;
    let mut found = vec![plan.metric];
    for metric in &plan.also {
        let has = |it: &crate::compare::CandidateScores| it.metrics.contains_key(metric.name());
        if !found.contains(metric) && report.compared.candidates.iter().any(has) {
            found.push(*metric);
        }
    }
    found
}

fn row(out: &mut String, cells: impl IntoIterator<Item = String>) -> std::fmt::Result {
    for it in cells {
        write!(out, "| {} ", cell(&it))?;
    }
    writeln!(out, "|")
}

fn header(out: &mut String, cells: &[&str]) -> std::fmt::Result {
    row(out, cells.iter().map(|it| (*it).to_owned()))?;
    writeln!(out, "{}|", "|---".repeat(cells.len()))
}

/// Returns a text that stays in its cell.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' => out.push_str("\\|"),
            '\n' => out.push_str("<br>"),
            '<' => out.push_str("&lt;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn scores(report: &Report, out: &mut String) -> std::fmt::Result {
    let metrics = metrics(report);
    writeln!(out, "## Scores\n")?;
    let names: Vec<&str> = metrics.iter().map(|it| it.name()).collect();
    let columns: Vec<&str> = ["candidate"].into_iter().chain(names).collect();
    header(out, &columns)?;
    for candidate in &report.compared.candidates {
        let scores = metrics
            .iter()
            .map(|metric| match candidate.metrics.get(metric.name()) {
                Some(score) => format!(
                    "{} ({} to {})",
                    figure(*metric, score.value, 0.01),
                    figure(*metric, score.interval.low, 0.01),
                    figure(*metric, score.interval.high, 0.01),
                ),
                None => "–".to_owned(),
            });
        row(out, [candidate.name.clone()].into_iter().chain(scores))?;
    }
    writeln!(out)
}

fn differences(report: &Report, out: &mut String) -> std::fmt::Result {
    let plan = &report.compared.plan;
    if report.compared.differences.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Differences, paired\n")?;
    let interval = format!("{:.0} % interval", 100.0 * (1.0 - plan.alpha));
    header(
        out,
        &[
            "better",
            "than",
            "by",
            &interval,
            "p",
            "p corrected",
            "test",
        ],
    )?;
    for it in &report.compared.differences {
        let figure = |value: f64| figure(plan.metric, value, plan.smallest_difference);
        row(
            out,
            [
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
            ],
        )?;
    }
    writeln!(out)
}

/// Returns a figure that may be missing.
pub(super) fn or_dash(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
}

/// Returns an amount that may be missing.
pub(super) fn amount(value: Option<f64>, written: fn(f64) -> String) -> String {
    value.map_or("–".to_owned(), written)
}

fn effort(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(out, "## What it takes\n")?;
    header(
        out,
        &[
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
        ],
    )?;
    for it in &report.compared.candidates {
        let latency = it.effort.latency;
        row(
            out,
            [
                it.name.clone(),
                it.seeds.to_string(),
                amount(latency.map(|it| it.p50_seconds), seconds),
                amount(latency.map(|it| it.p95_seconds), seconds),
                or_dash(it.effort.prompt_tokens, 0),
                or_dash(it.effort.completion_tokens, 0),
                it.effort
                    .peak_memory_bytes
                    .map_or("–".to_owned(), |bytes| contract::Bytes(bytes).to_string()),
                amount(it.cost.upfront_usd, usd),
                amount(it.cost.thousand_questions_usd, usd),
                amount(it.cost.update_usd, usd),
                amount(it.cost.update_seconds, seconds),
                it.refused.to_string(),
                it.failed.to_string(),
            ],
        )?;
    }
    writeln!(out)
}

fn flips(report: &Report, out: &mut String) -> std::fmt::Result {
    let Some(flips) = &report.flips else {
        return Ok(());
    };
    writeln!(out, "## When it flips\n")?;
    let weights = flips.weights;
    writeln!(
        out,
        "By utility (quality {:.2}, latency {:.2}, cost {:.2}, freshness {:.2}) with {} questions \
         and {} updates a month:\n",
        weights.quality,
        weights.latency,
        weights.cost,
        weights.freshness,
        flips.situation.questions,
        flips.situation.updates,
    )?;
    header(
        out,
        &[
            "candidate",
            "utility",
            "first among weights near these",
            "among all weights",
        ],
    )?;
    for it in &flips.ranking {
        row(
            out,
            [
                it.name.clone(),
                format!("{:.3}", it.utility),
                format!("{:.0} %", 100.0 * it.first_share),
                format!("{:.0} %", 100.0 * it.first_share_of_all),
            ],
        )?;
    }
    writeln!(out)?;
    for flip in &flips.flips {
        writeln!(out, "- {}", flip.statement)?;
    }
    for even in &flips.break_even {
        writeln!(out, "- {}", even.statement)?;
    }
    for left in &flips.left_out {
        writeln!(
            out,
            "- without {}, `{}` comes first",
            left.criterion, left.winner
        )?;
    }
    if !flips.unknown.is_empty() {
        writeln!(
            out,
            "- not known, and counted as the worst: {}",
            flips.unknown.join(", ")
        )?;
    }
    writeln!(out)
}

fn causes(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(out, "## Why\n")?;
    header(out, &["candidate", "answers"])?;
    for (name, causes) in &report.causes {
        let parts = causes
            .iter()
            .map(|(cause, many)| format!("{many} {}", cause.as_str()));
        row(out, [name.clone(), parts.collect::<Vec<_>>().join(", ")])?;
    }
    writeln!(out)
}

fn drills(report: &Report, out: &mut String) -> std::fmt::Result {
    for drill in &report.drills {
        writeln!(out, "## {}\n\n{}\n", cell(&drill.name), cell(&drill.says))?;
        header(out, &drill.heads())?;
        for (name, cells) in &drill.rows {
            row(out, [name.clone()].into_iter().chain(cells.iter().cloned()))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// How many questions Markdown shows; the others are in the page and the JSON.
const QUESTIONS: usize = 20;

fn questions(report: &Report, out: &mut String) -> std::fmt::Result {
    if report.questions.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Questions on which they differ most\n")?;
    for question in report.questions.iter().take(QUESTIONS) {
        let gold = match question.gold.is_empty() {
            true => "(no answer: to refuse is right)".to_owned(),
            false => question.gold.join(" / "),
        };
        writeln!(
            out,
            "**{}** {}  ",
            cell(&question.id),
            cell(&question.question)
        )?;
        writeln!(out, "right: {}\n", cell(&gold))?;
        for answer in &question.answers {
            let said = match answer.refused {
                true => "(refused)".to_owned(),
                false => cell(&answer.answer),
            };
            writeln!(
                out,
                "- `{}` {} ({}): {said}",
                answer.candidate,
                or_dash(answer.value, 2),
                answer.cause.as_str(),
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}
