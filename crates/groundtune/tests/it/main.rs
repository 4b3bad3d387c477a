//! The journeys of the library, on real folders.

mod access;
mod advise;
mod classify;
mod encoders;
mod fake;
mod house;
mod ingest;
mod vectors;
