"""What the paper claims (arXiv 2209.15007), and what the numbers allow to say about it."""

import math
import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import pandas as pd

from ssl_collapse.config.figures import Judging
from ssl_collapse.tables.columns import Quantity
from ssl_collapse.tables.statistics import LEVEL, Interval, log_slope, welch_difference

FEWEST = 4  # seeds: an effect that three had shown was gone on four fresh ones


def level(claims: int) -> float:
    """Of the interval of each of several comparisons that are judged together (Bonferroni): that
    none shows by chance is to be as sure as for a single one."""
    return 1 - (1 - LEVEL) / claims


def page_sentence(spec: Judging) -> str:
    """For how many comparisons the verdicts of a caption are corrected, if for more than one."""
    if not spec.claims or spec.claims == 1:
        return ""
    return (
        f"The figures of this page judge claims by {spec.claims} comparisons, so the interval of "
        f"each is at {100 * level(spec.claims):.3g} % (Bonferroni: 1 - 0.05 / {spec.claims})."
    )


class Verdict(Enum):
    """What an interval says of a claimed direction."""

    SHOWS = "shows at this scale"
    OPPOSITE = "does not show at this scale: the numbers go the other way"
    UNDECIDED = "is undecided: the interval of the difference includes zero"
    UNSURE = "is undecided: the interval of the difference reaches below half of its size"
    FEW_SEEDS = "is undecided: verdicts take at least four seeds of each run"
    NO_INTERVAL = "is undecided: without two seeds that differ there is no interval"
    NO_NUMBERS = "cannot be judged: numbers are missing"


def judge(difference: Interval, direction: int) -> Verdict:
    """Compare the sign of a difference with the claimed `direction` (+1 or -1).

    It counts only where the near end of its interval is at least half of its size, and where at
    least FEWEST seeds of each run stand behind it (`difference.n`).
    """
    if math.isnan(difference.mean):
        return Verdict.NO_NUMBERS
    if math.isnan(difference.low):
        return Verdict.NO_INTERVAL
    if difference.low <= 0 <= difference.high:
        return Verdict.UNDECIDED
    if difference.n < FEWEST:
        return Verdict.FEW_SEEDS
    if min(abs(difference.low), abs(difference.high)) < abs(difference.mean) / 2:
        return Verdict.UNSURE
    return Verdict.SHOWS if difference.mean * direction > 0 else Verdict.OPPOSITE


@dataclass(frozen=True)
class Told:
    """A claim as a caption tells it: of which quantity, what is claimed, what becomes of it."""

    about: str
    claim: str
    verdict: str
    numbers: str
    kind: str  # shows, opposite, undecided or unjudged


# The sentences below: "AUC: the claim that ... shows at this scale (numbers)."
_TOLD = re.compile(
    r"(?:(?<=\. )|(?<=^))(?P<about>(?:(?!\. ).)+?): the (?:paper's )?claim (?P<claim>that .+?) "
    r"(?P<verdict>(?P<kind>shows|does not show|is undecided|cannot be judged|is for a fixed)\b.*?)"
    r" \((?P<numbers>(?:[^()]|\([^()]*\))*)\)\.(?= |$)"
)
_KINDS = {"shows": "shows", "does not show": "opposite", "is undecided": "undecided"}


def told(paragraph: str) -> list[Told]:
    """The claims that a paragraph of a caption judges, or says why it does not."""
    return [
        Told(m["about"], m["claim"], m["verdict"], m["numbers"], _KINDS.get(m["kind"], "unjudged"))
        for m in _TOLD.finditer(paragraph)
    ]


def share_claim(rows: pd.DataFrame, shown: Quantity, direction: int, claims: int = 1) -> str:
    """One sentence: does more data move a quantity in the claimed direction, steps being fixed?

    rows: one per run and seed, columns `share`, `steps` and the quantity's. direction: +1 or -1,
    the paper's claim for a small model; 0 where it claims nothing (then only the slope is told).
    claims: how many are judged together.
    """
    sure = level(claims)
    slope = log_slope(rows["share"].tolist(), rows[shown.column].tolist(), sure)
    if math.isnan(slope.mean):
        return (
            f"{shown.name}: a trend with the share of data cannot be judged: numbers of fewer than "
            "two shares are there."
        )
    numbers = f"least-squares slope {shown.changes(slope)} per tenfold data{_sure(sure)}"
    numbers += f", {slope.n} runs; mean {_ends(rows, shown)}"
    if direction == 0:
        return f"{shown.name}: {numbers}."
    claim = f"that more data {'raises' if direction > 0 else 'lowers'} it"
    if rows["steps"].nunique(dropna=False) > 1 or rows["steps"].isna().any():
        differs = "which differs between these runs" if rows["steps"].any() else "not known here"
        return (
            f"{shown.name}: the paper's claim {claim} is for a fixed number of training steps, "
            f"{differs}, so it is not judged ({numbers})."
        )
    counts = rows.groupby("share")[shown.column].count()
    judged = judge(replace(slope, n=int(counts.min())), direction)
    verdict = judged.value.replace("the difference", "the slope")
    if (counts == 0).any():
        empty = " and ".join(f"{share:g} %" for share in counts.index[counts == 0])
        verdict = f"{Verdict.NO_NUMBERS.value} at {empty} of the data"
    return f"{shown.name}: the claim {claim} {verdict} ({numbers})."


