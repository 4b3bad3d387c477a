//! From answers to a verdict, and to a report of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use eval::judge::{JudgeTally, Judging};
use eval::report::{Curve, Drill, Report, html, markdown};
use eval::{CandidateAnswers, Cost, GoldSet, Metric, Prediction, flips};
use serde_json::{Value as Json, json};

use super::drills::rows;
use super::folder::{Folder, read_json, read_lines, write, write_json};
use super::leaks::some;
use super::{
    AnswerKind, Arm, CompareError, CompareRecipe, Drills, Examination, ExaminationNote, Freshness,
    GivenAway, Protocol, Retrieval, RouterKept, Row, Task, Taught, Way,
};

use crate::opinion::{self, attach, read_labels};

/// Below this, nobody feels a difference of time.
const SMALLEST_LATENCY: f64 = 0.05;
/// The most questions whose answers the report shows side by side.
const QUESTIONS: usize = 500;

/// A mistake that makes a comparison worth less, and whether it was guarded against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// What it is.
    pub mistake: &'static str,
    /// Whether nothing of the kind can have happened.
    pub guarded: bool,
    /// How, or why not.
    pub how: String,
}

/// What a comparison has come to.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// What was guarded against, and what was not.
    pub guards: Vec<Guard>,
    /// The scores, the differences, the verdict, and when it flips.
    pub report: Report,
    /// What was chosen of retrieval.
    pub retrieval: Retrieval,
    /// What teaching came to, by candidate and seed.
    pub taught: BTreeMap<Arm, Vec<Taught>>,
    /// What came of the drills.
    pub drills: Drills,
    /// What the sources say of training and retrieval, and what was so here.
    pub rows: Vec<Row>,
    /// What a language model said of the answers, where one was asked.
    pub opinions: Option<JudgeTally>,
    /// Where it is kept.
    pub folder: Folder,
}

/// Returns the plan that decides: what the recipe says, and of the rest what suits the answers.
pub(super) fn plan(recipe: &CompareRecipe, examination: &Examination) -> eval::Plan {
    let named = |names: &[&str]| -> Vec<Metric> {
        names
            .iter()
            .map(|name| name.parse().expect("these metrics are known"))
            .collect()
    };
    let mut also = match examination.kind() {
        AnswerKind::Label => named(&["accuracy", "macro_f1"]),
        AnswerKind::Tags => named(&["entity_f1", "entity_f1_iob2"]),
        AnswerKind::Json => named(&["json_match", "field_f1", "json_valid"]),
        AnswerKind::Short => named(&["f1", "exact_match", "contained"]),
        AnswerKind::Long => named(&["rougeL", "f1", "bleu", "chrf"]),
    };
    let usual = also.remove(0);
    let metric = recipe.verdict.metric.unwrap_or(usual);
    if metric != usual {
        also.insert(0, usual);
    }
    also.retain(|other| *other != metric);
    if examination.test.iter().any(|asked| asked.is_unanswerable()) {
        also.extend(named(&["refusal_precision", "refusal_recall"]));
    }
    if recipe.judge.is_some() {
        also.extend(named(&["judge_grade", "judge_grounded"]));
        also.retain(|other| *other != metric);
    }
    // Measures up to 100 differ by as many more.
    let unit = metric.largest().unwrap_or(100.0);
    eval::Plan {
        metric,
        smallest_difference: recipe.verdict.smallest_difference * unit,
        alpha: recipe.verdict.alpha,
        also,
        seed: recipe.seed,
        ..eval::Plan::default()
    }
}

