"""Makes `training/`: the gradients and ten training steps of the tiny decoders.

    python make_training.py        (torch, transformers, peft, safetensors; after make_decoders.py)

Each decoder of `decoders/` is trained in f32 on the CPU by transformers, whole or with
an adapter of peft, on sequences of several lengths, one at a time, so without padding.
`NAME.json` holds the batch (tokens one sequence after another, targets with -1 for none,
weights), the weighted sum of losses, and that of ten steps of `torch.optim.AdamW`, each
before its update; `NAME.safetensors` every gradient of the first, and, where an adapter
is trained, the numbers it starts with (`start.` before the name). `adalora-*` hold also what
each step's matrices being apart from orthogonal counts (`regularised`), how long the
diagonals are after each step (`ranks`) and the numbers after the last (`end.`). Written with torch 2.15,
transformers 5.23, peft 0.21.
"""

import json
import os

import torch
from peft import AdaLoraConfig, LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "training")
LENGTHS = [13, 1, 24, 6]
ADAMW = dict(lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.05)

FULL = ["gpt2", "llama", "llama-yarn", "mistral", "qwen2", "qwen3"]
ADAPTERS = {
    "lora-llama": ("llama", dict(r=3, lora_alpha=7, target_modules=["q_proj", "v_proj", "down_proj"])),
    "lora-gpt2": ("gpt2", dict(r=4, lora_alpha=8, target_modules=["c_attn"], fan_in_fan_out=True)),
    "lora-last": ("qwen3", dict(r=2, lora_alpha=4, target_modules=["layers.1.mlp.up_proj"])),
    "lora-head": ("qwen2", dict(r=2, lora_alpha=4, target_modules=["lm_head", "k_proj"])),
    "rslora-gpt2": ("gpt2", dict(r=5, lora_alpha=6, use_rslora=True, target_modules="all-linear", fan_in_fan_out=True)),
    "dora-qwen2": ("qwen2", dict(r=3, lora_alpha=5, use_dora=True, target_modules="all-linear")),
    "dora-gpt2": ("gpt2", dict(r=3, lora_alpha=5, use_dora=True, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)),
}
ADALORA = {
    "adalora-llama": ("llama", dict(init_r=4, target_r=2, lora_alpha=6, tinit=2, tfinal=3, deltaT=2, target_modules=["q_proj", "v_proj", "down_proj"])),
    "adalora-gpt2": ("gpt2", dict(init_r=3, target_r=1, lora_alpha=6, tinit=1, tfinal=4, deltaT=1, beta1=0.8, beta2=0.7, orth_reg_weight=0.1, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True)),
}

BOTTLENECKS = {
    "pfeiffer-llama": ("llama", "pfeiffer", 4, "relu"),
    "houlsby-llama": ("llama", "houlsby", 8, "silu"),
    "pfeiffer-gpt2": ("gpt2", "pfeiffer", 4, "gelu"),
    "houlsby-gpt2": ("gpt2", "houlsby", 4, "silu"),
}


def opened(name):
    model = AutoModelForCausalLM.from_pretrained(
        os.path.join(HERE, "decoders", name), dtype=torch.float32, attn_implementation="eager"
    )
    return model.eval()  # nothing is left out at random


def batch(vocabulary):
    total = sum(LENGTHS)
    ids = torch.randint(0, vocabulary, (total,))
    # One token appears often, so that gradients of its embedding add up.
    ids[torch.rand(total) < 0.2] = 3
    targets = torch.randint(0, vocabulary, (total,))
    targets[torch.rand(total) < 0.25] = -1
    weights = torch.rand(total) / total + 0.5 / total
    weights[5] = -weights[5]
    return ids, targets, weights


def loss_of(model, ids, targets, weights):
    loss, start = 0, 0
    for length in LENGTHS:
        rows = slice(start, start + length)
        start += length
        logits = model(input_ids=ids[rows][None]).logits[0]
        each = torch.nn.functional.cross_entropy(logits, targets[rows], ignore_index=-1, reduction="none")
        loss = loss + (each * weights[rows]).sum()
    return loss


def plain(name):
    """A tensor's name in its file."""
    return name.removeprefix("base_model.model.").replace(".default", "").replace("vector.weight", "vector")


def make(name, model, starts, named=None):
    ids, targets, weights = batch(model.config.vocab_size)
    named = named or [(plain(n), p) for n, p in model.named_parameters() if p.requires_grad]
    tensors = {f"start.{n}": p.detach().clone() for n, p in named} if starts else {}
    decays = [p for _, p in named if p.dim() > 1]
    others = [p for _, p in named if p.dim() == 1]
    optimiser = torch.optim.AdamW([dict(params=decays), dict(params=others, weight_decay=0.0)], **ADAMW)
    losses = []
    for step in range(10):
        loss = loss_of(model, ids, targets, weights)
        optimiser.zero_grad()
        loss.backward()
        if step == 0:
            for n, p in named:
                tensors[n] = p.grad.detach().clone().contiguous()
        optimiser.step()
        losses.append(loss.item())
    save_file(tensors, os.path.join(OUT, f"{name}.safetensors"))
    with open(os.path.join(OUT, f"{name}.json"), "w") as file:
        json.dump(dict(
            ids=ids.tolist(), targets=targets.tolist(), lengths=LENGTHS,
            weights=[float(f"{x:.9g}") for x in weights.tolist()], losses=losses,
        ), file)
        file.write("\n")
    print(name, len(named), losses[0], losses[-1])


