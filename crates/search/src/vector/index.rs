//! The vector index: one door to rows, structures and methods.

use contract::ChunkId;

use super::graph::{Graph, ScratchPool};
use super::ivf::{Enough, Ivf};
use super::plan::scan_is_cheaper;
use super::pq::Pq;
use super::rows::{Bits, MOST_DIMENSIONS, MOST_SLOTS, Query, Rows};
use super::scan::{self, Eligible};
use super::simd::Kernels;
use super::top::{Top, best_first};
use super::{Method, Metric, Plan, Reason, SearchOptions, Settings, Structure, VectorError};
use crate::ChunkSet;

/// From how many vectors on a scan starts with sketches: below, preparing the query
/// for them costs more than it saves.
const FEW_FOR_SKETCHES: usize = 2000;

/// Vectors of chunks, found by nearness.
///
/// Inserting, replacing and removing are effective at once; [`VectorIndex::build`]
/// only makes searching faster.
#[derive(Debug)]
pub struct VectorIndex {
    pub(super) settings: Settings,
    pub(super) rows: Rows,
    pub(super) graph: Graph,
    pub(super) ivf: Option<Ivf>,
    pub(super) pq: Option<Pq>,
    /// Dead slots in memory that nothing refers to.
    free: Vec<u32>,
    /// Raised by every change, so that a stale selection is seen.
    changes: u64,
    scratches: ScratchPool,
}

/// A chunk that was found, and the metric's value for it and the query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VectorHit {
    /// The chunk.
    pub chunk: ChunkId,
    /// The value as [`Metric`] defines it: a similarity or a distance.
    pub value: f32,
}

/// What a filter leaves of an index, ready for any number of searches until the
/// index changes.
#[derive(Clone, Debug)]
pub struct Selection {
    changes: u64,
    /// The eligible slots, ascending.
    slots: Vec<u32>,
    bits: Bits,
}

/// How like a question chunks are at large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Background {
    /// The mean likeness.
    pub mean: f64,
    /// Its standard deviation; more than 0.
    pub deviation: f64,
}

impl Background {
    /// Returns by how many standard deviations `alike` is above the mean.
    pub fn standing(&self, alike: f64) -> f64 {
        (alike - self.mean) / self.deviation
    }
}

impl Selection {
    /// Returns how many vectors are eligible.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns whether no vector is eligible.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

impl VectorIndex {
    /// Returns an empty index of vectors of `dimensions` numbers (from 1 to
    /// [`MOST_DIMENSIONS`]). Fails if a setting is out of its range.
    pub fn new(dimensions: usize, metric: Metric, settings: Settings) -> Result<Self, VectorError> {
        settings.check()?;
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            return Err(VectorError::Setting {
                setting: "dimensions",
                expected: "from 1 to 32768",
                found: dimensions.to_string(),
            });
        }
        if let Metric::Minkowski(order) = metric
            && !(order >= 1.0 && order.is_finite())
        {
            return Err(VectorError::Setting {
                setting: "the order of the Minkowski distance",
                expected: "at least 1",
                found: order.to_string(),
            });
        }
        Ok(Self::of(
            settings,
            Rows::new(dimensions, metric),
            Graph::new(settings.neighbours),
        ))
    }

    pub(super) fn of(settings: Settings, rows: Rows, graph: Graph) -> Self {
        Self {
            settings,
            rows,
            graph,
            ivf: None,
            pq: None,
            free: Vec::new(),
            changes: 0,
            scratches: ScratchPool::default(),
        }
    }

    /// Returns how many numbers a vector has.
    pub fn dimensions(&self) -> usize {
        self.rows.dimensions
    }

    /// Returns the metric.
    pub fn metric(&self) -> Metric {
        self.rows.metric
    }

