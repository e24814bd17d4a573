"""Write the report: one HTML page with verdicts, figures, the table of runs, and what was run.

example:
  report.py --spec @report.json --summary results/tables/summary.csv \\
      --figures results/figures/shares.png --output report.html
"""

import argparse
from pathlib import Path

from ssl_collapse.config.figures import ReportSpec
from ssl_collapse.config.paths import INSIDE, fill
from ssl_collapse.figures.inputs import read_summary
from ssl_collapse.figures.report import Sources, page
from ssl_collapse.figures.what_ran import WhatRan, times
from ssl_collapse.provenance.job import run
from ssl_collapse.provenance.made_from import environment, recipes, stages
from ssl_collapse.runtime.command_line import parsed
from ssl_collapse.runtime.files import write_text


def main(args: argparse.Namespace) -> None:
    """Write the page that `--spec` describes."""
    spec = parsed(ReportSpec.from_spec, args.spec)
    sources = Sources(args.summary, args.figures, args.datasets, args.results, args.output)
    write_text(args.output, page(spec, sources, what_ran(sources), args.partial))


def what_ran(sources: Sources) -> WhatRan:
    """What the results of the summary were made from; nothing where there is no summary yet."""
    if not sources.summary.exists():
        return WhatRan(environment=environment())
    rows = read_summary(sources.summary)[["run", "seed", "epoch"]]
    points = list(rows.itertuples(index=False))
    epochs, told = (
        [sources.results / fill(pattern, run=run, seed=k, epoch=e) for run, k, e in points]
        for pattern in (INSIDE.epoch, INSIDE.training)
    )
    trainings = [path for path in dict.fromkeys(told) if path.exists()]
    made = [path.parent for path in (sources.summary, *sources.datasets, *told)]
    measured, total = times(trainings)
    made_by = stages(dict.fromkeys([*made, *epochs]))
    return WhatRan(recipes(trainings), made_by, environment(), measured, total)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--spec", required=True, help="JSON: title, description, runs, accuracy")
    p.add_argument("--summary", required=True, type=Path, help="tables/summary.csv")
    p.add_argument(
        "--figures",
        nargs="*",
        default=[],
        type=Path,
        metavar="PNG",
        help="figures/NAME.png in the page's order; NAME.txt (caption) and NAME.csv lie beside",
    )
    p.add_argument(
        "--datasets", nargs="*", default=[], type=Path, metavar="JSON", help="dataset.json files"
    )
    p.add_argument(
        "--results", type=Path, default=Path("results"), help="folder that holds runs/RUN/seedK/"
    )
    p.add_argument(
        "--partial", action="store_true", help="make it of what is there, and say what is not"
    )
    p.add_argument("--output", required=True, type=Path, help="HTML file to write")
    return p


if __name__ == "__main__":
    run(parser(), main)
