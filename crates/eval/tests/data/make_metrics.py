"""Makes the expected values of the metrics' tests.

    python -m venv /tmp/eval
    /tmp/eval/bin/pip install sacrebleu==2.6.0 rouge-score==0.1.2 seqeval==1.2.2 \
        scikit-learn==1.9.1 scipy==1.17.1
    /tmp/eval/bin/python make_metrics.py

Texts are made from a seed and some by hand, so that no file is needed. Squad's functions are
those of `evaluate-v2.0.py`, ALCE's those of `eval.py`, written out here because they are no
package.
"""
import collections
import json
import random
import re
import string

from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF, TER
from seqeval.metrics import f1_score as entity_f1
from seqeval.metrics import precision_score as entity_precision
from seqeval.metrics import recall_score as entity_recall
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score, f1_score

RANDOM = random.Random(20240607)

WORDS = """anything bought from us may be returned within thirty days of delivery unless it was
opened the postage is free in every state but Alaska where it costs $8.95 a kettle holds 1.7
litres and boils in four minutes; don't leave it on! e.g. the lid (of steel) stays cool 7-9 hours
we repair toasters, mixers and ovens "for good" – até amanhã, naïve café 日本 語 Ω≈3 3,5 € 1,250.50
&amp; &lt;b&gt; x-ray state-of-the-art U.S.A. no. yes maybe _under_ [1] {a} ... ?!""".split()

SUFFIXES = """s es ies sses ss ed ing eed ied y ational tional enci anci izer bli abli alli entli
eli ousli ization ation ator alism iveness fulness ousness aliti iviti biliti fulli logi icate
ative alize iciti ical ful ness al ance ence er ic able ible ant ement ment ent ion sion tion ou
ism ate iti ous ive ize e ll lle at bl iz tted nned lling zzing ssed""".split()

STEMS = """a e tr pl fl sk agr fe conflat troubl siz hopp tann fall hiss fizz fail fil happ relat
condit ration valen hesit digit conform radic differ vil analog vietnam predic operat feud decis
hope callous formal sensit triplic form electr good reviv allow infer airlin gyroscop adjust defens
irrit replac depend adopt homolog commun activ angular effect bowdler prob rat ceas contr r enjo
sp die geo theo archaeo y yyy syzyg 12 x7 oa ou""".split()


def text(low, high):
    return " ".join(RANDOM.choice(WORDS) for _ in range(RANDOM.randint(low, high)))


def changed(line):
    """A line with words moved, left out, put in and changed."""
    words = line.split(" ")
    for _ in range(RANDOM.randint(0, 4)):
        what = RANDOM.randint(0, 4)
        at = RANDOM.randint(0, max(len(words) - 1, 0))
        if what == 0 and words:
            del words[at]
        elif what == 1:
            words.insert(at, RANDOM.choice(WORDS))
        elif what == 2 and words:
            words[at] = RANDOM.choice(WORDS)
        elif words:
            length = RANDOM.randint(1, 5)
            block, rest = words[at:at + length], words[:at] + words[at + length:]
            to = RANDOM.randint(0, len(rest))
            words = rest[:to] + block + rest[to:]
    return " ".join(words)


def pairs():
    out = []
    for _ in range(120):
        references = [text(1, 30) for _ in range(RANDOM.randint(1, 3))]
        out.append((changed(RANDOM.choice(references)), references))
    for _ in range(20):
        out.append((text(0, 12), [text(1, 12)]))
    # Long texts reach the limits of TER's search.
    for _ in range(6):
        reference = " ".join(RANDOM.choice("abcdefg") for _ in range(90))
        words = reference.split(" ")
        RANDOM.shuffle(words)
        out.append((" ".join(words), [reference]))
    long = text(120, 120)
    out.append((" ".join(long.split(" ")[60:] + long.split(" ")[:60]), [long]))
    out.append((text(150, 150), [text(3, 3)]))
    out.append((text(2, 2), [text(150, 150)]))
    out += [
        ("", ["a b"]), ("a b", [""]), ("", [""]), ("yes", ["yes"]), ("Yes.", ["yes", "no"]),
        ("line one\nline two -\nthree", ["line two\nline one\nthree lines"]),
        ("The the THE the", ["the cat the mat"]), ("a" * 50, ["a" * 40]),
        ("x <skipped> y &quot;z&quot;", ['x y "z"']),
        ("1,5.3-4 .5 5. a.b a,b 9-9-9 --", ["1,5.3 -4 .5 5 . a. b a ,b 9 -9-9 --"]),
    ]
    return out


# ---- SQuAD, evaluate-v2.0.py -------------------------------------------------------------
def normalize_answer(s):
    def remove_articles(text):
        return re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", text)

    def remove_punc(text):
        return "".join(ch for ch in text if ch not in set(string.punctuation))

    return " ".join(remove_articles(remove_punc(s.lower())).split())


def get_tokens(s):
    return normalize_answer(s).split() if s else []


def compute_exact(a_gold, a_pred):
    return int(normalize_answer(a_gold) == normalize_answer(a_pred))


def compute_f1(a_gold, a_pred):
    gold_toks, pred_toks = get_tokens(a_gold), get_tokens(a_pred)
    num_same = sum((collections.Counter(gold_toks) & collections.Counter(pred_toks)).values())
    if len(gold_toks) == 0 or len(pred_toks) == 0:
        return int(gold_toks == pred_toks)
    if num_same == 0:
        return 0
    precision, recall = num_same / len(pred_toks), num_same / len(gold_toks)
    return (2 * precision * recall) / (precision + recall)


