//! The program as its users meet it: real folders, the real binary, whole screens.

mod ask;
mod demo;
mod ingest;
mod init;
mod kill;
mod support;
mod usage;
