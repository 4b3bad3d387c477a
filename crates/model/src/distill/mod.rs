//! A static table learned from a transformer.
//!
//! The teacher embeds texts, and every piece of its vocabulary by itself. The rows are
//! then those whose means over a text's pieces come nearest to the teacher's vectors
//! (`fit`): a piece that texts have gets the row that serves them, a rare one stays
//! near what the teacher makes of it alone, weighed down as frequent ones are
//! (`a ∕ (a + p)`, Arora, Liang and Ma 2017). The teacher's vectors are first turned to
//! the directions in which they differ most, of which the first `dimensions` are kept.
//! No step is random: the same texts give the same bytes on any number of threads.

mod eigen;
mod fit;

use std::ops::ControlFlow;
use std::path::Path;

use rayon::prelude::*;
use serde::Deserialize;

use crate::ModelError;
use crate::folder::Folder;
use crate::static_embedder::StaticEmbedder;
use crate::static_embedder::file::{self, Contents};
use crate::static_embedder::pieces::{self, Pieces};
use crate::static_embedder::words::words;
use fit::{Problem, Shares};

/// Of so many texts one is kept from the fit, to measure it.
const HELD_OUT: usize = 50;
/// How soon a frequent piece weighs less before any text is seen: `a`.
const RARE: f32 = 3e-4;

/// How a table is made.
#[derive(Clone, Debug, PartialEq)]
pub struct DistillOptions {
    /// Numbers a vector; at most the teacher's.
    pub dimensions: usize,
    /// How much a piece's row is held to what the teacher makes of the piece alone: as
    /// much as so many texts that consist of it.
    pub strength: f32,
    /// How often the texts are weighed anew.
    pub rounds: usize,
    /// Steps of conjugate gradients a round.
    pub steps: usize,
}

impl Default for DistillOptions {
    fn default() -> Self {
        Self {
            dimensions: 256,
            strength: 0.01,
            rounds: 4,
            steps: 12,
        }
    }
}

/// What the teacher says.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// What the table is called.
    pub name: &'a str,
    /// The pieces, as [`vocabulary`] returns them.
    pub vocabulary: &'a [String],
    /// The teacher's vectors of [`alone`] of each piece, `(V, T)`.
    pub alone: &'a [f32],
    /// The texts.
    pub texts: &'a [String],
    /// Their vectors, `(N, T)`.
    pub vectors: &'a [f32],
    /// Numbers of the teacher's vectors, `T`.
    pub width: usize,
}

/// A table, and how near it comes.
#[derive(Clone, Debug)]
pub struct Distilled {
    /// The file, as [`StaticEmbedder::open`] reads it.
    pub file: Vec<u8>,
    /// The mean cosine between its vectors and the teacher's, on the texts that were
    /// kept from the fit; `None` where there were none.
    pub agreement: Option<f64>,
    /// The share of the teacher's vectors that the kept directions hold, 0 to 1.
    pub kept: f64,
    /// Pieces in the table.
    pub pieces: usize,
    /// Those of them that no text had.
    pub unseen: usize,
}

#[derive(Deserialize)]
struct WrittenTokenizer {
    model: WrittenModel,
    normalizer: Option<WrittenNormalizer>,
    #[serde(default)]
    added_tokens: Vec<WrittenToken>,
}

#[derive(Deserialize)]
struct WrittenModel {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    vocab: serde_json::Value,
}

#[derive(Deserialize)]
struct WrittenNormalizer {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    lowercase: bool,
}

#[derive(Deserialize)]
struct WrittenToken {
    content: String,
}

