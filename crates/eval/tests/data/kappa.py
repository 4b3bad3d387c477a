"""Expected values of `src/metric/agreement.rs`: scikit-learn's Cohen's kappa."""

import random

import sklearn
from sklearn.metrics import cohen_kappa_score

random.seed(5)
sets = [
    [(0, 0), (1, 1), (0, 1), (1, 1), (2, 0), (2, 2)],
    [(0, 1), (1, 0)],
    [(1, 1), (1, 0)],
    [(0, 2), (2, 2), (2, 2), (1, 2)],
    [(a, min(2, max(0, a + random.choice([0, 0, 0, 1, -1])))) for a in
     [random.randrange(3) for _ in range(23)]],
]
print("scikit-learn", sklearn.__version__)
for pairs in sets:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    observed = sum(a == b for a, b in pairs) / len(pairs)
    kappa = cohen_kappa_score(first, second, labels=[0, 1, 2])
    quadratic = cohen_kappa_score(first, second, labels=[0, 1, 2], weights="quadratic")
    print(f"        check(&{pairs}, {observed:.12f}, {kappa:.12f}, {quadratic:.12f});")
