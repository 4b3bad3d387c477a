//! The promises that hold for every format and every chunker.

mod chunks;
mod fixtures;
mod formats;
mod mutations;
