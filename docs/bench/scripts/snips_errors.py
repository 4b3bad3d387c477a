"""What is wrong with answers to SNIPS that are not wholly right.

    groundtune eval model SNIPS/dev.jsonl --model RUN --out DIR
    python snips_errors.py DIR [SHOW]

Prints shares of all answers: JSON with the right intent; right names of slots too; and the kinds of what is
wrong, each answer counted at the first that holds. SHOW prints so many of them.
"""

import collections
import json
import sys

folder, show = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
gold = {row["id"]: row for row in map(json.loads, open(f"{folder}/gold.jsonl"))}
kinds, intents, names, whole, count = collections.Counter(), 0, 0, 0, 0


def pairs(fields):
    twice.extend(name for name, many in collections.Counter(name for name, _ in fields).items() if many > 1)
    return dict(fields)


def listed(slots):
    return {name: value if isinstance(value, list) else [value] for name, value in slots.items()}


for row in map(json.loads, open(f"{folder}/predictions.jsonl")):
    asked, right = gold[row["question"]]["question"], json.loads(gold[row["question"]]["answers"][0])
    count, twice = count + 1, []
    try:
        said = json.loads(row["answer"], object_pairs_hook=pairs)
        slots, wanted = listed(said["slots"]), listed(right["slots"])
        intent = said["intent"]
    except (ValueError, KeyError, TypeError, AttributeError):
        kind = "no JSON of this form"
    else:
        intents += intent == right["intent"]
        names += intent == right["intent"] and sorted(slots) == sorted(wanted) and not twice
        if intent != right["intent"]:
            kind = "another intent"
        elif twice:
            kind = "a name twice in one object"
        elif sorted(slots) != sorted(wanted):
            same = sorted(value for values in slots.values() for value in map(str, values)) == sorted(
                value for values in wanted.values() for value in values
            )
            kind = "the right words under another name" if same else "other slots"
        elif slots != wanted:
            made_up = any(str(value) not in asked for values in slots.values() for value in values)
            kind = "a value that the text does not say" if made_up else "more or fewer words of the text"
        else:
            whole += 1
            continue
    kinds[kind] += 1
    if show > 0:
        show -= 1
        print(f"{kind}: {asked}\n  right {json.dumps(right)}\n  said  {row['answer']}")
print(f"{count} answers: wholly right {whole / count:.4f}, intent {intents / count:.4f}, names of slots {names / count:.4f}")
for kind, many in kinds.most_common():
    print(f"  {many:4} {kind}")
