"""Wrong configs and the full message that each must give: the tables in `wrong/`.

A table's entry is a line of what is wrong, the YAML that is laid over `wrong/base.yaml` section by
section, `-->`, and the message.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssl_collapse.plan.load import load_experiment
from ssl_collapse.runtime.errors import UserError

TABLES = Path(__file__).parent / "wrong"
BASE = yaml.safe_load((TABLES / "base.yaml").read_text())


def entries() -> Iterator[Any]:
    for table in sorted(TABLES.glob("*.txt")):
        for entry in table.read_text("utf-8").strip().split("\n\n"):
            wrong, _, message = entry.partition("\n-->\n")
            what, _, text = wrong.partition("\n")
            yield pytest.param(text, message, id=f"{table.stem}: {what.removeprefix('# ')}")


def message(config: object, *files: Path) -> str:
    with pytest.raises(UserError) as error:
        load_experiment(config, files)
    return str(error.value)


def test_the_base_of_the_tables_is_valid_and_they_are_long():
    assert list(load_experiment(BASE).runs) == ["plain"]
    assert len(list(entries())) >= 45


@pytest.mark.parametrize(("text", "expected"), list(entries()))
def test_a_wrong_config_gets_exactly_this_message(text: str, expected: str, tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text(text, "utf-8")
    start = time.process_time()
    assert message({**BASE, **yaml.safe_load(text)}, file) == expected
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, "the config is null; it must be a mapping of keys"),
        ([], "the config is []; it must be a mapping of keys"),
        ("runs", "the config is 'runs'; it must be a mapping of keys"),
    ],
)
def test_a_config_that_is_no_mapping(config: object, expected: str):
    assert message(config) == expected


def test_an_empty_config():
    assert message({}).splitlines() == [
        "the config has 2 problems:",
        "  datasets: missing; this key is required",
        "  runs: missing; this key is required",
    ]


def test_an_anchor_that_holds_itself(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text("runs: &all {a: *all}")
    assert message(yaml.safe_load(file.read_text()), file) == (
        "the config is nested without end: an anchor holds itself"
    )


def test_long_values_are_cut():
    text = message({**BASE, "title": ["long"] * 1000})
    assert text.endswith("...; it must be text") or "... is not allowed" in text
    assert max(map(len, text.splitlines())) < 130


def test_many_epochs_are_planned_at_once():
    runs = {"a": {"epochs": 100_000, "checkpoint_every": 100_000}}
    start = time.process_time()
    load_experiment({**BASE, "runs": runs})
    assert time.process_time() - start < 1


def test_a_sweep_of_thousands_of_long_runs_is_planned_in_seconds():
    runs = {"a": {"base_lr": [0.001 * i for i in range(1, 1001)], "schedule": "accumulate"}}
    defaults = {**BASE["defaults"], "epochs": 1000, "chunk_size": 100, "checkpoint_every": 100}
    start = time.process_time()
    assert len(load_experiment({**BASE, "defaults": defaults, "runs": runs}).runs) == 1000
    assert time.process_time() - start < 1


def test_texts_that_no_command_line_can_hold():
    figures = {"f": {"kind": "shares", "title": "t" * 501, "runs": ["plain"]}}
    config = {**BASE, "description": "d" * 140_000, "title": "t" * 501, "figures": figures}
    problems = message(config).splitlines()[1:]
    assert [(p.split(":")[0].strip(), p.split("; ")[1]) for p in problems] == [
        ("title", "it must have at most 500 characters"),
        ("description", "it must have at most 5000 characters"),
        ("figures.f.title", "it must have at most 500 characters"),
    ]


def test_numbers_nested_in_the_command_lines_config():
    # snakemake --config 'runtime={threads: 2}': Snakemake reads it with all values as text.
    given = {"threads": "2", "log_every": "many"}
    text = "'2' is text to YAML; write 2 (nested in `--config`, all is text)"
    assert message({**BASE, "runtime": given}).splitlines()[1:] == [
        f"  runtime.threads: {text}",
        "  runtime.log_every: 'many' is not allowed; it must be a whole number",
    ]
