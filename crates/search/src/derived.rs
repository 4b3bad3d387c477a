//! Derived files: everything fast that can be made again from the store.
//!
//! A derived file says which commit it has seen (its sequence) and carries a
//! checksum over all of it, so that a reader knows at once whether it may be used,
//! has to catch up, or is damaged and must be rebuilt. It is written beside its
//! place and renamed into it: a reader that has the old one open keeps it, and a
//! kill leaves the old one whole.
//!
//! Layout, little-endian: magic (8 bytes), kind (u32), version (u32), sequence
//! (u64), length of the whole file (u64), number of sections (u32), a reserved
//! zero (u32), the offset and length of each section (u64 each), the checksum of
//! the header so far (u64); then the sections, each at a multiple of 64 bytes and
//! padded with zeros; at the end the XXH3 checksum of all before it (u64).

#![expect(
    unsafe_code,
    reason = "a derived file is mapped, not copied, into memory"
)]

use std::io::{self, BufWriter, Read as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use fs_err as fs;
use memmap2::Mmap;
use thiserror::Error;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const MAGIC: [u8; 8] = *b"gtderiv\x01";
const FIXED: usize = 40;
const ALIGN: usize = 64;

/// What a derived file holds, and the version of its layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// A number of its own for each kind.
    pub id: u32,
    /// Raised whenever the meaning of a section changes; another version is rebuilt.
    pub version: u32,
}

/// Why a derived file cannot be used. All of these are mended by rebuilding.
#[derive(Debug, Error)]
pub enum DerivedError {
    /// There is no such file yet.
    #[error("there is no derived file `{path}`", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read or written.
    #[error("the derived file `{path}` cannot be read or written", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("the derived file `{path}` is damaged: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A derived file, open and verified.
#[derive(Debug)]
pub struct Derived {
    path: PathBuf,
    map: Mmap,
    sequence: u64,
    sections: Vec<Range<usize>>,
}

impl Derived {
    /// Opens and verifies the file at `path`.
    ///
    /// Reads all of it once for the checksum (about 10 GB/s from the page cache).
    pub fn open(path: &Path, kind: Kind) -> Result<Self, DerivedError> {
        let damaged = |reason| DerivedError::Damaged {
            path: path.into(),
            reason,
        };
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => DerivedError::Missing { path: path.into() },
            _ => DerivedError::Io {
                path: path.into(),
                source,
            },
        };
        let file = fs::File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.len() < (FIXED + 16) as u64 {
            return Err(damaged("it is shorter than its header"));
        }
        // SAFETY: the file is only ever replaced by a rename, never written in
        // place, so the mapped pages do not change under us.
        let map = unsafe { Mmap::map(file.file()) }.map_err(io)?;
        let (sequence, sections) = verify(&map, kind).map_err(damaged)?;
        Ok(Self {
            path: path.into(),
            map,
            sequence,
            sections,
        })
    }

    /// Returns the last commit of the store that the file has seen.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns the section `index`; its first byte lies at a multiple of 64.
    /// Fails if the file has no such section.
    pub fn section(&self, index: usize) -> Result<&[u8], DerivedError> {
        match self.sections.get(index) {
            Some(range) => Ok(&self.map[range.clone()]),
            None => Err(self.damaged("it has too few sections")),
        }
    }

    /// Returns the error of a section whose content does not hold together.
    pub fn damaged(&self, reason: &'static str) -> DerivedError {
        DerivedError::Damaged {
            path: self.path.clone(),
            reason,
        }
    }

    /// Returns the file's length in bytes.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Returns false: a verified file has at least its header.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}

/// Returns the sequence that the header of the file at `path` names, without looking
/// at anything else; nothing if it has no such header.
pub fn claimed_sequence(path: &Path) -> Option<u64> {
    let mut header = [0; 24];
    fs::File::open(path).ok()?.read_exact(&mut header).ok()?;
    let sequence = u64::from_le_bytes(header[16..].try_into().expect("eight bytes"));
    (header[..8] == MAGIC).then_some(sequence)
}

/// Writes `sections` as the derived file at `path`, replacing it in one step.
pub fn write(
    path: &Path,
    kind: Kind,
    sequence: u64,
    sections: &[&[u8]],
) -> Result<(), DerivedError> {
    let temporary = path.with_extension("new");
    write_and_sync(&temporary, kind, sequence, sections)
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|source| {
            // A half-written file must not stay: the disk may be full because of it.
            let _ = fs::remove_file(&temporary);
            DerivedError::Io {
                path: path.into(),
                source,
            }
        })
}

fn write_and_sync(path: &Path, kind: Kind, sequence: u64, sections: &[&[u8]]) -> io::Result<()> {
    let mut at = (FIXED + 16 * sections.len() + 8).next_multiple_of(ALIGN);
    let mut table = Vec::with_capacity(16 * sections.len());
    for section in sections {
        table.extend((at as u64).to_le_bytes());
        table.extend((section.len() as u64).to_le_bytes());
        at = (at + section.len()).next_multiple_of(ALIGN);
    }
    let total = at + 8;

    let mut header = Vec::with_capacity(FIXED + table.len() + 8);
    header.extend(MAGIC);
    header.extend(kind.id.to_le_bytes());
    header.extend(kind.version.to_le_bytes());
    header.extend(sequence.to_le_bytes());
    header.extend((total as u64).to_le_bytes());
    header.extend((sections.len() as u32).to_le_bytes());
    header.extend(0u32.to_le_bytes());
    header.extend(table);
    header.extend(xxh3_64(&header).to_le_bytes());

    let mut out = Summed {
        file: BufWriter::new(fs::File::create(path)?),
        sum: Xxh3::new(),
        at: 0,
    };
    out.put(&header)?;
    out.pad()?;
    for section in sections {
        out.put(section)?;
        out.pad()?;
    }
    let sum = out.sum.digest();
    out.put(&sum.to_le_bytes())?;
    out.file.flush()?;
    out.file.get_ref().sync_all()
}

