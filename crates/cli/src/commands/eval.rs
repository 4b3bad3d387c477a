mod answers;
mod model;

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use groundtune::models::{ModelReference, Precision, open_embedder, open_reranker};
use groundtune::retrieval::{Mode, RetrievalReport, SetRequest, measure_run, measure_set};
use serde_json::{Map, Value, json};

use crate::command_error::CommandError;
use crate::environment::environment;
use crate::progress::Progress;
use crate::ui::{Style, Ui, count, elapsed};

/// Measures how good something is, by definitions that others use too.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Measures how well the right passages are found, as `trec_eval` does.
    ///
    /// Of a BEIR set (`corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`) every passage is
    /// indexed as the project says, or as a new project would, and every question asked.
    /// With `--run` and `--qrels` a ranking made elsewhere is measured instead.
    Retrieval(RetrievalArguments),
    /// Measures answers against those that are right, as the references of each metric do.
    ///
    /// A prediction is a JSON object with `question` (the id in the gold) and `answer`, and
    /// perhaps `candidate`, `seed`, `refused`, `evidence`, `confidence`, `seconds`. Every score
    /// has its interval; of several candidates, each two are compared, question by question.
    Answers(answers::AnswersArguments),
    /// Asks a model every example of a file and measures its answers.
    ///
    /// Each is asked in the words in which `train` teaches it, so a run is asked what it has
    /// learnt. Examples that ask the same are asked once. `--out` keeps the answers, for
    /// `eval answers` and `eval diff`.
    Model(Box<model::ModelArguments>),
    /// Says whether answers got better or worse, question by question.
    ///
    /// Ends with 3 if they got worse for sure, so that a build can stop there.
    Diff(answers::DiffArguments),
}

#[derive(Debug, Args)]
struct RetrievalArguments {
    /// The folder of a BEIR set.
    #[arg(
        value_name = "DIR",
        required_unless_present_all = ["ranking", "qrels"],
        conflicts_with_all = ["ranking", "qrels"]
    )]
    folder: Option<PathBuf>,
    /// What is searched by.
    #[arg(long, value_enum, default_value_t, conflicts_with = "ranking")]
    mode: SearchMode,
    /// The embedder, as under `[models]` [default: the project's].
    #[arg(long, value_name = "MODEL", conflicts_with = "ranking")]
    embedder: Option<ModelReference>,
    /// Has the embedder multiply in 8 bits: faster, and a little less exact.
    #[arg(long, conflicts_with = "ranking")]
    int8: bool,
    /// The reranker, as under `[models]` [default: the project's].
    #[arg(long, value_name = "MODEL", conflicts_with = "ranking")]
    reranker: Option<ModelReference>,
    /// A ranking made elsewhere, in TREC's six columns.
    #[arg(long = "run", id = "ranking", value_name = "FILE", requires = "qrels")]
    ranking: Option<PathBuf>,
    /// What is relevant: TREC's four columns, or BEIR's three in a `.tsv` file.
    #[arg(long, value_name = "FILE", requires = "ranking")]
    qrels: Option<PathBuf>,
    /// Prints one JSON object, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,
}

/// Which lists are searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum SearchMode {
    /// By words alone.
    Keyword,
    /// By vectors alone.
    Vector,
    /// By both.
    #[default]
    Hybrid,
}

impl From<SearchMode> for Mode {
    fn from(mode: SearchMode) -> Self {
        match mode {
            SearchMode::Keyword => Self::Keyword,
            SearchMode::Vector => Self::Vector,
            SearchMode::Hybrid => Self::Hybrid,
        }
    }
}

pub(crate) fn run(
    arguments: Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    match arguments.what {
        What::Retrieval(arguments) => retrieval(arguments, project, ui),
        What::Answers(arguments) => answers::answers(&arguments, ui),
        What::Model(arguments) => model::model(&arguments, project, ui),
        What::Diff(arguments) => answers::diff(&arguments, ui),
    }
}

