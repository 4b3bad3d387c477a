"""Makes the tiny encoders in `encoders-gguf/`, and what they should give.

    python make_gguf.py                 (torch, transformers, tokenizers, gguf, llama_cpp)
    python make_gguf.py FOLDER KIND OUT.gguf
                                        (writes a real BERT, for tests by hand: KIND is
                                        F32, F16, BF16, Q8_0 or Q4_0)

Names, metadata and vocabularies are as `convert_hf_to_gguf.py` of llama.cpp writes them:
a BERT with word pieces; an XLM-RoBERTa with a unigram vocabulary and a RoBERTa with
byte-level merges, both without the first rows of their positions; the last with a
classifier. `expected.json` has, for each file, what transformers computes in f32 from
the numbers that the file holds: the first hidden state or the mean of all, of unit
length; for the classifier its logits. Written with torch 2.15, transformers 5.23, gguf
0.19.
"""

import json
import os
import sys

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram
from tokenizers.trainers import BpeTrainer, UnigramTrainer
from transformers import (
    AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast, RobertaConfig,
    RobertaForSequenceClassification, XLMRobertaConfig, XLMRobertaModel,
)

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "encoders-gguf")
TEXTS = [
    "the cat sat on the mat",
    "Where did the dog sit?",
    "",
    "one two three four five six seven eight nine ten one two three four five six seven",
    "caf\u00e9 unknownword, dogs; cats!",
]
PAIRS = ["the cat sat on the mat", "dogs sit on ten mats", "", TEXTS[3]]
LONGEST = 64
SHAPE = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
LINES = TEXTS + PAIRS + ["cats and dogs sit where the mats are; did one of them sit there?"]

PARTS = {
    "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm",
}
FIXED = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
    "classifier.dense.weight": "cls.weight", "classifier.dense.bias": "cls.bias",
    "classifier.out_proj.weight": "cls.output.weight", "classifier.out_proj.bias": "cls.output.bias",
}


def target(name):
    """The name of a tensor in the file, or nothing."""
    name = name.removeprefix("roberta.").removeprefix("bert.")
    if name in FIXED:
        return FIXED[name]
    if not name.startswith("encoder.layer."):
        return None
    layer, rest = name.removeprefix("encoder.layer.").split(".", 1)
    part, end = rest.rsplit(".", 1)
    return f"blk.{layer}.{PARTS[part]}.{end}"


