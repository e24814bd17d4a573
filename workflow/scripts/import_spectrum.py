"""Take over a user's own spectrum, as a run's only epoch, and measure it.

example:
  import_spectrum.py --spec @spec.json --file singular_values.npy --spectrum spectrum.csv \\
      --json collapse.json
"""

import argparse
import json
from pathlib import Path

from ssl_collapse.config.evaluation import CollapseSpec
from ssl_collapse.evaluation.collapse import spectrum_table
from ssl_collapse.evaluation.given_spectrum import measure_spectrum, read_spectrum
from ssl_collapse.provenance.job import run
from ssl_collapse.runtime.digests import require_planned
from ssl_collapse.runtime.files import json_text
from ssl_collapse.runtime.outputs import write_all


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--spec", required=True, help="JSON: digest of the file, CollapseSpec")
    p.add_argument("--file", required=True, type=Path, help="singular values in any form")
    p.add_argument("--spectrum", required=True, type=Path, help="spectrum.csv to write")
    p.add_argument("--json", required=True, type=Path, help="collapse.json to write")
    return p


def main(args: argparse.Namespace) -> None:
    """Write spectrum.csv and collapse.json with the measures that need the spectrum alone."""
    settings = json.loads(args.spec)
    planned = settings.pop("spectrum")
    collapse = measure_spectrum(
        *read_spectrum(args.file), CollapseSpec.from_spec(json.dumps(settings))
    )
    require_planned(args.file, planned)
    write_all({args.spectrum: spectrum_table(collapse), args.json: json_text(collapse.content)})


if __name__ == "__main__":
    run(parser(), main)