def apart(model, ids):
    """What AdaLoRA adds to a loss: with and without it, of the same forward."""
    rows = ids[: LENGTHS[0]][None]
    return model(input_ids=rows, labels=rows).loss - model.base_model.model(input_ids=rows, labels=rows).loss


def make_adalora(name, model):
    ids, targets, weights = batch(model.config.vocab_size)
    named = [(plain(n), p) for n, p in model.named_parameters() if p.requires_grad]
    tensors = {f"start.{n}": p.detach().clone() for n, p in named}
    optimiser = torch.optim.AdamW([p for _, p in named], **ADAMW)
    losses, regularised, ranks = [], [], []
    for step in range(10):
        loss, extra = loss_of(model, ids, targets, weights), apart(model, ids)
        optimiser.zero_grad()
        (loss + extra).backward()
        if step == 0:
            for n, p in named:
                tensors[n] = p.grad.detach().clone().contiguous()
        optimiser.step()
        model.base_model.update_and_allocate(step)
        losses.append(loss.item())
        regularised.append(extra.item())
        ranks.append([(p != 0).flatten().tolist() for n, p in named if n.endswith("lora_E")])
    tensors |= {f"end.{n}": p.detach().clone().contiguous() for n, p in named}
    save_file(tensors, os.path.join(OUT, f"{name}.safetensors"))
    with open(os.path.join(OUT, f"{name}.json"), "w") as file:
        json.dump(dict(
            ids=ids.tolist(), targets=targets.tolist(), lengths=LENGTHS,
            weights=[float(f"{x:.9g}") for x in weights.tolist()], losses=losses,
            regularised=regularised, ranks=ranks,
        ), file)
        file.write("\n")
    print(name, len(named), losses[0], losses[-1], [sum(map(sum, it)) for it in ranks])


class Bottleneck(torch.nn.Module):
    """As `adapters` of AdapterHub computes it; the residual around it is the caller's."""

    def __init__(self, width, inner, activation):
        super().__init__()
        self.adapter_down = torch.nn.Sequential(torch.nn.Linear(width, inner))
        self.adapter_up = torch.nn.Linear(inner, width)
        self.activation = getattr(torch.nn.functional, activation)

    def forward(self, x):
        return self.adapter_up(self.activation(self.adapter_down(x)))


def with_bottlenecks(model, style, reduction, activation):
    """Freezes the model and hooks bottlenecks behind its parts; returns them by AdapterHub's names."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    gpt2 = hasattr(model, "transformer")
    layers = model.transformer.h if gpt2 else model.model.layers
    width, named = model.config.hidden_size, {}

    def behind(module, name):
        bottleneck = Bottleneck(width, width // reduction, activation)
        for n, parameter in bottleneck.named_parameters():
            named[f"{name}.adapters.groundtune.{n}"] = parameter

        def hook(_, __, output):
            if isinstance(output, tuple):
                return (output[0] + bottleneck(output[0]), *output[1:])
            return output + bottleneck(output)

        module.register_forward_hook(hook)

    for number, layer in enumerate(layers):
        name = f"{'transformer.h' if gpt2 else 'model.layers'}.{number}"
        if style == "houlsby":
            behind(layer.attn if gpt2 else layer.self_attn, f"{name}.attention_adapters")
            behind(layer.mlp, f"{name}.output_adapters")
        else:
            behind(layer, f"{name}.output_adapters")
    return named


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    for number, name in enumerate(FULL):
        torch.manual_seed(100 + number)
        make(name, opened(name), starts=False)
    for number, (name, (base, config)) in enumerate(ADAPTERS.items()):
        torch.manual_seed(200 + number)
        model = get_peft_model(opened(base), LoraConfig(task_type="CAUSAL_LM", **config)).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter) * 0.1)
        make(name, model, starts=True)
    for number, (name, (base, config)) in enumerate(ADALORA.items()):
        torch.manual_seed(300 + number)
        config = AdaLoraConfig(task_type="CAUSAL_LM", total_step=10, **config)
        model = get_peft_model(opened(base), config).eval()
        with torch.no_grad():
            for n, parameter in model.named_parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter) * 0.2)
        make_adalora(name, model)
    for number, (name, (base, style, reduction, activation)) in enumerate(BOTTLENECKS.items()):
        torch.manual_seed(400 + number)
        model = opened(base)
        named = with_bottlenecks(model, style, reduction, activation)
        with torch.no_grad():
            for parameter in named.values():
                parameter.add_(torch.randn_like(parameter) * 0.1)
        make(name, model, starts=True, named=list(named.items()))
