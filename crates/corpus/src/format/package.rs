//! Zip packages (DOCX, XLSX, PPTX, EPUB), with a limit on what they unpack to.

use std::io::{Cursor, Read as _};

use contract::Bytes;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::ReadError;
use crate::read::Source;

/// The most files that a package may have.
const MOST_FILES: usize = 65_536;

/// A package, and how much more it may unpack to.
pub(crate) struct Package {
    archive: ZipArchive<Cursor<Vec<u8>>>,
    file: String,
    format: &'static str,
    left: u64,
    limit: u64,
}

impl Package {
    /// Opens the package that `source` holds, whose bytes are taken.
    pub(crate) fn open(source: &mut Source<'_>, format: &'static str) -> Result<Self, ReadError> {
        let bytes = std::mem::take(&mut source.bytes);
        // An Office file with a password is no zip but an OLE file around one.
        if bytes.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
            return Err(ReadError::Encrypted {
                file: source.file.to_owned(),
            });
        }
        let archive =
            ZipArchive::new(Cursor::new(bytes)).map_err(|error| source.damaged(format, error))?;
        if archive.len() > MOST_FILES {
            return Err(source.damaged(format, "it has more than 65,536 files in it"));
        }
        Ok(Self {
            archive,
            file: source.file.to_owned(),
            format,
            left: source.options.max_bytes,
            limit: source.options.max_bytes,
        })
    }

    /// Returns the error that the package is not what its format promises.
    pub(crate) fn damaged(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ReadError {
        ReadError::Damaged {
            file: self.file.clone(),
            format: self.format,
            source: source.into(),
        }
    }

    /// Unpacks the file `name`; nothing if there is none of that name.
    pub(crate) fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        match self.archive.index_for_name(name) {
            Some(index) => self.unpack(index).map(Some),
            None => Ok(None),
        }
    }

    fn unpack(&mut self, index: usize) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        let unpacked = match self.archive.by_index(index) {
            Ok(found) => found
                .take(self.left.saturating_add(1))
                .read_to_end(&mut bytes)
                .map_err(ZipError::from),
            Err(error) => Err(error),
        };
        match unpacked {
            Ok(_) if bytes.len() as u64 > self.left => {
                return Err(ReadError::TooLarge {
                    file: self.file.clone(),
                    limit: Bytes(self.limit),
                });
            }
            Ok(_) => {}
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => {
                return Err(ReadError::Encrypted {
                    file: self.file.clone(),
                });
            }
            Err(error) => return Err(self.damaged(error)),
        }
        self.left -= bytes.len() as u64;
        Ok(bytes)
    }

    /// Unpacks the file `name` as XML or HTML text; nothing if there is none.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ReadError> {
        let Some(bytes) = self.bytes(name)? else {
            return Ok(None);
        };
        let decoded = crate::encoding::decode_markup(bytes, &self.file)?;
        Ok(Some(decoded.text))
    }

    /// Unpacks every file once and throws it away, so that a library may unpack
    /// them after that without meeting more than the limit; then returns the bytes.
    pub(crate) fn measured(mut self) -> Result<Vec<u8>, ReadError> {
        for index in 0..self.archive.len() {
            self.unpack(index)?;
        }
        Ok(self.archive.into_inner().into_inner())
    }
}

/// Returns the path of `target` as named in the file `from` of a package.
pub(crate) fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => from
            .split('/')
            .rev()
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect(),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn targets_are_seen_from_their_file() {
        for (from, target, expect) in [
            (
                "ppt/slides/slide1.xml",
                "../notesSlides/n1.xml",
                "ppt/notesSlides/n1.xml",
            ),
            ("OEBPS/content.opf", "text/a.xhtml", "OEBPS/text/a.xhtml"),
            ("content.opf", "a.xhtml", "a.xhtml"),
            (
                "ppt/presentation.xml",
                "/ppt/slides/s.xml",
                "ppt/slides/s.xml",
            ),
            ("a", "../../b", "b"),
        ] {
            assert_eq!(resolve(from, target), expect);
        }
    }
}
