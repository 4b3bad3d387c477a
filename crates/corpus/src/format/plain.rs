//! Text without structure, as it is written.

use crate::ReadError;
use crate::encoding::decode;
use crate::read::{Draft, Drafts, Source};

/// Reads any text.
pub(crate) fn read(source: Source<'_>) -> Result<Drafts, ReadError> {
    Ok(draft(source)?.into())
}

/// Returns a draft of the text as written, its encoding noted.
pub(crate) fn draft(source: Source<'_>) -> Result<Draft, ReadError> {
    let decoded = decode(source.bytes, source.file)?;
    let mut draft = Draft {
        text: decoded.text,
        ..Draft::default()
    };
    if let Some(encoding) = decoded.encoding {
        draft.note("encoding", encoding);
    }
    Ok(draft)
}
