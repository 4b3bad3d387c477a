//! Why a file could not be read, and what was odd about one that could.

use std::error::Error;

use contract::Bytes;
use thiserror::Error as ThisError;

/// Why a file gave no document. Each says what to do.
#[derive(Debug, ThisError)]
pub enum ReadError {
    /// The content is not text, whatever the name says.
    #[error(
        "`{file}` is not text but {found}; leave it out, or convert it to a format that is read"
    )]
    Binary {
        /// The file.
        file: String,
        /// What it looks like instead.
        found: &'static str,
    },
    /// The file, or what it unpacks to, is larger than the limit.
    #[error("`{file}` is larger than {limit}; split it, or raise the limit")]
    TooLarge {
        /// The file.
        file: String,
        /// The limit that it passes.
        limit: Bytes,
    },
    /// The file is locked with a password.
    #[error("`{file}` is encrypted; save a copy without a password")]
    Encrypted {
        /// The file.
        file: String,
    },
    /// The file is not what its format promises.
    #[error("`{file}` is damaged or not a {format} file; open it in its program and save it anew")]
    Damaged {
        /// The file.
        file: String,
        /// The format it should have.
        format: &'static str,
        /// What the parser found.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file has no text in it.
    #[error("`{file}` is empty; write something into it, or leave it out")]
    Empty {
        /// The file.
        file: String,
    },
    /// Files of this kind are not read.
    #[error("`{file}`: files of type `.{extension}` are not read; {hint}")]
    Unsupported {
        /// The file.
        file: String,
        /// The extension, without the dot.
        extension: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// A field that says who may read the document cannot be understood. The
    /// document is refused, because guessing could show it to everyone.
    #[error(
        "`{file}`: `{key}` must name a group or a list of groups, found {found}; \
         write `{key}: [group, group]`, or remove the key if everyone may read it"
    )]
    Permissions {
        /// The file, with the record if it holds several.
        file: String,
        /// The key.
        key: String,
        /// What stands there.
        found: String,
    },
    /// The file could not be opened or read from the disk.
    #[error(
        "`{file}` could not be read from the disk; check that it is there and that you may read it"
    )]
    Io {
        /// The file.
        file: String,
        /// The system's reason, with the path.
        #[source]
        source: std::io::Error,
    },
}

/// Something odd in a file that was read all the same.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Warning {
    /// A PDF of pictures.
    #[error(
        "`{file}` has {pages} pages but no text: it is probably a scan; \
         run a text recognition (OCR) over it first"
    )]
    NoTextLayer {
        /// The file.
        file: String,
        /// Its pages.
        pages: usize,
    },
    /// Two records of a file have the same id.
    #[error("`{file}`: two records have the id `{record}`; the later one is kept as `{renamed}`")]
    DuplicateId {
        /// The file.
        file: String,
        /// The id that both have.
        record: String,
        /// The later one's new id.
        renamed: String,
    },
    /// One record of a file was left out.
    #[error("`{file}`: record {record} was left out: {reason}")]
    RecordSkipped {
        /// The file.
        file: String,
        /// Which: its id, or where it stands.
        record: String,
        /// Why.
        reason: String,
    },
    /// A part of a file was left out.
    #[error("`{file}`: {part} was left out: {reason}")]
    PartSkipped {
        /// The file.
        file: String,
        /// Which part.
        part: String,
        /// Why.
        reason: String,
    },
    /// The file's training parameters ask for very many epochs.
    #[error(
        "`{file}`: `training_parameters` asks for {epochs} epochs; a language model usually \
         overfits after a few, so stop early on held-out data"
    )]
    ManyEpochs {
        /// The file.
        file: String,
        /// The epochs asked for.
        epochs: u32,
    },
}
