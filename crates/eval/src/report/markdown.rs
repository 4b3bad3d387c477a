//! The report as Markdown.

use std::fmt::Write as _;

use super::Report;
use super::tables::{self, Table, or_dash, signature};

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
    writeln!(out, "## Scores\n")?;
    table(out, &tables::scores(report))?;
    let differences = tables::differences(report);
    if !differences.rows.is_empty() {
        writeln!(out, "## Differences, paired\n")?;
        table(out, &differences)?;
    }
    writeln!(out, "## What it takes\n")?;
    table(out, &tables::effort(report))?;
    flips(report, out)?;
    causes(report, out)?;
    drills(report, out)?;
    questions(report, out)
}

/// Writes a table and an empty line.
fn table(out: &mut String, table: &Table) -> std::fmt::Result {
    row(out, &table.heads)?;
    writeln!(out, "{}|", "|---".repeat(table.heads.len()))?;
    for cells in &table.rows {
        row(out, cells)?;
    }
    writeln!(out)
}

fn row(out: &mut String, cells: &[String]) -> std::fmt::Result {
    for it in cells {
        write!(out, "| {} ", cell(it))?;
    }
    writeln!(out, "|")
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
    table(out, &tables::ranking(flips))?;
    for remark in tables::remarks(flips) {
        writeln!(out, "- {remark}")?;
    }
    writeln!(out)
}

fn causes(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(out, "## Why\n")?;
    let rows = report.causes.iter().map(|(name, causes)| {
        let parts = causes
            .iter()
            .map(|(cause, many)| format!("{many} {}", cause.as_str()));
        vec![name.clone(), parts.collect::<Vec<_>>().join(", ")]
    });
    let heads = vec!["candidate".to_owned(), "answers".to_owned()];
    let rows = rows.collect();
    table(out, &Table { heads, rows })
}

fn drills(report: &Report, out: &mut String) -> std::fmt::Result {
    for drill in &report.drills {
        writeln!(out, "## {}\n\n{}\n", cell(&drill.name), cell(&drill.says))?;
        table(out, &tables::drill(drill))?;
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
