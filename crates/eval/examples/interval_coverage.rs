//! Measures whether the intervals and the verdict keep what they promise: in simulated worlds
//! whose true difference is known, how often the 95 % interval has it (it should be 93 to 97 %),
//! and how often a winner is claimed where there is none (5 % at most).
//!
//! `cargo run --release -p groundtune-eval --example interval_coverage -- [WORLDS [SEEDS…]]`: of so
//! many worlds a row; of candidates trained with 1, 2, 3 and 5 seeds, or with those alone.

#![expect(clippy::print_stdout, reason = "an example's answer is what it prints")]

use contract::{PassageId, QuestionId};
use eval::metric::Grounding;
use eval::{CandidateAnswers, Gold, GoldSet, Metric, Plan, Prediction, compare};

/// What the candidates' answers are like.
#[derive(Clone, Copy)]
struct World {
    name: &'static str,
    questions: usize,
    /// How many questions were made from one passage.
    per_passage: usize,
    /// How much of an answer's value is the passage's, in its standard deviation.
    passage: f64,
    seeds: usize,
    seed_name: &'static str,
    /// How much a training seed moves a candidate, in its standard deviation.
    seed: f64,
    /// How much better or worse a candidate is at one question, in its standard deviation.
    own: f64,
    metric: &'static str,
}

const WORLDS: [World; 7] = [
    world("right or wrong, 30 questions", 30, "exact_match"),
    world("right or wrong, 100 questions", 100, "exact_match"),
    world("right or wrong, 400 questions", 400, "exact_match"),
    world("graded, 30 questions", 30, "supported"),
    world("graded, 200 questions", 200, "supported"),
    World {
        per_passage: 5,
        passage: 0.25,
        ..world("graded, 200 questions of 40 passages", 200, "supported")
    },
    World {
        per_passage: 10,
        passage: 0.25,
        ..world(
            "right or wrong, 400 questions of 40 passages",
            400,
            "exact_match",
        )
    },
];

/// What was trained with several seeds: how far a seed moves a candidate, and how far a candidate
/// is better at one question than at another, beside what chance makes of an answer.
const TRAINED: [(&str, f64, f64); 5] = [
    ("alike", 0.0, 0.0),
    ("alike, questions not", 0.0, 0.2),
    ("differ", 0.03, 0.0),
    ("differ, questions too", 0.03, 0.2),
    ("differ much", 0.1, 0.1),
];

/// Returns the worlds where candidates were trained with so many seeds.
fn trained(seeds: usize) -> Vec<World> {
    let of = |(name, questions, per_passage, metric)| {
        TRAINED.map(|(seed_name, seed, own)| World {
            name,
            seeds,
            seed_name,
            seed,
            own,
            per_passage,
            passage: if per_passage > 1 { 0.25 } else { 0.0 },
            ..world(name, questions, metric)
        })
    };
    let kinds = [
        ("right or wrong, 100 questions", 100, 1, "exact_match"),
        ("right or wrong, 400 questions", 400, 1, "exact_match"),
        ("graded, 200 questions of 40 passages", 200, 5, "supported"),
    ];
    kinds.into_iter().flat_map(of).collect()
}

const fn world(name: &'static str, questions: usize, metric: &'static str) -> World {
    World {
        name,
        questions,
        per_passage: 1,
        passage: 0.0,
        seeds: 1,
        seed_name: "",
        seed: 0.0,
        own: 0.0,
        metric,
    }
}

/// A value is so far from what its candidate, question and passage make it.
const NOISE: f64 = 0.2;
/// Questions differ so much in how hard they are.
const HARDNESS: f64 = 0.2;
/// What the first candidate is worth.
const LEVEL: f64 = 0.55;

fn main() {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|it| it.parse().ok())
        .collect();
    let (worlds, asked) = match numbers.split_first() {
        Some((worlds, [])) => (*worlds, &[1, 2, 3, 5][..]),
        Some((worlds, asked)) => (*worlds, asked),
        None => (1000, &[1, 2, 3, 5][..]),
    };
    for seeds in asked {
        println!("\nTrained with {seeds} seeds:\n");
        println!(
            "| world | the seeds | true difference | interval has it | a winner is claimed |\n\
             |---|---|---|---|---|"
        );
        let of = match seeds {
            1 => WORLDS.to_vec(),
            seeds => trained(*seeds as usize),
        };
        for world in of {
            for difference in [0.0, 0.1] {
                let found = measure(world, difference, worlds);
                println!("| {} | {} | {found}", world.name, world.seed_name);
            }
        }
    }
}

