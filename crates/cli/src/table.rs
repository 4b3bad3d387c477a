//! Tables on the screen: columns side by side where they fit; else some below the others, each
//! time with the first, or with the rows' numbers, if the first does not tell them apart; and where
//! one is too wide even so, a row a paragraph.

use std::collections::BTreeSet;

use groundtune::compare::Table;

use crate::ui::{columns, one_line, wrap};

/// What stands between two columns.
const GAP: usize = 3;

/// Returns a table as lines of at most `width` columns, as far as its words allow.
pub(crate) fn lines(table: &Table, width: usize) -> Vec<String> {
    let tidy =
        |cells: &Vec<String>| -> Vec<String> { cells.iter().map(|it| one_line(it)).collect() };
    let mut heads = tidy(&table.heads);
    let mut rows: Vec<Vec<String>> = table.rows.iter().map(tidy).collect();
    let first: BTreeSet<_> = rows.iter().map(|row| row.first()).collect();
    let mut all = widths(&heads, &rows);
    let together = all.iter().map(|it| it + GAP).sum::<usize>() <= width + GAP;
    if !together && first.len() < rows.len() {
        let number = |(number, row): (usize, Vec<String>)| {
            std::iter::once(number.to_string()).chain(row).collect()
        };
        rows = (1..).zip(rows).map(number).collect();
        heads.insert(0, "#".into());
        all = widths(&heads, &rows);
    }
    let widths = all;
    let Some(groups) = groups(&widths, width) else {
        return one_below_the_other(&heads, &rows, width);
    };
    let mut out = Vec::new();
    for columns in groups {
        if !out.is_empty() {
            out.push(String::new());
        }
        let some = |row: &Vec<String>| -> Vec<String> {
            columns
                .iter()
                .filter_map(|at| row.get(*at).cloned())
                .collect()
        };
        let rows: Vec<Vec<String>> = rows.iter().map(some).collect();
        let widths: Vec<usize> = columns.iter().map(|at| widths[*at]).collect();
        out.extend(side_by_side(&some(&heads), &rows, &widths));
    }
    out
}

/// Returns how wide each column is.
fn widths(heads: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let widest = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells.chain([&heads[at]]).map(|cell| columns(cell)).max()
    };
    (0..heads.len()).map(|at| widest(at).unwrap_or(0)).collect()
}

/// Returns which columns stand side by side: the first with as many others as fit, again and
/// again. Nothing, if one does not fit beside the first.
fn groups(widths: &[usize], width: usize) -> Option<Vec<Vec<usize>>> {
    let first = *widths.first()?;
    let mut groups = vec![vec![0]];
    let mut used = first;
    for (at, column) in widths.iter().enumerate().skip(1) {
        if first + GAP + column > width {
            return None;
        }
        used += GAP + column;
        if used > width {
            groups.push(vec![0]);
            used = first + GAP + column;
        }
        groups.last_mut().expect("there is one").push(at);
    }
    Some(groups)
}

fn side_by_side(heads: &[String], rows: &[Vec<String>], widths: &[usize]) -> Vec<String> {
    let is_number = |cell: &String| {
        let cell = cell.trim_start_matches(['-', '–', '$']);
        cell.is_empty() || cell.starts_with(|letter: char| letter.is_ascii_digit())
    };
    // Numbers stand to the right, under the ends of their heads.
    let right: Vec<bool> = (0..heads.len())
        .map(|at| at > 0 && rows.iter().filter_map(|row| row.get(at)).all(is_number))
        .collect();
    let line = |row: &[String]| {
        let cells = row.iter().enumerate().map(|(at, cell)| {
            let gap = " ".repeat(widths[at] - columns(cell));
            match right[at] {
                true => format!("{gap}{cell}"),
                false => format!("{cell}{gap}"),
            }
        });
        let cells: Vec<String> = cells.collect();
        cells.join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    let all = std::iter::once(heads).chain(rows.iter().map(Vec::as_slice));
    all.map(line).collect()
}

fn one_below_the_other(heads: &[String], rows: &[Vec<String>], width: usize) -> Vec<String> {
    let named = heads.iter().skip(1).map(|head| columns(head)).max();
    let named = named.unwrap_or(0);
    let mut out = Vec::new();
    for row in rows {
        let Some(first) = row.first() else { continue };
        out.push(first.clone());
        for (head, cell) in heads.iter().zip(row).skip(1) {
            let gap = " ".repeat(named - columns(head));
            let room = width.saturating_sub(named + 4).max(20);
            for (number, part) in wrap(cell, room).iter().enumerate() {
                let line = match number {
                    0 => format!("  {head}{gap}  {part}"),
                    _ => format!("  {}  {part}", " ".repeat(named)),
                };
                out.push(line.trim_end().to_owned());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(row: &[&str]) -> Vec<String> {
        row.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn rows_that_begin_alike_are_numbered_where_columns_are_parted() {
        let table = Table {
            heads: cells(&["better", "than", "by", "test"]),
            rows: vec![
                cells(&["rag", "prompt", "0.20", "randomisation"]),
                cells(&["rag", "few-shot", "0.10", "randomisation"]),
            ],
        };
        let check = |width: usize, expect: &[&str]| assert_eq!(lines(&table, width), expect);
        check(
            41,
            &[
                "better   than         by   test",
                "rag      prompt     0.20   randomisation",
                "rag      few-shot   0.10   randomisation",
            ],
        );
        check(
            30,
            &[
                "#   better   than         by",
                "1   rag      prompt     0.20",
                "2   rag      few-shot   0.10",
                "",
                "#   test",
                "1   randomisation",
                "2   randomisation",
            ],
        );
    }

    fn check(width: usize, expect: &[&str]) {
        let table = Table {
            heads: cells(&["candidate", "f1", "why"]),
            rows: vec![
                cells(&["rag", "0.7", "found"]),
                cells(&["prompt", "–", "did not know"]),
            ],
        };
        assert_eq!(lines(&table, width), expect);
    }

    #[test]
    fn a_table_fits_the_screen() {
        check(
            40,
            &[
                "candidate    f1   why",
                "rag         0.7   found",
                "prompt        –   did not know",
            ],
        );
        check(
            26,
            &[
                "candidate    f1",
                "rag         0.7",
                "prompt        –",
                "",
                "candidate   why",
                "rag         found",
                "prompt      did not know",
            ],
        );
        check(
            20,
            &[
                "rag",
                "  f1   0.7",
                "  why  found",
                "prompt",
                "  f1   –",
                "  why  did not know",
            ],
        );
    }
}
