"""Holds GGUF files that groundtune wrote against llama.cpp.

    groundtune models export FOLDER --to FILE.gguf --format f32 [--tokenizer PATH] [--adapter DIR]
    python check_gguf.py FILE.gguf [--folder FOLDER [--adapter DIR]] [--text TEXT]... \
        [--groundtune PROGRAM] [--tolerance 1e-4]

(llama_cpp, and for `--folder` torch and transformers, with `--adapter` peft, and, where the
Pythons differ, `--reference FILE` with what the other wrote.)

For each text: llama.cpp's tokens are those that `groundtune tokenizer encode` gives; its
logits come as near to those of transformers as `--tolerance` of the largest; and what it
writes greedily is what groundtune writes. Run it once with the Python of transformers and
`--write FILE`, then with that of llama_cpp and `--reference FILE`.
"""

import argparse
import json
import subprocess
import sys

import numpy as np

TEXTS = [
    "Once upon a time, there was a little girl named Lily.",
    "The quick brown fox\n\njumps over 12345 lazy dogs!  Don't it?",
    "naïve café — ☃ 漢字",
]
WRITTEN = 24


def reference(folder, adapter, tokens):
    """The logits of transformers."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter)
    with torch.no_grad():
        return [model(torch.tensor([ids])).logits[0].numpy() for ids in tokens]


def groundtune(program, *arguments):
    out = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in out.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--folder")
    parser.add_argument("--adapter")
    parser.add_argument("--text", action="append")
    parser.add_argument("--tokens", help="lists of tokens instead of texts, as JSON")
    parser.add_argument("--groundtune", default="groundtune")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--write")
    parser.add_argument("--reference")
    parser.add_argument("--limit", type=int, default=200)
    options = parser.parse_args()
    texts = options.text or TEXTS
    if options.tokens:
        tokens = json.loads(options.tokens)
    else:
        program = options.groundtune
        lines = [
            groundtune(program, "tokenizer", "encode", "--special", "--json", "--model", options.file, text)[0]
            for text in texts
        ]
        tokens = [line["ids"][: options.limit] for line in lines]
    if options.write:
        np.savez(options.write, *reference(options.folder, options.adapter, tokens))
        return
    expected = None
    if options.reference:
        loaded = np.load(options.reference)
        expected = [loaded[name] for name in loaded.files]

    from llama_cpp import Llama

    # Keys and values in f32 too: in binary16, as they usually are, logits differ by 1e-3.
    llama = Llama(
        options.file, n_ctx=256, logits_all=True, verbose=False, n_threads=2, type_k=0, type_v=0
    )
    failed = False
    for at, ids in enumerate(tokens):
        if not options.tokens:
            own = llama.tokenize(texts[at].encode(), add_bos=True, special=True)
            if own != ids:
                failed = True
                print(f"tokens differ: {own} is not {ids}")
        llama.reset()
        llama.eval(ids)
        logits = np.array(llama.scores[: len(ids)])
        if expected is not None:
            far = np.abs(logits - expected[at]).max() / np.abs(expected[at]).max()
            failed |= far > options.tolerance
            print(f"{len(ids)} tokens: largest difference of a logit {far:.1e} of the largest")
        if options.tokens:
            continue
        written = []
        token = int(np.argmax(logits[-1]))
        while len(written) < WRITTEN and token != llama.token_eos():
            written.append(token)
            llama.eval([token])
            token = int(np.argmax(llama.scores[llama.n_tokens - 1]))
        ours = groundtune(
            options.groundtune, "generate", "--raw", "--model", options.file,
            "--max-tokens", str(WRITTEN), "--json", texts[at],
        )[0]["tokens"]
        same = ours[: len(written)] == written
        alike = sum(a == b for a, b in zip(ours, written))
        failed |= options.tolerance <= 1e-3 and not same
        print(f"greedy: {alike} of {len(written)} tokens alike")
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
