//! Kernels and memory: matrix products, the fused loops around them, and buffers
//! that are planned once.
//!
//! Knows no layer and no model. Everything works on plain slices of `f32` with
//! their shapes beside them; one call runs on the thread that makes it. Whoever
//! has several batches gives one to each thread, which needs no meeting point
//! between two kernels.
//!
//! Every loop is written once, over [the numbers one instruction holds](simd), and
//! compiled for each kind of processor; [`Kernels::best`] chooses when the program
//! starts.

mod activation;
mod attention;
mod buffer;
mod gemm;
mod half;
mod norm;
mod pool;
pub mod simd;
mod softmax;

pub use activation::Activation;
pub use attention::{SelfAttention, attention_scratch};
pub use buffer::Buffer;
pub use gemm::{PackedMatrix, Product};
pub use half::{bf16_to_f32, f16_to_f32};
pub use norm::LayerNorm;
pub use pool::{Pooling, normalize};
pub use simd::Kernels;

#[cfg(test)]
mod sample;
