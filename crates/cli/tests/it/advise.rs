//! Advice: asked, from flags, from a file, from a pipe; in a project; stopped.

use crate::support::{Folder, assert_screen, handbook};

#[test]
fn flags_answer_and_the_screen_says_why() {
    let folder = Folder::empty();
    let arguments = [
        "advise",
        "--need",
        "knowledge",
        "--changes",
        "weekly",
        "--budget-usd",
        "$5,000",
        "--no-questions",
    ];
    let screen = folder.screen(&arguments);
    assert_screen!(screen.split("\nPlan\n").next().unwrap(), @"
    Recommended: rag
    Leave the model as it is and give it your documents: what is missing are facts.

    Are facts wanted that the model lacks?
      4 for, 0 against: facts are wanted
      +3  The problem is about knowledge: the model lacks facts.
          facts are wanted · the six questions
      +1  What changes so often was not there when the model was trained.
          facts are wanted · choose retrieval when

    Where should facts live?
      4 in documents, 0 in the model: facts belong in documents
      +3  The data changes frequently: documents are updated in an instant, weights
          only by training again.
          for retrieval · decision matrix: data freshness
      +1  Below $10,000 the cheaper way is wanted: no training, a smaller model that
          looks things up, and updates that cost next to nothing.
          for retrieval · decision matrix: budget

    Must the model itself change?
      0 for, 4 against: a prompt is enough
      -3  The challenge is access to information, and for that nothing in the model
          has to change.
          for prompting alone · the six questions
      -1  Fine-tuning has to earn its place: it is never the default.
          for prompting alone · key decision framework: a strategic decision, not
          the default
    ");
    let width = screen.lines().map(|line| line.chars().count()).max();
    assert!(width <= Some(80), "{screen}");
    assert!(!screen.contains('\u{1b}'));
}

#[test]
fn what_is_not_feasible_says_what_would_be() {
    let folder = Folder::empty();
    folder.write(
        "answers.toml",
        "need = \"behaviour\"\nexamples = \"900K\"\nparameters = \"7B\"\ngpus = 1\n\
         tokens_per_example = 512\nbudget_usd = 100\ntimeline_days = \"2 days\"\n",
    );
    let screen = folder.screen(&["advise", "--answers", "answers.toml"]);
    assert_screen!(screen.split("\nPlan\n").next().unwrap(), @"
    Recommended: fine-tune, not feasible; within reach: prompt
    Fine-tune: what is missing is behaviour, and that is learnt from examples. As
    things stand that is not feasible.

    Are facts wanted that the model lacks?
      0 for, 3 against: no facts are wanted
      -3  The problem is about behaviour: the model knows enough.
          no facts are wanted · the six questions

    Where should facts live?
      2 in documents, 0 in the model: no facts are wanted, so this does not count
      +1  Below $10,000 the cheaper way is wanted: no training, a smaller model that
          looks things up, and updates that cost next to nothing.
          for retrieval · decision matrix: budget
      +1  With less than $1,000 retrieval is the practical way to a first version.
          for retrieval · choose retrieval when: cost-effective deployment

    Must the model itself change?
      3 for, 1 against: the model must change
      +3  The problem is about behaviour: training changes how the model thinks, not
          just what it knows.
          for training · the six questions
      -1  Fine-tuning has to earn its place: it is never the default.
          for prompting alone · key decision framework: a strategic decision, not
          the default

    Limits
      exceeded  budget: $100, and it takes $1,095 to $9,384
                feasible with any one of: at least $1,095; a model of at most 639M
                numbers; learning only 82k of the examples
      exceeded  timeline: 2 days, and it takes 16 days to 2.2 months
                feasible with any one of: at least 16 days; a model of at most 859M
                numbers; learning only 110k of the examples; 9 times as many
                processors
      fits      examples: 900k, and it takes 100 to 1,000

    Estimates
      training  fine-tuning an existing model (LoRA/QLoRA)
                7B numbers, 900k examples, 1.4B tokens in all passes; on 1 GPU such
                as the RTX 4090
      time      5.4 days to 11 days of computing for one training; 16 days to 2.2
                months for the 3 to 6 that it takes with seeds and trials
      memory    4.6 GiB to 32.6 GiB
      money     $547 to $4,692 for the machine, $1,095 to $9,384 in all
      published fine-tuning: hours to days, $100 to $10k; a medium model from
                nothing: 7 days to 28 days on 4 to 8 GPUs, $1,000 to $10k
    ");
    let json = folder.json(&["advise", "--answers", "answers.toml", "--json"]);
    assert_eq!(json["recommendation"], "fine-tune");
    assert_eq!(json["feasible"], false);
    assert_eq!(json["within_reach"], "prompt");
    assert_eq!(json["limits"][0]["remedies"][0]["change"], "budget");
    assert_eq!(json["answers"]["examples"], 900_000);
    assert_eq!(json["answers"]["tone"], serde_json::Value::Null);
}

#[test]
fn a_pipe_answers_line_by_line_and_may_end_early() {
    let folder = Folder::empty();
    let screen = folder.piped(&["advise"], "both\nweekly\n?\nyes\n");
    assert!(screen.starts_with("Recommended: hybrid\n"), "{screen}");
    assert!(
        screen.contains("Structured output: JSON with given fields"),
        "{screen}"
    );
    // A blank line is "don't know"; `back` asks again; `done` leaves the rest open.
    let screen = folder.piped(&["advise"], "\nweekly\nback\nnever\ndone\nboth\n");
    assert!(screen.starts_with("Recommended: prompt\n"), "{screen}");
    assert!(screen.contains("stable and rarely changes"), "{screen}");
    // To ask again would take the next question's answer for this one's.
    assert_screen!(folder.piped(&["advise"], "knowlege\nweekly\n"), @"
    -- stderr --
    error: `need` cannot be `knowlege`: expected one of `knowledge`, `behaviour`, `both`; did you mean `knowledge`?
    -- exit 2 --
    ");
}

#[test]
fn answers_are_saved_and_gone_on_from() {
    let folder = Folder::empty();
    let arguments = [
        "advise",
        "--need",
        "both",
        "--tone",
        "yes",
        "--no-questions",
        "--save",
    ];
    let saved = folder.screen(&[&arguments[..], &["answers.toml"]].concat());
    assert!(
        saved.contains("`groundtune advise --answers answers.toml` takes them"),
        "{saved}"
    );
    let text = std::fs::read_to_string(folder.path().join("answers.toml")).unwrap();
    assert!(
        text.contains("\nneed = \"both\"\n") && text.contains("\ntone = true\n"),
        "{text}"
    );
    // The file answers, a flag is nearer, and what is open is asked if one wants.
    let mut from = vec!["advise", "--answers", "answers.toml"];
    assert!(folder.screen(&from).starts_with("Recommended: hybrid\n"));
    from.extend(["--need", "knowledge", "--tone", "no"]);
    assert!(folder.screen(&from).starts_with("Recommended: rag\n"));
    let asked = folder.piped(
        &[
            "advise",
            "--answers",
            "answers.toml",
            "--ask",
            "--save",
            "answers.toml",
        ],
        "live\n",
    );
    assert!(asked.starts_with("Recommended: hybrid\n"), "{asked}");
    let text = std::fs::read_to_string(folder.path().join("answers.toml")).unwrap();
    assert!(text.contains("\nchanges = \"live\"\n"), "{text}");
}

#[test]
fn what_is_not_understood_is_said() {
    let folder = Folder::empty();
    assert_screen!(folder.screen(&["advise", "--need", "facts"]), @"
    -- stderr --
    error: invalid value 'facts' for '--need <WORD>': expected one of `knowledge`, `behaviour`, `both`

    For more information, try '--help'.
    -- exit 2 --
    ");
    assert_screen!(folder.screen(&["advise", "--budget-usd", "lots", "--no-questions"]), @"
    -- stderr --
    error: invalid value 'lots' for '--budget-usd <USD>': expected an amount in US dollars such as `5000` or `$10K`

    For more information, try '--help'.
    -- exit 2 --
    ");
    folder.write("answers.toml", "need = \"both\"\nlatency = 5\n");
    assert_screen!(folder.screen(&["advise", "--answers", "answers.toml"]), @"
    -- stderr --
    error: `answers.toml` is not understood
      there is no question `latency`; did you mean `latency_ms`?

    hint: `groundtune advise --save FILE` writes a file with every question in it
    -- exit 1 --
    ");
    assert_screen!(folder.screen(&["advise", "--answers", "nothing.toml"]), @"
    -- stderr --
    error: `nothing.toml` could not be read or written
      failed to open file `nothing.toml`: No such file or directory (os error 2)
    -- exit 1 --
    ");
    assert_screen!(folder.screen(&["advise", "--no-questions", "--measured", "."]), @"
    -- stderr --
    error: `.` says nothing of a training's speed: it is no run's folder

    hint: name a run's folder with a step done, such as `.groundtune/runs/0001`
    -- exit 1 --
    ");
    // What is there is not written over.
    folder.write("recipe.toml", "mine");
    assert_screen!(
        folder.screen(&["advise", "--no-questions", "--write-recipe", "recipe.toml"]), @"
    -- stderr --
    error: `recipe.toml` exists already and is left as it is

    hint: name another file after `--write-recipe`
    -- exit 1 --
    ");
    folder.write("notes.txt", "mine");
    assert_screen!(folder.screen(&["advise", "--no-questions", "--save", "notes.txt"]), @"
    -- stderr --
    error: `notes.txt` exists and holds no answers; it is left as it is

    hint: name another file after `--save`
    -- exit 1 --
    ");
    assert_eq!(
        std::fs::read_to_string(folder.path().join("notes.txt")).unwrap(),
        "mine"
    );
}

#[test]
fn a_project_and_examples_propose_answers() {
    let folder = handbook();
    folder.run(&["ingest"]);
    folder.write(
        "examples.jsonl",
        &(0..40)
            .map(|it| format!("{{\"text\": \"parcel {it} came late\", \"label\": \"late\"}}\n"))
            .collect::<String>(),
    );
    let json = folder.json(&[
        "advise",
        "--no-questions",
        "--data",
        "examples.jsonl",
        "--json",
    ]);
    assert_eq!(json["answers"]["documents"], 4);
    assert_eq!(json["answers"]["examples"], 40);
    let proposed: Vec<_> = json["proposed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["answer"].as_str().unwrap())
        .collect();
    assert_eq!(
        proposed,
        [
            "examples",
            "examples_good",
            "tokens_per_example",
            "documents",
            "document_bytes"
        ]
    );
    // What is answered is not taken from there, and it is said what was.
    let screen = folder.screen(&["advise", "--no-questions", "--documents", "7"]);
    assert!(!screen.contains("Taken for `documents`"), "{screen}");
    assert!(screen.contains("Taken for `document_bytes`"), "{screen}");
    // A file of answers speaks for itself.
    folder.write("answers.toml", "need = \"behaviour\"\n");
    let json = folder.json(&["advise", "--answers", "answers.toml", "--json"]);
    assert_eq!(json["answers"]["documents"], serde_json::Value::Null);
}

#[test]
fn a_written_recipe_is_understood_by_train() {
    let folder = Folder::empty();
    folder.run(&[
        "advise",
        "--no-questions",
        "--task",
        "draft",
        "--write-recipe",
        "recipe.toml",
    ]);
    let shown = folder.screen(&["train", "recipe.toml", "--dry-run"]);
    // What it lacks is the model and the data, not a key.
    assert!(
        shown.contains("Qwen") || shown.contains("data/train.jsonl"),
        "{shown}"
    );
    assert!(!shown.contains("unknown key"), "{shown}");
}

#[cfg(unix)]
#[test]
fn a_stop_says_what_was_answered_and_how_to_go_on() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::process::Stdio;

    let folder = Folder::empty();
    let mut child = folder
        .command(&["advise"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"both\n2 weeks\n").unwrap();
    drop(stdin);
    // A wrong answer ends a piped conversation, so nothing is left running here.
    assert_eq!(child.wait().unwrap().code(), Some(2));

    let mut child = folder
        .command(&["advise"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // `?` is answered on stderr, so that one knows that the answer before it was taken.
    stdin.write_all(b"both\n?\n").unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(
        line.contains("A trained model knows what was true"),
        "{line}"
    );
    let kill = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(
        rest.contains("Stopped. To go on with what was answered:"),
        "{rest}"
    );
    assert!(rest.contains("  groundtune advise --need both\n"), "{rest}");
    drop(stdin);
}

/// The folder of the example projects.
fn examples() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples")
}

/// What the table of projects with data says to try: project, and the command lines.
fn to_try() -> Vec<(String, Vec<String>)> {
    let text = std::fs::read_to_string(examples().join("README.md")).unwrap();
    let table = text.split("## Projects with data").nth(1).unwrap();
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let project = cells.next()?.trim_end_matches('`').to_owned();
        let commands = cells.nth(1)?.trim_end_matches(" |").split("`, `");
        let commands = commands.map(|it| it.trim_matches('`').to_owned());
        Some((project, commands.collect()))
    });
    rows.collect()
}

/// Copies a project's files, so that nothing is written beside the documentation.
fn copy(from: &std::path::Path, to: &Folder, below: &std::path::Path) {
    for entry in std::fs::read_dir(from.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = below.join(entry.file_name());
        if entry.path().is_dir() {
            if entry.file_name() != ".groundtune" {
                copy(from, to, &name);
            }
        } else {
            to.write(&name, &std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

#[test]
fn the_example_projects_answer_what_their_table_asks() {
    let mut asked = 0;
    for (project, commands) in to_try() {
        let folder = Folder::empty();
        copy(
            &examples().join(&project),
            &folder,
            std::path::Path::new(""),
        );
        let questions: Vec<&str> = commands
            .iter()
            .filter_map(|it| it.strip_prefix("ask "))
            .collect();
        if !questions.is_empty() {
            folder.json_lines(&["ingest", "--json"]);
        }
        for command in questions {
            // `"question" --filter "condition"`
            let parts: Vec<&str> = command.split('"').map(str::trim).collect();
            let mut arguments = vec!["ask", parts[1], "--json"];
            if let [_, _, flag, value, ..] = parts[..] {
                arguments.extend([flag, value]);
            }
            let answer = folder.json(&arguments);
            assert_eq!(answer["abstained"], false, "{project}: {command}");
            asked += 1;
        }
    }
    assert!(asked >= 6, "{asked}");
}

#[test]
fn what_not_everyone_may_read_is_not_answered_from() {
    let folder = Folder::empty();
    copy(
        &examples().join("hr-policy"),
        &folder,
        std::path::Path::new(""),
    );
    folder.json_lines(&["ingest", "--json"]);
    let question = "How far does band three reach?";
    assert_eq!(folder.json(&["ask", question, "--json"])["abstained"], true);
    let answer = folder.json(&["ask", question, "--as", "managers", "--json"]);
    assert!(
        answer["answer"].as_str().unwrap().contains("52,000"),
        "{answer}"
    );
}

#[test]
fn the_recipes_of_the_example_projects_train() {
    let mut trained = 0;
    for (project, commands) in to_try() {
        if !commands.iter().any(|it| it.starts_with("train ")) {
            continue;
        }
        let folder = Folder::empty();
        copy(
            &examples().join(&project),
            &folder,
            std::path::Path::new(""),
        );
        let mut arguments = vec!["train", "recipe.toml", "--json", "--set", "steps.limit=2"];
        // The tiny encoder that needs no network; the recipe names it, too.
        let recipe = std::fs::read_to_string(folder.path().join("recipe.toml")).unwrap();
        let model = format!(
            "model.path={:?}",
            format!("{}/bert", crate::support::MODELS)
        );
        if recipe.contains("kind = \"base\"") {
            arguments.extend(["--set", &model]);
        }
        let report = folder.json(&arguments);
        assert_eq!(report["steps"], 2, "{project}");
        // And `advise` takes its measured speed.
        let run = report["run"].as_str().unwrap();
        let json = folder.json(&[
            "advise",
            "--no-questions",
            "--need",
            "behaviour",
            "--examples",
            "5000",
            "--json",
            "--measured",
            run,
        ]);
        assert_eq!(
            json["estimates"]["training"]["calibrated"], true,
            "{project}"
        );
        trained += 1;
    }
    assert_eq!(trained, 3);
}
