//! Several texts written together: at every step each reads what it has not read, in one
//! forward pass; one that ends leaves, and one that waits takes its place.

use std::collections::VecDeque;

use super::engine::{Engine, Step};
use super::prefixes::{Kept, Prefixes, shared};
use super::request::{Finish, GenerateError, Written};
use super::sequence::{Scratch, Sequence, Sink};

/// Tokens of a prompt that are read in one step. More make no pass faster, but take more
/// memory, and keep the other texts waiting.
const CHUNK: usize = 512;

/// A beginning that is worth waiting for while another sequence reads it.
const WORTH_WAITING: usize = 32;

/// Texts that are being written, and those that wait for a place.
pub(super) struct Session<'a, E: Engine> {
    engine: &'a mut E,
    prefixes: &'a mut KeptBy<E>,
    waiting: VecDeque<Sequence<E>>,
    running: Vec<Running<E>>,
    places: usize,
    scratch: Scratch,
}

struct Running<E: Engine> {
    sequence: Sequence<E>,
    cache: E::Cache,
}

/// What an engine's texts may begin with.
pub(super) type KeptBy<E> = Prefixes<<E as Engine>::Cache, <E as Engine>::Adapters>;

/// A text that ended, with the number of its request.
pub(super) type Ended = (usize, Result<Written, GenerateError>);

impl<'a, E: Engine> Session<'a, E> {
    /// At most `places` texts, one at least, are written at a time.
    pub(super) fn new(engine: &'a mut E, prefixes: &'a mut KeptBy<E>, places: usize) -> Self {
        Self {
            engine,
            prefixes,
            waiting: VecDeque::new(),
            running: Vec::new(),
            places: places.max(1),
            scratch: Scratch::default(),
        }
    }

    /// Lets one more text wait for its place.
    pub(super) fn add(&mut self, sequence: Sequence<E>) {
        self.waiting.push_back(sequence);
    }

    /// Returns whether every text has ended.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    /// Makes one forward pass, and returns the texts that ended with it.
    ///
    /// # Errors
    /// If the model fails: then no text goes on.
    pub(super) fn step(&mut self, sink: &mut Sink<'_>) -> Result<Vec<Ended>, GenerateError> {
        let mut ended = Vec::new();
        self.admit(sink, &mut ended);
        if self.running.is_empty() {
            return Ok(ended);
        }
        let mut steps = Vec::with_capacity(self.running.len());
        for Running { sequence, cache } in &mut self.running {
            let end = sequence.tokens.len().min(sequence.read + CHUNK);
            steps.push(Step {
                tokens: &sequence.tokens[sequence.read..end],
                cache,
                adapters: &sequence.adapters,
                wanted: end == sequence.tokens.len(),
            });
        }
        // A pass gives rows of logits that live no longer than its call, so they are kept
        // only where a text goes on: one row for each.
        let mut rows: Vec<Option<Vec<f32>>> = vec![None; steps.len()];
        self.engine
            .forward(&mut steps, &mut |at, row| rows[at] = Some(row.to_vec()))?;
        drop(steps);
        let mut places = (0..).zip(rows);
        let mut left = Vec::new();
        for Running { sequence, .. } in &mut self.running {
            let (at, row) = places.next().expect("each has its row");
            sequence.read = sequence.tokens.len().min(sequence.read + CHUNK);
            let Some(row) = row else {
                // A long prompt takes its time, and perhaps nobody waits for it any more.
                if sink(sequence.request, "").is_break() {
                    left.push((at, Ok(Finish::Sink)));
                }
                continue;
            };
            let chosen = sequence.choose(self.engine, &row, &mut self.scratch, sink);
            if let Some(end) = chosen.transpose() {
                left.push((at, end));
            }
        }
        // The last first, so that the others stay where they are.
        for (at, end) in left.into_iter().rev() {
            let Running { sequence, cache } = self.running.remove(at);
            ended.push(self.leave(sequence, Some(cache), end, sink));
        }
        ended.sort_by_key(|(request, _)| *request);
        Ok(ended)
    }

    /// Gives places to those that wait.
    fn admit(&mut self, sink: &mut Sink<'_>, ended: &mut Vec<Ended>) {
        while self.running.len() < self.places
            && let Some(mut sequence) = self.waiting.pop_front()
        {
            if self.is_worth_waiting(&sequence) {
                self.waiting.push_front(sequence);
                return;
            }
            match sequence.begin(self.engine, sink).transpose() {
                Some(end) => ended.push(self.leave(sequence, None, end, sink)),
                None => {
                    let cache = self.place(&mut sequence);
                    self.running.push(Running { sequence, cache });
                }
            }
        }
    }

