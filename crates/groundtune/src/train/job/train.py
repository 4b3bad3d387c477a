#!/usr/bin/env python3
"""Learns what `groundtune train --job` wrote into this folder, on one GPU or on many.

    pip install torch transformers peft accelerate numpy
    accelerate launch train.py                                    # on all that this machine has
    accelerate launch --use_fsdp --fsdp_version 2 train.py        # weights and states shared out
    accelerate launch train.py --resume                           # after it was broken off

QLoRA and 8-bit states need `bitsandbytes` too. Every step learns the examples, at the rate, that
groundtune itself would take: how many processes share them changes no number but by rounding. What
was learnt is left in this folder as groundtune leaves it, in `model` or `adapter`; put the folder
back among the runs, and its name is a model's.
"""

import argparse
import contextlib
import json
import math
import shutil
import time
from pathlib import Path

import numpy
import torch
from accelerate import Accelerator
from transformers import AutoConfig, AutoModelForCausalLM

HERE = Path(__file__).resolve().parent
EVENTS = HERE / "events.jsonl"
IGNORED = -100
# Files of a model's folder that are not its vocabulary.
WEIGHTS = ("config.json", "generation_config.json", "model.safetensors.index.json")


# The order of the examples: as in groundtune, shuffled anew each epoch by the seed alone.

BITS = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(counter):
    """splitmix64 (Steele, Lea and Flood 2014)."""
    z = (counter + GOLDEN) & BITS
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & BITS
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & BITS
    return z ^ (z >> 31)


class Order:
    def __init__(self, seed, examples):
        self.seed, self.examples, self.epoch, self.held = seed, examples, None, None

    def step(self, step, count):
        return [self.at(step * count + at) for at in range(count)]

    def at(self, position):
        epoch, at = divmod(position, self.examples)
        if epoch != self.epoch:
            order = list(range(self.examples))
            stream = mix(self.seed ^ mix(epoch + 1))
            for last in range(self.examples - 1, 0, -1):
                drawn = (mix((stream + last * GOLDEN) & BITS) * (last + 1)) >> 64
                order[last], order[drawn] = order[drawn], order[last]
            self.epoch, self.held = epoch, order
        return self.held[at]


def factor(schedule, step, steps):
    """What the learning rate is multiplied with in `step`, from 0."""
    warmup = schedule["warmup"]
    if step < warmup:
        return step / warmup
    done = min((step - warmup) / max(steps - warmup, 1), 1.0)
    kind, floor = schedule["kind"], schedule.get("floor", 0.0)
    if kind == "constant":
        return 1.0
    if kind == "linear":
        return 1.0 - done
    if kind == "cosine":
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))
    falling = max(schedule["decay"] * steps, 1.0)
    return floor + (1 - floor) * min((steps - step) / falling, 1.0)


# The examples: tokens, the token that each is to predict, and what that counts.


def read(path, prompt_weight):
    examples = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            ids = numpy.array(row["ids"], dtype=numpy.int64)
            targets = numpy.array(row["targets"], dtype=numpy.int64)
            weights = (targets != IGNORED).astype(numpy.float32)
            if prompt_weight > 0:
                others = numpy.flatnonzero(targets[:-1] == IGNORED)
                targets[others] = ids[others + 1]
                weights[others] = prompt_weight
            examples.append((ids, targets, weights))
    return examples


def batch(examples, device):
    longest = max(len(ids) for ids, _, _ in examples)
    shape = (len(examples), longest)
    ids = torch.zeros(shape, dtype=torch.int64)
    seen = torch.zeros(shape, dtype=torch.int64)
    targets = torch.full(shape, IGNORED, dtype=torch.int64)
    weights = torch.zeros(shape)
    for row, (some, predicted, counts) in enumerate(examples):
        end = len(some)
        ids[row, :end] = torch.from_numpy(some)
        seen[row, :end] = 1
        targets[row, :end] = torch.from_numpy(predicted)
        weights[row, :end] = torch.from_numpy(counts)
    return [it.to(device) for it in (ids, seen, targets, weights)]