impl Judgement {
    pub(super) fn of(
        folder: &Folder,
        protocol: &Protocol,
        examination: &Examination,
        retrieval: Retrieval,
        taught: BTreeMap<Arm, Vec<Taught>>,
        drills: Drills,
        answers: &BTreeMap<Arm, Vec<Vec<Prediction>>>,
    ) -> Result<Self, CompareError> {
        let recipe = &protocol.recipe;
        let gold = GoldSet::new(examination.test.iter().cloned());
        let mut candidates: Vec<CandidateAnswers> = answers
            .iter()
            .map(|(arm, runs)| CandidateAnswers {
                name: arm.to_string(),
                runs: runs.clone(),
                cost: cost(
                    recipe,
                    runs,
                    taught.get(arm).map_or(&[], Vec::as_slice),
                    drills.freshness.candidates.get(arm),
                ),
            })
            .collect();
        let router: Option<RouterKept> = match answers.contains_key(&Arm::Routed) {
            true => read_json(&folder.router())?,
            false => None,
        };
        if let Some(router) = &router
            && let Some(routed) = candidates
                .iter_mut()
                .find(|it| it.name == Arm::Routed.as_str())
        {
            // A router is taught by having both answer.
            let hours = router.seconds / 3600.0;
            routed.cost.upfront_seconds = Some(router.seconds);
            routed.cost.upfront_usd = Some(hours * recipe.prices.machine_hour_usd);
        }
        let judgings: Vec<Judging> = read_lines(&folder.judge())?;
        attach(&mut candidates, &judgings);
        let compared = eval::compare(&gold, &candidates, &protocol.plan)?;
        let flips = flips(
            &compared,
            recipe.weights,
            recipe.situation,
            SMALLEST_LATENCY,
        );
        let title = "Which way of adapting the model wins";
        let mut report = Report::new(title, &gold, &candidates, compared, QUESTIONS);
        report.flips = Some(flips);
        report.made = facts(protocol, examination);
        let mut known = warnings(protocol, examination);
        if protocol.task == Task::Write {
            known.extend(retrieval.doubt());
        }
        if protocol.task.is_of_documents() {
            known.extend(retrieval.staleness());
        }
        report.warnings.splice(0..0, known);
        report.curves = curves(&taught);
        let guards = guards(protocol, &retrieval, &taught, answers, examination);
        if retrieval.is_chosen() {
            report.drills.push(tuning(protocol, &retrieval));
        }
        report.drills.push(guarded(&guards));
        if !taught.is_empty() {
            report.drills.push(learning(&taught));
        }
        report.drills.extend(router.as_ref().map(routing));
        let mut opinions = None;
        if let Some(recipe) = &recipe.judge {
            let labels = match &recipe.labels {
                Some(path) => read_labels(path)?,
                None => Vec::new(),
            };
            let found = opinion::tally(&judgings, &labels);
            report.drills.push(opinion::drill(recipe, &found));
            opinions = Some(found);
        }
        let tried = drills.tables(protocol.task, &taught, protocol.plan.metric);
        report.drills.extend(tried);
        let rows = rows::rows(&rows::Measured {
            compared: &report.compared,
            drills: &drills,
            taught: &taught,
            answers,
            examination,
            task: protocol.task,
            situation: recipe.situation,
            shots: recipe.shots,
        });
        report.drills.push(rows::table(&rows));
        Ok(Self {
            guards,
            report,
            retrieval,
            taught,
            drills,
            rows,
            opinions,
            folder: folder.clone(),
        })
    }

    /// Returns the verdict, in a sentence.
    pub fn statement(&self) -> &str {
        &self.report.compared.verdict.statement
    }

    /// Returns the page of the report.
    pub fn page(&self) -> PathBuf {
        self.folder.report("html")
    }

    /// Returns the report as Markdown.
    pub fn markdown(&self) -> String {
        markdown(&self.report)
    }

    /// Returns the report as a page that needs no network.
    pub fn html(&self) -> String {
        html(&self.report)
    }

    /// Returns it for programs: the verdict, the candidates, when it flips, and where the
    /// report is.
    pub fn json(&self) -> Json {
        let compared = &self.report.compared;
        json!({
            "verdict": compared.verdict,
            "questions": compared.questions,
            "clusters": compared.clusters,
            "plan": compared.plan,
            "candidates": compared.candidates,
            "differences": compared.differences,
            "flips": self.report.flips,
            "retrieval": self.retrieval,
            "taught": self.taught,
            "tried": self.drills,
            "rows": self.rows,
            "judge": self.opinions,
            "causes": self.report.causes,
            "drills": self.report.drills,
            "warnings": self.report.warnings,
            "report": self.page(),
        })
    }

