"""GGUF files in the shape of GPT-2 with 124M parameters, random weights: gpt2_gguf.py FOLDER FORMAT..."""
import sys, numpy as np, gguf
L, D, H, F, V, T = 12, 768, 12, 3072, 50257, 1024
for name in sys.argv[2:]:
    kind = getattr(gguf.GGMLQuantizationType, name); rng = np.random.default_rng(0)
    w = gguf.GGUFWriter(f"{sys.argv[1]}/gpt2-{name}.gguf", "gpt2")
    w.add_context_length(T); w.add_embedding_length(D); w.add_block_count(L); w.add_feed_forward_length(F)
    w.add_head_count(H); w.add_layer_norm_eps(1e-5); w.add_vocab_size(V); w.add_tokenizer_model("no_vocab")
    def matrix(n, *shape):
        m = rng.standard_normal(shape, dtype=np.float32) * 0.02
        w.add_tensor(n, gguf.quants.quantize(m, kind), raw_dtype=kind)
    def vector(n, size, one): w.add_tensor(n, np.full(size, one, np.float32))
    def norm(n): vector(n + ".weight", D, 1); vector(n + ".bias", D, 0)
    matrix("token_embd.weight", V, D)
    w.add_tensor("position_embd.weight", rng.standard_normal((T, D), dtype=np.float32) * 0.02)
    norm("output_norm")
    for i in range(L):
        b = f"blk.{i}."
        norm(b + "attn_norm"); norm(b + "ffn_norm")
        for n, out, inn in [("attn_qkv", 3 * D, D), ("attn_output", D, D), ("ffn_up", F, D), ("ffn_down", D, F)]:
            matrix(b + n + ".weight", out, inn); vector(b + n + ".bias", out, 0)
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
