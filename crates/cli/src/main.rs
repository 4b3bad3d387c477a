//! groundtune
fn main() {}