    /// Returns whether another sequence is just reading what this one begins with.
    fn is_worth_waiting(&self, sequence: &Sequence<E>) -> bool {
        let known = self.longest_beginning(sequence).map_or(0, |(_, it)| it);
        self.running.iter().any(
            |Running {
                 sequence: other, ..
             }| {
                other.read < other.prompt
                    && other.adapters == sequence.adapters
                    && shared(&other.tokens, &sequence.tokens) >= known + WORTH_WAITING
            },
        )
    }

    /// Returns where the longest beginning of `sequence` has been read, and how long it is.
    /// The last token is always read again: what comes after it is not kept.
    fn longest_beginning(&self, sequence: &Sequence<E>) -> Option<(Source, usize)> {
        let most = sequence.tokens.len() - 1;
        let kept = self
            .prefixes
            .longest(&sequence.tokens, &sequence.adapters)
            .map(|(at, length)| (Source::Kept(at), length));
        let running = self.running.iter().enumerate().map(|(at, it)| {
            let other = &it.sequence;
            let length = shared(&other.tokens[..other.read], &sequence.tokens);
            let same = other.adapters == sequence.adapters;
            (Source::Running(at), if same { length } else { 0 })
        });
        kept.into_iter()
            .chain(running)
            .map(|(source, length)| (source, length.min(most)))
            .filter(|(_, length)| *length > 0)
            .max_by_key(|(_, length)| *length)
    }

    /// Returns the cache in which `sequence` is read, with what others have read of it.
    fn place(&mut self, sequence: &mut Sequence<E>) -> E::Cache {
        let beginning = self.longest_beginning(sequence);
        let length = beginning.map_or(0, |(_, length)| length);
        sequence.read = length;
        sequence.reused = length.min(sequence.prompt);
        if let Some((Source::Kept(at), length)) = beginning {
            let kept = self.prefixes.get(at);
            // Most of it is wanted, so it is taken over rather than copied.
            if E::capacity(&kept.cache) >= sequence.longest && length * 2 >= kept.tokens.len() {
                let mut cache = self.prefixes.take(at).cache;
                E::truncate(&mut cache, length);
                return cache;
            }
        }
        // Rounded up, so that a conversation's next turn has room where this one was. Pages
        // that nothing is written to take no memory.
        let capacity = sequence.longest.next_power_of_two();
        let mut cache = self.engine.cache(capacity.min(self.engine.context()));
        match beginning {
            None => {}
            Some((Source::Kept(at), length)) => {
                E::copy_prefix(&mut cache, &self.prefixes.get(at).cache, length);
                // Wholly contained in the new one: nothing is lost with it.
                if length + 1 >= self.prefixes.get(at).tokens.len() {
                    self.prefixes.take(at);
                }
            }
            Some((Source::Running(at), length)) => {
                E::copy_prefix(&mut cache, &self.running[at].cache, length);
            }
        }
        cache
    }

    /// Ends a text, and keeps its keys and values for another.
    fn leave(
        &mut self,
        mut sequence: Sequence<E>,
        cache: Option<E::Cache>,
        end: Result<Finish, GenerateError>,
        sink: &mut Sink<'_>,
    ) -> Ended {
        let written = end.map(|finish| sequence.end(self.engine, finish, sink));
        if let Some(cache) = cache {
            sequence.tokens.truncate(sequence.read);
            self.prefixes.keep(Kept {
                tokens: sequence.tokens,
                adapters: sequence.adapters,
                cache,
            });
        }
        (sequence.request, written)
    }
}

/// Where a beginning has been read.
#[derive(Clone, Copy)]
enum Source {
    /// By a text that has ended.
    Kept(usize),
    /// By one that is being written.
    Running(usize),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;

    use proptest::prelude::*;

    use super::*;
    use crate::sampling::{Sampler, Sampling};
    use crate::stop::StopFilter;
    use crate::{Constraint, ModelError};

    const VOCABULARY: usize = 40;
    const END: u32 = 39;

    /// Its logits are a function of every token it has read, of the adapter, and of where
    /// each token stood; its tokens are letters.
    #[derive(Default)]
    struct Echo {
        /// Tokens it has read, in all.
        read: usize,
        /// How many sequences each pass had.
        passes: Vec<usize>,
        /// Whether it gives numbers at all.
        broken: bool,
    }