    /// Returns all that is reported, the questions with everybody's answers too.
    pub fn whole_json(&self) -> Json {
        let mut value = self.json();
        value["curves"] = json!(self.report.curves);
        value["answers"] = json!(self.report.questions);
        value["answers_left_out"] = json!(self.report.questions_left_out);
        value
    }

    /// Writes the report into its folder, in its three forms.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self) -> Result<(), CompareError> {
        write_json(&self.folder.report("json"), &self.whole_json())?;
        write(&self.folder.report("md"), &self.markdown())?;
        write(&self.folder.report("html"), &self.html())
    }
}

/// Says what was compared with what.
fn facts(protocol: &Protocol, examination: &Examination) -> Vec<String> {
    let seeds = match protocol.recipe.seeds {
        1 => "once: how another seed would come out was not tried".to_owned(),
        many => format!("{many} times, each with another seed"),
    };
    vec![
        format!(
            "All candidates begin with `{}`; each that learns was taught {seeds}.",
            protocol.base
        ),
        format!(
            "{} questions to be examined on; {} others to learn from, {} to choose settings on.",
            examination.test.len(),
            examination.train.len(),
            examination.dev.len(),
        ),
        format!(
            "groundtune {}, examples `{}`.",
            protocol.version, protocol.examples
        ),
    ]
}

/// Says what limits the verdict.
fn warnings(protocol: &Protocol, examination: &Examination) -> Vec<String> {
    // How few questions are enough, the figures themselves say.
    let is_said = |note: &&ExaminationNote| !matches!(note, ExaminationNote::FewQuestions { .. });
    let notes = examination.notes.iter().filter(is_said);
    let mut warnings: Vec<String> = notes.map(ToString::to_string).collect();
    for (arm, why) in &protocol.left_out {
        warnings.push(format!("`{arm}` was not compared: {why}"));
    }
    if protocol.task == Task::Tag {
        warnings.push(
            "what becomes of names when examples change was not measured: a tag stands in each \
             example by itself, and none can be changed once for all"
                .into(),
        );
    }
    warnings
}

/// Returns how learning went on, of each seed on what it learnt from and on what it did not.
fn curves(taught: &BTreeMap<Arm, Vec<Taught>>) -> Vec<Curve> {
    let mut curves = Vec::new();
    let learnt = "loss on the training examples";
    let held_out = "loss on the development questions";
    for (what, of) in [
        (
            held_out,
            (|run| &run.curve) as fn(&Taught) -> &Vec<(u64, f64)>,
        ),
        (learnt, |run| &run.training_curve),
    ] {
        for (arm, runs) in taught {
            for (seed, run) in runs.iter().enumerate() {
                let points = of(run).iter().map(|(step, loss)| (*step as f64, *loss));
                curves.push(Curve {
                    name: format!("{arm}, seed {seed}"),
                    what: what.into(),
                    points: points.collect(),
                });
            }
        }
    }
    curves.retain(|curve| !curve.points.is_empty());
    curves
}

/// Returns a table of the report.
fn table(name: &str, columns: &[&str], says: String) -> Drill {
    Drill {
        name: name.into(),
        columns: columns.iter().map(|it| (*it).to_owned()).collect(),
        rows: Vec::new(),
        says,
    }
}

