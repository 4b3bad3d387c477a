//! XLSX and XLS: a section a sheet, each row a line `column: value; …`.

use std::io::{Cursor, Read as _, Write as _};

use calamine::{Data, DataRef, Reader as _, Xls, XlsError, Xlsx};
use cfb::CompoundFile;

use crate::ReadError;
use crate::format::office;
use crate::format::package::Package;
use crate::format::table::push_row;
use crate::outline::{Outline, one_line, shorten};
use crate::read::{Draft, Drafts, Source};

/// Reads an XLSX file.
pub(crate) fn read(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let mut package = Package::open(&mut source, "XLSX")?;
    let mut draft = Draft::default();
    office::note_properties(&mut package, &mut draft)?;
    let bytes = package.measured()?;
    let mut book: Xlsx<_> =
        Xlsx::new(Cursor::new(bytes)).map_err(|error| source.damaged("XLSX", error))?;
    let mut outline = Outline::default();
    for name in book.sheet_names() {
        // Cells come one by one: a sheet with one cell in its last corner would be
        // gigabytes as a table.
        let mut cells = match book.worksheet_cells_reader(&name) {
            Ok(cells) => cells,
            Err(error) => {
                source.skip_part(format!("the sheet `{name}`"), error.to_string());
                continue;
            }
        };
        let mut sheet = Sheet::new(&name, &mut outline);
        loop {
            match cells.next_cell() {
                Ok(None) => break,
                Ok(Some(cell)) => {
                    let (row, column) = cell.get_position();
                    let value = match cell.get_value() {
                        DataRef::SharedString(text) => (*text).to_owned(),
                        DataRef::String(text) => text.clone(),
                        other => plain(&Data::from(other.clone())),
                    };
                    sheet.cell(row, column, value);
                    // One shared string may stand in a million cells.
                    if sheet.outline.text.len() as u64 > source.most_text() {
                        return Err(source.too_large());
                    }
                }
                Err(error) => {
                    source.skip_part(format!("the rest of the sheet `{name}`"), error.to_string());
                    break;
                }
            }
        }
        sheet.end_row();
    }
    draft.text = outline.text;
    draft.marks = outline.marks;
    Ok(draft.into())
}

/// Reads an XLS file (Excel 97 to 2003).
pub(crate) fn read_old(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let bytes = std::mem::take(&mut source.bytes);
    let bytes = only_workbook(bytes).map_err(|error| source.damaged("XLS", error))?;
    let mut book: Xls<_> = match Xls::new(Cursor::new(bytes)) {
        Ok(book) => book,
        Err(XlsError::Password) => {
            return Err(ReadError::Encrypted {
                file: source.file.to_owned(),
            });
        }
        Err(error) => return Err(source.damaged("XLS", error)),
    };
    let mut outline = Outline::default();
    for name in book.sheet_names() {
        match book.worksheet_range(&name) {
            Ok(range) => {
                let (top, left) = range.start().unwrap_or((0, 0));
                let mut sheet = Sheet::new(&name, &mut outline);
                for (row, column, value) in range.used_cells() {
                    sheet.cell(top + row as u32, left + column as u32, plain(value));
                }
                sheet.end_row();
            }
            Err(error) => source.skip_part(format!("the sheet `{name}`"), error.to_string()),
        }
    }
    Ok(Draft {
        text: outline.text,
        marks: outline.marks,
        ..Draft::default()
    }
    .into())
}

/// Returns an OLE file with nothing but the workbook of the one in `bytes`.
///
/// `cfb` refuses a chain of sectors that leads back into itself; `calamine`, which
/// has its own reader, would follow it for ever.
fn only_workbook(bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let mut ole = CompoundFile::open(Cursor::new(bytes))?;
    let mut workbook = Vec::new();
    let found = ["/Workbook", "/Book"]
        .iter()
        .find(|path| ole.is_stream(path));
    let Some(path) = found else {
        return Err(std::io::Error::other("it has no workbook"));
    };
    ole.open_stream(path)?.read_to_end(&mut workbook)?;
    let mut clean = CompoundFile::create(Cursor::new(Vec::new()))?;
    clean.create_stream(path)?.write_all(&workbook)?;
    clean.flush()?;
    Ok(clean.into_inner().into_inner())
}

/// Returns a cell as Excel shows it, near enough: dates in ISO order, whole
/// numbers without a fraction.
fn plain(value: &Data) -> String {
    match value {
        Data::Empty => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::DateTime(time) if time.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
            if (hour, minute, second) == (0, 0, 0) {
                format!("{year:04}-{month:02}-{day:02}")
            } else {
                format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
            }
        }
        other => other.to_string(),
    }
}

/// The columns of a sheet that have names.
const MOST_COLUMNS: u32 = 16_384;

/// A sheet, while its cells come in.
struct Sheet<'a> {
    name: String,
    outline: &'a mut Outline,
    begun: bool,
    /// The names of the columns, by column; empty until a row names them.
    columns: Vec<String>,
    row: u32,
    cells: Vec<(u32, String)>,
}

impl<'a> Sheet<'a> {
    fn new(name: &str, outline: &'a mut Outline) -> Self {
        Self {
            name: name.to_owned(),
            outline,
            begun: false,
            columns: Vec::new(),
            row: 0,
            cells: Vec::new(),
        }
    }

    fn cell(&mut self, row: u32, column: u32, value: String) {
        if row != self.row {
            self.end_row();
            self.row = row;
        }
        if !value.trim().is_empty() && column < MOST_COLUMNS {
            self.cells.push((column, value));
        }
    }

    /// Writes the row that is complete. The first row of at least two cells names
    /// the columns; what stands above it (a title) is written as it is.
    fn end_row(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        if cells.is_empty() {
            return;
        }
        if !self.begun {
            self.begun = true;
            self.outline.heading(1, &self.name);
        }
        if self.columns.is_empty() {
            let words: Vec<String> = cells.iter().map(|(_, value)| one_line(value)).collect();
            self.outline.line(&words.join("; "));
            if cells.len() > 1 {
                for ((column, _), words) in cells.iter().zip(&words) {
                    let at = *column as usize;
                    self.columns
                        .resize(self.columns.len().max(at + 1), String::new());
                    self.columns[at] = shorten(words);
                }
            }
            return;
        }
        let last = cells.iter().map(|(column, _)| *column).max().unwrap_or(0);
        let mut row = vec![""; last as usize + 1];
        for (column, value) in &cells {
            row[*column as usize] = value;
        }
        let mut line = String::new();
        push_row(&mut line, &self.columns, row.into_iter());
        self.outline.line(&line);
    }
}
