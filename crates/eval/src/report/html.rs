//! The report as one page: no script, nothing from the network.

use std::fmt::Write as _;

use super::plot::{Axes, Bar, Series, escaped, intervals, plot};
use super::tables::{self, Table, or_dash, signature};
use super::{QuestionRow, Report};

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--bad:#d55e00;--good:#009e73}\
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.5rem}\
.verdict{font-size:1.2rem;padding:1rem;border-left:4px solid var(--good);background:var(--soft)}\
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}\
th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}\
th.n,td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
small{opacity:.7}code{font-size:.92em;background:var(--soft);padding:0 .2em;border-radius:3px;overflow-wrap:anywhere}\
nav{display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.9rem;margin:1rem 0}a{color:inherit}\
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1rem}\
figure{margin:0}figcaption{font-size:.9rem;font-weight:600}\
svg{width:100%;max-width:560px;height:auto;font:12px system-ui,sans-serif}svg text{fill:currentColor}\
.grid{stroke:currentColor;stroke-opacity:.15}details{border-bottom:1px solid var(--line);padding:.4rem 0}\
summary{cursor:pointer}pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit;margin:.2rem 0}\
.right{color:var(--good)}.wrong{color:var(--bad)}";

/// Writes the report as one HTML page.
pub fn html(report: &Report) -> String {
    let mut out = String::new();
    write(report, &mut out).expect("writing to a string does not fail");
    out
}

fn write(report: &Report, out: &mut String) -> std::fmt::Result {
    let compared = &report.compared;
    let title = escaped(&report.title);
    write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1><p class=\"verdict\">{}</p>",
        marked(&compared.verdict.statement)
    )?;
    out.push_str("<nav>");
    for (head, place) in sections(report) {
        write!(out, "<a href=\"#{place}\">{}</a>", escaped(head))?;
    }
    out.push_str("</nav>");
    writeln!(
        out,
        "<p><small>{} questions in {} clusters; decided by {} ({}); differences from {} on matter; \
         α = {}; seed {}</small></p>",
        compared.questions,
        compared.clusters,
        escaped(compared.plan.metric.name()),
        escaped(signature(report)),
        compared.plan.smallest_difference,
        compared.plan.alpha,
        compared.plan.seed,
    )?;
    for line in &report.made {
        write!(out, "<p><small>{}</small></p>", marked(line))?;
    }
    if !report.warnings.is_empty() {
        out.push_str("<h2 id=\"doubts\">Before believing it</h2><ul>");
        for warning in &report.warnings {
            write!(out, "<li>{}</li>", marked(warning))?;
        }
        out.push_str("</ul>");
    }
    out.push_str("<h2 id=\"scores\">Scores</h2>");
    table(out, &tables::scores(report))?;
    plots(report, out);
    let differences = tables::differences(report);
    if !differences.rows.is_empty() {
        out.push_str("<h2 id=\"differences\">Differences, paired</h2>");
        out.push_str(&forest(report));
        table(out, &differences)?;
    }
    out.push_str("<h2 id=\"effort\">What it takes</h2>");
    table(out, &tables::effort(report))?;
    flips(report, out)?;
    causes(report, out)?;
    for (number, drill) in report.drills.iter().enumerate() {
        write!(
            out,
            "<h2 id=\"drill-{number}\">{}</h2><p>{}</p>",
            escaped(&drill.name),
            marked(&drill.says)
        )?;
        table(out, &tables::drill(drill))?;
    }
    if !report.questions.is_empty() {
        out.push_str("<h2 id=\"questions\">Questions, those first on which they differ most</h2>");
        for question in &report.questions {
            one_question(question, out)?;
        }
        if report.questions_left_out > 0 {
            write!(
                out,
                "<p><small>{} more are in the candidates' predictions.</small></p>",
                report.questions_left_out
            )?;
        }
    }
    out.push_str("</body></html>\n");
    Ok(())
}

