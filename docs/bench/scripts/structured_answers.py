"""Judges what a decoder wrote for SNIPS (JSON) or for E2E (text).

    groundtune data convert dev.jsonl --to completion > gold.jsonl
    python -c "import json; [print(json.loads(l)['prompt']) for l in open('gold.jsonl')]" > prompts.txt
    sed 's/$/\\n/' …                          # a prompt is asked as it was taught: with a line's end
    groundtune generate --model RUN --file prompts.txt --lines --json > written.jsonl
    python structured_answers.py json gold.jsonl written.jsonl
    python structured_answers.py text gold.jsonl written.jsonl   (sacrebleu, rouge-score)

JSON: how many are valid JSON, have an intent and slots that exist in the gold set, have the
right intent, and are the gold object exactly; F1 of slots with their values (micro). Text:
references of the same meaning count together; BLEU by sacrebleu (13a), ROUGE-L (F, the best
reference), as the E2E challenge has them but for its tokenisation.
"""

import json
import sys
from collections import defaultdict


def lines(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


def flat(slots):
    pairs = []
    for slot, value in slots.items():
        for one in value if isinstance(value, list) else [value]:
            pairs.append((slot, str(one)))
    return pairs


def as_json(gold, written):
    expected = [json.loads(example["completion"]) for example in gold]
    intents = {it["intent"] for it in expected}
    slots = {slot for it in expected for slot in it["slots"]}
    valid = known = intent = exact = hits = said = wanted = 0
    for expect, text in zip(expected, written):
        wanted += len(flat(expect["slots"]))
        try:
            found = json.loads(text)
        except ValueError:
            continue
        valid += 1
        if not isinstance(found, dict) or not isinstance(found.get("slots"), dict):
            continue
        known += found.get("intent") in intents and set(found["slots"]) <= slots
        intent += found.get("intent") == expect["intent"]
        exact += found == expect
        pairs, gold_pairs = flat(found["slots"]), flat(expect["slots"])
        said += len(pairs)
        for pair in pairs:
            if pair in gold_pairs:
                gold_pairs.remove(pair)
                hits += 1
    count = len(gold)
    for name, number in [
        ("valid JSON", valid),
        ("known intent and slots", known),
        ("intent", intent),
        ("exact", exact),
    ]:
        print(f"{name:<24}{number / count:.4f}  ({number} of {count})")
    print(f"{'slot F1':<24}{2 * hits / max(said + wanted, 1):.4f}")


def as_text(gold, written):
    import sacrebleu
    from rouge_score import rouge_scorer

    references, first = defaultdict(list), {}
    for example, text in zip(gold, written):
        references[example["prompt"]].append(example["completion"])
        first.setdefault(example["prompt"], text)
    prompts = list(first)
    most = max(len(it) for it in references.values())
    columns = [
        [references[prompt][at] if at < len(references[prompt]) else None for prompt in prompts]
        for at in range(most)
    ]
    bleu = sacrebleu.corpus_bleu([first[it] for it in prompts], columns)
    scorer = rouge_scorer.RougeScorer(["rougeL"])
    rouge = [
        max(scorer.score(reference, first[prompt])["rougeL"].fmeasure for reference in references[prompt])
        for prompt in prompts
    ]
    print(f"{len(prompts)} meanings, {len(gold)} references")
    print(f"BLEU    {bleu.score:.2f}")
    print(f"ROUGE-L {sum(rouge) / len(rouge):.4f}")


if __name__ == "__main__":
    kind, gold, written = sys.argv[1:]
    texts = [line.get("text", "") for line in lines(written)]
    {"json": as_json, "text": as_text}[kind](lines(gold), texts)
