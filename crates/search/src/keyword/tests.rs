//! The keyword index against plain definitions of what it does.

use std::collections::{BTreeMap, HashMap};

use contract::ChunkId;
use proptest::prelude::*;

use super::*;
use crate::ChunkSet;
use crate::derived::DerivedError;

const LANGUAGE: LanguageChoice = LanguageChoice::Fixed(Language::English);

fn settings() -> KeywordSettings {
    KeywordSettings {
        language: LANGUAGE,
        ..KeywordSettings::default()
    }
}

fn text(text: &str) -> IndexedText<'_> {
    IndexedText {
        text,
        ..IndexedText::default()
    }
}

fn index_of(texts: &[&str]) -> KeywordIndex {
    let mut index = KeywordIndex::new(settings());
    for (id, one) in texts.iter().enumerate() {
        index.insert(ChunkId(id as u64), &text(one));
    }
    index
}

fn found(index: &KeywordIndex, question: &str) -> Vec<u64> {
    let hits = index.search(&index.query(question), 10, None);
    hits.iter().map(|hit| hit.chunk.0).collect()
}

fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for_each_word(text, &mut |word| words.push(term(&word, Language::English)));
    words
}

/// BM25 straight from its definition, in double precision.
fn plain_scores(chunks: &BTreeMap<u64, String>, question: &str) -> HashMap<u64, f64> {
    let texts = chunks
        .iter()
        .map(|(id, text)| (*id, words_of(text)))
        .collect::<Vec<_>>();
    let n = texts.len() as f64;
    let average = texts.iter().map(|(_, words)| words.len()).sum::<usize>() as f64 / n;
    let mut scores = HashMap::new();
    for word in words_of(question) {
        let df = texts
            .iter()
            .filter(|(_, words)| words.contains(&word))
            .count() as f64;
        let idf = (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
        for (id, words) in &texts {
            let tf = words.iter().filter(|other| **other == word).count() as f64;
            if tf > 0.0 {
                let norm = 1.5 * (0.25 + 0.75 * words.len() as f64 / average);
                *scores.entry(*id).or_insert(0.0) += idf * tf / (tf + norm);
            }
        }
    }
    scores
}

#[test]
fn finds_what_was_inserted_and_not_what_was_removed() {
    let mut index = index_of(&["the cache is kept", "a lock file", "caches and locks"]);
    assert_eq!(found(&index, "cache"), [2, 0]);
    assert!(index.remove(ChunkId(2)));
    assert!(!index.remove(ChunkId(2)));
    assert_eq!(found(&index, "cache"), [0]);
    assert_eq!(found(&index, "locks"), [1]);
    assert_eq!(index.len(), 2);
    assert!(found(&index, "nothing of it").is_empty());
    assert!(found(&index, "").is_empty());
}

#[test]
fn a_chunk_inserted_again_replaces_itself() {
    let mut index = index_of(&["one", "two"]);
    index.insert(ChunkId(0), &text("three"));
    assert_eq!(index.len(), 2);
    assert!(found(&index, "one").is_empty());
    assert_eq!(found(&index, "three"), [0]);
}

#[test]
fn names_are_found_in_any_spelling() {
    let index = index_of(&[
        "pass `--refresh-package name` to revalidate",
        "the function refresh_cache of FileCache",
        "refresh the package",
        "write an e-mail",
    ]);
    assert_eq!(found(&index, "refresh-package")[0], 0);
    assert_eq!(found(&index, "RefreshPackage")[0], 0);
    assert_eq!(found(&index, "refreshpackage"), [0]);
    assert_eq!(found(&index, "filecache"), [1]);
    assert_eq!(found(&index, "email"), [3]);
}

#[test]
fn scripts_without_spaces_are_found_by_any_character() {
    let index = index_of(&["東京都の水道局", "京都の寺"]);
    assert_eq!(found(&index, "水道"), [0]);
    assert_eq!(found(&index, "局"), [0]);
    assert_eq!(found(&index, "寺"), [1]);
    assert_eq!(found(&index, "京").len(), 2);
}

/// The scores of `bm25s`, which are in single precision; see `make_bm25.py`.
#[test]
fn scores_equal_those_of_bm25s() {
    let data = include_str!("../../tests/data/bm25.json");
    let data = serde_json::from_str::<serde_json::Value>(data).unwrap();
    let texts = |key: &str| {
        let texts = data[key].as_array().unwrap().iter();
        texts
            .map(|text| text.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for setting in data["settings"].as_array().unwrap() {
        let mut index = KeywordIndex::new(KeywordSettings {
            language: LanguageChoice::Fixed(Language::None),
            k1: setting["k1"].as_f64().unwrap() as f32,
            b: setting["b"].as_f64().unwrap() as f32,
            ..settings()
        });
        for (id, one) in texts("texts").iter().enumerate() {
            index.insert(ChunkId(id as u64), &text(one));
        }
        for (question, scores) in texts("questions")
            .iter()
            .zip(setting["scores"].as_array().unwrap())
        {
            let scores = scores.as_array().unwrap().iter();
            let mut expect = scores
                .map(|score| score.as_f64().unwrap())
                .collect::<Vec<_>>();
            for hit in index.search(&index.query(question), 1000, None) {
                let score = std::mem::take(&mut expect[hit.chunk.0 as usize]);
                assert!(
                    (f64::from(hit.score.0) - score).abs() < 1e-5 * score,
                    "{question}"
                );
            }
            assert!(
                expect.iter().all(|score| *score == 0.0),
                "{question}: chunks not found"
            );
        }
    }
}

#[test]
fn a_phrase_has_its_words_in_order() {
    let mut index = index_of(&[
        "the build cache is large",
        "cache the build",
        "we build caches",
        "build. A cache",
    ]);
    assert_eq!(found(&index, "\"build cache\""), [2, 0]);
    assert_eq!(found(&index, "\"cache the build\""), [1]);
    assert_eq!(found(&index, "\"build a cache\""), [3]);
    assert!(found(&index, "\"large build\"").is_empty());
    let dir = tempfile::tempdir().unwrap();
    index.save(&dir.path().join("k"), 1).unwrap();
    assert_eq!(found(&index, "\"build cache\""), [2, 0]);
}

#[test]
fn a_phrase_does_not_run_from_a_heading_into_the_text() {
    let mut index = KeywordIndex::new(settings());
    let headings = ["Build".to_owned()];
    let chunk = IndexedText {
        title: Some("Tools"),
        headings: &headings,
        text: "cache it",
        language: None,
    };
    index.insert(ChunkId(1), &chunk);
    assert_eq!(found(&index, "build"), [1]);
    assert_eq!(found(&index, "tools"), [1]);
    assert!(found(&index, "\"build cache\"").is_empty());
}

#[test]
fn an_opened_index_is_the_saved_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keyword");
    let mut index = index_of(&["one cache", "two caches", "three"]);
    index.remove(ChunkId(1));
    assert_eq!(index.delta_share(), 1.0);
    index.save(&path, 17).unwrap();
    assert_eq!((index.sequence(), index.len()), (17, 2));
    assert_eq!(index.delta_share(), 0.0);
    let opened = KeywordIndex::open(&path, settings()).unwrap();
    assert_eq!(opened.sequence(), 17);
    assert_eq!(found(&opened, "cache"), [0]);
    let other = KeywordSettings {
        heading_weight: 3,
        ..settings()
    };
    assert!(matches!(
        KeywordIndex::open(&path, other),
        Err(DerivedError::Damaged { .. })
    ));
    assert!(matches!(
        KeywordIndex::open(&dir.path().join("none"), settings()),
        Err(DerivedError::Missing { .. })
    ));
}

#[test]
fn coverage_is_the_share_of_the_question() {
    let index = index_of(&["the cache of uv", "uv locks", "uv"]);
    let cover = |question: &str, chunk| index.coverage(&index.query(question), ChunkId(chunk));
    assert_eq!(cover("What is the cache of uv?", 0), 1.0);
    assert!(cover("What is the cache of uv?", 1) < 0.5);
    assert_eq!(cover("Who is Napoleon?", 0), 0.0);
    assert!(cover("uv and Napoleon", 2) < 0.2);
    assert_eq!(cover("cache", 9), 0.0);
    assert_eq!(cover("", 0), 0.0);
}

#[test]
fn coverage_takes_a_joined_word_for_its_parts() {
    let index = index_of(&["an email", "an e-mail"]);
    let cover = |question: &str, chunk| index.coverage(&index.query(question), ChunkId(chunk));
    assert_eq!(cover("e-mail", 0), 1.0);
    assert_eq!(cover("e-mail", 1), 1.0);
    assert_eq!(cover("email", 1), 1.0);
}

#[test]
fn relevance_rises_with_what_is_found() {
    let index = index_of(&["the cache of uv", "uv locks", "uv", "cache cache uv"]);
    let of = |question: &str, chunk| {
        index
            .relevance(&index.query(question), ChunkId(chunk))
            .get()
    };
    assert_eq!(of("Who is Napoleon?", 0), 0.0);
    assert_eq!(of("", 0), 0.0);
    assert_eq!(of("cache", 9), 0.0);
    assert!(of("What is the cache of uv?", 0) > 0.7);
    assert!(of("What is the cache of uv?", 3) > of("What is the cache of uv?", 0));
    assert!(of("What cache has Napoleon at Austerlitz?", 0) < 0.5);
    assert!(of("uv", 2) > 0.7);
}

#[test]
fn highlights_are_the_words_of_the_question() {
    let index = index_of(&["x"]);
    let marked = |question: &str, text: &str| {
        let places = index.highlight(&index.query(question), text);
        places
            .into_iter()
            .map(|place| text[place].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        marked(
            "how do I cache the file-name?",
            "Caching the file, its file_name and names."
        ),
        ["Caching", "file", "file_name", "names"]
    );
    assert_eq!(marked("水道", "東京都水道局"), ["水道"]);
    assert!(marked("", "Caching").is_empty());
}

#[test]
fn chunks_of_several_languages_are_found_in_theirs() {
    let mut index = KeywordIndex::new(KeywordSettings::default());
    let mut add = |id, text: &str| {
        let chunk = IndexedText {
            text,
            ..IndexedText::default()
        };
        index.insert(ChunkId(id), &chunk);
    };
    add(1, "The houses are in the town and they are old.");
    add(2, "Die Häuser sind in der Stadt und sie sind alt.");
    add(3, "Les maisons sont dans la ville et elles sont vieilles.");
    assert_eq!(found(&index, "house"), [1]);
    assert_eq!(found(&index, "Haus"), [2]);
    assert_eq!(found(&index, "maison"), [3]);
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, String),
    Remove(u64),
    Save,
}

fn some_text() -> impl Strategy<Value = String> {
    prop::collection::vec("[abc]|the|cache[s]?|lock-file|\"|b c", 0..12)
        .prop_map(|words| words.join(" "))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u64..12, some_text()).prop_map(|(id, text)| Step::Insert(id, text)),
        3 => (0u64..12).prop_map(Step::Remove),
        1 => Just(Step::Save),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_history_scores_as_a_fresh_build(
        steps in prop::collection::vec(step(), 1..30),
        question in some_text(),
        allowed in prop::collection::vec(0u64..12, 0..8),
        k in 1usize..15,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyword");
        let mut index = KeywordIndex::new(settings());
        let mut chunks = BTreeMap::new();
        let early = index.select(&allowed.iter().map(|id| ChunkId(*id)).collect());
        for step in steps {
            match step {
                Step::Insert(id, one) => {
                    index.insert(ChunkId(id), &text(&one));
                    chunks.insert(id, one);
                }
                Step::Remove(id) => {
                    prop_assert_eq!(index.remove(ChunkId(id)), chunks.remove(&id).is_some());
                }
                Step::Save => index.save(&path, 1).unwrap(),
            }
        }
        let mut fresh = KeywordIndex::new(settings());
        for (id, one) in &chunks {
            fresh.insert(ChunkId(*id), &text(one));
        }
        prop_assert_eq!(index.len(), chunks.len());
        let query = index.query(&question);
        let hits = index.search(&query, k, None);
        prop_assert_eq!(&hits, &fresh.search(&query, k, None));

        let set = allowed.iter().map(|id| ChunkId(*id)).collect::<ChunkSet>();
        let mut inside = index.search(&query, 12, None);
        inside.retain(|hit| set.contains(hit.chunk));
        for selection in [&early, &index.select(&set)] {
            prop_assert_eq!(&index.search(&query, 12, Some(selection)), &inside);
        }
        for hit in hits {
            let sum = index.explain(&query, hit.chunk).iter().map(|term| term.score.0).sum::<f32>();
            prop_assert!((sum - hit.score.0).abs() <= 1e-6 * sum.abs());
            let coverage = index.coverage(&query, hit.chunk);
            prop_assert!((0.0..=1.0).contains(&coverage));
            prop_assert_eq!(coverage, fresh.coverage(&query, hit.chunk));
        }
    }

    #[test]
    fn scores_are_those_of_the_definition(
        texts in prop::collection::vec(some_text(), 1..12),
        question in "[abc]( [abc]| cache| lock| caches){0,5}",
    ) {
        let chunks = (0u64..).zip(texts).collect::<BTreeMap<_, _>>();
        let mut index = KeywordIndex::new(settings());
        for (id, one) in &chunks {
            index.insert(ChunkId(*id), &text(one));
        }
        let query = index.query(&question);
        let asked = query.content_words().collect::<Vec<_>>();
        let asked = words_of(&question)
            .into_iter()
            .filter(|word| asked.iter().any(|one| words_of(one)[0] == *word))
            .collect::<Vec<_>>();
        let expect = plain_scores(&chunks, &asked.join(" "));
        let hits = index.search(&query, 100, None);
        prop_assert_eq!(hits.len(), expect.len());
        for hit in hits {
            let expect = expect[&hit.chunk.0];
            prop_assert!((f64::from(hit.score.0) - expect).abs() < 1e-5 * expect);
        }
    }

    #[test]
    fn a_file_with_any_number_changed_is_refused_or_does_no_harm(
        at in 0usize..4000,
        number in prop_oneof![any::<u32>(), 0u32..40],
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyword");
        let mut index = index_of(&[
            "one cache cache cache", "two caches of a cache", "three", "a b c a b a", "c b",
        ]);
        index.save(&path, 1).unwrap();
        let saved = fs_err::read(&path).unwrap();
        let kind = super::base::KIND;
        let (_, sections) = crate::derived::verify(&saved, kind).unwrap();
        let mut parts = sections.iter().map(|part| saved[part.clone()].to_vec()).collect::<Vec<_>>();
        let section = 1 + at % (parts.len() - 1);
        let part = &mut parts[section];
        let at = (at / 8) % (part.len() / 4).max(1) * 4;
        if let Some(place) = part.get_mut(at..at + 4) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let parts = parts.iter().map(Vec::as_slice).collect::<Vec<_>>();
        crate::derived::write(&path, kind, 1, &parts).unwrap();
        if let Ok(mut index) = KeywordIndex::open(&path, settings()) {
            let query = index.query("\"a b\" cache one c");
            for hit in index.search(&query, 9, None) {
                index.explain(&query, hit.chunk);
                index.coverage(&query, hit.chunk);
            }
            for id in 0..5 {
                index.remove(ChunkId(id));
                index.insert(ChunkId(id), &text("a cache b"));
            }
            index.save(&path, 2).unwrap();
        }
    }
}