def write(path, model, kind, pooling, vocabulary):
    """Writes `model`, and gives it the numbers that the file holds."""
    config = model.config
    offset = 0 if config.model_type == "bert" else config.pad_token_id + 1
    out = gguf.GGUFWriter(path, "bert")
    out.add_context_length(config.max_position_embeddings - offset)
    out.add_embedding_length(config.hidden_size)
    out.add_block_count(config.num_hidden_layers)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_head_count(config.num_attention_heads)
    out.add_layer_norm_eps(config.layer_norm_eps)
    out.add_causal_attention(False)
    out.add_pooling_type(pooling)
    out.add_token_type_count(config.type_vocab_size)
    vocabulary(out)
    state = model.state_dict()
    for name, tensor in state.items():
        to = target(name)
        if to is None:
            continue
        x = tensor.float().numpy()
        # As llama.cpp does: matrices of linear parts and the words in the wanted format.
        keeps = x.ndim == 1 or "position" in name or "token_type" in name or kind == Kind.F32
        rows = x[offset:] if "position" in name else x
        # A table of one row becomes a row.
        rows = rows.squeeze(0) if "token_type" in name and rows.shape[0] == 1 else rows
        rows = np.ascontiguousarray(rows)
        if keeps:
            out.add_tensor(to, rows)
            continue
        bytes_ = gguf.quants.quantize(rows, kind)
        out.add_tensor(to, bytes_, raw_dtype=kind)
        state[name] = torch.from_numpy(gguf.quants.dequantize(bytes_, kind).reshape(x.shape).astype(np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    model.load_state_dict(state)


def word_pieces(tokenizer):
    """The vocabulary of a BERT: a mark before words instead of one before pieces."""
    def add(out):
        tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
        special = set(tokenizer.all_special_tokens)
        kinds = [gguf.TokenType.CONTROL if it in special else gguf.TokenType.NORMAL for it in tokens]
        phantom = [it if it in special else it[2:] if it.startswith("##") else "\u2581" + it for it in tokens]
        out.add_tokenizer_model("bert")
        out.add_tokenizer_pre("default")
        out.add_token_list(phantom)
        out.add_token_types(kinds)
        for key, token in [("unknown", tokenizer.unk_token), ("padding", tokenizer.pad_token),
                           ("seperator", tokenizer.sep_token), ("cls", tokenizer.cls_token)]:
            out.add_uint32(f"tokenizer.ggml.{key}_token_id", tokenizer.convert_tokens_to_ids(token))
    return add


def marks(out, tokenizer):
    for key, token in [("bos", tokenizer.bos_token), ("eos", tokenizer.eos_token), ("unknown", tokenizer.unk_token),
                       ("seperator", tokenizer.sep_token), ("padding", tokenizer.pad_token), ("cls", tokenizer.cls_token)]:
        out.add_uint32(f"tokenizer.ggml.{key}_token_id", tokenizer.convert_tokens_to_ids(token))
    out.add_add_bos_token(True)
    out.add_add_eos_token(True)


def unigram(tokenizer):
    def add(out):
        pieces = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["vocab"]
        kinds = [gguf.TokenType.CONTROL if it in ("<s>", "<pad>", "</s>") else
                 gguf.TokenType.UNKNOWN if it == "<unk>" else gguf.TokenType.NORMAL for it, _ in pieces]
        out.add_tokenizer_model("t5")
        out.add_tokenizer_pre("default")
        out.add_token_list([it for it, _ in pieces])
        out.add_token_scores([score for _, score in pieces])
        out.add_token_types(kinds)
        out.add_add_space_prefix(True)
        out.add_remove_extra_whitespaces(True)
        marks(out, tokenizer)
    return add


def merges(tokenizer):
    def add(out):
        written = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
        tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
        special = set(tokenizer.all_special_tokens)
        out.add_tokenizer_model("gpt2")
        out.add_tokenizer_pre("roberta-bpe")
        out.add_token_list(tokens)
        out.add_token_types([gguf.TokenType.CONTROL if it in special else gguf.TokenType.NORMAL for it in tokens])
        out.add_token_merges([" ".join(it) for it in written["merges"]])
        marks(out, tokenizer)
    return add


def wrapped(made):
    first, last = made.token_to_id("<s>"), made.token_to_id("</s>")
    made.post_processor = processors.RobertaProcessing(("</s>", last), ("<s>", first))
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
        unk_token="<unk>", pad_token="<pad>", model_max_length=LONGEST, model_input_names=["input_ids", "attention_mask"],
    )


def unigram_tokenizer():
    made = Tokenizer(Unigram())
    made.normalizer = normalizers.Sequence([normalizers.Replace(" {2,}", " "), normalizers.Strip()])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = UnigramTrainer(vocab_size=90, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False)
    made.train_from_iterator(LINES * 3, trainer)
    return wrapped(made)


def bytes_tokenizer():
    made = Tokenizer(BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(vocab_size=300, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False,
                         initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(LINES * 3, trainer)
    return wrapped(made)


def shaken(model):
    """Moves every parameter, so that no norm is the identity and no bias zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    return model.eval()


def rounded(tensor):
    return [float(f"{x:.7g}") for x in tensor.flatten().tolist()]


def embeddings(model, tokenizer, pooling):
    found = []
    for text in TEXTS:
        with torch.no_grad():
            hidden = model(**tokenizer(text, truncation=True, max_length=LONGEST, return_tensors="pt")).last_hidden_state[0]
        vector = hidden.mean(0) if pooling == gguf.PoolingType.MEAN else hidden[0]
        found.append(rounded(vector / vector.norm()))
    return found


def k_quants(name, words):
    """Has llama.cpp write a BERT in Q4_K and Q6_K; returns what it gives, by the file's numbers."""
    import llama_cpp

    shape = dict(hidden_size=256, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256)
    model = BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=LONGEST, **shape), add_pooling_layer=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.03)
    model.eval()
    path = os.path.join(FOLDER, name)
    plain = path + ".f32"
    write(plain, model, Kind.F32, gguf.PoolingType.MEAN, word_pieces(words))
    how = llama_cpp.llama_model_quantize_default_params()
    how.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M
    how.nthread = 1
    assert llama_cpp.llama_model_quantize(plain.encode(), path.encode(), how) == 0
    os.remove(plain)
    written = {it.name: it for it in gguf.GGUFReader(path).tensors}
    kinds = {it.tensor_type for it in written.values()}
    assert {Kind.Q4_K, Kind.Q6_K} <= kinds, kinds
    state = model.state_dict()
    for key, tensor in state.items():
        if target(key) is not None:
            it = written[target(key)]
            state[key] = torch.from_numpy(
                gguf.quants.dequantize(it.data, it.tensor_type).reshape(tensor.shape).astype(np.float32))
    model.load_state_dict(state)
    return embeddings(model, words, gguf.PoolingType.MEAN)


def tiny():
    os.makedirs(FOLDER, exist_ok=True)
    torch.manual_seed(23)
    expected = {}
    words = AutoTokenizer.from_pretrained(os.path.join(HERE, "bert"))
    for kind in (Kind.F32, Kind.F16, Kind.Q8_0, Kind.Q4_0):
        name = f"bert-{kind.name}.gguf"
        model = shaken(BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=LONGEST, **SHAPE), add_pooling_layer=False))
        write(os.path.join(FOLDER, name), model, kind, gguf.PoolingType.MEAN, word_pieces(words))
        expected[name] = embeddings(model, words, gguf.PoolingType.MEAN)
    pieces = unigram_tokenizer()
    model = shaken(XLMRobertaModel(XLMRobertaConfig(
        vocab_size=len(pieces), max_position_embeddings=LONGEST + 2, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5, **SHAPE), add_pooling_layer=False))
    write(os.path.join(FOLDER, "xlm-roberta.gguf"), model, Kind.BF16, gguf.PoolingType.CLS, unigram(pieces))
    expected["xlm-roberta.gguf"] = embeddings(model, pieces, gguf.PoolingType.CLS)
    bytes_ = bytes_tokenizer()
    model = shaken(RobertaForSequenceClassification(RobertaConfig(
        vocab_size=len(bytes_), max_position_embeddings=LONGEST + 2, type_vocab_size=1, pad_token_id=1, num_labels=1, layer_norm_eps=1e-5, **SHAPE)))
    write(os.path.join(FOLDER, "roberta-cross.gguf"), model, Kind.F16, gguf.PoolingType.RANK, merges(bytes_))
    logits = []
    for passage in PAIRS:
        pair = bytes_([TEXTS[1]], [passage], truncation="longest_first", max_length=LONGEST, return_tensors="pt")
        with torch.no_grad():
            logits.append(float(model(**pair).logits[0, 0]))
    expected["bert-Q4_K_M.gguf"] = k_quants("bert-Q4_K_M.gguf", words)
    cross = dict(question=TEXTS[1], passages=PAIRS, logits=logits)
    with open(os.path.join(FOLDER, "expected.json"), "w") as file:
        json.dump(dict(texts=TEXTS, embeddings=expected, cross=cross), file)
        file.write("\n")


if len(sys.argv) == 4:
    source, kind, path = sys.argv[1:]
    write(path, AutoModel.from_pretrained(source), Kind[kind], gguf.PoolingType.MEAN,
          word_pieces(AutoTokenizer.from_pretrained(source)))
else:
    tiny()