    struct Read {
        tokens: Vec<u32>,
        capacity: usize,
    }

    impl Engine for Echo {
        type Cache = Read;
        type Adapters = u32;
        type Stream = ();

        fn context(&self) -> usize {
            2000
        }

        fn ends(&self, token: u32) -> bool {
            token == END
        }

        fn cache(&self, capacity: usize) -> Read {
            assert!(capacity <= self.context(), "no more than the context");
            Read {
                tokens: Vec::new(),
                capacity,
            }
        }

        fn capacity(cache: &Read) -> usize {
            cache.capacity
        }

        fn truncate(cache: &mut Read, length: usize) {
            assert!(length <= cache.tokens.len(), "it shortens");
            cache.tokens.truncate(length);
        }

        fn copy_prefix(cache: &mut Read, from: &Read, length: usize) {
            assert!(cache.tokens.is_empty(), "nothing is read twice");
            cache.tokens.extend_from_slice(&from.tokens[..length]);
        }

        fn forward(
            &mut self,
            steps: &mut [Step<'_, Self>],
            give: &mut dyn FnMut(usize, &[f32]),
        ) -> Result<(), ModelError> {
            self.passes.push(steps.len());
            for (at, step) in steps.iter_mut().enumerate() {
                assert!(!step.tokens.is_empty() && step.tokens.len() <= CHUNK);
                self.read += step.tokens.len();
                step.cache.tokens.extend_from_slice(step.tokens);
                assert!(
                    step.cache.tokens.len() <= step.cache.capacity,
                    "it has room"
                );
                if !step.wanted {
                    continue;
                }
                let mut hash = u64::from(*step.adapters) + 1;
                for token in &step.cache.tokens {
                    hash = (hash ^ u64::from(*token)).wrapping_mul(0x0100_0000_01b3);
                }
                let row: Vec<f32> = (0..VOCABULARY as u64)
                    .map(|token| {
                        let number = (hash ^ token).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                        let logit = (number >> 40) as f32 / (1 << 20) as f32;
                        if self.broken { f32::NAN } else { logit }
                    })
                    .collect();
                give(at, &row);
            }
            Ok(())
        }

        fn push(&self, (): &mut (), token: u32) -> Result<String, ModelError> {
            Ok(letter(token).to_string())
        }

        fn finish(&self, (): &mut ()) -> String {
            String::new()
        }
    }

    fn letter(token: u32) -> char {
        char::from(b'A' + token as u8)
    }

    #[derive(Clone, Debug)]
    struct Asked {
        prompt: Vec<u32>,
        max_tokens: usize,
        sampling: Sampling,
        stop: Vec<String>,
        adapter: u32,
    }

    impl Asked {
        fn new(prompt: &[u32], max_tokens: usize) -> Self {
            Self {
                prompt: prompt.to_vec(),
                max_tokens,
                sampling: Sampling::default(),
                stop: Vec::new(),
                adapter: 0,
            }
        }

        fn sequence(&self, request: usize) -> Sequence<Echo> {
            let mut sampler = Sampler::new(&self.sampling, VOCABULARY).unwrap();
            sampler.see(&self.prompt);
            Sequence {
                request,
                tokens: self.prompt.clone(),
                prompt: self.prompt.len(),
                read: 0,
                reused: 0,
                longest: self.prompt.len() + self.max_tokens,
                adapters: self.adapter,
                sampler,
                follower: None,
                stop: StopFilter::new(&self.stop),
                stream: (),
                text: String::new(),
                likeliest: None,
                likelihoods: Vec::new(),
                begun: std::time::Instant::now(),
                first_after: None,
            }
        }
    }

    type Results = BTreeMap<usize, Result<Written, GenerateError>>;

    fn run(
        engine: &mut Echo,
        prefixes: &mut KeptBy<Echo>,
        places: usize,
        sequences: impl IntoIterator<Item = Sequence<Echo>>,
        sink: &mut Sink<'_>,
    ) -> Results {
        let mut session = Session::new(engine, prefixes, places);
        for sequence in sequences {
            session.add(sequence);
        }
        let mut results = Results::new();
        while !session.is_over() {
            results.extend(session.step(sink).unwrap());
        }
        results
    }

