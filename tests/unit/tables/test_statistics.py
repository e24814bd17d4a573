"""Intervals over seeds, against t tables and hand-worked examples."""

import math

import numpy as np
import pytest
from scipy import stats

from ssl_collapse.tables.statistics import (
    log_slope,
    log_t_band,
    t_band,
    t_interval,
    welch_difference,
)


def test_interval_of_three_seeds_by_hand() -> None:
    # mean 2, s = 1, t(0.975, 2) = 4.302653 from a t table: half width 4.302653 / sqrt(3)
    interval = t_interval([1.0, 2.0, 3.0])
    assert interval.mean == 2
    assert interval.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert (interval.low, interval.n) == (pytest.approx(2 - 2.484138, abs=1e-6), 3)


def test_missing_values_do_not_count_as_seeds() -> None:
    assert t_interval([1.0, math.nan, 3.0, math.inf]) == t_interval([1.0, 3.0])
    assert t_interval([math.nan]).n == 0


def test_band_is_the_interval_of_every_column() -> None:
    samples = np.array([[1.0, 10.0], [2.0, 10.0], [3.0, 40.0]])
    mean, low, high = t_band(samples)
    for column in range(2):
        one = t_interval(samples[:, column])
        assert (mean[column], low[column], high[column]) == (one.mean, one.low, one.high)


def test_band_on_the_logarithm_stays_positive() -> None:
    # log10 of 1, 10, 100 is 0, 1, 2: geometric mean 10, bounds 10 ** (1 +- 4.302653 / sqrt(3))
    mean, low, high = log_t_band(np.array([[1.0], [10.0], [100.0]]))
    assert mean[0] == pytest.approx(10)
    assert high[0] == pytest.approx(10 ** (1 + 2.484138), rel=1e-5)
    assert low[0] == pytest.approx(10 ** (1 - 2.484138), rel=1e-5)


def test_difference_of_two_equal_groups_by_hand() -> None:
    # both groups n = 3, s = 1: error sqrt(2/3), Welch freedom 4, t(0.975, 4) = 2.776445
    difference = welch_difference([4.0, 5.0, 6.0], [1.0, 2.0, 3.0])
    assert difference.mean == 3
    assert difference.half_width == pytest.approx(2.776445 * math.sqrt(2 / 3), rel=1e-6)


def test_difference_of_unequal_groups_matches_scipy() -> None:
    a, b = [0.31, 0.35, 0.29, 0.40], [0.41, 0.43]
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    difference = welch_difference(a, b)
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))


def test_one_seed_or_a_tie_has_no_interval() -> None:
    assert t_interval([0.7]).mean == 0.7
    assert math.isnan(t_interval([0.7]).low) and math.isnan(t_interval([0.7]).high)
    assert welch_difference([2.0, 2.0], [1.0, 1.0]).mean == 1
    assert math.isnan(welch_difference([2.0, 2.0], [1.0, 1.0]).low)
    assert math.isnan(t_interval([0.7, 0.7]).low) and t_interval([0.7, 0.7]).n == 2
    assert math.isnan(welch_difference([2.0], [1.0, 1.5]).low)
    assert math.isnan(welch_difference([], [1.0]).mean)


def test_slope_is_the_change_per_tenfold_data() -> None:
    # y = 0.1 log10(share) with the same +-0.01 at both ends: residual variance 4e-4 / 2,
    # Sxx = 4 x 1, so the standard error is sqrt(2e-4 / 4); t(0.975, 2) = 4.302653
    slope = log_slope([1, 1, 100, 100], [0.01, -0.01, 0.21, 0.19])
    assert slope.mean == pytest.approx(0.1)
    assert slope.half_width == pytest.approx(4.302653 * math.sqrt(0.5e-4), rel=1e-6)


def test_slopes_without_an_interval_or_at_all() -> None:
    slope = log_slope([1, 10, 100], [0.0, 0.1, 0.3])  # no share is repeated
    assert slope.mean == pytest.approx(0.15) and math.isnan(slope.low)
    assert math.isnan(log_slope([5, 5], [0.1, 0.2]).mean)
