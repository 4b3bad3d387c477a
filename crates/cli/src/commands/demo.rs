use std::env;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use groundtune::Filter;
use groundtune::ask::{Question, Session};
use groundtune::compare::CompareStart;
use groundtune::contract::Reader;
use groundtune::demo;
use groundtune::ingest::{IngestRequest, ingest};
use groundtune::project::Project;

use super::ask::print_reply;
use super::ingest::print_summary;
use crate::command_error::CommandError;
use crate::environment::environment;
use crate::evidence::note_nearest;
use crate::ui::{Style, Ui, quote, shell_word};

/// Shows what groundtune does, on a small handbook that it brings along.
///
/// Lays the handbook out, reads it, and asks it some questions: a plain one, one with
/// a filter, one that nothing answers, and one that not everyone may have answered. Then
/// it examines the built-in model on 100 questions about the handbook, with and without
/// evidence, as it is and taught, and says which of them wins. Takes less than a minute and
/// needs no network. The folder is yours to play with; git does not see it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder to lay it out in.
    #[arg(value_name = "DIR", default_value = "groundtune-demo")]
    folder: PathBuf,

    /// Leaves the comparison out; what remains takes a second.
    #[arg(long)]
    no_compare: bool,
}

/// A question of the demonstration.
struct Scene {
    says: &'static str,
    question: &'static str,
    filter: Option<&'static str>,
    group: Option<&'static str>,
}

const SCENES: &[Scene] = &[
    Scene {
        says: "An answer is made of the documents' own sentences, and cites them:",
        question: "When is technical support available?",
        filter: None,
        group: None,
    },
    Scene {
        says: "America and Europe differ. A filter on the documents' metadata says which is meant:",
        question: "Is return postage free?",
        filter: Some("jurisdiction = EU"),
        group: None,
    },
    Scene {
        says: "What the documents do not say is not made up:",
        question: "Do you sell washing machines?",
        filter: None,
        group: None,
    },
    Scene {
        says: "A page for leads only is not found by anybody else, however they ask:",
        question: "How much goodwill may a lead give without asking?",
        filter: None,
        group: Some("support-leads"),
    },
];

pub(crate) fn run(arguments: &Arguments, ui: &mut Ui) -> Result<(), CommandError> {
    let folder = &arguments.folder;
    demo::write(folder)?;
    let project = Project::open(folder)?;
    let program = program();
    let project_flag = format!("--project {}", shell_word(folder));

    writeln!(
        ui.out(),
        "Wrenfield is a mail-order company that does not exist. Its handbook is in `{}`.",
        folder.display()
    )?;
    show_command(ui, &format!("{program} ingest {project_flag}"))?;
    let environment = environment(Some(&project.root));
    let embedder = project.open_embedder(&environment)?;
    let summary = ingest(
        &project,
        &IngestRequest::default(),
        embedder.as_deref(),
        &mut |_| ControlFlow::Continue(()),
    )?;
    print_summary(ui, &summary)?;

    let mut session = Session::open(&project)?.with_models(&project, &environment)?;
    for scene in SCENES {
        writeln!(ui.out(), "\n{}", scene.says)?;
        let mut question = Question {
            text: scene.question.into(),
            filter: scene
                .filter
                .map(Filter::parse)
                .transpose()
                .map_err(CommandError::failed)?,
            ..Question::default()
        };
        let mut command = format!("{program} ask {project_flag} {}", quote(scene.question));
        if let Some(filter) = scene.filter {
            command = format!("{command} --filter {}", quote(filter));
        }
        show_command(ui, &command)?;
        answer(ui, &mut session, &question)?;
        if let Some(group) = scene.group {
            show_command(ui, &format!("{command} --as {group}"))?;
            question.reader = Reader::of([group]);
            answer(ui, &mut session, &question)?;
        }
    }

    drop(session);
    if !arguments.no_compare {
        writeln!(
            ui.out(),
            "\nThe answers above are sentences of the handbook. Which of prompting, retrieval, fine-tuning\n\
             and both would suit a small model that writes its own? All take the same examination:"
        )?;
        show_command(ui, &format!("{program} compare --quick {project_flag}"))?;
        // What goes on is told on stderr, after what stands here.
        ui.finish()?;
        let recipe = project.compare_recipe().quick();
        let start = CompareStart::New(Box::new(recipe));
        super::compare::examine(ui, &project, start, None, &environment, false)?;
    }

    let page = folder.join("handbook/returns-us.md");
    writeln!(
        ui.out(),
        "\nNow you. Ask something else, and see why a chunk was found:"
    )?;
    let commands = [
        format!("{program} ask {project_flag} 'How do I descale the kettle?'"),
        format!("{program} search {project_flag} 'return postage' --explain"),
        format!("{program} documents list {project_flag}"),
    ];
    for command in commands {
        writeln!(ui.out(), "  {command}")?;
    }
    writeln!(
        ui.out(),
        "Change a number in `{}`, `ingest` again, and ask: the answer follows.",
        page.display()
    )?;
    writeln!(
        ui.out(),
        "With your own documents: `{program} init`, in their folder."
    )?;
    Ok(())
}

fn show_command(ui: &mut Ui, command: &str) -> Result<(), CommandError> {
    let command = ui.paint(Style::Strong, &format!("$ {command}"));
    writeln!(ui.out(), "\n{command}")?;
    Ok(())
}

fn answer(ui: &mut Ui, session: &mut Session, question: &Question) -> Result<(), CommandError> {
    let reply = session.ask(question)?;
    print_reply(ui, &reply)?;
    if reply.answer.abstained && question.reader.groups.is_empty() {
        ui.finish()?;
        note_nearest(ui, reply.search.nearest.as_ref(), reply.threshold.get());
    }
    Ok(())
}

/// Returns what to type to run this program again: its name where that is found, its
/// path otherwise (after `cargo run`, say).
fn program() -> String {
    let name = "groundtune";
    let Ok(this) = env::current_exe().and_then(|path| path.canonicalize()) else {
        return name.into();
    };
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let on_path = env::var_os("PATH").is_some_and(|paths| {
        env::split_paths(&paths)
            .map(|folder| folder.join(&file))
            .find(|candidate| candidate.is_file())
            .is_some_and(|found| found.canonicalize().is_ok_and(|found| found == this))
    });
    if on_path {
        return name.into();
    }
    let here = env::current_dir().and_then(|folder| folder.canonicalize());
    let path: &Path = here
        .as_deref()
        .ok()
        .and_then(|here| this.strip_prefix(here).ok())
        .unwrap_or(&this);
    if path.components().count() == 1 {
        return shell_word(&Path::new(".").join(path));
    }
    shell_word(path)
}