/// Says which ways to find, and which numbers of passages, or of neighbours, were tried: of each
/// way its best, and of the chosen one all.
fn tuning(protocol: &Protocol, retrieval: &Retrieval) -> Drill {
    let found = protocol.task.found();
    let notes: String = retrieval.notes.iter().map(|it| format!(" {it}.")).collect();
    let says = match protocol.task {
        Task::Write | Task::Find => {
            "For each way and number of passages the threshold that serves most questions: that \
             shows the answer where there is one, and nothing where there is none. The best were \
             then tried with the base model. The answer's place is the mean of 1, 1/2, 1/3, …, by \
             where the first passage stands that holds it."
        }
        Task::Tag => {
            "The words of the nearest labelled examples vote on each word's tag. “Answer shown” is \
             the share of the texts of which the neighbours name all kinds, “served” that of the \
             texts with every tag right."
        }
        Task::Label => {
            "For each number of neighbours the threshold with which the vote of the nearest \
             labelled examples is right most often. “Answer shown” is the share of the questions \
             with an example of the right label among them."
        }
    };
    let mut drill = table(
        "Retrieval, tuned on the development questions",
        &[
            "found by",
            &format!("{found}s"),
            "threshold",
            "answer shown",
            "its place",
            "rightly nothing",
            "served",
            protocol.plan.metric.name(),
            "",
        ],
        format!("{says}{notes}"),
    );
    let named = retrieval.tries.iter().any(|it| it.trial.ndcg.is_some());
    if named {
        let columns = ["nDCG@10", "named shown"].map(str::to_owned);
        drill.columns.splice(5..5, columns);
        drill.says.push_str(
            " Of the documents that the examples name: nDCG@10 of those found, which counts as much \
             as “served” where the best are chosen, and the share of the questions for which one is \
             shown.",
        );
    }
    let share = |it: Option<f64>| it.map_or_else(|| "–".into(), |it| format!("{it:.2}"));
    let mut seen: Vec<&Way> = Vec::new();
    for it in &retrieval.tries {
        let is_first = !seen.contains(&&it.way);
        seen.push(&it.way);
        let is_chosen = it.way == retrieval.way;
        if !is_first && !is_chosen && it.score.is_none() {
            continue;
        }
        let name = match protocol.task {
            Task::Write | Task::Find => it.way.to_string(),
            Task::Label | Task::Tag => "nearest examples".into(),
        };
        let mut row = vec![
            it.trial.shown.top_k.to_string(),
            it.trial.shown.threshold.to_string(),
            share(it.trial.recall),
            share(it.trial.rank),
            share(it.trial.silence),
            share(Some(it.trial.right)),
            share(it.score),
            if is_chosen && it.trial.shown == retrieval.chosen {
                "chosen".into()
            } else {
                String::new()
            },
        ];
        if named {
            row.splice(4..4, [share(it.trial.ndcg), share(it.trial.named)]);
        }
        drill.rows.push((name, row));
    }
    drill
}

fn learning(taught: &BTreeMap<Arm, Vec<Taught>>) -> Drill {
    let mut drill = table(
        "Learning",
        &[
            "steps",
            "kept",
            "dev loss",
            "training loss",
            "time",
            "overfitting seen",
        ],
        "The state whose loss on the development questions was least is what was examined.".into(),
    );
    let neighbours = taught
        .values()
        .flatten()
        .any(|run| run.neighbours.is_some());
    if neighbours {
        drill.columns.push("neighbours' part".into());
        drill.says.push_str(
            " The hybrid is the same taught model; the nearest labelled examples have a part in \
             its probabilities, the one that makes the development questions' labels likeliest.",
        );
    }
    for (arm, runs) in taught {
        for (seed, run) in runs.iter().enumerate() {
            let mut row = vec![
                run.steps.0.to_string(),
                run.steps.1.to_string(),
                run.dev_loss
                    .map_or_else(|| "–".into(), |it| format!("{it:.3}")),
                format!("{:.3}", run.training_loss),
                format!("{:.1} s", run.seconds),
                run.overfitting
                    .map_or_else(|| "no".into(), |step| format!("at step {step}")),
            ];
            if neighbours {
                row.push(
                    run.neighbours
                        .map_or_else(|| "–".into(), |it| format!("{it:.1}")),
                );
            }
            drill.rows.push((format!("{arm}, seed {seed}"), row));
        }
    }
    drill
}

