"""Quality of keyword search: bm25s with the Snowball stemmer, and TREC runs of ours.

    pip install bm25s==0.3.16 PyStemmer pytrec_eval-terrier==0.5.11
    python bm25s_quality.py DATA/retrieval/cranfield [RUN ...]

Prints one JSON object a line. bm25s is run as it comes (its own words and stop
words, k1 1.5, b 0.75, `lucene`), without stop words, and with our k1 and b. Titles
are indexed before the text. Means are over all judged questions.
"""

import json
import pathlib
import sys

import bm25s
import pytrec_eval
import Stemmer

MEASURES = {"ndcg_cut.10", "recall.100", "recip_rank", "map"}


def lines(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


def judged(folder):
    qrels = {}
    for line in open(folder / "qrels/test.tsv", encoding="utf-8").read().splitlines()[1:]:
        question, document, level = line.split("\t")
        qrels.setdefault(question, {})[document] = int(level)
    return qrels


def measure(name, qrels, run):
    ranked = {}
    for question, found in run.items():
        ranked[question] = {d: s for d, s in found.items() if s > 0}
    results = pytrec_eval.RelevanceEvaluator(qrels, MEASURES).evaluate(ranked)
    n = len(qrels)
    mean = lambda of: round(sum(of(v) for v in results.values()) / n, 4)
    cut = lambda v: v["recip_rank"] if v["recip_rank"] > 1 / 10.5 else 0.0
    print(json.dumps({
        "run": name, "questions": n,
        "ndcg@10": mean(lambda v: v["ndcg_cut_10"]),
        "recall@100": mean(lambda v: v["recall_100"]),
        "mrr@10": mean(cut), "map": mean(lambda v: v["map"]),
    }), flush=True)


def main():
    folder = pathlib.Path(sys.argv[1])
    qrels = judged(folder)
    corpus = lines(folder / "corpus.jsonl")
    questions = lines(folder / "queries.jsonl")
    stemmer = Stemmer.Stemmer("english")
    texts = [(d.get("title", "") + " " + d["text"]).strip() for d in corpus]
    for name, stopwords, k1, b in [
        ("bm25s stop words k1=1.5 b=0.75", "en", 1.5, 0.75),
        ("bm25s k1=1.5 b=0.75", None, 1.5, 0.75),
        ("bm25s k1=1.2 b=0.75", None, 1.2, 0.75),
        ("bm25s stop words k1=1.2 b=0.75", "en", 1.2, 0.75),
    ]:
        cut = lambda t: bm25s.tokenize(t, stopwords=stopwords, stemmer=stemmer, show_progress=False)
        index = bm25s.BM25(method="lucene", k1=k1, b=b)
        index.index(cut(texts), show_progress=False)
        k = min(100, len(corpus))
        places, scores = index.retrieve(
            cut([q["text"] for q in questions]), k=k, show_progress=False, n_threads=1
        )
        run = {
            question["_id"]: {corpus[p]["_id"]: float(s) for p, s in zip(row, values)}
            for question, row, values in zip(questions, places, scores)
        }
        measure(name, qrels, run)
    for path in sys.argv[2:]:
        run = {}
        for line in open(path, encoding="utf-8"):
            question, _, document, _, score, _ = line.split()
            run.setdefault(question, {})[document] = float(score)
        measure(pathlib.Path(path).name, qrels, run)


main()
