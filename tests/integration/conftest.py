"""What the integration tests share: the packaged model, converted once a session."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of converted models; the first test that needs one fills it (about 20 s)."""
    return tmp_path_factory.mktemp("cache")
