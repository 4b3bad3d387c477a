"""Compares what groundtune made of an encoder with what Python's libraries make of it.

    python encoder_peer.py embed MODEL TEXTS.txt VECTORS.jsonl
    python encoder_peer.py rerank MODEL QUESTION PASSAGES.txt SCORES.jsonl

VECTORS.jsonl is what `groundtune embed --model MODEL --json --file TEXTS.txt` prints, SCORES.jsonl what
`groundtune rerank --model MODEL --json QUESTION --file PASSAGES.txt` does. Prints the largest difference.
"""

import json
import sys

kind, model, *rest = sys.argv[1:]
if kind == "embed":
    from sentence_transformers import SentenceTransformer

    texts = open(rest[0]).read().splitlines()
    found = [json.loads(line)["embedding"] for line in open(rest[1])]
    expected = SentenceTransformer(model, device="cpu").encode(texts, normalize_embeddings=True)
    off = max(abs(a - b) for x, y in zip(found, expected) for a, b in zip(x, y))
else:
    from sentence_transformers import CrossEncoder

    passages = open(rest[1]).read().splitlines()
    found = {row["index"]: row["score"] for row in map(json.loads, open(rest[2]))}
    expected = CrossEncoder(model, device="cpu").predict([(rest[0], it) for it in passages])
    off = max(abs(found[at] - float(score)) for at, score in enumerate(expected))
print(f"{len(expected)} compared, largest difference {off:.1e}")
