//! Tables of text (CSV, TSV): each row becomes one line `column: value; …`, so
//! that a row found alone still says what its cells mean.

use crate::ReadError;
use crate::encoding::decode;
use crate::fields::names_readers;
use crate::outline::{one_line, shorten};
use crate::read::{Draft, Drafts, Source};

/// The delimiters looked for, in the order of preference.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Reads rows; `delimiter` is guessed if it is not given. The first row names the
/// columns. Line `n` of the text is row `n`, so that a line of the text is a line
/// of the file as long as no cell has line breaks of its own.
///
/// Who may read is said for a whole file: a column that names readers is noted,
/// because its rows are not protected by it.
pub(crate) fn read(mut source: Source<'_>, delimiter: Option<u8>) -> Result<Drafts, ReadError> {
    let file = source.file;
    let decoded = decode(std::mem::take(&mut source.bytes), file)?;
    let delimiter = delimiter.unwrap_or_else(|| sniff(&decoded.text));
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(decoded.text.as_bytes());
    let mut columns: Vec<String> = Vec::new();
    let mut text = String::with_capacity(decoded.text.len() * 2);
    let mut row = csv::StringRecord::new();
    let mut first = true;
    loop {
        match rows.read_record(&mut row) {
            Ok(false) => break,
            Ok(true) if first => {
                first = false;
                columns = row.iter().map(|name| shorten(&one_line(name))).collect();
                text.push_str(&columns.join("; "));
                text.push('\n');
                for column in columns.iter().filter(|column| names_readers(column)) {
                    source.skip_part(
                        format!("the meaning of the column `{column}`"),
                        "a table's rows are read by whoever reads the table; \
                         write the rows as JSON lines to protect them one by one",
                    );
                }
            }
            Ok(true) => {
                push_row(&mut text, &columns, row.iter());
                // Long column names over many short cells grow without end.
                if text.len() as u64 > source.most_text() {
                    return Err(source.too_large());
                }
            }
            Err(source) => {
                return Err(ReadError::Damaged {
                    file: file.to_owned(),
                    format: "CSV",
                    source: source.into(),
                });
            }
        }
    }
    let mut draft = Draft {
        text,
        ..Draft::default()
    };
    if let Some(encoding) = decoded.encoding {
        draft.note("encoding", encoding);
    }
    Ok(draft.into())
}

/// Adds a row as a line `column: value; column: value`; empty cells are left out.
pub(crate) fn push_row<'a>(
    text: &mut String,
    columns: &[String],
    cells: impl Iterator<Item = &'a str>,
) {
    let mut begun = false;
    for (number, cell) in cells.enumerate() {
        if cell.trim().is_empty() {
            continue;
        }
        if begun {
            text.push_str("; ");
        }
        begun = true;
        if let Some(column) = columns.get(number).filter(|column| !column.is_empty()) {
            text.push_str(column);
            text.push_str(": ");
        }
        text.push_str(&one_line(cell));
    }
    text.push('\n');
}

/// Returns the delimiter that divides the first lines most evenly: the most
/// columns among those that most lines agree on.
pub(crate) fn sniff(text: &str) -> u8 {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(20)
        .collect();
    let evenness = |delimiter: u8| {
        let counts: Vec<usize> = lines
            .iter()
            .map(|line| outside_quotes(line, delimiter))
            .collect();
        let first = counts.first().copied().unwrap_or(0);
        if first == 0 {
            return (0, 0);
        }
        let agreeing = counts.iter().filter(|count| **count == first).count();
        (agreeing, first)
    };
    let mut best = (b',', (0, 0));
    for delimiter in DELIMITERS {
        let found = evenness(delimiter);
        if found > best.1 {
            best = (delimiter, found);
        }
    }
    best.0
}

fn outside_quotes(line: &str, delimiter: u8) -> usize {
    let mut quoted = false;
    line.bytes()
        .filter(|byte| {
            quoted ^= *byte == b'"';
            !quoted && *byte == delimiter
        })
        .count()
}

#[cfg(test)]
mod tests {
    use crate::{ReadOptions, read_bytes};

    fn check(name: &str, text: &str, expect: &str) {
        let reading = read_bytes(text.as_bytes(), name, name, &ReadOptions::default()).unwrap();
        assert_eq!(reading.documents[0].text, expect);
    }

    #[test]
    fn a_row_names_its_columns() {
        check(
            "a.csv",
            "id,name,city\n1,Ada,London\n2,,\"Paris, France\"\n",
            "id; name; city\nid: 1; name: Ada; city: London\nid: 2; city: Paris, France\n",
        );
    }

    #[test]
    fn the_delimiter_is_guessed() {
        check("a.csv", "a;b\n1,5;2\n", "a; b\na: 1,5; b: 2\n");
        check("a.csv", "a|b\n1|2\n", "a; b\na: 1; b: 2\n");
        check("a.tsv", "a,x\tb\n1\t2\n", "a,x; b\na,x: 1; b: 2\n");
    }

    #[test]
    fn ragged_rows_and_line_breaks_in_cells_are_read() {
        check("a.csv", "a,b\n1\n1,2,3\n", "a; b\na: 1\na: 1; b: 2; 3\n");
        check("a.csv", "a,b\n\"one\ntwo\",2\n", "a; b\na: one two; b: 2\n");
    }
}
