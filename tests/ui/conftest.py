"""Fixtures of the page tests: a small shop whose parts live in memory, put where the pages look for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import running
from app.wiring import Services
from tests.ui.shopfront import fake_services

PAGES = Path(__file__).parents[2] / "app" / "ui"
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3" color="#123456"><path fill="currentColor"/></svg>'


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name in ("logo", "kite"):
        (tmp_path / f"{name}.svg").write_text(DRAWING, encoding="utf-8")
    return tmp_path


@pytest.fixture
def services(pictures: Path) -> Iterator[Services]:
    """The running services; a test may change any part of them before it opens a page."""
    services = fake_services(pictures)
    running.put(services)
    yield services
    running.clear()


@pytest.fixture
def page(services: Services) -> AppTest:
    return AppTest.from_file(str(PAGES / "main.py"), default_timeout=30)