def pieces(examples, size, rank, world):
    """The part of this process, `size` at a time. All processes have as many pieces: the last
    ones may be examples that count nothing."""
    count = math.ceil(math.ceil(len(examples) / world) / size)
    mine = examples[rank::world]
    nothing = [(ids, targets, weights * 0) for ids, targets, weights in examples[:1]]
    return [mine[at * size : (at + 1) * size] or nothing for at in range(count)]


def summed(model, some, device):
    """The loss summed over the tokens, each by what it counts."""
    ids, seen, targets, weights = batch(some, device)
    logits = model(input_ids=ids, attention_mask=seen, use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return (losses * weights.flatten()).sum()


def opened(job):
    """The model that learns."""
    tuning, technique = job["recipe"]["tuning"], job["recipe"]["technique"]
    options = {}
    if tuning["kind"] == "qlora":
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16 if technique["precision"] == "bf16" else torch.float32,
        )
    # The dropout of some models is decided when they are made.
    config = AutoConfig.from_pretrained(HERE / "start")
    for name in ("attention_dropout", "attn_pdrop", "embd_pdrop", "resid_pdrop"):
        if hasattr(config, name):
            setattr(config, name, technique["dropout"])
    model = AutoModelForCausalLM.from_pretrained(HERE / "start", config=config, dtype=torch.float32, **options)
    if technique["checkpointing"]:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if tuning["kind"] in ("lora", "qlora"):
        from peft import LoraConfig, get_peft_model

        targets = tuning["targets"]
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=tuning["rank"],
            lora_alpha=tuning["alpha"],
            lora_dropout=tuning["dropout"],
            use_rslora=tuning["scale"] == "root",
            use_dora=tuning["dora"],
            target_modules="all-linear" if targets == "all_linear" else targets["named"],
        )
        model = get_peft_model(model, config)
        if technique["checkpointing"]:
            model.enable_input_require_grads()
        model.peft_config["default"].base_model_name_or_path = job["base"]
    return model


