"""Takes the steps of a LoRA run of groundtune once more with PEFT, and compares the losses.

    groundtune train lora.toml --set optimiser.learning_rate=0.0 --set steps.limit=1   # 0001
    groundtune train lora.toml                                                        # 0002
    python lora_curve.py .groundtune/runs/0001/adapter .groundtune/runs/0002

The first run learns nothing: its adapter is what the second began with. Nothing else is
taken over from groundtune: the tokens are cut here (llama2.c's vocabulary), the order of
the examples is computed here from the seed, the base is read by transformers, the adapter
by PEFT, and the steps are those of PyTorch's AdamW. The recipe is read from the run.
Prints each loss of both sides and the largest relative difference; exits with 1 if that is
above 1e-4. Then the weights of both adapters after the last step are compared.
"""

import heapq
import json
import struct
import sys
import time
import tomllib
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, get_scheduler

torch.set_num_threads(2)
LARGEST = 1e-4
WORD = (1 << 64) - 1


def mix(counter):
    """splitmix64."""
    z = (counter + 0x9E3779B97F4A7C15) & WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def shuffled(seed, epoch, count):
    order = list(range(count))
    stream = mix(seed ^ mix(epoch + 1))
    for last in range(count - 1, 0, -1):
        drawn = (mix((stream + last * 0x9E3779B97F4A7C15) & WORD) * (last + 1)) >> 64
        order[last], order[drawn] = order[drawn], order[last]
    return order


def pieces(path):
    """Pieces and scores of llama2.c's file."""
    raw = path.read_bytes()
    at, found = 4, []
    while at < len(raw):
        score, length = struct.unpack_from("<fi", raw, at)
        found.append((raw[at + 8 : at + 8 + length].decode(), score))
        at += 8 + length
    return found


def encode(text, vocabulary):
    """llama2.c's greedy joining of the best scored neighbours, with a heap."""
    ids = {piece: number for number, (piece, _) in reversed(list(enumerate(vocabulary)))}
    tokens = []
    for char in " " + text:
        # What is no piece is its bytes, which come after the first three.
        tokens += [ids[char]] if char in ids else [byte + 3 for byte in char.encode()]
    after = list(range(1, len(tokens) + 1))
    before = list(range(-1, len(tokens) - 1))
    heap = []

    def offer(left):
        right = after[left] if left >= 0 else len(tokens)
        if left < 0 or right >= len(tokens):
            return
        joined = ids.get(vocabulary[tokens[left]][0] + vocabulary[tokens[right]][0])
        if joined is not None:
            score = -vocabulary[joined][1]
            heapq.heappush(heap, (score, left, right, tokens[left], tokens[right], joined))

    for left in range(len(tokens) - 1):
        offer(left)
    while heap:
        _, left, right, first, second, joined = heapq.heappop(heap)
        if tokens[left] != first or tokens[right] != second or after[left] != right:
            continue
        tokens[left], tokens[right] = joined, -1
        after[left] = after[right]
        if after[left] < len(tokens):
            before[after[left]] = left
        offer(before[left])
        offer(left)
    at, found = 0, []
    while at < len(tokens):
        found.append(tokens[at])
        at = after[at]
    return found


def main(initial, run):
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    theirs = [event["loss"] for event in events if event["event"] == "step"]
    steps, length = recipe["steps"], recipe["steps"]["length"]
    text = Path(recipe["data"]["train"][0]).read_text()
    vocabulary = pieces(Path(recipe["model"]["tokenizer"]))
    tokens = [1] + encode(text, vocabulary) + [2]
    sequences = [
        tokens[at : at + length + 1] for at in range(0, len(tokens) - 1, length)
    ]
    print(f"{len(tokens)} tokens, {len(sequences)} sequences")

    base = AutoModelForCausalLM.from_pretrained(recipe["model"]["path"], dtype=torch.float32)
    model = PeftModel.from_pretrained(base, str(initial), is_trainable=True).train()
    trained = [it for it in model.parameters() if it.requires_grad]
    optimiser = torch.optim.AdamW(
        trained,
        lr=recipe["optimiser"]["learning_rate"],
        betas=(recipe["optimiser"]["beta1"], recipe["optimiser"]["beta2"]),
        eps=recipe["optimiser"]["epsilon"],
        weight_decay=recipe["optimiser"]["weight_decay"],
    )
    schedule = get_scheduler(
        recipe["schedule"]["kind"], optimiser, recipe["schedule"]["warmup"], len(theirs)
    )
    begun, most, ours = time.time(), 0.0, []
    for step, their in enumerate(theirs):
        batch = []
        for position in range(step * steps["batch"], (step + 1) * steps["batch"]):
            epoch, at = divmod(position, len(sequences))
            if at == 0 or not batch and step == 0:
                order = shuffled(recipe["seed"], epoch, len(sequences))
            batch.append(sequences[order[at]])
        # A shorter sequence is padded behind, where nothing sees it.
        longest = max(len(it) for it in batch)
        padded = torch.tensor([it + [0] * (longest - len(it)) for it in batch])
        counts = torch.tensor([[i + 1 < len(it) for i in range(longest - 1)] for it in batch])
        logits = model(input_ids=padded[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(
            logits[counts], padded[:, 1:][counts], reduction="mean"
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, recipe["optimiser"]["clip"])
        optimiser.step()
        schedule.step()
        ours.append(loss.item())
        difference = abs(ours[-1] - their) / ours[-1]
        most = max(most, difference)
        if step % 20 == 19 or step == 0:
            print(f"step {step + 1}: peft {ours[-1]:.7f}, groundtune {their:.7f}, {difference:.1e}")
    print(f"{len(theirs)} steps in {time.time() - begun:.1f} s; loss {ours[0]:.4f} to {ours[-1]:.4f}")
    print(f"largest relative difference of a loss: {most:.2e}")

    learnt = load_file(run / "adapter" / "adapter_model.safetensors")
    weights = 0.0
    for name, value in model.state_dict().items():
        if ".lora_" not in name:
            continue
        value = value.detach()
        other = learnt[name.replace(".default", "")]
        weights = max(weights, ((value - other).abs().max() / value.abs().max()).item())
    print(f"largest difference of a learnt number, of its tensor's largest: {weights:.2e}")
    sys.exit(most > LARGEST)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
