"""Loads what the test `saved_for_python` wrote, in Python, and compares what it gives.

    GROUNDTUNE_SAVED_MODELS=DIR cargo test -p groundtune-model -- --ignored saved_for_python
    python check_heads.py DIR     (torch, transformers, sentence-transformers, peft)
"""

import json
import os
import sys

import torch
from peft import PeftModel
from sentence_transformers import CrossEncoder, SentenceTransformer
from transformers import (
    AutoModelForQuestionAnswering, AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer,
)

HERE = os.path.dirname(os.path.abspath(__file__))
root = sys.argv[1]
AUTO = dict(classes=AutoModelForSequenceClassification, labels=AutoModelForSequenceClassification,
            score=AutoModelForSequenceClassification, tags=AutoModelForTokenClassification,
            span=AutoModelForQuestionAnswering)


def golden(name):
    with open(os.path.join(HERE, "heads", name, "golden.json")) as file:
        return json.load(file)


def one_by_one(model, batch):
    first, found = 0, []
    for length in batch["lengths"]:
        ids, segments = (torch.tensor([batch[key][first:first + length]]) for key in ("ids", "segments"))
        more = {} if model.config.model_type == "roberta" else dict(token_type_ids=segments)
        with torch.no_grad():
            out = model.eval()(input_ids=ids, **more)
        found.append(out.logits[0] if hasattr(out, "logits") else torch.stack([out.start_logits[0], out.end_logits[0]], 1))
        first += length
    return torch.cat([one.flatten() for one in found])


def compare(name, found, folder):
    with open(os.path.join(root, folder, "outputs.json")) as file:
        expect = torch.tensor(json.load(file))
    worst = (torch.as_tensor(found).flatten() - expect).abs().max().item()
    print(f"{name}: largest difference {worst:.1e}")
    assert worst < 1e-5


for name in sorted(os.listdir(root)):
    folder, kind = os.path.join(root, name), name.split("-")[1]
    AutoTokenizer.from_pretrained(folder)
    if kind == "contrast":
        compare(name, SentenceTransformer(folder, device="cpu").encode(golden(name)["texts"]), name)
        continue
    model, info = AUTO[kind].from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    compare(name, one_by_one(model, golden(name)), name)
    if kind == "score":
        pairs = list(zip(golden(name)["questions"], golden(name)["passages"]))
        scores = CrossEncoder(folder, device="cpu").predict(pairs, activation_fn=torch.nn.Identity())
        compare(name + ", sentence-transformers", scores, name)
    if name.endswith("-lora"):
        base = AUTO[kind].from_pretrained(os.path.join(HERE, "heads", "bert-classes"))
        adapted = PeftModel.from_pretrained(base, os.path.join(folder, "adapter"))
        compare(name + ", peft", one_by_one(adapted, golden(name)), name)
