"""What planning knows of a user's own images: whether they changed, and how many there are."""

from functools import cache
from pathlib import Path

from ssl_collapse.config.paths import Paths, fill
from ssl_collapse.images.description import read_description
from ssl_collapse.images.subset import list_source
from ssl_collapse.plan.checks import check_size
from ssl_collapse.plan.specs import Plan
from ssl_collapse.provenance.inventory import Comparison, compare
from ssl_collapse.runtime.errors import UserError


class UsersImages:
    """The folders of images of a plan's datasets, looked at once.

    everything: read every file, whatever its dates say.
    """

    def __init__(self, plan: Plan, results: str, everything: bool) -> None:
        self.plan, self.paths = plan, Paths(results)
        self.compare = cache(lambda name: self._compare(name, everything))

    def _compare(self, name: str, everything: bool) -> Comparison:
        comparison = compare(self.plan.folders(name, ""), self.inventory(name), everything)
        described = Path(fill(self.paths.description, dataset=name))
        if comparison.state == "same" and (other := read_description(described).dataset) != name:
            return Comparison("unknown", f"{described} describes the dataset {other}")
        return comparison

    def inventory(self, name: str) -> Path:
        """Where the files of a dataset were noted when it was described."""
        return Path(fill(self.paths.inventory, dataset=name))

    def training_images(self, name: str) -> int | None:
        """How many images a dataset trains on; None where that shows only when it is described."""
        described = Path(fill(self.paths.description, dataset=name))
        if described.exists() and self.compare(name).state == "same":
            description = read_description(described)
            if description.source == self.plan.dataset(name):
                return description.splits["train"].images
        if self.compare(name).away:
            return None
        places = {key: Path(path) for key, path in self.plan.folders(name, "").items()}
        listing = list_source(self.plan.dataset(name), places, self.plan.subset(name))
        return len(listing.splits["train"].paths)

    def refuse_small(self) -> None:
        """UserError where a run's data schedule leaves fewer images than a batch."""
        runs = self.plan.experiment.runs.items()
        sizes = {name: self.training_images(name) for name in self.plan.users_datasets()}
        problems = [
            f"  {problem}"
            for name, run in runs
            if (size := sizes.get(run.dataset)) is not None
            for problem in check_size(name, run, size)
        ]
        if problems:
            raise UserError("\n".join(["the config does not fit the images:", *problems]))
