//! How long does keyword search take: to insert, to save, to ask?
//!
//! Made-up text whose words are as frequent as in real text (Zipf's law); a whole
//! run on real text is in `docs/bench`.

use std::hint::black_box;

use contract::ChunkId;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use search::ChunkSet;
use search::keyword::{IndexedText, KeywordIndex, KeywordSettings, Language, LanguageChoice};

const CHUNKS: u64 = 10_000;
const WORDS: usize = 100;
const VOCABULARY: f64 = 50_000.0;

/// A small generator (SplitMix64, Steele et al. 2014): the same text every time.
struct Words(u64);

impl Words {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns `count` words; the word of rank `r` comes with a chance of about `1/r`.
    fn text(&mut self, count: usize) -> String {
        let word = |words: &mut Self| {
            let mut rank = VOCABULARY.powf(words.next()) as u64;
            let mut word = String::from("w");
            while rank > 0 {
                word.push(char::from(b'a' + (rank % 26) as u8));
                rank /= 26;
            }
            word
        };
        let words = (0..count).map(|_| word(self)).collect::<Vec<_>>();
        words.join(" ")
    }
}

fn index_of(texts: &[String]) -> KeywordIndex {
    let mut index = KeywordIndex::new(KeywordSettings {
        language: LanguageChoice::Fixed(Language::English),
        ..KeywordSettings::default()
    });
    for (id, text) in texts.iter().enumerate() {
        let chunk = IndexedText {
            text,
            ..IndexedText::default()
        };
        index.insert(ChunkId(id as u64), &chunk);
    }
    index
}

fn keyword(criterion: &mut Criterion) {
    let mut words = Words(7);
    let texts = (0..CHUNKS).map(|_| words.text(WORDS)).collect::<Vec<_>>();
    let questions = (0..200).map(|_| words.text(6)).collect::<Vec<_>>();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("keyword");

    let mut group = criterion.benchmark_group("keyword");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(CHUNKS));
    group.bench_function("insert 10,000 chunks", |bencher| {
        bencher.iter(|| black_box(index_of(&texts)));
    });
    group.bench_function("save 10,000 chunks", |bencher| {
        bencher.iter_batched(
            || index_of(&texts),
            |mut index| index.save(&path, 1).expect("the index is saved"),
            BatchSize::PerIteration,
        );
    });
    let mut index = index_of(&texts);
    index.save(&path, 1).expect("the index is saved");
    group
        .sample_size(50)
        .throughput(Throughput::Elements(questions.len() as u64));
    for k in [10, 100] {
        group.bench_function(format!("ask, {k} hits"), |bencher| {
            bencher.iter(|| {
                for question in &questions {
                    black_box(index.search(&index.query(question), k, None));
                }
            });
        });
    }
    let tenth = (0..CHUNKS).step_by(10).map(ChunkId).collect::<ChunkSet>();
    let tenth = index.select(&tenth);
    group.bench_function("ask one chunk in ten, 10 hits", |bencher| {
        bencher.iter(|| {
            for question in &questions {
                black_box(index.search(&index.query(question), 10, Some(&tenth)));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, keyword);
criterion_main!(benches);