    fn alone(asked: &Asked) -> Written {
        let mut shown = String::new();
        let mut results = run(
            &mut Echo::default(),
            &mut Prefixes::new(0),
            1,
            [asked.sequence(0)],
            &mut |_, text| {
                shown.push_str(text);
                ControlFlow::Continue(())
            },
        );
        let mut written = results.remove(&0).unwrap().unwrap();
        assert_eq!(shown, written.text);
        assert_eq!(written.first_after.is_some(), !written.tokens.is_empty());
        written.first_after = None;
        written
    }

    fn nothing() -> impl FnMut(usize, &str) -> ControlFlow<()> {
        |_, _| ControlFlow::Continue(())
    }

    fn asked() -> impl Strategy<Value = Asked> {
        let sampling = (any::<bool>(), any::<u64>()).prop_map(|(greedy, seed)| Sampling {
            temperature: if greedy { 0.0 } else { 2.0 },
            repetition_penalty: 1.1,
            seed,
            ..Sampling::default()
        });
        (
            // A common beginning, a part of it and something of one's own.
            (0usize..80, prop::collection::vec(0u32..30, 0..6)),
            0usize..20,
            sampling,
            prop::collection::vec("[A-Z]{1,2}", 0..3),
            0u32..2,
        )
            .prop_map(
                |((common, own), max_tokens, sampling, stop, adapter)| Asked {
                    prompt: (0..=common as u32).map(|at| at % 7).chain(own).collect(),
                    max_tokens,
                    sampling,
                    stop,
                    adapter,
                },
            )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Neither company, nor what others read before, nor how many places there are
        /// changes what is written.
        #[test]
        fn in_company_a_text_is_what_it_is_alone(
            all in prop::collection::vec(asked(), 1..8),
            places in 1usize..5,
            kept in 0usize..4,
        ) {
            let mut shown = vec![String::new(); all.len()];
            let mut prefixes = Prefixes::new(kept);
            let mut engine = Echo::default();
            let sequences: Vec<_> = (0..).zip(&all).map(|(at, it)| it.sequence(at)).collect();
            let results = run(&mut engine, &mut prefixes, places, sequences, &mut |at, text| {
                shown[at].push_str(text);
                ControlFlow::Continue(())
            });
            prop_assert_eq!(results.len(), all.len());
            for ((at, result), asked) in results.into_iter().zip(&all) {
                let mut written = result.unwrap();
                prop_assert_eq!(&shown[at], &written.text);
                (written.reused_tokens, written.first_after) = (0, None);
                prop_assert_eq!(written, alone(asked));
            }
            prop_assert!(engine.passes.iter().all(|count| *count <= places));
        }
    }

    #[test]
    fn a_long_prompt_is_read_in_parts() {
        let prompt: Vec<u32> = (0..1300).map(|at| at % 30).collect();
        let mut engine = Echo::default();
        let sequence = Asked::new(&prompt, 1).sequence(0);
        run(
            &mut engine,
            &mut Prefixes::new(0),
            1,
            [sequence],
            &mut nothing(),
        );
        assert_eq!(engine.passes.len(), 3);
        assert_eq!(engine.read, 1300);
    }

    #[test]
    fn a_prompt_that_nobody_waits_for_is_not_read_to_its_end() {
        let prompt: Vec<u32> = (0..CHUNK as u32 * 3).map(|at| at % 30).collect();
        let (mut engine, mut prefixes) = (Echo::default(), Prefixes::new(1));
        let sequence = Asked::new(&prompt, 3).sequence(0);
        let results = run(&mut engine, &mut prefixes, 1, [sequence], &mut |_, text| {
            assert_eq!(text, "");
            ControlFlow::Break(())
        });
        let written = results[&0].as_ref().unwrap();
        assert_eq!((written.finish, written.text.as_str()), (Finish::Sink, ""));
        assert_eq!(engine.read, CHUNK);
        // What was read is kept: asked again, it goes on from there.
        let sequence = Asked::new(&prompt, 3).sequence(0);
        let results = run(&mut engine, &mut prefixes, 1, [sequence], &mut nothing());
        assert_eq!(results[&0].as_ref().unwrap().reused_tokens, CHUNK);
    }

    #[test]
    fn one_that_ends_makes_room_for_one_that_waits() {
        let asked: Vec<_> = [2, 6, 2]
            .iter()
            .enumerate()
            .map(|(at, length)| Asked::new(&[at as u32], *length).sequence(at))
            .collect();
        let mut engine = Echo::default();
        run(&mut engine, &mut Prefixes::new(0), 2, asked, &mut nothing());
        assert_eq!(engine.passes, [2, 2, 2, 2, 1, 1]);
    }

