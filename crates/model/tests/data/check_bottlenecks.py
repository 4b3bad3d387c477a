"""Reads back what `saved_bottlenecks` wrote by AdapterHub's library.

    GROUNDTUNE_SAVED_MODELS=FOLDER cargo test -p groundtune-model --test it -- --ignored saved_bottlenecks
    python check_bottlenecks.py FOLDER        (torch, transformers, adapters)

Written with torch 2.15, adapters 1.3 and the transformers that it asks for.
"""

import json
import os
import sys

import adapters
import torch
from transformers import AutoConfig, AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))

if __name__ == "__main__":
    root = sys.argv[1]
    worst = 0.0
    for name in sorted(os.listdir(root)):
        folder = os.path.join(root, name)
        with open(os.path.join(folder, "expected.json")) as file:
            expected = json.load(file)
        base = os.path.join(HERE, "decoders", expected["base"])
        config = AutoConfig.from_pretrained(base)
        rope = dict(getattr(config, "rope_parameters", None) or {})
        if rope:  # where earlier versions look for it
            config.rope_theta = rope.pop("rope_theta")
            config.rope_scaling = rope if rope["rope_type"] != "default" else None
        model = AutoModelForCausalLM.from_pretrained(base, config=config, dtype=torch.float32)
        adapters.init(model)
        model.load_adapter(folder, set_active=True, use_safetensors=True)
        model.eval()
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
