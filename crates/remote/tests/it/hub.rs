//! Models from a hub.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};

use remote::{
    Cache, Hub, ModelName, Network, NetworkOptions, PackageIndex, PullEvent, RemoteError, Secret,
    Snapshot, Sources,
};
use serde_json::{Value, json};

use crate::server::{Answer, Request, Server};
use crate::{network, options};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const CONFIG: &str = "hello\n";
/// `git hash-object` of `hello\n`.
const CONFIG_GIT: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
/// `sha256sum` of `hello\n` as well.
const HELLO_SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

fn about() -> Value {
    json!({
        "id": "org/tiny", "sha": COMMIT,
        "siblings": [
            { "rfilename": "config.json", "size": 6, "blobId": CONFIG_GIT },
            { "rfilename": "1_Pooling/config.json", "size": 6, "blobId": CONFIG_GIT },
            { "rfilename": "model.safetensors", "size": 6, "blobId": "b".repeat(40),
              "lfs": { "sha256": HELLO_SHA256, "size": 6, "pointerSize": 128 } },
            { "rfilename": "pytorch_model.bin", "size": 6 },
            { "rfilename": "../evil.safetensors", "size": 6 },
        ]
    })
}

/// What a hub answers: large files lie on another server.
fn file(request: &Request, content: &str) -> Answer {
    let start = request
        .header("range")
        .and_then(|it| it.strip_prefix("bytes=")?.split('-').next()?.parse().ok())
        .unwrap_or(0);
    let answer = Answer::new(
        if start > 0 { 206 } else { 200 },
        "application/octet-stream",
        &content[start..],
    );
    match start {
        0 => answer,
        start => answer.header(
            "Content-Range",
            &format!("bytes {start}-{}/{}", content.len() - 1, content.len()),
        ),
    }
}

fn pull_with(
    network: &Network,
    cache: &Path,
    endpoint: &str,
    token: Option<&str>,
    name: &str,
    sink: &mut remote::PullSink<'_>,
) -> Result<Snapshot, RemoteError> {
    let sources = Sources {
        hub: Hub {
            endpoint: endpoint.into(),
            token: token.and_then(Secret::new),
        },
        index: PackageIndex::default(),
    };
    Cache::new(cache).pull(&name.parse::<ModelName>().unwrap(), &sources, network, sink)
}

fn pull(cache: &Path, endpoint: &str, name: &str) -> Result<Snapshot, RemoteError> {
    pull_with(&network(), cache, endpoint, None, name, &mut |_| {
        ControlFlow::Continue(())
    })
}

fn text(snapshot: &Snapshot, path: &str) -> String {
    fs_err::read_to_string(snapshot.folder.join(path)).unwrap()
}

