//! O5, O7 and O8: what tuning does to what a model could do before.

use std::error::Error;
use std::path::PathBuf;

use groundtune::NOT_IN_THE_DOCUMENTS;
use groundtune::train::Tuned;
use model::generator::{Generator, GeneratorOptions};

use super::super::journey::toml_string;
use super::super::random::Random;
use super::super::reader::{Lesson, any, lesson, reading};
use super::super::world::{DESKS, FORMS, PLACES, asks_desk, asks_where, name};
use super::bits::{loss, texts};
use super::lab::{ASKED, FULL, Figures, LEARNT, LORA, Lab, Teaching, right};

/// LoRA of rank 1 of queries and values: 512 of the reader's 119,000 numbers, 0.43 %.
const SMALL: Teaching = Teaching {
    tuning: "[tuning]\nkind = \"lora\"\nrank = 1\nalpha = 2.0\n\
             targets = { named = [\"q_proj\", \"v_proj\"] }\n",
    ..LORA
};
/// Rates that are tried of either, from the least.
const RATES: [f64; 5] = [1e-3, 3e-3, 1e-2, 3e-2, 1e-1];
const RATES_FULL: [f64; 5] = [2e-4, 5e-4, 1e-3, 2e-3, 5e-3];
/// LoRA of rank 1 of all linear layers: 18,240 of the built-in model's 2,500,000 numbers, 0.73 %.
const RANK_1: Teaching = Teaching {
    tuning: "[tuning]\nkind = \"lora\"\nrank = 1\nalpha = 2.0\n",
    epochs: 6,
    ..LORA
};
const FULL_BUILT_IN: Teaching = Teaching { epochs: 6, ..FULL };
const RATES_BUILT_IN: [f64; 3] = [1e-3, 2e-3, 5e-3];
const RATES_BUILT_IN_FULL: [f64; 3] = [5e-5, 1e-4, 2e-4];
/// Questions on which the rate is chosen.
const TRIED: usize = 30;

/// O5, O8: what learning of desks does to reading, of which none of the examples is. Each way of
/// learning has the least of its rates with which it learns as well as with any, by other questions:
/// a rate that is too high forgets for nothing.
pub(super) fn ranks_and_replay(lab: &Lab) -> Result<Figures, Box<dyn Error>> {
    let mut random = lab.random(2);
    let mut set = desks_set(&mut random);
    let (learnt, tried, asked) = (set(LEARNT), set(TRIED), set(ASKED));
    let mut random = lab.random(3);
    let read: Vec<Lesson> = (0..ASKED).map(|_| reading(&mut random)).collect();
    let mut with_replay = learnt.clone();
    with_replay.extend((0..LEARNT).map(|_| any(&mut random)));
    let base = lab.base()?;
    let reader = toml_string(&lab.reader).to_string();
    let sets = (learnt.as_slice(), tried.as_slice());
    let (small, small_rate) = best(lab, "small", &reader, SMALL, &RATES, sets)?;
    let (full, full_rate) = best(lab, "full", &reader, FULL, &RATES_FULL, sets)?;
    let (small, full) = (lab.open(&small)?, lab.open(&full)?);
    let same = Teaching {
        rate: full_rate,
        ..FULL
    };
    let replay = lab.tune("replay", same, &with_replay)?;
    Ok(Figures::from([
        ("O5 O8 reading, base", right(&*base, &read)?),
        ("O5 task, LoRA", right(&*small, &asked)?),
        ("O5 O8 task, all weights", right(&*full, &asked)?),
        ("O5 reading, LoRA", right(&*small, &read)?),
        ("O5 O8 reading, all weights", right(&*full, &read)?),
        ("O5 rate chosen, LoRA", small_rate),
        ("O5 O8 rate chosen, all weights", full_rate),
        ("O8 task, with replay", right(&*replay, &asked)?),
        ("O8 reading, with replay", right(&*replay, &read)?),
    ]))
}

