//! Transformers as their users have them: a Hugging Face folder (`config.json`,
//! `tokenizer.json`, safetensors) or a GGUF file becomes an [`Embedder`], a
//! [`CrossEncoder`] or a [`Decoder`](decoder::Decoder).
//!
//! An architecture is one file ([`bert`], `decoder/llama.rs`, …) with its tensor names as
//! a table, over the kernels of `tensor`. How texts become tokens, batches and vectors is the same for
//! all of them. Nothing here downloads, prints or reads the environment.

mod batch;
pub mod bert;
pub mod built_in;
mod chat_template;
mod config;
mod constraint;
pub mod decoder;
mod describe;
pub mod distill;
mod embedder;
mod encoder_export;
mod encoder_files;
mod encoder_names;
mod error;
mod folder;
pub mod generator;
pub mod gguf;
mod heads;
pub mod lora;
mod runner;
mod safetensors;
mod sampling;
mod sentence;
mod static_embedder;
mod stop;
pub mod tokenizer;
mod tokens;
pub mod training;
pub mod weights;

pub use bert::Precision;
pub use chat_template::{ChatRequest, ChatTemplate};
pub use constraint::{Constraint, ConstraintError};
pub use describe::{ModelDescription, ModelKind, describe};
pub use embedder::{Embedder, EmbedderOptions, LongText};
pub use encoder_export::export_embedder;
pub use error::ModelError;
pub use heads::{
    Classifier, CrossEncoder, CrossEncoderOptions, Entity, HeadOptions, Reader, ReaderOptions,
    Reading, TaggedSpan, TokenClassifier, WordEncoder, best_answer, tagged_spans,
};
pub use sampling::{Likelihood, Sampler, Sampling, SamplingError, TokenLikelihood};
pub use static_embedder::StaticEmbedder;
pub use tokens::{EncoderTokenizer, PassageTokens, TextWords, Tokens, WordTokens};
