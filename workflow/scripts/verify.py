"""Read everything again: images against the inventory, results against their sidecars."""

import argparse
import json
from pathlib import Path

from ssl_collapse.provenance.job import run
from ssl_collapse.provenance.survey import survey
from ssl_collapse.provenance.verify import damaged_results
from ssl_collapse.runtime.errors import UserError


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--folders", default="{}", help="JSON: dataset -> its folders of images")
    p.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
    return p


def main(args: argparse.Namespace) -> None:
    """Check, and list what is not as it was."""
    problems = []
    for name, folders in json.loads(args.folders).items():
        inventory = args.results / "data" / name
        if inventory.exists() and survey(folders, inventory, everything=True):
            problems.append(f"data/{name}: images have changed; the next run starts from them")
    problems += [f"{path}: {reason}; delete it" for path, reason in damaged_results(args.results)]
    if problems:
        raise UserError("not as recorded:\n  " + "\n  ".join(problems))
    print("all images and results are as recorded")


if __name__ == "__main__":
    run(parser(), main)
