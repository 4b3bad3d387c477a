//! The journeys of the library, on real folders.

mod access;
mod advise;
mod built_in;
mod encoders;
mod fake;
mod house;
mod ingest;
mod planted;
mod vectors;