#[test]
fn a_model_comes_into_the_cache_as_python_lays_it_out() {
    let store = Server::start(|request, _| Some(file(request, "hello\n")));
    let elsewhere = store.url.replace("127.0.0.1", "localhost");
    let hub = Server::start(move |request, _| {
        Some(if request.path.starts_with("/api/") {
            Answer::json(&about())
        } else if request.path.ends_with("model.safetensors") {
            Answer::new(302, "text/plain", "").header("Location", &format!("{elsewhere}/x?sig=1"))
        } else {
            file(request, CONFIG)
        })
    });
    let cache = tempfile::tempdir().unwrap();
    let mut events = Vec::new();
    let snapshot = pull_with(
        &network(),
        cache.path(),
        &hub.url,
        Some("hf_secret"),
        "org/tiny",
        &mut |event| {
            events.push(format!("{event:?}"));
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(snapshot.commit, COMMIT);
    let files: Vec<String> = snapshot
        .files()
        .unwrap()
        .into_iter()
        .map(|it| it.0)
        .collect();
    assert_eq!(
        files,
        ["1_Pooling/config.json", "config.json", "model.safetensors"]
    );
    assert_eq!(text(&snapshot, "model.safetensors"), "hello\n");
    let model = cache.path().join("models--org--tiny");
    assert_eq!(
        fs_err::read_to_string(model.join("refs/main")).unwrap(),
        COMMIT
    );
    #[cfg(unix)]
    for (path, target) in [
        (
            "1_Pooling/config.json",
            format!("../../../blobs/{CONFIG_GIT}"),
        ),
        ("model.safetensors", format!("../../blobs/{HELLO_SHA256}")),
    ] {
        let link = fs_err::read_link(snapshot.folder.join(path)).unwrap();
        assert_eq!(link, Path::new(&target));
    }
    assert!(events[0].contains("files: 3, bytes: 18"), "{events:?}");
    assert!(
        events.last().unwrap().contains("done: 18, bytes: 18"),
        "{events:?}"
    );

    // The token is for the hub; where it sends us on to is another server.
    let requests = hub.requests();
    assert_eq!(
        requests[0].path,
        "/api/models/org/tiny/revision/main?blobs=true"
    );
    for request in &requests {
        assert_eq!(request.header("authorization"), Some("Bearer hf_secret"));
    }
    for request in store.requests() {
        assert_eq!(request.header("authorization"), None);
    }

    // What is there is not fetched again, and is found with the network off.
    let before = hub.requests().len();
    pull(cache.path(), &hub.url, "org/tiny").unwrap();
    assert_eq!(hub.requests().len(), before + 1);
    let found = Cache::new(cache.path()).find(&"org/tiny".parse().unwrap());
    assert_eq!(found.unwrap().unwrap().folder, snapshot.folder);
}

#[test]
fn a_file_that_breaks_off_is_continued_where_it_stopped() {
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ranges);
    let hub = Server::start(move |request, _| {
        if request.path.starts_with("/api/") {
            return Some(Answer::json(&about()));
        }
        if !request.path.ends_with("model.safetensors") {
            return Some(file(request, CONFIG));
        }
        let mut seen = seen.lock().unwrap();
        seen.push(request.header("range").map(str::to_owned));
        let answer = file(request, "hello\n");
        Some(if seen.len() < 3 {
            answer.cut_after(2)
        } else {
            answer
        })
    });
    let cache = tempfile::tempdir().unwrap();
    let snapshot = pull(cache.path(), &hub.url, "org/tiny").unwrap();
    assert_eq!(text(&snapshot, "model.safetensors"), "hello\n");
    let expect = [
        None,
        Some("bytes=2-".to_owned()),
        Some("bytes=4-".to_owned()),
    ];
    assert_eq!(*ranges.lock().unwrap(), expect);
}

#[test]
fn what_is_stopped_is_continued_next_time() {
    let hub = Server::start(|request, _| {
        Some(if request.path.starts_with("/api/") {
            Answer::json(&about())
        } else if request.path.ends_with("model.safetensors") && request.header("range").is_none() {
            file(request, "hello\n").cut_after(3).announcing(6)
        } else {
            file(request, CONFIG)
        })
    });
    let cache = tempfile::tempdir().unwrap();
    // Stops as soon as a part of the weights is here.
    let mut parts = 0;
    let error = pull_with(
        &network(),
        cache.path(),
        &hub.url,
        None,
        "org/tiny",
        &mut |event| {
            if let PullEvent::Retrying { .. } = event {
                parts += 1;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        },
    )
    .unwrap_err();
    assert!(matches!(error, RemoteError::Stopped), "{error:?}");
    assert_eq!(parts, 1);
    let blobs = cache.path().join("models--org--tiny/blobs");
    let begun = blobs.join(format!("{HELLO_SHA256}.incomplete"));
    assert_eq!(fs_err::read_to_string(begun).unwrap(), "hel");
    let snapshot = pull(cache.path(), &hub.url, "org/tiny").unwrap();
    assert_eq!(text(&snapshot, "model.safetensors"), "hello\n");
    assert_eq!(
        hub.requests().last().unwrap().header("range"),
        Some("bytes=3-")
    );
}

#[test]
fn a_wrong_checksum_is_not_believed() {
    for (wrong, file_name) in [("HELLO\n", "model.safetensors"), ("jello\n", "config.json")] {
        let hub = Server::start(move |request, _| {
            Some(if request.path.starts_with("/api/") {
                Answer::json(&about())
            } else if request.path.ends_with(&format!("/{file_name}")) {
                file(request, wrong)
            } else {
                file(request, CONFIG)
            })
        });
        let cache = tempfile::tempdir().unwrap();
        let error = pull(cache.path(), &hub.url, "org/tiny").unwrap_err();
        assert!(
            matches!(&error, RemoteError::Checksum { file, .. } if file.ends_with(file_name)),
            "{error:?}"
        );
        let found = Cache::new(cache.path()).find(&"org/tiny@main".parse().unwrap());
        assert_eq!(found.unwrap(), None, "half a model is not found");
    }
}

#[test]
fn a_server_without_checksums_in_its_list_tells_them_with_the_file() {
    let hub = Server::start(|request, _| {
        Some(if request.path.starts_with("/api/") {
            let files = ["config.json", "model.safetensors"];
            let files: Vec<Value> = files.iter().map(|it| json!({ "rfilename": it })).collect();
            Answer::json(&json!({ "sha": COMMIT, "siblings": files }))
        } else {
            file(request, "hello\n").header("ETag", &format!("\"{HELLO_SHA256}\""))
        })
    });
    let cache = tempfile::tempdir().unwrap();
    let snapshot = pull(cache.path(), &hub.url, "org/tiny").unwrap();
    assert_eq!(text(&snapshot, "config.json"), "hello\n");
    assert!(
        cache
            .path()
            .join("models--org--tiny/blobs")
            .join(HELLO_SHA256)
            .is_file()
    );
}

#[test]
fn refusals_say_what_to_do() {
    for (status, code, token, message, hint) in [
        (
            401,
            "RepoNotFound",
            None,
            "has no model `org/tiny`",
            "HF_TOKEN",
        ),
        (
            404,
            "RepoNotFound",
            None,
            "has no model `org/tiny`",
            "look at the name",
        ),
        (
            403,
            "GatedRepo",
            Some("hf_x"),
            "accepted its terms",
            "/org/tiny",
        ),
        (404, "RevisionNotFound", None, "no revision `main`", ""),
        (418, "", None, "answered 418: not for you", ""),
    ] {
        let hub = Server::start(move |_, _| {
            let answer = Answer::new(status, "application/json", r#"{"error":"not for you"}"#);
            Some(answer.header("X-Error-Code", code))
        });
        let cache = tempfile::tempdir().unwrap();
        let error = pull_with(
            &network(),
            cache.path(),
            &hub.url,
            token,
            "org/tiny",
            &mut |_| ControlFlow::Continue(()),
        )
        .unwrap_err();
        assert!(
            error.to_string().contains(message),
            "{status} {code}: {error}"
        );
        assert!(
            error.hint().unwrap_or_default().contains(hint),
            "{status} {code}"
        );
        assert_eq!(hub.requests().len(), 1, "{status} is not asked again");
    }
}

#[test]
fn a_busy_hub_is_asked_again() {
    let hub = Server::start(|request, before| {
        Some(match before {
            0 => Answer::new(429, "text/plain", "slow down").header("Retry-After", "0"),
            1 => Answer::new(503, "text/html", "<html><h1>busy</h1></html>"),
            _ if request.path.starts_with("/api/") => Answer::json(&about()),
            _ => file(request, CONFIG),
        })
    });
    let cache = tempfile::tempdir().unwrap();
    pull(cache.path(), &hub.url, "org/tiny").unwrap();

    let hub = Server::start(|_, _| {
        Some(Answer::new(429, "text/plain", "").header("Retry-After", "3600"))
    });
    let error = pull(cache.path(), &hub.url, "org/other").unwrap_err();
    assert!(error.to_string().contains("3600 s of patience"), "{error}");
    assert_eq!(hub.requests().len(), 1, "an hour is not waited");
}

#[test]
fn what_is_no_hub_is_said() {
    let page = Server::start(|_, _| {
        Some(Answer::new(
            200,
            "text/html",
            "<html><title>Log in</title>to the network</html>",
        ))
    });
    let cache = tempfile::tempdir().unwrap();
    let error = pull(cache.path(), &page.url, "org/tiny")
        .unwrap_err()
        .to_string();
    assert!(error.contains("but with: Log in to the network"), "{error}");

    let silent = Server::start(|_, _| None);
    let error = pull(cache.path(), &silent.url, "org/tiny").unwrap_err();
    assert!(matches!(error, RemoteError::Broken { .. }), "{error:?}");
    assert_eq!(silent.requests().len(), 3);

    let nobody = "http://127.0.0.1:1";
    let error = pull(cache.path(), nobody, "org/tiny").unwrap_err();
    assert!(matches!(error, RemoteError::Connection { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("HTTPS_PROXY"));
}

#[test]
fn with_the_network_off_nothing_is_sent() {
    let network = Network::new(NetworkOptions {
        offline: true,
        ..options()
    })
    .unwrap();
    let cache = tempfile::tempdir().unwrap();
    let error = pull_with(
        &network,
        cache.path(),
        "http://x.invalid",
        None,
        "org/tiny",
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap_err();
    assert!(matches!(error, RemoteError::Offline { .. }), "{error:?}");
}

#[test]
fn requests_go_through_the_proxy_that_is_named() {
    let proxy = Server::start(|request, _| {
        Some(if request.path.contains("/api/") {
            Answer::json(&about())
        } else {
            file(request, CONFIG)
        })
    });
    let through = Network::new(NetworkOptions {
        http_proxy: Some(proxy.url.clone()),
        ..options()
    })
    .unwrap();
    let cache = tempfile::tempdir().unwrap();
    pull_with(
        &through,
        cache.path(),
        "http://hub.invalid",
        None,
        "org/tiny",
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap();
    let first = &proxy.requests()[0];
    assert_eq!(
        (&*first.method, &*first.path),
        ("CONNECT", "hub.invalid:80")
    );
}

#[test]
fn two_at_once_fetch_it_once() {
    let hub = Server::start(|request, _| {
        Some(if request.path.starts_with("/api/") {
            Answer::json(&about())
        } else {
            file(request, CONFIG).after(std::time::Duration::from_millis(30))
        })
    });
    let cache = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| pull(cache.path(), &hub.url, "org/tiny").unwrap());
        }
    });
    let files = hub
        .requests()
        .iter()
        .filter(|it| it.path.contains("/resolve/"))
        .count();
    assert_eq!(files, 2, "two blobs make three files");
}
