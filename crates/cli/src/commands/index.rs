use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use groundtune::contract::Bytes;
use groundtune::index_bench::{BenchStep, IndexBench, IndexBenchRequest, bench_indexes};
use serde_json::json;

use crate::command_error::CommandError;
use crate::progress::Progress;
use crate::ui::{Style, Ui, count};

/// Measures the index of vectors.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Compares every way to search vectors: how much it finds, how fast, how large.
    ///
    /// On the vectors of the project, or on those of a file. `index` in `groundtune.toml`
    /// names the way that is then used.
    Bench {
        /// Vectors in NumPy's format, one a row [default: those of the project].
        #[arg(long, value_name = "FILE.npy")]
        vectors: Option<PathBuf>,
        /// Queries in the same format [default: some of the vectors, held out].
        #[arg(long, value_name = "FILE.npy")]
        queries: Option<PathBuf>,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(
    arguments: Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let What::Bench {
        vectors,
        queries,
        json,
    } = arguments.what;
    let project = if vectors.is_some() {
        super::project_or_defaults(project)?
    } else {
        super::open_project(project)?
    };
    let request = IndexBenchRequest { vectors, queries };
    let mut progress = Progress::start();
    let mut done = 0;
    let bench = bench_indexes(&project, &request, &mut |step| {
        progress.at(done, 0, &describe(step));
        done += 1;
    })
    .map_err(CommandError::failed)?;
    drop(progress);
    if json {
        ui.json(&json!({
            "vectors": bench.vectors,
            "dimensions": bench.dimensions,
            "indexes": bench.figures,
        }))?;
    } else {
        print(ui, &bench)?;
    }
    Ok(())
}

fn describe(step: BenchStep) -> String {
    match step {
        BenchStep::Insert => "taking the vectors in".into(),
        BenchStep::Build(method) => format!("building for {method}"),
        BenchStep::Search(method) => format!("searching by {method}"),
    }
}

fn print(ui: &mut Ui, bench: &IndexBench) -> io::Result<()> {
    let head = format!(
        "{:<8} {:>9} {:>9} {:>10} {:>9} {:>9} {:>10}",
        "index", "recall", "build", "queries/s", "median", "95 %", "memory"
    );
    let head = ui.paint(Style::Strong, &head);
    writeln!(ui.out(), "{head}")?;
    for one in &bench.figures {
        let build = if one.build_s > 0.0 {
            format!("{:.2} s", one.build_s)
        } else {
            "–".into()
        };
        writeln!(
            ui.out(),
            "{:<8} {:>8.1}% {build:>9} {:>10.0} {:>6.3} ms {:>6.3} ms {:>10}",
            one.name,
            one.recall_at_10 * 100.0,
            one.queries_per_s,
            one.p50_ms,
            one.p95_ms,
            Bytes(one.memory_bytes as u64).to_string(),
        )?;
    }
    writeln!(
        ui.out(),
        "\n{} of {} numbers; recall of the 10 exact nearest; one thread searches",
        count(bench.vectors, "vector"),
        bench.dimensions,
    )
}
