"""Make results/report.html of what is there already, also while things run; say what is missing.

All arguments go to Snakemake, for example: so_far.py --configfile configs/smoke.yaml
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine.so_far import SoFar
from engine.words import verdicts
from scripts import figure, report, summarize
from ssl_collapse.config.paths import FIGURE_FILES, INSIDE, fill
from ssl_collapse.runtime.command_line import report_command


def main(arguments: list[str]) -> int:
    """Make the report; returns 0 also where something is missing."""
    plan = verdicts(arguments)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--directory", "-d", default=".")
    os.chdir(parser.parse_known_args(arguments)[0].directory)
    print(make(SoFar(plan)))
    return 0


def make(so_far: SoFar) -> str:
    """Make the report of what is current, below `so-far` what it needs; returns what to say."""
    page = so_far.page
    if so_far.complete:
        return f"{page}: all of it is there"
    missing = list(so_far.missing)
    table = so_far.root / INSIDE.summary
    if not so_far.has_summary:
        table = so_far.folder / table.name
        table.unlink(missing_ok=True)
        if so_far.rows:
            spec = so_far.summary_spec()
            summarize.main(argparse.Namespace(spec=spec, results=so_far.root, output=table))
    pictures = []
    for name in so_far.figures:
        picture, reason = _picture(so_far, name, table)
        pictures.append(picture)
        missing += [f"figure {name}: {reason}"] if reason else []
    report.main(
        argparse.Namespace(
            spec=so_far.report_spec,
            summary=table,
            figures=pictures,
            datasets=so_far.datasets,
            results=so_far.root,
            output=page,
            partial=True,
        )
    )
    # It is not what the workflow will make: the next run is to make it.
    page.with_name(f"{page.name}.provenance.json").unlink(missing_ok=True)
    return "\n".join([f"{page}: made from what is there; missing:", *(f"  {m}" for m in missing)])


def _picture(so_far: SoFar, name: str, table: Path) -> tuple[Path, str | None]:
    """Where a figure lies, drawn if need be, and why there is none."""
    drawn = name in so_far.drawn
    folder = so_far.root if drawn else so_far.folder
    files = {kind: folder / fill(INSIDE.figure, figure=name, kind=kind) for kind in FIGURE_FILES}
    path = files["png"]
    if drawn:
        return path, None
    for file in files.values():
        file.unlink(missing_ok=True)
    spec = so_far.figure_spec(name)
    if spec is None:
        return path, "none of its runs is measured"
    try:
        figure.main(
            argparse.Namespace(
                name=name,
                spec=spec,
                summary=table,
                results=so_far.root,
                output_pdf=files["pdf"],
                output_png=files["png"],
                output_csv=files["csv"],
                caption=files["txt"],
            )
        )
    except Exception as error:  # few runs, in states that no figure is made for
        return path, str(error)
    return path, None


if __name__ == "__main__":
    sys.exit(report_command(__doc__, main))
