//! A folder of one's own and the real program, run in it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The folder of the tiny models.
pub(crate) const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/data");

/// A folder that is gone when the test ends.
pub(crate) struct Folder {
    // Dropped last: removes the folder.
    _guard: TempDir,
    path: PathBuf,
}

impl Folder {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        let guard = tempfile::Builder::new()
            .prefix("groundtune-it-")
            .tempdir()
            .expect("the system's temporary folder can be written");
        let path = guard
            .path()
            .canonicalize()
            .expect("a folder that was just made is there");
        Self {
            _guard: guard,
            path,
        }
    }

    /// A folder with a `groundtune.toml` and `files`.
    pub(crate) fn project(config: &str, files: &[(&str, &str)]) -> Self {
        let folder = Self::empty();
        folder.write("groundtune.toml", config);
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, name: impl AsRef<Path>, text: &str) {
        let path = self.path.join(name);
        let parent = path.parent().expect("it lies in the folder");
        std::fs::create_dir_all(parent).expect("a folder can be made");
        std::fs::write(path, text).expect("a file can be written");
    }

    /// Deletes a file.
    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path.join(name)).expect("the file is there");
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The program, to be run here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_groundtune"));
        command
            .args(arguments)
            .current_dir(&self.path)
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program here.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .output()
            .expect("the program was built for this test")
    }

    /// Runs it and returns the whole screen: stdout, then stderr, then the code if it
    /// is not 0.
    pub(crate) fn screen(&self, arguments: &[&str]) -> String {
        self.screen_with(arguments, &[])
    }

    /// Like [`Folder::screen`], with environment variables.
    pub(crate) fn screen_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self
            .command(arguments)
            .envs(variables.iter().copied())
            .output()
            .expect("the program was built for this test");
        self.shown(&output)
    }

    /// Runs it, checks that it succeeded, and returns its stdout as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("stdout is one JSON value")
    }

    /// Runs it, checks that it succeeded, and returns each line of stdout as JSON.
    pub(crate) fn json_lines(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .expect("JSON is UTF-8")
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line is a JSON value"))
            .collect()
    }

    /// Runs it with `input` piped in, and returns the whole screen.
    pub(crate) fn piped(&self, arguments: &[&str], input: &str) -> String {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was built for this test");
        let mut stdin = child.stdin.take().expect("it is a pipe");
        // A program that does not read all of it closes the pipe.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("it ends by itself");
        self.shown(&output)
    }

    fn shown(&self, output: &Output) -> String {
        let mut screen = self.masked(&output.stdout);
        if !output.stderr.is_empty() {
            screen.push_str("-- stderr --\n");
            screen.push_str(&self.masked(&output.stderr));
        }
        match output.status.code() {
            Some(0) => {}
            Some(code) => screen.push_str(&format!("-- exit {code} --\n")),
            None => screen.push_str("-- ended by a signal --\n"),
        }
        screen
    }

    fn masked(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes)
            .replace(&*self.path.to_string_lossy(), "[FOLDER]")
            .replace(env!("CARGO_BIN_EXE_groundtune"), "[GROUNDTUNE]")
            .replace(MODELS, "[MODELS]")
    }
}

/// Two pages that agree on little, one of them for leads only, and a table.
pub(crate) fn handbook() -> Folder {
    Folder::project(
        "",
        &[
            (
                "docs/returns.md",
                "---\ntitle: Returns\njurisdiction: US\n---\n\n# Returns\n\n\
                 Anything may be returned within 30 days of delivery.\n\n## Postage\n\n\
                 Return postage is free from every state but Alaska, where it costs $8.95. \
                 The label is printed at home, or shown at the counter as a code that is \
                 scanned there. A label that is older than seven days is not taken any more, \
                 and a new one has to be made in the list of orders.\n",
            ),
            (
                "docs/returns-eu.md",
                "---\ntitle: Returns in Europe\njurisdiction: EU\n---\n\n# Returns in Europe\n\n\
                 Anything may be returned within 60 days of delivery.\n",
            ),
            (
                "docs/leads.md",
                "---\ngroups: [leads]\n---\n\n# Goodwill\n\n\
                 A lead may give goodwill of 75 dollars without asking.\n",
            ),
            (
                "docs/rates.csv",
                "destination,price\nCanada,$16\nNorway,$19\n",
            ),
        ],
    )
}

/// Begins the run of `recipe.toml` in `folder`, or goes on with it where it was begun.
pub(crate) fn train_on(folder: &Folder) -> Child {
    let run = ".groundtune/runs/0001";
    let begun = folder.path().join(run).join("run.json").is_file();
    if !begun {
        // Killed before it was a run.
        let _ = std::fs::remove_dir_all(folder.path().join(".groundtune"));
    }
    let arguments = if begun {
        ["train", "--resume", run]
    } else {
        ["train", "recipe.toml", "--threads=2"]
    };
    folder
        .command(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program was built for this test")
}

/// Returns what the run of `folder` has learnt.
pub(crate) fn learnt(folder: &Folder) -> PathBuf {
    let run = folder.path().join(".groundtune/runs/0001");
    run.join("model/model.safetensors")
}

/// Returns the names of the candidates in what `compare --json` says, in its order.
pub(crate) fn names_of(found: &Value) -> Vec<&str> {
    let candidates = found["candidates"].as_array().unwrap();
    candidates
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect()
}

/// Leaves the port out of a server's address, which is another each time.
pub(crate) fn without_ports(shown: &str) -> String {
    let mut parts = shown.split("127.0.0.1:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        shown + "localhost" + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

/// Compares a whole screen, but for times, sizes and what follows from how documents
/// are cut and scored: that has its own tests, and changes when it is tuned.
macro_rules! assert_screen {
    ($screen:expr, @$expect:literal) => {
        insta::with_settings!({
            filters => vec![
                (r"\d+ min \d+ s|\d+(\.\d+)? m?s\b", "[TIME]"),
                (r"\d+(\.\d+)? (B|KiB|MiB)\b", "[SIZE]"),
                (r"modified: \S+", "modified: [DATE]"),
                (r"\b[01]\.\d\d?\d?\d?\b", "[SCORE]"),
                (r"\b\d+ chunks", "[N] chunks"),
                (r"\blines \d+–\d+", "lines [LINES]"),
                (r"groundtune \d+\.\d+\.\d+", "groundtune [VERSION]"),
            ],
        }, {
            insta::assert_snapshot!($screen, @$expect);
        });
    };
}
pub(crate) use assert_screen;
