"""Cuts the sets that docs/bench's runs of encoders learn from and are measured on.

    python encoder_data.py SQUAD_TRAIN.json SQUAD_DEV.json MEDQUAD.jsonl OUT

read-train.json, read-dev.json, read-ask.json: SQuAD 2.0 by articles; the last six of the
development file are held out, two to be examined on and four to be asked of documents; the
rest and those of SQUAD_TRAIN are learnt from.
faq-train.jsonl: questions with their answers, and another answer about the same thing as
negative where there is one; faq-test/: a retrieval set of the questions about things that
no training question is about, and their answers. Every fifth thing, in the order of
the alphabet, is held out. faq-250/: 250 of its questions, for what takes long.
pairs-train.jsonl: the same training questions, each with its answer and four others: of
the same thing, else of the next ones. pairs-small.jsonl: every other one of these, with two.
"""

import json
import os
import random
import sys

train, dev, faq, out = sys.argv[1:5]
os.makedirs(out, exist_ok=True)
train, dev = (json.load(open(path))["data"] for path in (train, dev))
held = 6
examined = [it for it in dev[-held:] if it["title"] in ("Warsaw", "Force")]
asked_of = [it for it in dev[-held:] if it not in examined]
for name, articles in (("read-train", train + dev[:-held]), ("read-dev", examined), ("read-ask", asked_of)):
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
groups = [row for row in groups if row["negatives"]]
lines(f"{out}/pairs-train.jsonl", groups)
lines(f"{out}/pairs-small.jsonl", [{**row, "negatives": row["negatives"][:2]} for row in groups[::2]])
corpus, queries, judged = {}, [], ["query-id\tcorpus-id\tscore"]
for name in tested:
    for record in things[name]:
        document = corpus.setdefault(record["answer"], f"d{len(corpus)}")
        queries.append({"_id": f"q{len(queries)}", "text": record["question"]})
        judged.append(f"{queries[-1]['_id']}\t{document}\t1")
corpus = [{"_id": id, "title": "", "text": text} for text, id in corpus.items()]
chosen = [json.dumps(row) for row in queries]
random.Random(1).shuffle(chosen)
chosen = {json.loads(row)["_id"] for row in chosen[:250]}
for name, kept in (("faq-test", {row["_id"] for row in queries}), ("faq-250", chosen)):
    os.makedirs(f"{out}/{name}/qrels", exist_ok=True)
    lines(f"{out}/{name}/corpus.jsonl", corpus)
    lines(f"{out}/{name}/queries.jsonl", [row for row in queries if row["_id"] in kept])
    rows = judged[:1] + [row for row in judged[1:] if row.split("\t")[0] in kept]
    open(f"{out}/{name}/qrels/test.tsv", "w").write("\n".join(rows) + "\n")
print(len(contrasts), "contrasts,", len(groups), "groups,", len(queries), "queries,", len(corpus), "documents")
