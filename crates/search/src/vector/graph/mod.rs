//! A hierarchical navigable small-world graph (Malkov and Yashunin 2018, "Efficient
//! and robust approximate nearest neighbor search using HNSW graphs") over codes.
//!
//! Every slot has a list of neighbours at level 0; a few have lists at higher
//! levels, by which a search finds its neighbourhood. The lists of level 0 lie in
//! one array with a fixed stride, unused places marked [`NONE`].

mod build;
mod walk;

use std::sync::Arc;

use super::column::Column;
use crate::derived::{Derived, DerivedError};

pub(super) use walk::{Scratch, ScratchPool};

/// No neighbour: marks the end of a list.
pub(super) const NONE: u32 = u32::MAX;

/// The highest level a slot can have. With 16 neighbours it is reached by one in 10³⁸.
const MOST_LEVELS: u32 = 32;

/// The graph over the slots `0..covered`.
#[derive(Debug)]
pub(super) struct Graph {
    /// Neighbours at the upper levels; twice as many at level 0.
    pub(super) degree: usize,
    /// Lists at level 0.
    lists: Column<u32>,
    /// For each slot where its first upper list is (level 1, then 2, …) and its
    /// level: `[at, level]`.
    towers: Column<u32>,
    /// Lists at the upper levels.
    upper: Column<u32>,
    /// Where searches start, and its level; none in an empty graph.
    entry: Option<(u32, u32)>,
}

impl Graph {
    /// Returns a graph of no slots.
    pub(super) fn new(degree: usize) -> Self {
        Self {
            degree,
            lists: Column::new(2 * degree),
            towers: Column::new(2),
            upper: Column::new(degree),
            entry: None,
        }
    }

    /// Returns how many slots it covers: those below this number.
    pub(super) fn covered(&self) -> usize {
        self.lists.len()
    }

    /// Returns the neighbours of `slot` at `level`.
    #[inline]
    fn neighbours(&self, slot: u32, level: u32) -> &[u32] {
        let list = if level == 0 {
            self.lists.row(slot)
        } else {
            self.upper.row(self.towers.row(slot)[0] + level - 1)
        };
        let end = list
            .iter()
            .position(|slot| *slot == NONE)
            .unwrap_or(list.len());
        &list[..end]
    }

    /// Returns how many bytes of memory it takes besides a file.
    pub(super) fn memory(&self) -> usize {
        self.lists.memory() + self.towers.memory() + self.upper.memory()
    }

    /// Returns the numbers that [`Graph::open`] needs besides the sections.
    pub(super) fn header(&self) -> [u64; 5] {
        let (entry, level) = self.entry.unwrap_or((NONE, 0));
        [
            self.degree as u64,
            self.lists.len() as u64,
            self.upper.len() as u64,
            u64::from(entry),
            u64::from(level),
        ]
    }

    /// Returns the columns to write as sections.
    pub(super) fn columns(&self) -> [&Column<u32>; 3] {
        [&self.lists, &self.towers, &self.upper]
    }

    /// Opens the graph whose columns are the sections of `file` from `first` on,
    /// and verifies every number in it, so that no walk can leave it.
    pub(super) fn open(
        file: &Arc<Derived>,
        first: usize,
        header: [u64; 5],
    ) -> Result<Self, DerivedError> {
        let damaged = || file.damaged("the graph leads out of itself");
        let [degree, covered, upper, entry, level] =
            header.map(|number| u32::try_from(number).unwrap_or(NONE));
        if degree == 0 || degree > 1024 || level >= MOST_LEVELS {
            return Err(file.damaged("the graph's header is out of range"));
        }
        let (degree, covered_slots) = (degree as usize, covered as usize);
        let graph = Self {
            degree,
            lists: Column::open(file, first, 2 * degree, covered_slots)?,
            towers: Column::open(file, first + 1, 2, covered_slots)?,
            upper: Column::open(file, first + 2, degree, upper as usize)?,
            entry: (covered > 0 && entry != NONE).then_some((entry, level)),
        };
        let in_graph = |slot: &u32| *slot < covered || *slot == NONE;
        if !graph.lists.runs().concat().iter().all(in_graph) {
            return Err(damaged());
        }
        let mut used = 0;
        for slot in 0..covered {
            let [at, height] = graph.towers.row(slot) else {
                return Err(damaged());
            };
            if *height >= MOST_LEVELS || at.checked_add(*height).is_none_or(|end| end > upper) {
                return Err(damaged());
            }
            for level in 1..=*height {
                // A neighbour at a level must have a list at that level itself.
                for next in graph.neighbours(slot, level) {
                    if *next >= covered || graph.towers.row(*next)[1] < level {
                        return Err(damaged());
                    }
                }
                used += 1;
            }
        }
        if used != upper {
            return Err(damaged());
        }
        match graph.entry {
            Some((entry, level)) if entry >= covered || graph.towers.row(entry)[1] != level => {
                Err(damaged())
            }
            None if covered > 0 => Err(damaged()),
            _ => Ok(graph),
        }
    }
}
