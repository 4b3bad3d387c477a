//! Reading a recipe: its own keys, those that were set beside it, its preset's, the defaults.

use std::path::{Path, PathBuf};

use ::train::{Dev, ModelSource, Recipe, TokenizerSource};
use toml::{Table, Value};

use super::TrainingError;
use crate::ConfigError;

/// A recipe with every key.
#[derive(Debug)]
pub(super) struct ReadRecipe {
    pub(super) recipe: Recipe,
    /// Whether `steps.length` was written, and is not only a default.
    pub(super) says_length: bool,
}

/// Reads the recipe at `path` with the keys of `set` before its own, and makes its paths
/// whole.
pub(super) fn read(path: &Path, set: &[String]) -> Result<ReadRecipe, TrainingError> {
    let text = fs_err::read_to_string(path).map_err(|source| TrainingError::NoRecipe { source })?;
    // By itself first: what is wrong with it is then said with its line.
    let written = parse(&text, path)?;
    let mut table: Table = toml::from_str(&text).expect("it was just read");
    for set in set {
        table = over(said(set)?, table);
    }
    let says_length = table
        .get("steps")
        .is_some_and(|steps| steps.get("length").is_some());
    if let Some(preset) = written.preset {
        let preset: Table = preset.text().parse().expect("a preset is TOML");
        table = over(table, preset);
    }
    let whole = toml::to_string(&table).expect("a table is TOML");
    let mut recipe = parse(&whole, path).map_err(|error| culprit(set).unwrap_or(error))?;
    let base = path.parent().unwrap_or(Path::new(""));
    let base = std::path::absolute(if base.as_os_str().is_empty() {
        Path::new(".")
    } else {
        base
    })?;
    make_absolute(&mut recipe, &base);
    Ok(ReadRecipe {
        recipe,
        says_length,
    })
}

/// Returns the key of `--set KEY=VALUE`. A value that is no TOML is a text: quotes are lost
/// on the way through most shells.
fn said(set: &str) -> Result<Table, TrainingError> {
    set.parse().or_else(|source| {
        let text = set.split_once('=').and_then(|(key, value)| {
            let value = value.trim();
            let is_text = !value.is_empty() && !value.starts_with(['"', '\'', '[', '{']);
            let text = Value::String(value.into());
            is_text.then(|| format!("{key} = {text}").parse().ok())?
        });
        text.ok_or_else(|| TrainingError::Set {
            set: set.into(),
            source: Box::new(source),
        })
    })
}

/// Returns what is wrong with the first of `set` that is wrong by itself.
fn culprit(set: &[String]) -> Option<TrainingError> {
    set.iter().find_map(|set| {
        let text = toml::to_string(&said(set).ok()?).expect("a table is TOML");
        let error = toml::from_str::<Recipe>(&text).err()?;
        // What it does not say the recipe does.
        let is_missing = error.message().starts_with("missing field");
        let path = PathBuf::from(format!("--set {set}"));
        (!is_missing).then(|| ConfigError::from_toml(&path, &text, &error).into())
    })
}

/// Reads a recipe's text.
pub(super) fn parse(text: &str, path: &Path) -> Result<Recipe, TrainingError> {
    toml::from_str(text).map_err(|error| ConfigError::from_toml(path, text, &error).into())
}

/// Returns the keys of `first`, and of `second` what `first` does not say. A table of another
/// `kind` has no keys to give.
pub(crate) fn over(first: Table, mut second: Table) -> Table {
    for (key, value) in first {
        let value = match (value, second.remove(&key)) {
            (Value::Table(first), Some(Value::Table(second))) => {
                let kinds = (first.get("kind"), second.get("kind"));
                match kinds {
                    (Some(one), Some(other)) if one != other => Value::Table(first),
                    _ => Value::Table(over(first, second)),
                }
            }
            (value, _) => value,
        };
        second.insert(key, value);
    }
    second
}

