//! The formats: which there are, and who reads each.

mod json;
mod markdown;
mod plain;
mod source_code;
mod table;

use crate::ReadError;
use crate::read::{Drafts, Source};

pub(crate) use source_code::Language;

/// A format that is read, or the reason why it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Markdown,
    /// Text without structure, and whatever is text under an unknown name.
    Plain,
    Code(Language),
    /// Rows with the delimiter between the cells, if the name tells it.
    Table(Option<u8>),
    Json,
    JsonLines,
    /// Not read; what to do instead.
    Unsupported(&'static str),
}

impl Format {
    /// Returns the format of a file by its extension (in lower case) and name.
    pub(crate) fn of(extension: &str, name: &str) -> Self {
        if let Some(language) = Language::of(extension, name) {
            return Self::Code(language);
        }
        match extension {
            "md" | "markdown" | "mdown" | "mkd" | "mdx" | "qmd" | "rmd" => Self::Markdown,
            "csv" => Self::Table(None),
            "tsv" | "tab" => Self::Table(Some(b'\t')),
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::JsonLines,
            "gz" | "zst" | "bz2" | "xz" | "7z" | "rar" | "zip" | "tar" | "tgz" => {
                Self::Unsupported("unpack the archive first")
            }
            "doc" | "dot" | "rtf" | "odt" | "pages" => {
                Self::Unsupported("save it as DOCX, PDF or Markdown")
            }
            "ppt" | "odp" | "key" => Self::Unsupported("save it as PPTX or PDF"),
            "png" | "jpg" | "jpeg" | "gif" | "webp" | "tif" | "tiff" | "bmp" | "heic" | "svg" => {
                Self::Unsupported("pictures have no text; run a text recognition (OCR) over them")
            }
            "mp3" | "wav" | "m4a" | "ogg" | "flac" | "mp4" | "mov" | "mkv" | "webm" | "avi" => {
                Self::Unsupported("write down what is said in it first (speech recognition)")
            }
            "mobi" | "azw" | "azw3" => Self::Unsupported("convert it to EPUB"),
            "parquet" | "arrow" | "db" | "sqlite" | "sqlite3" => {
                Self::Unsupported("export it as JSONL or CSV")
            }
            _ => Self::Plain,
        }
    }

    /// Returns the short name that a document of this format carries.
    pub(crate) fn short_name(self, extension: &str) -> &str {
        match self {
            Self::Markdown => "md",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
            Self::Code(language) if extension.is_empty() => language.short_name(),
            _ if extension.is_empty() => "txt",
            _ => extension,
        }
    }
}

/// Reads `source` as `format`.
pub(crate) fn read(format: Format, source: Source<'_>) -> Result<Drafts, ReadError> {
    match format {
        Format::Markdown => markdown::read(source),
        Format::Plain => plain::read(source),
        Format::Code(language) => source_code::read(source, language),
        Format::Table(delimiter) => table::read(source, delimiter),
        Format::Json => json::read(source),
        Format::JsonLines => json::read_lines(source),
        Format::Unsupported(hint) => Err(ReadError::Unsupported {
            file: source.file.to_owned(),
            extension: source.extension.to_owned(),
            hint,
        }),
    }
}
