//! Published orderings in the small: what papers found of large models, tried with the reader
//! in worlds of its own, each with several seeds (`docs/bench/orderings.md`).

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use contract::{Generate, Tokens};
use groundtune::NOT_IN_THE_DOCUMENTS;
use groundtune::models::{Environment, ModelReference, open_generator};
use groundtune::train::{Start, prepare};

use super::journey::{compared, toml_string, write_lines};
use super::random::Random;
use super::reader::{Lesson, any, lesson, reading};
use super::world::{
    DESKS, FORMS, Kind, PLACES, Size, World, asks_desk, asks_where, name, says_where,
};

/// What is measured of each seed, by name.
type Figures = BTreeMap<&'static str, f64>;

/// Examples to learn from, and questions to be asked.
const LEARNT: usize = 100;
const ASKED: usize = 60;
/// LoRA of rank 1, of rank 16, and all weights.
const RANK_1: &str = "[tuning]\nkind = \"lora\"\nrank = 1\nalpha = 2.0\n";
const RANK_16: &str = "[tuning]\nkind = \"lora\"\nrank = 16\nalpha = 32.0\n";
const FULL: &str = "[tuning]\nkind = \"full\"\n";

/// Tries each ordering with the seeds from `first` to `last`, and prints means with the half width
/// of their 95 % intervals.
pub(crate) fn show(
    folder: &Path,
    reader: &Path,
    first: u64,
    last: u64,
) -> Result<(), Box<dyn Error>> {
    let mut all: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for seed in first..=last {
        let lab = Lab {
            folder: folder.join(format!("orderings-{seed:03}")),
            reader: std::path::absolute(reader)?,
            seed,
        };
        let tried = [
            lab.facts()?,
            lab.distractors()?,
            lab.ranks_and_replay()?,
            lab.unknown_facts()?,
            lab.noise()?,
        ];
        for (name, value) in tried.into_iter().flatten() {
            all.entry(name).or_default().push(value);
        }
        fs_err::remove_dir_all(&lab.folder)?;
    }
    println!("| figure | mean | 95 % interval | worlds |\n|---|---|---|---|");
    for (name, values) in &all {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|it| (it - mean).powi(2)).sum();
        let t = eval::statistics::distribution::student_quantile(0.975, (count - 1.0).max(1.0));
        let half = t * (squares / (count - 1.0).max(1.0) / count).sqrt();
        println!("| {name} | {mean:.3} | ±{half:.3} | {count} |");
    }
    Ok(())
}

struct Lab {
    folder: PathBuf,
    reader: PathBuf,
    seed: u64,
}

impl Lab {
    fn random(&self, of: u64) -> Random {
        Random::new(self.seed.wrapping_mul(97).wrapping_add(of))
    }

    /// O1, O7, O10: new facts, in the documents and in the examples of the same day.
    fn facts(&self) -> Result<Figures, Box<dyn Error>> {
        let mut world = World::new(Kind::Both, self.seed, Size::default());
        for asked in world.examples.iter_mut().chain(&mut world.examination) {
            let place = PLACES.iter().find(|place| asked.answer.contains(**place));
            asked.answer = (*place.ok_or("a place is named")?).to_owned();
        }
        let root = self.folder.join("facts");
        let judgement = compared(&world, &root, &self.reader, self.seed)?;
        let mut figures = Figures::new();
        for candidate in &judgement.report.compared.candidates {
            let score = candidate.metrics["exact_match"].value;
            let tokens = candidate.effort.prompt_tokens.unwrap_or(0.0);
            let names = match candidate.name.as_str() {
                "prompt" => ["O1 base", "O10 tokens read, base"],
                "rag" => ["O1 base with retrieval", "O10 tokens read, retrieval"],
                "fine-tuned" => ["O1 fine-tuned", "O10 tokens read, fine-tuned"],
                _ => [
                    "O1 fine-tuned with retrieval",
                    "O10 tokens read, fine-tuned with retrieval",
                ],
            };
            figures.insert(names[0], score);
            figures.insert(names[1], tokens);
        }
        Ok(figures)
    }

