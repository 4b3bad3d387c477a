//! Evidence on the screen and as JSON: the same for `search`, `ask` and `demo`.

use std::io::{self, Write as _};

use groundtune::contract::Evidence;
use groundtune::{Explanation, Found, SearchReply};
use serde_json::{Value, json};

use crate::snippet::snippet;
use crate::ui::{Style, Ui, count, elapsed, one_line};

/// Snippets stand this far in.
pub(crate) const INDENT: usize = 3;

/// Returns where evidence stands in one line: the document, and the headings above.
pub(crate) fn place(ui: &Ui, evidence: &Evidence) -> String {
    let document = ui.paint(Style::Place, &one_line(evidence.document.as_str()));
    let section = one_line(&evidence.section());
    if section.is_empty() {
        document
    } else {
        format!("{document} {} {section}", ui.paint(Style::Faint, "›"))
    }
}

/// Returns the lines evidence takes: `line 7` or `lines 7–12`.
pub(crate) fn lines(evidence: &Evidence) -> String {
    let lines = evidence.lines;
    if lines.start == lines.end {
        format!("line {}", lines.start)
    } else {
        format!("lines {}–{}", lines.start, lines.end)
    }
}

/// Prints a result of a search: number, place, lines, score and snippet.
pub(crate) fn print_found(
    ui: &mut Ui,
    number: usize,
    found: &Found,
    explain: bool,
) -> io::Result<()> {
    let evidence = &found.evidence;
    let digits = ui.paint(
        Style::Strong,
        &format!("{number:<width$}", width = INDENT - 1),
    );
    let place = place(ui, evidence);
    let facts = ui.paint(
        Style::Faint,
        &format!("{} · score {:.2}", lines(evidence), evidence.score.get()),
    );
    let width = ui.width() - INDENT;
    let terms: Vec<&str> = found
        .explanation
        .terms
        .iter()
        .filter(|term| term.tf > 0)
        .map(|term| term.term.as_str())
        .collect();
    let snippet = snippet(ui, &evidence.text, &terms, width);
    let explanation = if explain {
        explanation_lines(&found.explanation)
    } else {
        Vec::new()
    };
    let explanation: Vec<String> = explanation
        .iter()
        .map(|line| ui.paint(Style::Faint, line))
        .collect();
    let out = ui.out();
    writeln!(out, "{digits} {place}")?;
    for line in std::iter::once(&facts).chain(&snippet).chain(&explanation) {
        writeln!(out, "{:INDENT$}{line}", "")?;
    }
    Ok(())
}

/// Returns why a chunk was found, a line for each list it was in.
fn explanation_lines(explanation: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    match &explanation.keyword {
        Some((score, rank)) => {
            lines.push(format!("keyword  {score:.2}, rank {}", rank.0));
            for term in explanation.terms.iter().filter(|term| term.tf > 0) {
                lines.push(format!(
                    "  {:<16} +{:.2}  here {}×, in {}",
                    one_line(&term.word),
                    term.score.0,
                    term.tf,
                    count(term.df as usize, "chunk")
                ));
            }
        }
        None => lines.push("keyword  not in the list".into()),
    }
    if let Some((score, rank)) = explanation.vector {
        let standing = match explanation.standing {
            Some(standing) => format!(" ({standing:+.1} deviations from the mean)"),
            None => String::new(),
        };
        lines.push(format!("vector   {score:.3}, rank {}{standing}", rank.0));
    }
    lines.push(format!(
        "fused    {:.4}, {:.0} % of the question's words are here",
        explanation.fused,
        explanation.coverage.get() * 100.0
    ));
    if let Some(score) = explanation.rerank {
        lines.push(format!("rerank   {:.2}", score.get()));
    }
    if let Some(rank) = explanation.moved_from {
        lines.push(format!("moved    from place {} for variety", rank.0));
    }
    lines
}

/// Returns evidence as the JSON that `docs/json.md` describes.
pub(crate) fn evidence_json(number: Option<usize>, evidence: &Evidence) -> Value {
    let mut value = json!({
        "document": evidence.document,
        "title": evidence.title,
        "section": evidence.section(),
        "start_line": evidence.lines.start,
        "end_line": evidence.lines.end,
        "text": evidence.text,
        "score": evidence.score,
        "chunk": evidence.chunk,
    });
    if let Some(number) = number {
        value["number"] = number.into();
    }
    value
}

/// Returns a result of a search as JSON.
pub(crate) fn found_json(number: Option<usize>, found: &Found, explain: bool) -> Value {
    let mut value = evidence_json(number, &found.evidence);
    if explain {
        let explanation = &found.explanation;
        value["explanation"] = json!({
            "terms": explanation.terms,
            "keyword": explanation.keyword.map(|(score, rank)| json!({ "score": score, "rank": rank.0 })),
            "vector": explanation.vector.map(|(score, rank)| json!({ "score": score, "rank": rank.0 })),
            "words": explanation.words,
            "similarity": explanation.similarity,
            "standing": explanation.standing,
            "fused": explanation.fused,
            "rerank": explanation.rerank,
            "coverage": explanation.coverage,
            "moved_from": explanation.moved_from.map(|rank| rank.0),
        });
    }
    value
}

/// Returns where a search's time went, in milliseconds.
pub(crate) fn timings_json(reply: &SearchReply) -> Value {
    let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    let timings = reply.timings;
    json!({
        "catch_up": ms(timings.catch_up),
        "filter": ms(timings.filter),
        "keyword": ms(timings.keyword),
        "vector": ms(timings.vector),
        "rank": ms(timings.rank),
        "search": ms(timings.total),
        "total": ms(timings.total),
    })
}

/// Says to stderr what was searched and how long it took, if the user wants to know.
pub(crate) fn note_search(ui: &Ui, reply: &SearchReply) {
    if !ui.verbose() {
        return;
    }
    let timings = reply.timings;
    let how = match &reply.plan {
        Some(plan) => format!(", vectors by {}", plan.method),
        None => String::new(),
    };
    ui.note(format_args!(
        "searched {} chunks of commit {} in {}{}{how}",
        reply.searched,
        reply.sequence,
        elapsed(timings.total),
        if reply.remembered { ", remembered" } else { "" },
    ));
    ui.note(format_args!(
        "  catching up {}, filter {}, keyword {}, vector {}, ranking {}",
        elapsed(timings.catch_up),
        elapsed(timings.filter),
        elapsed(timings.keyword),
        elapsed(timings.vector),
        elapsed(timings.rank),
    ));
}

/// Says to stderr what came nearest, where nothing was good enough.
pub(crate) fn note_nearest(ui: &Ui, nearest: Option<&Found>, threshold: f64) {
    let Some(nearest) = nearest else {
        return;
    };
    let evidence = &nearest.evidence;
    // To every vector some other is the nearest; that alone is not worth a word.
    if evidence.score.get() < 0.05 {
        return;
    }
    // Rounded down, so that it is seen to be below the threshold and that the number
    // in the hint does let it pass.
    let lower = (evidence.score.get() * 100.0).floor() / 100.0;
    ui.note(format_args!(
        "nearest: {}, {}: score {lower:.2}, below the threshold {threshold:.2}",
        one_line(&format!(
            "{} {}",
            evidence.document,
            match evidence.section() {
                section if section.is_empty() => String::new(),
                section => format!("› {section}"),
            }
        )),
        lines(evidence),
    ));
    // What is far below is no answer, and not worth a hint.
    if lower >= threshold * 0.6 {
        ui.hint(format_args!("`--threshold {lower}` would accept it"));
    }
}
