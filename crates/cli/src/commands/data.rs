use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use groundtune::contract::{Share, Split};
use groundtune::data::audit::{AuditRequest, Criterion, Verdict, audit, filter, left_out_beside};
use groundtune::data::{
    DataError, Dataset, Examples, Layout, ReadExamples, keep_inputs, write_examples, write_lines,
    written_as,
};
use groundtune::{ModelReference, vocabulary};
use serde_json::json;

use crate::command_error::CommandError;
use crate::environment::environment;
use crate::progress::Progress;
use crate::ui::{Style, Ui, count, thousands};

/// Places that the screen shows of each criterion; `--json` has more.
const SHOWN: usize = 3;

/// Looks at examples before a model learns from them: audits, splits, converts.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

/// How files of examples are read.
#[derive(Debug, Args)]
pub(super) struct Reading {
    /// How the files lay out their examples (`messages`, `alpaca`, `labelled`, …) [default:
    /// told from their records].
    #[arg(long, value_name = "LAYOUT")]
    format: Option<Layout>,

    /// What a field is called in the files: `--field prompt=ask`. May be given several times.
    #[arg(long = "field", value_name = "OURS=THEIRS", value_parser = pair)]
    fields: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((ours, theirs)) => Ok((ours.to_owned(), theirs.to_owned())),
        None => Err("expected `prompt=ask`: our name, `=`, the file's".into()),
    }
}

impl Reading {
    pub(super) fn options(&self) -> ReadExamples {
        ReadExamples {
            layout: self.format,
            fields: self.fields.iter().cloned().collect(),
            ..ReadExamples::default()
        }
    }
}

