#!/bin/sh
# Makes the built-in base model again: sh docs/base-model/make.sh TEXTS WORK
#
# TEXTS is a folder with the texts of model-card.md; WORK an empty folder. The data of the same
# texts and seeds is the same to the byte; weights differ between kinds of processors.
set -eu
texts=$1
work=$2
here=$(cd "$(dirname "$0")" && pwd)
cargo build --release -p groundtune-cli -p groundtune --example base_model --bin groundtune
tools=${CARGO_TARGET_DIR:-target}/release
maker=$(cd "$tools" && pwd)/examples/base_model
groundtune=$(cd "$tools" && pwd)/groundtune

mkdir -p "$work/1" "$work/2" "$work/3"
"$maker" make "$work/1" 1 40000 60000 "$texts"
"$maker" make "$work/2" 2 12000 26000 "$texts"
"$maker" make "$work/3" 3 6000 14000 "$texts"
cp "$here/1-short.toml" "$here/2-long.toml" "$here/3-last.toml" "$work"
cd "$work"
"$groundtune" train 1-short.toml
"$groundtune" train 2-long.toml
"$groundtune" train 3-last.toml
"$maker" judge .groundtune/runs/0003 2/seen.jsonl 2/unseen.jsonl
"$maker" keep .groundtune/runs/0003/model built_in
echo "now: cp $work/built_in/* crates/model/src/built_in/"
