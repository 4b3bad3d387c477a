"""Makes the tiny encoders with heads in `heads/`, and how PyTorch trains them.

    python make_heads.py     (torch, transformers, sentence-transformers, peft; after make_golden.py)

For each head a folder as transformers writes it, `golden.json` with a batch, its targets,
what the model gives for it, the loss of ten steps of AdamW (each before its step; the
learning rate, decay and what is not decayed as in `train`), and `gradients.safetensors`
with the gradient of every parameter at the first. Losses are those of transformers'
heads and of sentence-transformers' classes. Texts are read one by one, for a batch here
has no padding, and weigh what they weigh in transformers' mean. Without dropout.
Written with torch 2, transformers 5.23, sentence-transformers 6.2, peft 0.21.
"""

import json
import os
import shutil

import torch
from peft import LoraConfig, TaskType, get_peft_model
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer, losses
from transformers import (
    BertConfig, BertForQuestionAnswering, BertForSequenceClassification, BertForTokenClassification,
    BertModel, PreTrainedTokenizerFast, RobertaConfig, RobertaForSequenceClassification,
    RobertaForTokenClassification,
)

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPE = dict(hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
             hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
BERT = PreTrainedTokenizerFast.from_pretrained(os.path.join(HERE, "bert"))
ROBERTA = PreTrainedTokenizerFast.from_pretrained(os.path.join(HERE, "roberta"))
RATE, DECAY, STEPS = 2e-3, 0.01, 10
TEXTS = ["the cat sat on the mat", "Where did the dog sit?", "unknownword, dogs; cats!", "ten mats"]
PASSAGES = ["the cat sat on the mat", "dogs sit on ten mats", "one two three four five six", "a dog!"]


def config(kind, **more):
    tokens = BERT if kind is BertConfig else ROBERTA
    roberta = {} if kind is BertConfig else dict(type_vocab_size=1, pad_token_id=1)
    return kind(vocab_size=len(tokens), max_position_embeddings=32, **SHAPE, **roberta, **more)


def shaken(model):
    """Moves every parameter, so that no norm is the identity and no bias zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    return model.train()


def names(count):
    return dict(id2label={i: f"kind {i}" for i in range(count)}, label2id={f"kind {i}": i for i in range(count)})


def rounded(tensor):
    return [float(f"{x:.7g}") for x in tensor.detach().flatten().tolist()]


def read(tokens, text, pair=None, **more):
    found = tokens(text, pair, return_tensors="pt", **more)
    if tokens is ROBERTA:
        found.pop("token_type_ids", None)
    return found


def together(batch):
    return dict(
        ids=[i for one in batch for i in one["input_ids"][0].tolist()],
        segments=[i for one in batch for i in one.get("token_type_ids", torch.zeros_like(one["input_ids"]))[0].tolist()],
        lengths=[one["input_ids"].shape[1] for one in batch],
    )


def make(name, model, tokens, batch, step, about, network=None, adapter=None):
    """Keeps `model` and how `network` (it, or what is around it) is trained by `step`, which
    returns the loss and what the model gave."""
    folder = os.path.join(HERE, "heads", name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    if adapter is None:
        model.save_pretrained(folder)
        tokens.save_pretrained(folder)
        for extra in set(os.listdir(folder)) - {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}:
            os.remove(os.path.join(folder, extra))
    network = network or model
    trained = {n: p for n, p in network.named_parameters() if p.requires_grad}
    if adapter is not None:
        start = {n: p.detach().clone() for n, p in trained.items()}
        save_file(start, os.path.join(folder, "start.safetensors"))
    bare = [p for n, p in trained.items() if n.endswith(".bias") or "LayerNorm" in n]
    heavy = [p for n, p in trained.items() if not (n.endswith(".bias") or "LayerNorm" in n)]
    optimizer = torch.optim.AdamW(
        [dict(params=heavy, weight_decay=DECAY), dict(params=bare, weight_decay=0.0)], lr=RATE, eps=1e-8)
    found = []
    for number in range(STEPS):
        optimizer.zero_grad()
        loss, given = step(network)
        loss.backward()
        if number == 0:
            outputs = [rounded(one) for one in given]
            save_file({n: p.grad.clone() for n, p in trained.items() if p.grad is not None},
                      os.path.join(folder, "gradients.safetensors"))
        found.append(float(f"{loss.item():.8g}"))
        optimizer.step()
    golden = dict(**together(batch), **about, outputs=outputs, losses=found, rate=RATE, decay=DECAY)
    with open(os.path.join(folder, "golden.json"), "w") as file:
        json.dump(golden, file)


def mean_of(batch, targets):
    """A text's part of the mean is its own loss."""
    def step(model):
        outputs = [model(**one, labels=torch.tensor([target])) for one, target in zip(batch, targets)]
        return sum(out.loss for out in outputs) / len(outputs), [out.logits for out in outputs]
    return step


def classes(name, model, tokens, **more):
    batch = [read(tokens, text) for text in TEXTS]
    targets = [2, 0, 4, 2]
    make(name, model, tokens, batch, mean_of(batch, targets), dict(texts=TEXTS, targets=targets), **more)


def tags(name, model, tokens):
    words = [["the", "unknownword", "sat"], ["one", "dogs", "?", "mats"], ["ten"]]
    kinds = [[0, 1, 2], [0, 3, 0, 4], [1]]
    batch, targets = [], []
    for text, kind in zip(words, kinds):
        one = tokens(text, is_split_into_words=True, return_tensors="pt")
        target, before = [], None
        for word in one.word_ids(0):
            target.append(-100 if word is None or word == before else kind[word])
            before = word
        one = {key: value for key, value in one.items() if key != "token_type_ids" or tokens is BERT}
        batch.append(one)
        targets.append(target)
    counted = [sum(t != -100 for t in target) for target in targets]
    def step(model):
        outputs = [model(**one, labels=torch.tensor([target])) for one, target in zip(batch, targets)]
        loss = sum(out.loss * count for out, count in zip(outputs, counted)) / sum(counted)
        return loss, [out.logits for out in outputs]
    make(name, model, tokens, batch, step, dict(words=words, targets=[t for target in targets for t in target]))


def spans():
    batch = [read(BERT, question, passage) for question, passage in zip(TEXTS, PASSAGES)]
    targets = [[8, 9], [0, 0], [11, 14], [5, 5]]
    def step(model):
        outputs = [model(**one, start_positions=torch.tensor([start]), end_positions=torch.tensor([end]))
                   for one, (start, end) in zip(batch, targets)]
        given = [torch.stack([out.start_logits[0], out.end_logits[0]], 1) for out in outputs]
        return sum(out.loss for out in outputs) / len(outputs), given
    model = shaken(BertForQuestionAnswering(config(BertConfig)))
    answers = []
    with torch.no_grad():
        for question, passage in zip(TEXTS, PASSAGES):
            one = read(BERT, question, passage, return_offsets_mapping=True)
            places, sequence = one.pop("offset_mapping")[0].tolist(), one.sequence_ids(0)
            out = model(**one)
            first, last = out.start_logits[0].tolist(), out.end_logits[0].tolist()
            score, at, to = max((first[a] + last[b], -a, -b) for a in range(len(places)) for b in range(a, len(places))
                                if sequence[a] == 1 and sequence[b] == 1)
            answers.append(dict(bytes=[places[-at][0], places[-to][1]], score=score, none=first[0] + last[0]))
    make("bert-span", model, BERT, batch, step,
         dict(questions=TEXTS, passages=PASSAGES, targets=targets, answers=answers))


def scores():
    batch = [read(BERT, question, passage) for question, passage in zip(TEXTS, PASSAGES)]
    targets = [1.0, 0.0, 0.25, 1.0]
    def step(model):
        logits = torch.cat([model(**one).logits[:, 0] for one in batch])
        loss = torch.nn.BCEWithLogitsLoss()(logits, torch.tensor(targets))
        return loss, [logits]
    model = shaken(BertForSequenceClassification(config(BertConfig, num_labels=1)))
    make("bert-score", model, BERT, batch, step, dict(questions=TEXTS, passages=PASSAGES, targets=targets))


def contrast(name, pooling):
    anchors, positives, negatives = TEXTS, PASSAGES, ["four five", "the dog", "six seven cats", "nine"]
    batch = [read(BERT, text) for text in anchors + positives + negatives]
    loss_of = losses.MultipleNegativesRankingLoss(SentenceTransformer(modules=[torch.nn.Identity()], device="cpu"), scale=20.0)
    def step(model):
        hidden = [model(**one).last_hidden_state[0] for one in batch]
        pooled = torch.stack([one[0] if pooling == "cls" else one.mean(0) for one in hidden])
        pooled = torch.nn.functional.normalize(pooled)
        parts = [pooled[0:4], pooled[4:8], pooled[8:12]]
        return loss_of.compute_loss_from_embeddings(parts, None), [pooled]
    model = shaken(BertModel(config(BertConfig), add_pooling_layer=False))
    make(name, model, BERT, batch, step, dict(texts=anchors + positives + negatives, anchors=4, scale=20.0, pooling=pooling))


def lora():
    folder = os.path.join(HERE, "heads", "bert-classes")
    model = BertForSequenceClassification.from_pretrained(folder)
    settings = LoraConfig(task_type=TaskType.SEQ_CLS, r=3, lora_alpha=6, target_modules=["query", "value", "output.dense"],
                          lora_dropout=0.0)
    network = get_peft_model(model, settings).train()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn_like(parameter) * 0.2)
    classes("bert-classes-lora", None, BERT, network=network, adapter=settings)


