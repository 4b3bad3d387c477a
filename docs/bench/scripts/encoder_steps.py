"""Trainer's steps for token classification, in groundtune's order of examples, from one head for both.

    python encoder_steps.py head MODEL TRAIN.jsonl FOLDER SEED
    python encoder_steps.py learn FOLDER TRAIN.jsonl TEST.jsonl SEED DROPOUT STEPS OUT.json [LIMIT]
    python encoder_steps.py drop FOLDER TRAIN.jsonl SEEDS DROPOUT STEPS OUT.json

`head` writes MODEL with a head drawn by PyTorch, from which `groundtune train` goes on too.
`learn` takes STEPS steps of 32 examples (LIMIT of them, the schedule being that of STEPS), in the
order of a recipe with `seed = SEED`, with the settings of `train_encoder.py`; writes each
step's loss and the gradient's length, which a run's `events.jsonl` has too, and prints F1.
`drop` learns nothing: it writes, for each seed from 1 to SEEDS, the losses of the batches of its first
STEPS steps with dropout, and those without.
"""

import json
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, get_linear_schedule_with_warmup

torch.set_num_threads(2)
what, folder, train_path = sys.argv[1:4]
train = [json.loads(line) for line in open(train_path)]
# As groundtune numbers them.
labels = sorted({tag for line in train for tag in line["tags"]}, key=lambda tag: (tag != "O", tag))
number = {label: at for at, label in enumerate(labels)}
if what == "head":
    out, seed = sys.argv[4:6]
    torch.manual_seed(int(seed))
    model = AutoModelForTokenClassification.from_pretrained(
        folder, num_labels=len(labels), id2label=dict(enumerate(labels)), label2id=number
    )
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(folder).save_pretrained(out)
    sys.exit()
rest = sys.argv[4:] if what == "learn" else [train_path] + sys.argv[4:]
test_path, seed, dropout, steps, out = rest[:5]
test = [json.loads(line) for line in open(test_path)]
seed, dropout, steps = int(seed), float(dropout), int(steps)
limit = int(rest[5]) if len(rest) > 5 else steps
tokens = AutoTokenizer.from_pretrained(folder)
MASK, GOLDEN = (1 << 64) - 1, 0x9E3779B97F4A7C15


def mix(z):
    z = (z + GOLDEN) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def shuffled(epoch):
    """As `crates/train/src/order.rs`."""
    order, stream = list(range(len(train))), mix(seed ^ mix(epoch + 1))
    for last in range(len(train) - 1, 0, -1):
        drawn = (mix((stream + last * GOLDEN) & MASK) * (last + 1)) >> 64
        order[last], order[drawn] = order[drawn], order[last]
    return order


def example(line):
    one = tokens(line["tokens"], is_split_into_words=True, truncation=True, max_length=128)
    targets, before = [], None
    for word in one.word_ids():
        targets.append(-100 if word is None or word == before else number.get(line["tags"][word], -100))
        before = word
    return one["input_ids"], targets


def batch(rows):
    longest = max(len(ids) for ids, _ in rows)
    pad = lambda filler, numbers: numbers + [filler] * (longest - len(numbers))
    ids = torch.tensor([pad(0, ids) for ids, _ in rows])
    mask = torch.tensor([pad(0, [1] * len(ids)) for ids, _ in rows])
    return ids, mask, torch.tensor([pad(-100, targets) for _, targets in rows])


def spans(tags):
    found, start, kind = set(), None, None
    for at, tag in enumerate(tags + ["O"]):
        if not (tag.startswith("I-") and tag[2:] == kind):
            if kind is not None:
                found.add((start, at, kind))
            start, kind = (at, tag[2:]) if tag != "O" else (None, None)
    return found


model = AutoModelForTokenClassification.from_pretrained(
    folder, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
)
torch.manual_seed(seed + 1000)
groups = [[], []]
for name, numbers in model.named_parameters():
    groups[name.endswith("bias") or "LayerNorm" in name].append(numbers)
groups = [{"params": group, "weight_decay": decay} for group, decay in zip(groups, (0.01, 0.0))]
optimiser = torch.optim.AdamW(groups, lr=2e-4, eps=1e-8)
schedule = get_linear_schedule_with_warmup(optimiser, 0, steps)
epochs = 32 * steps // len(train) + 1
order = [it for epoch in range(epochs) for it in shuffled(epoch)]
learnt, asked = ([example(line) for line in lines] for lines in (train, test))
entropy = torch.nn.functional.cross_entropy
if what == "drop":
    found = {}
    for seed in range(1, seed + 1):
        order = shuffled(0)
        for step in range(steps):
            ids, mask, targets = batch([learnt[it] for it in order[32 * step : 32 * step + 32]])
            pair = []
            for dropped in (True, False):
                model.train(dropped)
                with torch.no_grad():
                    logits = model(input_ids=ids, attention_mask=mask).logits
                pair.append(entropy(logits.view(-1, len(labels)), targets.view(-1)).item())
            found.setdefault(seed, []).append(pair)
        json.dump(found, open(out, "w"))
    sys.exit()
model.train()
kept = []
for step in range(limit):
    ids, mask, targets = batch([learnt[it] for it in order[32 * step : 32 * step + 32]])
    logits = model(input_ids=ids, attention_mask=mask).logits
    loss = entropy(logits.view(-1, len(labels)), targets.view(-1))
    loss.backward()
    length = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    schedule.step()
    optimiser.zero_grad()
    kept.append((loss.item(), length.item()))
json.dump(kept, open(out, "w"))
model.eval()
right = given = there = words = 0
loss = 0.0
with torch.no_grad():
    for at in range(0, len(asked), 32):
        ids, mask, targets = batch(asked[at : at + 32])
        logits = model(input_ids=ids, attention_mask=mask).logits
        loss += entropy(logits.view(-1, len(labels)), targets.view(-1), reduction="sum").item()
        for row, target in zip(logits.argmax(-1), targets):
            known = target != -100
            words += known.sum().item()
            a, b = (spans([labels[tag] for tag in it[known]]) for it in (row, target))
            right, given, there = right + len(a & b), given + len(a), there + len(b)
print(f"dev {loss / words:.4f} precision {right / max(given, 1):.4f} recall {right / there:.4f} F1 {2 * right / (given + there):.4f}")
