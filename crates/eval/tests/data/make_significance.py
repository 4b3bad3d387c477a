"""Makes the expected values of the statistics' tests; see make_metrics.py for the environment.

What is drawn differs between two generators, so figures that are drawn are compared within
what drawing makes of them; figures that follow from given draws are compared exactly.
"""
import json
import random

import numpy as np
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

RANDOM = random.Random(7)
WORDS = "anything bought may be returned within thirty days of delivery postage is free".split()


def noisy(line, rate):
    return " ".join(RANDOM.choice(WORDS) if RANDOM.random() < rate else w for w in line.split())


def significance():
    references = [" ".join(RANDOM.choice(WORDS) for _ in range(RANDOM.randint(6, 18))) for _ in range(80)]
    baseline = [noisy(line, 0.34) for line in references]
    systems = {"near": 0.32, "better": 0.27, "much better": 0.15}
    named = [("baseline", baseline)]
    named += [(name, [noisy(line, rate) for line in references]) for name, rate in systems.items()]
    out = {"references": references, "systems": {name: said for name, said in named}, "expect": {}}
    for kind in ["ar", "bs"]:
        test = PairedTest(
            named, {"BLEU": BLEU()}, [references], test_type=kind,
            n_samples=10000 if kind == "ar" else 4000, n_jobs=1,
        )
        _, scores = test()
        for (name, _), result in list(zip(named, scores["BLEU"]))[1:]:
            expect = out["expect"].setdefault(name, {"score": result.score})
            expect[f"{kind}_p"] = result.p_value
            if kind == "bs":
                expect["half_width"] = float(result.ci)
    return out


def intervals():
    values = np.array([RANDOM.gammavariate(1.5, 1.0) for _ in range(40)])
    drawn = stats.bootstrap(
        (values,), np.mean, n_resamples=999, method="BCa",
        rng=np.random.default_rng(3),
    )
    out = {
        "estimate": float(values.mean()),
        "distribution": sorted(drawn.bootstrap_distribution.tolist()),
        "left_out": [float(np.delete(values, i).mean()) for i in range(len(values))],
    }
    for method in ["BCa", "percentile"]:
        same = stats.bootstrap(
            (values,), np.mean, n_resamples=0, method=method, bootstrap_result=drawn
        ).confidence_interval
        out[method] = [float(same.low), float(same.high)]
    return out


if __name__ == "__main__":
    assert abs(cohen_kappa_score([0, 1, 0, 1, 2, 2], [0, 1, 1, 1, 0, 2]) - 0.5) < 1e-12
    with open("significance.json", "w", encoding="utf-8") as out:
        json.dump({"significance": significance(), "intervals": intervals()}, out)
        out.write("\n")
