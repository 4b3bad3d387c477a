//! A few planted worlds: the verdict names who must win. How often it does so in many is in
//! `docs/bench/planted.md`.

use std::path::Path;

#[path = "../../examples/planted/journey.rs"]
mod journey;
#[path = "../../examples/base_model/random.rs"]
#[expect(dead_code, reason = "worlds need only some of it")]
mod random;
#[path = "../../examples/planted/reader.rs"]
#[expect(dead_code, reason = "the reader is made by the example")]
mod reader;
#[path = "../../examples/planted/world.rs"]
#[expect(dead_code, reason = "kinds are named by the example")]
mod world;

use world::{Kind, Size, World};

/// Has a world compared, and returns who won.
fn check(kind: Kind) {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/planted/reader");
    let folder = tempfile::tempdir().unwrap();
    let seed = 1000;
    let world = World::new(kind, seed, Size::default());
    let judgement = journey::compared(&world, folder.path(), &reader, seed).unwrap();
    let winner = judgement.report.compared.verdict.winner.as_deref();
    assert_eq!(winner, kind.winner(), "{}", judgement.statement());
}

#[test]
fn facts_that_change_are_for_retrieval() {
    check(Kind::Documents);
}

#[test]
fn what_only_examples_tell_is_for_tuning() {
    check(Kind::Examples);
}

#[test]
fn both_at_once_are_for_both() {
    check(Kind::Both);
}

#[test]
fn what_the_model_knows_is_for_the_prompt() {
    check(Kind::Model);
}

#[test]
fn where_nothing_can_be_learnt_nobody_wins() {
    check(Kind::Nothing);
}