/// Writes a table; columns after the first whose cells all begin like numbers stand to the
/// right.
fn table(out: &mut String, table: &Table) -> std::fmt::Result {
    let is_number = |cell: &str| {
        cell.is_empty() || cell.starts_with(|c: char| c.is_ascii_digit() || "-–+$".contains(c))
    };
    let class = |place: usize| {
        let mut cells = table.rows.iter().filter_map(|row| row.get(place));
        match place > 0 && cells.all(|cell| is_number(cell)) {
            true => " class=\"n\"",
            false => "",
        }
    };
    let classes: Vec<&str> = (0..table.heads.len()).map(class).collect();
    out.push_str("<div class=\"scroll\"><table><tr>");
    for (column, class) in table.heads.iter().zip(&classes) {
        write!(out, "<th{class}>{}</th>", escaped(column))?;
    }
    out.push_str("</tr>");
    for row in &table.rows {
        out.push_str("<tr>");
        for (cell, class) in row.iter().zip(&classes) {
            write!(out, "<td{class}>{}</td>", marked(cell))?;
        }
        out.push_str("</tr>");
    }
    out.push_str("</table></div>");
    Ok(())
}

/// Returns the heads of the page with the names of their places.
fn sections(report: &Report) -> Vec<(&str, String)> {
    let place = |name: &str| name.to_owned();
    let mut found = Vec::new();
    if !report.warnings.is_empty() {
        found.push(("Before believing it", place("doubts")));
    }
    found.push(("Scores", place("scores")));
    if !report.compared.differences.is_empty() {
        found.push(("Differences", place("differences")));
    }
    found.push(("What it takes", place("effort")));
    if report.flips.is_some() {
        found.push(("When it flips", place("flips")));
    }
    found.push(("Why", place("why")));
    for (number, drill) in report.drills.iter().enumerate() {
        let name = drill.name.split([':', ',']).next().unwrap_or_default();
        found.push((name, format!("drill-{number}")));
    }
    if !report.questions.is_empty() {
        found.push(("Questions", place("questions")));
    }
    found
}

/// Returns a text that is no markup, what stands in backticks as code.
fn marked(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // A backtick without another is a letter like any.
        return escaped(text);
    }
    let mut out = String::with_capacity(text.len());
    for (number, part) in parts.into_iter().enumerate() {
        match number % 2 {
            0 => out.push_str(&escaped(part)),
            _ => out.push_str(&format!("<code>{}</code>", escaped(part))),
        }
    }
    out
}

/// Draws a plot with its title below; nothing of nothing.
fn figure(axes: &Axes<'_>, series: &[Series<'_>], out: &mut String) {
    if let Some(svg) = plot(axes, series) {
        let title = escaped(axes.title);
        out.push_str(&format!(
            "<figure>{svg}<figcaption>{title}</figcaption></figure>"
        ));
    }
}

/// Draws the differences with their intervals, and where there is none.
fn forest(report: &Report) -> String {
    let differences = &report.compared.differences;
    let rows: Vec<Bar> = differences
        .iter()
        .map(|it| Bar {
            name: format!("{} over {}", it.better, it.worse),
            value: it.difference,
            interval: (it.interval.low, it.interval.high),
        })
        .collect();
    let plan = &report.compared.plan;
    let title = format!("differences of {} with their intervals", plan.metric.name());
    intervals(&title, &rows, plan.smallest_difference).unwrap_or_default()
}

fn plots(report: &Report, out: &mut String) {
    let compared = &report.compared;
    let metric = compared.plan.metric;
    let by = |x: &dyn Fn(&crate::compare::CandidateScores) -> Option<f64>| -> Vec<Series<'_>> {
        let candidates = compared.candidates.iter();
        let series = candidates.filter_map(|it| {
            let score = it.metrics.get(metric.name())?;
            Some(Series {
                name: &it.name,
                points: vec![(x(it)?, score.value)],
                interval: Some((score.interval.low, score.interval.high)),
            })
        });
        series.collect()
    };
    let cost = by(&|it| it.cost.thousand_questions_usd);
    let latency = by(&|it| it.effort.latency.map(|it| it.p50_seconds));
    let memory = by(&|it| {
        it.effort
            .peak_memory_bytes
            .map(|it| it as f64 / (1 << 20) as f64)
    });
    out.push_str("<div class=\"plots\">");
    for (title, x, series) in [
        (
            "quality against cost",
            "US dollars for 1000 questions",
            cost,
        ),
        (
            "quality against latency",
            "median seconds to the answer",
            latency,
        ),
        ("quality against memory", "MiB at most", memory),
    ] {
        let axes = Axes {
            title,
            x,
            y: metric.name(),
            x_from_zero: true,
        };
        figure(&axes, &series, out);
    }
    let mut kinds: Vec<&str> = report.curves.iter().map(|it| it.what.as_str()).collect();
    kinds.dedup();
    for kind in kinds {
        let of_kind = report.curves.iter().filter(|it| it.what == kind);
        let series: Vec<Series<'_>> = of_kind
            .map(|it| Series {
                name: &it.name,
                points: it.points.clone(),
                interval: None,
            })
            .collect();
        let axes = Axes {
            title: kind,
            x: "steps",
            y: kind,
            x_from_zero: true,
        };
        figure(&axes, &series, out);
    }
    if let Some(flips) = &report.flips {
        let situation = flips.situation;
        for (title, x, now, updates) in [
            (
                "what a month costs by questions",
                "questions a month",
                situation.questions,
                false,
            ),
            (
                "what a month costs by updates",
                "updates a month",
                situation.updates,
                true,
            ),
        ] {
            let most = 3.0 * now.max(1.0);
            let series: Vec<Series<'_>> = flips
                .costs
                .iter()
                .filter(|it| it.fixed + it.per_question + it.per_update > 0.0)
                .map(|line| {
                    let at = |x: f64| match updates {
                        true => line.at(situation.questions, x),
                        false => line.at(x, situation.updates),
                    };
                    Series {
                        name: &line.name,
                        points: vec![(0.0, at(0.0)), (most, at(most))],
                        interval: None,
                    }
                })
                .collect();
            let axes = Axes {
                title,
                x,
                y: "US dollars a month",
                x_from_zero: true,
            };
            figure(&axes, &series, out);
        }
    }
    out.push_str("</div>");
}

