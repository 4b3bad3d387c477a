//! The verdict: who wins, by how much, how sure; or that nobody does, and what would settle it.
//!
//! A difference is claimed only if its interval is above 0 *and* its p-value, corrected for the
//! number of comparisons, is below the plan's level. A candidate wins only if that holds
//! against every other one, and each difference is as large as the plan says matters.

use serde::{Deserialize, Serialize};

use crate::compare::{CandidateScores, Difference, Plan};
use crate::metric::Metric;
use crate::statistics::{Interval, Settling};

/// What came of a comparison, in figures and in a sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Who wins; nobody where no difference that matters was seen.
    pub winner: Option<String>,
    /// What kind of verdict it is.
    pub outcome: Outcome,
    /// The verdict as a sentence.
    pub statement: String,
    /// The metric that decided.
    pub metric: Metric,
    /// How much the first is ahead of the nearest other; nothing if there is no other.
    pub difference: Option<f64>,
    /// Where that lies.
    pub interval: Option<Interval>,
    /// Its p-value, corrected for the number of comparisons.
    pub p_value: Option<f64>,
}

/// The kinds of verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// One candidate is better than all others, by as much as matters.
    Winner,
    /// One is better than all others, but than some by less than matters.
    TooSmall,
    /// The best ones differ by less than matters, for sure.
    Equivalent,
    /// No difference was seen between the best ones; there may be one.
    Unsettled,
    /// There is only one candidate.
    Alone,
}

/// Decides. Candidates are not empty; `differences` has each two of them.
pub(crate) fn verdict(
    plan: &Plan,
    questions: usize,
    candidates: &[CandidateScores],
    differences: &[Difference],
) -> Verdict {
    let mut ahead: Vec<&Difference> = Vec::new();
    let leader = candidates.iter().find(|candidate| {
        ahead = differences
            .iter()
            .filter(|it| it.better == candidate.name)
            .collect();
        ahead.len() + 1 == candidates.len()
    });
    let (Some(leader), Some(nearest)) = (leader, ahead.last()) else {
        return alone(plan, questions, &candidates[0]);
    };
    let leader = &leader.name;
    let is_claimed = |it: &Difference| it.interval.low > 0.0 && it.p_corrected < plan.alpha;
    let tied: Vec<&Difference> = ahead.iter().copied().filter(|it| !is_claimed(it)).collect();
    let beaten: Vec<&str> = ahead
        .iter()
        .filter(|it| is_claimed(it))
        .map(|it| it.worse.as_str())
        .collect();
    let interest = figure(
        plan.metric,
        plan.smallest_difference,
        plan.smallest_difference,
    );
    let (outcome, statement) = if tied.is_empty() {
        let shown = shown(plan, questions, nearest);
        if nearest.difference >= plan.smallest_difference {
            (Outcome::Winner, format!("`{leader}` wins: {shown}"))
        } else {
            let but = format!("but by less than the {interest} that matters");
            (
                Outcome::TooSmall,
                format!("`{leader}` is better, {but}: {shown}"),
            )
        }
    } else {
        let mut group = vec![leader.as_str()];
        group.extend(tied.iter().map(|it| it.worse.as_str()));
        let group = names(&group);
        // The one that is hardest to tell from the leader says what is still needed.
        let closest = tied[tied.len() - 1];
        let shown = shown(plan, questions, closest);
        let also = match beaten.as_slice() {
            [] => String::new(),
            beaten => format!("; `{leader}` is better than {}", names(beaten)),
        };
        if tied
            .iter()
            .all(|it| it.interval.high < plan.smallest_difference)
        {
            let statement =
                format!("{group} do not differ by the {interest} that matters: {shown}{also}");
            (Outcome::Equivalent, statement)
        } else {
            let settling = tied.iter().max_by_key(|it| effort(&it.settling));
            let settling = settling.map_or(String::new(), |it| {
                would_settle(it.settling, &it.worse, &interest)
            });
            let statement = format!("no difference seen between {group}: {shown}{settling}{also}");
            (Outcome::Unsettled, statement)
        }
    };
    let difference = tied.last().copied().unwrap_or(*nearest);
    Verdict {
        winner: (outcome == Outcome::Winner).then(|| leader.clone()),
        outcome,
        statement,
        metric: plan.metric,
        difference: Some(difference.difference),
        interval: Some(difference.interval),
        p_value: Some(difference.p_corrected),
    }
}

