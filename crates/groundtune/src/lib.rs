//! groundtune

pub mod config;
pub mod project;
