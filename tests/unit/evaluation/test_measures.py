"""Each measure against spectra whose value can be worked out by hand, and the published ones."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from ssl_collapse.evaluation.given_spectrum import read_spectrum
from ssl_collapse.evaluation.measures import directions
from ssl_collapse.evaluation.measures import spectral as metrics

PUBLISHED = Path(
    os.environ.get("SSL_COLLAPSE_PUBLISHED")
    or Path(__file__).resolve().parents[4] / "shared" / "published"
)
SPECTRAL = [
    metrics.auc,
    metrics.spectral_entropy_rank,
    metrics.participation_ratio,
    metrics.nesum,
    metrics.alpha_req,
]


# -(3/4 log 3/4 + 1/4 log 1/4) of 3, 1, 0; the dead dimension adds nothing
ENTROPY = 0.75 * math.log(4 / 3) + 0.25 * math.log(4)


@pytest.mark.parametrize(
    ("sigma", "auc", "entropy_rank", "participation", "nesum", "rank"),
    [
        # flat: explained(j) = j / D, and the mean of 1..D is (D + 1) / 2
        *(([3.0] * d, (d + 1) / (2 * d), d, d, d, d) for d in (1, 2, 7, 512)),
        ([5.0] + [0.0] * 7, 1, 1, 1, 1, 1),  # a single direction is complete collapse
        # explained 3/4, 1, 1; lambda = 9, 1, 0: 10^2 / 82 and 10 / 9
        ([3.0, 1.0, 0.0], 2.75 / 3, math.exp(ENTROPY), 100 / 82, 10 / 9, 2),
    ],
)
def test_spectra_by_hand(
    sigma: list[float], auc: float, entropy_rank: float, participation: float, nesum: float,
    rank: int,
) -> None:  # fmt: skip
    spectrum = np.array(sigma)
    assert metrics.auc(spectrum) == pytest.approx(auc, abs=1e-14)
    assert metrics.spectral_entropy_rank(spectrum) == pytest.approx(entropy_rank)
    assert metrics.participation_ratio(spectrum) == pytest.approx(participation)
    assert metrics.nesum(spectrum) == pytest.approx(nesum)
    assert metrics.numerical_rank(spectrum, n=1000) == rank


@pytest.mark.parametrize("measure", SPECTRAL)
@pytest.mark.parametrize("scale", [1e-160, 1e160])
def test_scale_does_not_matter(measure: metrics.Any, scale: float) -> None:
    # at these scales sigma^2 leaves the range of float64
    sigma = np.arange(1, 41)[::-1] ** 1.5
    assert measure(sigma * scale) == pytest.approx(measure(sigma), rel=1e-12)


@pytest.mark.parametrize("measure", SPECTRAL)
@pytest.mark.parametrize(
    ("sigma", "message"),
    [
        ([0.0, 0.0], "all equal"),
        ([], "shape"),
        ([[1.0]], "shape"),
        ([1.0, math.nan], "finite"),
        ([1.0, -1.0], "not negative"),
        ([1.0, 2.0], "largest first"),
    ],
)
def test_what_is_no_spectrum_is_refused(
    measure: metrics.Any, sigma: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        measure(np.array(sigma))


def test_alpha_of_an_exact_power_law() -> None:
    # sigma_j = j^-0.6 is lambda_j = j^-1.2
    sigma = np.arange(1, 201) ** -0.6
    assert metrics.alpha_req(sigma) == pytest.approx((1.2, 1.0))


def test_alpha_uses_the_stated_ranks_above_the_floor_only() -> None:
    sigma = np.arange(1, 201) ** -0.5
    sigma[:10] = 7.0  # ranks 1 to 10 are not fitted
    sigma[100:] = sigma[99] / 2  # nor are those beyond 100
    assert metrics.alpha_req(sigma) == pytest.approx((1.0, 1.0))
    floor = float(sigma[30])
    sigma[30:] = floor / 2  # noise from rank 31 on
    assert metrics.alpha_req(sigma, floor=floor) == pytest.approx((1.0, 1.0))


def test_alpha_against_a_general_least_squares_fit() -> None:
    sigma = np.sort(np.random.default_rng(0).lognormal(size=150))[::-1]
    x, y = np.log(np.arange(11, 101)), 2 * np.log(sigma[10:100])
    slope = np.polyfit(x, y, 1)[0]
    assert metrics.alpha_req(sigma) == pytest.approx((-slope, np.corrcoef(x, y)[0, 1] ** 2))


def test_alpha_needs_ten_ranks() -> None:
    assert metrics.alpha_req(np.ones(19)) is None  # ranks 11 to 19
    assert metrics.alpha_req(np.ones(20)) == pytest.approx((0.0, 1.0), abs=1e-12)


def test_numerical_rank_counts_above_the_larger_of_tolerance_and_floor() -> None:
    eps = np.finfo(float).eps
    sigma = np.array([1.0, 1e-3, 300 * eps, 50 * eps, 0.0])
    assert metrics.numerical_rank(sigma, n=100) == 3  # tolerance 100 eps
    assert metrics.numerical_rank(sigma, n=1000) == 2
    assert metrics.numerical_rank(sigma, n=100, floor=1e-2) == 1
    assert metrics.numerical_rank(np.zeros(3), n=100) == 0


def scatter(units: np.ndarray) -> np.ndarray:
    centred = units - units.mean(axis=0)
    return centred.T @ centred


def test_std_per_dimension_is_ideal_on_a_cross_and_zero_on_a_point() -> None:
    # +-e_1, +-e_2: mean zero, each dimension has variance 1/2
    cross = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    assert directions.std_per_dimension(scatter(cross), 4) == pytest.approx(1 / math.sqrt(2))
    assert directions.std_per_dimension(scatter(np.tile(cross[0], (5, 1))), 5) == 0.0


def test_mean_cosine_of_all_pairs() -> None:
    units = np.random.default_rng(0).standard_normal((30, 4))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    pairs = (units @ units.T)[~np.eye(30, dtype=bool)]
    assert directions.mean_cosine(units.mean(axis=0), 30) == pytest.approx(pairs.mean(), abs=1e-14)
    # with a row of zeros, whose cosine with the 30 others is 0
    mean = np.vstack([units, np.zeros(4)]).mean(axis=0)
    expected = pairs.sum() / (31 * 30)
    assert directions.mean_cosine(mean, 31, zero_rows=1) == pytest.approx(expected, abs=1e-14)
    with pytest.raises(ValueError, match="two rows"):
        directions.mean_cosine(units[0], 1)


def test_uniformity_by_hand() -> None:
    # three pairs: squared distances 0, 2 and 2
    units = np.array([[1.0, 0], [1, 0], [0, 1]])
    assert directions.uniformity(units) == pytest.approx(math.log((1 + 2 * math.exp(-4)) / 3))
    assert directions.uniformity(np.tile(units[0], (4, 1))) == 0.0
    with pytest.raises(ValueError, match="two rows"):
        directions.uniformity(units[:1])


@pytest.mark.parametrize(
    ("share", "auc", "entropy_rank", "participation", "stable_rank"),
    [
        (1, 0.60976, 465.2, 160.5, 31.4),
        (5, 0.74803, 323.5, 66.9, 18.8),
        (10, 0.84492, 186.5, 12.80, 4.79),
        (20, 0.87872, 140.0, 5.20, 2.50),
        (50, 0.87142, 161.3, 14.92, 5.29),
        (100, 0.85775, 165.6, 4.19, 2.10),
    ],
)
def test_published_spectra(
    share: int, auc: float, entropy_rank: float, participation: float, stable_rank: float
) -> None:
    path = PUBLISHED / f"resnet18_{share}percent_train_reprs_e0_svd.pt"
    if not path.is_file():
        pytest.skip(f"published spectra not found in {PUBLISHED}; see SSL_COLLAPSE_PUBLISHED")
    sigma, _ = read_spectrum(path)
    assert f"{metrics.auc(sigma):.5f}" == f"{auc:.5f}"
    assert metrics.spectral_entropy_rank(sigma) == pytest.approx(entropy_rank, abs=0.05)
    digits = 1 if share <= 5 else 2
    assert round(metrics.participation_ratio(sigma), digits) == participation
    assert round(metrics.nesum(sigma), digits) == stable_rank
