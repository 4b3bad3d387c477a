//! When the verdict flips: the weights, the update rate and the number of questions at which
//! another candidate would be the better choice.
//!
//! A candidate's utility is a weighted sum (Keeney and Raiffa 1976, additive): of each criterion
//! how far it is from the worst candidate, in units of the distance between the worst and the
//! best. It is a straight line in every weight's share, in the update rate and in the number of
//! questions, so where two candidates change places is one division and needs no search.

use serde::{Deserialize, Serialize};

use crate::compare::Compared;
use crate::random::Random;

/// What counts, and how much. Only proportions matter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// The metric that decides.
    pub quality: f64,
    /// The median time of an answer.
    pub latency: f64,
    /// What a month costs: questions, updates, and a month's part of what came before.
    pub cost: f64,
    /// How long a change of the documents takes until it is answered from.
    pub freshness: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            quality: 0.6,
            latency: 0.1,
            cost: 0.2,
            freshness: 0.1,
        }
    }
}

/// How the candidate will be used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Situation {
    /// Questions in a month.
    pub questions: f64,
    /// Updates of what is known in a month.
    pub updates: f64,
    /// Over how many months what comes before the first question is spread.
    pub months: f64,
}

impl Default for Situation {
    fn default() -> Self {
        Self {
            questions: 10_000.0,
            updates: 4.0,
            months: 12.0,
        }
    }
}

/// The criteria, in the order in which they are kept.
const CRITERIA: [&str; 4] = ["quality", "latency", "cost", "freshness"];

/// How many times weights are drawn.
const DRAWN: usize = 10_000;

/// How closely drawn weights lie about the user's: as if so many had voted for them.
const VOTES: f64 = 20.0;

/// What a choice rests on, and where it would be another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flips {
    /// The weights, with the sum 1.
    pub weights: Weights,
    /// How the candidate will be used.
    pub situation: Situation,
    /// The candidates by utility, the best first.
    pub ranking: Vec<Utility>,
    /// Where another would come first, if only this changed.
    pub flips: Vec<Flip>,
    /// Who would come first if a criterion did not count.
    pub left_out: Vec<LeftOut>,
    /// What a month costs, as a line.
    pub costs: Vec<CostLine>,
    /// Where the months of two candidates cost the same.
    pub break_even: Vec<BreakEven>,
    /// What was not known and counts as the worst that is known, or nothing where all lack it.
    pub unknown: Vec<String>,
}

/// A candidate's utility.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Utility {
    /// Its name.
    pub name: String,
    /// 0 to 1.
    pub utility: f64,
    /// Each criterion's part before it is weighted, 0 (worst) to 1 (best).
    pub parts: Vec<(&'static str, f64)>,
    /// In which share of weights drawn about the user's (Dirichlet) it comes first.
    pub first_share: f64,
    /// In which share of all possible weights, each as likely, it comes first.
    pub first_share_of_all: f64,
}

/// A place where another candidate comes first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    /// What changes: `weight of cost`, `updates a month`, `questions a month`.
    pub what: String,
    /// What it is.
    pub now: f64,
    /// Where it flips.
    pub at: f64,
    /// Who comes first beyond.
    pub winner: String,
    /// The same as a sentence.
    pub statement: String,
}

/// Who comes first without a criterion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeftOut {
    /// The criterion.
    pub criterion: &'static str,
    /// Who comes first.
    pub winner: String,
}

/// What a month costs: `fixed + per_question · questions + per_update · updates`, in dollars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostLine {
    /// The candidate.
    pub name: String,
    /// Whatever is asked.
    pub fixed: f64,
    /// For each question.
    pub per_question: f64,
    /// For each update.
    pub per_update: f64,
}

/// Where two candidates cost the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BreakEven {
    /// `questions a month` or `updates a month`; the other is as in the situation.
    pub what: &'static str,
    /// At how many.
    pub at: f64,
    /// Who is cheaper below.
    pub below: String,
    /// Who is cheaper above.
    pub above: String,
    /// The same as a sentence.
    pub statement: String,
}