struct Summed {
    file: BufWriter<fs::File>,
    sum: Xxh3,
    at: usize,
}

impl Summed {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.at += bytes.len();
        self.file.write_all(bytes)
    }

    fn pad(&mut self) -> io::Result<()> {
        self.put(&[0; ALIGN][..self.at.next_multiple_of(ALIGN) - self.at])
    }
}

/// Returns the sequence and the sections of a whole file, or what is wrong with it.
/// Takes any bytes: this is the reader that is fuzzed.
pub fn verify(bytes: &[u8], kind: Kind) -> Result<(u64, Vec<Range<usize>>), &'static str> {
    let u32_at = |at: usize| {
        bytes
            .get(at..at + 4)
            .map(|b| u32::from_le_bytes(b.try_into().unwrap()))
    };
    let u64_at = |at: usize| {
        bytes
            .get(at..at + 8)
            .map(|b| u64::from_le_bytes(b.try_into().unwrap()))
    };
    const SHORT: &str = "it is shorter than its header";

    if bytes.get(..8).ok_or(SHORT)? != MAGIC {
        return Err("it is not a derived file of this program");
    }
    let found = Kind {
        id: u32_at(8).ok_or(SHORT)?,
        version: u32_at(12).ok_or(SHORT)?,
    };
    let sequence = u64_at(16).ok_or(SHORT)?;
    let total = u64_at(24).ok_or(SHORT)?;
    let count = u32_at(32).ok_or(SHORT)? as usize;
    let header = count
        .checked_mul(16)
        .and_then(|table| table.checked_add(FIXED))
        .ok_or(SHORT)?;
    if header > bytes.len() || u64_at(header).ok_or(SHORT)? != xxh3_64(&bytes[..header]) {
        return Err("its header does not match its checksum");
    }
    if found != kind {
        return Err("it is of another kind or version");
    }
    if total != bytes.len() as u64 {
        return Err("it was cut short or has grown");
    }
    let body = bytes
        .len()
        .checked_sub(8)
        .filter(|body| *body >= header + 8)
        .ok_or(SHORT)?;
    if u64_at(body) != Some(xxh3_64(&bytes[..body])) {
        return Err("its content does not match its checksum");
    }
    let mut sections = Vec::with_capacity(count);
    for index in 0..count {
        let entry = FIXED + 16 * index;
        let start = u64_at(entry).ok_or(SHORT)? as usize;
        let len = u64_at(entry + 8).ok_or(SHORT)? as usize;
        let end = start
            .checked_add(len)
            .filter(|end| *end <= body)
            .ok_or("a section is outside it")?;
        if !start.is_multiple_of(ALIGN) {
            return Err("a section is not aligned");
        }
        sections.push(start..end);
    }
    Ok((sequence, sections))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIND: Kind = Kind { id: 7, version: 1 };

    fn written(sections: &[&[u8]]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.derived");
        write(&path, KIND, 42, sections).unwrap();
        (dir, path)
    }

    #[test]
    fn reads_what_was_written() {
        let (_dir, path) = written(&[b"one", b"", &[7; 200]]);
        let file = Derived::open(&path, KIND).unwrap();
        assert_eq!(file.sequence(), 42);
        assert_eq!(file.section(0).unwrap(), b"one");
        assert_eq!(file.section(1).unwrap(), b"");
        assert_eq!(file.section(2).unwrap(), [7; 200]);
        assert_eq!(file.section(2).unwrap().as_ptr().align_offset(64), 0);
        assert!(file.section(3).is_err());
    }

    #[test]
    fn another_kind_or_version_is_refused() {
        let (_dir, path) = written(&[b"one"]);
        for kind in [Kind { id: 8, version: 1 }, Kind { id: 7, version: 2 }] {
            assert!(matches!(
                Derived::open(&path, kind),
                Err(DerivedError::Damaged { .. })
            ));
        }
    }

    proptest! {
        #[test]
        fn any_flipped_bit_and_any_cut_is_seen(at in 0usize..400, bit in 0u8..8, cut in 0usize..400) {
            let (_dir, path) = written(&[b"some postings", &[3; 100]]);
            let whole = fs::read(&path).unwrap();
            let mut flipped = whole.clone();
            let at = at % whole.len();
            flipped[at] ^= 1 << bit;
            prop_assert!(verify(&flipped, KIND).is_err());
            prop_assert!(verify(&whole[..cut % whole.len()], KIND).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = bytes;
            let _ = verify(&bytes, KIND);
            bytes.splice(0..0, MAGIC);
            let _ = verify(&bytes, KIND);
        }
    }
}
