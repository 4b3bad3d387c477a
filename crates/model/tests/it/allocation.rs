//! A batch, or a token, allocates nothing once one as large has been seen.

#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use model::bert::{Batch, Bert, Precision, Workspace};
use model::decoder::{self, Step, Wanted};
use model::lora::Adapter;
use tensor::Kernels;

use crate::tiny;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_second_batch_allocates_nothing() {
    let bert = Bert::open(&tiny("bert"), Kernels::best(), Precision::default()).unwrap();
    let batch = |lengths: &[usize]| Batch {
        ids: vec![5; lengths.iter().sum()],
        segments: vec![0; lengths.iter().sum()],
        lengths: lengths.to_vec(),
    };
    let (large, small) = (batch(&[32, 20, 3]), batch(&[7, 32]));
    let mut workspace = Workspace::default();
    let before = COUNT.with(Cell::get);
    let first = bert.forward(&large, &mut workspace).to_vec();
    assert!(COUNT.with(Cell::get) > before);

    let before = COUNT.with(Cell::get);
    bert.forward(&small, &mut workspace);
    let again = bert.forward(&large, &mut workspace);
    assert_eq!(COUNT.with(Cell::get), before);
    assert_eq!(again, first);
}

#[test]
fn a_second_token_allocates_nothing() {
    for (name, adapter) in [("llama", "dora"), ("gpt2", "lora-gpt2")] {
        let decoder = crate::decoder::open(&tiny("decoders").join(name));
        let adapter = Adapter::open(&tiny("decoders").join(adapter), &decoder).unwrap();
        let with: [(&Adapter, f32); 1] = [(&adapter, 1.0)];
        let mut caches = [decoder.cache(40), decoder.cache(40)];
        let mut workspace = decoder::Workspace::default();
        let mut read = |tokens: &[u32], caches: &mut [decoder::Cache; 2]| {
            let [first, second] = caches;
            let mut steps = [(first, &with[..]), (second, &[])].map(|(cache, adapters)| Step {
                tokens,
                cache,
                adapters,
                wanted: Wanted::Last,
            });
            let before = COUNT.with(Cell::get);
            decoder.forward(&mut workspace, &mut steps).unwrap();
            COUNT.with(Cell::get) - before
        };
        assert!(read(&[1; 20], &mut caches) > 0);
        read(&[2], &mut caches);
        for token in 3..10 {
            assert_eq!(read(&[token], &mut caches), 0, "{name}");
        }
        caches[0].truncate(0);
        caches[1].truncate(5);
        assert_eq!(read(&[1; 20], &mut caches), 0, "{name}");
    }
}
