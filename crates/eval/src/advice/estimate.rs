//! What a way takes: time, memory and money, from low to high.
//!
//! Training a token costs `6 N` floating-point operations of a model with `N` numbers (two for
//! the forward, four for the backward: Kaplan et al. 2020, §2.1), and `4 N` where the base is
//! frozen, for its own gradients are not computed. What the sources' tables of tiers and costs
//! say follows from this at 40 % of a card's peak and about $2 an hour (tests below); one step
//! measured on the machine at hand replaces both assumptions about speed.

use serde::Serialize;

use super::answers::Answers;
use super::published::{
    FINE_TUNING, PRETRAINING, Phase, PublishedCost, Span, Tier, nearest_cost, tier,
};
use super::strategy::Method;

/// Of an RTX 4090's peak in 16 bits, 165 TFLOP/s (dense), what training reaches: a quarter to
/// a half.
const CONSUMER_FLOPS: Span = Span::new(165e12 * 0.25, 165e12 * 0.5);
/// The same of an A100's 312 TFLOP/s.
const SERVER_FLOPS: Span = Span::new(312e12 * 0.25, 312e12 * 0.5);
/// The processor of a usual machine, from two old cores to many new ones, measured as products
/// in 32 bits. A measured step says far more.
const PROCESSOR_FLOPS: Span = Span::new(1e11, 2e12);
/// What an hour of a graphics processor costs by the tiers' own figures: cost over processors
/// times time, from the cheapest row to the dearest.
const GPU_HOUR_USD: Span = Span::new(1.4, 3.0);
/// What an hour of a rented machine without one costs.
const PROCESSOR_HOUR_USD: Span = Span::new(0.05, 0.5);
/// All costs over those of hardware (the cost table's first row: $100–500 over $50–200).
const TOTAL_OVER_HARDWARE: f64 = 2.0;
/// Trainings that one tuned model takes: three seeds, and as many again to find the recipe.
const FINE_TUNING_RUNS: Span = Span::new(3.0, 6.0);
/// Passes over the examples (the training pipeline's default).
const EPOCHS: f64 = 3.0;
/// A model whose size nobody named: from GPT-2 to a usual open one.
const USUAL_PARAMETERS: Span = Span::new(124e6, 7e9);
/// An example whose length nobody named, in tokens; a recipe cuts at 512.
const USUAL_TOKENS: Span = Span::new(64.0, 512.0);
/// Examples where nobody named a count: the least that fine-tuning takes, to the most that
/// LoRA is advised for.
const USUAL_EXAMPLES: Span = Span::new(1e3, 1e6);
/// A chunk's text in bytes: sections of 40 to 220 words.
const CHUNK_BYTES: Span = Span::new(600.0, 1400.0);
/// A vector's numbers: the built-in embedder, and MiniLM.
const DIMENSIONS: Span = Span::new(256.0, 384.0);
/// What five chunks add to a prompt, in tokens.
const EVIDENCE_TOKENS: Span = Span::new(500.0, 2000.0);

/// A step of training as it was measured on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeasuredStep {
    /// Numbers in the model that was trained, the frozen ones included.
    pub parameters: f64,
    /// Tokens learnt each second.
    pub tokens_per_second: f64,
    /// How it was trained.
    pub method: Method,
}

/// What is estimated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimates {
    /// Retrieval's index, if the documents' length is known.
    pub retrieval: Option<RetrievalEstimate>,
    /// Training, if it comes into question.
    pub training: Option<TrainingEstimate>,
}

/// What an index of documents takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RetrievalEstimate {
    /// Chunks.
    pub chunks: Span,
    /// Memory while answering, in bytes.
    pub memory_bytes: Span,
    /// Tokens that evidence adds to a prompt.
    pub tokens_per_question: Span,
    /// What has to be spent before the first answer, in US dollars: it runs on the machine that
    /// is there.
    pub upfront_usd: f64,
}

