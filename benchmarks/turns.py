"""What the comparisons share: cases in turn, ratios with their range, tables, the command line."""

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import TypeVar

Result = TypeVar("Result")


def in_turn(
    count: int, repeats: int, run: Callable[[int], Result], until: float = float("inf")
) -> list[list[Result]]:
    """The results of each of so many cases, by repeat.

    Every other time they run in reverse order, so that a machine which is busy for a while hits
    all of them; nothing is repeated after `until` (time.monotonic).
    """
    results: list[list[Result]] = [[] for _ in range(count)]
    for repeat in range(repeats):
        if repeat and time.monotonic() > until:
            break
        for i in range(count) if repeat % 2 == 0 else reversed(range(count)):
            results[i].append(run(i))
    return results


def ratio(above: Iterable[float], below: Iterable[float]) -> str:
    """The median of above / below with its range."""
    ratios = sorted(a / b for a, b in zip(above, below, strict=True))
    return f"**{median(ratios):.2f}** ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rule = ["---"] * len(header)
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *lines))


def options(description: str | None) -> argparse.ArgumentParser:
    """A command line with --quick, --only and --repeats."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one repeat")
    parser.add_argument("--only", default="", metavar="WORD", help="names that contain WORD")
    parser.add_argument("--repeats", type=int, metavar="N", help="default: 5")
    return parser
