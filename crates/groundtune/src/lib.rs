//! groundtune

pub mod config;
pub mod demo;
pub mod project;
