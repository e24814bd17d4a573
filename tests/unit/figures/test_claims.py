"""What captions may say: a claim shows, goes the other way, or is undecided."""

import math
import re

import pandas as pd
import pytest

from ssl_collapse.figures.claims import (
    Verdict,
    hybrid_claim,
    judge,
    schedule_roles,
    share_claim,
    single_pass_claim,
)
from ssl_collapse.tables.columns import quantity
from ssl_collapse.tables.statistics import Interval

pytestmark = pytest.mark.usefixtures("two_seeds_are_enough")
AUC, ACCURACY = quantity("auc"), quantity("knn_cosine_k20")


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (Interval(0.2, 0.1, 0.3, 3), Verdict.SHOWS),
        (Interval(-0.2, -0.3, -0.1, 3), Verdict.OPPOSITE),
        (Interval(0.1, -0.1, 0.3, 3), Verdict.UNDECIDED),
        (Interval(0.2, 0.09, 0.31, 3), Verdict.UNSURE),  # 0.09 is less than half of 0.2
        (Interval(-0.2, -0.31, -0.09, 3), Verdict.UNSURE),
        (Interval(0.0, 0.0, 0.0, 3), Verdict.UNDECIDED),
        (Interval(0.2, math.nan, math.nan, 1), Verdict.NO_INTERVAL),
        (Interval(math.nan, math.nan, math.nan, 0), Verdict.NO_NUMBERS),
    ],
)
def test_a_claim_of_more_is_judged_by_where_zero_lies(
    difference: Interval, verdict: Verdict
) -> None:
    assert judge(difference, +1) is verdict


def test_claims_that_are_judged_together_are_judged_more_strictly(sweep) -> None:
    rows = sweep([0.70, 0.71], [0.80, 0.81])
    alone, of_five = share_claim(rows, AUC, +1), share_claim(rows, AUC, +1, claims=5)
    assert "per tenfold data, 4 runs" in alone
    assert "per tenfold data at 99 %, 4 runs" in of_five  # 1 - 0.05 / 5

    def width(sentence: str) -> float:
        low, high = re.search(r"\[(\S+), (\S+)\]", sentence).groups()
        return float(high) - float(low)

    # t(0.995, 2) / t(0.975, 2) = 9.925 / 4.303, and three digits are printed
    assert width(of_five) / width(alone) == pytest.approx(9.925 / 4.303, rel=0.1)


@pytest.fixture
def sweep(run_rows):
    def build(at_1, at_100, **columns):
        runs = [("s1", 1.0, at_1), ("s100", 100.0, at_100)]
        parts = [
            run_rows(run, share=share, auc=auc, label=run, **columns) for run, share, auc in runs
        ]
        return pd.concat(parts, ignore_index=True)

    return build


def test_share_claim_names_an_extreme_between_the_ends(sweep, run_rows) -> None:
    middle = run_rows("s10", share=10.0, auc=[0.90, 0.92])
    rows = pd.concat([sweep([0.70, 0.71], [0.80, 0.81]), middle])
    sentence = share_claim(rows, AUC, +1)
    assert "0.805 at 100 % of the data, highest 0.910 at 10 %)" in sentence


@pytest.mark.parametrize(
    ("at_1", "at_100", "says"),
    [
        # 0.1 over two tenfolds
        ([0.70, 0.71], [0.80, 0.81], "that more data raises it shows at this scale .*[+]0.050.*"
         "mean 0.705 at 1 % and 0.805 at 100 % of the data"),
        ([0.80, 0.81], [0.70, 0.71], "does not show at this scale: the numbers go the other way"),
        ([0.70, 0.80], [0.71, 0.81], "is undecided: the interval of the slope includes zero"),
        ([0.7], [0.8], "without two seeds that differ there is no interval"),
        ([0.70, 0.71], [math.nan] * 2,
         "cannot be judged: numbers of fewer than two shares are there"),
    ],
)  # fmt: skip
def test_share_claim(sweep, at_1: list[float], at_100: list[float], says: str) -> None:
    assert re.search(says, share_claim(sweep(at_1, at_100), AUC, +1))


def test_share_claim_without_numbers_at_a_share_cannot_be_judged(sweep, run_rows) -> None:
    middle = run_rows("s10", share=10.0, auc=[math.nan, math.nan])
    sentence = share_claim(pd.concat([sweep([0.70, 0.71], [0.80, 0.81]), middle]), AUC, +1)
    assert "cannot be judged: numbers are missing at 10 % of the data (" in sentence


def test_share_claim_is_not_judged_when_the_steps_differ(sweep) -> None:
    rows = sweep([0.70, 0.71], [0.80, 0.81])
    rows.loc[rows["run"] == "s1", "steps"] = 3
    sentence = share_claim(rows, AUC, +1)
    assert "fixed number of training steps" in sentence and "not judged" in sentence
    assert "shows" not in sentence


def test_share_claim_without_a_direction_only_tells_the_slope(sweep) -> None:
    sentence = share_claim(sweep([0.70, 0.71], [0.80, 0.81]), AUC, 0)
    assert "slope +0.050" in sentence and "claim" not in sentence


@pytest.fixture
def schedules(run_rows):
    def build(iid, single, hybrid):
        common = {"start_epoch": 8, "start_run": "single"}
        parts = [
            run_rows("iid", auc=iid, knn_cosine_k20=iid, label="iid"),
            run_rows("single", auc=single, knn_cosine_k20=single, schedule="current", label="one"),
            run_rows("hybrid", auc=hybrid, knn_cosine_k20=hybrid, label="hybrid", **common),
        ]
        return pd.concat(parts, ignore_index=True)

    return build


LOW, MIDDLE, HIGH, WIDE = [0.30, 0.31], [0.50, 0.51], [0.70, 0.71], [0.3, 0.9]


def test_roles_come_from_the_schedules(schedules) -> None:
    rows = schedules(LOW, MIDDLE, HIGH)
    roles = {"hybrid": "hybrid", "single pass": "single", "multi-epoch": "iid"}
    assert schedule_roles(rows) == roles


def test_a_role_with_two_candidates_is_left_open(schedules, run_rows) -> None:
    rows = pd.concat([schedules(LOW, MIDDLE, HIGH), run_rows("wide", label="wide")])
    assert "multi-epoch" not in schedule_roles(rows)
    assert single_pass_claim(rows, AUC) == ""


@pytest.mark.parametrize(
    ("iid", "single", "says"),
    [
        (MIDDLE, LOW, "shows at this scale (one minus iid: -0.200"),
        (LOW, MIDDLE, "the numbers go the other way"),
        (MIDDLE, WIDE, "is undecided"),
    ],
)
def test_single_pass_collapses_less(schedules, iid, single, says: str) -> None:
    assert says in single_pass_claim(schedules(iid, single, hybrid=LOW), AUC)


def test_hybrid_must_beat_both(schedules) -> None:
    assert "beats both shows" in hybrid_claim(schedules(LOW, MIDDLE, HIGH), ACCURACY)
    assert "beats both does not show" in hybrid_claim(schedules(LOW, HIGH, MIDDLE), ACCURACY)
    assert "beats both is undecided" in hybrid_claim(schedules(LOW, WIDE, HIGH), ACCURACY)


def test_claims_on_a_run_without_numbers_cannot_be_judged(schedules) -> None:
    gone = [math.nan, math.nan]
    text = "cannot be judged: numbers are missing"
    assert text in hybrid_claim(schedules(LOW, gone, HIGH), ACCURACY)
    assert text in single_pass_claim(schedules(LOW, gone, HIGH), AUC)
