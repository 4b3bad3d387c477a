//! An inverted file: vectors grouped by the nearest of some centres, so that a
//! search looks only at the groups whose centres are near the query (Sivic and
//! Zisserman 2003; Jégou and others 2011).
//!
//! Centres are found by k-means over a sample. They are kept as rows of their own,
//! so that finding a vector's centre is a scan over codes like any other.

use contract::ChunkId;
use rayon::prelude::*;

use super::Metric;
use super::codes::CodedQuery;
use super::random::Random;
use super::rows::{Bits, Query, Rows};
use super::top::best_first;

/// Rounds of k-means. Recall no longer gained from more on sentence embeddings.
const ROUNDS: usize = 8;

/// Sampled vectors for each centre.
const SAMPLE: usize = 64;

/// Groups of the slots `0..covered`.
#[derive(Debug)]
pub(super) struct Ivf {
    /// The centres, compared by Euclidean distance.
    centres: Rows,
    /// Where each group's slots start, and where the last ends.
    starts: Vec<u32>,
    /// The slots, group after group, ascending in each.
    slots: Vec<u32>,
    covered: usize,
}

impl Ivf {
    /// Groups the live slots of `rows` into `lists` groups. Uses the rayon pool it
    /// is called in; the result does not depend on its threads.
    pub(super) fn build(rows: &Rows, lists: usize, seed: u64) -> Self {
        let mut live = Vec::with_capacity(rows.len());
        rows.live
            .for_each(rows.slot_count(), |slot| live.push(slot));
        let lists = lists.clamp(1, live.len().max(1));
        let mut random = Random::new(seed);
        let sample: Vec<u32> = random
            .sample(lists * SAMPLE, live.len())
            .into_iter()
            .map(|at| live[at])
            .collect();
        let starting = random.sample(lists, sample.len());
        let values = |slot: u32| &rows.values.row(slot)[..rows.dimensions];
        let mut centres: Vec<Vec<f32>> = starting
            .into_iter()
            .map(|at| values(sample[at]).to_vec())
            .collect();
        let mut coded = centre_rows(rows.dimensions, &centres);
        for _ in 0..ROUNDS {
            let assigned = assign(rows, &coded, &sample);
            let mut sums = vec![vec![0.0f64; rows.dimensions]; centres.len()];
            let mut counts = vec![0usize; centres.len()];
            for (slot, group) in sample.iter().zip(&assigned) {
                counts[*group as usize] += 1;
                for (sum, value) in sums[*group as usize].iter_mut().zip(values(*slot)) {
                    *sum += f64::from(*value);
                }
            }
            for ((centre, sum), count) in centres.iter_mut().zip(&sums).zip(&counts) {
                if *count == 0 {
                    // A centre that nothing is near starts again somewhere else.
                    centre.copy_from_slice(values(sample[random.below(sample.len())]));
                } else {
                    for (value, sum) in centre.iter_mut().zip(sum) {
                        *value = (sum / *count as f64) as f32;
                    }
                }
            }
            coded = centre_rows(rows.dimensions, &centres);
        }
        let mut ivf = Self {
            centres: coded,
            starts: vec![0; centres.len() + 1],
            slots: Vec::new(),
            covered: 0,
        };
        ivf.extend(rows);
        ivf
    }

    /// Puts the slots that are not covered yet into their groups.
    pub(super) fn extend(&mut self, rows: &Rows) {
        let mut fresh = Vec::new();
        rows.live.for_each(rows.slot_count(), |slot| {
            if slot as usize >= self.covered {
                fresh.push(slot);
            }
        });
        self.covered = rows.slot_count();
        if self.centres.slot_count() == 0 {
            return;
        }
        let assigned = assign(rows, &self.centres, &fresh);
        let mut groups: Vec<Vec<u32>> = (0..self.starts.len() - 1)
            .map(|group| self.group(group as u32).to_vec())
            .collect();
        for (slot, group) in fresh.iter().zip(assigned) {
            groups[group as usize].push(*slot);
        }
        self.slots.clear();
        for (start, group) in self.starts[1..].iter_mut().zip(groups) {
            self.slots.extend(group);
            *start = self.slots.len() as u32;
        }
    }

    /// Returns how many slots it covers: those below this number.
    pub(super) fn covered(&self) -> usize {
        self.covered
    }

