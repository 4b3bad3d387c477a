"""Makes the rankings that the measures are held against: `ranking.qrels`,
`ranking.run` and `ranking.expected.tsv`, the values that trec_eval's own code gives.

    pip install pytrec_eval-terrier==0.5.11; python make_ranking.py

Graded and negative judgements, ties, questions that only one of the files has,
questions with nothing relevant, documents that were not judged.
"""

import pathlib
import random

import pytrec_eval

here = pathlib.Path(__file__).parent
rng = random.Random(7)
documents = [f"d{n}" for n in range(60)] + ["D-x", "é", "z_1"]
qrels, run = {}, {}
for n in range(60):
    question = f"q{n}"
    levels = [-2, -1, 0, 0, 0, 1, 1, 2, 3] if n % 7 else [0, 0, -1]
    judged = rng.sample(documents, rng.randint(1, 40))
    if n % 11 != 3:
        qrels[question] = {document: rng.choice(levels) for document in judged}
    if n % 13 != 5:
        found = rng.sample(documents, rng.randint(1, 60))
        ties = n % 3
        run[question] = {
            document: float(rng.randint(0, 4)) if ties else rng.gauss(0, 1)
            for document in found
        }

with open(here / "ranking.qrels", "w") as out:
    for question, judged in qrels.items():
        for document, level in judged.items():
            out.write(f"{question} 0 {document} {level}\n")
with open(here / "ranking.run", "w") as out:
    for question, found in run.items():
        for rank, (document, score) in enumerate(found.items(), 1):
            out.write(f"{question} Q0 {document} {rank} {score!r} made\n")

cuts = "1,3,5,10,20,100"
measures = {f"ndcg_cut.{cuts}", f"recall.{cuts}", f"P.{cuts}", "recip_rank", "map"}
results = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
with open(here / "ranking.expected.tsv", "w") as out:
    for question, values in sorted(results.items()):
        named = {"map": values["map"]}
        for k in map(int, cuts.split(",")):
            named[f"ndcg@{k}"] = values[f"ndcg_cut_{k}"]
            named[f"recall@{k}"] = values[f"recall_{k}"]
            named[f"precision@{k}"] = values[f"P_{k}"]
            rank = values["recip_rank"]
            named[f"mrr@{k}"] = rank if rank > 0 and round(1 / rank) <= k else 0.0
        for name, value in named.items():
            out.write(f"{question}\t{name}\t{value!r}\n")
