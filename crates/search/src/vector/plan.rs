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

/// Chooses between scanning and walking.
///
/// Walking to the `ef` nearest looks at about `16 ef` rows in random order where all are
/// eligible, and at more in proportion where only a share is; scanning looks at every
/// eligible row once, in order of memory.
pub(super) fn scan_is_cheaper(eligible: usize, covered: usize, ef: usize) -> bool {
    let share = eligible as f64 / covered.max(1) as f64;
    let walked = 16.0 * ef as f64 / share.max(1e-9);
    (eligible as f64) < 2.0 * walked
}
