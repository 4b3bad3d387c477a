//! Which method answers a search soonest, and why.

use std::fmt;

use super::Method;

/// How a search will be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The method.
    pub method: Method,
    /// How many vectors the filter leaves; all, without one.
    pub eligible: usize,
    /// How many of the index's vectors no structure covers yet: they are scanned
    /// besides.
    pub pending: usize,
    /// Why this method.
    pub reason: Reason,
}

/// Why a method was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The search named it.
    Asked,
    /// The metric has no other.
    MetricNeedsExact,
    /// Nothing has been built: the rows are few, or `build` was not called.
    NothingBuilt,
    /// So few rows are eligible that looking at each is less work than walking.
    FewEligible,
    /// So many rows are eligible that walking is less work than looking at each.
    ManyEligible,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            method,
            eligible,
            pending,
            ..
        } = self;
        let why = match self.reason {
            Reason::Asked => "as asked",
            Reason::MetricNeedsExact => "the metric has no other method",
            Reason::NothingBuilt => "nothing is built",
            Reason::FewEligible => "few are eligible",
            Reason::ManyEligible => "many are eligible",
        };
        write!(f, "{method} over {eligible} vectors ({why})")?;
        if *method == Method::Graph && *pending > 0 {
            write!(f, ", {pending} not yet in the graph scanned besides")?;
        }
        Ok(())
    }
}

/// Returns whether scanning `eligible` of `covered` vectors takes less time than walking
/// to the `ef` nearest of them.
///
/// Both in nanoseconds as measured on 50,000 vectors of 384 numbers; only their ratio
/// matters, which other machines and vectors share roughly. A scan looks at every eligible
/// vector once, in order of memory. A walk looks at some for each of the `ef`, in random
/// order, at more of them the larger the graph, and at yet more where only a share is
/// eligible: the others are walked through, but not counted.
pub(super) fn scan_is_cheaper(eligible: usize, covered: usize, ef: usize) -> bool {
    let covered = covered.max(2) as f64;
    let share = (eligible as f64 / covered).min(1.0);
    let scan = 12_000.0 + 8.0 * eligible as f64;
    let walk = 55.0 * ef as f64 * covered.log2() / share.max(1e-9).powf(0.8);
    scan < walk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_scanned_and_much_is_walked() {
        let check = |eligible, covered, expect| {
            assert_eq!(
                scan_is_cheaper(eligible, covered, 100),
                expect,
                "{eligible} of {covered}"
            );
        };
        check(1_000, 1_000, true);
        check(50_000, 50_000, false);
        check(25_000, 50_000, false);
        check(5_000, 50_000, true);
        check(0, 50_000, true);
        check(1_000_000, 1_000_000, false);
        check(10_000, 1_000_000, true);
    }
}
