"""Makes the texts from which the built-in embedder was distilled.

    python3 texts.py DATA WORDNET OUT

DATA is a folder with the public sets named below (what each is and its licence:
`data.md` beside this file), WORDNET a bare Git folder of Open English WordNet. Writes
`OUT/passages.jsonl` and `OUT/short.jsonl`, one `{"text": …}` a line, in an order that
is the same every time. The texts of the test sets (Cranfield, SQuAD 2, PubMedQA) and of
the sets on which choices were made (uv's manual, SciTLDR's dev set, TAT-QA, every
second question of MedQuAD) are not among them.
"""

import hashlib
import json
import pathlib
import random
import re
import subprocess
import sys

WORDS_A_PASSAGE = 90
data, wordnet, out = map(pathlib.Path, sys.argv[1:4])
chance = random.Random(1)


def lines(path):
    return [json.loads(line) for line in open(data / path, encoding="utf-8")]


def held_out(key):
    """Every second item, by its own name: for choosing, not for training."""
    return hashlib.sha256(key.encode()).digest()[0] % 2 == 0


def passages_of(text):
    """Cuts at paragraphs, and where those are long, after sentences."""
    passage = []
    for sentence in re.split(r"\n\s*\n|(?<=[.!?])\s+", text):
        words = sentence.split()[:WORDS_A_PASSAGE]
        if passage and len(passage) + len(words) > WORDS_A_PASSAGE:
            yield " ".join(passage)
            passage = []
        passage += words
    if len(passage) > 8:
        yield " ".join(passage)


passages, short = [], []


def long_texts(texts, most=None):
    found = [passage for text in texts for passage in passages_of(text)]
    passages.extend(chance.sample(found, most) if most and most < len(found) else found)


def short_texts(texts, most=None):
    found = sorted({text.strip() for text in texts if len(text.split()) > 1})
    short.extend(chance.sample(found, most) if most and most < len(found) else found)


unk = re.compile(r"<unk>")
wikitext = unk.sub("", (data / "lm/wikitext2_valid.txt").read_text())
wikipedia = (data / "lm/wikipedia_demo.txt").read_text()
c4 = [it["text"] for it in lines("lm/c4_demo.jsonl")]
long_texts([wikitext, wikipedia, *c4])
sentences = [s for text in [wikitext, wikipedia, *c4] for s in re.split(r"(?<=[.!?])\s+|\n", text)]
short_texts([s for s in sentences if 5 < len(s.split()) < 40], 8000)
long_texts([(data / "lm/tinyshakespeare.txt").read_text()], 300)
long_texts([it["question"] + " " + it["answer"] for it in lines("ft/gsm8k/train.jsonl")], 300)
long_texts([it["source"] for it in lines("ft/scitldr/train.jsonl")], 3000)
short_texts([it["title"] for it in lines("ft/scitldr/train.jsonl")])
long_texts([a for it in lines("preference/dpo_en_demo.jsonl") for a in (it["messages"][-1]["content"], it["chosen"])], 1200)
short_texts([m["content"][:300] for it in lines("preference/dpo_en_demo.jsonl") for m in it["messages"]])
long_texts([t["value"] for it in lines("instruct/glaive_toolcall.jsonl") for t in it["conversations"]], 500)
seed = lines("instruct/self_instruct_seed.jsonl")
long_texts([f'{it["instruction"]} {it["input"]} {it["output"]}' for it in seed])
short_texts([it["instruction"] for it in seed])
medical = [it for it in lines("qa/medquad_faq.jsonl") if not held_out(it["id"])]
long_texts([it["answer"] for it in medical], 3500)
short_texts([it["question"] for it in medical])
for folder in ["ripgrep_md", "flask_rst", "code_rs"]:
    for path in sorted((data / "docs" / folder).rglob("*")):
        if path.is_file():
            long_texts([path.read_text(errors="replace")], 60)
code = subprocess.run(["zstd", "-dcq", data / "lm/rust_code.jsonl.zst"], capture_output=True, check=True).stdout
comments = [" ".join(re.findall(r"^\s*//[/!]? ?(.*)$", json.loads(line)["text"], re.M)) for line in code.splitlines()]
long_texts([it for it in comments if len(it) > 200], 1200)
long_texts([json.loads(line)["text"] for line in code.splitlines()], 600)
short_texts([it["text"] for it in lines("ft/snips/train.jsonl")], 1200)
short_texts([it["text"] for it in lines("ft/banking77/train.jsonl")], 2500)
short_texts([it["ref"] for it in lines("ft/e2e/train.jsonl")], 300)
short_texts([" ".join(it["tokens"]) for it in lines("ft/wnut17_ner/train.jsonl")], 1500)

# WordNet: a word with what it means, for the many words that running text of this size lacks.
names = subprocess.run(["git", "--git-dir", wordnet, "ls-tree", "-r", "--name-only", "HEAD", "src/yaml/"], capture_output=True, check=True, text=True).stdout.split()
meanings, examples = [], []
for name in sorted(names):
    if not re.search(r"/(noun|verb|adj|adv)\.", name):
        continue
    yaml = subprocess.run(["git", "--git-dir", wordnet, "show", f"HEAD:{name}"], capture_output=True, check=True, text=True).stdout
    for entry in re.split(r"(?m)^(?=\d{8}-\w:)", yaml):
        fields, key = {}, None
        for line in entry.splitlines()[1:]:
            if m := re.match(r"  (\w+):", line):
                key = m[1]
            elif m := re.match(r"  - (.*)", line):
                fields.setdefault(key, []).append(m[1])
            elif key in fields and line.startswith("    "):
                fields[key][-1] += " " + line.strip()
        members = [it.strip("'\"") for it in fields.get("members", [])]
        definitions = [it.strip("'\"") for it in fields.get("definition", [])]
        if members and definitions:
            meanings.append(f'{", ".join(members[:4])}: {definitions[0]}')
        examples += [it.strip("'\"") for it in fields.get("example", []) if ":" not in it]
short_texts(meanings, 36000)
short_texts(examples, 12000)

out.mkdir(parents=True, exist_ok=True)
for name, texts in [("passages", passages), ("short", short)]:
    texts = [re.sub(r"\s+", " ", text).strip() for text in texts]
    texts = sorted({text for text in texts if text})
    chance.shuffle(texts)
    texts = texts[: 12000 if name == "passages" else None]
    with open(out / f"{name}.jsonl", "w", encoding="utf-8") as file:
        for text in texts:
            file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    print(name, len(texts), sum(len(text.split()) for text in texts), "words")
