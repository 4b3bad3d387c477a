"""Vectors of an exported embedder: llama.cpp's beside groundtune's.

    python embedder_gguf.py GROUNDTUNE FOLDER TEXTS

Exports FOLDER to the current folder in F32, F16 and Q8_0, embeds each line of TEXTS with both programs,
and prints the largest difference, cosines, and how many of the ten nearest other lines are the same.
llama.cpp does without repacked weights: with them, its build for AMX ends with a segmentation fault in
Q8_0.
"""

import json
import subprocess
import sys

import llama_cpp
import numpy as np

program, folder, texts = sys.argv[1:4]
lines = [line.strip() for line in open(texts) if line.strip()]
default = llama_cpp.llama_model_default_params


def plain():
    parameters = default()
    parameters.use_extra_bufts = False
    return parameters


llama_cpp.llama_cpp.llama_model_default_params = plain
llama_cpp.llama_model_default_params = plain


def run(*arguments):
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout


def ours(model):
    rows = [json.loads(line) for line in run("embed", "--file", texts, "--model", model, "--json").splitlines()]
    vectors = np.array([row["embedding"] for row in rows])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def theirs(file):
    model = llama_cpp.Llama(file, embedding=True, n_ctx=256, n_batch=256, n_threads=2, verbose=False)
    return np.array([model.embed(line, normalize=True) for line in lines])


def nearest(vectors):
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    return np.argsort(-scores, 1)[:, :10]


found = {"folder": ours(folder)}
for kind in ("f32", "f16", "q8_0"):
    file = f"embedder-{kind}.gguf"
    run("models", "export", folder, "--to", file, "--format", kind, "--force")
    found[kind], found[f"llama.cpp {kind}"] = ours(file), theirs(file)
    for one, other in (("folder", f"llama.cpp {kind}"), (kind, f"llama.cpp {kind}"), ("folder", kind)):
        a, b = found[one], found[other]
        cosines = (a * b).sum(1)
        same = np.mean([len(set(x) & set(y)) / 10 for x, y in zip(nearest(a), nearest(b))])
        print(f"{one} · {other}: {abs(a - b).max():.1e}, cosine {cosines.min():.5f} to 1, same neighbours {same:.3f}", flush=True)
