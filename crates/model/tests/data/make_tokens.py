"""Encodes texts with the programs that vocabularies come from, and writes the tokens.

    python make_tokens.py DATA OUT.json

DATA is a folder with `tokenizers/` (`gguf_vocab`, `sentencepiece`, `gpt2_tiktoken`,
`hf_json`) and texts in `lm/`. Made with sentencepiece 0.2.3, tiktoken 0.14.0 and
tokenizers 0.23.3. What llama.cpp gives lies beside its vocabularies (`.out`).
"""

import json
import pathlib
import random
import sys

import sentencepiece
import tiktoken
import tokenizers
from tiktoken.load import data_gym_to_mergeable_bpe_ranks, load_tiktoken_bpe
from tiktoken_ext import openai_public

data, out = map(pathlib.Path, sys.argv[1:])
vocabularies = data / "tokenizers"

inputs = (vocabularies / "gguf_vocab/ggml-vocab-gpt-2.gguf.inp").read_text().split("\n__ggml_vocab_test__\n")
source = random.Random(7)
texts = list(inputs)
for name in ["tinyshakespeare.txt", "wikitext2_valid.txt", "wikipedia_demo.txt"]:
    text = (data / "lm" / name).read_text()
    for length in [1, 5, 40, 300, 4000]:
        for _ in range(8):
            start = source.randrange(len(text) - length)
            texts.append(text[start : start + length])
for name in ["demos/none", *(str(it) for it in sorted((data / "docs/code_rs").rglob("*.rs"))[:3])]:
    path = pathlib.Path(name)
    if path.exists():
        texts.append(path.read_text()[:6000])
letters = "aZ é߷你𝔸🚀\u200d\u0301 \t\n\r\u00a0\u3000'’-_.,!?0١Ⅷ▁<>|s"
texts += ["".join(source.choices(letters, k=source.randrange(1, 40))) for _ in range(300)]
texts += ["a▁b", " ▁", "▁", "<s>x</s>", "[INST] hi [/INST]", "<|endoftext|>", "x<|endoftext|>\ny", "<unk>", "<0x41>", "\u0000", "\ufeffx", "ſ'S'ſ"]

expected = {}


def add(name, encode, decode):
    rows = [encode(text) for text in texts]
    expected[name] = {"ids": rows, "texts": [decode(row) for row in rows]}


for name in ["tokenizer.model.v1", "mistral_instruct_tokenizer_240323.model.v3"]:
    model = sentencepiece.SentencePieceProcessor(model_file=str(vocabularies / "sentencepiece" / name))
    add(f"sentencepiece/{name}", model.encode, model.decode)


def local(url, **_):
    return load_tiktoken_bpe(str(vocabularies / "gpt2_tiktoken" / url.rsplit("/", 1)[-1]))


openai_public.load_tiktoken_bpe = local
for name in ["r50k_base", "cl100k_base", "o200k_base"]:
    encoding = tiktoken.Encoding(**getattr(openai_public, name)())
    add(f"gpt2_tiktoken/{name}.tiktoken", encoding.encode_ordinary, encoding.decode)

folder = vocabularies / "gpt2_tiktoken"
ranks = data_gym_to_mergeable_bpe_ranks(str(folder / "vocab.bpe"), str(folder / "encoder.json"))
encoding = tiktoken.Encoding("gpt2", pat_str=openai_public.r50k_pat_str, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 50256})
add("gpt2_tiktoken/encoder.json", encoding.encode_ordinary, encoding.decode)

name = "hf_json/pythia_20B_tokenizer.json"
tokenizer = tokenizers.Tokenizer.from_file(str(vocabularies / name))
add(name, lambda text: tokenizer.encode(text, add_special_tokens=False).ids, tokenizer.decode)

out.write_text(json.dumps({"texts": texts, "expected": expected}) + "\n")
