"""Start a job: `python -P -m ssl_collapse.provenance.start SCRIPT ARGUMENTS`.

Results that are in the store are taken before the script imports what computing needs: seconds.
"""

import runpy
import sys

from ssl_collapse.provenance.job import take_from_store


def main() -> None:
    """Take the job's results from the store, or run its script in this process."""
    del sys.argv[0]
    if not take_from_store():
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