/// Says what the router was taught, and what it did.
fn routing(kept: &RouterKept) -> Drill {
    let taught = &kept.router.taught;
    let held_out = match taught.held_out {
        Some(share) => format!(
            "a router that was not taught on them sends {:.0} % of these the better way",
            100.0 * share
        ),
        None => "one way was never worse, so every question takes it".to_owned(),
    };
    let mut drill = table(
        "Routing: through retrieval, or to the model alone",
        &["", "counts"],
        format!(
            "Of {} development questions {} were answered better from evidence and {} by the model \
             alone; {held_out}. Of the examination {} questions went through retrieval and {} to \
             the model alone. Above 0, a feature speaks for evidence, in standard deviations.",
            taught.questions,
            taught.retrieval_better,
            taught.alone_better,
            kept.retrieval,
            kept.alone,
        ),
    );
    for (feature, weight) in &taught.weights {
        drill
            .rows
            .push((feature.clone(), vec![format!("{weight:.2}")]));
    }
    drill
}

/// Says which of the five common mistakes were guarded against.
fn guards(
    protocol: &Protocol,
    retrieval: &Retrieval,
    taught: &BTreeMap<Arm, Vec<Taught>>,
    answers: &BTreeMap<Arm, Vec<Vec<Prediction>>>,
    examination: &Examination,
) -> Vec<Guard> {
    let has = |arm: Arm| answers.contains_key(&arm);
    let learnt = !taught.is_empty();
    let retrieves = answers.keys().any(|arm| arm.retrieves());
    let tuned = retrieves && !examination.dev.is_empty();
    let watched = taught.values().flatten().all(|run| run.dev_loss.is_some());
    let overfitted = taught
        .values()
        .flatten()
        .filter(|run| run.overfitting.is_some())
        .count();
    let compared = |arm: Arm| match has(arm) {
        true => format!("`{arm}` answered the same questions"),
        false => format!("`{arm}` was not compared"),
    };
    let guards = [
        (
            "tuning before retrieval was tried",
            has(Arm::Rag) || !learnt,
            compared(Arm::Rag),
        ),
        (
            "retrieval that nobody tuned",
            tuned || !retrieves,
            match (tuned, retrieves) {
                (true, _) => {
                    let ways: BTreeSet<String> = retrieval
                        .tries
                        .iter()
                        .map(|it| it.way.to_string())
                        .collect();
                    format!(
                        "{} ways to find, several numbers of {}s and thresholds with each, on {} development questions",
                        ways.len(),
                        protocol.task.found(),
                        examination.dev.len()
                    )
                }
                (false, true) => "no setting was tried".to_owned(),
                (false, false) => "no candidate retrieves".to_owned(),
            },
        ),
        (
            "no measure on held-out questions",
            true,
            format!(
                "{} questions that nobody learnt from",
                examination.test.len()
            ),
        ),
        (
            "no hybrid tested",
            has(Arm::Hybrid) || !learnt,
            compared(Arm::Hybrid),
        ),
        (
            "overfitting a small data set",
            watched,
            match (learnt, watched) {
                (false, _) => "nothing was taught".to_owned(),
                (true, true) => format!(
                    "the development loss was watched and the best state kept; {overfitted} runs began to learn by heart"
                ),
                (true, false) => "there are no development questions to watch".to_owned(),
            },
        ),
        given_away(examination, retrieves && protocol.task.is_of_documents()),
    ];
    let guard = |(mistake, guarded, how)| Guard {
        mistake,
        guarded,
        how,
    };
    guards.map(guard).into()
}

/// Returns the table of what was guarded against.
fn guarded(guards: &[Guard]) -> Drill {
    let mut drill = table(
        "The five common mistakes, and answers given away",
        &["what is guarded against", "guarded", "how"],
        "A tuned model is recommended only where the five are guarded against.".into(),
    );
    drill.rows.extend(guards.iter().map(|it| {
        let guarded = if it.guarded { "yes" } else { "NO" };
        (
            it.mistake.to_owned(),
            vec![guarded.to_owned(), it.how.clone()],
        )
    }));
    drill
}

