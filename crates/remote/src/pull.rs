//! A model into the cache, from wherever it comes.

use std::fs::TryLockError;
use std::path::Path;
use std::time::Duration;

use crate::cache::is_name;
use crate::download::{Checksum, Download, PullEvent, PullSink, Tally, stop_on_break};
use crate::retry::sleep;
use crate::{Cache, Hub, ModelName, Network, PackageIndex, RemoteError, Snapshot, Source};

/// How often it is looked whether another process is done.
const LOOK: Duration = Duration::from_millis(200);

/// Where models are fetched from, and where to.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The hub.
    pub hub: Hub,
    /// The package index.
    pub index: PackageIndex,
}

/// One file of a model.
#[derive(Clone, Debug)]
pub(crate) struct RemoteFile {
    /// Its path in the model.
    pub(crate) path: String,
    /// Where it is.
    pub(crate) url: String,
    pub(crate) size: Option<u64>,
    pub(crate) checksum: Option<Checksum>,
}

impl Cache {
    /// Fetches `name` into the cache and returns where it lies. What is there already is
    /// not fetched again; what was begun is continued.
    ///
    /// # Errors
    /// If it cannot be had. What was fetched up to then stays, and is used next time.
    pub fn pull(
        &self,
        name: &ModelName,
        sources: &Sources,
        network: &Network,
        sink: &mut PullSink<'_>,
    ) -> Result<Snapshot, RemoteError> {
        let _lock = self.lock(name, sink)?;
        match name.source() {
            Source::Hub => sources.hub.pull(name, self, network, sink),
            Source::Index => sources.index.pull(name, self, network, sink),
        }
    }

    /// Waits until no other process fetches `name`. The lock ends with the file.
    fn lock(&self, name: &ModelName, sink: &mut PullSink<'_>) -> Result<fs_err::File, RemoteError> {
        let folder = self.folder().join(".locks").join(name.cache_folder());
        fs_err::create_dir_all(&folder)?;
        let file = fs_err::File::create(folder.join("groundtune.lock"))?;
        loop {
            match file.file().try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    stop_on_break(sink(PullEvent::Waiting))?;
                    sleep(LOOK, &mut || sink(PullEvent::Waiting))?;
                }
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }

    /// Fetches `files` as the snapshot `commit` of `name`.
    pub(crate) fn fetch(
        &self,
        name: &ModelName,
        commit: &str,
        files: &[RemoteFile],
        authorization: Option<&str>,
        network: &Network,
        sink: &mut PullSink<'_>,
    ) -> Result<Snapshot, RemoteError> {
        assert!(is_name(commit), "a commit is looked at before it is used");
        let model = self.model_folder(name);
        let blobs = model.join("blobs");
        let folder = model.join("snapshots").join(commit);
        fs_err::create_dir_all(&blobs)?;
        fs_err::create_dir_all(&folder)?;
        let bytes = files.iter().filter_map(|file| file.size).sum();
        stop_on_break(sink(PullEvent::Planned {
            files: files.len(),
            bytes,
        }))?;
        let mut tally = Tally {
            sink,
            done: 0,
            bytes,
        };
        for file in files {
            let place = folder.join(&file.path);
            if fs_err::metadata(&place).is_ok() {
                tally.done += file.size.unwrap_or_default();
                tally.say(&file.path)?;
                continue;
            }
            let found;
            let (checksum, size) = match &file.checksum {
                Some(checksum) => (Some(checksum), file.size),
                None => {
                    found = look(network, file, authorization)?;
                    (found.0.as_ref(), file.size.or(found.1))
                }
            };
            // A server without checksums leaves only the name to tell files apart.
            let blob = match checksum {
                Some(checksum) => checksum.digits().to_owned(),
                None => format!("{commit}-{}", file.path.replace('/', "-")),
            };
            let blob = blobs.join(blob);
            if fs_err::metadata(&blob).is_ok() {
                tally.done += file.size.unwrap_or_default();
            } else {
                let download = Download {
                    url: &file.url,
                    authorization,
                    file: &file.path,
                    size,
                    checksum,
                    path: &blob,
                };
                download.run(network, &mut tally)?;
            }
            tally.say(&file.path)?;
            link(&blob, &place)?;
        }
        self.write_reference(name, commit)?;
        Ok(Snapshot {
            name: name.clone(),
            commit: commit.to_owned(),
            folder,
        })
    }

    /// Notes which commit the revision of `name` is at, unless it is named by the commit.
    pub(crate) fn write_reference(
        &self,
        name: &ModelName,
        commit: &str,
    ) -> Result<(), RemoteError> {
        let revision = name.revision().unwrap_or(crate::cache::MAIN);
        if revision == commit {
            return Ok(());
        }
        let path = self.model_folder(name).join("refs").join(revision);
        let parent = path.parent().expect("a reference lies in `refs`");
        fs_err::create_dir_all(parent)?;
        let beside = path.with_extension(format!("{}.part", std::process::id()));
        fs_err::write(&beside, commit)?;
        fs_err::rename(&beside, &path)?;
        Ok(())
    }
}

/// Asks for a file's headers to learn its checksum and size.
fn look(
    network: &Network,
    file: &RemoteFile,
    authorization: Option<&str>,
) -> Result<(Option<Checksum>, Option<u64>), RemoteError> {
    // The first byte is enough; and unlike HEAD, every server and signed address knows it.
    let headers = [("Range", "bytes=0-0"), ("Accept-Encoding", "identity")];
    let reply = network.get_first(&file.url, &headers, authorization)?;
    let etag = ["x-linked-etag", "etag"]
        .iter()
        .find_map(|name| Checksum::of_etag(reply.header(name)?));
    let size = reply.header("x-linked-size").and_then(|it| it.parse().ok());
    let ranged = reply
        .header("content-range")
        .and_then(|it| it.rsplit('/').next()?.parse().ok());
    Ok((etag, size.or(ranged)))
}

/// Makes `place` a name of `blob`: a relative link, so that the cache can be moved; a
/// copy where the system has no links.
fn link(blob: &Path, place: &Path) -> Result<(), RemoteError> {
    let parent = place.parent().expect("a file lies in its snapshot");
    fs_err::create_dir_all(parent)?;
    // A link whose blob went away would be in the way.
    match fs_err::remove_file(place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    #[cfg(unix)]
    {
        let model = blob
            .parent()
            .and_then(Path::parent)
            .expect("a blob lies in its model's folder");
        let depth = place
            .strip_prefix(model)
            .expect("a snapshot lies in its model's folder")
            .components()
            .count();
        let mut target = std::path::PathBuf::new();
        (1..depth).for_each(|_| target.push(".."));
        target.push("blobs");
        target.push(blob.file_name().expect("a blob has a name"));
        fs_err::os::unix::fs::symlink(target, place)?;
    }
    #[cfg(not(unix))]
    fs_err::copy(blob, place)?;
    Ok(())
}
