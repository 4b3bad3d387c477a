//! The formats: which there are, and who reads each.

mod book;
mod feed;
mod front_matter;
mod html;
mod json;
mod mail;
mod markdown;
mod notebook;
mod office;
mod outlook;
mod package;
mod pdf;
mod pdf_layout;
mod plain;
mod restructured;
mod sheet;
mod slides;
mod source_code;
mod table;
mod word;
mod xml;

use crate::ReadError;
use crate::read::{Drafts, Source};

pub(crate) use markdown::Fence;
pub(crate) use source_code::Language;
pub(crate) use table::sniff as delimiter;

/// The name of threads that read a file of which a stranger could make a program. A panic
/// there is the file's fault and becomes its error; whoever prints panics may pass it over.
pub const STRANGERS_THREAD: &str = "a stranger's file";

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
    Html,
    Restructured,
    Notebook,
    Xml,
    Pdf,
    Word,
    Slides,
    Sheet,
    OldSheet,
    Book,
    Mail,
    MailBox,
    Outlook,
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
            "html" | "htm" | "xhtml" | "shtml" => Self::Html,
            "rst" | "rest" => Self::Restructured,
            "ipynb" => Self::Notebook,
            "xml" | "rss" | "atom" | "rdf" => Self::Xml,
            "pdf" => Self::Pdf,
            "docx" | "docm" | "dotx" => Self::Word,
            "pptx" | "pptm" | "ppsx" => Self::Slides,
            "xlsx" | "xlsm" => Self::Sheet,
            "xls" => Self::OldSheet,
            "epub" => Self::Book,
            "eml" => Self::Mail,
            "mbox" => Self::MailBox,
            "msg" => Self::Outlook,
            "ods" | "xlsb" | "numbers" => Self::Unsupported("save it as XLSX or CSV"),
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
            Self::Html => "html",
            Self::Restructured => "rst",
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
        Format::Html => html::read(source),
        Format::Restructured => restructured::read(source),
        Format::Notebook => notebook::read(source),
        Format::Xml => feed::read(source),
        Format::Pdf => pdf::read(source),
        Format::Word => word::read(source),
        Format::Slides => slides::read(source),
        Format::Sheet => sheet::read(source),
        Format::OldSheet => sheet::read_old(source),
        Format::Book => book::read(source),
        Format::Mail => mail::read(&source),
        Format::MailBox => mail::read_box(source),
        Format::Outlook => outlook::read(source),
        Format::Unsupported(hint) => Err(ReadError::Unsupported {
            file: source.file.to_owned(),
            extension: source.extension.to_owned(),
            hint,
        }),
    }
}