    #[test]
    fn a_common_beginning_is_read_once() {
        let beginning: Vec<u32> = (0..100).map(|at| at % 30).collect();
        let all: Vec<_> = (0..4)
            .map(|at| {
                let prompt = [&beginning[..], &[at]].concat();
                Asked::new(&prompt, 1).sequence(at as usize)
            })
            .collect();
        let mut engine = Echo::default();
        let results = run(&mut engine, &mut Prefixes::new(4), 4, all, &mut nothing());
        let reused = |at| results[&at].as_ref().unwrap().reused_tokens;
        assert_eq!(
            [reused(0), reused(1), reused(2), reused(3)],
            [0, 100, 100, 100]
        );
        assert_eq!(engine.read, 101 + 3);
    }

    #[test]
    fn a_conversation_reads_only_what_is_new() {
        let mut engine = Echo::default();
        let mut prefixes = Prefixes::new(1);
        let mut prompt: Vec<u32> = (0..50).map(|at| at % 30).collect();
        for turn in 0..3 {
            let read = engine.read;
            let sequence = Asked::new(&prompt, 8).sequence(0);
            let mut results = run(&mut engine, &mut prefixes, 1, [sequence], &mut nothing());
            let written = results.remove(&0).unwrap().unwrap();
            let length = written.tokens.len();
            if turn > 0 {
                // The last turn's reply ends with a token that was never read.
                assert!(engine.read - read <= 1 + 5 + length, "{turn}");
            }
            prompt.extend(written.tokens);
            prompt.extend([1, 2, 3, 4, 5]);
        }
    }

    #[test]
    fn a_sink_ends_its_own_text_only() {
        let all = [0, 1].map(|at| Asked::new(&[at as u32], 9).sequence(at));
        let results = run(
            &mut Echo::default(),
            &mut Prefixes::new(0),
            2,
            all,
            &mut |at, _| {
                if at == 0 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        );
        let first = results[&0].as_ref().unwrap();
        assert_eq!((first.finish, first.text.len()), (Finish::Sink, 1));
        assert!(results[&1].as_ref().unwrap().finish != Finish::Sink);
    }

    #[test]
    fn a_stop_string_ends_the_text_before_it() {
        let whole = alone(&Asked::new(&[3], 9)).text;
        let mut asked = Asked::new(&[3], 9);
        asked.stop = vec![whole[2..4].to_owned()];
        let written = alone(&asked);
        assert_eq!(written.finish, Finish::StopString);
        assert_eq!(written.text, whole[..2]);
        assert_eq!(written.tokens.len(), 4);
    }

    #[test]
    fn numbers_that_are_none_are_an_error_of_the_request() {
        let mut engine = Echo {
            broken: true,
            ..Echo::default()
        };
        let sequence = Asked::new(&[1], 3).sequence(0);
        let results = run(
            &mut engine,
            &mut Prefixes::new(1),
            1,
            [sequence],
            &mut nothing(),
        );
        assert!(matches!(results[&0], Err(GenerateError::NotFinite)));
    }

    /// A text without a choice needs no pass at all.
    #[test]
    fn forced_tokens_are_read_together() {
        let words = (0..VOCABULARY as u32)
            .map(|token| (token != END).then(|| letter(token).to_string().into_bytes()))
            .collect();
        let encode = |text: &str| {
            let token = |byte: u8| u32::from(byte.wrapping_sub(b'A'));
            text.bytes().map(token).collect()
        };
        let grammars = crate::constraint::Grammars::forcing(words, &[END], Box::new(encode));
        let mut sequence = Asked::new(&[1], 30).sequence(0);
        let follower = grammars.follow(&Constraint::Regex("ABCDE[FG]HIJKL".into()));
        sequence.follower = Some(follower.unwrap());
        let mut engine = Echo::default();
        let results = run(
            &mut engine,
            &mut Prefixes::new(0),
            1,
            [sequence],
            &mut nothing(),
        );
        let written = results[&0].as_ref().unwrap();
        assert!(["ABCDEFHIJKL", "ABCDEGHIJKL"].contains(&written.text.as_str()));
        assert_eq!(written.finish, Finish::Stop);
        assert_eq!(engine.passes.len(), 1);
        assert_eq!(engine.read, 6);
    }
}
