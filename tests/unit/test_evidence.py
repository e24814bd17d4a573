"""The five claims are judged on paired seeds, as docs/EVIDENCE.md says."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "evidence.py"
RUNS = {"iid": 0.80, "share-5": 0.70, "current": 0.80, "hybrid": 0.90, "width-4": 0.60}


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """What is said of a table with four seeds, which move all runs alike, and little noise."""
    folder = tmp_path_factory.mktemp("evidence")
    rng, rows = np.random.default_rng(0), []
    for seed in (100, 101, 102, 103):
        for run, auc in RUNS.items():
            auc += 0.5 * (seed - 100) + 0.001 * rng.standard_normal()
            loss = rng.standard_normal()
            exact = {"auc": auc, "loss": loss, "knn_cosine_k20": 2 - auc + 0.1 * loss}
            rows.append({"run": run, "seed": seed, "final": True, **exact})
    rows.append({"run": "iid", "seed": 100, "final": False, "auc": 9.0})  # an earlier epoch
    pd.DataFrame(rows).to_csv(folder / "summary.csv", index=False)
    command = [sys.executable, SCRIPT, folder / "summary.csv", "--csv", folder / "claims.csv"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 9  # two lines of head, six differences, the forecast
    return pd.read_csv(folder / "claims.csv")


def test_seeds_are_paired(claims: pd.DataFrame):
    first = claims.iloc[0]  # iid minus 5 %: 0.1, though the seeds lie 0.5 apart
    assert first["mean"] == pytest.approx(0.1, abs=0.002)
    # seven are judged: t(1 - 0.05 / 7 / 2, 3) = 6.5; without pairing about 3
    assert first["high"] - first["low"] < 0.03
    assert first["verdict"] == "shows"


def test_directions_and_ties(claims: pd.DataFrame):
    words = claims.set_index("words")["verdict"]
    assert words["2. a wider network collapses less"] == "opposite"  # 0.80 against 0.60
    assert words["3. a single pass collapses less"] == "undecided"  # alike


def test_the_forecast_leaves_the_run_out(claims: pd.DataFrame):
    forecast = claims.iloc[-1]
    assert forecast["mean"] == pytest.approx(1.0)  # accuracy is a plane in AUC and loss
    assert (forecast["n"], forecast["verdict"]) == (5, "shows")


@pytest.mark.parametrize(
    ("table", "seeds", "level", "said"),
    [
        ("more-steps", range(200, 208), 0.975, "+.017 | [-.003, +.036]"),
        ("more-steps", range(300, 316), 0.975, "+.0187 | [+.00934, +.02805]"),
        ("more-data", range(400, 440), 1 - 0.05 / 3, "+.0252 | [+.0191, +.0313]"),
    ],
)
def test_the_looks_at_more_data_are_told_as_their_tables_have_them(table, seeds, level, said):
    docs = SCRIPT.parents[1] / "docs"
    rows = pd.read_csv(docs / f"evidence/{table}.csv").pivot(
        index="seed", columns="run", values="auc"
    )
    apart = (rows["iid"] - rows["share-5"])[list(seeds)]
    half = stats.t.ppf((1 + level) / 2, len(apart) - 1) * apart.std() / len(apart) ** 0.5
    numbers = [float(number) for number in re.findall(r"[+-]\.\d+", said)]
    digits = [len(number) - 2 for number in re.findall(r"[+-]\.\d+", said)]
    found = [apart.mean(), apart.mean() - half, apart.mean() + half]
    assert [round(x, d) for x, d in zip(found, digits, strict=True)] == numbers
    assert f"| {said} |" in (docs / "EVIDENCE.md").read_text("utf-8")