def squad(prediction, answers):
    gold = [a for a in answers if normalize_answer(a)] or [""]
    return (
        max(compute_exact(a, prediction) for a in gold),
        max(compute_f1(a, prediction) for a in gold),
    )


# ---- ALCE, eval.py -----------------------------------------------------------------------
def str_em(prediction, answers):
    def has(short, context):
        return normalize_answer(short) in normalize_answer(context)

    return sum(has(a, prediction) for a in answers) / len(answers) if answers else 0.0


def generation(out):
    items = []
    data = pairs()
    bleus = {name: BLEU(tokenize=name) for name in ["13a", "intl", "char", "none"]}
    sentence = {name: BLEU(tokenize=name, effective_order=True) for name in bleus}
    chrf, chrfpp, ter = CHRF(), CHRF(word_order=2), TER()
    rouges = {
        stem: rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=stem)
        for stem in [False, True]
    }
    for prediction, references in data:
        item = {"prediction": prediction, "references": references, "expect": {}}
        expect = item["expect"]
        for name, metric in sentence.items():
            key = "bleu" if name == "13a" else f"bleu_{name}"
            expect[key] = metric.sentence_score(prediction, references).score
        expect["chrf"] = chrf.sentence_score(prediction, references).score
        expect["chrf++"] = chrfpp.sentence_score(prediction, references).score
        expect["ter"] = ter.sentence_score(prediction, references).score
        for stem, scorer in rouges.items():
            for name, score in scorer.score_multi(references, prediction).items():
                expect[name + ("_stem" if stem else "")] = score.fmeasure
        expect["exact_match"], expect["f1"] = squad(prediction, references)
        expect["contained"] = str_em(prediction, references)
        items.append(item)
    # All texts at once; those with fewer references have none in the others' place.
    most = max(len(references) for _, references in data)
    columns = [[r[i] if i < len(r) else None for _, r in data] for i in range(most)]
    said = [prediction for prediction, _ in data]
    corpus, signatures = {}, {}
    for name, metric in [
        ("bleu", bleus["13a"]), ("bleu_intl", bleus["intl"]), ("bleu_char", bleus["char"]),
        ("bleu_none", bleus["none"]), ("chrf", chrf), ("chrf++", chrfpp), ("ter", ter),
    ]:
        corpus[name] = metric.corpus_score(said, columns).score
        signatures[name] = str(metric.get_signature())
    for name in ["exact_match", "f1", "contained", "rouge1", "rouge2", "rougeL", "rougeLsum",
                 "rouge1_stem", "rouge2_stem", "rougeL_stem", "rougeLsum_stem"]:
        corpus[name] = sum(item["expect"][name] for item in items) / len(items)
    out.write(json.dumps({"corpus": corpus, "signatures": signatures}, ensure_ascii=False) + "\n")
    for item in items:
        out.write(json.dumps(item, ensure_ascii=False) + "\n")


def labels(out):
    names = ["card lost", "card late", "top up", "refund, fee", "Refund"]
    for case in range(6):
        size = [1, 7, 60, 60, 200, 200][case]
        gold = [RANDOM.choice(names[: 2 + case % 4]) for _ in range(size)]
        said = [g if RANDOM.random() < 0.6 else RANDOM.choice(names + ["made up"]) for g in gold]
        classes = sorted(set(gold))
        expect = {"accuracy": accuracy_score(gold, said)}
        for average in ["macro", "micro", "weighted"]:
            expect[f"{average}_f1"] = f1_score(
                gold, said, labels=classes, average=average, zero_division=0
            )
        out.write(json.dumps({"gold": gold, "said": said, "expect": expect}) + "\n")


def entities(out):
    tags = ["O", "O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-A-B", "I-A-B"]
    for case in range(12):
        sentences = RANDOM.randint(1, 12)
        gold = [[RANDOM.choice(tags) for _ in range(RANDOM.randint(1, 15))] for _ in range(sentences)]
        said = [[t if RANDOM.random() < 0.8 else RANDOM.choice(tags) for t in s] for s in gold]
        expect = {
            "entity_f1": entity_f1(gold, said, zero_division=0),
            "entity_f1_iob2": entity_f1(gold, said, mode="strict", scheme=IOB2, zero_division=0),
        }
        assert 0 <= entity_precision(gold, said, zero_division=0) <= 1
        assert 0 <= entity_recall(gold, said, zero_division=0) <= 1
        line = {
            "gold": [" ".join(s) for s in gold],
            "said": [" ".join(s) for s in said],
            "expect": expect,
        }
        out.write(json.dumps(line) + "\n")


def stems(out):
    stemmer = PorterStemmer()
    words = {stem + suffix for stem in STEMS for suffix in SUFFIXES}
    words |= {w for w in re.sub("[^a-z0-9]+", " ", " ".join(WORDS).lower()).split()}
    words |= {"sky", "skies", "dying", "news", "innings", "howe", "proceed", "succeed", "dies"}
    for word in sorted(words):
        if word.isascii():
            out.write(f"{word}\t{stemmer.stem(word)}\n")


if __name__ == "__main__":
    for name, make in [
        ("generation.jsonl", generation), ("labels.jsonl", labels),
        ("entities.jsonl", entities), ("porter.tsv", stems),
    ]:
        with open(name, "w", encoding="utf-8") as out:
            make(out)