/// Returns the pieces of the teacher in `folder` that a table can have: those of its
/// WordPiece vocabulary that stand for text, in its order.
///
/// # Errors
/// If `tokenizer.json` is missing or damaged, or is not BERT's lower-case WordPiece.
pub fn vocabulary(folder: &Path) -> Result<Vec<String>, ModelError> {
    const FILE: &str = "tokenizer.json";
    let mut folder = Folder::new(folder);
    let path = folder.path().join(FILE);
    let written: WrittenTokenizer = folder.json(FILE)?.ok_or(ModelError::FileMissing {
        folder: folder.path().to_owned(),
        file: FILE,
        hint: None,
    })?;
    let other = |key, expected: &str, found: &str| ModelError::Setting {
        path: path.clone(),
        key,
        expected: expected.into(),
        found: format!("`{found}`"),
    };
    if written.model.kind != "WordPiece" {
        return Err(other("model.type", "`WordPiece`", &written.model.kind));
    }
    match &written.normalizer {
        Some(it) if it.kind == "BertNormalizer" && it.lowercase => {}
        it => {
            let found = it.as_ref().map_or("none", |it| it.kind.as_str());
            return Err(other("normalizer", "a lower-case `BertNormalizer`", found));
        }
    }
    let Some(vocab) = written.model.vocab.as_object() else {
        return Err(other("model.vocab", "a table", "something else"));
    };
    let mut numbered: Vec<(u64, &String)> = vocab
        .iter()
        .filter(|(piece, _)| {
            let special = written.added_tokens.iter().any(|it| it.content == **piece);
            let unused = piece.starts_with("[unused") && piece.ends_with(']');
            !special && !unused && !piece.is_empty() && piece.len() <= 255
        })
        .filter_map(|(piece, number)| Some((number.as_u64()?, piece)))
        .collect();
    numbered.sort_unstable();
    Ok(numbered
        .into_iter()
        .map(|(_, piece)| piece.clone())
        .collect())
}

/// Returns what the teacher is given to embed a piece alone.
pub fn alone(piece: &str) -> &str {
    pieces::text_of(piece)
}

