"""How well coverage tells questions that a collection answers from those it does not.

    python keyword_relevance.py DATA OUT make      writes the folders to ask
    keyword_relevance OUT/NAME > OUT/NAME.jsonl    for each of them
    python keyword_relevance.py DATA OUT judge     prints a JSON object for each

`squad_a` and `squad_b`: the passages of one half of SQuAD 2.0's articles, asked its
own answerable questions and those about the other half. `squad_impossible`: all
passages, asked the answerable questions and those written to be unanswerable from a
passage on the same subject (the hardest case: the words are there, the answer is
not). `uv`: uv's documentation by sections, asked its own questions, the 8 it does
not answer, and one SQuAD question in thirty.
"""

import json
import pathlib
import re
import sys


def lines(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


def write(folder, corpus, questions):
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("corpus", corpus), ("queries", questions)):
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)


def sections(root):
    for path in sorted(root.rglob("*.md")):
        headings, body, title = [], [], None
        def chunk():
            words = " ".join(body).split()
            for start in range(0, len(words), 120):
                yield {"_id": str(path), "title": title or "", "headings": headings[:],
                       "text": " ".join(words[start : start + 120])}
        for line in path.read_text(encoding="utf-8").splitlines():
            heading = re.match(r"(#+) (.*)", line)
            if heading:
                yield from chunk()
                body = []
                level = len(heading[1])
                headings = headings[: level - 1] + [heading[2]]
                title = title or heading[2]
            else:
                body.append(line)
        yield from chunk()


def make(data, out):
    passages = lines(data / "retrieval/squad2_passages/corpus.jsonl")
    asked = lines(data / "qa/squad2_dev_half.jsonl")
    halves = sorted({p["title"] for p in passages})
    halves = {title: "ab"[n % 2] for n, title in enumerate(halves)}
    row = lambda q, kind: {"_id": f"{kind}:{q['id']}", "text": q["question"]}
    answerable = [q for q in asked if not q["is_impossible"]]
    for half in "ab":
        write(
            out / f"squad_{half}",
            [p for p in passages if halves[p["title"]] == half],
            [row(q, "yes" if halves[q["title"].replace("_", " ")] == half else "no")
             if q["title"] not in halves else
             row(q, "yes" if halves[q["title"]] == half else "no") for q in answerable],
        )
    write(
        out / "squad_impossible", passages,
        [row(q, "hard" if q["is_impossible"] else "yes") for q in asked],
    )
    uv = lines(data / "qa/uv_docs_qa.jsonl")
    write(
        out / "uv", list(sections(data / "docs/uv_md")),
        [row(q, "yes" if q["answerable"] else "hard") for q in uv]
        + [row(q, "no") for q in answerable[::30]],
    )


def auc(yes, no):
    ranked = sorted([(v, 1) for v in yes] + [(v, 0) for v in no])
    total, at = 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        total += sum(kind for _, kind in ranked[at:end]) * (at + end + 1) / 2
        at = end
    n, m = len(yes), len(no)
    return (total - n * (n + 1) / 2) / (n * m)


def judge(out):
    for path in sorted(out.glob("*.jsonl")):
        for value in ("coverages", "relevances"):
            of = {"yes": [], "no": [], "hard": []}
            for row in lines(path):
                of[row["_id"].split(":")[0]].append(max(row[value], default=0.0))
            for kind in ("no", "hard"):
                if not of[kind]:
                    continue
                share = lambda values, t: round(sum(v >= t for v in values) / len(values), 3)
                print(json.dumps({
                    "set": path.stem, "value": value, "against": kind,
                    "yes": len(of["yes"]), "others": len(of[kind]),
                    "auc": round(auc(of["yes"], of[kind]), 4),
                    "kept@0.7": share(of["yes"], 0.7), "passed@0.7": share(of[kind], 0.7),
                    "kept@0.5": share(of["yes"], 0.5), "passed@0.5": share(of[kind], 0.5),
                }))


if __name__ == "__main__":
    data, out = map(pathlib.Path, sys.argv[1:3])
    make(data, out) if sys.argv[3] == "make" else judge(out)
