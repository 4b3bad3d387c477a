"""Compares what `groundtune eval retrieval … --json` wrote of two searches of one set.

    python paired_retrieval.py BEFORE.json AFTER.json

Prints each one's mean nDCG@10 over all judged questions (without a result: 0), the mean
difference and its 95 % interval by 10,000 resamples of questions, seed 1.
"""

import json
import random
import sys

before, after = (json.load(open(path)) for path in sys.argv[1:3])


def scores(report):
    questions = report["questions"]
    rows = questions.items() if isinstance(questions, dict) else ((it["question"], it) for it in questions)
    return {name: (row.get("measures") or row)["ndcg@10"] for name, row in rows}


a, b = scores(before), scores(after)
names = sorted(set(a) | set(b))
names += [None] * (before["judged"] - len(names))
differences = [b.get(name, 0) - a.get(name, 0) for name in names]
chance, count = random.Random(1), len(differences)
means = sorted(sum(chance.choices(differences, k=count)) / count for _ in range(10_000))
print(f"{sum(a.values()) / count:.4f} -> {sum(b.values()) / count:.4f} of {count} questions")
print(f"{sum(differences) / count:+.4f} ({means[249]:+.4f} to {means[9749]:+.4f})")
