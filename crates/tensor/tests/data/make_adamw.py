"""Makes the files beside it with `torch` 2.15 and `bitsandbytes` 0.50 on a CPU.

520 parameters, two blocks of 256 and a piece of one, take ten steps. Parameters and
gradients are those of `numbers` in `src/sample.rs`, the gradients of a block being of its
own size. `adamw.f32` are the parameters that `torch.optim.AdamW` leaves; `dynamic_code.f32`
are the 256 signed and 256 unsigned values of `bitsandbytes`; `adamw_8_bits.f32` are the
parameters that its `AdamW8bit` leaves where moments are rounded to the nearest value, as
arXiv:2110.02861 has it. Its kernel for CPUs takes a neighbour now and then (4 of 1,040
numbers in the first step); how far that goes is printed.

    python make_adamw.py
"""

from pathlib import Path

import bitsandbytes
import bitsandbytes.functional
import numpy as np
import torch

HERE = Path(__file__).parent
COUNT, STEPS = 520, 10
SETTINGS = dict(lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)
MASK = (1 << 64) - 1


def numbers(seed, count):
    """SplitMix64, as in `src/sample.rs`."""
    state, out = seed, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        out.append((z >> 40) / (1 << 23) - 1)
    return np.array(out, dtype=np.float32)


sizes = np.array([[1, 1e-3, 30][at // 256] for at in range(COUNT)], dtype=np.float32)


def run(optimiser, name, **more):
    parameter = torch.nn.Parameter(torch.from_numpy(numbers(0, COUNT)))
    optimiser = optimiser([parameter], **SETTINGS, **more)
    for step in range(1, STEPS + 1):
        parameter.grad = torch.from_numpy(numbers(step, COUNT) * sizes)
        optimiser.step()
    parameters = parameter.detach().numpy()
    if name:
        parameters.tofile(HERE / name)
    return parameters


class NearestAdamW8bit(torch.optim.Optimizer):
    """The update of bitsandbytes 0.50 (`backends/cpu/ops.py`), rounding to the nearest."""

    def __init__(self, parameters, **settings):
        super().__init__(parameters, settings)
        self.codes = [bitsandbytes.functional.create_dynamic_map(signed) for signed in (True, False)]
        self.moments = [torch.zeros(COUNT), torch.zeros(COUNT)]
        self.number = 0

    def rounded(self, moment, code):
        blocks = [(b, b.abs().max()) for b in moment.split(256)]
        return torch.cat(
            [code[(b / m).sub(code[:, None]).abs().argmin(0)] * m for b, m in blocks]
        )

    @torch.no_grad()
    def step(self):
        self.number += 1
        (group,) = self.param_groups
        (parameter,) = group["params"]
        (first, second), gradient = group["betas"], parameter.grad
        m, v = self.moments
        m.mul_(first).add_(gradient, alpha=1 - first)
        v.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        root = (v.sqrt() / (1 - second**self.number) ** 0.5).add_(group["eps"])
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.addcdiv_(m, root, value=-group["lr"] / (1 - first**self.number))
        self.moments = [self.rounded(x, code) for x, code in zip(self.moments, self.codes)]


run(torch.optim.AdamW, "adamw.f32")
ours = run(NearestAdamW8bit, "adamw_8_bits.f32")
theirs = run(bitsandbytes.optim.AdamW8bit, None, min_8bit_size=1)
apart = np.abs(ours - theirs)
print(f"{(apart > 1e-6).sum()} of {COUNT} parameters apart, at most {apart.max():.1e}")
np.concatenate(
    [bitsandbytes.functional.create_dynamic_map(signed).numpy() for signed in (True, False)]
).tofile(HERE / "dynamic_code.f32")
