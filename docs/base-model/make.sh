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

mkdir -p "$work/1" "$work/2" "$work/3" "$work/4"
"$maker" make "$work/1" 21 26000 4000 0 "$texts"
"$maker" make "$work/2" 22 8000 40000 90000 "$texts"
"$maker" make "$work/3" 33 2000 20000 66000 "$texts"
"$maker" make "$work/4" 44 1000 8000 30000 "$texts"
cp "$here"/*.toml "$work"
cd "$work"
"$groundtune" train 1-drill.toml
"$groundtune" train 2-mixed.toml
"$groundtune" train 3-last.toml
"$groundtune" train 4-more.toml
"$maker" judge .groundtune/runs/0004 4/seen.jsonl 4/unseen.jsonl
"$maker" keep .groundtune/runs/0004/model built_in
echo "now: cp $work/built_in/* crates/model/src/built_in/"