fn alone(plan: &Plan, questions: usize, candidate: &CandidateScores) -> Verdict {
    let score = &candidate.metrics[plan.metric.name()];
    let scale = score.interval.half_width();
    let statement = format!(
        "`{}` has nothing to be compared with: {} {} ({} % interval {} to {}, {})",
        candidate.name,
        plan.metric,
        figure(plan.metric, score.value, scale),
        percent(1.0 - plan.alpha),
        figure(plan.metric, score.interval.low, scale),
        figure(plan.metric, score.interval.high, scale),
        counted(questions),
    );
    Verdict {
        winner: None,
        outcome: Outcome::Alone,
        statement,
        metric: plan.metric,
        difference: None,
        interval: None,
        p_value: None,
    }
}

/// Says a difference: `+0.07 f1 over `lora` (95 % interval 0.02 to 0.12, p = 0.003, 240
/// questions, paired)`.
fn shown(plan: &Plan, questions: usize, difference: &Difference) -> String {
    let scale = plan.smallest_difference.min(difference.difference);
    let figure = |value: f64| figure(plan.metric, value, scale);
    let more = if plan.metric.more_is_better() {
        "+"
    } else {
        "−"
    };
    format!(
        "{more}{} {} over `{}` ({} % interval {} to {}, p {}, {}, paired)",
        figure(difference.difference),
        plan.metric,
        difference.worse,
        percent(1.0 - plan.alpha),
        figure(difference.interval.low),
        figure(difference.interval.high),
        p_value(difference.p_corrected),
        counted(questions),
    )
}

fn would_settle(settling: Settling, other: &str, interest: &str) -> String {
    match settling {
        Settling::MoreQuestions(0) => {
            format!(", though so many questions would mostly have shown one of {interest}")
        }
        Settling::MoreQuestions(more) => {
            let more = counted_more(more);
            format!(", and {more} would settle whether there is one of {interest}")
        }
        Settling::MoreSeeds(seeds) => format!(
            ", and no number of questions would settle whether there is one of {interest}: \
             the training seeds differ too much; {seeds} seeds might"
        ),
        Settling::Unknown => {
            format!(", for `{other}` answered every question as well; harder ones may tell")
        }
    }
}

/// Orders by what it would take.
fn effort(settling: &Settling) -> (u8, u64) {
    match settling {
        Settling::MoreQuestions(more) => (0, *more),
        Settling::Unknown => (1, 0),
        Settling::MoreSeeds(seeds) => (2, *seeds),
    }
}

fn counted(questions: usize) -> String {
    match questions {
        1 => "1 question".to_owned(),
        many => format!("{many} questions"),
    }
}

/// Two digits are all that an estimate of questions is good for.
fn counted_more(more: u64) -> String {
    let mut unit = 1;
    while more / unit >= 100 {
        unit *= 10;
    }
    match more.div_ceil(unit) * unit {
        1 => "1 more question".to_owned(),
        about => format!("{about} more questions"),
    }
}

/// Joins names: `` `a`, `b` and `c` ``.
pub(crate) fn names(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
        [] => String::new(),
    }
}

pub(crate) fn percent(level: f64) -> String {
    let percent = 100.0 * level;
    match (percent - percent.round()).abs() < 1e-9 {
        true => format!("{percent:.0}"),
        false => format!("{percent:.1}"),
    }
}

fn p_value(p: f64) -> String {
    match p {
        small if small < 0.001 => "< 0.001".to_owned(),
        p if p < 0.1 => format!("= {p:.3}"),
        p => format!("= {p:.2}"),
    }
}

/// Writes a figure with as many digits as its metric and `scale` (something as small as what
/// matters) ask for.
pub(crate) fn figure(metric: Metric, value: f64, scale: f64) -> String {
    let digits: usize = match metric.largest() {
        Some(1.0) if scale.abs() < 0.0095 => 3,
        Some(1.0) => 2,
        _ if scale.abs() < 0.095 => 2,
        _ => 1,
    };
    let written = format!("{value:.digits$}");
    // No minus before what is rounded to nothing.
    match written
        .trim_start_matches('-')
        .bytes()
        .all(|byte| matches!(byte, b'0' | b'.'))
    {
        true => written.trim_start_matches('-').to_owned(),
        false => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_that_matter() {
        let check = |metric: &str, value: f64, scale: f64, expect: &str| {
            assert_eq!(figure(metric.parse().unwrap(), value, scale), expect);
        };
        check("f1", 0.0712, 0.03, "0.07");
        check("f1", 0.0712, 0.005, "0.071");
        check("f1", -0.0012, 0.03, "0.00");
        check("bleu", 31.26, 2.0, "31.3");
        check("perplexity", 12.345, 0.05, "12.35");
    }

    #[test]
    fn questions_that_are_needed_are_said_roughly() {
        assert_eq!(counted_more(1), "1 more question");
        assert_eq!(counted_more(97), "97 more questions");
        assert_eq!(counted_more(1234), "1300 more questions");
        assert_eq!(p_value(0.0004), "< 0.001");
        assert_eq!(p_value(0.0312), "= 0.031");
    }
}
