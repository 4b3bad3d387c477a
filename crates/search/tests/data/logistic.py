"""Expected values of `src/route/logistic.rs`: scikit-learn's logistic regression."""

import numpy
import sklearn
from sklearn.linear_model import LogisticRegression

rows, labels, weights = [], [], []
for n in range(40):
    x = n * 7 % 11 / 5 - 1
    y = n * 3 % 13 / 6 - 1
    rows.append([x, y, n % 2])
    labels.append(2 * x - y + n % 3 - 1 > 0)
    weights.append([1.0, 0.5, 0.0, 2.0][n % 4])
print("scikit-learn", sklearn.__version__)
for c in [1.0, 0.1, 30.0]:
    found = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    found.fit(numpy.array(rows), labels, sample_weight=weights)
    w = ", ".join(f"{value:.10f}" for value in found.coef_[0])
    print(f"        check({c}, [{w}], {found.intercept_[0]:.10f});")
