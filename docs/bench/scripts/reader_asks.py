"""Asks `groundtune ask` questions of SQuAD, in a project that has their passages as documents.

    python reader_asks.py GROUNDTUNE PROJECT READER SQUAD.json COUNT

COUNT questions with an answer and COUNT without, drawn with seed 1; READER `none` answers
with sentences. Exact matches and F1 as SQuAD 2.0's own script computes them, how many are
refused, and how often the cited passage is the question's own.
"""

import collections
import json
import random
import re
import string
import subprocess
import sys

program, project, reader, squad, count = sys.argv[1:6]


def words(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def f1(given, right):
    given, right = words(given), words(right)
    if not given or not right:
        return float(given == right)
    same = sum((collections.Counter(given) & collections.Counter(right)).values())
    return 2 * same / (len(given) + len(right))


asked = [[], []]
for article in json.load(open(squad))["data"]:
    for paragraph in article["paragraphs"]:
        for it in paragraph["qas"]:
            asked[not it["answers"]].append((it["question"], [a["text"] for a in it["answers"]], paragraph["context"]))
for rows, what in zip(asked, ("with an answer", "without")):
    chosen = random.Random(1).sample(rows, int(count))
    exact = overlap = refused = own = 0
    for question, right, passage in chosen:
        reply = json.loads(subprocess.run(
            [program, "ask", "--project", project, "--model", reader, "--json", "--", question],
            check=True, capture_output=True, text=True,
        ).stdout)
        refused += reply["abstained"] or not reply["citations"]
        given = "" if not reply["citations"] else re.sub(r"\s*\[\d+\]", "", reply["answer"])
        right = right or [""]
        exact += max(words(given) == words(it) for it in right)
        overlap += max(f1(given, it) for it in right)
        own += any(it["text"].strip() and it["text"].strip() in passage for it in reply["citations"])
    n = len(chosen)
    print(f"{n} {what}: exact {exact / n:.3f}, F1 {overlap / n:.3f}, refused {refused / n:.3f}, own passage cited {own / n:.3f}")
