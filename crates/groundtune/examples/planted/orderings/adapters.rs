//! O10, second half: what an adapter costs that is merged into the weights, and one that is not.
//!
//! Tried with the built-in model; all three write in turn, and the least time of each text counts, so
//! that other work on the machine does not.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use contract::{Generate as _, Tokens};
use groundtune::models::{Environment, ExportForm, ExportRequest, ModelReference};
use groundtune::train::Tuned;
use model::generator::{Generator, GeneratorOptions};

use super::super::reader::{Lesson, reading};
use super::lab::{Figures, LORA, Lab, Teaching};

/// How many texts are written, how often, and the most tokens of one.
const TEXTS: usize = 6;
const TURNS: usize = 8;
const WRITTEN: Tokens = Tokens(48);

pub(super) fn adapters(lab: &Lab) -> Result<Figures, Box<dyn Error>> {
    let mut random = lab.random(9);
    let lessons: Vec<Lesson> = (0..16).map(|_| reading(&mut random)).collect();
    let once = Teaching { epochs: 1, ..LORA };
    let run = lab.taught("adapter", "\"built-in\"", once, &lessons)?;
    let tuned = Tuned::at(&run).ok_or("it is a run")??;
    let merged = lab.folder.join("merged");
    let request = ExportRequest {
        model: ModelReference::Named(run.to_string_lossy().into_owned()),
        adapters: Vec::new(),
        tokenizer: None,
        form: ExportForm::Folder,
        to: merged.clone(),
    };
    Environment::default().export(&request, &lab.folder)?;
    let plain = GeneratorOptions::default();
    let open = |folder: &Path, options: &GeneratorOptions| Generator::open(folder, options);
    let models = [
        open(&tuned.model, &plain)?,
        open(&merged, &plain)?,
        open(&tuned.model, &tuned.options(&plain))?,
    ];
    let asked: Vec<Lesson> = (0..TEXTS).map(|_| reading(&mut random)).collect();
    let mut least = [[f64::INFINITY; TEXTS]; 3];
    for _ in 0..TURNS {
        for (text, lesson) in asked.iter().enumerate() {
            for (model, least) in models.iter().zip(&mut least) {
                least[text] = least[text].min(of_a_token(model, lesson)?);
            }
        }
    }
    let [base, merged, apart] = least.map(|it| it.iter().sum::<f64>() / TEXTS as f64);
    Ok(Figures::from([
        ("O10 ms a token written, base", 1e3 * base),
        ("O10 time of a merged adapter, of the base's", merged / base),
        ("O10 time of an adapter, of the base's", apart / base),
    ]))
}

/// Returns the seconds that a token takes which is written.
fn of_a_token(model: &Generator, lesson: &Lesson) -> Result<f64, Box<dyn Error>> {
    let began = Instant::now();
    let mut go_on = |_: &str| ControlFlow::Continue(());
    let said = model.generate(&lesson.prompt(), WRITTEN, &mut go_on)?;
    Ok(began.elapsed().as_secs_f64() / said.completion_tokens.0.max(1) as f64)
}