/// Makes a recipe's paths independent of where it lies.
fn make_absolute(recipe: &mut Recipe, base: &Path) {
    let whole = |path: &mut PathBuf| {
        let joined = base.join(&*path);
        *path = fs_err::canonicalize(&joined).unwrap_or(joined);
    };
    recipe.data.train.iter_mut().for_each(whole);
    if let Dev::Files(paths) = &mut recipe.data.dev {
        paths.iter_mut().for_each(whole);
    }
    if let Some(project) = recipe
        .data
        .evidence
        .as_mut()
        .and_then(|it| it.project.as_mut())
    {
        whole(project);
    }
    match &mut recipe.model {
        // A name in the cache stays one.
        ModelSource::Base { path, tokenizer } => {
            if let Ok(found) = fs_err::canonicalize(base.join(&*path)) {
                *path = found.to_string_lossy().into_owned();
            }
            tokenizer.iter_mut().for_each(whole);
        }
        ModelSource::New(shape) => {
            if let TokenizerSource::Path { path } = &mut shape.tokenizer {
                whole(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ::train::{Preset, Schedule};

    use super::*;

    fn recipe(text: &str, set: &[&str]) -> Result<Recipe, TrainingError> {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("recipe.toml");
        let least = "[model]\nkind = \"base\"\npath = \"org/name\"\n[data]\ntrain = [\"a.txt\"]\n";
        fs_err::write(&path, format!("{text}\n{least}")).unwrap();
        read(
            &path,
            &set.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>(),
        )
        .map(|it| it.recipe)
    }

    #[test]
    fn what_is_set_needs_no_quotes_and_is_named_if_it_is_wrong() {
        let set = recipe("", &["model.path=some/folder", "steps.batch=2"]).unwrap();
        assert!(matches!(set.model, ModelSource::Base { path, .. } if path == "some/folder"));
        let check = |set: &str, expect: &str| {
            let error = recipe("", &["steps.batch=2", set]).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(expect), "{set}: {error}");
        };
        check(
            "stes.limit=3",
            "`--set stes.limit=3`, line 1: unknown key `stes`",
        );
        check(
            "steps.limit=x",
            "`--set steps.limit=x`, line 2: `limit` must be",
        );
        check("steps.limit=[", "sets nothing");
        check("steps.limit=", "sets nothing");
        check("steps", "sets nothing");
    }

    #[test]
    fn a_preset_gives_what_is_not_written() {
        let classic = recipe("preset = \"classic\"\nsteps = { batch = 2 }", &[]).unwrap();
        assert_eq!((classic.steps.batch, classic.steps.epochs), (2, 3.0));
        assert_eq!(classic.schedule, Schedule::Linear { warmup: 500 });
        assert_eq!(classic.optimiser.weight_decay, 0.01);
        let other = "preset = \"classic\"\nschedule = { kind = \"constant\" }";
        let constant = recipe(other, &[]).unwrap();
        assert_eq!(constant.schedule, Schedule::Constant { warmup: 0 });
    }

    #[test]
    fn every_preset_is_a_recipe() {
        for preset in [
            "classic",
            "creative",
            "compact",
            "knowledge-base",
            "adapter",
            "pretrain",
        ] {
            let recipe = recipe(&format!("preset = \"{preset}\""), &[]).unwrap();
            recipe.check().unwrap();
            assert_eq!(recipe.preset.unwrap().name(), preset);
            assert_eq!(recipe.steps.are_many(), preset == "knowledge-base");
        }
        let found = recipe("preset = \"creative\"", &[]).unwrap();
        assert_eq!(found.preset, Some(Preset::Creative));
        assert_eq!((found.steps.epochs, found.steps.batch), (5.0, 2));
    }

    #[test]
    fn what_is_set_comes_first() {
        let set = ["steps.limit = 7", "optimiser.learning_rate = 0.1"];
        let found = recipe("steps = { limit = 5 }", &set).unwrap();
        assert_eq!(
            (found.steps.limit, found.optimiser.learning_rate),
            (Some(7), 0.1)
        );
        assert!(matches!(
            recipe("", &["steps.limit"]),
            Err(TrainingError::Set { .. })
        ));
        let unknown = recipe("", &["steps.limmit = 3"]).unwrap_err();
        assert!(unknown.to_string().contains("limmit"), "{unknown}");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_the_nearest_known_one() {
        let error = recipe("[steps]\nbach = 3\n", &[]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("line 2: unknown key `bach` in `[steps]`"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("did you mean `batch`?"));
    }

    #[test]
    fn paths_are_the_recipes_and_names_stay() {
        let found = recipe("", &[]).unwrap();
        assert!(found.data.train[0].is_absolute());
        assert!(matches!(found.model, ModelSource::Base { path, .. } if path == "org/name"));
    }
}