    /// O3, O4: desks, which only examples tell, and places, which only texts tell.
    fn distractors(&self) -> Result<Figures, Box<dyn Error>> {
        let mut random = self.random(1);
        let mut desks = DESKS;
        random.shuffle(&mut desks);
        // With what is found for each: three texts, and where the answer is in a text, that one
        // among them.
        let mut drawn = |number: usize, given: bool| {
            let name = name(&mut random);
            let mut texts = others(&mut random, 2);
            let (question, answer) = if number.is_multiple_of(2) {
                let form = number / 2 % FORMS.len();
                texts.extend(others(&mut random, 1));
                (asks_desk(&name, FORMS[form]), desks[form])
            } else {
                let place = random.word(&PLACES);
                texts.push(says_where(&name, place));
                (asks_where(&name), place)
            };
            random.shuffle(&mut texts);
            lesson(&question, if given { &texts } else { &[] }, answer)
        };
        let mut set = |count: usize, given: bool| -> Vec<Lesson> {
            (0..count).map(|number| drawn(number, given)).collect()
        };
        let plain = self.tune("dsf", RANK_16, &set(LEARNT, false))?;
        let given = self.tune("raft", RANK_16, &set(LEARNT, true))?;
        let (asked, asked_given) = (set(ASKED, false), set(ASKED, true));
        let base = self.open(&self.reader)?;
        let desks_of = |set: &[Lesson]| -> Vec<Lesson> { set.iter().step_by(2).cloned().collect() };
        Ok(Figures::from([
            ("O3 DSF", right(&*plain, &asked)?),
            ("O3 DSF with retrieval", right(&*plain, &asked_given)?),
            ("O3 RAFT", right(&*given, &asked_given)?),
            ("O3 DSF, desks alone", right(&*plain, &desks_of(&asked))?),
            (
                "O3 DSF with retrieval, desks alone",
                right(&*plain, &desks_of(&asked_given))?,
            ),
            ("O4 base", right(&*base, &desks_of(&asked))?),
            (
                "O4 base with retrieval",
                right(&*base, &desks_of(&asked_given))?,
            ),
            ("O4 fine-tuned", right(&*plain, &desks_of(&asked))?),
        ]))
    }

    /// O5, O8: what tuning on desks does to reading, of which none of the examples is.
    fn ranks_and_replay(&self) -> Result<Figures, Box<dyn Error>> {
        let mut random = self.random(2);
        let mut desks = DESKS;
        random.shuffle(&mut desks);
        let mut set = |count: usize| -> Vec<Lesson> {
            let one = |number: usize| {
                let form = number % FORMS.len();
                let asked = asks_desk(&name(&mut random), FORMS[form]);
                lesson(&asked, &[], desks[form])
            };
            (0..count).map(one).collect()
        };
        let (learnt, asked) = (set(LEARNT), set(ASKED));
        let mut random = self.random(3);
        let read: Vec<Lesson> = (0..ASKED).map(|_| reading(&mut random)).collect();
        let mut with_replay = learnt.clone();
        with_replay.extend((0..LEARNT).map(|_| any(&mut random)));
        let base = self.open(&self.reader)?;
        let small = self.tune("rank-1", RANK_1, &learnt)?;
        let full = self.tune("full", FULL, &learnt)?;
        let replay = self.tune("replay", FULL, &with_replay)?;
        Ok(Figures::from([
            ("O5 O8 reading, base", right(&*base, &read)?),
            ("O5 task, LoRA of rank 1", right(&*small, &asked)?),
            ("O5 O8 task, all weights", right(&*full, &asked)?),
            ("O5 reading, LoRA of rank 1", right(&*small, &read)?),
            ("O5 O8 reading, all weights", right(&*full, &read)?),
            ("O8 task, with replay", right(&*replay, &asked)?),
            ("O8 reading, with replay", right(&*replay, &read)?),
        ]))
    }

