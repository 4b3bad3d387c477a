"""Asks a taught decoder each prompt of a set, once, and writes its answers.

    python decoder_answers.py GROUNDTUNE RUN SET.jsonl OUT.jsonl [COUNT] [-- GENERATE'S ARGUMENTS]

What is written is what `groundtune eval answers OUT.jsonl --gold SET.jsonl` reads. A
prompt that stands there several times is asked once, and its answer is everybody's.
"""

import json
import subprocess
import sys

given = sys.argv[1:]
more = given[given.index("--") + 1 :] if "--" in given else []
given = given[: given.index("--")] if "--" in given else given
program, run, gold, out = given[:4]
converted = subprocess.run(
    [program, "data", "convert", gold, "--to", "completion"], check=True, capture_output=True, text=True
).stdout
rows = [json.loads(line) for line in converted.splitlines()]
rows = rows[: int(given[4])] if len(given) > 4 else rows
prompts = list(dict.fromkeys(row["prompt"] for row in rows))
assert not any("\n" in prompt for prompt in prompts), "a prompt is a line"
replies = subprocess.run(
    [program, "generate", "--model", run, "--lines", "--json", *more],
    check=True, stdout=subprocess.PIPE, text=True, input="\n".join(prompts) + "\n",
).stdout.splitlines()
answers = dict(zip(prompts, (json.loads(line)["text"] for line in replies), strict=True))
with open(out, "w") as file:
    for row in rows:
        file.write(json.dumps({"question": row["id"], "answer": answers[row["prompt"]]}) + "\n")
