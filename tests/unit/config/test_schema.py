"""config.schema.json and docs/CONFIG.md: written from the models, and true."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # a dependency of Snakemake

import ssl_collapse.config
from ssl_collapse.config.reading.schema import SCHEMA, config_schema, written
from ssl_collapse.config.types import StrictModel

ROOT = Path(__file__).parents[3]
SHIPPED = [ROOT / "config.yaml", *sorted((ROOT / "configs").glob("*.yaml"))]
BASE = yaml.safe_load((Path(__file__).parent / "wrong/base.yaml").read_text())


def errors(config: Any) -> list[str]:
    """What the schema says against a config, as paths."""
    validator = Draft202012Validator(config_schema())
    return [error.json_path for error in validator.iter_errors(config)]


@pytest.mark.parametrize("name", written())
def test_the_written_files_are_those_of_the_models(name: str):
    assert (ROOT / name).read_text("utf-8") == written()[name], (
        "the models have changed: run `python -m ssl_collapse.config.reading.schema`"
    )


def models() -> Iterator[type[StrictModel]]:
    for module in walk_packages(ssl_collapse.config.__path__, "ssl_collapse.config."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, StrictModel):
                yield value


def test_every_key_has_a_description_of_one_sentence():
    assert len(set(models())) >= 20
    for model in set(models()):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name} has no text below it"
            assert field.description.endswith("."), f"{model.__name__}.{name}"
            assert "\n" not in field.description, f"{model.__name__}.{name}"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configs_fit_and_name_the_schema(file: Path):
    text = file.read_text("utf-8")
    assert errors(yaml.safe_load(text)) == []
    first, _, schema = text.splitlines()[0].partition("$schema=")
    assert first == "# yaml-language-server: "
    assert (file.parent / schema).resolve() == ROOT / SCHEMA


@pytest.mark.parametrize(
    "sections",
    [
        {"runtime": {"workers": 4}},  # to be laid over another config
        {"runs": {"a": None}},
        {"runs": {"a": {"share": [5, 20.5], "backbone": {"width": [8, 16]}}}},
        {"defaults": {"epochs": [5, 10], "seeds": [0, 1]}},
        {"figures": {"f": {"kind": "shares", "runs": ["a", {"name": "b", "label": "B"}]}}},
        {"evaluation": {"probe": None}},
        {"figures": "paper"},
    ],
)
def test_what_people_write_fits(sections: dict[str, Any]):
    assert errors(sections) == []


@pytest.mark.parametrize(
    ("sections", "path"),
    [
        ({"run": {}}, "$"),
        ({"title": ""}, "$.title"),
        ({"runs": {"a b": {}}}, "$.runs"),
        ({"runs": {"a": {"epoch": 3}}}, "$.runs.a"),
        ({"runs": {"a": {"epochs": "10"}}}, "$.runs.a.epochs"),
        ({"runs": {"a": {"share": [5, 101]}}}, "$.runs.a.share"),
        ({"runs": {"a": {"seeds": 3}}}, "$.runs.a.seeds"),
        ({"defaults": {"backbone": {"widht": 8}}}, "$.defaults.backbone"),
        ({"datasets": {"d": {"source": {"kind": "textures"}}}}, "$.datasets.d.source"),
        ({"figures": {"f": {"kind": "shares", "runs": [3]}}}, "$.figures.f"),
        ({"runtime": {"gpus": 0}}, "$.runtime.gpus"),
        ({"figures": "papers"}, "$.figures"),
    ],
)
def test_what_the_workflow_refuses_does_not_fit(sections: dict[str, Any], path: str):
    assert errors({**BASE, **sections}) == [path]
