"""What several rooms test with."""

import pytest
import toy

from ssl_collapse.images.packed import PackedImages


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> PackedImages:
    """Twelve packed images of noise: three batches of four."""
    return toy.pack_noise(tmp_path_factory.mktemp("packed"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sequences", type=int, default=200, help="events that befall results")