fn retrieval(
    arguments: RetrievalArguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let RetrievalArguments {
        folder,
        mode,
        embedder,
        int8,
        reranker,
        ranking,
        qrels,
        json,
    } = arguments;
    let report = match (folder, ranking, qrels) {
        (None, Some(ranking), Some(qrels)) => measure_run(&ranking, &qrels)?,
        (folder, ..) => {
            let folder = folder.unwrap_or_else(|| PathBuf::from("."));
            let scratch = Scratch::new()?;
            let mut project = super::project_or_defaults(project)?;
            // A path on the command line is from here, one in a file from there.
            let here = env::current_dir()?;
            let models = &mut project.config.models;
            let base = match embedder {
                Some(named) => {
                    models.embedder = named;
                    models.embedder_precision = Precision::default();
                    &here
                }
                None => &project.root,
            };
            if int8 {
                models.embedder_precision = Precision::Int8;
            }
            let embedder = match mode {
                // What is not asked need not be there.
                SearchMode::Keyword => None,
                _ => open_embedder(
                    &models.embedder,
                    models.embedder_precision,
                    base,
                    &environment(Some(&project.root)),
                )?,
            };
            if embedder.is_none() && mode == SearchMode::Vector {
                return Err(CommandError::usage("there is no embedder to search by"));
            }
            let reranker = match &reranker {
                Some(named) => open_reranker(named, &here, &environment(Some(&project.root)))?,
                None => open_reranker(
                    &project.config.models.reranker,
                    &project.root,
                    &environment(Some(&project.root)),
                )?,
            };
            let request = SetRequest {
                folder: &folder,
                scratch: &scratch.0,
                mode: mode.into(),
                embedder: embedder.as_deref(),
                reranker: reranker.as_deref(),
            };
            let mut progress = Progress::start();
            measure_set(&project, &request, &mut |done, all| {
                progress.at(done as u64, all as u64, "embedding and asking");
            })?
        }
    };
    if json {
        ui.json(&report_json(&report))?;
    } else {
        print(ui, &report)?;
    }
    Ok(())
}

/// A folder of our own in the system's temporary one; gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        for attempt in 0.. {
            let name = format!("groundtune-eval-{}-{attempt}", std::process::id());
            let folder = env::temp_dir().join(name);
            match std::fs::create_dir(&folder) {
                Ok(()) => return Ok(Self(folder)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind at worst, in a folder that the system empties.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn print(ui: &mut Ui, report: &RetrievalReport) -> io::Result<()> {
    let ranking = &report.ranking;
    for (measure, mean) in &ranking.mean {
        let name = ui.paint(Style::Strong, &format!("{:<12}", measure.to_string()));
        writeln!(ui.out(), "{name} {mean:.4}")?;
    }
    writeln!(ui.out())?;
    let missing = ranking.judged - ranking.questions.len();
    writeln!(
        ui.out(),
        "the mean over {}{}",
        count(ranking.judged, "judged question"),
        match missing {
            0 => String::new(),
            some => format!("; {some} without a result count 0"),
        }
    )?;
    if let Some(search) = &report.search {
        writeln!(
            ui.out(),
            "{} indexed in {}; a question takes {}, 95 of 100 take less than {}",
            count(search.passages, "passage"),
            elapsed(search.indexing),
            elapsed(search.p50),
            elapsed(search.p95),
        )?;
    }
    Ok(())
}

fn report_json(report: &RetrievalReport) -> Value {
    let ranking = &report.ranking;
    let mean: Map<String, Value> = ranking
        .mean
        .iter()
        .map(|(measure, mean)| (measure.to_string(), json!(mean)))
        .collect();
    json!({
        "mean": mean,
        "mean_of_found": ranking.mean_of_found,
        "judged": ranking.judged,
        "found": ranking.questions.len(),
        "questions": ranking.questions,
        "search": report.search.map(|search| json!({
            "passages": search.passages,
            "questions": search.questions,
            "indexing_ms": search.indexing.as_secs_f64() * 1e3,
            "p50_ms": search.p50.as_secs_f64() * 1e3,
            "p95_ms": search.p95.as_secs_f64() * 1e3,
        })),
    })
}
