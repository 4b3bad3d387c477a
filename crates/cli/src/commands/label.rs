use std::borrow::Cow;
use std::io::{self, Write as _};
use std::path::Path;

use clap::Args;
use groundtune::models::{
    Classifier, Entity, Labeller, ModelReference, TokenClassifier, open_labeller, tagged_spans,
};
use serde::{Deserialize, Serialize};

use super::lines::{Lines, TextArguments};
use crate::command_error::CommandError;
use crate::environment::environment;
use crate::ui::{Style, Ui, count, one_line};

/// Texts that are read before their labels are written.
const BATCH: usize = 256;

/// Labels texts, or the words of them, with an encoder that was taught to.
///
/// A classifier says of each text which label it has, or which ones, and how likely; a
/// tagger which words are a name, a place or whatever it was taught. The texts are
/// arguments, or the lines of `--file` or of what is piped in. Needs no project.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    texts: TextArguments,

    /// Takes each line as a JSON object and labels its `text`, or, with a tagger, its
    /// `tokens`, which are words [default: if the file's name ends in `.jsonl`].
    #[arg(long, conflicts_with = "texts")]
    jsonl: bool,

    /// The model: a run, a version such as `support@prod`, a folder, or a name that was
    /// pulled.
    #[arg(long, value_name = "MODEL")]
    model: ModelReference,

    /// Tells of a text's COUNT likeliest labels, instead of those that hold.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    top: Option<u32>,

    /// Prints one JSON object a line, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,
}

/// What is labelled.
enum Item {
    Text(String),
    Words(Vec<String>),
}

/// A line of `--jsonl`. Other keys are passed over.
#[derive(Deserialize)]
struct Record {
    text: Option<String>,
    tokens: Option<Vec<String>>,
}

#[derive(Serialize)]
struct TextLine<'a> {
    text: &'a str,
    labels: Vec<Label<'a>>,
}

#[derive(Serialize)]
struct Label<'a> {
    label: &'a str,
    probability: f32,
}

#[derive(Serialize)]
struct EntitiesLine<'a> {
    text: &'a str,
    entities: Vec<Named<'a>>,
}

/// Something that a text names; places are in its characters.
#[derive(Serialize)]
struct Named<'a> {
    label: &'a str,
    text: &'a str,
    start: usize,
    end: usize,
    probability: f32,
}

#[derive(Serialize)]
struct TagsLine<'a> {
    tokens: &'a [String],
    tags: Vec<&'a str>,
    probabilities: Vec<f32>,
}

pub(crate) fn run(
    arguments: Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let base = std::env::current_dir()?;
    let labeller = open_labeller(&arguments.model, &base, &environment(project))?;
    if arguments.top.is_some() && matches!(labeller, Labeller::Words(_)) {
        return Err(CommandError::usage(
            "`--top` is for a model that labels whole texts, and this one tags words",
        ));
    }
    let jsonl = arguments.jsonl || arguments.texts.is_jsonl();
    let mut lines = arguments.texts.lines()?;
    let mut total = 0;
    loop {
        let items = batch(&mut lines, jsonl)?;
        if items.is_empty() {
            break;
        }
        match &labeller {
            Labeller::Texts(classifier) => {
                let top = arguments.top.map(|top| top as usize);
                of_texts(ui, classifier, &items, top, arguments.json)?;
            }
            Labeller::Words(tagger) => of_words(ui, tagger, &items, arguments.json)?,
        }
        ui.finish()?;
        total += items.len();
    }
    if !arguments.json {
        let (name, kind, labels) = match &labeller {
            Labeller::Texts(it) => (it.name(), "label", it.labels().len()),
            Labeller::Words(it) => (it.name(), "tag", it.labels().len()),
        };
        ui.note(format_args!(
            "{} by {name}, which knows {}",
            count(total, "text"),
            count(labels, kind)
        ));
    }
    Ok(())
}

/// Returns the next texts; none at the end.
fn batch(lines: &mut Lines, jsonl: bool) -> Result<Vec<Item>, CommandError> {
    if !jsonl {
        let texts = lines.next_batch(BATCH)?;
        return Ok(texts.into_iter().map(Item::Text).collect());
    }
    let mut items = Vec::new();
    while items.len() < BATCH {
        let Some(line) = lines.next_batch(1)?.pop() else {
            break;
        };
        items.push(
            item(&line).map_err(|why| CommandError::failed(format!("{} {why}", lines.place())))?,
        );
    }
    Ok(items)
}

/// Returns what is to be labelled of a line of `--jsonl`, or what is wrong with it.
fn item(line: &str) -> Result<Item, String> {
    let record: Record = serde_json::from_str(line)
        .map_err(|error| format!("is no JSON object with `text` or `tokens`: {error}"))?;
    match record {
        Record {
            tokens: Some(words),
            ..
        } => Ok(Item::Words(words)),
        Record {
            text: Some(text), ..
        } => Ok(Item::Text(text)),
        _ => Err("has neither `text` nor `tokens`".into()),
    }
}

impl Item {
    /// Returns it as a text: words with blanks between.
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Words(words) => Cow::Owned(words.join(" ")),
        }
    }
}

