"""Measures of a sample and of classes: values by hand, known distributions, scikit-learn."""

import numpy as np
import pytest
from scipy import integrate
from sklearn.cluster import KMeans

from ssl_collapse.evaluation.classes import ClassSums
from ssl_collapse.evaluation.measures.distances import squared_distances
from ssl_collapse.evaluation.measures.labels import cdnv, nc1
from ssl_collapse.evaluation.measures.local import (
    cluster_learnability,
    epps_pulley,
    intrinsic_dimension,
    k_means,
    plus_plus,
)
from ssl_collapse.evaluation.moments import Moments

RNG = np.random.default_rng(0)


def two_nn(rows: np.ndarray) -> float | None:
    return intrinsic_dimension(squared_distances(rows - rows.mean(axis=0)))


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_intrinsic_dimension_is_that_of_the_manifold(dim: int) -> None:
    # a cube of `dim` dimensions, turned into 40, at any scale and place
    cube = RNG.uniform(size=(2000, dim)) @ np.linalg.qr(RNG.standard_normal((40, dim)))[0].T
    assert two_nn(cube) == pytest.approx(dim, rel=0.12)
    assert two_nn(1e-3 * cube + 100) == pytest.approx(two_nn(cube), rel=1e-3)


def test_intrinsic_dimension_by_hand() -> None:
    # Points far apart in groups (0, 1, 1 + a): nearest distances (1, 1 + a), (a, 1), (a, 1 + a) for
    # a < 1: log mu as below; slope through the origin of -log(1 - i / n) on all but the last tenth
    a = 0.5
    line = np.concatenate([1e3 * k + np.array([0, 1, 1 + a]) for k in range(10)])[:, None]
    log_mu = np.sort(np.log([1.5, 2.0, 3.0] * 10))[:27]
    y = -np.log(1 - np.arange(1, 28) / 30)
    assert two_nn(line) == pytest.approx((log_mu @ y) / (log_mu @ log_mu), rel=1e-6)


def test_rows_without_distinct_neighbours_have_no_intrinsic_dimension() -> None:
    assert two_nn(np.repeat(RNG.standard_normal((30, 4)), 2, axis=0)) is None  # every row twice
    assert two_nn(RNG.standard_normal((9, 4))) is None
    assert two_nn(np.eye(40)) is None  # all ratios are 1


def test_k_means_is_that_of_scikit_learn() -> None:
    rows = RNG.standard_normal((300, 5)) + 3 * RNG.integers(3, size=(300, 1))
    start = plus_plus(squared_distances(rows), 6, np.random.default_rng(1))
    assert len(set(start)) == 6
    oracle = KMeans(6, init=rows[start], n_init=1, max_iter=20, tol=0).fit(rows)
    np.testing.assert_array_equal(k_means(rows, start), oracle.labels_)


def test_cluster_learnability() -> None:
    def learned(rows: np.ndarray) -> float | None:
        return cluster_learnability(rows, squared_distances(rows), seed=0)

    # 4 far clusters and 80 rows: only the first row of each is wrong, less the first row of all
    far = np.repeat(100 * np.eye(4), 20, axis=0) + 0.01 * RNG.standard_normal((80, 4))
    assert learned(far) == pytest.approx(76 / 79)
    noise = learned(RNG.standard_normal((1000, 200)))
    assert noise is not None and noise < 0.4
    assert learned(RNG.standard_normal((39, 4))) is None
    assert learned(np.repeat(RNG.standard_normal((30, 4)), 5, axis=0)) is None  # 30 that differ


def test_epps_pulley_of_a_gaussian_is_that_of_chance() -> None:
    # E|mean exp(itx) - exp(-t^2/2)|^2 = (1 - exp(-t^2)) / m
    samples = RNG.standard_normal((5, 2000, 64))
    expected = integrate.quad(lambda t: (1 - np.exp(-(t**2))) * np.exp(-(t**2) / 2), -3, 3)[0]
    found = [epps_pulley(rows, 1.0, seed=0) for rows in samples]
    assert np.mean(found) == pytest.approx(expected / 2000, rel=0.15)
    assert epps_pulley(5 * samples[0], 25.0, seed=0) == pytest.approx(found[0])  # scale is nothing


def test_epps_pulley_of_one_point_and_of_one_direction() -> None:
    # all rows at the centre: |1 - exp(-t^2/2)|^2, whatever the direction
    point = integrate.quad(lambda t: (1 - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2), -3, 3)[0]
    assert epps_pulley(np.zeros((50, 4)), 1.0, seed=0) == pytest.approx(point, rel=1e-3)
    single = RNG.standard_normal((2000, 1)) * np.eye(1, 16)
    assert epps_pulley(single, 1 / 16, seed=0) > 20 * 1.06 / 2000


def sums_of(rows: np.ndarray, labels: np.ndarray) -> tuple[ClassSums, Moments]:
    of, moments = ClassSums.empty(labels, rows.shape[1]), Moments.empty(rows.shape[1])
    assert of is not None
    of.add(rows, labels)
    moments.add(rows.astype(np.float64))
    return of, moments


def test_neural_collapse_by_hand() -> None:
    # class means (+-3, 0), each with rows 1 off to both sides in x: S_W = diag(1, 0),
    # S_B = diag(9, 0), NC1 = (1/9)/2; variances 1, squared distance 36: CDNV = 2/(2*36)
    rows = np.array([[2.0, 0], [4, 0], [-2, 0], [-4, 0]])
    of, moments = sums_of(rows, np.array([0, 0, 1, 1]))
    assert nc1(of, moments) == pytest.approx(1 / 18)
    assert cdnv(of.means, of.variances) == pytest.approx(1 / 36)


@pytest.mark.parametrize(("classes", "dim"), [(4, 12), (12, 4)])
def test_neural_collapse_against_the_definition(classes: int, dim: int) -> None:
    labels = np.concatenate([np.arange(classes), RNG.integers(classes, size=300)])
    rows = RNG.standard_normal((len(labels), dim)) + RNG.standard_normal((classes, dim))[labels] + 9
    means = np.stack([rows[labels == c].mean(axis=0) for c in range(classes)])
    within = (rows - means[labels]).T @ (rows - means[labels]) / len(rows)
    between = np.cov(means.T, ddof=0)
    of, moments = sums_of(rows, labels)
    expected = np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / classes
    assert nc1(of, moments) == pytest.approx(expected, rel=1e-8)
    variances = [((rows[labels == c] - means[c]) ** 2).sum(axis=1).mean() for c in range(classes)]
    pairs = [
        (variances[a] + variances[b]) / 2 / ((means[a] - means[b]) ** 2).sum()
        for a in range(classes)
        for b in range(a)
    ]
    assert cdnv(of.means, of.variances) == pytest.approx(np.mean(pairs), rel=1e-9)


def test_one_class_equal_means_and_full_collapse() -> None:
    rows = np.repeat(np.array([[1.0, 0], [0, 1]]), 3, axis=0)
    one = sums_of(rows, np.zeros(6, np.int64))
    assert nc1(*one) is cdnv(one[0].means, one[0].variances) is None
    equal = sums_of(rows, np.tile([0, 1, 2], 2))
    assert nc1(*equal) is cdnv(equal[0].means, equal[0].variances) is None
    points = sums_of(rows, np.repeat([0, 1], 3))
    assert nc1(*points) == pytest.approx(0, abs=1e-15)
    assert cdnv(points[0].means, points[0].variances) == pytest.approx(0, abs=1e-15)


def test_too_many_classes_are_not_gathered() -> None:
    assert ClassSums.empty(np.arange(40_000), 1024) is None
