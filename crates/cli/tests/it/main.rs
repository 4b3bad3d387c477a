//! The program as its users meet it: real folders, the real binary, whole screens.

mod advise;
mod ask;
mod chat;
mod compare;
mod compare_encoder;
mod data;
mod demo;
mod embed;
mod eval;
mod generate;
mod ingest;
mod init;
mod judge;
mod kill;
mod label;
mod models;
mod project;
mod route;
#[expect(dead_code, reason = "the tests of `remote` misbehave in more ways")]
#[path = "../../../remote/tests/it/server.rs"]
mod server;
mod sick;
mod support;
mod train;
mod train_encoder;
mod usage;
mod versions;
