"""Reads back what `saved_*_for_python` wrote: whole models by transformers, adapters by peft.

    GROUNDTUNE_SAVED_MODELS=FOLDER cargo test -p groundtune-model --test it -- --ignored for_python
    python check_training.py FOLDER        (torch, transformers, peft)

Each folder has beside the model `expected.json`: tokens, targets, and the log-probability
of each target as training computes it.
"""

import json
import os
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))


def read(folder, expected):
    if not os.path.exists(os.path.join(folder, "adapter_config.json")):
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    base = os.path.join(HERE, "decoders", expected["base"])
    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), folder)


if __name__ == "__main__":
    root = sys.argv[1]
    worst = 0.0
    for name in sorted(os.listdir(root)):
        folder = os.path.join(root, name)
        with open(os.path.join(folder, "expected.json")) as file:
            expected = json.load(file)
        model = read(folder, expected).eval()
        start, error = 0, 0.0
        for length in expected["lengths"]:
            rows = slice(start, start + length)
            start += length
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([expected["ids"][rows]])).logits[0]
            found = torch.log_softmax(logits, -1)
            for row, (target, expect) in enumerate(zip(expected["targets"][rows], expected["log_probabilities"][rows])):
                if target >= 0:
                    error = max(error, abs(found[row, target].item() - expect))
        print(f"{name}: largest difference of a log-probability {error:.1e}")
        worst = max(worst, error)
    sys.exit(worst > 1e-4)
