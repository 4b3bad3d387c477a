//! Numbers for tests, the same in every run.

/// Returns `count` numbers between −1 and 1 that depend on `seed`
/// (SplitMix64, Steele et al. 2014).
pub(crate) fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            (z >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// Asserts that `found` is `expect` within `tolerance`, absolutely, everywhere.
pub(crate) fn assert_near(found: &[f32], expect: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expect.len(), "{what}");
    for (at, (found, expect)) in found.iter().zip(expect).enumerate() {
        assert!(
            (f64::from(*found) - expect).abs() <= tolerance,
            "{what}: {found} is not {expect} at {at}"
        );
    }
}