fn of_texts(
    ui: &mut Ui,
    classifier: &Classifier,
    items: &[Item],
    top: Option<usize>,
    as_json: bool,
) -> Result<(), CommandError> {
    let texts: Vec<Cow<'_, str>> = items.iter().map(Item::text).collect();
    let borrowed: Vec<&str> = texts.iter().map(|it| &**it).collect();
    let rows = classifier
        .probabilities(&borrowed)
        .map_err(CommandError::failed)?;
    for (text, row) in borrowed.into_iter().zip(rows) {
        let mut labels: Vec<Label<'_>> = classifier
            .labels()
            .iter()
            .zip(row)
            .map(|(label, probability)| Label { label, probability })
            .collect();
        labels.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        match top {
            Some(top) => labels.truncate(top),
            None if classifier.several() => labels.retain(|it| it.probability >= 0.5),
            None => labels.truncate(1),
        }
        if as_json {
            ui.json_line(&TextLine { text, labels })?;
        } else {
            let found = labels.iter().map(|it| (one_line(it.label), it.probability));
            print(ui, found, text)?;
        }
    }
    Ok(())
}

fn of_words(
    ui: &mut Ui,
    tagger: &TokenClassifier,
    items: &[Item],
    as_json: bool,
) -> Result<(), CommandError> {
    let (mut texts, mut words) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Text(text) => texts.push(&**text),
            Item::Words(item) => words.push(item.iter().map(|it| &**it).collect::<Vec<&str>>()),
        }
    }
    let words: Vec<&[&str]> = words.iter().map(Vec::as_slice).collect();
    let failed = CommandError::failed;
    let mut found = tagger.entities(&texts).map_err(failed)?.into_iter();
    let mut tagged = tagger.probabilities(&words).map_err(failed)?.into_iter();
    for item in items {
        match item {
            Item::Text(text) => {
                let entities = found.next().expect("each text was read");
                show_entities(ui, text, &entities, as_json)?;
            }
            Item::Words(tokens) => {
                let rows = tagged.next().expect("each item's words were read");
                show_tags(ui, tagger.labels(), tokens, &rows, as_json)?;
            }
        }
    }
    Ok(())
}

/// Prints what a text names.
fn show_entities(ui: &mut Ui, text: &str, found: &[Entity], as_json: bool) -> io::Result<()> {
    if !as_json {
        let found = found.iter().map(|it| {
            let name = one_line(&text[it.bytes.clone()]);
            let label = one_line(&it.label);
            (format!("{label} \"{name}\""), it.probability)
        });
        return print(ui, found, text);
    }
    let characters = |bytes: usize| text[..bytes].chars().count();
    let entities = found.iter().map(|it| Named {
        label: &it.label,
        text: &text[it.bytes.clone()],
        start: characters(it.bytes.start),
        end: characters(it.bytes.end),
        probability: it.probability,
    });
    ui.json_line(&EntitiesLine {
        text,
        entities: entities.collect(),
    })
}

/// Prints the tags of words, given how likely each is of each word.
fn show_tags(
    ui: &mut Ui,
    labels: &[String],
    tokens: &[String],
    rows: &[Vec<f32>],
    as_json: bool,
) -> io::Result<()> {
    let best = |row: &Vec<f32>| {
        let likely = row.iter().copied().enumerate();
        // Of equals the first, as everywhere.
        likely.fold((0, f32::NEG_INFINITY), |best, it| {
            if it.1 > best.1 { it } else { best }
        })
    };
    let best: Vec<(usize, f32)> = rows.iter().map(best).collect();
    let tags: Vec<&str> = best.iter().map(|(tag, _)| &*labels[*tag]).collect();
    let probabilities: Vec<f32> = best.iter().map(|it| it.1).collect();
    if as_json {
        return ui.json_line(&TagsLine {
            tokens,
            tags,
            probabilities,
        });
    }
    let found = tagged_spans(tags).into_iter().map(|span| {
        let likely = &probabilities[span.words.clone()];
        let name = one_line(&tokens[span.words].join(" "));
        let mean = likely.iter().sum::<f32>() / likely.len() as f32;
        (format!("{} \"{name}\"", one_line(span.label)), mean)
    });
    print(ui, found, &tokens.join(" "))
}

/// Prints what was found, each with how likely it is, and the text: `refund 0.9731  Where is…`.
fn print(ui: &mut Ui, found: impl Iterator<Item = (String, f32)>, text: &str) -> io::Result<()> {
    let found: Vec<String> = found
        .map(|(what, probability)| {
            let what = ui.paint(Style::Strong, &what);
            format!("{what} {probability:.4}")
        })
        .collect();
    let found = match found.is_empty() {
        true => ui.paint(Style::Faint, "none"),
        false => found.join(", "),
    };
    let line = ui.paint(Style::Faint, &one_line(text));
    writeln!(ui.out(), "{found}  {line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_is_a_text_or_its_words() {
        let check = |line: &str, expect: Result<&str, &str>| match (item(line), expect) {
            (Ok(item), Ok(expect)) => assert_eq!(item.text(), expect),
            (Err(error), Err(expect)) => assert!(error.contains(expect), "{error}"),
            (found, expect) => panic!(
                "{line}: {:?}, not {expect:?}",
                found.map(|it| it.text().into_owned())
            ),
        };
        check(r#"{"text":"a b","label":"x"}"#, Ok("a b"));
        check(r#"{"tokens":["a","b"],"text":"c"}"#, Ok("a b"));
        check(r#"{"texts":"a"}"#, Err("neither `text` nor `tokens`"));
        check("a b", Err("no JSON object"));
        check(r#"["a"]"#, Err("no JSON object"));
    }
}