def optimiser_of(model, settings):
    learnt = [it for it in model.parameters() if it.requires_grad]
    groups = [
        {"params": [it for it in learnt if it.ndim >= 2], "weight_decay": settings["weight_decay"]},
        {"params": [it for it in learnt if it.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [it for it in groups if it["params"]]
    options = {"lr": 0.0, "betas": (settings["beta1"], settings["beta2"]), "eps": settings["epsilon"]}
    if settings["states"] == "int8":
        from bitsandbytes.optim import AdamW8bit

        return AdamW8bit(groups, **options)
    return torch.optim.AdamW(groups, **options)


class Job:
    def __init__(self, arguments):
        self.job = job = json.loads((HERE / "job.json").read_text(encoding="utf-8"))
        self.recipe = recipe = job["recipe"]
        if recipe["technique"]["precision"] == "high":
            torch.set_float32_matmul_precision("high")
        self.accelerator = Accelerator(
            mixed_precision="bf16" if recipe["technique"]["precision"] == "bf16" else "no", cpu=arguments.cpu
        )
        torch.manual_seed(recipe["seed"] + self.accelerator.process_index)
        weight = recipe["objective"].get("prompt_weight", 0.0)
        self.training = read(HERE / "train.jsonl", weight)
        # It is examined on answers alone.
        self.dev = read(HERE / "dev.jsonl", 0.0)
        model = opened(job)
        self.parameters = sum(it.numel() for it in model.parameters() if it.requires_grad)
        self.model, self.optimiser = self.accelerator.prepare(model, optimiser_of(model, recipe["optimiser"]))
        self.order = Order(recipe["seed"], len(self.training))
        self.state = {"step": 0, "best": None, "worse": 0, "since": []}
        self.dev_loss = None

    def say(self, event, **what):
        if not self.accelerator.is_main_process:
            return
        with open(EVENTS, "a", encoding="utf-8") as events:
            events.write(json.dumps({"event": event, **what}) + "\n")
        if event == "step":
            dev = "" if self.dev_loss is None else f" · dev {self.dev_loss:.2f}"
            speed, left = what["tokens_per_second"], what["seconds_left"]
            print(
                f"step {what['step']}/{what['steps']} · loss {what['loss']:.2f}{dev}"
                f" · {speed:,.0f} tok/s · {left / 60:.0f} min left",
                flush=True,
            )
        elif event == "examined":
            best = " · best so far" if what["best"] else ""
            print(f"step {what['step']} · dev {what['loss']:.3f}{best}", flush=True)

    def pieces(self, examples):
        at, of = self.accelerator.process_index, self.accelerator.num_processes
        return pieces(examples, self.recipe["steps"]["batch"], at, of)

    def step(self):
        """Takes a step; returns its loss, the gradient's length, the rate and the tokens."""
        accelerator, settings = self.accelerator, self.recipe["optimiser"]
        portions = self.recipe["steps"]
        numbers = self.order.step(self.state["step"], portions["batch"] * portions["accumulation"])
        taken = [self.training[it] for it in numbers]
        units = max(sum(float(weights.sum()) for _, _, weights in taken), 1e-9)
        self.model.train()
        self.optimiser.zero_grad()
        total = torch.zeros((), device=accelerator.device)
        parts = self.pieces(taken)
        for at, part in enumerate(parts):
            last = at + 1 == len(parts)
            with contextlib.nullcontext() if last else accelerator.no_sync(self.model):
                loss = summed(self.model, part, accelerator.device) / units
                total += loss.detach()
                # Processes' gradients are averaged, and are to be added.
                accelerator.backward(loss * accelerator.num_processes)
        loss = accelerator.reduce(total, "sum").item()
        clip = settings["clip"] or math.inf
        norm = float(accelerator.clip_grad_norm_(self.model.parameters(), clip))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise SystemExit(
                f"step {self.state['step'] + 1}: the loss is {loss}, the gradient's length {norm}; a lower"
                f" `learning_rate` in job.json helps, or other data: its examples are lines {[it + 1 for it in numbers]}"
                " of train.jsonl"
            )
        rate = settings["learning_rate"] * factor(self.recipe["schedule"], self.state["step"], self.job["steps"])
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.state["step"] += 1
        self.state["since"].append(loss)
        return loss, norm, rate, sum(len(ids) for ids, _, _ in taken)

    def examine(self):
        """Examines the model, and keeps it if none was better."""
        if not self.dev:
            return
        self.model.eval()
        for module in self.model.modules():
            # On processors its layers in 4 bits pass no gradient back once they were not training.
            if type(module).__module__.startswith("bitsandbytes"):
                module.training = True
        total = torch.zeros((), device=self.accelerator.device)
        with torch.no_grad():
            for part in self.pieces(self.dev):
                total += summed(self.model, part, self.accelerator.device)
        units = sum(float(weights.sum()) for _, _, weights in self.dev)
        loss = self.accelerator.reduce(total, "sum").item() / max(units, 1.0)
        state, since = self.state, self.state["since"]
        best = state["step"] > 0 and (state["best"] is None or loss < state["best"]["loss"])
        if state["step"] > 0:
            state["worse"] = 0 if best else state["worse"] + 1
        if best:
            state["best"] = {"step": state["step"], "loss": loss}
            if self.recipe["evaluation"]["keep_best"]:
                self.save(HERE / "checkpoints" / "best")
        self.dev_loss = loss
        self.say(
            "examined",
            step=state["step"],
            loss=loss,
            training_loss=sum(since) / len(since) if since else None,
            metrics={"perplexity": math.exp(min(loss, 700.0))},
            best=best,
        )
        state["since"] = []

    def save(self, folder):
        """Writes the model, or the adapter, as transformers and PEFT do."""
        accelerator = self.accelerator
        state = accelerator.get_state_dict(self.model)
        accelerator.unwrap_model(self.model).save_pretrained(
            folder, state_dict=state, is_main_process=accelerator.is_main_process, save_function=accelerator.save
        )
        if accelerator.is_main_process and self.job["result"] == "model":
            for file in (HERE / "start").iterdir():
                if file.name not in WEIGHTS and file.suffix != ".safetensors":
                    shutil.copy(file, folder)
        accelerator.wait_for_everyone()

    def checkpoint(self):
        """Saves the state to go on from, and removes the oldest."""
        folder = HERE / "checkpoints" / f"step-{self.state['step']}"
        self.accelerator.save_state(str(folder))
        if self.accelerator.is_main_process:
            self.state["events"] = EVENTS.stat().st_size
            # What says that it is whole comes last.
            (folder / "state.json").write_text(json.dumps(self.state), encoding="utf-8")
            for old in checkpoints()[: -self.recipe["checkpoints"]["keep"]]:
                shutil.rmtree(old)
        self.accelerator.wait_for_everyone()
        self.say("saved", step=self.state["step"])

    def resume(self):
        found = checkpoints()
        if not found:
            raise SystemExit("there is no checkpoint to go on from; leave out --resume")
        self.accelerator.load_state(str(found[-1]))
        self.state = json.loads((found[-1] / "state.json").read_text(encoding="utf-8"))
        if self.accelerator.is_main_process:
            # What happened after it has not happened.
            with open(EVENTS, "r+b") as events:
                events.truncate(self.state["events"])

    def run(self):
        job, state = self.job, self.state
        steps, evaluation = job["steps"], self.recipe["evaluation"]
        self.say("started", step=state["step"], steps=steps, examples=len(self.training), parameters=self.parameters)
        if state["step"] == 0:
            self.examine()
        began, tokens, first = time.monotonic(), 0, state["step"]
        why = "done"
        while self.state["step"] < steps:
            state = self.state
            if evaluation.get("patience") is not None and state["worse"] >= evaluation["patience"]:
                why = "nothing_better"
                break
            loss, norm, rate, read = self.step()
            step, tokens = state["step"], tokens + read
            elapsed = time.monotonic() - began
            self.say(
                "step",
                step=step,
                steps=steps,
                loss=loss,
                gradient_norm=norm,
                learning_rate=rate,
                tokens=read,
                tokens_per_second=tokens / elapsed,
                seconds_left=elapsed / (step - first) * (steps - step),
            )
            if step == steps or step % evaluation["every"] == 0:
                self.examine()
            if step < steps and step % self.recipe["checkpoints"]["every"] == 0:
                self.checkpoint()
        self.finish()
        self.say("ended", step=self.state["step"], why=why)

    def finish(self):
        """Leaves what was learnt: the best state, or the last."""
        result = HERE / self.job["result"]
        best = HERE / "checkpoints" / "best"
        kept = self.state["best"] is not None and self.recipe["evaluation"]["keep_best"]
        if not kept:
            self.save(result)
        elif self.accelerator.is_main_process:
            shutil.copytree(best, result, dirs_exist_ok=True)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            print(f"what was learnt is in {result}", flush=True)


def checkpoints():
    """The folders of states to go on from, oldest first."""
    whole = (it.parent for it in (HERE / "checkpoints").glob("step-*/state.json"))
    return sorted(whole, key=lambda it: int(it.name.removeprefix("step-")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resume", action="store_true", help="goes on from the last checkpoint")
    parser.add_argument("--cpu", action="store_true", help="leaves GPUs alone")
    arguments = parser.parse_args()
    (HERE / "checkpoints").mkdir(exist_ok=True)
    if not arguments.resume and checkpoints():
        raise SystemExit("it was begun before: go on with --resume, or remove the folder `checkpoints`")
    job = Job(arguments)
    if arguments.resume:
        job.resume()
    elif job.accelerator.is_main_process:
        EVENTS.write_text("", encoding="utf-8")
    job.run()


if __name__ == "__main__":
    main()
