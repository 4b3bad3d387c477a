//! What the sources publish about data, time, hardware and money: looked up, shown beside our
//! own estimate, and held against it by the estimate's tests.

use serde::Serialize;

/// From low to high.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Span {
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
}

impl Span {
    /// Returns the stretch from `low` to `high`.
    pub const fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    /// Returns a stretch of no length.
    pub const fn exactly(value: f64) -> Self {
        Self::new(value, value)
    }

    /// Returns both ends times those of `other`.
    pub fn times(self, other: Self) -> Self {
        Self::new(self.low * other.low, self.high * other.high)
    }

    /// Returns both ends times `factor`.
    pub fn scaled(self, factor: f64) -> Self {
        Self::new(self.low * factor, self.high * factor)
    }

    /// Returns whether `value` lies in it, both ends included.
    pub fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Returns the geometric mean of its ends.
    pub fn middle(self) -> f64 {
        (self.low * self.high).sqrt()
    }
}

/// A row of the table of what training takes, by the model's size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tier {
    /// Its name.
    pub name: &'static str,
    /// Numbers in the model.
    pub parameters: Span,
    /// Text to train on, in bytes.
    pub data_bytes: Span,
    /// How long training takes, in days.
    pub days: Span,
    /// What it is trained on.
    pub hardware: &'static str,
    /// How many graphics processors that is; the last row says "100+".
    pub gpus: Span,
    /// What it costs, in US dollars.
    pub usd: Span,
}

/// Training data requirements: small, medium and large models.
pub const TIERS: [Tier; 3] = [
    Tier {
        name: "small",
        parameters: Span::new(1e8, 1e9),
        data_bytes: Span::new(1e10, 1e11),
        days: Span::new(1.0, 7.0),
        hardware: "single GPU (RTX 4090)",
        gpus: Span::new(1.0, 1.0),
        usd: Span::new(50.0, 500.0),
    },
    Tier {
        name: "medium",
        parameters: Span::new(1e9, 1e10),
        data_bytes: Span::new(1e11, 1e12),
        days: Span::new(7.0, 28.0),
        hardware: "4 to 8 GPUs",
        gpus: Span::new(4.0, 8.0),
        usd: Span::new(1e3, 1e4),
    },
    Tier {
        name: "large",
        parameters: Span::new(1e10, 1e11),
        data_bytes: Span::new(1e12, 1e13),
        days: Span::new(30.0, 180.0),
        hardware: "GPU cluster (100+ GPUs)",
        gpus: Span::new(100.0, 100.0),
        usd: Span::new(1e5, 1e6),
    },
];

/// Returns the row of a model with so many numbers. Below the table it is the first row, above
/// it the last; a limit belongs to the larger row.
pub fn tier(parameters: f64) -> &'static Tier {
    let place = TIERS.iter().position(|it| parameters < it.parameters.high);
    &TIERS[place.unwrap_or(TIERS.len() - 1)]
}

/// A row of the table of what named models cost to train from nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PublishedCost {
    /// The model.
    pub model: &'static str,
    /// Its numbers; the last row says "1.7T+".
    pub parameters: f64,
    /// How long training took, in days.
    pub days: Span,
    /// What the hardware cost, in US dollars.
    pub hardware_usd: Span,
    /// What all of it cost, in US dollars.
    pub total_usd: Span,
    /// What such a model is used for.
    pub used_for: &'static str,
}

/// Training cost and resource analysis.
pub const PUBLISHED_COSTS: [PublishedCost; 3] = [
    PublishedCost {
        model: "GPT-2",
        parameters: 117e6,
        days: Span::new(1.0, 3.0),
        hardware_usd: Span::new(50.0, 200.0),
        total_usd: Span::new(100.0, 500.0),
        used_for: "research, prototyping",
    },
    PublishedCost {
        model: "GPT-3.5",
        parameters: 175e9,
        days: Span::new(14.0, 28.0),
        hardware_usd: Span::new(1e4, 5e4),
        total_usd: Span::new(1e5, 1e6),
        used_for: "production applications",
    },
    PublishedCost {
        model: "GPT-4",
        parameters: 1.7e12,
        days: Span::new(60.0, 180.0),
        hardware_usd: Span::new(1e5, 5e5),
        total_usd: Span::new(1e7, 1e8),
        used_for: "cutting-edge research",
    },
];

/// Returns the row whose model is nearest in size, where twice and half as large are as far.
pub fn nearest_cost(parameters: f64) -> &'static PublishedCost {
    let distance = |row: &PublishedCost| (row.parameters / parameters.max(1.0)).ln().abs();
    PUBLISHED_COSTS
        .iter()
        .min_by(|one, other| distance(one).total_cmp(&distance(other)))
        .expect("the table has rows")
}

/// A phase of training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub objective: &'static str,
    /// How much data it takes.
    pub data: &'static str,
    /// How long it lasts.
    pub lasts: &'static str,
    /// What it costs, in US dollars; "$1M+" has no end.
    pub usd_from: f64,
    /// The most it costs, if there is one.
    pub usd_to: Option<f64>,
    /// What it is about.
    pub techniques: &'static str,
}

/// Training phases: pretraining.
pub const PRETRAINING: Phase = Phase {
    name: "pretraining",
    objective: "general language patterns and world knowledge",
    data: "45 TB of text and more",
    lasts: "weeks to months on GPU clusters",
    usd_from: 1e6,
    usd_to: None,
    techniques: "175B numbers and more in large models",
};

/// Training phases: fine-tuning.
pub const FINE_TUNING: Phase = Phase {
    name: "fine-tuning",
    objective: "specific tasks: chat, coding, analysis",
    data: "thousands to millions of examples",
    lasts: "hours to days",
    usd_from: 100.0,
    usd_to: Some(1e4),
    techniques: "LoRA, QLoRA, RLHF",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_compared_with_the_nearest_of_known_cost() {
        let check = |parameters: f64, expect: &str| {
            assert_eq!(nearest_cost(parameters).model, expect, "{parameters}");
        };
        check(0.0, "GPT-2");
        check(117e6, "GPT-2");
        check(7e9, "GPT-3.5");
        check(175e9, "GPT-3.5");
        check(1e12, "GPT-4");
    }

    #[test]
    fn a_model_has_the_tier_of_its_size() {
        let check = |parameters: f64, expect: &str| {
            assert_eq!(tier(parameters).name, expect, "{parameters}");
        };
        check(2e6, "small");
        check(117e6, "small");
        check(999e6, "small");
        check(1e9, "medium");
        check(9.9e9, "medium");
        check(1e10, "large");
        check(1.7e12, "large");
    }
}
