"""The `figures:` section: short forms, defaults, and what it refuses."""

import pytest
from pydantic import ValidationError

from ssl_collapse.config.figures import PlottedRun, parse_figure, with_concrete_runs


def test_a_name_is_short_for_a_run_without_label() -> None:
    figure = parse_figure('{"kind": "shares", "runs": ["a", {"name": "b", "label": "B"}]}')
    assert figure.runs == [PlottedRun(name="a"), PlottedRun(name="b", label="B")]
    assert (figure.accuracy, figure.measure) == ("knn_cosine_k20", "auc")


def test_a_spec_survives_the_way_through_json() -> None:
    figure = parse_figure('{"kind": "spectra", "runs": ["a"], "epoch": 40, "title": "T"}')
    assert parse_figure(figure.model_dump_json()) == figure


def test_sweeps_expand_and_keep_labels_only_where_one_run_remains() -> None:
    figure = parse_figure(
        '{"kind": "schedules", "runs": [{"name": "sweep", "label": "S"},'
        ' {"name": "one", "label": "O"}]}'
    )
    concrete = with_concrete_runs(figure, {"sweep": ["sweep-1", "sweep-2"], "one": ["one"]})
    assert [(run.name, run.label) for run in concrete.runs] == [
        ("sweep-1", None),
        ("sweep-2", None),
        ("one", "O"),
    ]
    with pytest.raises(KeyError, match="sweep"):
        with_concrete_runs(figure, {})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ('{"kind": "pie", "runs": ["a"]}', "pie"),
        ('{"kind": "shares", "runs": []}', "at least 1"),
        ('{"kind": "shares", "runs": ["a", "a"]}', "run 'a' appears twice"),
        ('{"kind": "shares", "runs": ["a"], "accuracy": "auc"}', "pattern"),
        ('{"kind": "spectra", "runs": ["a"], "epoch": "first"}', "epoch"),
        ('{"kind": "spectra", "runs": ["a"], "measure": "auc"}', "measure"),
    ],
)
def test_wrong_sections_are_refused(spec: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        parse_figure(spec)