def windows():
    """How transformers cuts a long passage behind a question, and many words."""
    passage = "the cat sat on the mat. dogs sit on ten mats! unknownword, one two three four five six seven eight nine ten"
    cut = dict(truncation="only_second", max_length=24, return_overflowing_tokens=True, return_offsets_mapping=True)
    found = BERT(TEXTS[1], passage, stride=4, **cut)
    places = [[place if text == 1 else None for place, text in zip(found["offset_mapping"][i], found.sequence_ids(i))]
              for i in range(len(found["input_ids"]))]
    words = passage.split()
    split = BERT(words, is_split_into_words=True, truncation=True, max_length=24, stride=3, return_overflowing_tokens=True)
    kept = dict(question=TEXTS[1], passage=passage, ids=found["input_ids"], segments=found["token_type_ids"], places=places,
                words=words, word_ids=split["input_ids"],
                word_numbers=[split.word_ids(i) for i in range(len(split["input_ids"]))])
    with open(os.path.join(HERE, "heads", "windows.json"), "w") as file:
        json.dump(kept, file)


torch.manual_seed(11)
several = dict(problem_type="multi_label_classification")
classes("bert-classes", shaken(BertForSequenceClassification(config(BertConfig, num_labels=5, **names(5)))), BERT)
classes("roberta-classes", shaken(RobertaForSequenceClassification(config(RobertaConfig, num_labels=5, **names(5), hidden_act="gelu_new"))), ROBERTA)
model = shaken(BertForSequenceClassification(config(BertConfig, num_labels=3, **names(3), **several)))
batch = [read(BERT, text) for text in TEXTS]
targets = [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
make("bert-labels", model, BERT, batch, mean_of(batch, targets), dict(texts=TEXTS, targets=targets))
tags("bert-tags", shaken(BertForTokenClassification(config(BertConfig, num_labels=5, **names(5)))), BERT)
tags("roberta-tags", shaken(RobertaForTokenClassification(config(RobertaConfig, num_labels=5, **names(5)))), ROBERTA)
spans()
windows()
scores()
contrast("bert-contrast", "mean")
contrast("bert-contrast-first", "cls")
lora()
