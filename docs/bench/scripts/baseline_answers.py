"""Answers that need no model, for `groundtune eval answers --gold`, beside those of a taught one.

    python baseline_answers.py nearest GROUNDTUNE TRAIN.jsonl SET.jsonl > nearest.jsonl
    python baseline_answers.py template GROUNDTUNE TRAIN.jsonl SET.jsonl > template.jsonl

nearest: what the training example with the likest prompt answers (cosine of words weighted by
log(examples / examples with the word); of equals the first). template: a sentence put together
from the attributes of a meaning of E2E; TRAIN is not looked at.
"""

import collections
import json
import math
import re
import subprocess
import sys

kind, program, train, asked = sys.argv[1:]


def rows(path):
    command = [program, "data", "convert", path, "--to", "completion"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def words(text):
    return re.findall(r"[a-z0-9£]+", text.lower())


def nearest():
    learnt = rows(train)
    known = collections.Counter(word for row in learnt for word in set(words(row["prompt"])))
    weight = {word: math.log(len(learnt) / many) for word, many in known.items()}

    def vector(text):
        counted = {word: many * weight.get(word, 0.0) for word, many in collections.Counter(words(text)).items()}
        length = math.sqrt(sum(it * it for it in counted.values())) or 1.0
        return {word: it / length for word, it in counted.items()}

    found = collections.defaultdict(list)
    for place, row in enumerate(learnt):
        for word, value in vector(row["prompt"]).items():
            found[word].append((place, value))

    def answer(prompt):
        scores = collections.Counter()
        for word, value in vector(prompt).items():
            for place, other in found.get(word, ()):
                scores[place] += value * other
        best = min(scores, key=lambda place: (-round(scores[place], 9), place), default=0)
        return learnt[best]["completion"]

    return answer


def template(meaning):
    has = dict(re.findall(r"([\w ]+)\[([^\]]*)\],?\s*", meaning))
    has = {name.strip(): value for name, value in has.items()}
    first = f"{has['name']} is a"
    if "customer rating" in has:
        first += f" {has['customer rating']} rated"
    if "food" in has:
        first += f" {has['food']}"
    first += f" {has.get('eatType', 'place')}"
    if "area" in has:
        first += f" in the {has['area']}"
    if "near" in has:
        first += f" near {has['near']}"
    if "priceRange" in has:
        first += f" with {has['priceRange']} prices" if "£" not in has["priceRange"] else f" with a price range of {has['priceRange']}"
    said = [first + "."]
    if "familyFriendly" in has:
        said.append("It is family friendly." if has["familyFriendly"] == "yes" else "It is not family friendly.")
    return " ".join(said)


answer = nearest() if kind == "nearest" else template
for row in rows(asked):
    print(json.dumps({"question": row["id"], "answer": answer(row["prompt"])}))