/// Makes a table. `step` hears how many of how many steps are done, and stops it when
/// it breaks; then nothing is returned.
///
/// # Errors
/// If the vocabulary has a piece twice, or more than 65,534.
///
/// # Panics
/// If the lesson's parts are not of one length.
pub fn distill(
    lesson: &Lesson<'_>,
    options: &DistillOptions,
    step: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Option<Distilled>, ModelError> {
    let (width, dimensions) = (lesson.width, options.dimensions.min(lesson.width));
    assert_eq!(
        lesson.alone.len(),
        lesson.vocabulary.len() * width,
        "a vector a piece"
    );
    assert_eq!(
        lesson.vectors.len(),
        lesson.texts.len() * width,
        "a vector a text"
    );
    let names: Vec<&str> = lesson.vocabulary.iter().map(String::as_str).collect();
    let bad_piece = |found: String| ModelError::StaticFile {
        path: Path::new(lesson.name).to_owned(),
        expected: "at most 65534 different pieces",
        found: format!("the piece `{found}` once too often"),
    };
    let written = pieces::write(&names).map_err(bad_piece)?;
    let table = Pieces::read(&written.lengths, written.texts.into(), written.table.into())
        .expect("what was just written is whole");
    let mut cut: Vec<Vec<u16>> = lesson
        .texts
        .par_iter()
        .map(|text| cut(&table, text))
        .collect();
    let held = held_pieces(&names, &mut cut);
    let names: Vec<&str> = held.iter().map(|piece| names[*piece]).collect();

    let learned = |text: &usize| text % HELD_OUT != HELD_OUT - 1;
    let places: Vec<usize> = (0..lesson.texts.len())
        .filter(learned)
        .filter(|text| !cut[*text].is_empty())
        .collect();
    let pieces_of_texts: Vec<Vec<u16>> = places.iter().map(|text| cut[*text].clone()).collect();
    let shares = Shares::of(&pieces_of_texts, names.len());
    let seen = shares.texts_of_piece();

    let teacher = |text: usize| &lesson.vectors[text * width..(text + 1) * width];
    let moments = moments(&places, teacher, width);
    let directions = eigen::eigenvectors(&moments, width);
    let directions: Vec<Vec<f32>> = directions[..dimensions]
        .iter()
        .map(|row| row.iter().map(|x| *x as f32).collect())
        .collect();
    let turn = |vector: &[f32]| -> Vec<f32> {
        let dot = |row: &Vec<f32>| row.iter().zip(vector).map(|(a, b)| a * b).sum();
        directions.iter().map(dot).collect()
    };
    let wanted: Vec<f32> = places
        .par_iter()
        .flat_map_iter(|text| turn(teacher(*text)))
        .collect();
    let kept = wanted.iter().map(|x| f64::from(x * x)).sum::<f64>() / places.len().max(1) as f64;
    let mut alone: Vec<f32> = held
        .par_iter()
        .flat_map_iter(|piece| turn(&lesson.alone[piece * width..(piece + 1) * width]))
        .collect();
    weigh(&mut alone, &shares, &seen, &wanted, dimensions);

    let all = options.rounds * options.steps;
    let mut done = 0;
    let problem = Problem {
        shares: &shares,
        wanted: &wanted,
        prior: &alone,
        strength: options.strength,
        width: dimensions,
        rounds: options.rounds,
        steps: options.steps,
    };
    let solved = problem.solve(&mut || {
        done += 1;
        step(done, all)
    });
    let Some(rows) = solved else {
        return Ok(None);
    };
    let file = file::write(&Contents {
        name: lesson.name,
        vocabulary: &names,
        dimensions,
        rows: &rows,
    })
    .map_err(bad_piece)?;
    let embedder = StaticEmbedder::from_bytes(file.clone(), Path::new(lesson.name))?;
    let tests: Vec<f64> = (0..lesson.texts.len())
        .filter(|text| !learned(text))
        .map(|text| {
            let found = embedder.vector(&lesson.texts[text]);
            let dot: f32 = found
                .iter()
                .zip(turn(teacher(text)))
                .map(|(a, b)| a * b)
                .sum();
            f64::from(dot)
        })
        .collect();
    Ok(Some(Distilled {
        file,
        agreement: (!tests.is_empty()).then(|| tests.iter().sum::<f64>() / tests.len() as f64),
        kept,
        pieces: names.len(),
        unseen: seen.iter().filter(|texts| **texts == 0).count(),
    }))
}

/// Returns the pieces that a table holds, and numbers those of the texts accordingly:
/// all that a text has, and the others if they are plain letters. Letters of scripts that
/// no text is written in say nothing, and a piece that no text was cut into can be left
/// out without any text being cut otherwise.
fn held_pieces(names: &[&str], texts: &mut [Vec<u16>]) -> Vec<usize> {
    let mut used = vec![false; names.len()];
    for piece in texts.iter().flatten() {
        used[usize::from(*piece)] = true;
    }
    let held: Vec<usize> = (0..names.len())
        .filter(|piece| used[*piece] || names[*piece].is_ascii())
        .collect();
    let mut numbers = vec![0; names.len()];
    for (number, piece) in held.iter().enumerate() {
        numbers[*piece] = number as u16;
    }
    for piece in texts.iter_mut().flatten() {
        *piece = numbers[usize::from(*piece)];
    }
    held
}

fn cut(table: &Pieces, text: &str) -> Vec<u16> {
    let mut pieces = Vec::new();
    words(text, &mut String::new(), |word| {
        table.cut(word, &mut pieces);
    });
    pieces
}

/// Returns the mean of the products of the numbers of the teacher's vectors, `(T, T)`.
fn moments<'a>(
    places: &[usize],
    teacher: impl Fn(usize) -> &'a [f32] + Sync,
    width: usize,
) -> Vec<f64> {
    let mut moments = vec![0.0; width * width];
    moments
        .par_chunks_exact_mut(width)
        .enumerate()
        .for_each(|(row, sums)| {
            for text in places {
                let vector = teacher(*text);
                let own = f64::from(vector[row]);
                for (sum, other) in sums.iter_mut().zip(vector) {
                    *sum += own * f64::from(*other);
                }
            }
            let count = places.len().max(1) as f64;
            sums.iter_mut().for_each(|sum| *sum /= count);
        });
    moments
}

/// Makes of the vectors of pieces alone what is believed of their rows: less what all
/// have in common, less for frequent ones, and as long as fits the texts best.
fn weigh(alone: &mut [f32], shares: &Shares, seen: &[usize], wanted: &[f32], width: usize) {
    let mut common = vec![0.0f64; width];
    let mut count = 0.0f64;
    for (row, texts) in alone.chunks_exact(width).zip(seen) {
        if *texts > 0 {
            count += 1.0;
            common
                .iter_mut()
                .zip(row)
                .for_each(|(sum, x)| *sum += f64::from(*x));
        }
    }
    let all = seen.iter().sum::<usize>().max(1) as f32;
    for (row, texts) in alone.chunks_exact_mut(width).zip(seen) {
        let weight = RARE / (RARE + *texts as f32 / all);
        for (x, common) in row.iter_mut().zip(&common) {
            *x = weight * (*x - (common / count.max(1.0)) as f32);
        }
    }
    let means = shares.means(alone, width);
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let length = dot(&means, &means);
    let scale = if length > 0.0 {
        dot(&means, wanted) / length
    } else {
        1.0
    };
    alone.iter_mut().for_each(|x| *x *= scale as f32);
}
