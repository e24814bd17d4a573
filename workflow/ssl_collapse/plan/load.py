"""From what the user wrote to a checked experiment, or one message with every error."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ssl_collapse.config.experiment import Experiment
from ssl_collapse.config.reading.load import read_experiment
from ssl_collapse.plan.checks import cross_check


def load_experiment(config: Any, files: Iterable[Path] = ()) -> Experiment:
    """The experiment; raises one `UserError` for everything that is wrong with it.

    Args:
        config: what was read, with everything that was laid over it.
        files: what it was read from, to see what YAML passes over in silence.
    """
    return read_experiment(config, files, cross_check)