    fn group(&self, group: u32) -> &[u32] {
        let group = group as usize;
        &self.slots[self.starts[group] as usize..self.starts[group + 1] as usize]
    }

    /// Gives the slots of the groups nearest to `query` to `each`, group by group:
    /// those of at least `probes` groups, and then of more until `each` says that
    /// it has enough.
    pub(super) fn visit(
        &self,
        rows: &Rows,
        query: &Query,
        probes: usize,
        mut each: impl FnMut(&[u32]) -> Enough,
    ) {
        let groups: Vec<u32> = (0..self.centres.slot_count() as u32).collect();
        let mut scores = Vec::new();
        self.centres.code_scores(&query.coded, &groups, &mut scores);
        let mut ranked: Vec<(f32, u32)> = scores.into_iter().zip(groups).collect();
        if rows.metric == Metric::Dot {
            // The largest products, not the smallest distances.
            for (score, group) in &mut ranked {
                *score -= self.centres.scale_bias(*group)[1];
            }
        }
        ranked.sort_unstable_by(best_first);
        for (visited, (_, group)) in ranked.into_iter().enumerate() {
            let enough = each(self.group(group));
            if visited + 1 >= probes && enough == Enough::Yes {
                break;
            }
        }
    }

    /// Returns how many bytes of memory it takes.
    pub(super) fn memory(&self) -> usize {
        self.centres.values.memory()
            + self.centres.codes.memory()
            + 4 * (self.starts.len() + self.slots.len())
    }

    /// Returns how many groups there are.
    pub(super) fn lists(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns what [`Ivf::of_parts`] needs: the centres' values, starts and slots.
    pub(super) fn parts(&self) -> (Vec<f32>, &[u32], &[u32]) {
        let centres = (0..self.centres.slot_count() as u32)
            .flat_map(|centre| &self.centres.values.row(centre)[..self.centres.dimensions]);
        (centres.copied().collect(), &self.starts, &self.slots)
    }

    /// Returns the inverted file of these parts over `covered` slots; nothing if
    /// they do not hold together.
    pub(super) fn of_parts(
        dimensions: usize,
        centres: &[f32],
        starts: &[u32],
        slots: &[u32],
        covered: usize,
    ) -> Option<Self> {
        let centres: Vec<Vec<f32>> = centres.chunks(dimensions).map(<[f32]>::to_vec).collect();
        let mut seen = Bits::new(covered);
        for slot in slots {
            if *slot as usize >= covered || seen.contains(*slot) {
                return None;
            }
            seen.insert(*slot);
        }
        let finite = centres.iter().flatten().all(|value| value.is_finite());
        let whole = starts.len() == centres.len() + 1
            && starts[0] == 0
            && starts.is_sorted()
            && starts[centres.len()] as usize == slots.len()
            && centres
                .last()
                .is_none_or(|centre| centre.len() == dimensions);
        (finite && whole).then(|| Self {
            centres: centre_rows(dimensions, &centres),
            starts: starts.to_vec(),
            slots: slots.to_vec(),
            covered,
        })
    }
}

/// Whether a visit may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enough {
    /// There are enough candidates.
    Yes,
    /// More are needed.
    No,
}

fn centre_rows(dimensions: usize, centres: &[Vec<f32>]) -> Rows {
    let mut rows = Rows::unsketched(dimensions, Metric::Euclidean);
    let mut values = vec![0.0; rows.values.stride()];
    for (number, centre) in (0..).zip(centres) {
        values[..dimensions].copy_from_slice(centre);
        rows.push(ChunkId(number), &values);
    }
    rows
}

/// Returns the nearest centre of each of `slots`.
fn assign(rows: &Rows, centres: &Rows, slots: &[u32]) -> Vec<u32> {
    let groups: Vec<u32> = (0..centres.slot_count() as u32).collect();
    slots
        .par_iter()
        .with_min_len(64)
        .map_init(
            || (CodedQuery::default(), Vec::new()),
            |(query, scores), slot| {
                query.set_row(rows.codes.row(*slot), rows.scale_bias(*slot)[0]);
                centres.code_scores(query, &groups, scores);
                let best = scores
                    .iter()
                    .copied()
                    .zip(groups.iter().copied())
                    .min_by(best_first);
                best.map_or(0, |(_, group)| group)
            },
        )
        .collect()
}
