"""Losses of DPO and ORPO and their derivatives by each answer's tokens, by PyTorch in f64.

DPO: Rafailov et al. 2023, equation 7, as `trl.DPOTrainer.dpo_loss` (sigmoid) has it.
ORPO: Hong, Lee and Thorne 2024, equations 6 and 7, as `trl.ORPOTrainer.odds_ratio_loss`, with
the answer's own mean log-probability as the first part.

    python preference.py      # writes preference.json beside this file
"""

import json
import pathlib
import random

import torch
import torch.nn.functional as F

random.seed(4)
cases = []
for number in range(24):
    kind = "dpo" if number % 2 == 0 else "orpo"
    beta = random.choice([0.05, 0.1, 0.5])
    tokens = [random.randint(1, 12), random.randint(1, 12)]
    logp = [
        torch.tensor([-random.expovariate(0.7) for _ in range(n)], dtype=torch.float64, requires_grad=True)
        for n in tokens
    ]
    before = [-random.uniform(1, 30), -random.uniform(1, 30)]
    chosen, rejected = (it.sum() for it in logp)
    if kind == "dpo":
        loss = -F.logsigmoid(beta * ((chosen - before[0]) - (rejected - before[1])))
    else:
        c, r = logp[0].mean(), logp[1].mean()
        odds = (c - r) - (torch.log1p(-torch.exp(c)) - torch.log1p(-torch.exp(r)))
        loss = -c - beta * F.logsigmoid(odds)
    loss.backward()
    cases.append(
        dict(
            kind=kind,
            beta=beta,
            chosen=[chosen.item(), tokens[0]],
            rejected=[rejected.item(), tokens[1]],
            before=before if kind == "dpo" else [0.0, 0.0],
            loss=loss.item(),
            # The loss of a token is minus its log-probability.
            weights=[-it.grad[0].item() for it in logp],
        )
    )
path = pathlib.Path(__file__).with_name("preference.json")
path.write_text(json.dumps(cases, indent=1) + "\n")
