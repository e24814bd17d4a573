"""How columns and numbers are named."""

import math

import pytest

from ssl_collapse.evaluation.accuracies import KNN, PROBE_LABELS, knn_columns
from ssl_collapse.evaluation.measures.registry import measure_columns
from ssl_collapse.tables.columns import quantity
from ssl_collapse.tables.statistics import Interval


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("knn_cosine_k20", "k-NN accuracy (cosine, k = 20)"),
        ("knn_l2_k1", "k-NN accuracy (L2, k = 1)"),
        ("knn_cosine_weighted_k200", "k-NN accuracy (cosine, k = 200, weighted)"),
        ("knn_l2_oracle", "k-NN accuracy (L2, best k on the val labels)"),
        ("probe_top1_last", "Linear probe, top-1 accuracy"),
        ("alpha_r2_l2", "R² of the alpha-ReQ fit of normalised representations"),
        ("auc", "AUC"),
        ("auc_l2", "AUC of normalised representations"),
        ("my_measure", "My measure"),
    ],
)
def test_names(column: str, name: str) -> None:
    assert quantity(column).name == name


def test_only_known_measures_claim_a_direction() -> None:
    assert quantity("auc").axis_label == "AUC (higher: more collapsed)"
    assert quantity("rankme").axis_label == "RankMe (lower: more collapsed)"
    assert quantity("my_measure").axis_label == "My measure"


def test_numbers_carry_their_unit() -> None:
    accuracy, auc = quantity("knn_cosine_k20"), quantity("auc")
    assert accuracy.estimate(Interval(0.314, 0.29, 0.338, 3)) == "31.4 % [29.0, 33.8]"
    assert accuracy.changes(Interval(-0.01, -0.03, 0.01, 3)) == "-1.0 points [-3.0, +1.0]"
    assert auc.changes(Interval(-0.021, math.nan, math.nan, 1)) == "-0.021"
    assert auc.number(math.nan) == "not available"


def test_every_column_that_a_figure_may_show_is_in_words() -> None:
    for column in (*measure_columns(), *knn_columns(), *PROBE_LABELS):
        assert "_" not in quantity(column).name, column


def test_the_columns_that_a_protocol_fills() -> None:
    assert knn_columns(10, ["l2"], ["majority"]) == ("knn_l2_k1", "knn_l2_oracle")
    assert knn_columns(20, ["cosine"], ["weighted"]) == ("knn_cosine_weighted_k20",)
    assert knn_columns() == tuple(one.column for one in KNN)