    /// Returns how many vectors there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there is no vector.
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 0
    }

    /// Returns whether `chunk` has a vector.
    pub fn contains(&self, chunk: ChunkId) -> bool {
        self.rows.slots.contains_key(&chunk.0)
    }

    /// Returns `chunk`'s vector, if it has one; for the cosine metric at unit length.
    pub fn vector(&self, chunk: ChunkId) -> Option<&[f32]> {
        let slot = self.rows.slots.get(&chunk.0)?;
        Some(&self.rows.values.row(*slot)[..self.rows.dimensions])
    }

    /// Inserts `chunk` with its vector, replacing the one it had.
    ///
    /// Fails, changing nothing, if the vector has another length, a number that is
    /// not finite or, for the cosine metric, no direction.
    pub fn insert(&mut self, chunk: ChunkId, vector: &[f32]) -> Result<(), VectorError> {
        let values = self.rows.prepare(vector)?;
        if self.free.is_empty() && self.rows.slot_count() >= MOST_SLOTS {
            return Err(VectorError::Full { limit: MOST_SLOTS });
        }
        self.remove(chunk);
        self.changes += 1;
        match self.free.pop() {
            Some(slot) => self.rows.replace(slot, chunk, &values),
            None => {
                self.rows.push(chunk, &values);
            }
        }
        Ok(())
    }

    /// Removes `chunk`'s vector; returns whether it had one.
    pub fn remove(&mut self, chunk: ChunkId) -> bool {
        let Some(slot) = self.rows.remove(chunk) else {
            return false;
        };
        self.changes += 1;
        let place = slot as usize;
        if place >= self.referred() && place >= self.rows.values.file_rows() {
            self.free.push(slot);
        }
        true
    }

    /// Returns how many vectors what was built does not cover yet: a search scans
    /// them besides, so that after many inserts [`VectorIndex::extend`] pays.
    pub fn pending(&self) -> usize {
        let covered = match self.settings.structure {
            Structure::Graph => self.covered(Method::Graph),
            Structure::Ivf => self.covered(Method::Ivf),
            Structure::Pq => self.covered(Method::Pq),
        };
        let mut pending = 0;
        Eligible::Live.for_each(&self.rows.live, covered, self.rows.slot_count(), |_| {
            pending += 1;
        });
        pending
    }

    /// Returns how many slots the structure behind `method` covers.
    fn covered(&self, method: Method) -> usize {
        match method {
            Method::Exact | Method::Scan | Method::Binary => self.rows.slot_count(),
            Method::Graph => self.graph.covered(),
            Method::Ivf => self.ivf.as_ref().map_or(0, Ivf::covered),
            Method::Pq => self.pq.as_ref().map_or(0, Pq::covered),
        }
    }

    /// Returns the slot below which a structure may refer to slots.
    fn referred(&self) -> usize {
        [Method::Graph, Method::Ivf, Method::Pq]
            .map(|method| self.covered(method))
            .into_iter()
            .fold(0, usize::max)
    }

    /// Returns how many slots are held by vectors that are no more. `build` gives
    /// them back.
    pub fn dead(&self) -> usize {
        self.rows.slot_count() - self.rows.len() - self.free.len()
    }

    /// Builds the structure that the settings name over all vectors anew, in place of
    /// what was built before, and gives back what removed vectors held.
    /// Builds nothing for metrics that are searched by exact scan only.
    pub fn build(&mut self) -> Result<(), VectorError> {
        let mut order = Vec::with_capacity(self.len());
        Eligible::Live.for_each(&self.rows.live, 0, self.rows.slot_count(), |slot| {
            order.push(slot);
        });
        self.changes += 1;
        if order.len() < self.rows.slot_count() {
            self.rows = self.rows.gathered(&order);
            self.free.clear();
        }
        self.graph = Graph::new(self.settings.neighbours);
        self.ivf = None;
        self.pq = None;
        self.extend()
    }

    /// Builds as [`VectorIndex::build`] does, but `structure`, and from now on.
    pub fn build_as(&mut self, structure: Structure) -> Result<(), VectorError> {
        self.settings.structure = structure;
        self.build()
    }

    /// Adds the vectors that are pending to what was built. Builds anew if more than
    /// a quarter of the slots are dead.
    pub fn extend(&mut self) -> Result<(), VectorError> {
        if !self.metric().is_product() || self.is_empty() {
            return Ok(());
        }
        if self.dead() * 4 > self.rows.slot_count() {
            return self.build();
        }
        self.changes += 1;
        // What was free is now covered, though nothing leads to it.
        self.free.clear();
        let Self {
            settings,
            rows,
            graph,
            ivf,
            pq,
            ..
        } = self;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(settings.threads)
            .build()?;
        pool.install(|| match settings.structure {
            Structure::Graph => graph.extend(rows, settings.build_width, settings.seed),
            Structure::Ivf => match ivf {
                Some(ivf) => ivf.extend(rows),
                None => {
                    let lists = match settings.lists {
                        0 => rows.len().isqrt(),
                        lists => lists,
                    };
                    *ivf = Some(Ivf::build(rows, lists, settings.seed));
                }
            },
            Structure::Pq => match pq {
                Some(pq) => pq.extend(rows),
                None => *pq = Some(Pq::build(rows, settings.seed)),
            },
        });
        Ok(())
    }

    /// Returns what `chunks` leaves of the index, for any number of searches until
    /// it changes.
    pub fn select(&self, chunks: &ChunkSet) -> Selection {
        let mut bits = Bits::new(self.rows.slot_count());
        let mut slots = Vec::new();
        if chunks.len() * 8 < self.rows.slot_count() {
            slots.extend(
                chunks
                    .iter()
                    .filter_map(|chunk| self.rows.slots.get(&chunk.0)),
            );
            slots.sort_unstable();
        } else {
            Eligible::Live.for_each(&self.rows.live, 0, self.rows.slot_count(), |slot| {
                if chunks.contains(self.rows.chunk(slot)) {
                    slots.push(slot);
                }
            });
        }
        for slot in &slots {
            bits.insert(*slot);
        }
        Selection {
            changes: self.changes,
            slots,
            bits,
        }
    }

    /// Returns how like `query` (by the product, whatever the metric) the vectors are at large, of all or of those in
    /// `selection`: what a likeness has to stand out from to say anything. Measured on at
    /// most 512 of them, evenly spread; nothing if there are none.
    ///
    /// Of few vectors the mean and the deviation would say little, so they are drawn
    /// towards those that sentence embedders usually have (0.1 and 0.12), which count as
    /// 16 vectors.
    pub fn background(&self, query: &[f32], selection: Option<&Selection>) -> Option<Background> {
        const SAMPLE: usize = 512;
        const USUAL: (f64, f64, f64) = (16.0, 0.1, 0.12);
        if query.len() != self.rows.dimensions {
            return None;
        }
        let all = selection.map_or(self.len(), Selection::len);
        if all == 0 {
            return None;
        }
        let every = all.div_ceil(SAMPLE);
        let (mut sum, mut squares, mut count, mut at) = (0.0, 0.0, 0.0, 0);
        let kernels = Kernels::best();
        let eligible = selection.map_or(Eligible::Live, |selection| {
            Eligible::Slots(&selection.slots)
        });
        eligible.for_each(&self.rows.live, 0, self.rows.slot_count(), |slot| {
            if at % every == 0 {
                let row = &self.rows.values.row(slot)[..self.rows.dimensions];
                let alike = f64::from(kernels.dot(query, row));
                sum += alike;
                squares += alike * alike;
                count += 1.0;
            }
            at += 1;
        });
        let (usual, mean, deviation) = USUAL;
        let weight = count + usual;
        let prior = usual * (deviation * deviation + mean * mean);
        let mean = (sum + usual * mean) / weight;
        let variance = (squares + prior) / weight - mean * mean;
        Some(Background {
            mean,
            deviation: variance.max(1e-6).sqrt(),
        })
    }

    /// Returns how a search for `k` vectors would be done.
    pub fn plan(&self, k: usize, options: &SearchOptions, selection: Option<&Selection>) -> Plan {
        let eligible = selection.map_or(self.len(), Selection::len);
        let ef = options.ef.unwrap_or(self.settings.search_width).max(k);
        let built = match self.settings.structure {
            Structure::Graph => Method::Graph,
            Structure::Ivf => Method::Ivf,
            Structure::Pq => Method::Pq,
        };
        let covered = self.covered(built);
        let scan = if eligible >= FEW_FOR_SKETCHES && self.rows.sketcher.is_some() {
            Method::Binary
        } else {
            Method::Scan
        };
        let (method, reason) = if let Some(method) = options.method {
            (method, Reason::Asked)
        } else if !self.metric().is_product() {
            (Method::Exact, Reason::MetricNeedsExact)
        } else if covered == 0 {
            (scan, Reason::NothingBuilt)
        } else if scan_is_cheaper(eligible, covered, ef) {
            (scan, Reason::FewEligible)
        } else {
            (built, Reason::ManyEligible)
        };
        Plan {
            method,
            eligible,
            pending: self.rows.slot_count() - self.covered(method),
            reason,
        }
    }

    /// Returns the `k` vectors nearest to `query`, the nearest first, of all or of
    /// those in `selection`; fewer only if there are fewer. Of equals the chunk
    /// with the lower number comes first.
    ///
    /// Fails if the query is not a vector of this index (see [`VectorIndex::insert`]),
    /// if the selection is stale, or if the method asked for cannot do the metric.
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        options: &SearchOptions,
        selection: Option<&Selection>,
    ) -> Result<Vec<VectorHit>, VectorError> {
        if selection.is_some_and(|selection| selection.changes != self.changes) {
            return Err(VectorError::StaleSelection);
        }
        let plan = self.plan(k, options, selection);
        if plan.method != Method::Exact && !self.metric().is_product() {
            return Err(VectorError::MetricNeedsExact {
                metric: self.metric(),
                method: plan.method,
            });
        }
        let query = self.rows.query(query)?;
        let k = k.min(plan.eligible);
        if k == 0 {
            return Ok(Vec::new());
        }
        let eligible = selection.map_or(Eligible::Live, |selection| {
            Eligible::Slots(&selection.slots)
        });
        let rescore = options.rescore.unwrap_or((4 * k).max(32)).max(k);
        let found = match plan.method {
            Method::Exact => scan::exact(&self.rows, &query, eligible, k),
            Method::Scan => {
                let candidates = scan::coded(&self.rows, &query, eligible, 0, rescore);
                scan::rescored(&self.rows, &query, &candidates, k)
            }
            Method::Binary => {
                let limit = options.rescore.unwrap_or(usize::MAX).max(k);
                scan::sketched(&self.rows, &query, eligible, k, limit)
            }
            Method::Graph | Method::Ivf | Method::Pq => {
                let rescore = match plan.method {
                    Method::Pq => options.rescore.unwrap_or((40 * k).max(400)).max(k),
                    _ => rescore,
                };
                let mut candidates = match plan.method {
                    Method::Graph => self.walk(&query, k, options, selection),
                    Method::Ivf => self.probe(&query, rescore, options, selection),
                    _ => self.look_up(&query, rescore, eligible),
                };
                candidates.truncate(rescore);
                let pending = scan::coded(
                    &self.rows,
                    &query,
                    eligible,
                    self.covered(plan.method),
                    rescore,
                );
                if !pending.is_empty() {
                    candidates.extend(pending);
                    candidates.sort_unstable_by(best_first);
                    candidates.truncate(rescore);
                }
                if candidates.len() < k {
                    // The structure does not lead to all of them: a scan does.
                    candidates = scan::coded(&self.rows, &query, eligible, 0, rescore);
                }
                scan::rescored(&self.rows, &query, &candidates, k)
            }
        };
        let mut hits: Vec<VectorHit> = found
            .into_iter()
            .map(|(closeness, slot)| VectorHit {
                chunk: self.rows.chunk(slot),
                value: self.metric().closeness(closeness),
            })
            .collect();
        let metric = self.metric();
        hits.sort_by(|a, b| {
            metric
                .closeness(b.value)
                .total_cmp(&metric.closeness(a.value))
                .then(a.chunk.cmp(&b.chunk))
        });
        Ok(hits)
    }

    /// Returns the eligible slots that a walk through the graph finds, best first.
    fn walk(
        &self,
        query: &Query,
        k: usize,
        options: &SearchOptions,
        selection: Option<&Selection>,
    ) -> Vec<(f32, u32)> {
        let Self { rows, graph, .. } = self;
        let ef = options.ef.unwrap_or(self.settings.search_width).max(k);
        let everything = rows.len() == rows.slot_count();
        self.scratches.with(|scratch| match selection {
            Some(selection) if selection.len() < rows.len() => {
                graph.nearest_of(rows, &query.coded, ef, &selection.bits, scratch)
            }
            _ if everything => graph.nearest(rows, &query.coded, ef, scratch).to_vec(),
            _ => graph.nearest_of(rows, &query.coded, ef, &rows.live, scratch),
        })
    }

    /// Returns the `limit` best eligible slots in the groups nearest to the query.
    fn probe(
        &self,
        query: &Query,
        limit: usize,
        options: &SearchOptions,
        selection: Option<&Selection>,
    ) -> Vec<(f32, u32)> {
        let Some(ivf) = &self.ivf else {
            return Vec::new();
        };
        let allowed = selection.map_or(&self.rows.live, |selection| &selection.bits);
        let probes = match options.probes.unwrap_or(self.settings.probes) {
            0 => (ivf.lists() / 8).max(8),
            probes => probes,
        };
        let mut top = Top::new(limit);
        let (mut slots, mut scores) = (Vec::new(), Vec::new());
        let mut found = 0;
        ivf.visit(&self.rows, query, probes, |group| {
            slots.clear();
            slots.extend(group.iter().copied().filter(|slot| allowed.contains(*slot)));
            self.rows.code_scores(&query.coded, &slots, &mut scores);
            for (score, slot) in scores.iter().zip(&slots) {
                top.push(*score, *slot);
            }
            found += slots.len();
            // Under a filter more groups are needed for as many candidates.
            if found >= limit {
                Enough::Yes
            } else {
                Enough::No
            }
        });
        top.into_sorted()
    }

    /// Returns the `limit` best eligible slots by product-quantised codes, scored by
    /// int8 codes.
    fn look_up(&self, query: &Query, limit: usize, eligible: Eligible<'_>) -> Vec<(f32, u32)> {
        let Some(pq) = &self.pq else {
            return Vec::new();
        };
        let products = pq.products(query);
        let mut top = Top::new(limit);
        eligible.for_each(&self.rows.live, 0, pq.covered(), |slot| {
            let score = pq.product(&products, slot) + self.rows.scale_bias(slot)[1];
            top.push(score, slot);
        });
        let slots: Vec<u32> = top.into_sorted().iter().map(|found| found.1).collect();
        let mut scores = Vec::new();
        self.rows.code_scores(&query.coded, &slots, &mut scores);
        let mut found: Vec<_> = scores.into_iter().zip(slots).collect();
        found.sort_unstable_by(best_first);
        found
    }

    /// Returns how many bytes a search by `method` may touch, besides the `f32` rows
    /// of what it compares again.
    pub(super) fn searched_bytes(&self, method: Method) -> usize {
        let slots = self.rows.slot_count();
        let codes = slots * (self.rows.codes.stride() + 8);
        let sketches = slots * 8 * self.rows.sketches.stride();
        match method {
            Method::Exact => slots * self.rows.dimensions * 4,
            Method::Scan => codes,
            Method::Binary => sketches + codes,
            Method::Graph => codes + self.graph.memory(),
            Method::Ivf => codes + self.ivf.as_ref().map_or(0, Ivf::memory),
            Method::Pq => codes + self.pq.as_ref().map_or(0, Pq::memory),
        }
    }

    /// Returns how many bytes of memory the index takes, besides its mapped file.
    pub fn memory(&self) -> usize {
        let rows = &self.rows;
        rows.values.memory()
            + rows.codes.memory()
            + rows.scales.memory()
            + rows.sketches.memory()
            + rows.chunks.memory()
            + rows.live.words.len() * 8
            + rows.slots.capacity() * 17
            + self.graph.memory()
            + self.ivf.as_ref().map_or(0, Ivf::memory)
            + self.pq.as_ref().map_or(0, Pq::memory)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::vector::random::Random;

    const METHODS: [Method; Method::ALL.len()] = Method::ALL;

    fn vector(random: &mut Random, dimensions: usize) -> Vec<f32> {
        (0..dimensions).map(|_| random.unit() * 2.0 - 0.9).collect()
    }

    fn filled(metric: Metric, count: u64, dimensions: usize) -> VectorIndex {
        let mut index = VectorIndex::new(dimensions, metric, Settings::default()).unwrap();
        let mut random = Random::new(count);
        for chunk in 0..count {
            index
                .insert(ChunkId(chunk), &vector(&mut random, dimensions))
                .unwrap();
        }
        index
    }

    #[test]
    fn ranks_as_worked_out_by_hand() {
        let documents = [
            [0.1, 0.9, 0.2, 0.8, 0.4],
            [0.8, 0.1, 0.9, 0.2, 0.7],
            [0.3, 0.7, 0.1, 0.8, 0.2],
        ];
        for (metric, order, values) in [
            (Metric::Cosine, [3, 1, 2], [0.992244, 0.984844, 0.404769]),
            (Metric::Euclidean, [3, 1, 2], [0.2, 0.223607, 1.462874]),
            (Metric::Dot, [1, 3, 2], [1.60, 1.41, 0.72]),
        ] {
            for method in METHODS {
                let mut index = VectorIndex::new(5, metric, Settings::default()).unwrap();
                for (chunk, document) in (1..).zip(&documents) {
                    index.insert(ChunkId(chunk), document).unwrap();
                }
                index.build().unwrap();
                let options = SearchOptions {
                    method: Some(method),
                    ..SearchOptions::default()
                };
                let hits = index
                    .search(&[0.2, 0.8, 0.1, 0.9, 0.3], 3, &options, None)
                    .unwrap();
                assert_eq!(
                    hits.iter().map(|hit| hit.chunk.0).collect::<Vec<_>>(),
                    order
                );
                for (hit, value) in hits.iter().zip(values) {
                    assert!((hit.value - value).abs() < 1e-5, "{metric:?} {hit:?}");
                }
            }
        }
    }

    #[test]
    fn bad_vectors_are_refused_and_change_nothing() {
        let mut index = filled(Metric::Cosine, 3, 4);
        for bad in [
            vec![1.0; 3],
            vec![0.0; 4],
            vec![f32::NAN, 0.0, 0.0, 1.0],
            vec![1e30; 4],
        ] {
            assert!(index.insert(ChunkId(1), &bad).is_err());
            assert!(
                index
                    .search(&bad, 1, &SearchOptions::default(), None)
                    .is_err()
            );
        }
        assert_eq!(index.len(), 3);
        assert!(index.contains(ChunkId(1)));
    }

    #[test]
    fn a_selection_is_stale_after_a_change() {
        let mut index = filled(Metric::Cosine, 3, 4);
        let selection = index.select(&[ChunkId(1)].into_iter().collect());
        index.remove(ChunkId(2));
        assert!(matches!(
            index.search(&[1.0; 4], 1, &SearchOptions::default(), Some(&selection)),
            Err(VectorError::StaleSelection)
        ));
    }

    #[test]
    fn the_number_of_threads_does_not_change_the_graph() {
        let build = |threads| {
            let mut index = filled(Metric::Cosine, 700, 8);
            index.settings.threads = threads;
            index.build().unwrap();
            index.graph.columns().map(|column| column.runs().concat())
        };
        assert_eq!(build(1), build(3));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Every method returns what brute force returns, except that approximate
        /// ones may miss some of it, never giving fewer than there are.
        #[test]
        fn every_method_is_as_brute_force(
            seed in any::<u64>(),
            metric in prop::sample::select(vec![Metric::Cosine, Metric::Dot, Metric::Euclidean]),
            dimensions in prop::sample::select(vec![12usize, 80]),
            steps in prop::collection::vec((0u64..400, 0u8..10), 0..600),
            builds in prop::collection::vec(0usize..600, 0..4),
            structure in prop::sample::select(vec![Structure::Graph, Structure::Ivf, Structure::Pq]),
            share in 1u64..12,
            k in 0usize..20,
        ) {
            let mut random = Random::new(seed);
            let mut index = VectorIndex::new(dimensions, metric, Settings { threads: 1, structure, ..Settings::default() }).unwrap();
            let mut plain: BTreeMap<ChunkId, Vec<f32>> = BTreeMap::new();
            for (at, (chunk, action)) in steps.into_iter().enumerate() {
                let chunk = ChunkId(chunk);
                if action < 8 {
                    let vector = vector(&mut random, dimensions);
                    index.insert(chunk, &vector).unwrap();
                    plain.insert(chunk, vector);
                } else {
                    prop_assert_eq!(index.remove(chunk), plain.remove(&chunk).is_some());
                }
                if builds.contains(&at) {
                    if at % 2 == 0 { index.extend().unwrap() } else { index.build().unwrap() }
                }
            }
            prop_assert_eq!(index.len(), plain.len());
            let chosen: ChunkSet = plain.keys().copied().filter(|chunk| chunk.0 % share == 0).collect();
            let selection = index.select(&chosen);
            prop_assert_eq!(selection.len(), chosen.len());
            let query = vector(&mut random, dimensions);
            for selection in [None, Some(&selection)] {
                let mut expect: Vec<(f32, ChunkId)> = plain
                    .iter()
                    .filter(|(chunk, _)| selection.is_none() || chosen.contains(**chunk))
                    .map(|(chunk, vector)| (metric.closeness(metric.value(&query, vector) as f32), *chunk))
                    .collect();
                expect.sort_by(|a, b| b.0.total_cmp(&a.0));
                expect.truncate(k);
                for method in METHODS.map(Some).into_iter().chain([None]) {
                    let options = SearchOptions { method, ..SearchOptions::default() };
                    let hits = index.search(&query, k, &options, selection).unwrap();
                    prop_assert_eq!(hits.len(), expect.len(), "{:?}", method);
                    for (hit, (closeness, _)) in hits.iter().zip(&expect) {
                        prop_assert!(plain.contains_key(&hit.chunk));
                        let value = metric.value(&query, &plain[&hit.chunk]) as f32;
                        prop_assert!((hit.value - value).abs() < 1e-4);
                        if matches!(method, Some(Method::Exact | Method::Scan)) {
                            prop_assert!((metric.closeness(hit.value) - closeness).abs() < 1e-4);
                        }
                    }
                }
            }
        }
    }
}
