"""Asks a taught decoder each prompt of a set, once, and writes its answers.

    python decoder_answers.py GROUNDTUNE RUN SET.jsonl FOLDER [COUNT] [-- GENERATE'S ARGUMENTS]

`groundtune eval answers FOLDER/answers.jsonl` then judges them: what is right lies beside
them in `gold.jsonl`, where a prompt that stands in the set several times is one question with
several right answers. COUNT: only so many, drawn with seed 1.
"""

import json
import os
import random
import subprocess
import sys

given = sys.argv[1:]
more = given[given.index("--") + 1 :] if "--" in given else []
given = given[: given.index("--")] if "--" in given else given
program, run, gold, out = given[:4]
os.makedirs(out, exist_ok=True)
converted = subprocess.run(
    [program, "data", "convert", gold, "--to", "completion"], check=True, capture_output=True, text=True
).stdout
right = {}
for line in converted.splitlines():
    row = json.loads(line)
    right.setdefault(row["prompt"], []).append(row["completion"])
prompts = list(right)
if len(given) > 4:
    prompts = random.Random(1).sample(prompts, int(given[4]))
assert not any("\n" in prompt for prompt in prompts), "a prompt is a line"
replies = subprocess.run(
    [program, "generate", "--model", run, "--lines", "--json", *more],
    check=True, stdout=subprocess.PIPE, text=True, input="\n".join(prompts) + "\n",
).stdout.splitlines()
with open(f"{out}/gold.jsonl", "w") as questions, open(f"{out}/answers.jsonl", "w") as answers:
    for at, (prompt, reply) in enumerate(zip(prompts, replies, strict=True)):
        questions.write(json.dumps({"id": f"q{at}", "question": prompt, "answers": right[prompt]}) + "\n")
        answers.write(json.dumps({"question": f"q{at}", "answer": json.loads(reply)["text"]}) + "\n")
