//! Kernels and memory: matrix products, the fused loops around them, and buffers
//! that are planned once.
//!
//! Knows no layer and no model. Everything works on plain slices of `f32` with
//! their shapes beside them. Most calls run on the thread that makes them: whoever
//! has several batches gives one to each thread, which needs no meeting point
//! between two kernels. Where there is only one thing to do at a time, as when text is
//! generated, a [`Team`] shares each call among its threads.
//!
//! Every loop is written once, over [the numbers one instruction holds](simd), and
//! compiled for each kind of processor; [`Kernels::best`] chooses when the program
//! starts.

mod activation;
mod attention;
mod buffer;
mod causal;
mod format;
mod gemm;
mod half;
mod int8;
mod matmul;
mod norm;
mod pages;
mod pool;
mod rotary;
pub mod simd;
mod softmax;
mod stored;
mod team;
pub mod training;

pub use activation::Activation;
pub use attention::{SelfAttention, attention_scratch};
pub use buffer::Buffer;
pub use causal::{Cached, CausalAttention, Kept};
pub use format::Format;
pub use gemm::{PackedMatrix, Product};
pub use half::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};
pub use matmul::{Factor, Matmul, PackedFactor, Precision};
pub use norm::{LayerNorm, RmsNorm};
pub use pool::{Pooling, normalize};
pub use rotary::{Pairs, Rotary};
pub use simd::Kernels;
pub use stored::{Layout, Scratch, StoredMatrix, StoredProduct, Sum};
pub use team::Team;

#[cfg(test)]
mod sample;
