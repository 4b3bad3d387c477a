"""Cuts the sets that docs/bench's runs of encoders learn from and are measured on.

    python encoder_data.py SQUAD_TRAIN.json SQUAD_DEV.json MEDQUAD.jsonl OUT

read-train.json, read-dev.json: SQuAD 2.0 by articles; the last six of the development file
are held out, the rest and those of SQUAD_TRAIN are learnt from.
faq-train.jsonl: questions with their answers, and another answer about the same thing as
negative where there is one; faq-test/: a retrieval set of the questions about things that
no training question is about, and their answers. Every fifth thing, in the order of
the alphabet, is held out.
pairs-train.jsonl: the same training questions, each with its answer and four others: of
the same thing, else of the next ones.
"""

import json
import os
import sys

train, dev, faq, out = sys.argv[1:5]
os.makedirs(f"{out}/faq-test/qrels", exist_ok=True)
train, dev = (json.load(open(path))["data"] for path in (train, dev))
held = 6
for name, articles in (("read-train", train + dev[:-held]), ("read-dev", dev[-held:])):
    for article in articles:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                asked["is_impossible"] = not asked["answers"]
    json.dump({"version": "v2.0", "data": articles}, open(f"{out}/{name}.json", "w"))


def lines(path, rows):
    with open(path, "w") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


things = {}
for line in open(faq):
    record = json.loads(line)
    if record["question"] and record["answer"]:
        things.setdefault(record["focus"], []).append(record)
names = sorted(things)
learnt = [name for at, name in enumerate(names) if at % 5]
tested = [name for at, name in enumerate(names) if at % 5 == 0]
contrasts, groups = [], []
for at, name in enumerate(learnt):
    records = things[name]
    near = [record for other in learnt[at + 1 : at + 5] for record in things[other]]
    for record in records:
        others = [it["answer"] for it in records if it["answer"] != record["answer"]]
        row = {"query": record["question"], "positive": record["answer"]}
        contrasts.append({**row, "negatives": others[:1]})
        more = [it["answer"] for it in near if it["answer"] != record["answer"]]
        groups.append({**row, "negatives": (others + more)[:4]})
lines(f"{out}/faq-train.jsonl", contrasts)
lines(f"{out}/pairs-train.jsonl", [row for row in groups if row["negatives"]])
corpus, queries, judged = {}, [], ["query-id\tcorpus-id\tscore"]
for name in tested:
    for record in things[name]:
        document = corpus.setdefault(record["answer"], f"d{len(corpus)}")
        queries.append({"_id": f"q{len(queries)}", "text": record["question"]})
        judged.append(f"{queries[-1]['_id']}\t{document}\t1")
lines(f"{out}/faq-test/corpus.jsonl", [{"_id": id, "title": "", "text": text} for text, id in corpus.items()])
lines(f"{out}/faq-test/queries.jsonl", queries)
open(f"{out}/faq-test/qrels/test.tsv", "w").write("\n".join(judged) + "\n")
print(len(contrasts), "contrasts,", len(groups), "groups,", len(queries), "queries,", len(corpus), "documents")
