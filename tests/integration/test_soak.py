"""A sample of `make soak` with real server processes: a few kills during turns, a crowd in one conversation."""

import shutil
from pathlib import Path

import pytest

from tests.soak.crowd import press_in
from tests.soak.homes import make_home
from tests.soak.kills import AIMS, kill_often


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home to copy."""
    return make_home(tmp_path_factory.mktemp("soak") / "home")


@pytest.mark.timeout(600)
def test_what_was_acknowledged_before_a_kill_completes_or_is_marked_once(shop: Path, tmp_path: Path) -> None:
    outcome = kill_often(shutil.copytree(shop, tmp_path / "home"), kills=len(AIMS) + 1, seed=20)
    assert outcome.problems == []
    assert outcome.kills == len(AIMS) + 1
    assert set(outcome.states) == {"done", "interrupted"}  # some turns were hit, and some completed


@pytest.mark.timeout(600)
def test_fifty_clients_in_one_conversation_are_answered_one_after_the_other(shop: Path, tmp_path: Path) -> None:
    crowd = press_in(shutil.copytree(shop, tmp_path / "home"), posts=50, seed=20)
    assert crowd.problems == []
    assert crowd.at_once[202] + crowd.at_once[409] == crowd.answered == 50
