//! Drills with a candidate that reads: it says the first price that its prompt names for the
//! thing that is asked about, and refuses where there is none. What each drill must find of it
//! is known.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use contract::promise::Completion;
use contract::{Generate, PromiseError, Prompt, Share, Tokens};

use super::*;
use crate::compare::answer::Contestant;
use crate::compare::evidence::Documents;
use crate::compare::leaks::Leaks;
use crate::compare::served::Served;
use crate::config::Config;
use crate::ingest::{IngestRequest, ingest};

/// Reads, and counts how often it was asked.
#[derive(Default)]
struct Reads {
    asked: AtomicUsize,
}

impl Generate for Reads {
    fn name(&self) -> &str {
        "reads"
    }

    fn generate(
        &self,
        prompt: &Prompt,
        _: Tokens,
        _: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, PromiseError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let text = prompt.as_str().to_lowercase();
        let (context, question) = text.split_once("question:").expect("a question is asked");
        let is_letter = |it: char| it.is_alphanumeric();
        let thing = question.split("price of the ").nth(1).expect("of a thing");
        let thing = thing
            .split(|it| !is_letter(it))
            .next()
            .expect("it has a name");
        let price = context.split(&format!("price of the {thing} is ")).nth(1);
        let price = price.and_then(|it| it.split('.').next());
        Ok(Completion {
            text: price.unwrap_or("not in the documents").to_owned(),
            prompt_tokens: Tokens(1),
            completion_tokens: Tokens(1),
        })
    }
}

const THINGS: [&str; 9] = [
    "anvil", "basket", "candle", "drum", "easel", "funnel", "goblet", "hammer", "ink",
];

fn asked(number: usize) -> Gold {
    Gold {
        id: QuestionId::new(format!("q{number}")),
        question: format!("What is the price of the {}?", THINGS[number]),
        answers: vec![format!("{} dollars", 31 + 7 * number)],
        all_together: false,
        passage: None,
        context: None,
    }
}

/// A project with a page for each thing, taken in.
fn project(root: &Path) -> Project {
    for (number, thing) in THINGS.iter().enumerate() {
        let answer = &asked(number).answers[0];
        let text = format!("# Page {number}\n\nThe price of the {thing} is {answer}.\n");
        fs_err::write(root.join(format!("{thing}.md")), text).unwrap();
    }
    let mut config = Config::default();
    config.models.embedder = ModelReference::None;
    let project = Project::with(root.to_owned(), config);
    let request = IngestRequest::default();
    let told = &mut |_: crate::IngestEvent<'_>| ControlFlow::Continue(());
    ingest(&project, &request, None, told).unwrap();
    project
}