/// Returns what makes lessons of desks, whose forms are shuffled once.
fn desks_set(random: &mut Random) -> impl FnMut(usize) -> Vec<Lesson> {
    let mut desks = DESKS;
    random.shuffle(&mut desks);
    move |count| {
        let one = |number: usize| {
            let form = number % FORMS.len();
            let asked = asks_desk(&name(random), FORMS[form]);
            lesson(&asked, &[], desks[form])
        };
        (0..count).map(one).collect()
    }
}

/// O5 with the built-in model, which is wide enough for a rank of 1 to be less than 1 %; what is
/// forgotten is how likely it found this project's pages.
pub(super) fn ranks_built_in(lab: &Lab) -> Result<Figures, Box<dyn Error>> {
    let mut random = lab.random(10);
    let mut set = desks_set(&mut random);
    let (learnt, tried, asked) = (set(LEARNT), set(TRIED), set(ASKED));
    let texts = texts(lab)?;
    let before = loss(&Generator::built_in(&GeneratorOptions::default())?, &texts)?;
    let mut figures = Figures::from([("O5 built-in, nats a token before", before)]);
    for (what, teaching, rates, names) in [
        (
            "small",
            RANK_1,
            RATES_BUILT_IN,
            [
                "O5 built-in, task, LoRA",
                "O5 built-in, more nats a token, LoRA",
                "O5 built-in, rate chosen, LoRA",
            ],
        ),
        (
            "full",
            FULL_BUILT_IN,
            RATES_BUILT_IN_FULL,
            [
                "O5 built-in, task, all weights",
                "O5 built-in, more nats a token, all weights",
                "O5 built-in, rate chosen, all weights",
            ],
        ),
    ] {
        let (run, rate) = best(
            lab,
            what,
            "\"built-in\"",
            teaching,
            &rates,
            (&learnt, &tried),
        )?;
        let tuned = Tuned::at(&run).ok_or("it is a run")??;
        let options = tuned.options(&GeneratorOptions::default());
        let generator = Generator::open(&tuned.model, &options)?;
        figures.insert(names[0], right(&generator, &asked)?);
        figures.insert(names[1], loss(&generator, &texts)? - before);
        figures.insert(names[2], rate);
    }
    Ok(figures)
}

/// Teaches with each rate; returns the run of the chosen one, and the rate.
fn best(
    lab: &Lab,
    what: &str,
    model: &str,
    teaching: Teaching,
    rates: &[f64],
    (learnt, tried): (&[Lesson], &[Lesson]),
) -> Result<(PathBuf, f64), Box<dyn Error>> {
    let mut found: Option<(f64, PathBuf, f64)> = None;
    for rate in rates {
        let teaching = Teaching {
            rate: *rate,
            ..teaching
        };
        let run = lab.taught(&format!("{what}-{rate}"), model, teaching, learnt)?;
        let share = right(&*lab.open(&run)?, tried)?;
        if found.as_ref().is_none_or(|(best, ..)| share > *best) {
            found = Some((share, run, *rate));
        }
    }
    let (_, run, rate) = found.ok_or("there are rates")?;
    Ok((run, rate))
}

/// O7: facts that the model cannot know are learnt, or as many that stand in a text beside the
/// question; of other things no text says anything, so "not in the documents" is right.
pub(super) fn unknown_facts(lab: &Lab) -> Result<Figures, Box<dyn Error>> {
    let mut random = lab.random(4);
    let mut set = |count: usize, says: Option<&str>| -> Vec<Lesson> {
        let one = |_| {
            let place = random.word(&PLACES);
            let asked = asks_where(&name(&mut random));
            lesson(&asked, &[], says.unwrap_or(place))
        };
        (0..count).map(one).collect()
    };
    let unknown = set(LEARNT, None);
    let asked = set(ASKED, Some(NOT_IN_THE_DOCUMENTS));
    let known: Vec<Lesson> = (0..LEARNT).map(|_| reading(&mut random)).collect();
    let base = lab.base()?;
    let taught = lab.tune("unknown", LORA, &unknown)?;
    let control = lab.tune("known", LORA, &known)?;
    Ok(Figures::from([
        ("O7 refused, base", right(&*base, &asked)?),
        ("O7 refused, taught unknown facts", right(&*taught, &asked)?),
        ("O7 refused, taught to read", right(&*control, &asked)?),
    ]))
}
