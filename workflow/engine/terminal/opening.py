"""The first line of a run: the plan, and how long it will take."""

from collections.abc import Callable, Mapping
from pathlib import Path

from engine.terminal.course import in_words
from ssl_collapse.plan.duration import duration
from ssl_collapse.plan.specs import Plan


def opening(
    plan: Plan, results: Path, parallel: int, gpus: int
) -> Callable[[Mapping[str, int]], str]:
    """What tells a plan in one line, given the number of its jobs by rule."""

    def line(jobs: Mapping[str, int]) -> str:
        trainings = jobs.get("pretrain", 0)
        what = f"{sum(jobs.values())} jobs"
        if trainings:
            what += f", {trainings} training{'s' if trainings > 1 else ''}"
        return f"plan: {what}; {_time(duration(plan, jobs, results, parallel, gpus), parallel)}"

    return line


def _time(expected: tuple[float, bool] | None, parallel: int) -> str:
    if expected is None:
        return "how long is not known before the images are counted"
    seconds, known = expected
    guess = "a first guess; `make estimate` measures"
    ground = "at the speed of earlier trainings" if known else guess
    time = in_words(_rounded(seconds)).removesuffix(" 00 s")
    return f"about {time}, {parallel} at once ({ground})"


def _rounded(seconds: float) -> float:
    """To what an estimate can promise: 10 s, a minute, 10 minutes, an hour."""
    for above, step in ((86400, 3600), (7200, 600), (120, 60)):
        if seconds >= above:
            return round(seconds / step) * step
    return max(round(seconds / 10) * 10, 10)
