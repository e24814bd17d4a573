"""Specs: complete, small, and the same as in the last release."""

import json
from typing import Annotated, Any

import pytest
import yaml
from golden_specs import CONFIGS, GOLDEN, compact, differences, specs_of, text, whole
from pydantic import Field, TypeAdapter, ValidationError
from toy import experiment

from ssl_collapse.config.dataset import OrderingSpec, PackSpec, TexturesSource
from ssl_collapse.config.evaluation import (
    CollapseSpec,
    FullProbeSpec,
    KnnSpec,
    ProbeSpec,
    RepresentSpec,
)
from ssl_collapse.config.figures import ReportSpec, parse_figure
from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.config.summary import parse_rows
from ssl_collapse.config.types import Neutral, StrictModel, from_spec
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.provenance.canonical import canonical

PARSERS: dict[str, Any] = {
    "textures": TexturesSource.from_spec,
    "pack": PackSpec.from_spec,
    "ordering": OrderingSpec.from_spec,
    "pretrain": PretrainSpec.from_spec,
    "represent": RepresentSpec.from_spec,
    "collapse": CollapseSpec.from_spec,
    "knn": KnnSpec.from_spec,
    "probe": lambda text: (
        ProbeSpec if json.loads(text)["mode"] == "cached" else FullProbeSpec
    ).from_spec(text),
    "figure": parse_figure,
    "summarize": lambda row: parse_rows(f"[{row}]")[0],
    "report": ReportSpec.from_spec,
}
RAW = {"dataset", "export_checkpoint"}  # plain data: the scripts make no model of these


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_no_spec_of_a_shipped_config_changes(config):
    golden = GOLDEN / config.name
    assert golden.exists(), "a new config: run `python tests/unit/plan/golden_specs.py`"
    before = whole(yaml.safe_load(golden.read_text("utf-8")))
    changes = differences(before, whole(compact(specs_of(config))))
    assert not changes, "\n".join(
        [
            "these specs change, and so everybody makes these results again; if that is meant, say",
            "so in the changelog and run `python tests/unit/plan/golden_specs.py`:",
            *changes,
        ]
    )


def test_there_is_no_golden_file_without_its_config():
    assert {file.name for file in GOLDEN.iterdir()} == {config.name for config in CONFIGS}


def test_a_changed_an_absent_and_a_new_key_are_named():
    before = {"knn": {"a": {"k_max": 200, "metrics": ["l2"]}, "b": {"k_max": 200}}}
    after = {"knn": {"a": {"k_max": 200.0, "votes": ["majority"]}, "b": {"k_max": 200}}}
    assert whole(yaml.safe_load(text(before))) == before
    assert differences(before, after) == [
        "knn, a: k_max 200 -> 200.0",
        "knn, a: metrics ['l2'] -> 'absent'",
        "knn, a: votes 'absent' -> ['majority']",
    ]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_parsing_a_spec_gives_back_the_model(config):
    for stage, jobs in specs_of(config).items():
        for spec in jobs.values() if stage not in RAW else ():
            model = PARSERS[stage](canonical(spec))
            assert canonical(model.to_spec()) == canonical(spec)
            assert PARSERS[stage](canonical(model.to_spec())) == model


@pytest.mark.parametrize(
    "model",
    [
        OrderingSpec(seed=3),
        OrderingSpec(user="0" * 64),
        PackSpec(shorter_side=None),
        KnnSpec(metrics=("l2",), temperature=1),
        ProbeSpec(mode="cached"),
        FullProbeSpec(resize=40, crop=32),
        ReportSpec(title="t", runs=["a"], accuracy="knn_l2_k1"),
    ],
)
def test_models_that_no_shipped_config_has_come_back_too(model):
    assert type(model).from_spec(canonical(model.to_spec())) == model
    assert type(model).from_spec(model.to_spec_json()) == model


def test_a_teacher_counts_by_its_content_and_not_by_its_name():
    def plan(name: str) -> Plan:
        teacher = {"run": name, "epoch": 1}
        runs = {name: {}, "student": {"method": {"name": "distillation", "teacher": teacher}}}
        return Plan(load_experiment(experiment(runs=runs, figures={})))

    spec = plan("iid").pretrain("student", 0)
    assert spec["method"] == {"name": "distillation", "ema_alpha": 0.05}
    assert plan("other").pretrain("student", 0) == spec


class Inner(StrictModel):
    a: int = 1


class InnerWithMore(StrictModel):
    a: int = 1
    # Added later: users now get the better 4, all earlier results were made with 1.
    steps: Annotated[int, Field(ge=1), Neutral(1)] = 4
    sides: Annotated[list[int], Neutral([2, 2])] = [2, 2]


class Outer(StrictModel):
    inner: Inner = Inner()
    inners: list[Inner] = [Inner(a=5)]


class OuterWithMore(StrictModel):
    inner: InnerWithMore = InnerWithMore(steps=1)
    inners: list[InnerWithMore] = [InnerWithMore(a=5, steps=1)]
    teacher: Annotated[InnerWithMore | None, Neutral(None)] = None


def test_a_key_with_a_neutral_value_changes_no_spec():
    assert OuterWithMore().to_spec() == Outer().to_spec()
    assert OuterWithMore().to_spec() == {"inner": {"a": 1}, "inners": [{"a": 5}]}


def test_an_absent_key_means_the_neutral_value_and_not_todays_default():
    earlier = canonical(Outer().to_spec())
    assert OuterWithMore.from_spec(earlier) == OuterWithMore()
    assert from_spec(TypeAdapter(list[OuterWithMore]), f"[{earlier}]") == [OuterWithMore()]
    # A user who leaves the key out gets the default.
    assert OuterWithMore.model_validate({"inner": {"a": 1}}).inner.steps == 4


def test_any_other_value_is_part_of_the_spec():
    model = OuterWithMore(
        inner=InnerWithMore(steps=4, sides=[2, 3]), teacher=InnerWithMore(steps=1)
    )
    spec = model.to_spec()
    assert spec["inner"] == {"a": 1, "steps": 4, "sides": [2, 3]}
    assert spec["teacher"] == {"a": 1}
    assert OuterWithMore.from_spec(canonical(spec)) == model


def test_a_spec_with_an_unknown_key_is_refused():
    with pytest.raises(ValidationError):
        Outer.from_spec('{"inner": {"a": 1, "steps": 3}}')