    /// O7: facts that the model does not know are learnt; others are then asked.
    fn unknown_facts(&self) -> Result<Figures, Box<dyn Error>> {
        let mut random = self.random(4);
        let mut set = |count: usize, says: Option<&str>| -> Vec<Lesson> {
            let one = |_| {
                let place = random.word(&PLACES);
                let asked = asks_where(&name(&mut random));
                lesson(&asked, &[], says.unwrap_or(place))
            };
            (0..count).map(one).collect()
        };
        let learnt = set(LEARNT, None);
        let asked = set(ASKED, Some(NOT_IN_THE_DOCUMENTS));
        let base = self.open(&self.reader)?;
        let tuned = self.tune("unknown", RANK_16, &learnt)?;
        Ok(Figures::from([
            ("O7 refused, base", right(&*base, &asked)?),
            ("O7 refused, taught unknown facts", right(&*tuned, &asked)?),
        ]))
    }

    /// O9: the text that says it, alone and among four others.
    fn noise(&self) -> Result<Figures, Box<dyn Error>> {
        let mut random = self.random(5);
        let mut set = |count: usize, noise: usize| -> Vec<Lesson> {
            let one = |_| {
                let name = name(&mut random);
                let place = random.word(&PLACES);
                let mut texts = others(&mut random, noise);
                texts.push(says_where(&name, place));
                random.shuffle(&mut texts);
                lesson(&asks_where(&name), &texts, place)
            };
            (0..count).map(one).collect()
        };
        let base = self.open(&self.reader)?;
        let tuned = self.tune("noise", RANK_16, &set(LEARNT, 4))?;
        let (clean, noisy) = (set(ASKED, 0), set(ASKED, 4));
        Ok(Figures::from([
            ("O9 base, clean", right(&*base, &clean)?),
            ("O9 base, noisy", right(&*base, &noisy)?),
            ("O9 RAFT, clean", right(&*tuned, &clean)?),
            ("O9 RAFT, noisy", right(&*tuned, &noisy)?),
        ]))
    }

    fn open(&self, model: &Path) -> Result<Box<dyn Generate>, Box<dyn Error>> {
        let reference = ModelReference::Named(model.to_string_lossy().into_owned());
        let opened = open_generator(&reference, &self.folder, &Environment::default())?;
        Ok(opened.ok_or("it writes")?)
    }

    /// Teaches the reader `lessons`.
    fn tune(
        &self,
        what: &str,
        tuning: &str,
        lessons: &[Lesson],
    ) -> Result<Box<dyn Generate>, Box<dyn Error>> {
        let folder = self.folder.join(what);
        fs_err::create_dir_all(&folder)?;
        write_lines(
            &folder.join("lessons.jsonl"),
            lessons.iter().map(Lesson::line),
        )?;
        let recipe = folder.join("recipe.toml");
        let rate = if tuning == FULL { "2e-3" } else { "5e-3" };
        let text = format!(
            "seed = {}\n[model]\nkind = \"base\"\npath = {}\n[data]\ntrain = [\"lessons.jsonl\"]\n\
             dev = false\n{tuning}[steps]\nepochs = 12\nbatch = 8\n[optimiser]\n\
             learning_rate = {rate}\n[schedule]\nkind = \"cosine\"\nwarmup = 10\n\
             [evaluation]\nspikes = \"note\"\n",
            self.seed,
            toml_string(&self.reader)
        );
        fs_err::write(&recipe, text)?;
        let start = Start::New {
            recipe,
            set: Vec::new(),
            runs: folder.join("runs"),
        };
        let prepared = prepare(start, &Environment::default(), None)?;
        let report = prepared.run(&mut |_, _| ControlFlow::Continue(()))?;
        self.open(&report.run)
    }
}

/// Says where other things are kept.
fn others(random: &mut Random, count: usize) -> Vec<String> {
    let one = |_| says_where(&name(random), random.word(&PLACES));
    (0..count).map(one).collect()
}

/// Returns the share of lessons that are answered word for word.
fn right(model: &dyn Generate, asked: &[Lesson]) -> Result<f64, Box<dyn Error>> {
    let mut count = 0;
    for lesson in asked {
        let mut go_on = |_: &str| ControlFlow::Continue(());
        let said = model.generate(&lesson.prompt(), Tokens(24), &mut go_on)?;
        count += usize::from(said.text.trim() == lesson.completion);
    }
    Ok(count as f64 / asked.len() as f64)
}
