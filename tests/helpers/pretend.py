"""Results that nobody computed: made-up files with the sidecars that a real job would write.

To Snakemake and the judge a made-up experiment is a finished one, for no result's content is
looked into; only what a plan itself reads (dataset.json) must be made for real.
"""

from collections.abc import Iterable
from contextlib import chdir
from pathlib import Path

from snakemake_runs import Job

from ssl_collapse.provenance.record import Record
from ssl_collapse.runtime.command_line import text

FOLDERS = ("images", "checkpoints")  # outputs that are folders


def pretend(folder: Path, jobs: Iterable[Job]) -> None:
    """Make up what planned jobs would make; what a job is made from must stand before it.

    Args:
        folder: the working directory of the plan; not for tests that run threads beside it.
        jobs: as `planned` gives them.
    """
    with chdir(folder):
        for job in jobs:
            request = job.request.model_copy(update={"store": ""})
            record = Record(request, text(job.spec), job.script, job.script.parents[1])
            for output in map(Path, job.outputs):
                make_up(output)
            record.write()


def make_up(output: Path) -> None:
    """A file that names itself, or a folder with one."""
    if output.name in FOLDERS:
        output.mkdir(parents=True)
        output = output / "content"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(f"the content of {output}\n")
