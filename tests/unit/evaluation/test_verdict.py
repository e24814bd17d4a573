"""The audit's verdict: on rows whose spectrum is known, and on what must not sway it."""

import numpy as np
import pytest
import scipy.linalg
from scipy.stats import binomtest

from ssl_collapse.evaluation.audit import audit
from ssl_collapse.evaluation.verdict import (
    accuracy_interval,
    directions_for,
    intervals,
    judge,
    spectrum_of,
)

RNG = np.random.default_rng(0)
N, D = 400, 32
FLAT = RNG.standard_normal((N, D)).astype(np.float32)
DECAY = np.arange(1, D + 1)


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        (FLAT, "not collapsed"),
        (FLAT + 100, "not collapsed"),  # mean cosine 1: the mean takes no part
        (FLAT / DECAY**1.2, "partly collapsed"),
        (FLAT / DECAY**8.0, "collapsed"),  # effective rank 1.0
        (np.outer(FLAT[:, 0], FLAT[0]) + 1e-4 * FLAT, "collapsed"),
        ("all representations are equal: total collapse", "collapsed"),
    ],
)
def test_the_verdict(rows, word: str):
    content = audit(rows, FLAT / DECAY, np.arange(N) % 4)
    assert content["verdict"] == word, content["why"]
    assert ("knn" in content["encoder"]) == (not isinstance(rows, str))


def test_few_directions_are_no_collapse_where_random_weights_have_no_more():
    # as of images that hardly differ: 3 of 100 directions, with random weights 4
    assert judge(3, 100, 4, None).word == "partly collapsed"
    assert "not training" not in judge(3, 100, 9, None).why
    assert judge(3, 100, 9, None).word == "collapsed"
    assert judge(50, 100, 9, None).word == "not collapsed"
    assert judge(49, 100, 50, None).why.endswith("it was not training that lost them.")
    assert judge(49, 100, 9, (47, 51)).why.endswith("Its interval reaches into not collapsed.")
    assert "fewer images than dimensions" in judge(49, 100, 9, None, few_rows=True).why
    # of 10 images a flat spectrum has rank 9 at most, and rank 1 is more than 5 % of that
    assert "no collapse but a total one" in judge(1, 9, 9, None).why
    assert "no collapse but a total one" not in judge(1, 21, 9, None).why


def test_spectrum_and_directions_by_hand():
    for rows in (FLAT[:100], FLAT[:10]):  # also of fewer rows than dimensions
        expected = np.zeros(D)
        found = scipy.linalg.svdvals(rows - rows.mean(axis=0, dtype=float))
        expected[: len(found)] = found
        np.testing.assert_allclose(spectrum_of(rows), expected, atol=1e-6)
    # variances 9, 1, 0: 90 % in the first, 99 % in both
    sigma = np.array([3.0, 1.0, 0.0])
    assert [directions_for(sigma, share) for share in (0.9, 0.91, 0.99, 1.0)] == [1, 2, 2, 2]


def test_the_interval_has_the_width_of_the_real_scatter():
    shape = np.arange(1, 9)  # off the origin: about it, the mean cosine is no smooth function
    draws = [np.random.default_rng(i).standard_normal((300, 8)) / shape + 1 for i in range(60)]
    ends = [intervals(rows, resamples=30, seed=i) for i, rows in enumerate(draws)]
    for name in ("auc", "effective_rank", "std_per_dimension", "mean_cosine"):
        low, high = np.array([found[name] for found in ends]).T
        scatter = np.std((low + high) / 2)
        assert np.mean(high - low) / 2 == pytest.approx(1.96 * scatter, rel=0.35), name
    assert intervals(FLAT[:19]) == {}


def test_the_interval_of_an_accuracy_is_wilsons():
    for right, n in ((0, 10), (7, 10), (300, 400)):
        found = binomtest(right, n).proportion_ci(method="wilson")
        assert accuracy_interval(right / n, n) == pytest.approx((found.low, found.high))