/// Runs all drills of which this candidate has something to show. Breaks off after so many
/// answers, if told so.
fn drilled(root: &Path, folder: &Folder, breaks_after: usize) -> (Option<Drills>, usize) {
    let project = project(root);
    let environment = Environment::default();
    let mut recipe = CompareRecipe::default();
    recipe.drills.run = vec![
        DrillKind::Freshness,
        DrillKind::Forgetting,
        DrillKind::Noise,
        DrillKind::Refusal,
        DrillKind::Format,
        DrillKind::Growth,
    ];
    let examination = Examination {
        test: (0..THINGS.len()).map(asked).collect(),
        ..Examination::default()
    };
    let shown = Shown {
        top_k: 2,
        threshold: Share::ZERO,
    };
    let mut findings = Findings::default();
    let leaks = Leaks::default();
    let mut documents = Documents::open(&project, &environment, &leaks).unwrap();
    for asked in &examination.test {
        findings.add(documents.find(asked).unwrap());
    }
    let reads = Reads::default();
    let contestant = |arm: Arm| Asked {
        arm,
        answers: Box::new(Contestant {
            arm,
            generator: &reads,
            recipe: &recipe,
            shots: &[],
        }),
    };
    let contestants = vec![contestant(Arm::Prompt), contestant(Arm::Rag)];
    let mut answers: BTreeMap<Arm, Vec<Vec<Prediction>>> = BTreeMap::new();
    for contestant in &contestants {
        let answer = |asked: &Gold| {
            let evidence = findings.shown(&asked.id, &shown);
            let given = if contestant.arm.retrieves() {
                evidence
            } else {
                &[]
            };
            contestant.answers.answer(asked, given, 0.0)
        };
        let all = examination.test.iter().map(answer).collect();
        answers.insert(contestant.arm, vec![all]);
    }
    reads.asked.store(0, Ordering::Relaxed);
    let ground = Ground {
        project: &project,
        environment: &environment,
        recipe: &recipe,
        base: &Base::Writer(Served::new(Box::new(Reads::default()))),
        reference: &ModelReference::BuiltIn,
        metric: eval::Metric::TokenF1,
        examination: &examination,
        findings: &findings,
        shown: &shown,
        leaks: &leaks,
        contestants,
        shots: &[],
        tuned: &BTreeMap::new(),
        answers: &answers,
        taught: &BTreeMap::new(),
        folder,
    };
    let mut told = 0;
    let found = ground.run(&mut |_, _, _| {
        told += 1;
        match told < breaks_after {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    (found.unwrap(), reads.asked.load(Ordering::Relaxed))
}

#[test]
fn what_is_known_of_a_reader_is_found() {
    let root = tempfile::tempdir().unwrap();
    let kept = tempfile::tempdir().unwrap();
    let folder = Folder::create(kept.path()).unwrap();
    let (drills, _) = drilled(root.path(), &folder, usize::MAX);
    let drills = drills.unwrap();

    let fresh = &drills.freshness.candidates[&Arm::Rag];
    let shares = [
        fresh.before,
        fresh.changed_right,
        fresh.changed_stale,
        fresh.removed_stale,
        fresh.added_right,
    ];
    assert_eq!(shares, [1.0, 1.0, 0.0, 0.0, 1.0], "{fresh:?}");
    assert!(fresh.until_right_seconds.unwrap() > 0.0);
    let knows_nothing = &drills.freshness.candidates[&Arm::Prompt];
    assert_eq!(knows_nothing.before + knows_nothing.added_right, 0.0);
    assert_eq!(knows_nothing.until_right_seconds, None);

    let why = drills.forgetting.not_measured.as_deref();
    assert_eq!(why, Some("nothing was taught"));

    // It believes what it reads first: the contradiction is first in every other case.
    let noise = &drills.noise.candidates[&Arm::Rag];
    assert_eq!((noise.questions, noise.conflicts), (9, 9));
    assert_eq!((noise.plain_right, noise.noisy_right), (1.0, 1.0));
    assert!(
        (noise.opposed_misled - 5.0 / 9.0).abs() < 1e-12,
        "{noise:?}"
    );
    assert!((noise.opposed_right - 4.0 / 9.0).abs() < 1e-12, "{noise:?}");
    // Who is given nothing is not disturbed.
    let knows_nothing = &drills.noise.candidates[&Arm::Prompt];
    assert_eq!(
        (knows_nothing.plain_right, knows_nothing.noisy_right),
        (0.0, 0.0)
    );
    assert_eq!(knows_nothing.opposed_misled, 0.0);

    let refusal = &drills.refusal.candidates[&Arm::Rag];
    let shares = [refusal.refused, refusal.made_up, refusal.recall];
    assert_eq!(shares, [1.0, 0.0, 1.0], "{refusal:?}");
    assert_eq!(refusal.precision, Some(1.0));
    let always = &drills.refusal.candidates[&Arm::Prompt];
    assert_eq!((always.refused_wrongly, always.precision), (1.0, Some(0.5)));

    let format = &drills.format.candidates[&Arm::Rag];
    assert_eq!(
        (format.in_form, format.same, format.spread()),
        (1.0, 1.0, 0.0)
    );
    assert_eq!(format.wanted, "2 words");
    assert_eq!(drills.format.candidates[&Arm::Prompt].in_form, 0.0);

    let growth = drills.growth.as_ref().unwrap();
    let all = growth.sizes.last().unwrap().searched;
    assert!(
        matches!(all, Searched::Documents { files: 9, .. }),
        "{growth:?}"
    );
    assert_eq!(growth.change(), Some(0.0));

    let tables = drills.tables(Task::Write, &BTreeMap::new(), eval::Metric::TokenF1);
    assert!(tables.iter().all(|table| !table.rows.is_empty()));
}

#[test]
fn what_was_broken_off_goes_on_to_the_same() {
    let root = tempfile::tempdir().unwrap();
    let kept = tempfile::tempdir().unwrap();
    let whole = Folder::create(kept.path()).unwrap();
    let (expect, asked) = drilled(root.path(), &whole, usize::MAX);
    let broken = Folder::create(kept.path()).unwrap();
    let mut again = 0;
    let found = loop {
        // The answers that are there are told of no more, so that each time some are new.
        let (found, count) = drilled(root.path(), &broken, 40);
        again += count;
        if let Some(found) = found {
            break found;
        }
    };
    assert_eq!(again, asked);
    let same = |drills: Drills| (drills.noise, drills.refusal, drills.format);
    assert_eq!(same(found), same(expect.unwrap()));
}
