"""Drop what the store holds and no current result links: earlier values, runs that were deleted.

What other results anywhere link (as hard links) stays, and what other users keep in the store.

example:
  prune.py --keep-days 30
  prune.py results ../other/results --store /lab/store
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ssl_collapse.provenance.prune import prune
from ssl_collapse.runtime.command_line import Help

MIB = 2**20  # bytes


def main() -> None:
    """Prune, and say what became of how much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument(
        "results",
        nargs="*",
        type=Path,
        default=[Path("results")],
        help="folders (default: results)",
    )
    parser.add_argument("--store", type=Path, help="default: `store` in the first of them")
    parser.add_argument(
        "--keep-days",
        type=float,
        default=0,
        metavar="DAYS",
        help="keep what was made or taken in the last DAYS",
    )
    args = parser.parse_args()
    store = args.store or args.results[0] / "store"
    if not store.is_dir():
        parser.error(f"{store}: there is no such folder; name the store with --store")
    done = prune(store, args.results, args.keep_days)
    print(
        f"{store}: dropped {done.dropped} entries, {done.bytes_freed / MIB:.1f} MiB; "
        f"kept {done.kept}, {done.bytes_kept / MIB:.1f} MiB"
    )


if __name__ == "__main__":
    main()
