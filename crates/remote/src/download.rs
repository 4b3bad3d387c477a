//! One file from a server onto the disk: resumed where it stopped, and believed only
//! once its checksum is right.

use std::fmt::Write as _;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use contract::Bytes;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use crate::http::{Reply, reading_failed, unexpected};
use crate::retry::sleep;
use crate::{Network, RemoteError};

const PIECE: usize = 256 << 10;

/// What happens while models are fetched.
#[derive(Clone, Copy, Debug)]
pub enum PullEvent<'a> {
    /// So much is to be fetched.
    Planned {
        /// Files.
        files: usize,
        /// Bytes, as far as the server says.
        bytes: u64,
    },
    /// Of this file, so much is here.
    Progress {
        /// The file.
        file: &'a str,
        /// Bytes that are here of all files.
        done: u64,
        /// Bytes of all files, as far as the server says.
        bytes: u64,
    },
    /// Another process fetches the same model.
    Waiting,
    /// A request failed and will be sent again.
    Retrying {
        /// What went wrong.
        error: &'a RemoteError,
        /// After how long.
        pause: std::time::Duration,
    },
}

/// Told what happens; breaks to stop.
pub type PullSink<'a> = dyn FnMut(PullEvent<'_>) -> ControlFlow<()> + 'a;

/// What a file must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// SHA-256 of its bytes.
    Sha256(String),
    /// The name that git gives it: SHA-1 of `blob LENGTH\0` and its bytes.
    Git(String),
}

impl Checksum {
    /// Returns what an `ETag` of the hub says: 64 hexadecimal digits are SHA-256, 40 are
    /// git's.
    pub(crate) fn of_etag(etag: &str) -> Option<Self> {
        let digits = etag
            .trim_start_matches("W/")
            .trim_matches('"')
            .to_ascii_lowercase();
        let is_hex = digits.bytes().all(|it| it.is_ascii_hexdigit());
        match digits.len() {
            64 if is_hex => Some(Self::Sha256(digits)),
            40 if is_hex => Some(Self::Git(digits)),
            _ => None,
        }
    }

    /// Returns its digits.
    pub(crate) fn digits(&self) -> &str {
        match self {
            Self::Sha256(digits) | Self::Git(digits) => digits,
        }
    }

    /// Returns the checksum that the file at `path` has.
    fn found(&self, path: &Path) -> Result<String, RemoteError> {
        let mut file = fs_err::File::open(path)?;
        let mut context = match self {
            Self::Sha256(_) => Context::new(&SHA256),
            Self::Git(_) => {
                let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
                let length = file.metadata()?.len();
                context.update(format!("blob {length}\0").as_bytes());
                context
            }
        };
        let mut piece = vec![0; PIECE];
        loop {
            let count = file.read(&mut piece)?;
            if count == 0 {
                return Ok(hex(context.finish().as_ref()));
            }
            context.update(&piece[..count]);
        }
    }
}

/// Returns `bytes` in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A file to fetch.
pub(crate) struct Download<'a> {
    /// Where it is.
    pub(crate) url: &'a str,
    /// What to send along to that server.
    pub(crate) authorization: Option<&'a str>,
    /// What it is called on the screen.
    pub(crate) file: &'a str,
    /// How long it is, if known.
    pub(crate) size: Option<u64>,
    /// What it must be, if known.
    pub(crate) checksum: Option<&'a Checksum>,
    /// Where it goes. Until it is whole it has `.incomplete` after its name.
    pub(crate) path: &'a Path,
}

/// How far all files together have come.
pub(crate) struct Tally<'a, 'b> {
    pub(crate) sink: &'a mut PullSink<'b>,
    pub(crate) done: u64,
    pub(crate) bytes: u64,
}

impl Tally<'_, '_> {
    pub(crate) fn say(&mut self, file: &str) -> Result<(), RemoteError> {
        let (done, bytes) = (self.done, self.bytes.max(self.done));
        stop_on_break((self.sink)(PullEvent::Progress { file, done, bytes }))
    }
}

pub(crate) fn stop_on_break(flow: ControlFlow<()>) -> Result<(), RemoteError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(RemoteError::Stopped),
    }
}

