//! What to type to build each stage of a plan, and a recipe to train from.

use std::fmt::Write as _;

use eval::advice::Recommendation;
use eval::advice::answers::{Answers, Task};
use eval::advice::rules::MANY_EXAMPLES;

/// Returns the commands that build a stage and test it. What stands in capital letters is for
/// the reader to fill in.
pub(super) fn commands(stage: Recommendation, answers: &Answers) -> Vec<String> {
    let commands: &[&str] = match stage {
        Recommendation::Prompt if answers.strict_format == Some(true) => &[
            "groundtune generate --model MODEL --system INSTRUCTIONS PROMPT",
            "groundtune generate --model MODEL --json-schema SCHEMA.json PROMPT",
        ],
        Recommendation::Prompt => {
            &["groundtune generate --model MODEL --system INSTRUCTIONS PROMPT"]
        }
        Recommendation::Rag => &[
            "groundtune init",
            "groundtune ingest",
            "groundtune search QUESTION --explain",
            "groundtune eval retrieval JUDGEMENTS",
            "groundtune ask QUESTION --model MODEL",
        ],
        Recommendation::FineTune => &[
            "groundtune data audit EXAMPLES.jsonl",
            "groundtune data split EXAMPLES.jsonl --out data",
            "groundtune train recipe.toml --dry-run",
            "groundtune train recipe.toml",
            "groundtune generate --model .groundtune/runs/0001 PROMPT",
        ],
        Recommendation::Hybrid => &[
            "groundtune train recipe.toml --set 'tuning.kind=\"full\"'",
            "groundtune ask QUESTION --model .groundtune/runs/0001/model",
        ],
    };
    commands.iter().map(|it| (*it).to_owned()).collect()
}

/// Returns a recipe for `groundtune train` that suits the answers: an encoder with a head for
/// labels, else an adapter for a model that writes.
pub fn recipe(answers: &Answers) -> String {
    let classifies = answers.task == Some(Task::Classify);
    let mut text = String::from(
        "# Written by `groundtune advise`; `docs/train.md` has every key.\n\
         # `groundtune train FILE --dry-run` says what memory it takes.\n\n",
    );
    let model = if classifies {
        "models/all-MiniLM-L6-v2"
    } else {
        text.push_str("preset = \"adapter\"   # LoRA\n\n");
        "Qwen/Qwen2.5-0.5B-Instruct"
    };
    let _ = write!(
        text,
        "[model]\nkind = \"base\"\npath = \"{model}\"   # a folder, or a name that was pulled\n\n\
         [data]\ntrain = [\"data/train.jsonl\"]   # from `groundtune data split`\n\
         dev = [\"data/dev.jsonl\"]\n"
    );
    if classifies {
        text.push_str("\n[objective]\nkind = \"classify\"\n\n[technique]\ndropout = 0.1\n");
    }
    // Of few examples each is seen as often as it takes, and the run ends when that stops
    // helping.
    let few = answers.examples.is_some_and(|it| it < MANY_EXAMPLES);
    let _ = write!(
        text,
        "\n[steps]\nepochs = {}\n\n[evaluation]\nevery = {}\npatience = 3   # ends when three \
         examinations brought nothing better\n",
        if few { "5.0" } else { "3.0" },
        if few { 20 } else { 100 },
    );
    text
}

#[cfg(test)]
mod tests {
    use eval::advice::question::set;

    use super::*;
    use crate::train::Recipe;

    #[test]
    fn a_written_recipe_is_one() {
        for pairs in [
            vec![],
            vec![("task", "classify")],
            vec![("task", "draft"), ("examples", "200")],
            vec![("task", "classify"), ("examples", "20000")],
        ] {
            let mut answers = Answers::default();
            for (key, text) in pairs {
                set(&mut answers, key, text).unwrap();
            }
            let text = recipe(&answers);
            let recipe: Recipe =
                toml::from_str(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
            assert_eq!(recipe.evaluation.patience, Some(3));
        }
    }
}
