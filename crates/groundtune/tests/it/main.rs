//! The journeys of the library, on real folders.

mod access;
mod fake;
mod house;
mod ingest;
mod vectors;
