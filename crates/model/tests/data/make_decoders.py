"""Makes the tiny decoders in `decoders/`, and what they should give.

    python make_decoders.py        (torch, transformers, tokenizers, gguf, peft)

Random weights from a seed, so small that all files together stay below a megabyte, yet
with every part of the real architectures: grouped heads, head widths that are not the
width over the heads and fill no vector, biases, norms that are not the identity, and
texts longer than a sliding window or the context that rope scaling started from.
Expected numbers come from transformers (adapters: peft) in f32 on the CPU. Each folder's
`expected.json` holds the tokens, the logits of each, and the hidden states after the
first and the last layer, both through the final norm. Written with torch 2.15,
transformers 5.23, peft 0.21, gguf 0.19.
"""

import copy
import json
import os
import shutil

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import (
    AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM,
    MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM,
    Qwen3Config, Qwen3ForCausalLM,
)
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "decoders")
TOKENS = 26


def shaken(model):
    """Moves every parameter, so that no norm is the identity and no bias zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    return model.eval()


def fresh(name):
    folder = os.path.join(HERE, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def rounded(tensor):
    return [float(f"{x:.7g}") for x in tensor.flatten().tolist()]


def put(path, value):
    with open(path, "w") as file:
        json.dump(value, file)
        file.write("\n")


def run(model, ids):
    """Logits `(T, V)` of `ids`, and the two hidden states."""
    with torch.no_grad():
        out = model(input_ids=torch.tensor([ids]), output_hidden_states=True)
        body = model.base_model
        norm = body.ln_f if hasattr(body, "ln_f") else body.norm
        return dict(
            ids=ids,
            logits=rounded(out.logits[0]),
            first=rounded(norm(out.hidden_states[1])[0]),
            last=rounded(out.hidden_states[-1][0]),
        )


def decoder(name, model, dtype=torch.float32, shard="1GB", tokenizer=None):
    folder = fresh(name)
    # Rounded first, so that the file holds exactly what is computed with; not by
    # `model.to`, which also rounds the frequencies of rotations.
    shaken(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(dtype))
    model.set_attn_implementation("eager")
    ids = torch.randint(0, model.config.vocab_size, (TOKENS,)).tolist()
    put(os.path.join(folder, "expected.json"), run(model, ids))
    copy.deepcopy(model).to(dtype).save_pretrained(folder, max_shard_size=shard)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    for extra in ("generation_config.json",):
        path = os.path.join(folder, extra)
        if os.path.exists(path) and tokenizer is None:
            os.remove(path)
    return model, ids


CHAT = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def bytes_tokenizer():
    """Byte-level BPE with a few merges, special tokens and a chat template."""
    made = Tokenizer(BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    trainer = BpeTrainer(
        vocab_size=300, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    made.train_from_iterator(["the cat sat on the mat and the dog sat on the log; then they all ate"] * 3, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|end|>", additional_special_tokens=special[1:],
        chat_template=CHAT, model_max_length=64,
    )


def gguf_file(path, arch, model, write, more=lambda out: None):
    """Writes `model` as GGUF; `write` gives each tensor its name, numbers and kind."""
    config = model.config
    out = gguf.GGUFWriter(path, arch)
    gpt2 = arch == "gpt2"
    out.add_context_length(config.max_position_embeddings)
    out.add_embedding_length(config.hidden_size)
    out.add_block_count(config.num_hidden_layers)
    out.add_feed_forward_length((config.n_inner or 4 * config.n_embd) if gpt2 else config.intermediate_size)
    out.add_head_count(config.num_attention_heads)
    out.add_vocab_size(config.vocab_size)
    if gpt2:
        out.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        out.add_head_count_kv(config.num_key_value_heads)
        out.add_layer_norm_rms_eps(config.rms_norm_eps)
        out.add_rope_freq_base(config.rope_parameters["rope_theta"])
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        out.add_rope_dimension_count(width)
        out.add_key_length(width)
        out.add_value_length(width)
    out.add_tokenizer_model("no_vocab")
    more(out)
    for name, tensor in model.state_dict().items():
        for target, numbers, kind in write(name, tensor.float().numpy()):
            if kind == Kind.F32:
                out.add_tensor(target, np.ascontiguousarray(numbers))
            else:
                out.add_tensor(target, gguf.quants.quantize(np.ascontiguousarray(numbers), kind), raw_dtype=kind)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def interleaved(rows, heads):
    """The order in which GGUF files of the architecture `llama` keep the rows of queries
    and keys: the two halves of each head taken turn about."""
    width = rows.shape[0] // heads
    return rows.reshape(heads, 2, width // 2, -1).swapaxes(1, 2).reshape(rows.shape)


LLAMA_NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
GPT2_NAMES = {
    "ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
    "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}


def llama_tensors(config, permute, kind_of=lambda name: Kind.F32, numbers_of=lambda name, x: x):
    def write(name, x):
        if name == "lm_head.weight" and config.tie_word_embeddings:
            return
        fixed = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
        if name in fixed:
            target = fixed[name]
        else:
            _, _, layer, rest = name.split(".", 3)
            part, end = rest.rsplit(".", 1)
            target = f"blk.{layer}.{LLAMA_NAMES[part]}.{end}"
            if permute and part in ("self_attn.q_proj", "self_attn.k_proj"):
                x = interleaved(x, config.num_attention_heads if "q_proj" in part else config.num_key_value_heads)
        yield target, x, kind_of(target) if x.ndim == 2 else Kind.F32
    return write


def gpt2_tensors(kind):
    def write(name, x):
        if name == "lm_head.weight":
            return
        fixed = {"transformer.wte.weight": "token_embd.weight", "transformer.wpe.weight": "position_embd.weight",
                 "transformer.ln_f.weight": "output_norm.weight", "transformer.ln_f.bias": "output_norm.bias"}
        if name in fixed:
            target = fixed[name]
        else:
            _, _, layer, rest = name.split(".", 3)
            part, end = rest.rsplit(".", 1)
            target = f"blk.{layer}.{GPT2_NAMES[part]}.{end}"
            if x.ndim == 2:
                x = x.T
        yield target, x, Kind.F32 if x.ndim == 1 or "position" in target else kind
    return write


def random_blocks(kind, shape, generator):
    """Random Q4_K or Q6_K blocks, which the `gguf` package reads but does not write."""
    size, width = gguf.GGML_QUANT_SIZES[kind]
    blocks = generator.integers(0, 256, (shape[0] * shape[1] // size, width), dtype=np.uint8)
    scale = (generator.uniform(0.5, 1.0, len(blocks)) * 2e-4).astype(np.float16)
    if kind == Kind.Q4_K:
        blocks[:, 0:2] = scale.view(np.uint8).reshape(-1, 2)
        blocks[:, 2:4] = (scale * np.float16(7.5)).astype(np.float16).view(np.uint8).reshape(-1, 2)
    else:
        # Scales of sixteen numbers each, small and of either sign.
        blocks[:, 192:208] = generator.integers(-40, 41, (len(blocks), 16)).astype(np.int8).view(np.uint8)
        blocks[:, 208:210] = scale.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(shape[0], -1)


def mixed_gguf():
    """A Llama whose tensors are of every format that is read, computed by transformers
    on the numbers they stand for."""
    kinds = {"attn_q": Kind.Q4_K, "attn_k": Kind.Q6_K, "attn_v": Kind.F16, "attn_output": Kind.Q8_0,
             "ffn_gate": Kind.Q4_0, "ffn_up": Kind.Q4_K, "ffn_down": Kind.Q6_K, "token_embd": Kind.Q8_0, "output": Kind.BF16}
    config = LlamaConfig(
        vocab_size=72, hidden_size=256, intermediate_size=256, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0).add_(torch.randn_like(parameter) * 0.02)
    generator = np.random.default_rng(3)
    folder = fresh("mixed")
    made = {}

    def kind_of(target):
        return next((kind for name, kind in kinds.items() if target.startswith(name) or f".{name}." in target), Kind.F32)

    # First what each tensor of the file holds, then the model that it stands for.
    write = llama_tensors(config, True, kind_of)
    out = gguf.GGUFWriter(os.path.join(folder, "model.gguf"), "llama")
    for key, value in dict(add_context_length=64, add_embedding_length=256, add_block_count=1, add_feed_forward_length=256,
                           add_head_count=4, add_head_count_kv=2, add_vocab_size=72, add_layer_norm_rms_eps=1e-5,
                           add_rope_freq_base=10000.0, add_rope_dimension_count=16, add_key_length=16, add_value_length=16,
                           add_tokenizer_model="no_vocab").items():
        getattr(out, key)(value)
    state = model.state_dict()
    for name, tensor in state.items():
        for target, x, kind in write(name, tensor.numpy()):
            if kind == Kind.F32:
                out.add_tensor(target, np.ascontiguousarray(x))
                continue
            if kind in (Kind.Q4_K, Kind.Q6_K):
                bytes_ = random_blocks(kind, x.shape, generator)
            else:
                bytes_ = gguf.quants.quantize(np.ascontiguousarray(x), kind)
            out.add_tensor(target, bytes_, raw_dtype=kind)
            numbers = gguf.quants.dequantize(bytes_, kind).reshape(x.shape).astype(np.float32)
            if "q_proj" in name or "k_proj" in name:
                heads = 4 if "q_proj" in name else 2
                width = numbers.shape[0] // heads
                numbers = numbers.reshape(heads, width // 2, 2, -1).swapaxes(1, 2).reshape(numbers.shape)
            made[name] = torch.from_numpy(np.ascontiguousarray(numbers))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    model.load_state_dict({**state, **made})
    model.set_attn_implementation("eager")
    ids = torch.randint(0, 72, (TOKENS,)).tolist()
    expected = run(model, ids)
    put(os.path.join(folder, "expected.json"), dict(ids=ids, logits=expected["logits"]))


def adapter(name, base, ids, base_folder, **settings):
    """An adapter with random numbers in both its matrices, and the last logits with it."""
    folder = fresh(name)
    model = get_peft_model(copy.deepcopy(base), LoraConfig(task_type="CAUSAL_LM", **settings))
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "lora_" in parameter_name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.eval()
    model.peft_config["default"].base_model_name_or_path = base_folder
    model.save_pretrained(folder)
    for extra in os.listdir(folder):
        if not extra.startswith("adapter_"):
            os.remove(os.path.join(folder, extra))
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, -4:]
    put(os.path.join(folder, "expected.json"), dict(ids=ids, logits=rounded(logits)))
    return folder


def stacked(base, ids, folders, weights):
    """The last logits with two adapters at once, each with its weight."""
    model = PeftModel.from_pretrained(copy.deepcopy(base), folders[0], adapter_name="a")
    model.load_adapter(folders[1], adapter_name="b")
    model.base_model.set_adapter(["a", "b"])
    for module in model.modules():
        if isinstance(module, LoraLayer):
            for name, weight in zip("ab", weights):
                if name in module.scaling:
                    module.scaling[name] *= weight
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, -4:]
    put(os.path.join(HERE, "stacked.json"), dict(ids=ids, weights=weights, logits=rounded(logits)))


def rope():
    """Frequencies of every kind of rope scaling, from transformers."""
    cases = []
    base = dict(hidden_size=64, num_attention_heads=2, max_position_embeddings=4096)
    for settings in [
        dict(rope_theta=10000.0),
        dict(rope_theta=500000.0, rope_scaling=dict(rope_type="linear", factor=4.0)),
        dict(rope_theta=10000.0, rope_scaling=dict(type="linear", factor=2.5)),
        dict(rope_theta=10000.0, rope_scaling=dict(type="dynamic", factor=2.0)),
        dict(rope_theta=500000.0, rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=512)),
        dict(rope_theta=1000000.0, rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=1024)),
        dict(rope_theta=10000.0, rope_scaling=dict(rope_type="yarn", factor=16.0, beta_fast=24.0, beta_slow=2.0, original_max_position_embeddings=256, mscale=0.707, mscale_all_dim=1.0, truncate=False)),
        dict(rope_theta=10000.0, rope_scaling=dict(rope_type="yarn", factor=8.0, attention_factor=1.25, original_max_position_embeddings=512)),
    ]:
        written = {**base, **settings}
        config = LlamaConfig(**copy.deepcopy(written))
        kind = config.rope_parameters["rope_type"]
        if kind == "default":
            width = config.head_dim
            frequencies, factor = 1.0 / config.rope_parameters["rope_theta"] ** (torch.arange(0, width, 2).float() / width), 1.0
        else:
            frequencies, factor = ROPE_INIT_FUNCTIONS[kind](config, "cpu")
        cases.append(dict(config=written, head_width=config.head_dim, frequencies=rounded(frequencies), factor=factor))
    put(os.path.join(HERE, "rope.json"), cases)


os.makedirs(HERE, exist_ok=True)
torch.manual_seed(11)
rope()
SMALL = dict(num_hidden_layers=2, intermediate_size=40, max_position_embeddings=64, hidden_size=24)

tokenizer = bytes_tokenizer()
llama, llama_ids = decoder("llama", LlamaForCausalLM(LlamaConfig(
    vocab_size=len(tokenizer), num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5,
    rope_parameters=dict(rope_type="llama3", rope_theta=500.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16),
    bos_token_id=None, eos_token_id=tokenizer.eos_token_id, **SMALL)), tokenizer=tokenizer)
gpt2, gpt2_ids = decoder("gpt2", GPT2LMHeadModel(GPT2Config(
    vocab_size=61, n_positions=48, n_embd=24, n_layer=2, n_head=3, n_inner=40, bos_token_id=None, eos_token_id=None)))
decoder("llama-yarn", LlamaForCausalLM(LlamaConfig(
    vocab_size=53, num_attention_heads=3, num_key_value_heads=1, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
    rope_parameters=dict(rope_type="yarn", rope_theta=1000.0, factor=4.0, original_max_position_embeddings=16),
    bos_token_id=None, eos_token_id=None, **SMALL)))
decoder("mistral", MistralForCausalLM(MistralConfig(
    vocab_size=47, num_attention_heads=4, num_key_value_heads=2, head_dim=10, sliding_window=7, tie_word_embeddings=True,
    rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=2.0), bos_token_id=None, eos_token_id=None, **SMALL)), torch.bfloat16)
decoder("qwen2", Qwen2ForCausalLM(Qwen2Config(
    vocab_size=67, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False,
    use_sliding_window=True, sliding_window=9, max_window_layers=1, **SMALL)), torch.float16, shard="12KB")
qwen3, _ = decoder("qwen3", Qwen3ForCausalLM(Qwen3Config(
    vocab_size=59, num_attention_heads=3, num_key_value_heads=1, head_dim=16, tie_word_embeddings=True, **SMALL)))

lora = adapter("lora", llama, llama_ids, "llama", r=4, lora_alpha=6, target_modules=["q_proj", "k_proj", "down_proj", "lm_head"],
               rank_pattern={"layers.1.self_attn.k_proj": 3}, alpha_pattern={"down_proj": 10})
rslora = adapter("rslora", llama, llama_ids, "llama", r=5, lora_alpha=3, use_rslora=True,
                 target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], layers_to_transform=[1])
adapter("dora", llama, llama_ids, "llama", r=2, lora_alpha=4, use_dora=True, target_modules=["q_proj", "v_proj", "up_proj", "down_proj"])
adapter("lora-gpt2", gpt2, gpt2_ids, "gpt2", r=3, lora_alpha=6, fan_in_fan_out=True, target_modules=["c_attn", "c_proj", "c_fc"])
stacked(llama, llama_ids, [lora, rslora], [0.75, -1.5])

# The same models as GGUF files: expected are the numbers of their folders.
width = llama.config.head_dim
straight = 1.0 / 500.0 ** (torch.arange(0, width, 2).float() / width)
scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](llama.config, "cpu")
gguf_file(os.path.join(fresh("gguf"), "llama.gguf"), "llama", llama, llama_tensors(llama.config, True),
          lambda out: out.add_tensor("rope_freqs.weight", (straight / scaled).numpy().astype(np.float32)))
gguf_file(os.path.join(HERE, "gguf", "gpt2.gguf"), "gpt2", gpt2, gpt2_tensors(Kind.F32))
gguf_file(os.path.join(HERE, "gguf", "qwen3.gguf"), "qwen3", qwen3, llama_tensors(qwen3.config, False))
mixed_gguf()
