"""How well a share of words tells whether evidence says a sentence.

    python grounding.py DATA GROUNDING     (DATA: squad2_dev_half.jsonl, pubmedqa_train.jsonl, squad2_passages/,
                                            pubmedqa_abstracts/ below it; GROUNDING: the built example `grounding`)

Sentences that evidence says, and sentences that it does not, are held against it as `ask` holds what a model
writes. Of SQuAD 2, half of the dev set: the sentence that holds the answer, and the answer alone, against their own
passage (said); the same sentence against another passage of its article, the sentence with another answer of the
same article in place of its own, and that other answer alone, as answer to an unanswerable question of the passage
(not said). Of PubMedQA: the conclusion, which its author wrote in other words, against the rest of its abstract
(said) and against another abstract (not said). Prints which share of each is taken as said, by threshold.
"""

import json
import os
import random
import re
import subprocess
import sys

DATA, PROGRAM = sys.argv[1:]
random.seed(7)


def lines(*path):
    with open(os.path.join(DATA, *path)) as file:
        return [json.loads(line) for line in file]


def sentences(text):
    return [it for it in re.split(r"(?<=[.!?])\s+(?=[A-Z\"'(])", text.strip()) if it]


def squad():
    passages = {it["_id"]: it["text"] for it in lines("retrieval", "squad2_passages", "corpus.jsonl")}
    questions = lines("qa", "squad2_dev_half.jsonl")
    by_title, ids = {}, {}
    for it in questions:
        if not it["is_impossible"]:
            by_title.setdefault(it["title"], []).append(it)
    for it in passages:
        ids.setdefault(it.rsplit("#", 1)[0], []).append(it)
    for it in questions:
        passage = passages[it["passage_id"]]
        other = [o["answers"][0] for o in by_title[it["title"]]
                 if o["passage_id"] != it["passage_id"] and o["answers"][0].lower() not in passage.lower()]
        if it["is_impossible"]:
            if other:
                yield "another answer, to an unanswerable question", False, it["question"], random.choice(other), passage
            continue
        answer = it["answers"][0]
        gold = next((s for s in sentences(passage) if answer in s), None)
        if gold is None:
            continue
        yield "the sentence", True, it["question"], gold, passage
        yield "the answer alone", True, it["question"], answer, passage
        elsewhere = [o for o in ids[it["passage_id"].rsplit("#", 1)[0]] if o != it["passage_id"]]
        if elsewhere:
            yield "the sentence, another passage", False, it["question"], gold, passages[random.choice(elsewhere)]
        if other:
            swapped = gold.replace(answer, random.choice(other))
            yield "the sentence with another answer", False, it["question"], swapped, passage


def pubmed():
    rows = lines("qa", "pubmedqa_train.jsonl")
    for it in rows:
        said = " ".join(it["contexts"])
        other = random.choice([o for o in rows if o["id"] != it["id"]])
        for s in sentences(it["long_answer"]):
            yield "a conclusion", True, it["question"], s, said
            yield "a conclusion, another abstract", False, it["question"], s, " ".join(other["contexts"])


def main():
    thresholds = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    for name, corpus, cases in (("SQuAD 2", "squad2_passages", squad()), ("PubMedQA", "pubmedqa_abstracts", pubmed())):
        cases = list(cases)
        text = "".join(json.dumps(dict(question=q, answer=a.rstrip(".!?") + " [1].", evidence=e)) + "\n"
                       for _, _, q, a, e in cases)
        ran = subprocess.run([PROGRAM, os.path.join(DATA, "retrieval", corpus, "corpus.jsonl")],
                             input=text, text=True, capture_output=True, check=True)
        kinds = {}
        for (kind, said, *_), line in zip(cases, ran.stdout.splitlines()):
            for it in json.loads(line):
                kinds.setdefault((kind, said), []).append((it["support"], it["enough"]))
        print(f"{name:<48}{'n':>6}" + "".join(f"{t:>7}" for t in thresholds) + "    now")
        for (kind, said), found in kinds.items():
            shares = [sum(s >= t for s, _ in found) / len(found) for t in thresholds]
            now = sum(e for _, e in found) / len(found)
            print(f"{'+' if said else '-'} {kind:<46}{len(found):>6}" + "".join(f"{s:>7.3f}" for s in shares) + f"{now:>7.3f}")


main()