def _ends(rows: pd.DataFrame, shown: Quantity) -> str:
    """The means at both ends, and an extreme between them that a straight line would hide."""
    means = rows.groupby("share")[shown.column].mean().dropna()
    first, last = means.index[0], means.index[-1]
    text = f"{_at(means, first, shown)} and {_at(means, last, shown)} of the data"
    for name, share in (("highest", means.idxmax()), ("lowest", means.idxmin())):
        if share not in (first, last):
            text += f", {name} {_at(means, share, shown)}"
    return text


def _at(means: "pd.Series[Any]", share: Any, shown: Quantity) -> str:
    return f"{shown.number(float(means[share]))} at {share:g} %"


def comparison(
    rows: pd.DataFrame, better: str, worse: str, shown: Quantity, direction: int, claims: int = 1
) -> tuple[Verdict, str]:
    """Welch difference of a quantity between two runs, judged, with the numbers as text.

    rows: one per run and seed, columns `run`, `label` and the quantity's. claims: how many are
    judged together.
    """
    a, b = (rows[rows["run"] == run] for run in (better, worse))
    sure = level(claims)
    difference = welch_difference(a[shown.column].tolist(), b[shown.column].tolist(), sure)
    names = f"{a['label'].iloc[0]} minus {b['label'].iloc[0]}"
    if math.isnan(difference.mean):
        return Verdict.NO_NUMBERS, f"{names}: not available"
    return judge(difference, direction), f"{names}: {shown.changes(difference)}{_sure(sure)}"


def _sure(sure: float) -> str:
    return "" if sure == LEVEL else f" at {100 * sure:.3g} %"


def comparison_claim(
    rows: pd.DataFrame,
    claim: str,
    runs: tuple[str, str],
    shown: tuple[Quantity, int],
    claims: int = 1,
) -> str:
    """One sentence: is the first of two runs as claimed (`shown`: quantity and direction)?"""
    verdict, numbers = comparison(rows, *runs, *shown, claims)
    return f"{shown[0].name}: the claim {claim} {verdict.value} ({numbers})."


def single_pass_claim(rows: pd.DataFrame, shown: Quantity, claims: int = 1) -> str:
    """One sentence: does single-pass training collapse less than multi-epoch training?"""
    claim = "that single-pass training collapses less than multi-epoch training"
    roles = schedule_roles(rows)
    if not shown.collapse or "single pass" not in roles or "multi-epoch" not in roles:
        return ""
    runs = (roles["single pass"], roles["multi-epoch"])
    return comparison_claim(rows, claim, runs, (shown, -shown.collapse), claims)


def hybrid_claim(rows: pd.DataFrame, accuracy: Quantity, claims: int = 1) -> str:
    """One sentence: is the hybrid more accurate than both of its parents' schedules?"""
    roles = schedule_roles(rows)
    if not {"hybrid", "single pass", "multi-epoch"} <= roles.keys():
        return ""
    results = [
        comparison(rows, roles["hybrid"], roles[other], accuracy, +1, claims)
        for other in ("single pass", "multi-epoch")
    ]
    verdicts = {verdict for verdict, _ in results}
    # Both halves must show; one that fails settles it.
    order = (
        *(Verdict.OPPOSITE, Verdict.NO_NUMBERS, Verdict.NO_INTERVAL),
        *(Verdict.UNDECIDED, Verdict.FEW_SEEDS, Verdict.UNSURE),
    )
    verdict = next((v for v in order if v in verdicts), Verdict.SHOWS)
    text = verdict.value.replace("interval of the difference", "interval of a difference")
    numbers = "; ".join(numbers for _, numbers in results)
    return f"{accuracy.name}: the claim that the hybrid beats both {text} ({numbers})."


def schedule_roles(rows: pd.DataFrame) -> dict[str, str]:
    """Which run plays the hybrid, the single pass and the multi-epoch run of the paper.

    A role that no run or more than one run could play is left out: the caption then judges nothing
    rather than choose.
    """
    runs = rows.drop_duplicates("run")
    started = runs["start_run"].notna()
    candidates = {
        "hybrid": runs[started],
        "single pass": runs[~started & (runs["schedule"] == "current")],
        "multi-epoch": runs[~started & (runs["schedule"] == "iid")],
    }
    return {
        role: str(found["run"].iloc[0]) for role, found in candidates.items() if len(found) == 1
    }
