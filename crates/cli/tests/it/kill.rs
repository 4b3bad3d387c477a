//! `kill -9` at any moment of an ingest loses nothing that was acknowledged, leaves
//! nothing half, and the next command works.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use groundtune::contract::{DocumentId, Reader};
use groundtune::{Finding, Project, Question, Session};

const ROUNDS: usize = 200;
const FILES: usize = 120;
/// Files written, changed or deleted before each round.
const CHANGES: usize = 30;

/// A project whose files change, and every text that each of them ever had.
struct World {
    folder: tempfile::TempDir,
    now: HashMap<String, String>,
    ever: HashMap<String, HashSet<String>>,
    random: u64,
    writes: u64,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("groundtune.toml"), "").unwrap();
        Self {
            folder,
            now: HashMap::new(),
            ever: HashMap::new(),
            random: 7,
            writes: 0,
        }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A number below `limit` (Marsaglia 2003, *Xorshift RNGs*, 64 bits).
    fn random(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    fn change(&mut self) {
        for _ in 0..CHANGES {
            let name = format!("f{:03}.md", self.random(FILES as u64));
            let path = self.root().join(&name);
            if self.random(5) == 0 {
                let _ = std::fs::remove_file(path);
                self.now.remove(&name);
                continue;
            }
            self.writes += 1;
            let mut text = format!("# Page {name}\n\nmarker{} says so.\n", self.writes);
            for section in 0..self.random(12) {
                text.push_str(&format!(
                    "\n## Part {section}\n\n{}\n",
                    "Some more words. ".repeat(30)
                ));
            }
            std::fs::write(path, &text).unwrap();
            self.ever
                .entry(name.clone())
                .or_default()
                .insert(text.clone());
            self.now.insert(name, text);
        }
    }

    /// Runs an ingest and kills it after `life`; returns what it acknowledged before:
    /// documents that are there, and documents that are not.
    fn ingest(&self, life: Duration) -> (HashSet<String>, HashSet<String>) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_groundtune"))
            .args(["--project"])
            .arg(self.root())
            .args(["ingest", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while started.elapsed() < life && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        let _ = child.kill();
        let mut said = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        child.wait().unwrap();

        let (mut there, mut gone) = (HashSet::new(), HashSet::new());
        // A line cut short by the kill acknowledges nothing.
        for line in said
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            if event["event"] == "committed" {
                let names = |key: &str| -> HashSet<String> {
                    let names = event[key].as_array().unwrap().iter();
                    names
                        .map(|name| name.as_str().unwrap().to_owned())
                        .collect()
                };
                there.extend(names("documents"));
                gone.extend(names("removed"));
            }
        }
        (there, gone)
    }

    fn project(&self) -> Project {
        Project::open(self.root()).unwrap()
    }

    /// What the store holds, by document, after looking for damage.
    fn stored(&self) -> HashMap<String, String> {
        let project = self.project();
        for check in groundtune::doctor(&project).unwrap() {
            assert_ne!(check.finding, Finding::Bad, "{check:?}");
        }
        let session = Session::open(&project).unwrap();
        let reader = Reader::default();
        let documents = session.documents(&reader, None).unwrap();
        let text = |id: &DocumentId| session.document(id, &reader).unwrap().text;
        documents
            .iter()
            .map(|it| (it.id.to_string(), text(&it.id)))
            .collect()
    }
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let mut world = World::new();
    world.change();
    let started = Instant::now();
    world.ingest(Duration::from_secs(60));
    // The longest life is a little more than a whole run, so that every part of one
    // is hit: reading, committing, indexing, writing the derived files.
    let mut whole = started.elapsed();
    let (mut killed_early, mut acknowledged) = (0, 0);
    for round in 0..ROUNDS {
        world.change();
        let life = whole.mul_f64(world.random(1300) as f64 / 1000.0);
        let (there, gone) = world.ingest(life);
        let store: PathBuf = world.project().store_folder();
        assert!(store.exists(), "round {round}");
        let stored = world.stored();
        for name in &there {
            assert_eq!(
                stored.get(name),
                world.now.get(name),
                "round {round}: {name} was acknowledged"
            );
        }
        for name in &gone {
            assert!(
                !stored.contains_key(name),
                "round {round}: {name} was removed"
            );
        }
        for (name, text) in &stored {
            assert!(
                world.ever[name].contains(text),
                "round {round}: {name} is half"
            );
        }
        killed_early += usize::from(stored != world.now);
        acknowledged += there.len();
        // How long a run takes changes with what else the machine does. So lives grow
        // while nothing gets done in them, and shrink while everything does.
        if stored == world.now {
            whole = whole.mul_f64(0.95);
        } else if there.is_empty() && gone.is_empty() {
            whole = whole.mul_f64(1.1);
        }
        // What is stored is found, without anybody having repaired anything.
        if let Some((name, text)) = stored.iter().next() {
            let marker = text
                .split_whitespace()
                .find(|it| it.starts_with("marker"))
                .unwrap();
            let question = Question {
                text: marker.into(),
                ..Question::default()
            };
            let reply = Session::open(&world.project())
                .unwrap()
                .search(&question)
                .unwrap();
            let found: Vec<_> = reply
                .found
                .iter()
                .map(|it| it.evidence.document.to_string())
                .collect();
            assert!(
                found.contains(name),
                "round {round}: {marker} of {name} finds {found:?}"
            );
        }
    }
    // The rounds did what they are for: many were cut short, many got somewhere.
    assert!(
        killed_early > ROUNDS / 10,
        "only {killed_early} rounds were cut short"
    );
    assert!(
        acknowledged > ROUNDS,
        "only {acknowledged} documents were acknowledged"
    );

    world.ingest(Duration::from_secs(60));
    assert_eq!(world.stored(), world.now);
}