/// What a training takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainingEstimate {
    /// How it is trained.
    pub method: Method,
    /// Numbers in the model.
    pub parameters: Span,
    /// Examples.
    pub examples: Span,
    /// Tokens learnt in one training, over all passes.
    pub tokens: Span,
    /// Floating-point operations of one training.
    pub operations: Span,
    /// Where it is trained.
    pub machine: String,
    /// Whether a measured step of that machine was used.
    pub calibrated: bool,
    /// One training, in days.
    pub days_per_run: Span,
    /// Trainings that it takes.
    pub runs: Span,
    /// All of them, in days.
    pub days: Span,
    /// Memory of all processors together, in bytes.
    pub memory_bytes: Span,
    /// Hardware for all of them, in US dollars.
    pub hardware_usd: Span,
    /// All of it, in US dollars.
    pub total_usd: Span,
    /// A year of keeping up with changes by training again, in US dollars; nothing if nobody
    /// said how often answers must catch up.
    pub updates_usd_per_year: Option<Span>,
    /// What the sources say of pretraining a model of this size.
    pub tier: Tier,
    /// What the sources say of this phase.
    pub phase: Phase,
    /// The model of known cost whose size is nearest, where one is made from nothing.
    pub comparable: Option<PublishedCost>,
}

/// Returns what retrieval takes; nothing if it is not known how much text there is.
pub fn retrieval(answers: &Answers) -> Option<RetrievalEstimate> {
    // A document without a length has a page or two.
    let bytes = match (answers.document_bytes, answers.documents) {
        (Some(bytes), _) => Span::exactly(bytes),
        (None, Some(documents)) => Span::new(2e3, 2e4).scaled(documents),
        (None, None) => return None,
    };
    let chunks = Span::new(bytes.low / CHUNK_BYTES.high, bytes.high / CHUNK_BYTES.low);
    // Of each dimension a float and a code of 8 bits; 32 links; its words' postings are about
    // as long as the text.
    let per_chunk = |dimensions: f64, bytes: f64| dimensions * 5.0 + 128.0 + bytes;
    Some(RetrievalEstimate {
        chunks,
        memory_bytes: Span::new(
            chunks.low * per_chunk(DIMENSIONS.low, CHUNK_BYTES.low),
            chunks.high * per_chunk(DIMENSIONS.high, CHUNK_BYTES.high),
        ),
        tokens_per_question: EVIDENCE_TOKENS,
        upfront_usd: 0.0,
    })
}

/// Where it is trained.
struct Machine {
    name: String,
    /// Of all processors together.
    flops: Span,
    /// Of all processors together.
    hour_usd: Span,
    calibrated: bool,
}

fn machine(answers: &Answers, parameters: f64, measured: Option<&MeasuredStep>) -> Machine {
    let processors = |count: Span, each: Span, hour: Span, name: String| Machine {
        name,
        flops: each.times(count),
        hour_usd: answers.hour_usd.map_or(hour, Span::exactly).times(count),
        calibrated: false,
    };
    if let Some(step) = measured {
        let rate = step.tokens_per_second * step.method.operations_per_token(step.parameters);
        let count = answers.gpus.unwrap_or(0.0).max(1.0);
        let hour = if answers.gpus.unwrap_or(0.0) > 0.0 {
            GPU_HOUR_USD
        } else {
            PROCESSOR_HOUR_USD
        };
        return Machine {
            name: "the measured machine".into(),
            // Its own spread, and that of models with other shapes.
            flops: Span::new(rate * 0.8, rate * 1.2),
            hour_usd: answers.hour_usd.map_or(hour, Span::exactly).scaled(count),
            calibrated: true,
        };
    }
    match answers.gpus {
        Some(count) if count < 1.0 => processors(
            Span::exactly(1.0),
            PROCESSOR_FLOPS,
            PROCESSOR_HOUR_USD,
            "this machine's processor, not measured".into(),
        ),
        Some(count) => {
            let consumer = count < 2.0 || answers.memory_bytes.is_some_and(|it| it < 3e10);
            let (each, kind) = if consumer {
                (CONSUMER_FLOPS, "RTX 4090")
            } else {
                (SERVER_FLOPS, "A100")
            };
            let plural = if count < 2.0 { "GPU" } else { "GPUs" };
            let name = format!("{count} {plural} such as the {kind}");
            processors(Span::exactly(count), each, GPU_HOUR_USD, name)
        }
        None => {
            let tier = tier(parameters);
            let each = if tier.gpus.high < 2.0 {
                CONSUMER_FLOPS
            } else {
                SERVER_FLOPS
            };
            // As many as the row says at most: fewer take as much longer and cost the same.
            processors(
                Span::exactly(tier.gpus.high),
                each,
                GPU_HOUR_USD,
                tier.hardware.into(),
            )
        }
    }
}

