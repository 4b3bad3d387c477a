"""Makes sampling.json: what transformers' logits processors leave of made-up logits.

    python make_sampling.py        (torch, transformers)

The logits of token i are ((i * 2654435761 mod 2^32) >> 8) / 2^20 - 8, exact in f32, with
every seventh equal to its neighbour. Each case says which settings it has, and expects
the tokens that may be drawn with their probabilities, in the order in which
`GenerationMixin._get_logits_processor` puts the processors. Written with torch 2,
transformers 5.23.
"""

import json
import os

import torch
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=4, n_head=1, vocab_size=8))


def logits(vocabulary):
    numbers = [((i * 2654435761 % 2**32) >> 8) / 2**20 - 8 for i in range(vocabulary)]
    for i in range(7, vocabulary, 7):
        numbers[i] = numbers[i - 1]
    return torch.tensor([numbers], dtype=torch.float32)


def case(vocabulary, seen, **settings):
    config = GenerationConfig(do_sample=True, **{"top_k": 0, **settings})
    processors = MODEL._get_logits_processor(
        generation_config=config, input_ids_seq_length=max(len(seen), 1), device="cpu"
    )
    scores = processors(torch.tensor([seen], dtype=torch.long), logits(vocabulary))
    shares = torch.softmax(scores.double(), -1)[0]
    kept = [i for i in range(vocabulary) if scores[0, i] > -torch.inf]
    # Of a whole vocabulary the likeliest are enough.
    shown = sorted(kept, key=lambda i: -shares[i].item())[:40]
    return {
        "vocabulary": vocabulary,
        "seen": seen,
        "settings": settings,
        "count": len(kept),
        "shares": [[i, shares[i].item()] for i in sorted(shown)],
    }


CASES = [
    case(50, []),
    case(50, [], temperature=0.7),
    case(2000, [], temperature=1.5),
    case(2000, [], top_k=1),
    case(2000, [], top_k=13),
    case(2000, [], top_k=5000),
    case(2000, [], top_p=0.9),
    case(2000, [], top_p=0.3, temperature=0.5),
    case(2000, [], top_p=0.01),
    case(2000, [], top_p=0.999, temperature=3.0),
    case(2000, [], min_p=0.05),
    case(2000, [], min_p=1.0),
    case(2000, [], min_p=0.3, temperature=2.0),
    case(2000, [], top_k=40, top_p=0.8),
    case(2000, [], top_k=40, top_p=0.95, min_p=0.4, temperature=0.8),
    case(50, [3, 3, 9, 20, 31, 40], repetition_penalty=1.3),
    case(50, [3, 3, 9, 20, 31, 40], repetition_penalty=0.6, top_k=9),
    case(
        2000, [0, 5, 5, 1999, 86, 233], repetition_penalty=1.8, temperature=0.9,
        top_k=64, top_p=0.9, min_p=0.02,
    ),
]

with open(os.path.join(HERE, "sampling.json"), "w") as file:
    json.dump(CASES, file)
    file.write("\n")
