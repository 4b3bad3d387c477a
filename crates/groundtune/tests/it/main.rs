//! The journeys of the library, on real folders.

mod access;
mod encoders;
mod fake;
mod house;
mod ingest;
mod vectors;