fn flips(report: &Report, out: &mut String) -> std::fmt::Result {
    let Some(flips) = &report.flips else {
        return Ok(());
    };
    let (weights, situation) = (flips.weights, flips.situation);
    write!(
        out,
        "<h2 id=\"flips\">When it flips</h2><p>By utility: quality {:.2}, latency {:.2}, cost {:.2}, freshness \
         {:.2}; {} questions and {} updates a month.</p>",
        weights.quality,
        weights.latency,
        weights.cost,
        weights.freshness,
        situation.questions,
        situation.updates
    )?;
    table(out, &tables::ranking(flips))?;
    out.push_str("<ul>");
    for remark in tables::remarks(flips) {
        write!(out, "<li>{}</li>", marked(&remark))?;
    }
    out.push_str("</ul>");
    Ok(())
}

fn causes(report: &Report, out: &mut String) -> std::fmt::Result {
    out.push_str("<h2 id=\"why\">Why</h2>");
    let rows = report.causes.iter().map(|(name, causes)| {
        let parts = causes
            .iter()
            .map(|(cause, many)| format!("{} {many}", cause.as_str()));
        vec![name.clone(), parts.collect::<Vec<_>>().join(", ")]
    });
    let heads = vec!["candidate".to_owned(), "answers".to_owned()];
    let rows = rows.collect();
    table(out, &Table { heads, rows })
}

fn one_question(question: &QuestionRow, out: &mut String) -> std::fmt::Result {
    let gold = match question.gold.is_empty() {
        true => "(no answer: to refuse is right)".to_owned(),
        false => question.gold.join(" / "),
    };
    write!(
        out,
        "<details><summary>{} <small>{}</small></summary><p>right: {}</p>\
         <div class=\"scroll\"><table>",
        escaped(&question.question),
        escaped(&question.id),
        escaped(&gold)
    )?;
    for answer in &question.answers {
        use crate::why::Cause;
        let good = matches!(answer.cause, Cause::Right | Cause::RefusedRightly);
        let said = match answer.refused {
            true => "(refused)",
            false => answer.answer.as_str(),
        };
        write!(
            out,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"{}\">{}</td><td><pre>{}</pre>",
            escaped(&answer.candidate),
            or_dash(answer.value, 2),
            if good { "right" } else { "wrong" },
            answer.cause.as_str(),
            escaped(said)
        )?;
        if !answer.evidence.is_empty() {
            write!(
                out,
                "<details><summary>{} pieces of evidence</summary>",
                answer.evidence.len()
            )?;
            for (document, text) in &answer.evidence {
                write!(
                    out,
                    "<small>{}</small><pre>{}</pre>",
                    escaped(document),
                    escaped(text)
                )?;
            }
            out.push_str("</details>");
        }
        out.push_str("</td></tr>");
    }
    out.push_str("</table></div></details>");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_are_code_and_nothing_else_is() {
        let check = |text: &str, expect: &str| assert_eq!(marked(text), expect);
        check("`rag` wins", "<code>rag</code> wins");
        check("a ` alone", "a ` alone");
        check("`<b>` & `c`", "<code>&lt;b&gt;</code> &amp; <code>c</code>");
    }
}
