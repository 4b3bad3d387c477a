"""llama.cpp (llama-cpp-python) on a GGUF file: prefill and decode tokens/s of two threads, and the peak of memory.

llama_peer.py FILE [PROMPT] [TOKENS] [ROUNDS] [extra|plain]; `plain` leaves out repacked weights and AMX.
"""
import ctypes, json, os, resource, sys, time
import numpy as np
import llama_cpp
from llama_cpp import Llama
path = sys.argv[1]; number = lambda at, other: int(sys.argv[at]) if len(sys.argv) > at else other
prompt_length, tokens, rounds = number(2, 512), number(3, 128), number(4, 2)
kind = sys.argv[5] if len(sys.argv) > 5 else "extra"
if kind == "plain":
    default = llama_cpp.llama_model_default_params
    def params():
        it = default(); it.use_extra_bufts = False; return it
    llama_cpp.llama_cpp.llama_model_default_params = params
    llama_cpp.llama_model_default_params = params
m = Llama(path, n_ctx=1024, n_threads=2, n_threads_batch=2, n_batch=512, verbose=False)
rng = np.random.default_rng(0)
prompt = [int(x) for x in rng.integers(0, m.n_vocab(), prompt_length)]
pre = dec = 0
for _ in range(rounds):
    m.reset(); t = time.perf_counter(); m.eval(prompt); pre = max(pre, prompt_length / (time.perf_counter() - t))
    m.reset(); m.eval(prompt[:8]); t = time.perf_counter()
    for i in range(tokens): m.eval([prompt[i % len(prompt)]])
    dec = max(dec, tokens / (time.perf_counter() - t))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps(dict(peer="llama.cpp", kind=kind, file=os.path.basename(path), prefill=round(pre, 1), decode=round(dec, 1), peak_mb=peak // 1000000)), flush=True)
