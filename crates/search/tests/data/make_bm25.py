"""Makes `bm25.json`: made-up texts, questions, and the scores that bm25s gives them.

    pip install bm25s==0.3.16; python make_bm25.py

The words are already terms (no stemming, no stop words), so that the same words are
scored on both sides.
"""

import json
import pathlib
import random

import bm25s

rng = random.Random(11)
words = [a + b for a in "bdfgkl" for b in ("ax", "ix", "ox", "ux")]
weights = [1 / (rank + 1) for rank in range(len(words))]
texts = [rng.choices(words, weights, k=rng.randint(1, 60)) for _ in range(40)]
questions = [rng.choices(words, k=rng.randint(1, 6)) for _ in range(20)]
settings = []
for k1, b in ((1.2, 0.75), (1.5, 0.75), (0.9, 0.4), (2.0, 1.0), (1.5, 0.0)):
    index = bm25s.BM25(method="lucene", k1=k1, b=b)
    index.index(texts, show_progress=False)
    scores = [[float(s) for s in index.get_scores(question)] for question in questions]
    settings.append({"k1": k1, "b": b, "scores": scores})
data = {
    "texts": [" ".join(text) for text in texts],
    "questions": [" ".join(question) for question in questions],
    "settings": settings,
}
path = pathlib.Path(__file__).parent / "bm25.json"
path.write_text(json.dumps(data) + "\n")
