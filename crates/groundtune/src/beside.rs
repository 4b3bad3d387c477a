//! A file that is whole or not there: written beside its place, and renamed.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use fs_err::File;

/// Writes the file at `path` with `write`: beside it first (`PATH.part`), on the disk before
/// it takes the name. A write that breaks off leaves what was there.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_beside(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let mut file = BufWriter::new(File::create(&beside)?);
    write(&mut file)?;
    file.flush()?;
    file.get_ref().sync_all()?;
    fs_err::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_breaks_off_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.toml");
        write_beside(&path, |file| file.write_all(b"first")).unwrap();
        let broken = write_beside(&path, |file| {
            file.write_all(b"second")?;
            Err(io::Error::other("the disk is full"))
        });
        assert_eq!(broken.unwrap_err().to_string(), "the disk is full");
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "first");
        write_beside(&path, |file| file.write_all(b"third")).unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "third");
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
    }
}
