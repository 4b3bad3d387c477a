//! The table of what was found: how often the verdict names the planted winner.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use eval::statistics::wilson;

use super::record::{Record, recorded};
use super::world::Kind;

/// Returns the table.
pub(crate) fn summary(folder: &Path) -> Result<String, Box<dyn Error>> {
    let records = recorded(folder)?;
    let mut table = String::from(
        "| what can be learnt from | must win | worlds | right | 95 % interval | another named | \
         nobody named | prompt | rag | fine-tuned | hybrid | a world takes |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for kind in Kind::ALL {
        let of_kind: Vec<&Record> = records.iter().filter(|it| it.kind == kind.name()).collect();
        if !of_kind.is_empty() {
            writeln!(table, "{}", row(kind, &of_kind))?;
        }
    }
    let null: Vec<&Record> = records.iter().filter(|it| it.planted.is_none()).collect();
    if !null.is_empty() {
        let any = null.iter().filter(|it| it.claimed.0 > 0).count();
        let pairs: usize = null.iter().map(|it| it.claimed.1).sum();
        let claimed: usize = null.iter().map(|it| it.claimed.0).sum();
        let worlds = null.len();
        write!(
            table,
            "\nOf {worlds} worlds where there is nothing to learn, {any} had a difference of two \
             candidates claimed; of {pairs} differences {claimed}.\n"
        )?;
    }
    Ok(table)
}

fn row(kind: Kind, records: &[&Record]) -> String {
    let right = records.iter().filter(|it| it.winner == it.planted).count();
    let nobody = records.iter().filter(|it| it.winner.is_none()).count();
    let other = records
        .iter()
        .filter(|it| it.winner.is_some() && it.winner != it.planted)
        .count();
    let interval = wilson(right as u64, records.len() as u64, 0.95);
    let mean = |of: &dyn Fn(&Record) -> f64| {
        records.iter().map(|it| of(it)).sum::<f64>() / records.len() as f64
    };
    let score = |name: &'static str| {
        let of = move |it: &Record| it.scores.get(name).copied().unwrap_or(0.0);
        format!("{:.2}", mean(&of))
    };
    format!(
        "| {} | {} | {} | {right} | {:.0} to {:.0} % | {other} | {nobody} | {} | {} | {} | {} | {:.1} s |",
        kind.name(),
        kind.winner().unwrap_or("nobody"),
        records.len(),
        100.0 * interval.low,
        100.0 * interval.high,
        score("prompt"),
        score("rag"),
        score("fine-tuned"),
        score("hybrid"),
        mean(&|it: &Record| it.seconds),
    )
}
