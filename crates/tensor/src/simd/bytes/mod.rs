//! What one instruction does to several whole numbers: the vocabulary of the loops over
//! quantised blocks.

#![expect(unsafe_code, reason = "intrinsics behind a trait")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2Bytes;
#[cfg(target_arch = "aarch64")]
pub(super) use neon::NeonBytes;
pub(super) use plain::PlainBytes;

/// What one kind of processor does to 32 bytes at once.
///
/// # Safety
/// As all of [`Lanes`](super::Lanes).
pub(crate) trait Bytes: Copy {
    /// 32 bytes.
    type B: Copy;
    /// Eight sums as `f32`.
    type F: Copy;

    /// A binary16 number.
    unsafe fn half(at: *const u8) -> f32;
    unsafe fn splat(byte: u8) -> Self::B;
    unsafe fn load(at: *const u8) -> Self::B;
    /// The lower halves of 16 bytes, and then the upper ones.
    unsafe fn load_nibbles(at: *const u8) -> Self::B;
    unsafe fn and(a: Self::B, b: Self::B) -> Self::B;
    unsafe fn or(a: Self::B, b: Self::B) -> Self::B;
    /// Each byte less that of `b`.
    unsafe fn sub(a: Self::B, b: Self::B) -> Self::B;
    /// Moves bits up by `BY`; those that come from a lower byte must not matter.
    unsafe fn up<const BY: i32>(a: Self::B) -> Self::B;
    /// Moves bits down by `BY`; those that come from a higher byte must not matter.
    unsafe fn down<const BY: i32>(a: Self::B) -> Self::B;
    /// The products of signed bytes, summed by fours: sums 0 to 3 are of the first 16
    /// bytes, the others of the rest. `x` is never −128.
    unsafe fn dot(weight: Self::B, x: Self::B) -> Self::F;
    unsafe fn zero() -> Self::F;
    /// `sums · by + to`.
    unsafe fn add_scaled(to: Self::F, sums: Self::F, by: f32) -> Self::F;
    /// The same with one scale for the first four sums and another for the rest.
    unsafe fn add_scaled_halves(to: Self::F, sums: Self::F, first: f32, rest: f32) -> Self::F;
    unsafe fn sum(sums: Self::F) -> f32;
}