/// Returns what it takes to train by `method`.
pub fn training(
    answers: &Answers,
    method: Method,
    measured: Option<&MeasuredStep>,
) -> TrainingEstimate {
    let parameters = answers.parameters.map_or(USUAL_PARAMETERS, Span::exactly);
    let examples = answers.examples.map_or(USUAL_EXAMPLES, Span::exactly);
    let per_example = answers
        .tokens_per_example
        .map_or(USUAL_TOKENS, Span::exactly);
    let (epochs, runs, phase) = match method {
        Method::Pretraining => (1.0, Span::exactly(1.0), PRETRAINING),
        Method::Adapter | Method::Full => (EPOCHS, FINE_TUNING_RUNS, FINE_TUNING),
    };
    let tokens = examples.times(per_example).scaled(epochs);
    let operations = Span::new(
        tokens.low * method.operations_per_token(parameters.low),
        tokens.high * method.operations_per_token(parameters.high),
    );
    // A small model is trained on the hardware of its own row.
    let (small, large) = (
        machine(answers, parameters.low, measured),
        machine(answers, parameters.high, measured),
    );
    let hours = |operations: f64, flops: f64| operations / flops / 3600.0;
    let hours = Span::new(
        hours(operations.low, small.flops.high),
        hours(operations.high, large.flops.low),
    );
    let hardware_usd = Span::new(
        hours.low * small.hour_usd.low,
        hours.high * large.hour_usd.high,
    )
    .times(runs);
    let total_usd = hardware_usd.scaled(TOTAL_OVER_HARDWARE);
    let days_per_run = hours.scaled(1.0 / 24.0);
    TrainingEstimate {
        method,
        parameters,
        examples,
        tokens,
        operations,
        machine: if small.name == large.name {
            small.name
        } else {
            format!("{}, or {}", small.name, large.name)
        },
        calibrated: small.calibrated,
        days_per_run,
        runs,
        days: days_per_run.times(runs),
        memory_bytes: Span::new(
            method.bytes_per_parameter().low * parameters.low,
            method.bytes_per_parameter().high * parameters.high,
        ),
        hardware_usd,
        total_usd,
        // To catch up takes one training, not the search for a recipe.
        updates_usd_per_year: answers.updates.map(|pace| {
            Span::new(total_usd.low / runs.low, total_usd.high / runs.high).scaled(pace.per_year())
        }),
        tier: *tier(parameters.high),
        phase,
        comparable: (method == Method::Pretraining).then(|| *nearest_cost(parameters.high)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::published::{PUBLISHED_COSTS, TIERS};
    use super::*;

    /// About four bytes of English make a token.
    const BYTES_PER_TOKEN: f64 = 4.0;

    fn pretrained(parameters: f64, tokens: f64, gpus: Option<f64>) -> TrainingEstimate {
        let answers = Answers {
            parameters: Some(parameters),
            examples: Some(tokens),
            tokens_per_example: Some(1.0),
            gpus,
            ..Answers::default()
        };
        training(&answers, Method::Pretraining, None)
    }

    #[test]
    fn the_tiers_follow_from_the_estimate() {
        // The middle of each row: its time and its cost lie in the row's own stretch.
        for row in &TIERS {
            let tokens = row.data_bytes.middle() / BYTES_PER_TOKEN;
            let estimate = pretrained(row.parameters.middle(), tokens, None);
            let (days, usd) = (estimate.days.middle(), estimate.hardware_usd.middle());
            assert!(row.days.contains(days), "{}: {days} days", row.name);
            assert!(row.usd.contains(usd), "{}: ${usd}", row.name);
        }
    }

    #[test]
    fn the_published_costs_follow_from_the_estimate_as_far_as_from_each_other() {
        let [gpt2, gpt3, gpt4] = &PUBLISHED_COSTS;
        // GPT-2 read 40 GB of pages.
        let estimate = pretrained(gpt2.parameters, 4e10 / BYTES_PER_TOKEN, None);
        assert!(
            gpt2.days.contains(estimate.days.middle()),
            "{:?}",
            estimate.days
        );
        assert!(gpt2.hardware_usd.contains(estimate.hardware_usd.middle()));
        assert!(gpt2.total_usd.contains(estimate.total_usd.middle()));
        // GPT-3 read 300 billion tokens (Brown et al. 2020, table 2.1). The row's total, $100k to
        // $1M, and the phase's "$1M+" are both called the cost of such a model; its hardware
        // ($10k to $50k) would be 25,000 hours at most, a twentieth of what the operations take.
        let estimate = pretrained(gpt3.parameters, 3e11, Some(1000.0));
        let usd = estimate.total_usd.middle();
        assert!(
            estimate.total_usd.low <= 2.0 * gpt3.total_usd.high,
            "${usd}"
        );
        assert!(usd > PRETRAINING.usd_from, "${usd}");
        // GPT-4's data is not published; by the tiers' own ratio of data to numbers (a hundred
        // bytes a number) a dense model of its size costs more than the row says.
        let tokens = gpt4.parameters * 100.0 / BYTES_PER_TOKEN;
        let estimate = pretrained(gpt4.parameters, tokens, Some(10_000.0));
        assert!(estimate.total_usd.high > gpt4.total_usd.low);
        // The shape: each row costs more than the one before by orders of magnitude.
        for pair in PUBLISHED_COSTS.windows(2) {
            let costs = [&pair[0], &pair[1]].map(|row| {
                pretrained(row.parameters, row.parameters * 20.0, Some(100.0))
                    .total_usd
                    .middle()
            });
            assert!(costs[1] > 10.0 * costs[0], "{costs:?}");
        }
    }

    #[test]
    fn a_measured_step_replaces_the_assumed_speed() {
        let answers = Answers {
            parameters: Some(124e6),
            examples: Some(1000.0),
            tokens_per_example: Some(100.0),
            ..Answers::default()
        };
        let step = MeasuredStep {
            parameters: 124e6,
            tokens_per_second: 300.0,
            method: Method::Full,
        };
        // 300,000 tokens at 300 a second, a fifth more or less.
        let estimate = training(&answers, Method::Full, Some(&step));
        let seconds = estimate.days_per_run.scaled(86_400.0);
        assert!((seconds.low - 1000.0 / 1.2).abs() < 1e-6, "{seconds:?}");
        assert!((seconds.high - 1000.0 / 0.8).abs() < 1e-6, "{seconds:?}");
        assert!(estimate.calibrated);
        // An adapter does two thirds of the work.
        let adapter = training(&answers, Method::Adapter, Some(&step));
        let share = adapter.days_per_run.low / estimate.days_per_run.low;
        assert!((share - 4.0 / 6.0).abs() < 1e-9, "{share}");
    }

    #[test]
    fn what_nobody_knows_widens_the_estimate() {
        let known = Answers {
            parameters: Some(124e6),
            examples: Some(5000.0),
            tokens_per_example: Some(200.0),
            gpus: Some(1.0),
            ..Answers::default()
        };
        let width = |answers: &Answers| {
            let usd = training(answers, Method::Adapter, None).total_usd;
            usd.high / usd.low
        };
        for forget in [
            Answers {
                parameters: None,
                ..known.clone()
            },
            Answers {
                examples: None,
                ..known.clone()
            },
            Answers {
                tokens_per_example: None,
                ..known.clone()
            },
        ] {
            assert!(width(&forget) > width(&known), "{forget:?}");
        }
    }
}