/// Returns the cells of a row: the true difference, how often the interval has it, and how often a
/// winner is claimed.
fn measure(world: World, difference: f64, worlds: u64) -> String {
    // The difference of what is seen: values end at 0 and 1.
    let truth = expected(world, LEVEL + difference) - expected(world, LEVEL);
    let (mut has, mut claims) = (0, 0);
    for number in 0..worlds {
        let (interval, is_claimed) = judge(world, difference, number);
        has += usize::from(interval[0] <= truth && truth <= interval[1]);
        claims += usize::from(is_claimed);
    }
    let percent = |count: usize| 100.0 * count as f64 / worlds as f64;
    let (has, claims) = (percent(has), percent(claims));
    format!("{truth:.3} | {has:.1} % | {claims:.1} % |")
}

/// Draws a world's answers and compares the candidates; returns the interval of second less
/// first, and whether one is said to be better.
fn judge(world: World, difference: f64, number: u64) -> ([f64; 2], bool) {
    let mut draw = Draw(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xABCD);
    let gold = GoldSet::new((0..world.questions).map(|question| Gold {
        id: QuestionId::new(question.to_string()),
        question: String::new(),
        answers: vec!["yes".into()],
        all_together: false,
        passage: Some(PassageId((question / world.per_passage).to_string())),
        context: None,
    }));
    let hard: Vec<f64> = (0..world.questions)
        .map(|_| HARDNESS * draw.normal())
        .collect();
    let mut candidates = Vec::new();
    for (name, level) in [("first", LEVEL), ("second", LEVEL + difference)] {
        let passages: Vec<f64> = (0..world.questions)
            .map(|_| world.passage * draw.normal())
            .collect();
        let own: Vec<f64> = (0..world.questions)
            .map(|_| world.own * draw.normal())
            .collect();
        let runs = (0..world.seeds).map(|_| {
            let moved = level + world.seed * draw.normal();
            let answer = |question: usize| {
                let mean = moved + hard[question] + own[question];
                let mean = mean + passages[question / world.per_passage];
                prediction(world, question, mean, &mut draw)
            };
            (0..world.questions).map(answer).collect()
        });
        candidates.push(CandidateAnswers {
            name: name.into(),
            runs: runs.collect(),
            ..CandidateAnswers::default()
        });
    }
    let plan = Plan {
        metric: world.metric.parse::<Metric>().expect("it is known"),
        smallest_difference: 0.0,
        resamples: 1000,
        seed: number,
        ..Plan::default()
    };
    let compared = compare(&gold, &candidates, &plan).expect("the plan can be followed");
    let found = &compared.differences[0];
    let interval = match found.better == "second" {
        true => [found.interval.low, found.interval.high],
        false => [-found.interval.high, -found.interval.low],
    };
    (interval, compared.verdict.winner.is_some())
}

/// An answer whose value is `mean` and noise, within 0 and 1; or right as often.
fn prediction(world: World, question: usize, mean: f64, draw: &mut Draw) -> Prediction {
    let value = (mean + NOISE * draw.normal()).clamp(0.0, 1.0);
    let mut prediction = Prediction::new(QuestionId::new(question.to_string()), "");
    if world.metric == "exact_match" {
        prediction.answer = if draw.unit() < value { "yes" } else { "no" }.into();
    } else {
        prediction.grounding = Some(Grounding {
            sentences: 1_000_000,
            supported: (1e6 * value).round() as u32,
            ..Grounding::default()
        });
    }
    prediction
}

/// Returns the mean of such a value over all that is drawn: a normal number cut at 0 and 1.
fn expected(world: World, level: f64) -> f64 {
    let spread = [NOISE, HARDNESS, world.own, world.passage, world.seed];
    let deviation = spread.iter().map(|it| it * it).sum::<f64>().sqrt();
    let steps = 20_000;
    let (mut sum, mut weights) = (0.0, 0.0);
    for step in 0..=steps {
        let z = -8.0 + 16.0 * f64::from(step) / f64::from(steps);
        let weight = (-0.5 * z * z).exp();
        sum += weight * (level + deviation * z).clamp(0.0, 1.0);
        weights += weight;
    }
    sum / weights
}

/// Random numbers of a seed.
struct Draw(u64);

impl Draw {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}