/// Says whether retrieval could find the examination with its solutions, if it looks into
/// documents.
fn given_away(examination: &Examination, searched: bool) -> (&'static str, bool, String) {
    let mut said = Vec::new();
    let mut kept = false;
    for note in &examination.notes {
        match note {
            ExaminationNote::AmongDocuments { files } => {
                said.push(format!(
                    "{} is the examples, and was searched by nobody",
                    some(files)
                ));
            }
            ExaminationNote::GivenAway(leak) => {
                kept |= leak.terms == GivenAway::Keep;
                said.push(format!(
                    "{} passages with {} examined questions and their answers, in {}: {}",
                    leak.passages,
                    leak.examined,
                    some(&leak.files),
                    match leak.terms {
                        GivenAway::LeaveOut => "shown to nobody",
                        GivenAway::Keep => "kept, as was asked for",
                    }
                ));
            }
            _ => {}
        }
    }
    let how = match (searched, said.is_empty()) {
        (false, _) => "no documents were searched".to_owned(),
        (true, true) => "no question stands in the documents with its answer".to_owned(),
        (true, false) => said.join("; "),
    };
    ("documents that give answers away", !kept || !searched, how)
}

/// Returns how long it takes until a candidate knows what has changed: what is in the documents is
/// known when they are ingested, all else has to be taught. So has what is found, where the drill
/// has shown that whoever was taught goes on saying what was so before.
fn update_seconds(freshness: Option<&Freshness>, teaching: Option<f64>) -> Option<f64> {
    let Some(drilled) = freshness else {
        return teaching;
    };
    match (drilled.update_seconds, teaching) {
        (Some(taken_in), Some(teaching)) if drilled.changed_stale > drilled.changed_right => {
            Some(taken_in + teaching)
        }
        (taken_in, teaching) => taken_in.or(teaching),
    }
}

/// Returns what a candidate costs, as far as it was measured.
fn cost(
    recipe: &CompareRecipe,
    runs: &[Vec<Prediction>],
    taught: &[Taught],
    freshness: Option<&Freshness>,
) -> Cost {
    let usd = |seconds: f64| seconds / 3600.0 * recipe.prices.machine_hour_usd;
    let times: Vec<f64> = runs.iter().flatten().filter_map(|it| it.seconds).collect();
    let mean = |all: &[f64]| (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64);
    let teaching: Vec<f64> = taught.iter().map(|run| run.seconds).collect();
    let teaching = mean(&teaching);
    let update = update_seconds(freshness, teaching);
    Cost {
        upfront_usd: Some(usd(teaching.unwrap_or(0.0))),
        thousand_questions_usd: mean(&times).map(|mean| usd(1000.0 * mean)),
        update_usd: update.map(usd),
        upfront_seconds: Some(teaching.unwrap_or(0.0)),
        update_seconds: update,
        disk_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stays_stale_has_to_be_taught_again() {
        let check = |right: f64, stale: f64, taken_in, teaching, expect| {
            let drilled = Freshness {
                facts: 12,
                before: 0.9,
                changed_right: right,
                changed_stale: stale,
                removed_stale: 0.0,
                added_right: 0.0,
                update_seconds: taken_in,
                added_seconds: taken_in,
                until_right_seconds: None,
            };
            assert_eq!(update_seconds(Some(&drilled), teaching), expect);
        };
        // Retrieval; a hybrid that follows what is found, and one that does not; training.
        check(0.9, 0.0, Some(2.0), None, Some(2.0));
        check(0.6, 0.3, Some(2.0), Some(60.0), Some(2.0));
        check(0.0, 0.9, Some(2.0), Some(60.0), Some(62.0));
        check(0.0, 0.9, None, Some(60.0), Some(60.0));
        // Nobody teaches what is found.
        check(0.0, 0.9, Some(2.0), None, Some(2.0));
        assert_eq!(update_seconds(None, Some(60.0)), Some(60.0));
    }
}