/// Finds what a choice rests on. `smallest_latency_seconds` is the least difference of time that
/// would be felt; differences of quality below what the plan says matters are not blown up
/// either.
pub fn flips(
    compared: &Compared,
    weights: Weights,
    situation: Situation,
    smallest_latency_seconds: f64,
) -> Flips {
    let table = Table::new(compared, weights, situation, smallest_latency_seconds);
    let order = table.order(&table.weights);
    let shares = table.first_shares(compared.plan.seed, Some(VOTES));
    let all_shares = table.first_shares(compared.plan.seed, None);
    let ranking = order
        .iter()
        .map(|index| Utility {
            name: table.names[*index].clone(),
            utility: table.utility(*index, &table.weights),
            parts: CRITERIA.into_iter().zip(table.parts[*index]).collect(),
            first_share: shares[*index],
            first_share_of_all: all_shares[*index],
        })
        .collect();
    let left_out = (0..CRITERIA.len())
        .filter(|criterion| table.weights[*criterion] > 0.0 && table.weights[*criterion] < 1.0)
        .map(|criterion| {
            let mut weights = table.weights;
            weights[criterion] = 0.0;
            LeftOut {
                criterion: CRITERIA[criterion],
                winner: table.names[table.order(&weights)[0]].clone(),
            }
        })
        .collect();
    let mut found = Vec::new();
    let first = order[0];
    for criterion in 0..CRITERIA.len() {
        found.extend(table.weight_flips(first, criterion));
    }
    for quantity in [Quantity::Updates, Quantity::Questions] {
        found.extend(table.quantity_flips(first, quantity));
    }
    let [quality, latency, cost, freshness] = table.weights;
    Flips {
        weights: Weights {
            quality,
            latency,
            cost,
            freshness,
        },
        situation: table.situation,
        ranking,
        flips: found,
        left_out,
        break_even: table.break_even(),
        costs: table.costs,
        unknown: table.unknown,
    }
}

/// What changes when a candidate is used otherwise.
#[derive(Clone, Copy)]
enum Quantity {
    Updates,
    Questions,
}

impl Quantity {
    fn name(self) -> &'static str {
        match self {
            Self::Updates => "updates a month",
            Self::Questions => "questions a month",
        }
    }
}

/// All candidates by all criteria.
struct Table {
    names: Vec<String>,
    parts: Vec<[f64; 4]>,
    weights: [f64; 4],
    situation: Situation,
    costs: Vec<CostLine>,
    /// Dollars from the worst to the best.
    cost_range: f64,
    unknown: Vec<String>,
}

