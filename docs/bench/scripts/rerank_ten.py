"""Reorders, with a cross-encoder, the ten passages that lie nearest to a question.

    python rerank_ten.py GROUNDTUNE BEIR_FOLDER EMBEDDER RERANKER COUNT

nDCG@10 of the first COUNT questions before and after, and the difference's 95 % interval by
10,000 resamples of questions, seed 1. Passages are cut to their first 600 characters.
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
before, after = [], []
for (name, text), asked in zip(questions.items(), vectors(list(questions.values()))):
    near = sorted(names, key=lambda it, scores={n: sum(a * b for a, b in zip(asked, v)) for n, v in zip(names, there)}: -scores[it])[:10]
    scored = lines(["rerank", "--model", reranker, "--json", text], [passages[it] for it in near])
    before.append(ndcg(near, relevant[name]))
    after.append(ndcg([near[row["index"]] for row in sorted(scored, key=lambda row: -row["score"])], relevant[name]))
differences = [b - a for a, b in zip(before, after)]
chance, n = random.Random(1), len(differences)
means = sorted(sum(chance.choices(differences, k=n)) / n for _ in range(10_000))
print(f"{sum(before) / n:.4f} -> {sum(after) / n:.4f} of {n} questions")
print(f"{sum(differences) / n:+.4f} ({means[249]:+.4f} to {means[9749]:+.4f})")
