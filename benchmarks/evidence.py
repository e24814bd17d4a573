"""Judge the paper's five claims on the table of a finished experiment (docs/EVIDENCE.md).

Differences are paired: each seed's run against the same seed's other run. Their mean has a t
interval over seeds, made wider for the number of claims judged (Bonferroni), and shows something
only where its near end is at least half of its size. The forecast's interval is that of its figure.

    python benchmarks/evidence.py results/tables/summary.csv [--csv claims.csv]
"""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ssl_collapse.figures.claims import FEWEST, judge, level
from ssl_collapse.figures.forecast import LEAST_RUNS, leave_one_run_out, r2_interval, r_squared
from ssl_collapse.tables.statistics import Interval, t_interval

ACCURACY = "knn_cosine_k20"


@dataclass(frozen=True)
class Claim:
    """That a column is higher (+1) or lower (-1) in one run than in another."""

    words: str
    column: str
    run: str
    other: str
    direction: int


CLAIMS = (
    Claim("1. more data collapses more", "auc", "iid", "share-5", +1),
    Claim("1. more data is less accurate", ACCURACY, "iid", "share-5", -1),
    Claim("2. a wider network collapses less", "auc", "iid", "width-4", -1),
    Claim("3. a single pass collapses less", "auc", "current", "iid", -1),
    Claim("4. the hybrid beats the single pass", ACCURACY, "hybrid", "current", +1),
    Claim("4. the hybrid beats many epochs", ACCURACY, "hybrid", "iid", +1),
)


def paired(rows: pd.DataFrame, claim: Claim, sure: float) -> Interval:
    """The interval of run minus other over the seeds that both have."""
    by_seed = rows.pivot_table(index="seed", columns="run", values=claim.column)
    return t_interval(by_seed[claim.run] - by_seed[claim.other], sure)


def verdict(difference: Interval, direction: int) -> str:
    """shows, opposite or undecided: see `figures.claims.judge`."""
    word = judge(difference, direction).name.lower()
    return word if word in ("shows", "opposite") else "undecided"


def judged(rows: pd.DataFrame, claims: tuple[Claim, ...] = CLAIMS) -> pd.DataFrame:
    """A row for each claim; rows: those of summary.csv at the last epochs."""
    sure = level(len(claims) + 1)  # and the forecast
    lines = []
    for claim in claims:
        difference = paired(rows, claim, sure)
        word = verdict(difference, claim.direction)
        lines.append({**asdict(claim), **asdict(difference), "verdict": word})
    return pd.DataFrame([*lines, forecast(rows)])


def forecast(rows: pd.DataFrame) -> dict[str, object]:
    """The claim on forecasts: R^2 of leaving one run out, with its 95 % interval over runs."""
    used = rows[np.isfinite(rows[["auc", "loss", ACCURACY]]).all(axis=1)]
    x, y = used[["auc", "loss"]].to_numpy(float), used[ACCURACY].to_numpy(float)
    run = used["run"].to_numpy()
    r2 = Interval(r_squared(y, leave_one_run_out(x, y, run)), *r2_interval(x, y, run), FEWEST)
    assert used["run"].nunique() >= LEAST_RUNS, f"a forecast needs {LEAST_RUNS} runs"
    head = {"words": "5. AUC and loss forecast accuracy", "column": "R^2", "direction": +1}
    return {**head, **asdict(r2), "n": used["run"].nunique(), "verdict": verdict(r2, +1)}


def markdown(table: pd.DataFrame) -> str:
    """The table for docs/EVIDENCE.md."""
    lines = ["| claim | column | difference | mean [interval] | n | verdict |", "|---" * 6 + "|"]
    for row in table.itertuples():
        pair = f"{row.run} - {row.other}" if isinstance(row.run, str) else ""
        interval = f"{row.mean:+.3f} [{row.low:+.3f}, {row.high:+.3f}]"
        cells = (row.words, row.column, pair, interval, row.n, row.verdict)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("summary", type=Path, help="tables/summary.csv of configs/evidence.yaml")
    parser.add_argument("--csv", type=Path, help="also write the table with all digits")
    args = parser.parse_args()
    summary = pd.read_csv(args.summary)
    found = judged(summary[summary["final"]])
    print(markdown(found))
    if args.csv:
        found.to_csv(args.csv, index=False, float_format="%.6f")