impl Download<'_> {
    /// Fetches it, going on from what is there already, and tries again where that may
    /// help. As long as bytes arrive, attempts begin anew.
    pub(crate) fn run(
        &self,
        network: &Network,
        tally: &mut Tally<'_, '_>,
    ) -> Result<(), RemoteError> {
        let before = tally.done;
        let incomplete = incomplete(self.path);
        let (mut attempt, mut had) = (1, length_of(&incomplete)?);
        loop {
            tally.done = before;
            let error = match self.attempt(network, &incomplete, tally) {
                Ok(()) => break,
                Err(error) => error,
            };
            let has = length_of(&incomplete)?;
            if has > had {
                (attempt, had) = (1, has);
            }
            // A server that falls silent in the middle of a file may come back.
            let silent = matches!(error, RemoteError::TimedOut { .. });
            let stand_in = RemoteError::Status {
                host: String::new(),
                status: 504,
                message: String::new(),
            };
            let judged = if silent { &stand_in } else { &error };
            let Some(pause) = network.retry().pause(attempt, judged) else {
                return Err(error);
            };
            let event = PullEvent::Retrying {
                error: &error,
                pause,
            };
            stop_on_break((tally.sink)(event))?;
            let Tally { sink, done, bytes } = tally;
            sleep(pause, &mut || {
                sink(PullEvent::Progress {
                    file: self.file,
                    done: *done,
                    bytes: *bytes,
                })
            })?;
            attempt += 1;
        }
        if let Some(checksum) = self.checksum {
            // What lies on the disk is what counts, also where it came in several runs.
            let found = checksum.found(&incomplete)?;
            if found != checksum.digits() {
                fs_err::remove_file(&incomplete)?;
                return Err(RemoteError::Checksum {
                    file: self.file.into(),
                    expected: checksum.digits().into(),
                    found,
                });
            }
        }
        fs_err::rename(&incomplete, self.path)?;
        Ok(())
    }

    fn attempt(
        &self,
        network: &Network,
        incomplete: &Path,
        tally: &mut Tally<'_, '_>,
    ) -> Result<(), RemoteError> {
        let mut start = length_of(incomplete)?;
        if self.size.is_some_and(|size| start > size) {
            fs_err::remove_file(incomplete)?;
            start = 0;
        }
        if start > 0 && self.size == Some(start) {
            tally.done += start;
            return Ok(());
        }
        let range = format!("bytes={start}-");
        let mut headers = vec![("Accept", "*/*"), ("Accept-Encoding", "identity")];
        if start > 0 {
            headers.push(("Range", &range));
        }
        let reply = network.get(self.url, &headers, self.authorization)?;
        if reply.status == 416 && start > 0 {
            // Nothing lies behind what is here: it is whole, or it is of another file.
            if self.size.is_none() {
                return Ok(());
            }
            fs_err::remove_file(incomplete)?;
            return self.attempt(network, incomplete, tally);
        }
        let reply = reply.accepted(None)?;
        if reply.status != 206 || first_byte(&reply) != Some(start) {
            start = 0;
        }
        let total = self.size.or_else(|| Some(start + reply.length()?));
        tally.done += start;
        self.take(reply, incomplete, start, total, tally)
    }

    fn take(
        &self,
        reply: Reply,
        incomplete: &Path,
        start: u64,
        total: Option<u64>,
        tally: &mut Tally<'_, '_>,
    ) -> Result<(), RemoteError> {
        let disk = |error: io::Error| {
            if is_full(&error) {
                RemoteError::DiskFull {
                    path: incomplete.to_path_buf(),
                    size: Bytes(total.unwrap_or_default()),
                    source: error,
                }
            } else {
                error.into()
            }
        };
        let mut file = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(incomplete)?;
        file.file().set_len(start).map_err(disk)?;
        file.seek(SeekFrom::Start(start))?;
        let (url, waited) = (reply.url.clone(), reply.patience());
        let mut body = reply.into_body();
        let (mut piece, mut at) = (vec![0; PIECE], start);
        loop {
            tally.say(self.file)?;
            let count = match body.read(&mut piece) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(reading_failed(&url, waited, error)),
            };
            if count == 0 {
                break;
            }
            at += count as u64;
            tally.done += count as u64;
            if total.is_some_and(|total| at > total) {
                fs_err::remove_file(incomplete)?;
                return Err(unexpected(
                    &url,
                    "a file of the length it announced",
                    "more",
                ));
            }
            file.write_all(&piece[..count]).map_err(disk)?;
        }
        file.sync_all().map_err(disk)?;
        match total {
            Some(total) if at < total => Err(RemoteError::Broken {
                host: crate::address::host(&url).into(),
                source: format!("{at} of {total} bytes arrived").into(),
            }),
            _ => Ok(()),
        }
    }
}

/// Returns whether a write failed for want of room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::StorageFull | K::QuotaExceeded | K::FileTooLarge
    )
}

/// Returns the first byte of a part of a file: `Content-Range: bytes 5-9/10`.
fn first_byte(reply: &Reply) -> Option<u64> {
    let range = reply
        .header("content-range")?
        .trim()
        .strip_prefix("bytes ")?;
    range.split('-').next()?.trim().parse().ok()
}

fn incomplete(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".incomplete");
    name.into()
}

fn length_of(path: &Path) -> Result<u64, RemoteError> {
    match fs_err::metadata(path) {
        Ok(about) => Ok(about.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_git_and_of_large_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hello");
        fs_err::write(&path, "hello\n").unwrap();
        // `git hash-object` and `sha256sum` of the same file.
        for digits in [
            "ce013625030ba8dba906f756967f9e9ca394464a",
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        ] {
            let checksum = Checksum::of_etag(&format!("W/\"{digits}\"")).unwrap();
            assert_eq!(checksum.found(&path).unwrap(), digits);
        }
        assert_eq!(Checksum::of_etag("\"abc\""), None);
    }
}
