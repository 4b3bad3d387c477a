"""Learns the vocabulary of the tests in `tokenizer/train.rs` with Python's `tokenizers`
and prints the ids that `transformers` gives with it.

python make_vocabulary.py
"""

import tempfile

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TEXT = "".join(
    f"The {number} cats sat on {number % 7} mats;\nthen the cats left.\n\n"
    for number in range(400)
)

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
tokenizer.train_from_iterator(
    [TEXT],
    trainers.BpeTrainer(
        vocab_size=300,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"],
    ),
)
with tempfile.TemporaryDirectory() as folder:
    tokenizer.save(f"{folder}/tokenizer.json")
    loaded = PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json")
print(loaded("Then 17 cats\n\nsat, née<|endoftext|> on 365 mats;").input_ids)
