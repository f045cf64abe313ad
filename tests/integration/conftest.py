import pytest

from tests.integration.whole_path import walk


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """The folder that `walk` leaves."""
    return walk(tmp_path_factory.mktemp("path"))
