"""envs/requirements.txt and envs/environment.yaml hold the same pins."""

from pathlib import Path

import yaml

ENVS = Path(__file__).parents[2] / "envs"


def test_conda_and_pip_pin_the_same_versions():
    lines = [line.split("#")[0].strip() for line in (ENVS / "requirements.txt").open()]
    pins = [line for line in lines if line]
    assert pins and all("==" in pin for pin in pins)
    environment = yaml.safe_load((ENVS / "environment.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == pins
