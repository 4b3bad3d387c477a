"""Trains small vocabularies of several formats, and encodes texts with the programs that
the formats come from: sentencepiece 0.2.3, tokenizers 0.23.3, gguf 0.17 for the files.

    python make_tiny_tokens.py
"""

import json
import pathlib
import struct

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

here = pathlib.Path(__file__).parent
out = here / "tokenizers"
out.mkdir(exist_ok=True)

LINES = """
The cat sat on the mat where the dog had sat before the cat came.
A tokenizer cuts texts into tokens; tokens are numbers, and numbers are what a model reads.
Über den Dächern flogen die Drachen, während drüben die Glocken läuteten.
He's told them that they'll see what they've done, and that it's theirs to mend.
In 1999 there were 365 days; in 2000 there were 366.
    def tokens(text):
        return [token for token in text.split(" ")]
""".strip().splitlines()
TEXTS = [
    "",
    " ",
    "   ",
    "the cat",
    " The cat sat on the mat.",
    "they'll see  what\tthey've\n\n done",
    "Über 1999 Drachen!",
    "你好 🚀 é e\u0301",
    "<s>the</s>",
    "▁the▁cat",
    "say [CITE] twice [CITE]",
    "\n\n  \n x",
    "DON'T can't",
    "    return [token]",
    "Ａ cat… and é",
]
expected = {}


def add(name, encode, decode):
    rows = [encode(text) for text in TEXTS]
    expected[name] = {"ids": rows, "texts": [decode(row) for row in rows]}


# SentencePiece: byte-pair encoding with bytes, and others with an unknown piece. The
# characters to be replaced are few, for a vocabulary's own are 240 kB.
rules = out / "rules.tsv"
rules.write_text("FF21\t0041\n00E9\t0065\n0065 0301\t0065\n0009\t0020\n000A\t0020\n2026\t002E 002E 002E\n")
for name, arguments in {
    "bpe.model": dict(
        model_type="bpe",
        vocab_size=420,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        user_defined_symbols=["[CITE]"],
        split_digits=True,
    ),
    "bpe-rules.model": dict(model_type="bpe", vocab_size=140, normalization_rule_tsv=str(rules)),
    "unigram.model": dict(model_type="unigram", vocab_size=130, normalization_rule_tsv=str(rules)),
}.items():
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_prefix=str(out / "made"), hard_vocab_limit=False, **arguments
    )
    (out / "made.vocab").unlink()
    (out / "made.model").rename(out / name)
    model = sentencepiece.SentencePieceProcessor(model_file=str(out / name))
    add(name, model.encode, model.decode)

rules.unlink()

# The same as llama.cpp's converter writes it, and as llama2.c has it.
proto = sentencepiece_model_pb2.ModelProto()
proto.ParseFromString((out / "bpe.model").read_bytes())
writer = gguf.GGUFWriter(out / "llama.gguf", "llama")
writer.add_tokenizer_model("llama")
writer.add_tokenizer_pre("default")
writer.add_token_list([piece.piece for piece in proto.pieces])
writer.add_token_scores([piece.score for piece in proto.pieces])
writer.add_token_types([piece.type for piece in proto.pieces])
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
writer.add_chat_template("{{ bos_token }}{% for message in messages %}[{{ message.role }}] {{ message.content }}{% endfor %}")
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.close()

# Byte-level byte-pair encoding.
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(
    vocab_size=400,
    show_progress=False,
    special_tokens=["<|endoftext|>", "<s>", "</s>"],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
)
tokenizer.train_from_iterator(LINES, trainer)
tokenizer.add_tokens([AddedToken("[CITE]", normalized=False)])
tokenizer.post_processor = processors.TemplateProcessing(
    single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
)
tokenizer.save(str(out / "tokenizer.json"))
add(
    "tokenizer.json",
    lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
    lambda ids: tokenizer.decode(ids, skip_special_tokens=True),
)
vocabulary = tokenizer.get_vocab()
names = sorted(vocabulary, key=vocabulary.get)
model = json.loads(tokenizer.to_str())["model"]
merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
(out / "gpt2").mkdir(exist_ok=True)
(out / "gpt2/encoder.json").write_text(json.dumps(model["vocab"]) + "\n")
(out / "gpt2/vocab.bpe").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
writer = gguf.GGUFWriter(out / "gpt2.gguf", "gpt2")
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("gpt-2")
writer.add_token_list(names)
writer.add_token_types([3 if name in ("<|endoftext|>", "<s>", "</s>") else 4 if name == "[CITE]" else 1 for name in names])
writer.add_token_merges(merges)
writer.add_eos_token_id(vocabulary["<|endoftext|>"])
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.close()

# llama2.c writes `▁` as a space, and has no user-defined pieces.
pieces = [(piece.piece.replace("▁", " ").encode(), piece.score) for piece in proto.pieces]
with open(out / "llama2c.bin", "wb") as file:
    file.write(struct.pack("i", max(len(text) for text, _ in pieces)))
    for text, score in pieces:
        file.write(struct.pack("fi", score, len(text)) + text)

(out / "expected.json").write_text(json.dumps({"texts": TEXTS, "expected": expected}, ensure_ascii=False) + "\n")
