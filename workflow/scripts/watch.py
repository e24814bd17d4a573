"""Serve the report at http://127.0.0.1:8000 while things run, and make it anew as they end.

Only to this machine, and nothing but the report with its figures and tables. Other arguments than
those below go to Snakemake, for example: watch.py --configfile configs/smoke.yaml
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine.watching import keep_current, serve
from engine.words import verdicts
from ssl_collapse.runtime.command_line import report_command

HELP = f"""{__doc__}
options:
  --port PORT        where to serve (8000)
  --every SECONDS    from one look at the results to the next (60)"""


def main(arguments: list[str]) -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--every", type=float, default=60)
    options, rest = parser.parse_known_args(arguments)
    (report,) = [job for job in verdicts(rest) if job.rule == "report"]
    parser.add_argument("--directory", "-d", default=".")
    folder = Path(parser.parse_known_args(arguments)[0].directory)
    page = folder / report.outputs[0]
    so_far = [sys.executable, str(Path(__file__).with_name("so_far.py")), *rest]
    with (
        keep_current(so_far, page.parent, options.every),
        serve(page, options.port, options.every) as server,
    ):
        print(f"http://127.0.0.1:{server.server_port} shows {page}; Ctrl-C ends it", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(report_command(HELP, main))
