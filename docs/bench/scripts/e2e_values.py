"""How much of a meaning of E2E the answers say, word for word: name, food, area and what it is near.

    groundtune eval model E2E/dev.jsonl --merge --model RUN --out DIR
    python e2e_values.py DIR/gold.jsonl PREDICTIONS.jsonl...
"""

import collections
import json
import re
import sys

gold = {row["id"]: row["question"] for row in map(json.loads, open(sys.argv[1]))}
for path in sys.argv[2:]:
    asked, said = collections.Counter(), collections.Counter()
    for row in map(json.loads, open(path)):
        meaning = gold.get(row["question"])
        if meaning is None:
            continue
        for name, value in re.findall(r"(name|food|area|near)\[([^\]]*)\]", meaning):
            asked[name] += 1
            said[name] += value.lower() in row["answer"].lower()
    print(path, ", ".join(f"{name} {said[name]} of {many}" for name, many in asked.items()))
