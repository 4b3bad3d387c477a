"""Makes the tiny models beside this file, and what they should give.

    python make_golden.py        (torch, transformers, sentence-transformers, tokenizers)

Random weights from a seed, so small that all files together stay below 300 kB, yet with
every part of the real architectures: several heads and layers, a head width and an
inner width that fill no vector, biases and norms that are not the identity. Expected
numbers come from transformers in f32 on the CPU; those of the embedders from
sentence-transformers. Written with torch 2, transformers 5.23, sentence-transformers 6.2.
"""

import json
import os
import shutil

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer, models
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel, WordPiece
from transformers import (
    BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast,
    RobertaConfig, RobertaForSequenceClassification, RobertaModel,
)

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS = [
    "the cat sat on the mat",
    "Where did the dog sit?",
    "",
    "one two three four five six seven eight nine ten one two three four five six seven"
    " eight nine ten one two three four five six seven eight nine ten",
    "caf\u00e9 unknownword, dogs; cats!",
]
PAIRS = ["the cat sat on the mat", "dogs sit on ten mats", "", TEXTS[3]]
WORDS = (
    "the a cat dog sat sit on mat where did one two three four five six seven eight nine"
    " ten cafe ? , ; ! . ##s ##t ##e ##r un ##known ##word"
).split()
LONGEST = 24


def tokenizer(special, template_pair):
    """WordPiece for BERT; for RoBERTa, whose own tokenizer would be large, words."""
    vocabulary = {token: at for at, token in enumerate(special + WORDS)}
    bert = special[0] == "[PAD]"
    unknown = "[UNK]" if bert else "<unk>"
    first, last = ("[CLS]", "[SEP]") if bert else ("<s>", "</s>")
    model = WordPiece(vocabulary, unk_token=unknown) if bert else WordLevel(vocabulary, unk_token=unknown)
    made = Tokenizer(model)
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=template_pair,
        special_tokens=[(first, vocabulary[first]), (last, vocabulary[last])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token=unknown, cls_token=first, sep_token=last,
        pad_token="[PAD]" if bert else "<pad>", model_max_length=LONGEST,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def shaken(model):
    """Moves every parameter, so that no norm is the identity and no bias zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    return model.eval()


SHAPE = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40)
BERT = tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]"], "[CLS] $A [SEP] $B:1 [SEP]:1")
ROBERTA = tokenizer(["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s> </s> $B </s>")


def config(kind, **more):
    tokens = BERT if kind is BertConfig else ROBERTA
    roberta = {} if kind is BertConfig else dict(type_vocab_size=1, pad_token_id=1)
    return kind(vocab_size=len(tokens), max_position_embeddings=32, **SHAPE, **roberta, **more)


def fresh(name):
    folder = os.path.join(HERE, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def put(folder, expected):
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump(expected, file)
    keep = {
        "config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors",
        "model.safetensors.index.json", "modules.json", "sentence_bert_config.json",
        "config_sentence_transformers.json", "1_Pooling", "expected.json",
    }
    for name in os.listdir(folder):
        if name not in keep and not name.startswith("model-"):
            path = os.path.join(folder, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def rounded(tensor):
    return [float(f"{x:.7g}") for x in tensor.flatten().tolist()]


def embedder(name, model, tokens, pooling, prompts):
    inner = fresh(name + "-inner")
    model.save_pretrained(inner)
    tokens.save_pretrained(inner)
    folder = fresh(name)
    transformer = models.Transformer(inner, max_seq_length=LONGEST)
    pool = models.Pooling(SHAPE["hidden_size"], pooling_mode=pooling)
    sentence = SentenceTransformer(modules=[transformer, pool, models.Normalize()], device="cpu", prompts=prompts)
    sentence.save(folder)
    sentence = SentenceTransformer(folder, device="cpu")
    one = tokens(TEXTS[0], return_tensors="pt")
    if model.config.type_vocab_size == 1:
        one.pop("token_type_ids")
    with torch.no_grad():
        hidden = model(**one).last_hidden_state[0]
    put(folder, dict(
        texts=TEXTS,
        embeddings=[rounded(torch.tensor(v)) for v in sentence.encode(TEXTS)],
        questions=[rounded(torch.tensor(v)) for v in sentence.encode(TEXTS, prompt=prompts.get("query", ""))],
        ids=one["input_ids"][0].tolist(),
        hidden=rounded(hidden),
    ))
    shutil.rmtree(inner)


def cross_encoder(name, model, tokens, dtype, shard):
    folder = fresh(name)
    # Rounded first, so that the file holds exactly what is computed with.
    model = model.to(dtype).float()
    logits = []
    for passage in PAIRS:
        # As lists, in which an empty passage still makes a pair.
        pair = tokens([TEXTS[1]], [passage], truncation="longest_first", max_length=LONGEST, return_tensors="pt")
        if model.config.type_vocab_size == 1:
            pair.pop("token_type_ids")
        with torch.no_grad():
            logits.append(float(model(**pair).logits[0, 0]))
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    tokens.save_pretrained(folder)
    put(folder, dict(question=TEXTS[1], passages=PAIRS, logits=logits))


torch.manual_seed(7)
embedder("bert", shaken(BertModel(config(BertConfig), add_pooling_layer=False)), BERT, "mean", {"query": "where ", "document": ""})
embedder("roberta", shaken(RobertaModel(config(RobertaConfig, hidden_act="gelu_new"), add_pooling_layer=False)), ROBERTA, "cls", {})
cross_encoder("bert-cross", shaken(BertForSequenceClassification(config(BertConfig, num_labels=1))), BERT, torch.bfloat16, "10KB")
cross_encoder("roberta-cross", shaken(RobertaForSequenceClassification(config(RobertaConfig, num_labels=1))), ROBERTA, torch.float16, "1GB")
