"""Makes the files beside it with the package `gguf` 0.19, the Python side of ggml.

`numbers.f32` are 512 numbers of all sizes. `NAME.bytes` are these as ggml writes them or,
where the package only reads the format, bytes that stand for numbers of usual size;
`NAME.f32` are the numbers that these bytes stand for.

    python make_formats.py
"""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import dequantize, quantize

HERE = Path(__file__).parent
random = np.random.default_rng(7)

numbers = random.standard_normal(512).astype(np.float32)
numbers[32:64] *= 1e-5
numbers[64:96] *= 300
numbers[96:128] = 0
# Ties between two of 127 steps, and the largest number positive and negative.
numbers[128:160] = (np.arange(32) - 15.5) / 127
numbers[160] = -3
numbers[192] = 3
numbers.tofile(HERE / "numbers.f32")

for kind, scales in [
    (Type.F16, None),
    (Type.BF16, None),
    (Type.Q8_0, None),
    (Type.Q4_0, None),
    (Type.Q4_K, [0, 2]),
    (Type.Q6_K, [208]),
]:
    if scales is None:
        stored = quantize(numbers, kind).view(np.uint8)
    else:
        size = {Type.Q4_K: 144, Type.Q6_K: 210}[kind]
        stored = random.integers(0, 256, (2, size), dtype=np.uint8)
        for at in scales:
            some = (random.standard_normal(2) * 0.01).astype(np.float16)
            stored[:, at : at + 2] = some.view(np.uint8).reshape(2, 2)
        stored = stored.reshape(-1)
    stored.tofile(HERE / f"{kind.name.lower()}.bytes")
    typed = stored.view(np.float16) if kind == Type.F16 else stored
    dequantize(typed, kind).astype(np.float32).tofile(HERE / f"{kind.name.lower()}.f32")