impl Table {
    fn new(
        compared: &Compared,
        weights: Weights,
        situation: Situation,
        smallest_latency_seconds: f64,
    ) -> Self {
        let finite = |value: f64| {
            if value.is_finite() {
                value.max(0.0)
            } else {
                0.0
            }
        };
        let situation = Situation {
            questions: finite(situation.questions),
            updates: finite(situation.updates),
            months: finite(situation.months).max(1.0 / 30.0),
        };
        let mut unknown = Vec::new();
        let metric = compared.plan.metric;
        let sign = if metric.more_is_better() { 1.0 } else { -1.0 };
        let quality = compared.candidates.iter().map(|it| {
            let score = it.metrics.get(metric.name());
            score.map(|it| sign * it.value)
        });
        let latency = compared
            .candidates
            .iter()
            .map(|it| it.effort.latency.map(|it| -it.p50_seconds));
        let mut cost_is_known = Vec::new();
        let costs: Vec<CostLine> = compared
            .candidates
            .iter()
            .map(|it| {
                let cost = it.cost;
                let parts = [
                    cost.upfront_usd,
                    cost.thousand_questions_usd,
                    cost.update_usd,
                ];
                cost_is_known.push(parts.iter().any(Option::is_some));
                CostLine {
                    name: it.name.clone(),
                    fixed: cost.upfront_usd.unwrap_or(0.0) / situation.months,
                    per_question: cost.thousand_questions_usd.unwrap_or(0.0) / 1000.0,
                    per_update: cost.update_usd.unwrap_or(0.0),
                }
            })
            .collect();
        let cost = costs
            .iter()
            .zip(&cost_is_known)
            .map(|(line, known)| known.then(|| -line.at(situation.questions, situation.updates)));
        let freshness = compared
            .candidates
            .iter()
            .map(|it| it.cost.update_seconds.map(|seconds| -seconds));
        let columns: [Vec<Option<f64>>; 4] = [
            quality.collect(),
            latency.collect(),
            cost.collect(),
            freshness.collect(),
        ];
        let smallest = [
            compared.plan.smallest_difference,
            smallest_latency_seconds,
            0.0,
            0.0,
        ];
        let mut parts = vec![[0.0; 4]; compared.candidates.len()];
        let mut ranges = [0.0; 4];
        for (criterion, column) in columns.iter().enumerate() {
            let known = || column.iter().flatten().copied();
            let worst = known().fold(f64::INFINITY, f64::min);
            let best = known().fold(f64::NEG_INFINITY, f64::max);
            let range = (best - worst).max(smallest[criterion]);
            ranges[criterion] = if range.is_finite() { range } else { 0.0 };
            for (index, value) in column.iter().enumerate() {
                match value {
                    Some(value) if ranges[criterion] > 0.0 => {
                        parts[index][criterion] = (value - worst) / range;
                    }
                    Some(_) => {}
                    None => unknown.push(format!(
                        "{} of `{}`",
                        CRITERIA[criterion], compared.candidates[index].name
                    )),
                }
            }
        }
        let given = [
            weights.quality,
            weights.latency,
            weights.cost,
            weights.freshness,
        ]
        .map(finite);
        let sum: f64 = given.iter().sum();
        let weights = match sum > 0.0 {
            // What is 1 but for rounding stays as it was given.
            true if (sum - 1.0).abs() < 1e-9 => given,
            true => given.map(|weight| weight / sum),
            false => [1.0, 0.0, 0.0, 0.0],
        };
        Self {
            names: compared
                .candidates
                .iter()
                .map(|it| it.name.clone())
                .collect(),
            parts,
            weights,
            situation,
            costs,
            cost_range: ranges[2],
            unknown,
        }
    }

    fn utility(&self, candidate: usize, weights: &[f64; 4]) -> f64 {
        let sum: f64 = weights.iter().sum();
        let parts = self.parts[candidate].iter().zip(weights);
        let utility: f64 = parts.map(|(part, weight)| part * weight).sum();
        if sum > 0.0 { utility / sum } else { 0.0 }
    }

    /// Returns the candidates, the best first; of equals the one that was given first.
    fn order(&self, weights: &[f64; 4]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        let utility = |index: &usize| self.utility(*index, weights);
        order.sort_by(|a, b| utility(b).total_cmp(&utility(a)));
        order
    }

    /// Returns where another comes first if one weight changes and the others keep their
    /// proportions: at most one place below and one above what it is.
    fn weight_flips(&self, first: usize, criterion: usize) -> Vec<Flip> {
        let now = self.weights[criterion];
        if now >= 1.0 {
            return Vec::new();
        }
        // U(w) = w · part + (1 − w) · rest.
        let line = |index: usize| {
            let mut others = self.weights;
            others[criterion] = 0.0;
            let rest = self.utility(index, &others);
            (rest, self.parts[index][criterion] - rest)
        };
        let lines: Vec<(f64, f64)> = (0..self.names.len()).map(line).collect();
        let what = format!("weight of {}", CRITERIA[criterion]);
        let flip = |(at, winner): (f64, usize)| {
            let beyond = if at > now { "above" } else { "below" };
            let winner = self.names[winner].clone();
            Flip {
                statement: format!(
                    "`{winner}` would be the better choice with the {what} {beyond} {at:.2} \
                     (it is {now:.2})"
                ),
                what: what.clone(),
                now,
                at,
                winner,
            }
        };
        // Where nothing else counts, or this does not, is no place that anybody is at.
        let is_inside = |(at, _): &(f64, usize)| (0.005..0.995).contains(at);
        nearest_crossings(&lines, first, now, 1.0)
            .into_iter()
            .filter(is_inside)
            .map(flip)
            .collect()
    }

