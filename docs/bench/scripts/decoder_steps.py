"""Takes the steps of a run that taught a decoder answers once more with transformers, and compares.

    groundtune train RECIPE --set data.dev=false --set steps.limit=1 --set optimiser.learning_rate=0.0   # 0001
    groundtune train RECIPE --set data.dev=false --set steps.limit=50                                    # 0002
    groundtune data convert TRAIN.jsonl --to completion > pairs.jsonl
    python decoder_steps.py .groundtune/runs/0001/model .groundtune/runs/0002 pairs.jsonl

The first run learns nothing: its model is what the second began with. transformers reads it, cuts the
texts by its own tokenizer and puts them into its own chat template; the order of the examples is
computed here from the seed; AdamW, schedule and clipping are PyTorch's. With the recipe's `bf16` the forward is
under `torch.autocast`. Prints each tenth loss and gradient's length of both sides, the largest relative differences,
and both sides' median milliseconds of a step, without the first five.
"""

import json
import os
import statistics
import sys
import time
import tomllib
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, get_scheduler

torch.set_num_threads(2)
WORD = (1 << 64) - 1


def mix(counter):
    """splitmix64."""
    z = (counter + 0x9E3779B97F4A7C15) & WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def shuffled(seed, epoch, count):
    """As `crates/train/src/order.rs`."""
    order, stream = list(range(count)), mix(seed ^ mix(epoch + 1))
    for last in range(count - 1, 0, -1):
        drawn = (mix((stream + last * 0x9E3779B97F4A7C15) & WORD) * (last + 1)) >> 64
        order[last], order[drawn] = order[drawn], order[last]
    return order


initial, run, pairs = map(Path, sys.argv[1:4])
recipe = tomllib.loads((run / "recipe.toml").read_text())
events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
theirs = [event for event in events if event["event"] == "step"]
tokens = AutoTokenizer.from_pretrained(initial)


def sequence(row):
    """Ids, and what is learnt of them: the answer with the token that ends it."""
    asked = [{"role": "user", "content": row["prompt"]}]
    said = [*asked, {"role": "assistant", "content": row["completion"]}]
    before = tokens.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    whole = tokens.apply_chat_template(said, tokenize=False)
    cut = tokens(whole, add_special_tokens=False, return_offsets_mapping=True)
    ends = whole.rindex("<|im_end|>") + len("<|im_end|>")
    learnt = [len(before) <= start < ends for start, _ in cut["offset_mapping"]]
    return cut["input_ids"], learnt


rows = [sequence(json.loads(line)) for line in pairs.read_text().splitlines()]
rows = [row for row in rows if len(row[0]) <= recipe["steps"]["length"]]
print(f"{len(rows)} examples, {sum(len(row[0]) for row in rows)} tokens")
model = AutoModelForCausalLM.from_pretrained(initial, dtype=torch.float32).train()
plain = [it for name, it in model.named_parameters() if it.ndim < 2]
decayed = [it for name, it in model.named_parameters() if it.ndim >= 2]
optimiser = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": recipe["optimiser"]["weight_decay"]}, {"params": plain, "weight_decay": 0.0}],
    lr=recipe["optimiser"]["learning_rate"],
    betas=(recipe["optimiser"]["beta1"], recipe["optimiser"]["beta2"]),
    eps=recipe["optimiser"]["epsilon"],
)
schedule = get_scheduler(recipe["schedule"]["kind"], optimiser, recipe["schedule"]["warmup"], len(theirs))
short = recipe["technique"]["precision"] == "bf16"
count, losses, lengths, times = recipe["steps"]["batch"], 0.0, 0.0, []
for step, their in enumerate(theirs):
    batch = []
    for position in range(step * count, (step + 1) * count):
        epoch, at = divmod(position, len(rows))
        if at == 0 or position == 0:
            order = shuffled(recipe["seed"], epoch, len(rows))
        batch.append(rows[order[at]])
    begun = time.perf_counter()
    # A shorter sequence is padded behind, where nothing sees it.
    longest = max(len(ids) for ids, _ in batch)
    padded = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in batch])
    counts = torch.tensor([(learnt + [False] * (longest - len(ids)))[1:] for ids, learnt in batch])
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=short):
        logits = model(input_ids=padded[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits[counts].float(), padded[:, 1:][counts])
    optimiser.zero_grad()
    loss.backward()
    length = torch.nn.utils.clip_grad_norm_(model.parameters(), recipe["optimiser"]["clip"]).item()
    optimiser.step()
    schedule.step()
    times.append(time.perf_counter() - begun)
    losses = max(losses, abs(loss.item() - their["loss"]) / loss.item())
    lengths = max(lengths, abs(length - their["gradient_norm"]) / length)
    if step % 10 == 9 or step == 0:
        print(
            f"step {step + 1}: loss {loss.item():.6f} here, {their['loss']:.6f} groundtune; "
            f"gradient {length:.5f}, {their['gradient_norm']:.5f}"
        )
print(f"largest relative difference: of a loss {losses:.1e}, of a gradient's length {lengths:.1e}")
their_times = [event["tokens"] / event["tokens_per_second"] for event in theirs[5:]]
print(f"median of a step: {1e3 * statistics.median(times[5:]):.0f} ms here, {1e3 * statistics.median(their_times):.0f} ms groundtune")
