//! The index as a derived file, used in place when it is opened.

#![expect(unsafe_code, reason = "columns of numbers are written as bytes")]

use std::borrow::Cow;
use std::path::Path;
use std::slice;
use std::sync::Arc;

use super::column::{Column, Plain};
use super::graph::Graph;
use super::ivf::Ivf;
use super::pq::Pq;
use super::rows::{Bits, MOST_DIMENSIONS, MOST_SLOTS, Rows, Strides};
use super::{Metric, Settings, VectorError, VectorIndex};
use crate::derived::{self, Derived, DerivedError, Kind};

/// Vectors. Version 1: header, values, codes, scales, chunks, live bits, graph (3),
/// sketches, inverted file (3), product quantisation (2).
const KIND: Kind = Kind {
    id: u32::from_le_bytes(*b"vect"),
    version: 1,
};

/// A number that reads otherwise where bytes have another order.
const BYTE_ORDER: u64 = 0x0102_0304_0506_0708;

impl VectorIndex {
    /// Writes the index to `path`, in one step, as having seen commit `sequence`.
    pub fn save(&self, path: &Path, sequence: u64) -> Result<(), VectorError> {
        let rows = &self.rows;
        let (metric, parameter) = rows.metric.to_code();
        let mut header = vec![
            BYTE_ORDER,
            rows.dimensions as u64,
            u64::from(metric) << 32 | u64::from(parameter.to_bits()),
            rows.slot_count() as u64,
        ];
        header.extend(self.graph.header());
        let (centres, starts, grouped) = match &self.ivf {
            Some(ivf) => ivf.parts(),
            None => (Vec::new(), &[][..], &[][..]),
        };
        header.push(self.ivf.as_ref().map_or(0, |ivf| ivf.covered() as u64));
        let no_codes = Column::new(0);
        let (books, pieces) = self.pq.as_ref().map_or((&[][..], &no_codes), Pq::parts);
        header.push(pieces.len() as u64);
        let mut live = rows.live.words.clone();
        live.resize(rows.slot_count().div_ceil(64), 0);
        let [lists, towers, upper] = self.graph.columns();
        derived::write(
            path,
            KIND,
            sequence,
            &[
                bytes_of(&header),
                &column_bytes(&rows.values),
                &column_bytes(&rows.codes),
                &column_bytes(&rows.scales),
                &column_bytes(&rows.chunks),
                bytes_of(&live),
                &column_bytes(lists),
                &column_bytes(towers),
                &column_bytes(upper),
                &column_bytes(&rows.sketches),
                bytes_of(&centres),
                bytes_of(starts),
                bytes_of(grouped),
                bytes_of(books),
                &column_bytes(pieces),
            ],
        )?;
        Ok(())
    }

    /// Opens the index at `path`; returns it with the last commit it has seen.
    ///
    /// The file is used in place; what changes afterwards is kept in memory until
    /// it is saved again. Fails if the file is missing, damaged, or does not hold
    /// together, all of which a rebuild from the store mends.
    pub fn open(path: &Path, settings: Settings) -> Result<(Self, u64), VectorError> {
        settings.check()?;
        let file = Arc::new(Derived::open(path, KIND)?);
        let index = read(&file, settings)?;
        Ok((index, file.sequence()))
    }
}