    /// Returns where another comes first if it is used more or less.
    fn quantity_flips(&self, first: usize, quantity: Quantity) -> Vec<Flip> {
        let weight = self.weights[2];
        if self.cost_range <= 0.0 || weight <= 0.0 {
            return Vec::new();
        }
        let now = match quantity {
            Quantity::Updates => self.situation.updates,
            Quantity::Questions => self.situation.questions,
        };
        let line = |index: usize| {
            let costs = &self.costs[index];
            let per = match quantity {
                Quantity::Updates => costs.per_update,
                Quantity::Questions => costs.per_question,
            };
            let slope = -weight * per / self.cost_range;
            (self.utility(index, &self.weights) - slope * now, slope)
        };
        let lines: Vec<(f64, f64)> = (0..self.names.len()).map(line).collect();
        let what = quantity.name();
        let flip = |(at, winner): (f64, usize)| {
            let beyond = if at > now { "more" } else { "fewer" };
            let winner = self.names[winner].clone();
            Flip {
                statement: format!(
                    "`{winner}` would be the better choice with {beyond} than {} {what} (now {})",
                    rounded(at),
                    rounded(now),
                ),
                what: what.to_owned(),
                now,
                at,
                winner,
            }
        };
        nearest_crossings(&lines, first, now, f64::INFINITY)
            .into_iter()
            .map(flip)
            .collect()
    }

    /// Returns in which share of drawn weights each candidate comes first: of Dirichlet weights
    /// about the user's, or of all weights.
    fn first_shares(&self, seed: u64, votes: Option<f64>) -> Vec<f64> {
        let mut wins = vec![0.0; self.names.len()];
        for draw in 0..DRAWN {
            let mut random = Random::new(seed ^ 0xD1, draw as u64);
            let weights = self.weights.map(|weight| match votes {
                // A criterion that does not count never does.
                Some(votes) if weight > 0.0 => random.gamma(votes * weight),
                Some(_) => 0.0,
                None => random.gamma(1.0),
            });
            wins[self.order(&weights)[0]] += 1.0;
        }
        wins.into_iter().map(|wins| wins / DRAWN as f64).collect()
    }

    fn break_even(&self) -> Vec<BreakEven> {
        let mut found = Vec::new();
        for (place, a) in self.costs.iter().enumerate() {
            for b in &self.costs[place + 1..] {
                for quantity in [Quantity::Questions, Quantity::Updates] {
                    found.extend(self.equal_cost(a, b, quantity));
                }
            }
        }
        found
    }

    fn equal_cost(&self, a: &CostLine, b: &CostLine, quantity: Quantity) -> Option<BreakEven> {
        let Situation {
            questions, updates, ..
        } = self.situation;
        // What a month costs without this quantity, and what each of it adds.
        let line = |line: &CostLine| match quantity {
            Quantity::Questions => (line.at(0.0, updates), line.per_question),
            Quantity::Updates => (line.at(questions, 0.0), line.per_update),
        };
        let ((a_fixed, a_per), (b_fixed, b_per)) = (line(a), line(b));
        let at = (b_fixed - a_fixed) / (a_per - b_per);
        if !(at.is_finite() && at > 0.0) {
            return None;
        }
        let (below, above) = if a_per > b_per { (a, b) } else { (b, a) };
        let (below, above, what) = (below.name.clone(), above.name.clone(), quantity.name());
        Some(BreakEven {
            statement: format!(
                "`{above}` costs less than `{below}` from {} {what}",
                rounded(at)
            ),
            what,
            at,
            below,
            above,
        })
    }
}

impl CostLine {
    /// Returns what a month costs with so many questions and updates.
    pub fn at(&self, questions: f64, updates: f64) -> f64 {
        self.fixed + self.per_question * questions + self.per_update * updates
    }
}