#[derive(Debug, Subcommand)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for a run of the program"
)]
enum What {
    /// Says how good a set is for training, and what to do about it.
    Audit {
        /// The files of the set.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Another set, which must have nothing in common with it.
        #[arg(long, value_name = "FILE")]
        against: Vec<PathBuf>,
        /// Documents that the examples are to be about; of a project's folder those that it
        /// takes.
        #[arg(long, value_name = "DIR")]
        documents: Option<PathBuf>,
        /// Counts lengths in tokens of this model, or of a vocabulary's file, and not in words.
        #[arg(long, value_name = "MODEL")]
        tokenizer: Option<ModelReference>,
        /// Writes the set without what should not be learnt, and beside it what was left
        /// out and why.
        #[arg(long, value_name = "OUT")]
        filter: Option<PathBuf>,
        /// Leaves nothing out for this: duplicates, conflicts, leakage, coherence, personal.
        #[arg(long, value_name = "CRITERION", requires = "filter")]
        keep: Vec<Criterion>,
        #[command(flatten)]
        reading: Reading,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Divides a set into `train.jsonl`, `dev.jsonl` and `test.jsonl`; what belongs together
    /// stays on one side.
    Split {
        /// The files of the set.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Decides which example comes to which side.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// The shares of the development and of the test set.
        #[arg(long, value_name = "DEV,TEST", default_value = "0.1,0.1", value_parser = shares)]
        shares: (Share, Share),
        /// The folder they are written to.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        reading: Reading,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Writes a set in another layout, as JSON lines.
    Convert {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The layout: `messages`, `completion`, `alpaca`, `sharegpt`, `text`, …
        #[arg(long, value_name = "LAYOUT")]
        to: Layout,
        /// The file it is written to [default: stdout].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        reading: Reading,
        /// Prints one JSON object about it, as `docs/json.md` describes it.
        #[arg(long, requires = "out")]
        json: bool,
    },
}

fn shares(text: &str) -> Result<(Share, Share), String> {
    let parts: Vec<Option<Share>> = text
        .split(',')
        .map(|it| it.trim().parse().ok().and_then(Share::new))
        .collect();
    match parts[..] {
        [Some(dev), Some(test)] if dev.get() + test.get() <= 1.0 => Ok((dev, test)),
        _ => Err("expected two shares such as `0.1,0.1`, together at most 1".into()),
    }
}

pub(crate) fn run(
    arguments: &Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    match &arguments.what {
        What::Audit {
            files,
            against,
            documents,
            tokenizer,
            filter: out,
            keep,
            reading,
            json,
        } => {
            let tokenizer = match tokenizer {
                Some(model) => {
                    let here = std::env::current_dir()?;
                    Some(vocabulary::open(model, &here, &environment(project))?)
                }
                None => None,
            };
            let request = AuditRequest {
                files,
                against,
                documents: documents.as_deref(),
                tokenizer: tokenizer.as_ref(),
            };
            run_audit(&request, reading, out.as_deref(), keep, *json, ui)
        }
        What::Split {
            files,
            seed,
            shares: (dev, test),
            out,
            reading,
            json,
        } => {
            let set = Dataset::read(files, &reading.options()).map_err(CommandError::failed)?;
            for refusal in &set.refused {
                ui.warn(format_args!("{refusal}"));
            }
            let refused = set.refused.len();
            let recipe = Split {
                seed: *seed,
                dev: *dev,
                test: *test,
            };
            let names = ["train", "dev", "test"].map(|name| out.join(format!("{name}.jsonl")));
            keep_inputs(names.iter().map(PathBuf::as_path), files).map_err(CommandError::failed)?;
            let sets = set.split(&recipe);
            let mut written = Vec::new();
            for (path, (name, examples)) in names.iter().zip([
                ("train", sets.train.examples()),
                ("dev", sets.dev.examples()),
                ("test", sets.test.examples()),
            ]) {
                write_examples(path, examples).map_err(CommandError::failed)?;
                if *json {
                    written.push(json!({
                        "set": name,
                        "file": path.to_string_lossy(),
                        "examples": examples.len(),
                    }));
                    continue;
                }
                writeln!(
                    ui.out(),
                    "{name:<6} {:<16} `{}`",
                    count(examples.len(), "example"),
                    path.display()
                )?;
            }
            if *json {
                ui.json(&json!({"sets": written, "refused": refused}))?;
            }
            Ok(())
        }
        What::Convert {
            file,
            to,
            out,
            reading,
            json,
        } => convert(file, *to, out.as_deref(), reading, *json, ui),
    }
}

fn convert(
    file: &Path,
    to: Layout,
    out: Option<&Path>,
    reading: &Reading,
    as_json: bool,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let failed = |error: DataError| CommandError::failed(error);
    let source = file.to_path_buf();
    keep_inputs(out, [&source]).map_err(failed)?;
    let (mut written, mut refused) = (0, 0);
    let examples = Examples::open(file, &reading.options()).map_err(CommandError::failed)?;
    let mut lines = Vec::new();
    for found in examples {
        let line = match found {
            Err(refusal) => Err(refusal.to_string()),
            Ok(found) => written_as(&found.example, to)
                .map_err(|fault| format!("{}:{}: {fault}", file.display(), found.line)),
        };
        match line {
            Ok(line) => {
                match out {
                    Some(_) => lines.push(line.to_string()),
                    None => writeln!(ui.out(), "{line}")?,
                }
                written += 1;
            }
            Err(reason) => {
                ui.warn(format_args!("{reason}"));
                refused += 1;
            }
        }
    }
    if written == 0 {
        return Err(CommandError::failed(format!(
            "nothing of `{}` can be written as `{to}`",
            file.display()
        ))
        .with_hint("`docs/data.md` says what each layout holds"));
    }
    if let Some(out) = out {
        write_lines(out, lines.into_iter()).map_err(failed)?;
        if as_json {
            ui.json(&json!({
                "file": out.to_string_lossy(),
                "layout": to.to_string(),
                "examples": written,
                "refused": refused,
            }))?;
            return Ok(());
        }
    }
    ui.note(format_args!(
        "{} written, {refused} not",
        count(written, "example")
    ));
    Ok(())
}

fn run_audit(
    request: &AuditRequest<'_>,
    reading: &Reading,
    out: Option<&Path>,
    keep: &[Criterion],
    as_json: bool,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let failed = |error: DataError| CommandError::failed(error);
    let read = reading.options();
    let mut progress = Progress::start();
    let audited = audit(request, &read, &mut |done| {
        if done % 256 == 0 {
            progress.at(done, 0, "looking at examples");
        }
    })
    .map_err(failed)?;
    drop(progress);
    let report = &audited.audit;
    let filtered = match out {
        Some(out) => Some((
            out,
            filter(request, &read, &audited, keep, out).map_err(failed)?,
        )),
        None => None,
    };
    if as_json {
        let filtered = filtered.map(|(out, (kept, left_out))| {
            json!({ "file": out, "examples": kept, "left_out": left_out })
        });
        ui.json(&json!({ "audit": report, "filtered": filtered }))?;
        return Ok(());
    }
    let against = report.against.iter().map(|file| ("against ", file));
    for (role, file) in report.files.iter().map(|file| ("", file)).chain(against) {
        writeln!(
            ui.out(),
            "{role}`{}` is `{}`: {}, {} refused",
            file.path.display(),
            file.layout,
            count(file.examples, "example"),
            thousands(file.refused as u64)
        )?;
    }
    for refusal in &report.refused {
        ui.warn(format_args!("{refusal}"));
    }
    let files = report.files.iter().chain(&report.against);
    let more = files.map(|file| file.refused).sum::<usize>() - report.refused.len();
    if more > 0 {
        ui.warn(format_args!("{} more were refused", thousands(more as u64)));
    }
    writeln!(ui.out())?;
    for finding in &report.findings {
        let style = match finding.verdict {
            Verdict::Good => Style::Good,
            Verdict::Look => Style::Warning,
            Verdict::Act => Style::Error,
        };
        let verdict = ui.paint(style, finding.verdict.as_str());
        writeln!(
            ui.out(),
            "{:<11} {verdict}  {}",
            finding.criterion,
            finding.says
        )?;
        if let Some(advice) = &finding.advice {
            let advice = ui.paint(Style::Faint, advice);
            writeln!(ui.out(), "{:<17}{advice}", "")?;
        }
        if finding.verdict != Verdict::Good {
            let places = report.places(finding.criterion);
            let mut shown: Vec<String> = Vec::new();
            let mut last = None;
            for place in places.iter().take(SHOWN) {
                // One file is named once.
                shown.push(match last == Some(&place.file) {
                    true => place.line.to_string(),
                    false => place.to_string(),
                });
                last = Some(&place.file);
            }
            if !shown.is_empty() {
                let rest = if places.len() > SHOWN { ", …" } else { "" };
                let shown = format!("at {}{rest}", shown.join(", "));
                let shown = ui.paint(Style::Faint, &shown);
                writeln!(ui.out(), "{:<17}{shown}", "")?;
            }
        }
    }
    if let Some((out, (kept, left_out))) = filtered {
        writeln!(
            ui.out(),
            "\n{} written to `{}`; {left_out} left out, listed in `{}`",
            count(kept, "example"),
            out.display(),
            left_out_beside(out).display()
        )?;
    }
    Ok(())
}