fn read(file: &Arc<Derived>, settings: Settings) -> Result<VectorIndex, DerivedError> {
    let header: Vec<u64> = file
        .section(0)?
        .chunks_exact(8)
        .map(|bytes| u64::from_ne_bytes(bytes.try_into().expect("a chunk of 8 bytes")))
        .collect();
    let [order, dimensions, metric, slots, graph @ ..] = header.as_slice() else {
        return Err(file.damaged("its header is too short"));
    };
    if *order != BYTE_ORDER {
        return Err(file.damaged("it was written by a machine of another byte order"));
    }
    let [graph @ .., grouped, pieces] = graph else {
        return Err(file.damaged("its header is too short"));
    };
    let graph: [u64; 5] = graph
        .try_into()
        .map_err(|_| file.damaged("its header is of another length"))?;
    let (dimensions, slots) = (*dimensions as usize, *slots as usize);
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) || slots > MOST_SLOTS {
        return Err(file.damaged("its header is out of range"));
    }
    let metric = Metric::from_code((metric >> 32) as u32, f32::from_bits(*metric as u32))
        .ok_or_else(|| file.damaged("its metric is unknown"))?;

    let strides = Strides::of(dimensions, metric);
    let mut rows = Rows {
        values: Column::open(file, 1, strides.values, slots)?,
        codes: Column::open(file, 2, strides.codes, slots)?,
        scales: Column::open(file, 3, 2, slots)?,
        chunks: Column::open(file, 4, 1, slots)?,
        sketches: Column::open(file, 9, strides.sketches, slots)?,
        ..Rows::new(dimensions, metric)
    };
    let live = Column::<u64>::open(file, 5, 1, slots.div_ceil(64))?;
    rows.live = Bits {
        words: live.runs().concat(),
    };
    if slots % 64 != 0
        && rows
            .live
            .words
            .last()
            .is_some_and(|word| word >> (slots % 64) != 0)
    {
        return Err(file.damaged("a slot beyond the last is live"));
    }
    rows.slots.reserve(slots);
    let mut twice = false;
    rows.live.for_each(slots, |slot| {
        let chunk = rows.chunks.row(slot)[0];
        twice |= rows.slots.insert(chunk, slot).is_some();
    });
    if twice {
        return Err(file.damaged("a chunk has two vectors"));
    }
    let graph = Graph::open(file, 6, graph)?;
    if graph.covered() > slots {
        return Err(file.damaged("the graph covers slots that are not there"));
    }
    let mut index = VectorIndex::of(settings, rows, graph);

    let starts: Vec<u32> = numbers(file, 11)?;
    if !starts.is_empty() {
        let damaged = || file.damaged("the inverted file does not hold together");
        // Before anything is made that is as long as the header says.
        let covered = usize::try_from(*grouped)
            .ok()
            .filter(|covered| *covered <= slots && metric.is_product())
            .ok_or_else(damaged)?;
        let ivf = Ivf::of_parts(
            dimensions,
            &numbers::<f32>(file, 10)?,
            &starts,
            &numbers::<u32>(file, 12)?,
            covered,
        );
        index.ivf = Some(ivf.ok_or_else(damaged)?);
    }
    let books: Vec<f32> = numbers(file, 13)?;
    if !books.is_empty() {
        let codes = Column::open(file, 14, Pq::pieces(dimensions), *pieces as usize)?;
        let pq = Pq::of_parts(dimensions, &books, codes);
        index.pq = Some(
            pq.filter(|pq| pq.covered() <= slots && metric.is_product())
                .ok_or_else(|| file.damaged("the quantised codes do not hold together"))?,
        );
    }
    Ok(index)
}

/// Returns the numbers of a section as a copy.
fn numbers<T: Plain>(file: &Arc<Derived>, section: usize) -> Result<Vec<T>, DerivedError> {
    let count = file.section(section)?.len() / size_of::<T>();
    Ok(Column::open(file, section, 1, count)?.runs().concat())
}

