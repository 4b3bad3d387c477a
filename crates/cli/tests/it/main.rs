//! The program as its users meet it: real folders, the real binary, whole screens.

mod ask;
mod demo;
mod embed;
mod ingest;
mod init;
mod kill;
mod project;
mod sick;
mod support;
mod usage;
