"""Make the table of `docs/your-own-table.md`: members of a gym that there is not.

Run as `python scripts/make_gym_members.py > docs/examples/gym-members.csv`.
"""

import csv
import sys

import numpy as np

_MEMBERS = 600
_SEED = 7
_KINDS = (
    # share, visits a month, age, plan odds (basic, plus, premium), classes, months
    (0.35, 2, 46, (0.8, 0.15, 0.05), 0.3, 30),
    (0.40, 9, 33, (0.2, 0.6, 0.2), 2, 14),
    (0.25, 16, 27, (0.05, 0.25, 0.7), 6, 20),
)
_PLANS = ("Basic", "Plus", "Premium")
_FEES = {"Basic": 19.9, "Plus": 34.9, "Premium": 59.9}


def main() -> None:
    """Write the table to standard output."""
    random = np.random.default_rng(_SEED)
    writer = csv.writer(sys.stdout, delimiter=";", lineterminator="\n")
    writer.writerow(
        [
            *("member", "age", "plan", "visits per month", "classes", "member for months"),
            *("fee (EUR)", "branch", "newsletter", "cancelled"),
        ]
    )
    kinds = random.choice(len(_KINDS), _MEMBERS, p=[kind[0] for kind in _KINDS])
    for number, kind in enumerate(kinds.tolist(), 1):
        _, visits, age, odds, classes, months = _KINDS[kind]
        plan = str(random.choice(_PLANS, p=odds))
        branch = str(random.choice(["North", "South", "Harbour"], p=[0.5, 0.3, 0.2]))
        writer.writerow(
            [
                f"G-{number:05d}",
                "" if random.random() < 0.04 else int(np.clip(random.normal(age, 6), 16, 85)),
                plan,
                int(random.poisson(visits)),
                int(random.poisson(classes)),
                int(random.exponential(months)) + 1,
                f"{_FEES[plan] + random.choice([0.0, 5.0]):.2f}".replace(".", ","),
                "" if random.random() < 0.03 else branch,
                "yes" if random.random() < 0.6 else "no",
                "yes" if random.random() < (0.4, 0.1, 0.05)[kind] else "no",
            ]
        )


if __name__ == "__main__":
    main()