fn bytes_of<T: Plain>(numbers: &[T]) -> &[u8] {
    // SAFETY: `Plain` numbers have no padding, and any byte is a `u8`.
    unsafe { slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

fn column_bytes<T: Plain>(column: &Column<T>) -> Cow<'_, [u8]> {
    match column.runs() {
        [file, []] => Cow::Borrowed(bytes_of(file)),
        [[], memory] => Cow::Borrowed(bytes_of(memory)),
        [file, memory] => Cow::Owned([bytes_of(file), bytes_of(memory)].concat()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use contract::ChunkId;
    use proptest::prelude::*;

    use super::*;
    use crate::vector::random::Random;
    use crate::vector::{Method, SearchOptions, Structure};

    fn vector(random: &mut Random) -> Vec<f32> {
        (0..70).map(|_| random.unit() - 0.5).collect()
    }

    fn index(structure: Structure) -> VectorIndex {
        let settings = Settings {
            structure,
            threads: 1,
            ..Settings::default()
        };
        let mut index = VectorIndex::new(70, Metric::Cosine, settings).unwrap();
        let mut random = Random::new(1);
        for chunk in 0..300 {
            index.insert(ChunkId(chunk), &vector(&mut random)).unwrap();
        }
        index.build().unwrap();
        for chunk in 250..350 {
            index.insert(ChunkId(chunk), &vector(&mut random)).unwrap();
        }
        index.remove(ChunkId(5));
        index
    }

    fn hits(index: &VectorIndex, method: Method) -> Vec<(u64, f32)> {
        let options = SearchOptions {
            method: Some(method),
            ..SearchOptions::default()
        };
        let query = vector(&mut Random::new(99));
        let hits = index.search(&query, 10, &options, None).unwrap();
        hits.iter().map(|hit| (hit.chunk.0, hit.value)).collect()
    }

    #[test]
    fn an_opened_index_is_the_saved_one_and_can_change() {
        for structure in [Structure::Graph, Structure::Ivf, Structure::Pq] {
            check_reopened(structure);
        }
    }

    fn check_reopened(structure: Structure) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vectors");
        let mut first = index(structure);
        first.save(&path, 7).unwrap();
        let (mut second, sequence) = VectorIndex::open(&path, first.settings).unwrap();
        assert_eq!(sequence, 7);
        for step in 0..3 {
            for method in Method::ALL {
                assert_eq!(hits(&first, method), hits(&second, method), "step {step}");
            }
            let random = Random::new(step);
            for index in [&mut first, &mut second] {
                let mut random = random.clone();
                for chunk in 340..360 {
                    index.insert(ChunkId(chunk), &vector(&mut random)).unwrap();
                }
                index.remove(ChunkId(20 + step));
            }
            // Saving over the file that is in use leaves it in use.
            second.save(&path, 8).unwrap();
            if step == 1 {
                first.build().unwrap();
                second.build().unwrap();
            }
        }
    }

    #[test]
    fn a_missing_file_says_so() {
        let found = VectorIndex::open(Path::new("nowhere/vectors"), Settings::default());
        assert!(matches!(
            found,
            Err(VectorError::File {
                source: DerivedError::Missing { .. }
            })
        ));
    }

    #[test]
    fn an_inverted_file_that_claims_too_much_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vectors");
        INDEXES[1].save(&path, 7).unwrap();
        let file = Derived::open(&path, KIND).unwrap();
        let mut sections: Vec<Vec<u8>> =
            (0..15).map(|i| file.section(i).unwrap().to_vec()).collect();
        let covered = sections[0].len() - 16;
        for claimed in [u64::MAX, 0xFFFF_FFFF_0000_012C, 401] {
            sections[0][covered..covered + 8].copy_from_slice(&claimed.to_ne_bytes());
            let sections: Vec<&[u8]> = sections.iter().map(Vec::as_slice).collect();
            derived::write(&path, KIND, 7, &sections).unwrap();
            let found = VectorIndex::open(&path, Settings::default());
            assert!(matches!(found, Err(VectorError::File { .. })), "{claimed}");
        }
    }

    static INDEXES: LazyLock<[VectorIndex; 3]> =
        LazyLock::new(|| [Structure::Graph, Structure::Ivf, Structure::Pq].map(index));

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Sections changed and summed anew: either refused, or searched without harm.
        #[test]
        fn a_crafted_file_does_no_harm(structure in 0usize..3, section in 0usize..15, at in any::<usize>(), word in prop_oneof![
            Just(u32::MAX), Just(0u32), Just(300), Just(400), any::<u32>(),
        ], cut in prop::option::of(0usize..100)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("vectors");
            let index = &INDEXES[structure];
            index.save(&path, 7).unwrap();
            let file = Derived::open(&path, KIND).unwrap();
            let mut sections: Vec<Vec<u8>> = (0..15).map(|i| file.section(i).unwrap().to_vec()).collect();
            let bytes = &mut sections[section];
            if bytes.len() >= 4 {
                let at = at % (bytes.len() / 4) * 4;
                bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
            }
            if let Some(cut) = cut {
                bytes.truncate(bytes.len().saturating_sub(cut));
            }
            let sections: Vec<&[u8]> = sections.iter().map(Vec::as_slice).collect();
            derived::write(&path, KIND, 7, &sections).unwrap();
            if let Ok((mut index, _)) = VectorIndex::open(&path, Settings { threads: 1, ..Settings::default() })
                && index.dimensions() == 70
            {
                for method in Method::ALL {
                    let options = SearchOptions { method: Some(method), ..SearchOptions::default() };
                    let _ = index.search(&[0.5; 70], 10, &options, None);
                }
                index.remove(ChunkId(9));
                index.extend().unwrap();
            }
        }
    }
}
