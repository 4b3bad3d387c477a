"""Makes a BEIR folder of about 50,000 chunks of 100 words, to time keyword search.

    python keyword_corpus.py DATA OUT [CHUNKS]

The texts are those of DATA (documents, retrieval sets, questions and answers,
language and fine-tuning texts), in a fixed order, cut every 100 words; short texts
of one file are joined. When they run out they are cut again at other places, 33 and
then 66 words on, so that the vocabulary stays that of real text. Questions: those of
SQuAD 2.0 and MedQuAD, as asked.
"""

import json
import pathlib
import subprocess
import sys

WORDS = 100


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)


def texts(data):
    for path in sorted(data.rglob("*")):
        if not path.is_file() or path.name.endswith("queries.jsonl"):
            continue
        if path.parts[len(data.parts)] not in {"docs", "retrieval", "qa", "lm", "ft"}:
            continue
        if path.suffix == ".jsonl":
            for line in open(path, encoding="utf-8"):
                yield from (s for s in strings(json.loads(line)) if len(s) > 20)
        elif path.name.endswith(".jsonl.zst"):
            unpacked = subprocess.run(["zstd", "-dc", path], capture_output=True)
            for line in unpacked.stdout.decode().splitlines():
                yield json.loads(line)["text"]
        elif path.suffix in {".md", ".rst", ".txt", ".rs"}:
            yield path.read_text(encoding="utf-8", errors="replace")


def main():
    data, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 50_000
    words = " ".join(texts(data)).split()
    out.mkdir(parents=True, exist_ok=True)
    made = 0
    with open(out / "corpus.jsonl", "w", encoding="utf-8") as file:
        for shift in (0, 33, 66):
            for start in range(shift, len(words) - WORDS, WORDS):
                if made == count:
                    break
                text = " ".join(words[start : start + WORDS])
                file.write(json.dumps({"_id": str(made), "text": text}) + "\n")
                made += 1
    asked = []
    for name in ("qa/squad2_dev_half.jsonl", "qa/medquad_faq.jsonl"):
        for line in open(data / name, encoding="utf-8"):
            asked.append(json.loads(line)["question"])
    asked = sorted(set(asked))[::3]
    with open(out / "queries.jsonl", "w", encoding="utf-8") as file:
        for number, text in enumerate(asked):
            file.write(json.dumps({"_id": f"q{number}", "text": text}) + "\n")
    print(f"{len(words)} words, {made} chunks, {len(asked)} questions")


main()