/// Returns the crossing nearest to `now` on either side, between 0 and `most`, beyond which
/// another line than that of `first` is the highest: where, and whose.
fn nearest_crossings(lines: &[(f64, f64)], first: usize, now: f64, most: f64) -> Vec<(f64, usize)> {
    let (base, slope) = lines[first];
    let mut below: Option<(f64, usize)> = None;
    let mut above: Option<(f64, usize)> = None;
    for (index, (other, other_slope)) in lines.iter().enumerate() {
        let at = (other - base) / (slope - other_slope);
        if index == first || !at.is_finite() || !(0.0..=most).contains(&at) {
            continue;
        }
        // The first is ahead now, so the other comes first only in the direction in which it
        // rises faster.
        if *other_slope > slope && at >= now && above.is_none_or(|(best, _)| at < best) {
            above = Some((at, index));
        }
        if *other_slope < slope && at <= now && below.is_none_or(|(best, _)| at > best) {
            below = Some((at, index));
        }
    }
    below.into_iter().chain(above).collect()
}

/// Writes a count as it is read: whole from 10 on.
fn rounded(value: f64) -> String {
    match value {
        large if large >= 10.0 => format!("{large:.0}"),
        small => format!("{small:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let line = |name: &str, fixed, per_question, per_update| CostLine {
            name: name.into(),
            fixed,
            per_question,
            per_update,
        };
        let costs = vec![
            line("rag", 0.0, 0.01, 1.0),
            line("tuned", 50.0, 0.002, 20.0),
        ];
        // 1000 questions and 2 updates: 12 and 92 dollars.
        Table {
            names: vec!["rag".into(), "tuned".into()],
            parts: vec![[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]],
            weights: [0.3, 0.1, 0.5, 0.1],
            situation: Situation {
                questions: 1000.0,
                updates: 2.0,
                months: 12.0,
            },
            costs,
            cost_range: 80.0,
            unknown: Vec::new(),
        }
    }

    #[test]
    fn weights_flip_where_the_lines_cross() {
        let table = table();
        assert_eq!(table.order(&table.weights), [0, 1]);
        // Without cost: rag 0.2, tuned 0.8; with cost w: rag 0.2 + 0.8 w, tuned 0.8 − 0.8 w.
        let flips = table.weight_flips(0, 2);
        assert_eq!(flips.len(), 1);
        assert!((flips[0].at - 0.375).abs() < 1e-12 && flips[0].winner == "tuned");
    }

    #[test]
    fn use_flips_where_the_utilities_cross() {
        let table = table();
        // Ahead by 0.6 − 0.4; a question less of the difference 0.008 dollars is 5e-5 utility.
        let flips = table.quantity_flips(0, Quantity::Questions);
        assert!((flips[0].at - 5000.0).abs() < 1e-6, "{flips:?}");
        assert_eq!(flips[0].winner, "tuned");
        // Fewer updates: 19 dollars an update are 0.11875.
        let flips = table.quantity_flips(0, Quantity::Updates);
        assert!(
            (flips[0].at - (2.0 - 0.2 / 0.118_75)).abs() < 1e-9,
            "{flips:?}"
        );
    }

    #[test]
    fn costs_are_equal_where_their_lines_cross() {
        let found = table().break_even();
        assert_eq!(found.len(), 1);
        // 50 + 40 + 0.002 q = 2 + 0.01 q.
        assert!((found[0].at - 11_000.0).abs() < 1e-6);
        assert_eq!(
            (found[0].below.as_str(), found[0].above.as_str()),
            ("rag", "tuned")
        );
    }

    #[test]
    fn drawn_weights_lie_about_the_users() {
        let table = table();
        let shares = table.first_shares(1, Some(VOTES));
        assert!(
            shares[0] > 0.8 && (shares[0] + shares[1] - 1.0).abs() < 1e-9,
            "{shares:?}"
        );
        // Of all weights, each candidate's two criteria are as often the heavier ones.
        let all = table.first_shares(1, None);
        assert!((all[0] - 0.5).abs() < 0.02, "{all:?}");
    }
}
