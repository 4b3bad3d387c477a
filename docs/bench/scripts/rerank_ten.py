"""Reorders, with a cross-encoder, the ten passages that lie nearest to a question.

    python rerank_ten.py GROUNDTUNE BEIR_FOLDER EMBEDDER RERANKER COUNT

nDCG@10 of the first COUNT questions before and after, by the cross-encoder's score alone and by
0.7 cosine + 0.3 score, as `[retrieval.fusion]` has it by default; and the differences' 95 % intervals
by 10,000 resamples of questions, seed 1. Passages are cut to their first 600 characters.
"""

import json
import math
import random
import subprocess
import sys

program, folder, embedder, reranker, count = sys.argv[1:6]
read = lambda name: [json.loads(line) for line in open(f"{folder}/{name}.jsonl")]
one_line = lambda text: " ".join(text.split())[:600]
passages = {row["_id"]: one_line(row["text"]) for row in read("corpus")}
questions = {row["_id"]: one_line(row["text"]) for row in read("queries")[: int(count)]}
relevant = {}
for line in open(f"{folder}/qrels/test.tsv").read().splitlines()[1:]:
    question, passage, _ = line.split("\t")
    relevant.setdefault(question, set()).add(passage)


def lines(arguments, texts):
    done = subprocess.run([program, *arguments], input="\n".join(texts) + "\n", capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def vectors(texts):
    return [row["embedding"] for row in lines(["embed", "--model", embedder, "--json"], texts)]


def ndcg(order, right):
    gain = sum(1 / math.log2(at + 2) for at, it in enumerate(order[:10]) if it in right)
    return gain / sum(1 / math.log2(at + 2) for at in range(min(10, len(right))))


names, there = list(passages), vectors(list(passages.values()))
before, alone, fused = [], [], []
for (name, text), asked in zip(questions.items(), vectors(list(questions.values()))):
    cosines = {passage: sum(a * b for a, b in zip(asked, vector)) for passage, vector in zip(names, there)}
    near = sorted(names, key=lambda it: -cosines[it])[:10]
    found = lines(["rerank", "--model", reranker, "--json", text], [passages[it] for it in near])
    scores = {near[row["index"]]: row["score"] for row in found}
    before.append(ndcg(near, relevant[name]))
    alone.append(ndcg(sorted(near, key=lambda it: -scores[it]), relevant[name]))
    fused.append(ndcg(sorted(near, key=lambda it: -(0.7 * cosines[it] + 0.3 * scores[it])), relevant[name]))
n = len(before)
print(f"{n} questions, nDCG@10 {sum(before) / n:.4f}")
for how, after in (("by score alone", alone), ("fused", fused)):
    chance = random.Random(1)
    differences = [b - a for a, b in zip(before, after)]
    means = sorted(sum(chance.choices(differences, k=n)) / n for _ in range(10_000))
    print(f"{how}: {sum(after) / n:.4f}, {sum(differences) / n:+.4f} ({means[249]:+.4f} to {means[9749]:+.4f})")
