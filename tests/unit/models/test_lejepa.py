"""SIGReg, and LeJEPA's loss and directions."""

import math

import pytest
import torch
from scipy.integrate import quad
from torch import nn

from ssl_collapse.config.methods.lejepa import Config
from ssl_collapse.models.methods.lejepa import build, random_directions, sigreg

X_AXIS = torch.tensor([[1.0], [0.0]], dtype=torch.float64)


def rows(*values: float) -> torch.Tensor:
    """One view of embeddings (x, 100): only x lies along the direction that is tested."""
    return torch.tensor([[[x, 100.0] for x in values]], dtype=torch.float64)


def phi(t: float) -> float:
    """The characteristic function of a standard normal value."""
    return math.exp(-(t**2) / 2)


def normal_integral(a: float) -> float:
    """The integral of exp(-a t^2 / 2) over |t| <= 3."""
    return math.sqrt(2 * math.pi / a) * math.erf(3 * math.sqrt(a / 2))


def test_sigreg_by_hand():
    # All at 0: mean exp(itx) is 1, so T = N int (1 - exp(-t^2/2))^2 exp(-t^2/2) dt, whose three
    # terms have the exponents 1, 2 and 3.
    expected = normal_integral(1) - 2 * normal_integral(2) + normal_integral(3)
    assert sigreg(rows(0, 0, 0), X_AXIS).item() == pytest.approx(3 * expected, rel=1e-3)
    # at +1 and -1 in halves the mean is cos t
    exact, _ = quad(lambda t: (math.cos(t) - phi(t)) ** 2 * phi(t), -3, 3)
    assert sigreg(rows(1, -1), X_AXIS).item() == pytest.approx(2 * exact, rel=3e-3)


def test_sigreg_of_a_normal_sample_is_what_is_expected_of_it():
    generator = torch.Generator().manual_seed(0)
    directions = random_directions(2, 50, [0]).double()
    expected = normal_integral(1) - normal_integral(3)  # E |phi_N - phi|^2 = (1 - phi^2)/N
    for size in (50, 200):
        z = torch.randn(200, size, 2, dtype=torch.float64, generator=generator)
        assert sigreg(z, directions).item() == pytest.approx(expected, rel=0.15)
        assert sigreg(2 * z, directions).item() > 3 * expected


def test_directions_are_unit_vectors_and_others_in_each_step():
    directions = random_directions(3, 4000, [7, 0])
    torch.testing.assert_close(directions.norm(dim=0), torch.ones(4000))
    torch.testing.assert_close(
        directions @ directions.T / 4000, torch.eye(3) / 3, atol=0.02, rtol=0
    )
    assert torch.equal(directions, random_directions(3, 4000, [7, 0]))
    assert not torch.equal(directions, random_directions(3, 4000, [7, 1]))
    assert not torch.equal(directions, random_directions(3, 4000, [8, 0]))


@pytest.mark.parametrize("global_views", [None, 2])
def test_the_loss_is_the_weighted_sum_of_both(global_views: int | None):
    torch.manual_seed(0)
    config = Config(directions=16, sigreg_weight=0.25, global_views=global_views)
    model = build(nn.Identity(), 2, config)
    model.projector = nn.Identity()
    z = torch.tensor([[[0.0, 0], [3, 0]], [[2, 0], [5, 0]], [[4, 0], [7, 0]]])
    # views 0 and 2 from the mean of all three, 1 in the middle; or from that of the first two
    agreement = {None: (4 + 0 + 4) / 6, 2: (1 + 1 + 9) / 6}[global_views]  # half the entries are 0
    losses = []
    for step in (5, 6):
        model.before_step(step, 10)
        torch.randn(3)  # where the generator is does not matter
        regularity = sigreg(z, random_directions(2, 16, [0, 3, 0, step]))
        losses.append(model(*z).item())
        assert losses[-1] == pytest.approx(0.25 * regularity.item() + 0.75 * agreement)
    assert losses[0] != losses[1]
