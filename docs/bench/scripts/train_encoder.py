"""The same as `crates/model/examples/train_encoder.rs`, with transformers' Trainer.

    python train_encoder.py classes|tags MODEL TRAIN.jsonl TEST.jsonl EPOCHS RATE SEED [STEPS]

Batches of 32, texts cut to 128 tokens and padded to the longest of their batch, AdamW with
decay 0.01, linear schedule without warm-up, gradients clipped to length 1, dropout as the
model says. With STEPS it stops after so many and prints only the time of those after the
first five.
"""

import json
import os
import sys
import tempfile
import time

os.environ["CUDA_VISIBLE_DEVICES"] = ""
import torch
from transformers import (
    AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer,
    DataCollatorForTokenClassification, DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments,
)

kind, folder, train, test, epochs, rate, seed = sys.argv[1:8]
limit = int(sys.argv[8]) if len(sys.argv) > 8 else -1
torch.set_num_threads(2)
tokens = AutoTokenizer.from_pretrained(folder)
train, test = ([json.loads(line) for line in open(path)] for path in (train, test))
labels = sorted({label for line in train for label in ([line["label"]] if kind == "classes" else line["tags"])})
number = {label: at for at, label in enumerate(labels)}


def example(line):
    if kind == "classes":
        return dict(**tokens(line["text"], truncation=True, max_length=128), label=number[line["label"]])
    one = tokens(line["tokens"], is_split_into_words=True, truncation=True, max_length=128)
    targets, before = [], None
    for word in one.word_ids():
        targets.append(-100 if word is None or word == before else number.get(line["tags"][word], -100))
        before = word
    return dict(**one, labels=targets)


def spans(tags):
    found, start, kind = set(), None, None
    for at, tag in enumerate(tags + ["O"]):
        if not (tag.startswith("I-") and tag[2:] == kind):
            if kind is not None:
                found.add((start, at, kind))
            start, kind = (at, tag[2:]) if tag != "O" else (None, None)
    return found


class Clock(TrainerCallback):
    def on_step_end(self, args, state, control, **more):
        if state.global_step == 5:
            self.start = time.perf_counter()
        self.end, self.step = time.perf_counter(), state.global_step


torch.manual_seed(int(seed))
auto = AutoModelForSequenceClassification if kind == "classes" else AutoModelForTokenClassification
model = auto.from_pretrained(folder, num_labels=len(labels))
arguments = TrainingArguments(
    output_dir=tempfile.mkdtemp(), num_train_epochs=float(epochs), max_steps=limit, learning_rate=float(rate),
    per_device_train_batch_size=32, per_device_eval_batch_size=32, weight_decay=0.01, warmup_steps=0,
    seed=int(seed), save_strategy="no", report_to=[], logging_steps=100, use_cpu=True, disable_tqdm=True,
)
collator = (DataCollatorWithPadding if kind == "classes" else DataCollatorForTokenClassification)(tokens)
clock = Clock()
trainer = Trainer(model, arguments, train_dataset=[example(line) for line in train], data_collator=collator, callbacks=[clock])
start = time.perf_counter()
trainer.train()
seconds = time.perf_counter() - start
if limit > 0:
    print(f"{(clock.end - clock.start) / (clock.step - 5) * 1e3:.1f} ms a step")
    sys.exit()
print(f"trained in {seconds:.1f} s")
found = trainer.predict([example(line) for line in test])
best = found.predictions.argmax(-1)
if kind == "classes":
    print(f"accuracy {(best == found.label_ids).mean():.4f}")
else:
    right = given = there = 0
    for row, targets in zip(best, found.label_ids):
        kept = targets != -100
        a, b = (spans([labels[t] for t in it[kept]]) for it in (row, targets))
        right, given, there = right + len(a & b), given + len(a), there + len(b)
    print(f"precision {right / given:.4f} recall {right / there:.4f} F1 {2 * right / (given + there):.4f}")
