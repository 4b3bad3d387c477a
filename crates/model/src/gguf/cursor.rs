//! A place in the bytes of a file, which never leads out of them.

use std::path::Path;

use crate::ModelError;

/// The longest key or name of a tensor; ggml allows 64 and 65,535.
const LONGEST_NAME: usize = 65_535;

/// Reads a file from its first byte on.
pub(super) struct Cursor<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        Self {
            path,
            bytes,
            position: 0,
        }
    }

    /// Returns the whole file.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Returns the next `length` bytes, or how long the file would have to be.
    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], ModelError> {
        let end = (self.position as u64).saturating_add(length);
        if end > self.bytes.len() as u64 {
            return Err(self.cut_short(end));
        }
        let taken = &self.bytes[self.position..end as usize];
        self.position = end as usize;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.try_into().expect("as many bytes were taken"))
    }

    pub(super) fn u32(&mut self) -> Result<u32, ModelError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, ModelError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Returns a text that must be short and UTF-8; `what` names it in the error.
    pub(super) fn name(&mut self, what: &str) -> Result<String, ModelError> {
        let length = self.u64()?;
        let bytes = self.take(length)?;
        if bytes.len() > LONGEST_NAME {
            let expected = format!("at most {LONGEST_NAME} bytes");
            return Err(self.wrong(what, &expected, &format!("{length} bytes")));
        }
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| self.wrong(what, "UTF-8", &String::from_utf8_lossy(bytes)))
    }

    pub(super) fn cut_short(&self, expected: u64) -> ModelError {
        ModelError::CutShort {
            path: self.path.to_path_buf(),
            expected,
            found: self.bytes.len() as u64,
        }
    }

    pub(super) fn wrong(&self, what: &str, expected: &str, found: &str) -> ModelError {
        ModelError::Gguf {
            path: self.path.to_path_buf(),
            what: what.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}
